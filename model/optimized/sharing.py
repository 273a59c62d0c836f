"""Sharing: a scan of one page, of many at once, or step by step; and paging, which tries to share first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .devices import Devices
from .memory import LARGEST
from .refusing import BadInput, Refusal, TableFull, flag, whole
from .scanning import (
    FALSE_HINT,
    FOUND_HINT,
    MISSED,
    NEEDS_HASH,
    NOT_PRIVATE,
    PINNED,
    TABLE_FULL,
    is_held,
    is_private,
    look,
    merge,
    own_frame,
    scan_many,
    scan_one,
    share_hinted,
    with_own_frames,
)
from .state import (
    IS_PRIVATE,
    SHARED,
    SWAPPED,
    TRIED,
    Array,
    number_of,
    same,
    set_entry,
    set_tried,
)
from .table import NO_RECORD, count_of, frame_of_hint, frame_of_shared, page_of_hint, set_count

NO_HASH = np.uint64(0)


class Memory(Devices):
    """The memory manager: all of it."""

    # Scans.

    def scan(self, vm: int, ppn: int, leaving: bool = False) -> int:
        """Scan a page: it comes to share a frame, or leaves a hint; what happened, as `scanning` names it.

        leaving: before a page-out, where a miss enters no hint (R-13).

        Raises Refusal if the page may not be scanned, a transfer is in the way, or (leaving) the attempt was made
        already; TableFull if there is no record for its hint.
        """
        page, leaving = self.place(vm, ppn), flag("leaving", leaving)
        hashed, tried = self.hash_of(vm, page), self.tried(page)
        found, _ = self.with_hashes(lambda known, of: scan_one(self.state, page, hashed, leaving, known, of))
        if found == NOT_PRIVATE:
            raise Refusal("NOT_PRIVATE")
        if found == PINNED:
            raise Refusal("PINNED")
        if found == TABLE_FULL:
            raise TableFull
        if found == MISSED and tried:
            raise Refusal("ALREADY_TRIED")
        return found

    def scan_all(self, pages: Array | Sequence[int]) -> Array:
        """Scan pages in this order, given by their places in the pmap; what happened with each.

        Pages that may not be scanned now are passed over: NOT_PRIVATE, PINNED or TABLE_FULL in the answer.
        """
        try:
            if not isinstance(pages, Sequence | np.ndarray) or isinstance(pages, str | bytes | np.ma.MaskedArray):
                raise TypeError
            given = np.asarray(pages if len(pages) else np.zeros(0, np.int64))
        except (OverflowError, TypeError, ValueError):
            raise BadInput("pages", type(pages).__name__, "whole numbers in a row") from None
        if given is not pages and any(isinstance(one, bool | np.bool_) for one in pages):
            raise BadInput("pages", repr(pages), "whole numbers in a row")
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise BadInput("pages", f"{given.dtype} in {given.ndim} dimensions", "whole numbers in a row")
        places = given.astype(np.int64)
        chosen, frames = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
        runs = np.array([vm.runs for vm in self.vms])
        count = with_own_frames(self.state, runs, places, chosen, frames)
        if count < 0:
            raise BadInput("page", int(given[-1 - count]), f"0 to {len(self.state.pmap) - 1}")
        outcomes = np.full(len(places), NOT_PRIVATE, np.int64)
        asked = places[chosen[:count]]
        hashes = self.keys.of_all(asked, frames[:count])
        done = np.zeros(count, np.int64)
        at, known, of = 0, NO_RECORD, NO_HASH
        while at < len(asked):
            at, known = scan_many(self.state, asked, hashes, done, at, known, of, self.keys.by_number)
            if at < len(asked):
                of = self.key_of_hinted(known)
        outcomes[chosen[:count]] = done
        return outcomes

    def scannable(self, places: Array) -> Array:
        """Which of these pages of running VMs have a frame of their own."""
        kinds = self.state.pmap[places] >> np.uint32(28) & np.uint32(7)
        private = IS_PRIVATE[kinds]
        running = np.array([vm.runs for vm in self.vms])
        return private & running[np.searchsorted(self.state.first_page, places, side="right") - 1]

    def hash_of(self, vm: int, page: int) -> Any:
        """The key of what a page holds that may be scanned."""
        if not self.vm(vm).runs or not is_private(self.at_hand, page) or page in self.stages:
            raise Refusal("NOT_PRIVATE")
        return self.keys.of(page, self.frame(page))

    def key_of_hinted(self, record: int) -> Any:
        """The key of what a page holds now that left a hint."""
        return self.keys.of(page_of_hint(self.state, record), frame_of_hint(self.state, record))

    def with_hashes(self, ask: Any) -> tuple[int, int]:
        """Ask, and where a hash has to be known first, ask again with it."""
        found, record = ask(NO_RECORD, NO_HASH)
        while found == NEEDS_HASH:
            found, record = ask(record, self.key_of_hinted(record))
        return int(found), int(record)

    # The same in steps.

    def start_share(self, vm: int, ppn: int) -> None:
        """A shared frame has the page's hash, or a live hint, whose page gets one; the operation holds it."""
        s, page = self.state, self.place(vm, ppn)
        hashed = self.hash_of(vm, page)
        self.room_for_one_more()
        found, record = self.with_hashes(lambda known, of: look(s, page, hashed, known, of))
        if found == MISSED:
            raise Refusal("NO_MATCH")
        if found in (FOUND_HINT, FALSE_HINT):
            if is_held(s, page_of_hint(s, record)):
                raise Refusal("PINNED")
            share_hinted(s, record, hashed)
        set_count(s, record, count_of(s, record) + 1)
        self.begin(page, "found", record)

    def protect(self, vm: int, ppn: int) -> None:
        """Nobody can write the page any more."""
        page = self.place(vm, ppn)
        self.stages[page] = ("quiet", self.at(page, "found")[1])

    def check_pins(self, vm: int, ppn: int) -> None:
        """No transfer is under way on it."""
        page = self.place(vm, ppn)
        _, record = self.at(page, "quiet")
        self.not_pinned(page)
        self.stages[page] = ("alone", record)

    def compare(self, vm: int, ppn: int) -> bool:
        """The page and the shared frame are compared in full; after a false match the operation is over."""
        s, page = self.state, self.place(vm, ppn)
        _, record = self.at(page, "alone")
        equal = bool(same(s, own_frame(s, page), frame_of_shared(s, record)))
        if equal:
            self.stages[page] = ("same", record)
        else:
            self.end(page)
            set_tried(s, page, True)
            self.drop_reference(page, record)
        return equal

    def merge(self, vm: int, ppn: int) -> None:
        """The page shares the frame, and its own is free."""
        page = self.place(vm, ppn)
        _, record = self.at(page, "same")
        self.end(page)
        merge(self.state, page, record)

    def abandon(self, vm: int, ppn: int) -> None:
        """The operation on a page gives up."""
        self.abandon_page(self.place(vm, ppn))

    # The swap area, outwards.

    def set_swap_target(self, vm: int, pages: int) -> None:
        """How many pages policy wants in the swap area."""
        if not 0 <= whole("pages", pages, -LARGEST, LARGEST) <= self.running(vm).maximum:
            raise Refusal("NOT_A_LEVEL")
        self.vms[vm].swap_target = pages

    def page_out(self, vm: int, ppn: int) -> bool:
        """A page goes to the swap area, if it cannot be shared; whether it went there."""
        page = self.place(vm, ppn)
        self.room_for_one_more()
        first = self.kind(page) != SHARED and not self.tried(page)
        if first:
            self.may_page_out(vm, page, tried=True)
            self.not_pinned(page)
            self.scan(vm, ppn, leaving=True)
            if self.kind(page) == SHARED:
                return False
        self.may_page_out(vm, page, tried=False)
        steps = () if self.under_way[page] else self.ways_out(page)
        if not steps:
            set_tried(self.at_hand, page, self.tried(page) and not first)
            raise Refusal("PINNED" if self.under_way[page] else "NO_FREE_SLOT")
        for step in (self.pick_for_paging, self.finish_unmapping, *steps):
            step(vm, ppn)
        return True

    def ways_out(self, page: int) -> Sequence[Callable[[int, int], None]]:
        """The steps by which a page leaves once nobody can reach it; none if it needs a slot and none can be had."""
        if self.copies.of_page(page) is not None:
            return (self.leave_clean,)
        if self.copy_of_frame(page) is not None:
            return (self.leave_to_copy,)
        return (self.reserve_slot, self.write_out, self.commit) if self.copies.make_room() else ()

    def copy_of_frame(self, page: int) -> int | None:
        """The slot with a copy of the shared frame that a page is in."""
        return self.copies.of_frame(number_of(self.at_hand.pmap[page])) if self.kind(page) == SHARED else None

    def tried(self, page: int) -> bool:
        """Whether an attempt to share the page found nothing."""
        return bool(int(self.at_hand.pmap[page]) & TRIED)

    def may_page_out(self, vm: int, page: int, tried: bool) -> None:
        """Refuse unless the page may leave. tried: its attempt to share is still to come."""
        self.running(vm)
        self.idle(page)
        private = bool(is_private(self.at_hand, page))
        last = not self.machine.swap_shared  # whether pages in shared frames come last
        if not private and (self.kind(page) != SHARED or (last and self.has_private_pages(vm))):
            raise Refusal("NOT_PRIVATE")
        if not self.may_lose_a_page(vm):
            raise Refusal("NO_PAGE_TO_TAKE")
        if private and not tried and not self.tried(page):
            raise Refusal("TRY_SHARING_FIRST")

    def may_lose_a_page(self, vm: int) -> bool:
        """Whether a VM has more than its minimum, and fewer pages in the swap area than it is to have."""
        of = self.vms[vm]
        level = min(of.maximum - of.target - of.balloon_size, of.swap_target)
        return of.resident > of.minimum and of.swapped < level

    def has_private_pages(self, vm: int) -> bool:
        """Whether any page of a VM has a frame of its own."""
        first = self.first_pages[vm]
        return bool(self.scannable(np.arange(first, first + self.vms[vm].maximum)).any())

    def pick_for_paging(self, vm: int, ppn: int) -> None:
        """The page is to leave: nobody can reach it any more."""
        page = self.place(vm, ppn)
        self.may_page_out(vm, page, tried=False)
        self.room_for_one_more()
        set_tried(self.at_hand, page, False)
        self.begin(page, "unmapping")

    def finish_unmapping(self, vm: int, ppn: int) -> None:
        """No transfer is under way for it."""
        page = self.place(vm, ppn)
        self.at(page, "unmapping")
        self.may_leave(page)
        self.stages[page] = ("unmapped",)

    def reserve_slot(self, vm: int, ppn: int) -> None:
        """A slot is set aside for it."""
        page = self.place(vm, ppn)
        self.at(page, "unmapped")
        if self.copies.of_page(page) is not None:
            raise Refusal("KEPT_SLOT")
        self.copies.make_room()
        self.stages[page] = ("slot held", self.slots.take())

    def write_out(self, vm: int, ppn: int) -> None:
        """What it holds is written to the slot."""
        page = self.place(vm, ppn)
        _, slot = self.at(page, "slot held")
        self.slots.words[slot] = self.state.words[self.frame(page)]
        self.stages[page] = ("written", slot)

    def commit(self, vm: int, ppn: int) -> None:
        """The slot is where the page's contents are; its frame is let go. A shared frame may keep the copy."""
        page = self.place(vm, ppn)
        if not self.may_lose_a_page(vm):
            raise Refusal("NO_PAGE_TO_TAKE")
        _, slot = self.at(page, "written")
        if self.kind(page) == SHARED:
            self.copies.keep_of_frame(number_of(self.at_hand.pmap[page]), slot)
        self.leave_for(vm, page, slot)

    def leave_clean(self, vm: int, ppn: int) -> None:
        """A page that nobody has written since it came in leaves for the slot that it kept."""
        page = self.place(vm, ppn)
        self.at(page, "unmapped")
        if not self.may_lose_a_page(vm):
            raise Refusal("NO_PAGE_TO_TAKE")
        slot = self.copies.take_of_page(page)
        if slot is None:
            raise Refusal("NO_KEPT_SLOT")
        self.leave_for(vm, page, slot)

    def leave_to_copy(self, vm: int, ppn: int) -> None:
        """A page leaves for the slot that has a copy of its shared frame."""
        page = self.place(vm, ppn)
        self.at(page, "unmapped")
        if not self.may_lose_a_page(vm):
            raise Refusal("NO_PAGE_TO_TAKE")
        slot = self.copy_of_frame(page)
        if slot is None:
            raise Refusal("NO_KEPT_SLOT")
        self.slots.count(slot, 1)
        self.copies.forget_of_page(page)
        self.leave_for(vm, page, slot)

    def leave_for(self, vm: int, page: int, slot: int) -> None:
        """A page's contents are in a slot now, and no longer in the frame."""
        self.end(page)
        self.let_go(page)
        set_entry(self.at_hand, page, SWAPPED, slot)
        self.vms[vm].resident -= 1
        self.vms[vm].swapped += 1
