"""The reference model: the rules run on plain maps.

- `setup`: a concrete machine of given sizes.
- `beside`: private memory run beside it; every invariant asked of a state.
- `operations`: the paper's operations, as steps run to the end.
- `scheduler`: seeded random interleavings of steps, proposed by the actors of `actors`, `server` and `choosing`.
- `printing`: states and runs to be read.
- `random_runs`: checked random runs, and what led to a violation.
- `reaching`: a run from the initial state to every path of every rule; `paths` tells one path from another.
"""
