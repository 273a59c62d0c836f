"""Moods: in what kind of run things happen when. None is made for one fault; each makes some windows wider.

A mood says how often each actor has its turn, how long flushes are put off and what
happens meanwhile, how often operations are given up, and how few pages all are busy with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

import attrs

from pagelaw.spec import balloon, operations, paging, power, shares, sharing, translation
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Ballooned,
    ComingIn,
    KeptSlot,
    Mapped,
    Marking,
    Names,
    Operation,
    Page,
    Slot,
    Transfer,
    UnderWay,
    Unmapped,
    VPage,
)

from ..reference.actors import Actors
from ..reference.beside import parameter_sorts
from ..reference.choosing import DYING, IDLE, RUNNING, Proposal, Rule
from ..reference.scheduler import TURNS as PLAIN_TURNS

T = TypeVar("T")

MARKING = Marking()

TURNS = {**PLAIN_TURNS, "meddle": 6, "slip": 4}
"""How often each actor has its turn; the names are methods of `Moody`."""


@attrs.frozen(kw_only=True)
class Mood:
    """How the actors of one run behave."""

    name: str
    turns: Mapping[str, int] = TURNS
    put_off: float = 0.0
    """How often a flush, a transfer or a disk read takes its time; others act on the page then."""
    too_early: float = 0.08
    """How often somebody does not look whether a step is due, and must be refused."""
    give_up: float = 0.02
    """How often an operation is abandoned, or a guest starts anew in place of a change of its targets."""
    pages: int | None = None
    """With how many pages of each VM all are busy; None for all of them."""
    contents: int | None = None
    """How many values are written; None for all of them."""
    begins: str | None = None
    """What is mostly begun on a page that has a frame, a method of `Moody`; None for anything."""


MOODS = (
    Mood(name="as ever"),
    Mood(name="busy server", turns={**TURNS, "access": 15, "page": 30, "device": 30}),
    Mood(name="slow flushes", put_off=0.6, turns={**TURNS, "flush": 2, "page": 30}),
    Mood(name="one page", pages=1, put_off=0.3, turns={**TURNS, "page": 30, "device": 25}),
    Mood(name="power", turns={**TURNS, "access": 10, "page": 40, "vm": 10}),
    Mood(name="equal pages", contents=1, pages=2, put_off=0.3, turns={**TURNS, "page": 40, "access": 25}),
    Mood(name="second thoughts", give_up=0.12, put_off=0.3, turns={**TURNS, "page": 40}),
    Mood(name="devices", put_off=0.4, turns={**TURNS, "access": 20, "page": 30, "device": 45}),
    Mood(name="swapping", put_off=0.2, begins="reclaim", turns={**TURNS, "access": 30, "page": 50}),
    Mood(name="equal pages leave", put_off=0.4, contents=1, begins="reclaim",
         turns={**TURNS, "access": 25, "page": 40, "device": 25}),
    Mood(name="ballooning", put_off=0.2, begins="inflate", turns={**TURNS, "page": 40, "vm": 10}),
    Mood(name="policy", turns={**TURNS, "access": 15, "page": 25, "vm": 40}),
)  # fmt: skip
"""Taken one after the other, run by run."""


class Moody(Actors):
    """The actors of one run, in a mood."""

    mood = MOODS[0]
    busy_pages: Mapping[VM, Sequence[Page]] | None = None

    def __init__(self, machine: Machine, random: Random) -> None:
        super().__init__(machine, random)
        self.at_stage[ComingIn] = self.come_in

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
        return self.about(self.any_of(self.rules))

    def about(self, rule: Rule) -> Proposal:
        """This rule, with arguments that fit a page in the middle of something."""
        page = self.any_of(self.pages)
        for _ in range(2):
            if self.machine.operation[page] is IDLE:
                page = self.any_of(self.pages)
        return rule, tuple(self.fitting(sort, page) for sort in parameter_sorts(rule))

    def slip(self) -> Proposal:
        """Somebody's next step with one argument that is another than was meant: what is just not allowed is tried."""
        rule, arguments = self.go_on(self.any_of(self.pages)) if self.chance(0.7) else self.device()
        if not arguments:
            return rule, arguments
        at = int(self.random() * len(arguments))
        other = self.anything(parameter_sorts(rule)[at])
        return rule, (*arguments[:at], other, *arguments[at + 1 :])

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

    # Somebody does not look first.

    def is_hasty(self) -> bool:
        """Whether somebody does now what may not be due."""
        return self.chance(self.mood.too_early)

    def come_in(self, page: Page, coming: ComingIn) -> Proposal:
        """A page-in goes on, or takes its time; or another vCPU faults on the page and knows nothing of it."""
        if self.machine.life[page.vm] is DYING and self.chance(0.5):
            return operations.abandon, (page,)
        if self.chance(self.mood.put_off):
            return self.meanwhile(page)
        if self.chance(0.2):
            return paging.start_page_in, (self.any_of(self.cpus_of[page.vm]), page, self.free_frame())
        return self.page_in(coming.cpu)

    def scan(self, page: Page, leaving: bool = False) -> Proposal:
        """A scan; of a frame that is not listed, too. While a page is being marked another may reach for its key."""
        operation = self.machine.operation
        if self.chance(0.5) and any(operation[one] is MARKING for one in self.pages):
            return sharing.scan_leaves_hint, (page,)
        return (sharing.scan_finds_shared_frame, (page,)) if self.is_hasty() else super().scan(page, leaving)

    def write_shared(self, page: Page, mpn: MPN) -> Proposal:
        """A write to a page in a shared frame; the frame may be taken over from others who use it."""
        if self.machine.take_over and self.chance(0.3):
            return sharing.take_over_frame, (page,)
        return super().write_shared(page, mpn)

    def take_away(self, page: Page, operation: Unmapped) -> Proposal:
        """A page out of reach leaves; it may leave for an older copy, its own or that of the frame."""
        s, backing = self.machine, self.machine.pmap[page]
        if type(s.kept[page]) is KeptSlot and self.chance(0.4):
            copied = type(backing) is Mapped and type(s.frame_slot[backing.mpn]) is KeptSlot
            return (paging.page_out_to_copy if copied else paging.page_out_clean), (page,)
        return super().take_away(page, operation)

    def divide(self, vm: VM) -> Proposal:
        """Memory is divided; a page may be taken of any VM, not of the one with the highest price."""
        if self.machine.to_take and self.chance(0.3):
            return shares.revoke_page, (self.any_of(self.vms),)
        return super().divide(vm)

    def reset(self, vm: VM) -> Proposal:
        """A balloon is cleared; the driver may be taken for ready before it is."""
        return (balloon.reset_driver, (vm,)) if self.chance(0.3) else super().reset(vm)

    def when_flushed(self, page: Page, rule: Rule) -> Proposal:
        """What a step waits for; or the step itself, too early; or somebody uses the time."""
        awaited = self.owed_flush(page) or self.awaited_end(page)
        if awaited is None or self.is_hasty():
            return rule, (page,)
        return self.meanwhile(page) if self.chance(self.mood.put_off) else awaited

    def power(self, vm: VM) -> Proposal:
        """What is to be done for a VM that does not run; mostly somebody else has the turn if it is off."""
        life = self.machine.life
        if life[vm] is not DYING and self.chance(0.8):
            running = [place for place in self.places if life[place[0].vm] is RUNNING]
            if running:
                return self.access_at(*self.any_of(running))
        if life[vm] is DYING and self.is_hasty():
            return power.finish_power_off, (vm,)
        return super().power(vm)

    def begin_on_mapped(self, page: Page, mpn: MPN) -> Proposal:
        """Anything is begun on a page with a frame; mostly what the mood wants."""
        if self.mood.begins is not None and self.chance(0.6):
            begin: Callable[[Page], Proposal] = getattr(self, self.mood.begins)
            return begin(page)
        return super().begin_on_mapped(page, mpn)

    def begin(self, page: Page, idle: Operation) -> Proposal:
        """Something begins; what is in the balloon mostly stays there for a while."""
        if type(self.machine.pmap[page]) is Ballooned and self.chance(0.6):
            return self.policy(page.vm)
        return super().begin(page, idle)

    def policy(self, vm: VM) -> Proposal:
        """Targets change; or the guest, or its balloon driver, starts anew."""
        if self.machine.life[vm] is RUNNING and self.chance(self.mood.give_up):
            return (balloon.reset_guest if self.chance(0.5) else balloon.stop_driver), (vm,)
        return super().policy(vm)

    def io(self, transfer: Transfer, page: Page) -> Proposal:
        """A transfer goes on, or takes its time: what begins on its page meanwhile finds it there."""
        under_way = self.machine.transfer[transfer]
        if isinstance(under_way, UnderWay) and self.chance(self.mood.put_off):
            return self.go_on(under_way.page)
        return super().io(transfer, page)

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
