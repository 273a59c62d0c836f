"""The frames and slots that an implementation took, in one state that explains what it did.

A frame that it took is known by the name it gave; if it gave none, any free frame stands for it, as frames matter only
up to renaming. Low and high frames are told apart by the names of the low ones, which the header lists; where low
memory is only a part and a frame has no name yet, both are tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations, islice
from typing import Any, TypeVar

from pagelaw.spec import paging
from pagelaw.spec.machine import Machine
from pagelaw.spec.translation import is_dirty
from pagelaw.spec.vocabulary import MPN, Free, KeptSlot, NoTransfer, Page, Slot, Transfer

from ..reference.journal import Log
from .naming import Name, Names, as_told

T = TypeVar("T")
Rule = Callable[..., Any]
MOST_SETS = 1000
"""Sets of copies among which one is chosen: more than are tried, so that it is known when not all were."""


class Ways:
    """Each combination of choices, the first options first. Which there are is known once one way was gone."""

    def __init__(self, most: int) -> None:
        """most: after so many it is given up."""
        self.left = most
        self._waiting: list[tuple[int, ...]] = [()]
        self._gone: tuple[int, ...] = ()

    @property
    def are_all(self) -> bool:
        """Whether no way is left."""
        return not self._waiting

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        while self._waiting and self.left:
            self.left -= 1
            self._gone = self._waiting.pop()
            yield self._gone

    def had(self, options: Sequence[int]) -> None:
        """How many options there were for each choice on this way."""
        gone = self._gone
        for at in range(len(gone), len(options)):
            rest = (0,) * (at - len(gone))
            self._waiting += [(*gone, *rest, other) for other in range(1, options[at])]


class Choices:
    """A machine, and the implementation's names for what it took."""

    def __init__(self, machine: Machine, low: frozenset[Name]) -> None:
        self.machine, self.low = machine, low
        self.log = Log(machine)
        self.all_frames: Sequence[MPN] = machine.ids[MPN]
        self.all_slots: Sequence[Slot] = machine.ids[Slot]
        self.frames: Names[MPN] = Names(self._frame_is_free, self.log.changes.append)
        self.slots: Names[Slot] = Names(self._slot_is_free, self.log.changes.append)
        self.transfers: dict[Name, Transfer] = {}
        self.took: dict[str, Name] = {}
        """What the event says was taken: a frame, a slot."""
        self.asked: set[str] = set()
        """What of that the operation has asked for."""
        self.seen_pages: dict[Page, dict[str, Any]] = {}
        """What the event says of pages afterwards."""
        self.decisions: list[int] = []
        self.options: list[int] = []
        """How many options there were for each choice made since the operation began."""
        self.are_more = False
        """Whether one of them may lead elsewhere than the first, and not only where that one does not explain it."""
        self._next_frame = self._next_slot = 0

    def do(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """One step; Blocked if the rule refuses."""
        raise NotImplementedError

    def choose(self, options: Sequence[T]) -> T:
        """One of several; each is tried in turn (see `judge`)."""
        if len(options) == 1:
            return options[0]
        at = len(self.options)
        self.options.append(len(options))
        self.are_more = True
        return options[self.decisions[at] if at < len(self.decisions) else 0]

    def choose_at_once(self, options: Sequence[T]) -> T:
        """The same, where the first one need only be tried: if it explains what was done, no other leads elsewhere."""
        are_more = self.are_more
        chosen = self.choose(options)
        self.are_more = are_more
        return chosen

    def told_to_take(self, what: str) -> Name | None:
        """The name of what the event says was taken: a frame, slot or buffer; None if it says nothing of one."""
        self.asked.add(what)
        return self.took.get(what)

    def _frame_is_free(self, mpn: MPN) -> bool:
        return type(self.machine.frame[mpn]) is Free

    def _slot_is_free(self, slot: Slot) -> bool:
        return self.machine.slot_count[slot] == 0

    def transfer_for(self, name: Name, starts: bool = False) -> Transfer:
        """What a transfer's name stands for; a new name for one that is not under way, if it is to start.

        The last one is never started: it stands for every name of none, so that what is done with that is refused.
        """
        all_of_them: Sequence[Transfer] = self.machine.ids[Transfer]
        found = self.transfers.get(name)
        if found is None and starts:
            used = set(self.transfers.values())
            found = next((one for one in all_of_them[:-1] if one not in used), all_of_them[0])
            self.transfers[name] = found
        return all_of_them[-1] if found is None else found

    def forget_ended_transfers(self) -> None:
        """Their names stand for nothing any more."""
        under_way = self.machine.transfer
        self.transfers = {name: one for name, one in self.transfers.items() if under_way[one] != NoTransfer()}

    def frame_for(self, page: Page | None = None, low: bool | None = None) -> MPN:
        """The frame that the implementation took, for this page if it is for one: as it said, or as was seen after.

        low: which memory it has to be in, if that is known. Without a free frame, some frame: the rule will refuse.
        """
        name = self.told_to_take("frame")
        if name is None and page is not None:
            name = self.seen_pages.get(page, {}).get("frame")
        if name is not None:
            return self.frame(name)
        if self.frames.are_fixed and self.machine.free_frames:
            return self.choose([one for one in self.all_frames if self._frame_is_free(one)])
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
            return as_told(known) if known is not None else ("frame ?" if found[1] == "m" else "slot ?")

        return re.sub(r"\b([mk])(\d+)\b", name, told)

    def slot_for(self, page: Page) -> Slot:
        """The slot that the implementation took for a page. Without a free one, some slot: the rule will refuse."""
        name = self.told_to_take("slot")
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

    def copies(self) -> list[tuple[Slot, Rule, Any]]:
        """What is only a copy in a slot: the slot, and the rule that forgets it, and of what. An implementation may do
        so at any time (R-10, R-11). First those of pages that were written since, then those of frames."""
        s = self.machine
        pages = [(copy.slot, paging.forget_kept_slot, page)
                 for page, copy in s.kept.items() if isinstance(copy, KeptSlot)]  # fmt: skip
        written = [one for one in pages if is_dirty(s, one[2])]
        frames = [(copy.slot, paging.forget_copy_of_shared_frame, mpn)
                  for mpn, copy in s.frame_slot.items() if isinstance(copy, KeptSlot)]  # fmt: skip
        return [*written, *frames, *(one for one in pages if one not in written)]

    def forget_copies(self, slot: Slot | None) -> None:
        """What is only a copy in a slot, or in any, is forgotten."""
        for at, rule, of in self.copies():
            if slot in (None, at):
                self.do(rule, (of,))

    def forget_copies_until(self, free: int, but: Collection[Slot] = ()) -> None:
        """What is only a copy is forgotten until so many slots are free, except in those of which more was seen."""
        for at, rule, of in self.copies():
            if self.machine.free_slots < free and at not in but:
                self.do(rule, (of,))

    def forget_copies_beyond(self, slot: Slot, users: int) -> None:
        """As many copies in a slot are forgotten as it was seen to have fewer users. Which ones those are is tried in
        each way; none, if there are not so many."""
        copies = [(rule, of) for at, rule, of in self.copies() if at is slot]
        going = self.machine.slot_count[slot] - users
        if 0 < going <= len(copies):
            for rule, of in self.choose([*islice(combinations(copies, going), MOST_SETS)]):
                self.do(rule, (of,))

    def may_be_slot(self, page: Page, slot: Slot) -> bool:
        """Whether this may be the slot that the page was seen in; then it is known by that name."""
        name = self.told_to_take("slot")
        if name is None:
            name = self.seen_pages.get(page, {}).get("slot")
        known = self.slots.name(slot)
        if name is None or known == name:
            return True
        if known is not None or self.slots.find(name) is not None:
            return False
        self.slots.bind(name, slot)
        return True

    def buffer(self) -> MPN:
        """The frame that was taken as a bounce buffer."""
        name = self.told_to_take("buffer")
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
