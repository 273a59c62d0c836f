"""Scenarios that others wrote as tests of their systems, told as operations of a trace, with the numbers they publish.

scene       one machine on which a scenario is played: every operation by the rules, and judged as a trace
register    scenarios by their ids, the sizes that each is played with, what is expected
sharing, copying, swapping, ballooning, allocating      the scenarios

A published number is data, from the source that is named; ours is what the specification comes to. Where the two differ
the scenario says why, in a sentence.
"""
