"""What a VM's pages would cost, looked up where nothing that it depends on has changed since it was worked out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine

DEPENDS_ON = ("estimate", "maximum", "shares", "tax_rate")
"""All that `shares.price_of` reads: the first three at its VM."""


class Prices:
    """Stands for `shares.price_of` on one machine: works prices out by its text, and keeps them.

    While targets are divided a price is asked for again and again, and nothing but targets changes.
    """

    def __init__(self, text: Callable[[Machine, VM, int], Fraction]) -> None:
        self._text = text
        self._known: dict[VM, tuple[Any, Any, Any, Any, dict[int, Fraction]]] = {}
        """By VM: what its prices were worked out from, and the price of so many pages."""

    def __call__(self, s: Machine, vm: VM, pages: int) -> Fraction:
        """What so many pages of a VM would cost for each of its shares."""
        estimate, maximum, shares, rate = s.estimate[vm], s.maximum[vm], s.shares[vm], s.tax_rate
        known = self._known.get(vm)
        if known is None or not (
            known[0] is estimate and known[1] is maximum and known[2] is shares and known[3] is rate
        ):
            known = self._known[vm] = (estimate, maximum, shares, rate, {})
        prices = known[4]
        price = prices.get(pages)
        if price is None:
            price = prices[pages] = self._text(s, vm, pages)
        return price


__all__ = ["Prices"]
