"""One state of the machine that explains a trace so far, and what the implementation calls its frames and slots.

A frame that the implementation took is known by the name it gave; if it gave none, any free frame stands for it, as
frames matter only up to renaming. Low and high frames are told apart by the names of the low ones, which the
header lists; where low memory is only a part and a frame has no name yet, both are tried (`choose`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, TypeVar

from pagelaw.spec import paging, sharing
from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM, Blocked, require
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Free,
    HintFrame,
    KeptSlot,
    Life,
    Mapped,
    NoEntry,
    NoHint,
    NoTransfer,
    Page,
    Running,
    Slot,
    Transfer,
    VPage,
)

from ..reference.plainly import Plainly
from .journal import NOTHING, Log
from .naming import Name, Names

T = TypeVar("T")
Rule = Callable[..., Any]

PLAIN = Plainly()
LENIENT = Plainly()
"""The same, but guards that are false are noted, and the rule goes on."""
FALSE_GUARDS: list[Enum] = []


def note(holds: bool, reason: Enum) -> None:
    """In place of `require`: an implementation may look at guards in another order than a rule does."""
    if not holds:
        FALSE_GUARDS.append(reason)


LENIENT.let(require, note)
WINDOWS = 64
"""Virtual pages through which a guest reaches its pages: page n through virtual page n modulo this number."""


class Candidate:
    """A machine, the names, and the choices that are still to be made while an operation is followed."""

    RUNNING: tuple[Life, ...] = (Running(),)

    def __init__(
        self, machine: Machine, low: frozenset[Name] = frozenset(), told: frozenset[str] = frozenset()
    ) -> None:
        self.machine, self.low, self.told = machine, low, told
        self.all_frames: Sequence[MPN] = machine.ids[MPN]
        self.all_slots: Sequence[Slot] = machine.ids[Slot]
        self.log = Log(machine)
        self.frames: Names[MPN] = Names(self._frame_is_free, self.log.changes.append)
        self.slots: Names[Slot] = Names(self._slot_is_free, self.log.changes.append)
        self.transfers: dict[Name, Transfer] = {}
        self.took: dict[str, Name] = {}
        """What the event says was taken: a frame, a slot."""
        self.seen_pages: dict[Page, dict[str, Any]] = {}
        """What the event says of pages afterwards."""
        self.decisions: list[int] = []
        self.options: list[int] = []
        """How many options there were for each choice made since the operation began."""
        self.steps: list[tuple[Rule, tuple[Any, ...], int]] = []
        """The steps of the event, each with how many changes there were before it."""
        self.returned: Any = None
        self.freedoms: list[str] = []
        """Declared freedoms that the event takes (`pagelaw.spec.profiles`)."""
        self.is_paging_out = False
        """Whether the operation that is followed is to page a page out."""
        self.refused: Blocked | None = None
        self.unsettled: set[Page] = set()
        """Pages of which it was not seen where they were left by internal operations."""
        self.doubtful: dict[Page, bool] = {}
        """Pages that left a hint which was stale at some time since: the implementation may have removed it then."""
        self.by_steps = False
        """Whether the trace tells of single steps: then translations matter; operations fill them as they need them."""
        self.pending: dict[Name, Any] = {}
        """Operations under way (see `pending`), by the names that the trace gives them."""
        self.writers: dict[tuple[str, Any], tuple[int, Rule]] = {}
        """Which rule last wrote what, and in which line: of operations of several steps."""
        self._next_frame = self._next_slot = 0

    def _frame_is_free(self, mpn: MPN) -> bool:
        return type(self.machine.frame[mpn]) is Free

    def _slot_is_free(self, slot: Slot) -> bool:
        return self.machine.slot_count[slot] == 0

    def copy(self) -> Candidate:
        """A candidate of its own with the same state."""
        twin = Candidate(self.machine.copy(), self.low, self.told)
        twin.frames = self.frames.copy(twin._frame_is_free, twin.log.changes.append)
        twin.slots = self.slots.copy(twin._slot_is_free, twin.log.changes.append)
        twin.transfers = self.transfers.copy()
        twin.took, twin.seen_pages = self.took, self.seen_pages
        twin.unsettled, twin.doubtful = self.unsettled.copy(), self.doubtful.copy()
        twin.by_steps = self.by_steps
        twin.pending = self.pending.copy()
        twin.writers = self.writers.copy()
        twin._next_frame, twin._next_slot = self._next_frame, self._next_slot
        return twin

    # Doing.

    def begin(self, took: dict[str, Name], seen_pages: dict[Page, dict[str, Any]], decisions: Sequence[int]) -> None:
        """An event begins; these are the first choices to make."""
        self.log.begin()
        self.took, self.seen_pages = took, seen_pages
        self.decisions, self.options = list(decisions), []
        self.steps.clear()
        self.freedoms.clear()
        self.returned, self.is_paging_out = None, False

    def do(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """One step; Blocked if the rule refuses."""
        self.steps.append((rule, arguments, len(self.log.changes)))
        self.returned = PLAIN(rule)(self.machine, *arguments)
        return self.returned

    def run(self, steps: Any, ask: bool = False) -> tuple[str, ...]:
        """The steps of an operation, each worked out when the one before it is done; nothing is done if one refuses.

        ask: whether all reasons for which it is refused are to be found. They are the answer; none, if it is not.
        """
        try:
            for rule, arguments in steps:
                self.do(rule, arguments)
        except Blocked as refused:
            if not ask:
                self.log.take_back()
                raise
            self.refused = refused
            reasons = self._refusals()
            self.log.take_back()
            return reasons
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

    def choose(self, options: Sequence[T]) -> T:
        """One of several; each is tried in turn (see `judge`)."""
        if len(options) == 1:
            return options[0]
        at = len(self.options)
        self.options.append(len(options))
        return options[self.decisions[at] if at < len(self.decisions) else 0]

    def remember_writers(self, line: int) -> None:
        """After an operation of several steps: which of them wrote what."""
        fields, changes = self.log.fields, self.log.changes
        ends = [before for _, _, before in self.steps[1:]] + [len(changes)]
        for (rule, _, start), end in zip(self.steps, ends, strict=True):
            for held, key, _ in changes[start:end]:
                name = fields.get(id(held))
                if name is not None:
                    self.writers[name, key] = line, rule

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
        seen = self.took.get("frame", self.seen_pages.get(page, {}).get("frame"))
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
            return (True,) if s.share_first else (False, True)
        return (False,) if sharing.nothing_matches(s, page) else (False, True)

    def partners(self, page: Page, matching: list[Page]) -> list[Page]:
        """Those of the matching pages whose frame may be the one in which the page was seen; all, if it was not."""
        seen = self.took.get("frame", self.seen_pages.get(page, {}).get("frame"))
        if seen is None:
            return matching
        bound = self.frames.find(seen)
        backings = [(other, self.machine.pmap[other]) for other in matching]
        fits = [
            other for other, backing in backings if isinstance(backing, Mapped)
            and (backing.mpn is bound if bound is not None else self.frames.name(backing.mpn) is None)
        ]  # fmt: skip
        return fits or matching

    # Hints, which an implementation may remove whenever they are stale.

    def note_stale_hint(self, page: Page) -> None:
        """After something was done to a page: whether its hint is stale now."""
        s = self.machine
        hint = s.hint[page]
        if type(hint) is HintFrame and not (frame_is_private(s, page) and hint.key == s.short[sharing.key_of(s, page)]):
            self.doubt(page, True)

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

    # Names.

    def transfer_for(self, name: Name) -> Transfer:
        """What a transfer's name stands for; a new name for one that is not under way."""
        found = self.transfers.get(name)
        if found is None:
            used = set(self.transfers.values())
            free = (one for one in self.machine.ids[Transfer] if one not in used)
            found = self.transfers[name] = next(free, self.machine.ids[Transfer][0])
        return found

    def forget_ended_transfers(self) -> None:
        """Their names stand for nothing any more."""
        under_way = self.machine.transfer
        self.transfers = {name: one for name, one in self.transfers.items() if under_way[one] != NoTransfer()}

    def frame_for(self, page: Page | None = None, low: bool | None = None) -> MPN:
        """The frame that the implementation took, for this page if it is for one: as it said, or as was seen after.

        low: which memory it has to be in, if that is known. Without a free frame, some frame: the rule will refuse.
        """
        name = self.took.get("frame")
        if name is None and page is not None:
            name = self.seen_pages.get(page, {}).get("frame")
        if name is not None:
            return self.frame(name)
        both = 0 < len(self.low) < len(self.all_frames)
        if low is None and both:
            kinds = [kind for kind in (False, True) if self._free_frame(kind) is not None]
            low = self.choose(kinds) if kinds else None
        found = self._free_frame(low if both else None)
        if found is None:
            return self.all_frames[0]
        self.frames.take_unnamed(found)
        return found

    def frame(self, name: Name) -> MPN:
        """What a frame's name stands for; a new name for a free frame, which it stands for from now on."""
        found = self.frames.find(name)
        if found is None:
            both = 0 < len(self.low) < len(self.all_frames)
            found = None if self.frames.are_fixed else self._free_frame((name in self.low) if both else None)
            if found is None:  # the rule will refuse a frame that is in use
                return next((mpn for mpn in self.all_frames if not self._frame_is_free(mpn)), self.all_frames[0])
            self.frames.bind(name, found)
        return found

    def _free_frame(self, low: bool | None) -> MPN | None:
        """A free frame, of low or high memory if that matters; the search goes on where the last one ended."""
        frames, use, is_low = self.all_frames, self.machine.frame, self.machine.low
        if self.machine.free_frames == 0:
            return None
        for at in range(self._next_frame - len(frames), self._next_frame):
            mpn = frames[at]
            if type(use[mpn]) is Free and (low is None or is_low[mpn] is low):
                self._next_frame = at % len(frames)
                return mpn
        return None

    def in_their_names(self, told: str) -> str:
        """A text with frames and slots by the implementation's names; "?" for one that was not named yet."""

        def name(found: re.Match[str]) -> str:
            names: Names[Any] = self.frames if found[1] == "m" else self.slots
            known = names.named.get((MPN if found[1] == "m" else Slot)(int(found[2])))
            return str(known) if known is not None else ("frame ?" if found[1] == "m" else "slot ?")

        return re.sub(r"\b([mk])(\d+)\b", name, told)

    def slot_for(self, page: Page) -> Slot:
        """The slot that the implementation took for a page. Without a free one, some slot: the rule will refuse."""
        name = self.took.get("slot")
        if name is None:
            name = self.seen_pages.get(page, {}).get("slot")
        if name is not None:
            return self.slot(name)
        found = self._free_slot()
        if found is None:
            self.forget_copies(None)
            found = self._free_slot()
        if found is None:
            return self.all_slots[0]
        self.slots.take_unnamed(found)
        return found

    def forget_copies(self, slot: Slot | None) -> None:
        """What is only a copy in a slot, or in any, is forgotten, as an implementation may at any time (R-10, R-11)."""
        s = self.machine
        for mpn, copy in list(s.frame_slot.items()):
            if isinstance(copy, KeptSlot) and slot in (None, copy.slot):
                self.do(paging.forget_copy_of_shared_frame, (mpn,))
        for page, copy in list(s.kept.items()):
            if isinstance(copy, KeptSlot) and slot in (None, copy.slot):
                self.do(paging.forget_kept_slot, (page,))

    def may_be_slot(self, page: Page, slot: Slot) -> bool:
        """Whether this may be the slot that the page was seen in; then it is known by that name."""
        name = self.took.get("slot", self.seen_pages.get(page, {}).get("slot"))
        known = self.slots.name(slot)
        if name is None or known == name:
            return True
        if known is not None or self.slots.find(name) is not None:
            return False
        self.slots.bind(name, slot)
        return True

    def buffer(self) -> MPN:
        """The frame that was taken as a bounce buffer."""
        name = self.took.get("buffer")
        return self.frame_for(low=True) if name is None else self.frame(name)

    def slot(self, name: Name, forgets: bool = True) -> Slot:
        """What a slot's name stands for; a new name for a free slot, which it stands for from now on.

        forgets: whether what is only a copy in it is forgotten first.
        """
        found = self.slots.find(name)
        if found is not None and forgets:
            self.forget_copies(found)
            found = self.slots.find(name)
        if found is None:
            found = self._free_slot()
            if found is None:
                return self.all_slots[0]
            self.slots.bind(name, found)
        return found

    def _free_slot(self) -> Slot | None:
        slots, count = self.all_slots, self.machine.slot_count
        if self.machine.free_slots == 0:
            return None
        for at in range(self._next_slot - len(slots), self._next_slot):
            if count[slots[at]] == 0:
                self._next_slot = at % len(slots)
                return slots[at]
        return None

    # Where guests reach their pages.

    def window(self, page: Page) -> VPage:
        """The virtual page through which the guest reaches a page."""
        windows = self.machine.each(VPage, page.vm)
        return windows[page.number % len(windows)]

    def cpus(self, vm: VM) -> Sequence[VCPU]:
        """The VM's vCPUs."""
        return self.machine.each(VCPU, vm)
