"""One state of the machine that explains a trace so far, and what the implementation calls its frames and slots.

What it does at an event is done by the rules; what was not observed of it is a choice (`choose`), and each is tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from pagelaw.spec import paging, sharing
from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM, Blocked, Ids, require
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import is_for
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    HintFrame,
    Life,
    Mapped,
    NoEntry,
    NoHint,
    NoTransfer,
    Page,
    Running,
    Slot,
    Swapped,
    VPage,
)

from ..reference.choosing import Proposal
from ..reference.journal import NOTHING
from ..reference.operations import reclaim_blocks
from ..reference.plainly import Plainly, Texts
from .choices import Choices, Rule
from .naming import Name

PLAIN = Plainly()
IS_FRESH = PLAIN(sharing.hint_is_fresh)
TEXTS = Texts(PLAIN)
LENIENT = Plainly()
"""The same, but guards that are false are noted, and the rule goes on."""
FALSE_GUARDS: list[Enum] = []


def note(holds: bool, reason: Enum) -> None:
    """In place of `require`: an implementation may look at guards in another order than a rule does."""
    if not holds:
        FALSE_GUARDS.append(reason)


LENIENT.let(require, note)
INNER = frozenset(("generation", "guest_table", "unsynced", "shadow", "tlb", "fill", "device_entry"))
"""Fields that operations fill as they need them: states that differ there only explain the same operations."""
SOMEWHERE = (Mapped, Swapped)
"""What a page is that has a frame or a slot."""
WINDOWS = 64
"""Virtual pages through which a guest reaches its pages: page n through virtual page n modulo this number."""


class Windows(dict[Page, Ids[VPage]]):
    """By which virtual pages a guest may reach each page, in a trace of operations: its window."""

    def __init__(self, c: Candidate) -> None:
        self.window = c.window

    def __missing__(self, page: Page) -> Ids[VPage]:
        found = self[page] = Ids((self.window(page),))
        return found


class Candidate(Choices):
    """A machine, the names, and the choices that are still to be made while an operation is followed."""

    RUNNING: tuple[Life, ...] = (Running(),)

    def __init__(
        self, machine: Machine, low: frozenset[Name] = frozenset(), told: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(machine, low)
        self.told = told
        self.has_blocks = len({machine.block[mpn] for mpn in machine.ids[MPN]}) < len(machine.ids[MPN])
        self.steps: list[tuple[Rule, tuple[Any, ...], int]] = []
        """The steps of the event, each with how many changes there were before it."""
        self.stays = 0
        """How many of them are done though the event is refused."""
        self.is_done = False
        """Whether the event is told as done."""
        self.returned: Any = None
        self.freedoms: list[str] = []
        """Declared freedoms that the event takes (`pagelaw.spec.profiles`)."""
        self.is_paging_out = False
        """Whether the operation that is followed is to page a page out."""
        self.refused: Blocked | None = None
        self.passed_over: Blocked | None = None
        """For what the operation did nothing, where it could be refused as well."""
        self.unsettled: set[Page] = set()
        """Pages of which it was not seen where they were left by internal operations."""
        self.elsewhere: set[Page] = set()
        """Pages that were seen to have a frame or a slot since, but not which."""
        self.unsure: set[Page] = set()
        """Pages whose frame may be listed as shared since, or not, if they have it alone: until they are written."""
        self.doubtful: dict[Page, bool] = {}
        """Pages that left a hint which was stale at some time since: the implementation may have removed it then."""
        self.by_steps = False
        """Whether the trace tells of single steps: then translations matter; operations fill them as they need them."""
        self.pending: dict[Name, Any] = {}
        """Operations under way (see `pending`), by the names that the trace gives them."""
        self.writers: dict[tuple[str, Any], tuple[int, Rule]] = {}
        """Which rule last wrote what, and in which line: of operations of several steps."""
        self.outer = {at: name for at, name in self.log.fields.items() if name not in INNER}

    def copy(self) -> Candidate:
        """A candidate of its own with the same state."""
        twin = Candidate(self.machine.copy(), self.low, self.told)
        twin.frames = self.frames.copy(twin._frame_is_free, twin.log.changes.append)
        twin.slots = self.slots.copy(twin._slot_is_free, twin.log.changes.append)
        twin.transfers = self.transfers.copy()
        twin.took, twin.seen_pages = self.took, self.seen_pages
        twin.unsettled, twin.doubtful = self.unsettled.copy(), self.doubtful.copy()
        twin.elsewhere, twin.unsure = self.elsewhere.copy(), self.unsure.copy()
        twin.by_steps = self.by_steps
        twin.pending = self.pending.copy()
        twin.writers = self.writers.copy()
        twin._next_frame, twin._next_slot = self._next_frame, self._next_slot
        return twin

    # Doing.

    def begin(
        self, took: dict[str, Name], seen_pages: dict[Page, dict[str, Any]], decisions: Sequence[int],
        is_done: bool = False,
    ) -> None:  # fmt: skip
        """An event begins; these are the first choices to make. is_done: whether it was done, not refused."""
        self.log.begin()
        self.took, self.seen_pages, self.is_done = took, seen_pages, is_done
        self.decisions, self.options, self.are_more = list(decisions), [], False
        self.steps.clear()
        self.asked.clear()
        self.stays = 0
        self.freedoms.clear()
        self.returned, self.is_paging_out, self.passed_over = None, False, None

    def do(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """One step; Blocked if the rule refuses."""
        self.do_all(((rule, arguments),))
        return self.returned

    def do_all(self, steps: Iterable[Proposal]) -> None:
        """Steps, each worked out when the one before it is done; Blocked if one refuses."""
        s, done, changes = self.machine, self.steps, self.log.changes
        for rule, arguments in steps:
            done.append((rule, arguments, len(changes)))
            self.returned = TEXTS[rule](s, *arguments)

    def run(self, steps: Iterable[Proposal], ask: bool = False) -> tuple[str, ...]:
        """The steps of an operation; nothing is done if one refuses.

        ask: whether all reasons for which it is refused are to be found. They are the answer; none, if it is not. What
        stays though it is refused (`stays`) is done then.
        """
        try:
            self.do_all(steps)
        except Blocked as refused:
            if not ask:
                self.log.take_back()
                raise
            self.refused = refused
            reasons = self._refusals()
            self.log.take_back()
            for rule, arguments, _ in self.steps[: self.stays]:
                PLAIN(rule)(self.machine, *arguments)
            return reasons
        if ask and self.passed_over is not None:
            self.refused = self.passed_over
            return (self.refused.reason.name,)
        return ()

    def _refusals(self) -> tuple[str, ...]:
        """The names of all reasons for which the last step may be refused."""
        rule, arguments, _ = self.steps[-1]
        FALSE_GUARDS.clear()
        try:
            LENIENT(rule)(self.machine, *arguments)
        except Blocked as refused:
            FALSE_GUARDS.append(refused.reason)
        except Exception:
            pass
        return tuple(dict.fromkeys(reason.name for reason in FALSE_GUARDS))

    def remember_writers(self, line: int) -> None:
        """After an operation of several steps: which of them wrote what, but for what operations fill themselves."""
        fields, changes = self.log.fields if self.by_steps else self.outer, self.log.changes
        ends = [before for _, _, before in self.steps[1:]] + [len(changes)]
        for (rule, _, start), end in zip(self.steps, ends, strict=True):
            by = line, rule
            for held, key, _ in changes[start:end]:
                name = fields.get(id(held))
                if name is not None:
                    self.writers[name, key] = by

    def sweep(self) -> None:
        """Forget what says no more than that there is nothing: keys that no page has any more.

        What is held for each page, frame or slot stays; only keys are without number.
        """
        table: dict[Any, Any] = self.machine.table
        for key in [key for key, entry in table.items() if type(entry) is NoEntry]:
            del table[key]
            self.writers.pop(("table", key), None)
        hints: Any = self.machine.hint
        for value in [value for value, pages in hints.keys_of.items() if not pages]:
            del hints.keys_of[value]

    def tells(self, what: str) -> bool:
        """Whether the trace tells of these decisions of policy; else any that an operation needs was made."""
        return what in self.told

    def chooses_to_take_over(self, page: Page, mpn: MPN) -> bool:
        """Whether the last user of a shared frame takes it over: as was seen, else both are tried."""
        s = self.machine
        if not s.take_over or reference_count(s, mpn) != 1:
            return False
        seen = self.frame_seen(page)
        named = self.frames.name(mpn)
        if seen is not None and named is not None:
            return seen == named
        return self.choose((True, False))

    def tries_sharing(self, page: Page) -> Sequence[bool]:
        """Whether a page that is to be paged out is scanned first: it must be once, and may be again.

        If its VM has no page to lose that may be seen first.
        """
        s = self.machine
        if not paging.may_lose_a_page(s, page.vm):
            return (True, False)
        if not s.attempted[page]:
            if s.share_first:
                return (True,)
            seen = self.seen_pages.get(page, {})
            return (False,) if "slot" in seen else (True,) if "frame" in seen else (False, True)
        return (False,) if sharing.nothing_matches(s, page) else (False, True)

    def waits_for_a_device(self, page: Page, matching: Iterable[Page]) -> bool:
        """Whether a transfer stands in the way of sharing a page (R-24): on its frame or for it, or so of a match."""
        s, under_way = self.machine, [one for one in self.machine.transfer.values() if type(one) is not NoTransfer]
        return bool(under_way) and any(
            sharing.is_pinned(s, one) or any(is_for(transfer, one) for transfer in under_way)
            for one in (page, *matching)
        )

    def partners(self, page: Page, matching: list[Page]) -> list[Page]:
        """Those of the matching pages whose frame may be the one in which the page was seen; all, if it was not."""
        backings = [(other, self.machine.pmap[other]) for other in matching]
        frames = self.may_be_seen(page, [backing.mpn for _, backing in backings if isinstance(backing, Mapped)])
        return [other for other, backing in backings if isinstance(backing, Mapped) and backing.mpn in frames]

    def frame_seen(self, page: Page) -> Name | None:
        """The name of the frame in which a page was seen, or that was taken for it; None if neither was told."""
        name = self.told_to_take("frame")
        return self.seen_pages.get(page, {}).get("frame") if name is None else name

    def may_be_seen(self, page: Page, frames: list[MPN]) -> list[MPN]:
        """Those of the frames that may be the one in which a page was seen; all, if it was not, or if none may be."""
        seen = self.frame_seen(page)
        if seen is None:
            return frames
        bound = self.frames.find(seen)
        fits = [one for one in frames if (one is bound if bound is not None else self.frames.name(one) is None)]
        return fits or frames

    # Hints, which an implementation may remove whenever they are stale.

    def note_stale_hint(self, page: Page) -> None:
        """After something was done to a page: whether its hint is stale now."""
        if type(self.machine.hint[page]) is HintFrame and not IS_FRESH(self.machine, page):
            self.doubt(page, True)

    def note_stale_hints(self) -> None:
        """The same of all pages, after something of which it is not said to which pages it was done."""
        for page, hint in list(self.machine.hint.items()):
            if type(hint) is HintFrame and page not in self.doubtful:
                self.note_stale_hint(page)

    # Vacated frames, which are free as soon as their whole block is given up.

    def free_vacated(self) -> None:
        """However the last of a block was given up. A trace of single steps says when that is."""
        if self.has_blocks and not self.by_steps:
            self.do_all(reclaim_blocks(self.machine))

    def doubt(self, page: Page, is_doubtful: bool) -> None:
        """Whether its hint may be gone; that can be taken back as all else."""
        if is_doubtful != (page in self.doubtful):
            self.log.changes.append((self.doubtful, page, self.doubtful.pop(page, NOTHING)))
            if is_doubtful:
                self.doubtful[page] = True

    def remove_doubtful_hints(self, pages: Iterable[Page]) -> None:
        """As the implementation did when they were stale. Nothing has asked for them since, so nothing else differs."""
        for page in pages:
            self.machine.hint[page] = NoHint()
            self.doubt(page, False)

    # What was not seen of internal operations.

    def left_alone(self) -> None:
        """Internal operations may have happened: where pages are is not known until they are seen."""
        there = [page for page, at in self.machine.pmap.items() if isinstance(at, SOMEWHERE)]
        self.unsettled.update(there)
        self.unsure.update(there)

    def are_seen(self, saw: Iterable[dict[str, Any]]) -> None:
        """Where pages are was seen: in which frame or slot, or that they have one."""
        for one in saw:
            which = "frame" in one or "slot" in one
            if "page" in one and (which or "is" in one):
                page = one["page"]
                if which:
                    self.elsewhere.discard(page)
                elif page in self.unsettled:
                    self.elsewhere.add(page)
                self.unsettled.discard(page)

    def frames_unnamed(self) -> list[MPN]:
        """Frames in use by no name that is known."""
        return [one for one in self.all_frames if not self._frame_is_free(one) and self.frames.name(one) is None]

    def slots_unnamed(self) -> list[Slot]:
        """Slots in use by no name that is known."""
        return [one for one in self.all_slots if not self._slot_is_free(one) and self.slots.name(one) is None]

    @property
    def left(self) -> set[Page]:
        """Pages with a frame or slot of which it is not known which."""
        pmap = self.machine.pmap
        return {page for page in self.unsettled | self.elsewhere if isinstance(pmap[page], SOMEWHERE)}

    def is_unsure(self, page: Page, name: str) -> None:
        """An operation was done whose outcome goes by hints and shared frames that were not seen: a scanned page may
        share one since; one that is written may have left one, if it is not known that it had its frame alone."""
        if name not in ("write", "start_transfer"):
            (self.unsettled if name == "page_out" else self.elsewhere).add(page)
            self.unsure.add(page)
        elif page in self.unsure:
            self.unsure.discard(page)
            self.elsewhere.add(page)

    # Where guests reach their pages.

    def window(self, page: Page) -> VPage:
        """The virtual page through which the guest reaches a page."""
        windows = self.machine.each(VPage, page.vm)
        return windows[page.number % len(windows)]

    def cpus(self, vm: VM) -> Sequence[VCPU]:
        """The VM's vCPUs."""
        return self.machine.each(VCPU, vm)
