"""Leaf functions of the allocation as CrossHair is asked about them: see test_allocation_leaves.py.

The tax rate is 3/4, estimates are whole pages: so four times the price of a page in shares is a whole number.
"""

from fractions import Fraction
from math import floor
from types import SimpleNamespace
from typing import Any

from pagelaw.model.optimized.levels import Line, key, pages_below
from pagelaw.spec.language import VM
from pagelaw.spec.shares import price

A = VM(0)
BITS = 8


def within(pages: int, shares: int, active: int) -> bool:
    """Where the two prices are compared: elsewhere they need not agree (shares may be negative there)."""
    return 0 <= pages <= 20 and 1 <= shares <= 10 and 0 <= active <= 20


def key_by_the_law(pages: int, shares: int, active: int) -> int:
    """The price of the specification, times 2^BITS, rounded down."""
    if not within(pages, shares, active):
        return 0
    s: Any = SimpleNamespace(
        shares={A: shares}, estimate={A: active}, maximum={A: 1}, target={A: pages}, tax_rate=Fraction(3, 4)
    )
    return floor(Fraction(price(s, A)) * (1 << BITS))


def key_of_the_allocation(pages: int, shares: int, active: int) -> int:
    """The same by the whole numbers of the allocation."""
    if not within(pages, shares, active):
        return 0
    return key(line(shares, active, 0, BITS), pages, BITS)


def key_that_is_wrong(pages: int, shares: int, active: int) -> int:
    """One that differs, if all but three pages are active."""
    found = key_of_the_allocation(pages, shares, active)
    return found + 1 if within(pages, shares, active) and active == 17 and pages == 20 else found


def line(shares: int, active: int, maximum: int, bits: int) -> Line:
    """A VM without a minimum."""
    return Line(0, maximum, shares, shares, 4 << bits, 3 * active << bits)


def pages_at_a_level(level: int, shares: int, active: int) -> int:
    """
    The pages below a level: the key of the last is below it, that of the next is not.

    pre: level >= 0 and shares > 0 and active >= 0
    post: __return__ == 0 or key(line(shares, active, 0, 2), __return__, 2) < level
    post: level <= key(line(shares, active, 0, 2), __return__ + 1, 2)
    """
    return pages_below(line(shares, active, level * shares, 2), level, 2)


def pages_at_a_level_wrongly(level: int, shares: int, active: int) -> int:
    """
    The pages below the level after that: one too many if the last one's key is just the level.

    pre: level >= 0 and shares > 0 and active >= 0
    post: __return__ == 0 or key(line(shares, active, 0, 2), __return__, 2) < level
    """
    return pages_below(line(shares, active, level * shares + shares, 2), level + 1, 2)
