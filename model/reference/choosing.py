"""What every actor needs in order to choose: a source of chance, the identifiers, and what is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from pagelaw.spec.language import VM, Contents, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Dying, Free, Idle, Page, Running, Slot, Transfer, Untouched, VPage

T = TypeVar("T")

Rule = Callable[..., Any]
"""A rule of the specification: a function of a machine and its arguments."""

Proposal = tuple[Rule, tuple[Any, ...]]
"""A rule and its arguments, the machine aside."""

# Variants without fields are single objects, so `is` tells them apart.
IDLE, FREE, RUNNING, DYING, UNTOUCHED = Idle(), Free(), Running(), Dying(), Untouched()


class Choosing:
    """A machine seen by somebody who chooses, with one random number generator."""

    def __init__(self, machine: Machine, random: Random) -> None:
        self.machine, self.random = machine, random.random
        ids = machine.ids
        self.vms: Sequence[VM] = ids[VM]
        self.pages: Sequence[Page] = ids[Page]
        self.frames: Sequence[MPN] = ids[MPN]
        self.slots: Sequence[Slot] = ids[Slot]
        self.transfers: Sequence[Transfer] = ids[Transfer]
        self.words: Sequence[Word] = ids[Word]
        self.values: Sequence[Value] = ids[Value]
        self.all_contents: Sequence[Contents] = ids[Contents]
        self.pages_of: dict[VM, Sequence[Page]] = {vm: machine.each(Page, vm) for vm in self.vms}
        self.cpus_of: dict[VM, Sequence[VCPU]] = {vm: machine.each(VCPU, vm) for vm in self.vms}
        self.places: Sequence[tuple[VCPU, VPage]] = [
            (cpu, virtual) for cpu in ids[VCPU] for virtual in machine.each(VPage, cpu.vm)
        ]

    def any_of(self, things: Sequence[T]) -> T:
        """One of them, each as likely."""
        return things[int(self.random() * len(things))]

    def chance(self, probability: float) -> bool:
        """True as often as said."""
        return self.random() < probability

    def level(self, vm: VM) -> int:
        """A number of pages between none and all of a VM."""
        return int(self.random() * (self.machine.maximum[vm] + 1))

    def free_frame(self) -> MPN:
        """A free frame for a page if there is one, more often in high memory; else any."""
        s = self.machine
        if s.free_frames == 0:
            return self.any_of(self.frames)
        is_low, kept = self.chance(0.3), s.low_in_use >= s.low_for_all
        found = self.free_frame_in(is_low and not kept) or (None if kept else self.free_frame_in(True))
        return found or self.any_of(self.frames)

    def free_frame_in(self, low: bool) -> MPN | None:
        """A free frame in low or in high memory, if there is one: the first from a random place on."""
        frames, frame, is_low = self.frames, self.machine.frame, self.machine.low
        start = int(self.random() * len(frames))
        for at in range(start - len(frames), start):
            mpn = frames[at]
            if frame[mpn] is FREE and is_low[mpn] is low:
                return mpn
        return None

    def free_slot(self) -> Slot:
        """A free slot if there is one: the first from a random place on; else any."""
        slots, count = self.slots, self.machine.slot_count
        start = int(self.random() * len(slots))
        for at in range(start - len(slots), start):
            if count[slots[at]] == 0:
                return slots[at]
        return slots[start]
