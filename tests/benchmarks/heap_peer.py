"""Min-funding revocation one page at a time with a heap: what the allocation of all targets at once is held against.

It knows nothing of price levels: every VM begins with its maximum, and the heap gives the VM whose last page has
the highest price, of equals the first. Prices are whole numbers by a common denominator, which is faster than
Fractions and as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from heapq import heapify, heappop, heapreplace
from math import lcm

from pagelaw.model.optimized.allocation import Client


def heap_targets(clients: Sequence[Client], tax_rate: Fraction, pages: int) -> list[int]:
    """The targets that are left when so many pages are to be had."""
    idle_cost = 1 / (1 - tax_rate)
    of_active = [Fraction(1, client.shares) for client in clients]
    of_idle = [idle_cost / client.shares for client in clients]
    saved = [(idle_cost - 1) * client.active / client.shares for client in clients]
    unit = lcm(*(price.denominator for prices in (of_active, of_idle, saved) for price in prices))
    rows = [
        (client.minimum, *(price.numerator * (unit // price.denominator) for price in prices))
        for client, *prices in zip(clients, of_active, of_idle, saved, strict=True)
    ]
    found = [client.maximum for client in clients]
    heap = [
        (-max(has * flat, has * steep - less), vm)
        for vm, ((least, flat, steep, less), has) in enumerate(zip(rows, found, strict=True))
        if has > least
    ]
    heapify(heap)
    for _ in range(sum(found) - pages):
        vm = heap[0][1]
        has = found[vm] = found[vm] - 1
        least, flat, steep, less = rows[vm]
        if has > least:
            active, idle = has * flat, has * steep - less
            heapreplace(heap, (-(idle if idle > active else active), vm))
        else:
            heappop(heap)
    return found
