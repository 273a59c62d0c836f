"""Those who act without being asked: balloon drivers, the swap daemon, the page scanner, the sampler."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from pagelaw.spec import balloon, estimators, paging, reclaiming, sampling
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.vocabulary import Idle, Page, Ready, Running

from ..reference import operations
from .guests import Guest
from .server import Server, Waits

BALLOON_RATE = range(512, 2048 + 1)
"""Pages a second: the slowest and fastest that a driver goes (R-50)."""
FASTER = 16
"""What a driver adds to its rate when a second went well; else it halves it (R-50)."""
SCAN_VM, SCAN_ALL = 50, 200
"""Pages scanned a second, of one VM and of all (R-49)."""
PAGE_OUT = 2_000
"""Pages that the swap area takes a second: 8 MB, in long writes. Ours: the paper has no number."""
TRIED = 4
"""How many pages the swap daemon tries for each that the disk could take: looking and comparing is quick, not free."""
PERIOD = 30
"""Seconds of a VM's time that a sampling period takes (ESX-5.3-08)."""


class Pace:
    """So many a second, counted in whole ones over the time that has passed."""

    def __init__(self, a_second: Fraction) -> None:
        self.a_second = a_second
        self._owed = Fraction(0)

    def due(self, seconds: Fraction) -> int:
        """How many more are due after so many more seconds."""
        self._owed += self.a_second * seconds
        whole = int(self._owed)
        self._owed -= whole
        return whole


class BalloonDriver:
    """The driver in one guest: once a second it asks for its target and goes towards it, as fast as is good for it."""

    def __init__(self, server: Server, guest: Guest, scale: Fraction) -> None:
        self.server, self.guest, self.scale = server, guest, scale
        self.rate = BALLOON_RATE.start

    def poll(self) -> None:
        """One second: pages go in or out, once the guest has started the driver."""
        s, vm = self.server.machine, self.guest.vm
        if not self.guest.has_driver:
            return
        if s.driver[vm] != Ready():
            self.reset()
        missing = s.balloon_target[vm] - s.balloon_size[vm]
        pages = max(1, int(self.rate * self.scale))
        if missing > 0:
            well = self.inflate(min(missing, pages))
            self.rate = min(self.rate + FASTER, BALLOON_RATE[-1]) if well else max(self.rate // 2, BALLOON_RATE.start)
        for _ in range(min(-missing, pages)):
            page = self.guest.ballooned.pop()
            self.server.do(balloon.deflate, (page,))
            self.guest.free.append(page)

    def reset(self) -> None:
        """Agree with the server that the balloon is empty; the guest has its pages back."""
        s, vm = self.server.machine, self.guest.vm
        self.server.run(operations.make_driver_ready(s, vm))
        self.guest.free.extend(self.guest.ballooned)
        self.guest.ballooned.clear()

    def inflate(self, pages: int) -> bool:
        """Allocate so many pages of the guest and give them up; whether all of them went."""
        guest = self.guest
        for _ in range(pages):
            try:
                page = guest.allocate()
            except Waits:
                return False
            try:
                self.server.inflate(page)
            except Blocked:
                guest.free.append(page)
                return False
            guest.ballooned.append(page)
        return True


class SwapDaemon:
    """Pages out what VMs have above what they are to have, any pages (ESX-3.3-06), sharing them instead if it can."""

    def __init__(self, server: Server, vms: list[VM], random: Random, scale: Fraction) -> None:
        self.server, self.vms, self.random = server, vms, random
        self.pace = Pace(PAGE_OUT * scale)

    def turn(self, seconds: Fraction) -> None:
        """Page out as much as the disk takes in this time, the VMs in turn; stop when the reclamation state changes."""
        s, due = self.server.machine, self.pace.due(seconds)
        tries, waiting = TRIED * due, [vm for vm in self.vms if reclaiming.is_paged_now(s, vm)]
        while due > 0 and tries > 0 and waiting and not self.server.state_changed:
            vm = waiting.pop(0)
            written = self.one(vm)
            if written is not None:
                waiting.append(vm)
                due -= written
            tries -= 1
            self.server.follow()

    def one(self, vm: VM) -> bool | None:
        """A page of this VM is paged out (True) or shared (False); None if none may, or none was found."""
        s, pages = self.server.machine, self.server.machine.each(Page, vm)
        if not paging.may_lose_a_page(s, vm):
            return None
        for _ in range(100):
            page = pages[int(self.random.random() * len(pages))]
            if frame_is_private(s, page) and s.operation[page] == Idle():
                return self.server.page_out(page)
        return None


class Scanner:
    """Scans pages for sharing, picked at random (ESX-4.3-18), so many a second of each VM and of all (ESX-4.3-19)."""

    def __init__(self, server: Server, vms: list[VM], random: Random, scale: Fraction,
                 vm_rate: int = SCAN_VM, all_rate: int = SCAN_ALL) -> None:  # fmt: skip
        self.server, self.vms, self.random = server, vms, random
        self.each, self.all = {vm: Pace(vm_rate * scale) for vm in vms}, Pace(all_rate * scale)
        self._first = 0

    def turn(self, seconds: Fraction) -> None:
        """Scan as many as are due, the VMs in turn."""
        left = self.all.due(seconds)
        due = {vm: pace.due(seconds) for vm, pace in self.each.items()}
        order = self.vms[self._first :] + self.vms[: self._first]
        self._first = (self._first + 1) % len(self.vms)
        for vm in order:
            pages = self.server.machine.each(Page, vm)
            for _ in range(min(due[vm], left)):
                self.server.scan(pages[int(self.random.random() * len(pages))])
                left -= 1


class Sampler:
    """Draws n pages of a VM at the start of each period of its time, and takes t/n at its end (section 5.3)."""

    def __init__(self, server: Server, vm: VM, random: Random) -> None:
        self.server, self.vm, self.random = server, vm, random
        self.left = Fraction(0)
        """Seconds of the VM's time until the period is over."""
        self.drawn: list[Page] = []

    def turn(self, seconds: Fraction | int) -> None:
        """So much more of the VM's time has passed."""
        s, do, vm = self.server.machine, self.server.do, self.vm
        if s.life[vm] != Running():
            return
        self.left -= seconds
        if self.left > 0:
            return
        self.left += PERIOD
        if self.drawn:
            do(estimators.end_period, (vm,))
            for page in self.drawn:
                do(sampling.end_sample, (page,))
        self.drawn = self.random.sample(s.each(Page, vm), s.sample_size[vm])
        for page in self.drawn:
            do(sampling.sample, (page,))
            self.server.noticed.add(page)


__all__ = ["BalloonDriver", "Pace", "Sampler", "Scanner", "SwapDaemon"]
