"""What must hold: the words that rules are written in, the state of the machine, and one
chapter for each mechanism in the paper's order. Imports attrs and the standard library only.
"""
