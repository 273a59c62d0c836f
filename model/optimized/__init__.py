"""Different programs for what the specification says, held against it: made to be fast, not to be read as the law.

- `allocation`: the targets of all VMs at once, with what it takes and what it refuses.
- `levels`: prices and price levels in whole numbers, exactly.
- `guess`: the price level in floating point, with numpy if there is one (`pagelaw[optimized]`); no result rests on it.
"""
