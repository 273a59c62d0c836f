"""Who is to have how much, and what is asked of balloons and swap daemon for that.

Targets are recomputed at each event that calls for it, and every 15 seconds (R-42). Pages move one at a time
from the VM that pays least for its pages to the one that would pay most for one more, as long as that is strictly
more, so that it ends, where taking everything back and dividing it anew would end too (policy-theorems T7).
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

from pagelaw.spec import balloon, paging, reclaiming, reclamation, shares
from pagelaw.spec.language import VM, Blocked

from .server import Server

PERIOD = 15
"""Seconds between two recomputations that nothing else calls for (R-42)."""


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
        s, do, vms, price_of = self.server.machine, self.server.do, self.vms, self.server.price_of
        now: dict[VM, Fraction] = {}
        """The price of each VM that may lose a page."""
        more: dict[VM, Fraction] = {}
        """What it would be with one page more, of each VM that may get one."""

        def look(vm: VM, loses: bool, gains: bool) -> None:
            pages = s.target[vm]
            now.pop(vm, None)
            more.pop(vm, None)
            if loses and pages > s.minimum[vm]:
                now[vm] = price_of(s, vm, pages)
            if gains and pages < s.maximum[vm]:
                more[vm] = price_of(s, vm, pages + 1)

        def look_at_all(loses: bool, gains: bool) -> None:
            for vm in vms:
                look(vm, loses, gains)

        look_at_all(loses=True, gains=False)
        while s.to_take > 0 and now:
            loser = max(now, key=lambda vm: (now[vm], -vm.number))
            do(shares.revoke_page, (loser,))
            look(loser, loses=True, gains=False)
        look_at_all(loses=False, gains=True)
        while s.spare > 0 and more:
            winner = min(more, key=lambda vm: (more[vm], vm.number))
            do(shares.demand, (winner,))
            look(winner, loses=False, gains=True)
        look_at_all(loses=True, gains=True)
        while s.spare == 0 and now and more:
            winner = min(more, key=lambda vm: (more[vm], vm.number))
            loser = max(now, key=lambda vm: (now[vm], -vm.number))
            if now[loser] <= more[winner]:
                break
            do(shares.demand, (winner,))
            do(shares.revoke_page, (loser,))
            look(winner, loses=True, gains=True)
            look(loser, loses=True, gains=True)

    def ask(self) -> None:
        """Hand out the levels that are new."""
        s, do = self.server.machine, self.server.do
        for vm in self.vms:
            size, swap = reclaiming.balloon_level(s, vm), reclaiming.paging_level(s, vm)
            if size != s.balloon_target[vm]:
                do(balloon.set_balloon_target, (vm, size))
            if swap != s.swap_target[vm]:
                do(paging.set_swap_target, (vm, swap))
