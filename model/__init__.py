"""What runs: the rules as a reference model, the implementation with the paper's data
structures, the oracle that judges traces, adapters to other systems, and the command line.
"""
