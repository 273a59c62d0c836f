"""What proves: the rules of `pagelaw.spec` run on symbolic values, the obligations that
follow, the solvers that discharge them, and finite counterexamples where one fails.
"""
