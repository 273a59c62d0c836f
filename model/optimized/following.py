"""What an operation of the memory manager is in steps of the specification, with what the manager chose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from pagelaw.spec import balloon, frames, paging, power, sharing, translation
from pagelaw.spec import operations as in_common
from pagelaw.spec.language import VM as Name
from pagelaw.spec.language import Blocked, Value, Word
from pagelaw.spec.machine import Machine as Reference
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Ballooned,
    ComingIn,
    Free,
    Idle,
    Mapped,
    Names,
    NoEntry,
    NoFetch,
    Page,
    Reserved,
    Running,
    Shared,
    Swapped,
    Untouched,
    VPage,
)

from ..reference import operations as of_reference
from ..reference.choosing import Proposal
from ..reference.plainly import Function, Plainly, PlainModule, PlainSteps, Texts
from ..reference.trying import Trial
from .scanning import FALSE_MATCH, HINT_PRESENT, LEFT_HINT, MERGED, MISSED, NOT_PRIVATE, PINNED, TABLE_FULL
from .shapes import Shape
from .sharing import Memory
from .state import BALLOONED, SHARED, SWAPPED, UNTOUCHED

Steps = Iterable[Proposal]
"""Each worked out when the one before it is done, if there are several. A single one needs no generator."""
PLAIN = Texts(Plainly())
operations = PlainModule(PlainSteps(of_reference.__name__), of_reference)
VIEWS: tuple[Function, ...] = (
    in_common.frame_is_private, translation.may_read, translation.may_write, frames.reference_count,
    sharing.may_be_scanned, sharing.key_of, sharing.nothing_matches, sharing.is_match,
)  # fmt: skip
frame_is_private, may_read, may_write, reference_count, may_be_scanned, key_of, nothing_matches, is_match = (
    PLAIN[view] for view in VIEWS
)
REASONS: dict[str, Refused] = dict(Refused.__members__)


class Differs(Exception):
    """The manager did what the specification does not allow, or refused what it allows, or keeps something else."""


class Following:
    """Finds the steps for each operation. The manager has done it already, or refused it."""

    shape: Shape
    memory: Memory
    reference: Reference
    trial: Trial
    """What is to be refused is tried on a twin of the specification's machine."""
    has_tried: bool
    """Whether a step was done on it since."""
    pages: list[Page]
    pages_of: list[tuple[Page, ...]]
    """Those of each VM."""
    places: dict[Page, int]
    numbered: list[tuple[int, int]]
    """The numbers of each page's VM, and of the page in it."""
    seen: defaultdict[str, int]
    refused: bool
    """Whether the manager has refused the operation."""

    def refusal(self, steps: Callable[..., Steps], *arguments: Any) -> Enum | None:
        """Why the specification refuses these steps, as its machine is now; None if it allows them."""
        machine = self.reference
        twin = self.reference = self.trial.begin(self.has_tried)
        self.has_tried = False
        try:
            for rule, given in steps(*arguments):
                PLAIN[rule](twin, *given)
                self.has_tried = True
        except Blocked as refused:
            return refused.reason
        finally:
            self.reference = machine
        return None

    # Names, in both.

    def page(self, vm: int, ppn: int) -> Page:
        """The specification's name of a page."""
        return self.pages_of[vm][ppn]

    def place(self, page: Page) -> int:
        """The place of a page in the manager's pmap."""
        return self.places[page]

    def numbers(self, place: int) -> tuple[int, int]:
        """The VM and the page's number in it."""
        return self.numbered[place]

    def frame(self, page: Page) -> MPN:
        """The frame that the manager has for it; if it has none, a free one, if there is one."""
        place = self.place(page)
        stage = self.memory.stages.get(place, ("", 0))
        frames: tuple[MPN, ...] = self.reference.ids[MPN]
        if stage[0] == "coming in":
            return frames[int(stage[1])]
        if self.memory.kind(place) in (UNTOUCHED, BALLOONED, SWAPPED):
            return self.free_frame()
        return frames[self.memory.frame(place)]

    def new_frame(self, page: Page) -> MPN:
        """The frame that a page has got; if that was refused, one that it may get."""
        return self.free_frame() if self.refused else self.frame(page)

    def free_frame(self) -> MPN:
        """One that a page may get; if there is none, one that is free."""
        s = self.reference
        found: MPN = operations.first_free_frame(s)
        if s.frame[found] != Free():
            found = operations.first_free_frame(s, low=True)
        return found

    # What each is in steps of the specification.

    def steps_of_power_on(self, _: Any, vm: int) -> Steps:
        """With the overhead frames that were chosen."""
        name = self.reference.ids[Name][vm]
        yield power.power_vm_on, (name,)
        held = self.memory.vms[vm].held
        for number in range(self.shape.overhead):
            frame = self.reference.ids[MPN][held[number]] if held else self.free_frame()
            yield power.take_overhead_frame, (name, frame)

    def steps_of_power_off(self, answer: Any, vm: int) -> Steps:
        """As the reference does it; transfers are not ended for it."""
        s, name = self.reference, self.reference.ids[Name][vm]
        yield power.power_vm_off, (name,)
        for page in s.each(Page, name):
            if s.operation[page] is not Idle():
                yield from operations.stop_operation(s, page)
            if s.pmap[page] is not Untouched():
                yield power.reap, (page,)
                if s.operation[page] is not Idle():
                    yield from operations.unmap(s, page)
                    yield power.release_at_power_off, (page,)
        for cpu in s.each(VCPU, name):
            yield from operations.drop_page_in(s, cpu)
        for mpn in s.ids[MPN]:
            if s.frame[mpn] == Reserved(name):
                yield power.return_overhead_frame, (name, mpn)
        yield power.finish_power_off, (name,)

    def _bring_in(self, page: Page) -> Steps:
        s = self.reference
        if not isinstance(s.life[page.vm], Running):
            yield balloon.pop, (page,)  # refused: the VM does not run
        if isinstance(s.pmap[page], Mapped) and not may_read(s, page):
            raise Blocked(Refused.NOT_READABLE)
        if isinstance(s.pmap[page], Ballooned):
            yield balloon.pop, (page,)
        if isinstance(s.pmap[page], Untouched):
            yield from operations.first_touch(s, page, self.new_frame(page))
        elif isinstance(s.pmap[page], Swapped):
            yield from operations.page_in(s, page, self.new_frame(page), self._cpu(page))

    def _cpu(self, page: Page) -> VCPU:
        """A vCPU that is not in the middle of a page-in."""
        s = self.reference
        found = next((cpu for cpu in s.each(VCPU, page.vm) if s.fetch[cpu] == NoFetch()), None)
        if found is None:
            raise ValueError(f"{page!r} needs a vCPU to come in, and {self.shape.vcpus} are in the midst of a page-in")
        return found

    def _make_writable(self, page: Page) -> Steps:
        s = self.reference
        yield from self._bring_in(page)
        backing = s.pmap[page]
        assert isinstance(backing, Mapped)
        if isinstance(s.frame[backing.mpn], Shared):
            if s.take_over and reference_count(s, backing.mpn) == 1:
                self.seen["the last user takes a frame over"] += 1
                yield sharing.take_over_frame, (page,)
            else:
                yield from operations.break_sharing(s, page, self.new_frame(page))
        elif not may_write(s, page, backing.mpn):
            raise Blocked(Refused.OPERATION_IN_PROGRESS)

    def _look_at(self, page: Page) -> Steps:
        s = self.reference
        virtual = s.each(VPage, page.vm)[0]
        if s.guest_table[virtual] != Names(page):
            yield translation.guest_changes_table, (virtual, Names(page))
            yield translation.guest_invalidates, (s.each(VCPU, page.vm)[0], virtual)

    def steps_of_read(self, _: Any, vm: int, ppn: int, word: int) -> Steps:
        """Through the window that the guest has."""
        s, page = self.reference, self.page(vm, ppn)
        yield from self._bring_in(page)
        yield from self._look_at(page)
        cpu, virtual = s.each(VCPU, page.vm)[0], s.each(VPage, page.vm)[0]
        yield from operations.translate(s, cpu, virtual, writing=False)
        yield translation.load, (cpu, virtual, s.ids[Word][word])

    def steps_of_write(self, _: Any, vm: int, ppn: int, word: int, value: int) -> Steps:
        """The same."""
        s, page = self.reference, self.page(vm, ppn)
        yield from self._make_writable(page)
        yield from self._look_at(page)
        cpu, virtual = s.each(VCPU, page.vm)[0], s.each(VPage, page.vm)[0]
        yield from operations.translate(s, cpu, virtual, writing=True)
        yield translation.store, (cpu, virtual, s.ids[Word][word], Value(value))

    def steps_of_write_pages(self, done: bool | None, vm: int, ppn: int, rows: tuple[tuple[int, ...], ...]) -> Steps:
        """Touched and written one by one; if it was refused, first those that cannot be touched."""
        pages = [self.page(vm, ppn + number) for number in range(len(rows))]
        if not done:
            pages.sort(key=lambda page: self.reference.pmap[page] == Untouched())
        for number, (page, row) in enumerate(zip(pages, rows, strict=True)):
            yield from operations.first_touch(self.reference, page, self.new_frame(page))
            for word, value in enumerate(row):
                yield from self.steps_of_write(None, vm, ppn + number, word, value)

    def steps_of_scan(self, found: int | None, vm: int, ppn: int, leaving: bool = False) -> Steps:
        """With the hinted page that was chosen."""
        return self._scan(found, self.page(vm, ppn), leaving)

    def _scan(self, found: int | None, page: Page, leaving: bool) -> Steps:
        s = self.reference
        if found in (MERGED, FALSE_MATCH, PINNED, None):
            if not may_be_scanned(s, page):
                yield sharing.scan_finds_shared_frame, (page,)  # refused: it may not be scanned
            if leaving and nothing_matches(s, page):
                yield sharing.scan_before_paging_misses, (page,)
            if s.table[s.domain[page.vm], key_of(s, page)] == NoEntry():
                yield from self._mark(page)
            yield from operations.share(s, page)
        elif found == LEFT_HINT:
            yield sharing.scan_leaves_hint, (page,)
        elif found == HINT_PRESENT:
            self._has_left_it(page)
        elif found == MISSED:
            yield sharing.scan_before_paging_misses, (page,)
        if found is not None and (found == MERGED) != (not frame_is_private(s, page)):
            raise Differs(f"scan of {page!r}: a match is {found == MERGED}, and it should be {found != MERGED}")

    def _has_left_it(self, page: Page) -> None:
        """There is nothing to do for a scan only if nothing matches, and the page has left its hint already."""
        try:
            PLAIN[sharing.scan_leaves_hint](self.reference, page)
        except Blocked as refused:
            if refused.reason is Refused.HINT_PRESENT:
                return
            told = refused.reason.name
        else:
            told = "nothing"
        raise Differs(f"scan of {page!r}: said to have left its hint already; the specification says {told}")

    def _mark(self, page: Page) -> Steps:
        """The hinted page that was chosen becomes a shared frame."""
        s = self.reference
        matching = [other for other in operations.hinted_alike(s, page) if is_match(s, page, other)]
        chosen = [other for other in matching if self._became_shared(other)]
        if not matching:
            raise Blocked(Refused.NO_MATCH)
        pinned = [other for other in matching if s.pins[self.frame(other)]]  # the one in the way, if it was refused
        other = (chosen or pinned or matching)[0]
        yield sharing.scan_finds_hint, (page, other)
        yield from operations.flush_all(s, other)
        yield sharing.mark_shared, (other,)

    def _became_shared(self, page: Page) -> bool:
        """Whether a page is in a shared frame by now, and that is the one that it had for itself."""
        place = self.place(page)
        if self.memory.kind(place) != SHARED:
            return False
        return bool(self.reference.pmap[page] == Mapped(self.reference.ids[MPN][self.memory.frame(place)]))

    def steps_of_scan_all(self, found: list[int], places: tuple[int, ...]) -> Steps:
        """One page after the other."""
        for place, one in zip(places, found, strict=True):
            page = self.pages[place]
            if one == NOT_PRIVATE:
                self._must_not_be_scanned(page)
            elif one == PINNED:
                self._must_refuse(page, "PINNED")
            elif one == HINT_PRESENT:
                self._has_left_it(page)
            elif one == TABLE_FULL:
                if self.shape.records is None:
                    raise Differs(f"scan of {page!r} in a batch: the table is said to be full, and cannot be")
            else:
                self.seen[f"batch outcome {one}"] += 1
                yield from self._scan(one, page, leaving=False)

    def _must_not_be_scanned(self, page: Page) -> None:
        try:
            PLAIN[sharing.scan_finds_shared_frame](self.reference, page)
        except Blocked as refused:
            if refused.reason is Refused.NOT_PRIVATE:
                return
        raise Differs(f"scan of {page!r} in a batch: passed over, and it may be scanned")

    def _must_refuse(self, page: Page, due: str) -> None:
        found = self.refusal(self._scan, None, page, False)
        if found is not REASONS[due]:
            raise Differs(f"scan of {page!r} in a batch: passed over as {due}")

    # Sharing in steps.

    def steps_of_start_share(self, _: Any, vm: int, ppn: int) -> Steps:
        """Through a hint, if no frame is listed."""
        s, page = self.reference, self.page(vm, ppn)
        if may_be_scanned(s, page) and s.table[s.domain[page.vm], key_of(s, page)] == NoEntry():
            yield from self._mark(page)
        yield sharing.scan_finds_shared_frame, (page,)

    def steps_of_protect(self, _: Any, vm: int, ppn: int) -> Steps:
        """All flush at once."""
        page = self.page(vm, ppn)
        yield sharing.protect, (page,)
        yield from operations.flush_all(self.reference, page)
        yield sharing.await_flushes, (page,)

    def steps_of_check_pins(self, _: Any, vm: int, ppn: int) -> Steps:
        """The same step."""
        return ((sharing.check_pins, (self.page(vm, ppn),)),)

    def steps_of_compare(self, equal: bool | None, vm: int, ppn: int) -> Steps:
        """The same step."""
        page = self.page(vm, ppn)
        yield sharing.compare, (page,)
        if equal is not None and equal != (self.reference.operation[page] != Idle()):
            raise Differs(f"compare of {page!r}: equal is {equal}, and it should be {not equal}")

    def steps_of_merge(self, _: Any, vm: int, ppn: int) -> Steps:
        """And the old frame is left at once."""
        page = self.page(vm, ppn)
        yield sharing.merge, (page,)
        yield from operations.leave(self.reference, page)

    def steps_of_abandon(self, _: Any, vm: int, ppn: int) -> Steps:
        """A page-in ends with its handler."""
        s, page = self.reference, self.page(vm, ppn)
        stage = s.operation[page]
        return ((paging.fail_read, (stage.cpu,)) if isinstance(stage, ComingIn) else (in_common.abandon, (page,)),)
