"""The targets of all VMs at once: what revoking page by page leaves (spec/shares), without going page by page.

Every VM has demanded its maximum, and pages are revoked, each where the price is highest at that moment and, of
equals, from the VM that comes first (R-28), until the targets add up to what there is. As prices only rise with
pages, whoever loses the next page, what is left is every page below some price level and, if prices at the
level are equal, those of the last VMs. So the level is guessed in floating point, which pages are below
it is worked out in whole numbers, and the few that are too many are revoked. A wrong guess costs time only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from heapq import heapify, heappop, heapreplace
from math import isfinite

import attrs

from . import guess
from .levels import Line, key, targets_near

Exact = int | Fraction


class CannotAllocate(ValueError):
    """The numbers make no sense: which field, its value, and what it must be. It is the only refusal of this module."""

    def __init__(self, field: str, value: object, bound: str) -> None:
        super().__init__(f"{field} = {shown(value)}: must be {bound}")
        self.field, self.value, self.bound = field, value, bound


def shown(value: object) -> str:
    """A value in a message, cut if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python prints no number of more than some thousand digits
        return f"({type(value).__name__} of very many digits)"
    return text if len(text) <= 60 else text[:57] + "..."


def check_whole(field: str, value: object, least: int, why: str = "") -> None:
    """Refuse what is not an int (a bool is none here), or is less than `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CannotAllocate(field, value, f"an int of at least {shown(least)}{why}")


def check_exact(field: str, value: object) -> None:
    """Refuse what is not an int or a Fraction, or is negative."""
    if not isinstance(value, int | Fraction) or isinstance(value, bool) or value.numerator < 0:
        raise CannotAllocate(field, value, "an int or a Fraction of at least 0")


@attrs.frozen
class Client:
    """What the allocation knows of a VM. Numbers that make no sense are refused (CannotAllocate)."""

    shares: int
    """How much it counts: at least 1."""
    minimum: int
    """Pages that it keeps at any price."""
    maximum: int
    """Pages that it demands: no fewer than the minimum."""
    active: Exact
    """Pages that it is taken to use, held fixed while pages are revoked (R-27); beyond the maximum it makes no odds."""

    def __attrs_post_init__(self) -> None:
        check_whole("shares", self.shares, 1)
        check_whole("minimum", self.minimum, 0)
        check_whole("maximum", self.maximum, self.minimum, ", the minimum")
        check_exact("active", self.active)


def targets(clients: Iterable[Client], tax_rate: Exact, pages: int) -> list[int]:
    """The target of each VM, in pages, in the order of the clients.

    clients: the VMs in the order of their ids: of equals the first loses. tax_rate: of idle memory, at least 0 and
    below 1. pages: what the targets add up to; if it is more than all maximums, every VM has its maximum.
    Raises CannotAllocate for numbers that make no sense, and for fewer pages than the minimums add up to.
    """
    vms = checked(clients)
    check_exact("tax_rate", tax_rate)
    if tax_rate >= 1:
        raise CannotAllocate("tax_rate", tax_rate, "below 1")
    check_whole("pages", pages, sum([vm.minimum for vm in vms]), ", the sum of the minimums")
    maximums = [vm.maximum for vm in vms]
    if pages >= sum(maximums):
        return maximums
    lines, bits = scaled(vms, tax_rate)
    found = targets_near(lines, bits, pages, level_to_try(vms, tax_rate, pages, bits))
    revoke(found, sum(found) - pages, lines, bits)
    return found


def checked(clients: Iterable[Client]) -> list[Client]:
    """The clients, if that is what they are."""
    try:
        vms = list(clients)
    except TypeError:
        raise CannotAllocate("clients", clients, "the clients, one after another") from None
    for number, vm in enumerate(vms):
        if not isinstance(vm, Client):
            raise CannotAllocate(f"clients[{number}]", vm, "a Client")
    return vms


def scaled(vms: Sequence[Client], tax_rate: Exact) -> tuple[list[Line], int]:
    """The coefficients of all prices in whole numbers, and how many bits tell any two prices apart."""
    taken, whole = tax_rate.as_integer_ratio()
    rest = whole - taken
    shares = [vm.shares for vm in vms]
    active = [vm.active.as_integer_ratio() for vm in vms]
    weights = [rest * below * share for (_, below), share in zip(active, shares, strict=True)]
    bits = 2 * max(weights).bit_length()
    lines = [
        Line(vm.minimum, vm.maximum, share, weight, whole * below << bits, taken * above << bits)
        for vm, share, weight, (above, below) in zip(vms, shares, weights, active, strict=True)
    ]
    return lines, bits


def level_to_try(vms: Sequence[Client], tax_rate: Exact, pages: int, bits: int) -> int | None:
    """The guessed level as a key, if there is a guess.

    Rounding down takes less than a page of each VM: so the guess is made for as many pages more.
    """
    try:
        level = guess.price_level(
            [vm.shares for vm in vms],
            [vm.minimum for vm in vms],
            [vm.maximum for vm in vms],
            [float(vm.active) for vm in vms],
            float(1 / (1 - tax_rate)),
            pages + len(vms),
        )
    except (OverflowError, ZeroDivisionError):
        return None
    if level is None or not isfinite(level):
        return None
    above, below = level.as_integer_ratio()
    return (above << bits) // below


def revoke(found: list[int], excess: int, lines: Sequence[Line], bits: int) -> None:
    """Take so many pages, one by one, where the price is highest; of equals from the first."""
    above = [vm for vm, line in enumerate(lines) if found[vm] > line.minimum]
    heap = [(-key(lines[vm], found[vm], bits), vm) for vm in above]
    heapify(heap)
    for _ in range(excess):
        vm = heap[0][1]
        found[vm] -= 1
        line = lines[vm]
        if found[vm] > line.minimum:
            heapreplace(heap, (-key(line, found[vm], bits), vm))
        else:
            heappop(heap)
