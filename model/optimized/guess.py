"""The price level at which so many pages are demanded, in floating point: a guess, and no result rests on it.

Let every VM have as many pages, in fractions, as cost it just the level. The sum is then a piecewise linear
function of the level: a VM begins at the price of its minimum, gains S pages for each unit of price while
they are active and S/k from there on, and ends at the price of its maximum. Sorting those three prices of all
VMs gives the function, and so the level (water-filling).
"""

from __future__ import annotations

from collections.abc import Sequence


def price_level(
    shares: Sequence[int],
    minimums: Sequence[int],
    maximums: Sequence[int],
    active: Sequence[float],
    idle_cost: float,
    pages: int,
) -> float | None:
    """The level, for VMs given column by column; nothing if numpy is missing or its numbers do not reach so far."""
    try:
        import numpy as np
    except ImportError:
        return None
    try:
        columns = [np.array(column, dtype=np.float64) for column in (shares, minimums, maximums, active)]
    except OverflowError:
        return None
    share, least, most, in_use = columns
    with np.errstate(all="ignore"):
        bends = np.stack([least, np.clip(in_use, least, most), most])
        prices = np.maximum(bends, idle_cost * (bends - in_use) + in_use) / share
        gains = np.stack([share, share / idle_cost - share, -share / idle_cost])
        order = np.argsort(prices, axis=None)
        levels = prices.ravel()[order]
        slopes = np.cumsum(gains.ravel()[order])[:-1]
        sums = least.sum() + np.cumsum(slopes * np.diff(levels))
        at = int(np.searchsorted(sums, pages))
        if at == len(sums):
            return None
        return float(levels[at + 1] - (sums[at] - pages) / slopes[at])
