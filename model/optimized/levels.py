"""Prices in whole numbers, and the pages that a price level pays for: exactly, however large the numbers are.

The price of the P-th page of a VM with S shares, A = n/d active pages and the tax rate a/b is

    the greater of  P / S  and  (b·d·P - a·n) / ((b-a)·d·S),

as the second line, that of a VM with idle pages, is below the first until P = A and above it from there on
(it is A + k(P-A) over S, k = b/(b-a)). Any two prices are fractions with denominators of at most W, the
greatest (b-a)·d·S; if they differ, then by 1/W² at least. So with 2^bits >= W² the *key* of a price, its
product with 2^bits rounded down, is as good as the price: equal prices have equal keys, greater ones greater.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One VM, with the coefficients of its prices; 2^bits is already in those of the second line above."""

    minimum: int
    maximum: int
    shares: int
    weight: int
    """(b-a)·d·S: the denominator of its prices."""
    each: int
    """b·d·2^bits: what an idle page adds to the numerator."""
    less: int
    """a·n·2^bits: what the numerator is less, since active pages are not taxed."""


def key(line: Line, pages: int, bits: int) -> int:
    """The key of the price that a VM pays with so many pages: of its last page."""
    active = (pages << bits) // line.shares
    idle = (line.each * pages - line.less) // line.weight
    return idle if idle > active else active


def pages_below(line: Line, level: int, bits: int) -> int:
    """The pages of a VM, within its bounds, the keys of which are below the level; and its minimum at any level."""
    minimum, maximum, shares, weight, each, less = line
    pages = (level * shares - 1) >> bits
    idle = (level * weight + less - 1) // each
    if idle < pages:
        pages = idle
    if pages < minimum:
        return minimum
    return maximum if pages > maximum else pages


def targets_near(lines: Sequence[Line], bits: int, pages: int, first: int | None) -> list[int]:
    """The pages below a level that pays for no fewer than `pages` in all, and for at most two for each VM more.

    first: the level that is tried first; any number will do, a good one saves time. Without it, and where it
    was no good, the interval of levels in question is halved. The sums of the minimums and of the maximums must have
    `pages` between them.
    """
    lowest = 0
    highest = max(key(line, line.maximum, bits) for line in lines) + 1
    level = (lowest + highest) // 2 if first is None else min(max(first, lowest), highest)
    while True:
        found = [pages_below(line, level, bits) for line in lines]
        # The level sought lies between the two, and once they meet no VM has more than one page too many:
        # none has two pages of one price.
        beyond = sum(found) - pages
        if beyond < 0:
            lowest = level + 1
        elif beyond > 2 * len(lines):
            highest = level
        else:
            return found
        level = (lowest + highest) // 2
