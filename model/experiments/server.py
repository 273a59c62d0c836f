"""The machine as it runs: steps are done and counted; free frames and free slots are kept at hand.

Nobody here decides what is allowed. What is kept beside the machine only proposes: a rule that is handed a frame
that is not free refuses it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from pagelaw.spec import balloon, reclamation, shares, translation
from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM, Blocked, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Ballooned,
    Drawn,
    Free,
    Low,
    Mapped,
    Names,
    NotDrawn,
    Page,
    Private,
    Reclamation,
    Shared,
    SharedFrame,
    Slot,
    Swapped,
    Transfer,
    Untouched,
    VPage,
)

from ..reference import operations
from ..reference.choosing import Proposal, Rule
from ..reference.plainly import Plainly
from ..runs.statements import ERRORS
from .prices import Prices

WORD = Word(0)
"""Pages of an experiment have one word, whose value says what is in them."""
FREE, UNTOUCHED, BALLOONED, NOT_DRAWN, LOW = Free(), Untouched(), Ballooned(), NotDrawn(), Low()
"""Variants without fields are single objects, so `is` tells them apart."""

NOT_DEFINED = (TypeError, ZeroDivisionError, *ERRORS)
"""What a rule raises that reads what is not there, or cannot be worked out."""

Do = Callable[[Rule, tuple[Any, ...]], Any]


class Waits(Exception):
    """A guest needs a frame, and there is none, or its VM is blocked: it goes on when it gets one."""


class Undefined(Exception):
    """A step was neither done nor refused: its rule reads what is not there. Says which step, and what it ran into."""


class Ways(dict[Rule, Callable[..., Any]]):
    """How the step of a rule is done, given the machine and the rule's arguments: by its text, or checked."""

    def __init__(self, checked: Do | None, plainly: Plainly) -> None:
        super().__init__()
        self._checked, self._plainly = checked, plainly

    def __missing__(self, rule: Rule) -> Callable[..., Any]:
        checked = self._checked
        way = self[rule] = self._plainly(rule) if checked is None else lambda s, *given: checked(rule, given)
        return way


class Server:
    """A machine and what it takes to run it fast. Steps are done plainly, or by `checked` if that is given."""

    def __init__(self, machine: Machine, checked: Do | None = None) -> None:
        self.machine = machine
        plainly = Plainly()
        self.price_of = Prices(Plainly()(shares.price_of))
        """As `shares.price_of`, and fast."""
        plainly.let(shares.price_of, self.price_of)
        self._ways = Ways(checked, plainly)
        self._not_defined = NOT_DEFINED if checked is None else ()
        """What shows that a step is neither done nor refused; who checks steps looks for that, too."""
        self._times: defaultdict[Rule, int] = defaultdict(int)
        self.paged_in: Counter[VM] = Counter()
        self.paged_out: Counter[VM] = Counter()
        self.noticed: set[Page] = set()
        """Pages whose next use the server may notice: paged out, or drawn for a sample, since it last noticed one.

        All others that a guest keeps something in have a frame and are not in the sample.
        """
        self.state_changed = False
        """Whether the reclamation state changed since somebody looked."""
        self._stands: Reclamation | None = None
        """The state for which `_stands_in` was worked out: the numbers of free frames with which it stays."""
        self._stands_in = range(0)
        self._free: list[MPN] = list(reversed(machine.ids[MPN]))
        self._slots: list[Slot] = list(reversed(machine.ids[Slot]))

    def do(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """Do one step. If its rule refuses: Blocked, noted with what was asked for; if it does neither: Undefined."""
        self._times[rule] += 1
        try:
            return self._ways[rule](self.machine, *arguments)
        except Blocked as refused:
            refused.add_note(call(rule, arguments))
            raise
        except self._not_defined as error:
            raise undefined(rule, arguments, error) from error

    def run(self, steps: Iterable[Proposal]) -> None:
        """Do the steps of an operation, one after the other, each worked out when the one before it is done.

        If a rule refuses: Blocked, with a note of what was asked for; if it does neither: Undefined.
        """
        s, ways, times = self.machine, self._ways, self._times
        for rule, arguments in steps:
            times[rule] += 1
            try:
                ways[rule](s, *arguments)
            except Blocked as refused:
                refused.add_note(call(rule, arguments))
                raise
            except self._not_defined as error:
                raise undefined(rule, arguments, error) from error

    @property
    def done(self) -> Counter[str]:
        """How often each rule was done."""
        return Counter({rule.__name__: times for rule, times in self._times.items()})

    @property
    def steps(self) -> int:
        """Steps done so far."""
        return sum(self._times.values())

    # Frames and slots.

    def free_frame(self, vm: VM) -> MPN:
        """A free frame for a page of a VM; Waits if there is none, or the VM is blocked.

        The reclamation state follows free memory before each frame that is taken, so it is never late.
        """
        s, free = self.machine, self._free
        self.follow()
        if s.reclamation is LOW and reclamation.is_blocked(s, vm):
            raise Waits
        while free:
            if s.frame[free[-1]] is FREE:
                return free[-1]
            free.pop()
        raise Waits

    def follow(self) -> None:
        """The reclamation state follows free memory, if it has to."""
        s = self.machine
        if s.reclamation is not self._stands:
            self._stands, self._stands_in = s.reclamation, self._stands_for()
        if s.free_frames not in self._stands_in:
            self.do(reclamation.follow_free_memory, ())
            self.state_changed = True

    def _stands_for(self) -> range:
        """Numbers of free frames with which the state stays: more never make it lower, so they are an interval."""
        s = self.machine
        here = reclamation.depth(s.reclamation)

        def least(deepest: int) -> int:
            """The least number of free frames with which the state is to be no deeper than this."""
            return bisect_left(range(s.total_frames + 1), -deepest, key=lambda free: -reclamation.depth(
                reclamation.state_to_be(s, free)))  # fmt: skip

        return range(least(here), least(here - 1))

    def freed(self, mpn: MPN) -> None:
        """A frame may be free again."""
        if self.machine.frame[mpn] is FREE:
            self._free.append(mpn)

    def free_slot(self) -> Slot | None:
        """A free slot, if there is one."""
        s, slots = self.machine, self._slots
        while slots:
            if s.slot_count[slots[-1]] == 0:
                return slots[-1]
            slots.pop()
        return None

    # What guests do.

    def bring_in(self, page: Page) -> None:
        """A page without a frame gets one."""
        s = self.machine
        backing = s.pmap[page]
        if backing is BALLOONED:
            self.do(balloon.pop, (page,))
            backing = s.pmap[page]
        if backing is UNTOUCHED:
            self.run(operations.first_touch(s, page, self.free_frame(page.vm)))
        elif isinstance(backing, Swapped):
            slot = backing.slot
            self.run(operations.page_in(s, page, self.free_frame(page.vm)))
            self.paged_in[page.vm] += 1
            self._slots.append(slot)

    def make_writable(self, page: Page) -> None:
        """A page gets a frame of its own."""
        s = self.machine
        self.bring_in(page)
        backing = s.pmap[page]
        if isinstance(backing, Mapped) and isinstance(s.frame[backing.mpn], Shared):
            self.run(operations.break_sharing(s, page, self.free_frame(page.vm)))
            self.freed(backing.mpn)

    def touch(self, page: Page) -> None:
        """A guest reads a page. Where it has a translation already the server sees nothing, and no step is done."""
        s = self.machine
        if type(s.pmap[page]) is Mapped and s.sampled[page] is NOT_DRAWN:
            self.noticed.discard(page)
            return
        self.bring_in(page)
        if s.sampled[page] == Drawn(False):
            cpu, virtual = self._look_at(page)
            self.run(operations.read(s, cpu, virtual, WORD))

    def write(self, page: Page, what: int) -> None:
        """A guest's vCPU writes a page, so that it holds this."""
        self.make_writable(page)
        cpu, virtual = self._look_at(page)
        self.run(operations.write(self.machine, cpu, virtual, WORD, Value(what)))

    def _look_at(self, page: Page) -> tuple[VCPU, VPage]:
        """The guest points its window, a virtual page, at a page; where it points nowhere yet nothing was cached."""
        s = self.machine
        cpu, virtual = s.each(VCPU, page.vm)[0], s.each(VPage, page.vm)[0]
        if s.guest_table[virtual] != Names(page):
            self.do(translation.guest_changes_table, (virtual, Names(page)))
        return cpu, virtual

    def read_from_disk(self, page: Page, what: int) -> None:
        """A guest's virtual disk writes a page, as the guest ordered."""
        self.make_writable(page)
        self.run(operations.device_write(self.machine, self.machine.ids[Transfer][0], page, WORD, Value(what)))

    def write_to_disk(self, page: Page) -> None:
        """A guest's virtual disk reads a page."""
        self.bring_in(page)
        self.run(operations.device_read(self.machine, self.machine.ids[Transfer][0], page, WORD))

    def holds(self, page: Page) -> int:
        """What a page holds, wherever that is."""
        s = self.machine
        match s.pmap[page]:
            case Mapped(mpn):
                return s.contents[mpn].words[0].number
            case Swapped(slot):
                return s.slot_contents[slot].words[0].number
        return s.zero.words[0].number

    # What the server does.

    def scan(self, page: Page, leaving: bool = False) -> bool:
        """Scan a page; whether its frame was saved."""
        s = self.machine
        backing = s.pmap[page]
        if not isinstance(backing, Mapped) or s.frame[backing.mpn] != Private(page):
            return False
        self.run(operations.scan(s, page, leaving))
        self.freed(backing.mpn)
        return s.pmap[page] != backing

    def page_out(self, page: Page) -> bool:
        """Page a page out, after an attempt to share it; whether it went to the disk."""
        s = self.machine
        backing = s.pmap[page]
        if not isinstance(backing, Mapped) or (not s.attempted[page] and self.scan(page, leaving=True)):
            return False
        slot = self.free_slot()
        if slot is None:
            return False
        self.run(operations.page_out(s, page, slot))
        self.paged_out[page.vm] += 1
        self.noticed.add(page)
        self.freed(backing.mpn)
        return True

    def inflate(self, page: Page) -> None:
        """A page goes into its VM's balloon."""
        s = self.machine
        backing = s.pmap[page]
        self.run(operations.offer_to_balloon(s, page))
        if isinstance(backing, Mapped):
            self.freed(backing.mpn)
        elif isinstance(backing, Swapped):
            self._slots.append(backing.slot)

    # What can be seen.

    def pages_saved(self) -> int:
        """Frames that sharing saves now, by what is free now and not by what policy saw of it (D-04)."""
        s = self.machine
        return reclamation.saved_by_sharing(s) - s.free_seen + s.free_frames

    def pages_sharing(self) -> int:
        """Pages that are in a frame with others. Goes through all frames."""
        s = self.machine
        shared = [reference_count(s, mpn) for mpn, use in s.frame.items() if isinstance(use, Shared)]
        return sum(users for users in shared if users > 1)

    def zero_pages_saved(self) -> int:
        """Frames that sharing pages of zeros saves now."""
        s = self.machine
        domain = s.domain[s.ids[VM][0]]
        match s.table[domain, s.hash_of[s.zero]]:
            case SharedFrame(mpn):
                return reference_count(s, mpn) - 1
        return 0


def call(rule: Rule, arguments: tuple[Any, ...]) -> str:
    """A step as it was asked for."""
    return f"{rule.__name__}({', '.join(map(repr, arguments))})"


def undefined(rule: Rule, arguments: tuple[Any, ...], error: BaseException) -> Undefined:
    """What to raise if a step is neither done nor refused."""
    return Undefined(f"{call(rule, arguments)} is neither done nor refused ({type(error).__name__}: {error})")


def chance(seed: int, name: str) -> Random:
    """A source of chance of its own for everybody, so that what one draws changes nothing for another."""
    return Random(f"{seed} {name}")


__all__ = ["NOT_DEFINED", "WORD", "Server", "Undefined", "Waits", "chance"]
