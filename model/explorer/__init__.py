"""Every state of a small machine, from the specification's own rules.

- `gallery`: the machines, `corners`: more of them, for rare paths; `machines`: what one is; `pieces`: what they are put
  together from; `rows`: operations run without interruption.
- `search`: breadth first, so that a run to a violation is a shortest one.
- `packing`, `watched`: states as strings of bytes, and machines that are read through them.
- `memo`: what a rule does is remembered by what it read, so that it is run once for each different reading.
- `together`: all actions are asked of a state at once, as most of them are refused after the same reads; `twins`: of
  those that differ in names only one is run.
- `acting`, `asking`: what is asked of every step and of every state.
- `symmetry`: states that differ in names only count as one. `exchange`: what may be exchanged for what; `graphs`: a
  state read as a graph, and written with other names.
"""
