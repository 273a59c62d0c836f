"""Vectors: plain JSON files with which any program can be held against the specification, without Python.

values      values of the specification and states of the machine as JSON, and back
headers     the machine of a vector, as the header of a trace
watching    steps as events of a trace, each with what is seen anew after it
demanded    which clauses and readings a vector rests on, and so who demands it
checking    every vector is judged when it is made
rules       one for every path of every rule
bounds      what a guard says on both sides of its bound
faults      the shortest run to each known fault, done right, and what a program with the fault tells
beyond      the way on from such a run, until something is seen from outside
scenes      the scenarios of other projects
layout      how a vector is written, where, and the manifest
schemas     the formats as JSON Schemas
readme      the formats in words, and the pass rule of each
"""
