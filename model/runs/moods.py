"""Moods: in what kind of run things happen when. None is made for one fault; each makes some windows wider.

A mood says how often each actor has its turn, how long flushes are put off and what
happens meanwhile, how often operations are given up, and how few pages all are busy with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

import attrs

from pagelaw.spec import operations, translation
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Mapped, Names, Page, Slot, VPage

from ..reference.actors import Actors
from ..reference.beside import parameter_sorts
from ..reference.choosing import DYING, IDLE, RUNNING, Proposal, Rule
from ..reference.scheduler import TURNS as PLAIN_TURNS

T = TypeVar("T")

TURNS = {**PLAIN_TURNS, "meddle": 8}
"""How often each actor has its turn; the names are methods of `Moody`."""


@attrs.frozen(kw_only=True)
class Mood:
    """How the actors of one run behave."""

    name: str
    turns: Mapping[str, int] = TURNS
    put_off: float = 0.0
    """How often a flush, or a transfer's end, that an operation waits for is put off; others act on the page then."""
    too_early: float = 0.08
    """How often the operation goes on all the same, and must be refused."""
    give_up: float = 0.02
    """How often an operation is abandoned."""
    pages: int | None = None
    """With how many pages of each VM all are busy; None for all of them."""
    contents: int | None = None
    """How many values are written; None for all of them."""


MOODS = (
    Mood(name="as ever"),
    Mood(name="busy server", turns={**TURNS, "access": 15, "page": 30, "device": 30}),
    Mood(name="slow flushes", put_off=0.6, turns={**TURNS, "flush": 2, "page": 30}),
    Mood(name="one page", pages=1, put_off=0.3, turns={**TURNS, "page": 30, "device": 25}),
    Mood(name="power", turns={**TURNS, "access": 10, "page": 40, "vm": 10}),
    Mood(name="equal pages", contents=1, pages=2, put_off=0.3, turns={**TURNS, "page": 40, "access": 25}),
    Mood(name="second thoughts", give_up=0.12, put_off=0.3, turns={**TURNS, "page": 40}),
    Mood(name="devices", put_off=0.4, turns={**TURNS, "access": 20, "page": 30, "device": 45}),
)
"""Taken one after the other, run by run."""


class Moody(Actors):
    """The actors of one run, in a mood."""

    mood = MOODS[0]
    busy_pages: Mapping[VM, Sequence[Page]] | None = None

    def in_mood(self, mood: Mood) -> None:
        """Take on a mood: choose the pages and values to be busy with."""
        self.mood = mood
        if mood.pages is not None:
            busy = {vm: self.some(self.pages_of[vm], mood.pages) for vm in self.vms}
            self.pages = [page for vm in self.vms for page in busy[vm]]
            self.places = [place for place in self.places if place[1].number < max(mood.pages, 1)]
            self.busy_pages = busy
        if mood.contents is not None:
            self.values = self.some(self.values, mood.contents)

    def some(self, things: Sequence[T], number: int) -> Sequence[T]:
        """So many of them that stand side by side."""
        first = int(self.random() * len(things))
        return [things[(first + n) % len(things)] for n in range(min(number, len(things)))]

    def owed_flush(self, page: Page) -> Proposal | None:
        """A flush that somebody owes for this page, whoever it is."""
        owing = [cpu for cpu in self.cpus_of[page.vm] if self.machine.owed[cpu, page]]
        by_devices = self.machine.device_owed[page]
        if by_devices and (not owing or self.chance(0.4)):
            return translation.flush_devices, (page,)
        return (translation.flush, (self.any_of(owing), page)) if owing else None

    def meddle(self) -> Proposal:
        """Any rule, about a page in the middle of something, with arguments that fit each other.

        What a rule must refuse is tried where it would do harm: a step out of order, one vCPU for another.
        """
        page = self.any_of(self.pages)
        for _ in range(2):
            if self.machine.operation[page] is IDLE:
                page = self.any_of(self.pages)
        rule = self.any_of(self.rules)
        return rule, tuple(self.fitting(sort, page) for sort in parameter_sorts(rule))

    def fitting(self, sort: type, page: Page) -> Any:
        """A value of this sort that has to do with a page; else any."""
        if sort is Page:
            return page if self.chance(0.8) else self.any_of(self.pages)
        if sort is VCPU:
            return self.any_of(self.cpus_of[page.vm])
        if sort is VPage:
            return self.any_of(self.machine.each(VPage, page.vm))
        if sort is VM:
            return page.vm
        if sort is MPN:
            return self.free_frame() if self.chance(0.7) else self.any_of(self.frames)
        return self.free_slot() if sort is Slot else self.anything(sort)

    def nameable(self, vm: VM) -> Sequence[Page]:
        """The busy pages, if there are some."""
        return self.pages_of[vm] if self.busy_pages is None else self.busy_pages[vm]

    def page(self) -> Proposal:
        """The operation on some page takes its next step, or one begins, or one is abandoned."""
        page = self.any_of(self.pages)
        operation = self.machine.operation[page]
        if operation is not IDLE and self.chance(self.mood.give_up):
            return operations.abandon, (page,)
        return self.at_stage[type(operation)](page, operation)

    def when_flushed(self, page: Page, rule: Rule) -> Proposal:
        """What a step waits for; or the step itself, too early; or somebody uses the time."""
        flush = self.owed_flush(page)
        backing = self.machine.pmap[page]
        pinned = type(backing) is Mapped and self.machine.pins[backing.mpn]
        if flush is None and not pinned:
            return rule, (page,)
        if self.chance(self.mood.too_early):
            return rule, (page,)
        if self.chance(self.mood.put_off):
            return self.meanwhile(page)
        if flush is not None:
            return flush
        assert isinstance(backing, Mapped)
        return self.end_on(backing.mpn)

    def power(self, vm: VM) -> Proposal:
        """What is to be done for a VM that does not run; mostly somebody else has the turn if it is off."""
        life = self.machine.life
        if life[vm] is not DYING and self.chance(0.8):
            running = [place for place in self.places if life[place[0].vm] is RUNNING]
            if running:
                return self.access_at(*self.any_of(running))
        return super().power(vm)

    def meanwhile(self, page: Page) -> Proposal:
        """Somebody reaches for a page in the middle of its operation: a vCPU, a device, or another page's operation."""
        if self.chance(0.6):
            names = self.machine.guest_table
            places = [place for place in self.places if names[place[1]] == Names(page)]
            return self.access_at(*self.any_of(places)) if places else self.access()
        if self.chance(0.6):
            return self.io(self.any_of(self.transfers), page)
        return self.go_on(self.any_of(self.pages))


def actors_in(mood: Mood) -> Callable[[Machine, Random], Moody]:
    """Makes actors in a mood, of a machine and a source of chance."""

    def make(machine: Machine, random: Random) -> Moody:
        made = Moody(machine, random)
        made.in_mood(mood)
        return made

    return make
