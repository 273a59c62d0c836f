"""Different programs for what the specification says, held against it: made to be fast, not to be read as the law.

- `sharing.Memory`: the memory manager, on real page contents, with the paper's data structures (4.3). `memory` has what
  it keeps for VMs and frames, `guests` and `sharing` what it does, `scanning`, `table`, `state`, `records` the inner
  functions on arrays, which numba compiles if it is there (`compiling`), `hashing` the hash, `refusing` what is
  refused.
- `scanner.Scanner` scans at random, with rates for each VM and for all.
- `pairing.Pair`: the manager and the specification side by side (`following` and `following_all` find the steps,
  `comparing` compares, `drawing` chooses operations); `hunting` does so in seeded batches and makes what differs
  short; `faults` are faults of the manager that this has to find.
- `allocation`: the targets of all VMs at once, with what it takes and what it refuses.
- `levels`: prices and price levels in whole numbers, exactly.
- `guess`: the price level in floating point, with numpy if there is one (`pagelaw[optimized]`); no result rests on it.
"""
