"""One run: the clock, who has a turn when, and what is noted."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import attrs

from pagelaw.spec import power
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import Running

from ..reference.setup import Sizes, machine
from .allocator import PERIOD, Allocator
from .daemons import BalloonDriver, Sampler, Scanner, SwapDaemon
from .guests import Guest
from .server import Do, Server, Waits, chance
from .workloads import Workload

PAGES_A_MB = 256
SLICES = 10
"""Turns that each guest and the swap daemon have in a second."""


@attrs.frozen(kw_only=True)
class GuestPlan:
    """One VM of a run. Sizes are in megabytes."""

    name: str
    size: int
    minimum: int
    shares: int
    workload: Callable[[], Workload]
    overhead: int = 32


@attrs.frozen(kw_only=True)
class Plan:
    """A run, before it begins. Sizes are in megabytes of the whole machine, of which `scale` is run."""

    guests: tuple[GuestPlan, ...]
    memory: int
    """Machine memory."""
    server: int = 0
    """What of it the server has for itself, beside the overhead of VMs."""
    tax_rate: Fraction = Fraction(3, 4)
    seconds: int
    scale: Fraction = Fraction(1)
    seed: int = 0
    scan: tuple[int, int] = (50, 200)
    """Pages scanned a second, of each VM and of all (R-49)."""
    events: Mapping[int, Callable[[Run], None]] = attrs.field(factory=dict)
    """What is done at the beginning of a second: a parameter changed, say."""
    every: int = 5
    """Seconds between two notes."""

    def pages(self, megabytes: int | Fraction) -> int:
        """So many megabytes in pages of the scaled machine, whole ones."""
        return int(megabytes * PAGES_A_MB * self.scale)

    def machine(self) -> Machine:
        """The machine. Thresholds are parts of all memory, also of what the server has for itself (R-36)."""
        frames, total = self.pages(self.memory - self.server), self.pages(self.memory)
        sizes = tuple(self.pages(guest.size) for guest in self.guests)
        minimums = tuple(self.pages(guest.minimum) for guest in self.guests)
        high, soft, hard, low = (-(-total * percent // 100) for percent in (6, 4, 2, 1))  # see spec/configuration
        return machine(Sizes(
            vms=len(self.guests), pages=sizes, minimum=minimums,
            overhead=tuple(self.pages(guest.overhead) for guest in self.guests),
            shares=tuple(guest.shares for guest in self.guests), tax_rate=self.tax_rate, sample_size=100,
            vcpus=1, virtual_pages=1, frames=frames, low_frames=frames, slots=sum(sizes) - sum(minimums), transfers=1,
            words=1, values=2, hash_bits=None, short_bits=40, count_top=65_535, garbage=self.seed,
            high_threshold=high, soft_threshold=soft, hard_threshold=hard, low_threshold=low, margin=total // 200,
        ))  # fmt: skip


@attrs.frozen
class Note:
    """What was so at one moment. Pages, but for the estimates."""

    second: int
    state: str
    free: int
    saved: int
    """Frames that sharing saves."""
    zero: int
    """How many of them are saved by sharing pages of zeros."""
    target: tuple[int, ...]
    resident: tuple[int, ...]
    ballooned: tuple[int, ...]
    swapped: tuple[int, ...]
    slow: tuple[Fraction, ...]
    fast: tuple[Fraction, ...]
    estimate: tuple[Fraction, ...]
    """The greatest of the three averages."""
    used: tuple[int, ...]
    """How often the guest used a block so far."""
    missed: tuple[int, ...]
    """How often it had to be read from its disk."""


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Python looks for objects that only refer to each other now, but not while this is open: a run makes none.

    It would go through all that a machine is made of, again and again.
    """
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Run:
    """A plan as it goes on. `checking` makes of a machine what does its steps, if they are not to be done plainly."""

    def __init__(self, plan: Plan, checking: Callable[[Machine], Do] | None = None) -> None:
        self.plan, self.second = plan, 0
        made = plan.machine()
        self.server = Server(made, checking(made) if checking is not None else None)
        s, scale = made, plan.scale
        self.vms: list[VM] = list(s.ids[VM])
        self.guests = [Guest(self.server, vm) for vm in self.vms]
        self.workloads = [guest.workload() for guest in plan.guests]
        self.drivers = [BalloonDriver(self.server, guest, scale) for guest in self.guests]
        self.samplers = [Sampler(self.server, vm, chance(plan.seed, f"sampler {vm}")) for vm in self.vms]
        self.scanner = Scanner(self.server, self.vms, chance(plan.seed, "scanner"), scale, *plan.scan)
        self.swap = SwapDaemon(self.server, self.vms, chance(plan.seed, "swap"), scale)
        self.allocator = Allocator(self.server, self.vms)
        self.notes: list[Note] = []
        self.seconds_in: Counter[str] = Counter()
        """Seconds in each reclamation state."""

    def run(self, tell: Callable[[Run], None] | None = None) -> Run:
        """All of it; `tell` is called after each second."""
        with no_search_for_cycles():
            self.start()
            while self.second < self.plan.seconds:
                self.one_second()
                if tell is not None:
                    tell(self)
        return self

    def start(self) -> None:
        """The VMs are powered on, and get their overhead."""
        s, server = self.server.machine, self.server
        for vm in s.ids[VM]:
            server.do(power.power_vm_on, (vm,))
            for _ in range(s.overhead[vm]):
                server.do(power.take_overhead_frame, (vm, server.free_frame(vm)))
        self.allocator.recompute()

    def one_second(self) -> None:
        """One second of all."""
        if self.second in self.plan.events:
            self.plan.events[self.second](self)
            self.allocator.recompute()
        ran = [0 for _ in self.guests]
        for _ in range(SLICES):
            for number, (guest, workload) in enumerate(zip(self.guests, self.workloads, strict=True)):
                ran[number] += self.turn(guest, workload)
            self.follow()
            self.swap.turn(Fraction(1, SLICES))
            self.follow()
        for driver in self.drivers:
            driver.poll()
        self.scanner.turn(Fraction(1))
        for sampler, turns in zip(self.samplers, ran, strict=True):
            sampler.turn(Fraction(turns, SLICES))
        self.second += 1
        if self.second % PERIOD == 0:
            self.allocator.recompute()
        self.seconds_in[type(self.server.machine.reclamation).__name__.lower()] += 1
        if self.second % self.plan.every == 0:
            self.notes.append(self.note())

    def follow(self) -> None:
        """The reclamation state follows free memory; when it changes, targets are recomputed (ESX-6.3-02)."""
        self.server.follow()
        if self.server.state_changed:
            self.allocator.recompute()

    def turn(self, guest: Guest, workload: Workload) -> int:
        """A guest has a turn; 1 if its VM ran, 0 if it stood waiting for a frame."""
        if self.server.machine.life[guest.vm] != Running():
            return 0
        guest.now = self.second
        guest.budget = min(0, guest.budget) + int(1_000_000 // SLICES * self.plan.scale)
        try:
            workload.turn(guest)
        except Waits:
            guest.budget = 0
            return 0
        guest.budget = min(0, guest.budget)
        return 1

    def note(self) -> Note:
        """What is so now."""
        from pagelaw.spec.estimators import greatest_average

        s, vms, guests = self.server.machine, self.vms, self.guests

        def of(held: Mapping[VM, Any]) -> tuple[Any, ...]:
            return tuple(held[vm] for vm in vms)

        return Note(
            self.second, type(s.reclamation).__name__.lower(), s.free_frames, self.server.pages_saved(),
            self.server.zero_pages_saved(),
            of(s.target), of(s.resident), of(s.balloon_size), of(s.swapped), of(s.slow), of(s.fast),
            tuple(greatest_average(s, vm) for vm in vms),
            tuple(guest.used for guest in guests), tuple(guest.missed for guest in guests),
        )  # fmt: skip
