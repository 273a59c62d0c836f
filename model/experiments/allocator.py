"""Who is to have how much, and what is asked of balloons and swap daemon for that.

Targets are recomputed at each event that calls for it, and every 15 seconds (R-42). Pages move one at a time
from the VM that pays least for its pages to the one that would pay most for one more, as long as that is strictly
more, so that it ends, where taking everything back and dividing it anew would end too (policy-theorems T7).
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

from pagelaw.spec import balloon, paging, reclaiming, reclamation, shares
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.machine import Machine

from .server import Server

PERIOD = 15
"""Seconds between two recomputations that nothing else calls for (R-42)."""


def price_at(s: Machine, vm: VM, pages: int) -> Fraction:
    """What the price of a VM's pages would be if its target were this."""
    asked: Any = SimpleNamespace(
        target={vm: pages}, estimate=s.estimate, maximum=s.maximum, shares=s.shares, tax_rate=s.tax_rate
    )
    return shares.price(cast(Machine, asked), vm)


class Allocator:
    """Recomputes targets, and hands out levels."""

    def __init__(self, server: Server, vms: list[VM]) -> None:
        self.server, self.vms = server, vms
        self.recomputed = 0

    def recompute(self) -> None:
        """Look at what is free, at what each VM uses, divide memory anew, and ask for what follows from that."""
        s, do = self.server.machine, self.server.do
        self.server.follow()
        self.server.state_changed = False
        if s.free_seen != s.free_frames:
            do(reclamation.look_at_free_memory, ())
        with suppress(Blocked):  # nothing new
            do(reclamation.make_targets_follow, ())
        for vm in self.vms:
            do(shares.review, (vm,))
        self.divide()
        self.ask()
        self.recomputed += 1

    def divide(self) -> None:
        """What is to be taken is taken from who would pay least, what is spare goes to who would pay most."""
        s = self.server.machine
        now = {vm: price_at(s, vm, s.target[vm]) for vm in self.vms}
        more = {vm: price_at(s, vm, s.target[vm] + 1) for vm in self.vms}

        def change(rule: Any, vm: VM) -> None:
            self.server.do(rule, (vm,))
            now[vm], more[vm] = price_at(s, vm, s.target[vm]), price_at(s, vm, s.target[vm] + 1)

        def victim() -> VM | None:
            above = [vm for vm in self.vms if s.target[vm] > s.minimum[vm]]
            return max(above, key=lambda vm: (now[vm], -vm.number), default=None)

        def buyer() -> VM | None:
            below = [vm for vm in self.vms if s.target[vm] < s.maximum[vm]]
            return min(below, key=lambda vm: (more[vm], vm.number), default=None)

        while s.to_take > 0 and (loser := victim()) is not None:
            change(shares.revoke_page, loser)
        while s.spare > 0 and (winner := buyer()) is not None:
            change(shares.demand, winner)
        while s.spare == 0:
            winner, loser = buyer(), victim()
            if winner is None or loser is None or now[loser] <= more[winner]:
                break
            change(shares.demand, winner)
            change(shares.revoke_page, loser)

    def ask(self) -> None:
        """Hand out the levels that are new."""
        s, do = self.server.machine, self.server.do
        for vm in self.vms:
            size, swap = reclaiming.balloon_level(s, vm), reclaiming.paging_level(s, vm)
            if size != s.balloon_target[vm]:
                do(balloon.set_balloon_target, (vm, size))
            if swap != s.swap_target[vm]:
                do(paging.set_swap_target, (vm, swap))
