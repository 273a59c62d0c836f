"""The oracle: whether what some implementation did is allowed, asked of the rules themselves.

format      what a trace says: its header and its events, and what is wrong with those that make no sense
operations  what each operation of a trace is in steps of the specification
candidate   one state of the machine that explains a trace so far, with the implementation's names of frames
observing   whether a state is what was seen
settling    internal operations that explain what was seen after the implementation was left to itself
judge       the set of candidates, event by event, and the verdict
report      the verdict as text and as JSON
scenarios   what other projects have as tests, told as operations of a trace, with the numbers they publish
vectors     files with which a program can be held against the specification without Python
"""
