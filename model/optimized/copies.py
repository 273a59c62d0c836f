"""The swap area: slots, and copies in them of what is in frames, kept so that it can leave without a write.

A page that comes in can keep its slot until it is written (R-10); a shared frame of which one page was paged out can
keep that copy for the others (R-11). A copy is no authority: it goes as soon as it is not exact, and if a slot is
needed and none is free.
"""

from __future__ import annotations

import numpy as np

from .refusing import FITS, BadInput, Refusal
from .state import NOTHING


class Store:
    """The swap area: what is in its slots, and which are free.

    counted: whether slots can have several users; if not, no counts are kept.
    """

    def __init__(self, slots: int, words: int, counted: bool = False) -> None:
        try:
            self.words = np.zeros((slots, words), np.uint64)
            self.users = np.zeros(slots if counted else 0, np.uint32)
        except (MemoryError, ValueError):
            raise BadInput("slots", slots, FITS) from None
        self._never_used = 0
        """All slots from this one on were never used."""
        self._given_back: list[int] = []

    def __len__(self) -> int:
        """How many slots are free."""
        return len(self.words) - self._never_used + len(self._given_back)

    def free(self) -> list[int]:
        """Which are."""
        return [*self._given_back, *range(self._never_used, len(self.words))]

    def take(self) -> int:
        """One of them."""
        if not len(self):
            raise Refusal("NO_FREE_SLOT")
        if self._given_back:
            slot = self._given_back.pop()
        else:
            slot, self._never_used = self._never_used, self._never_used + 1
        self.count(slot, 1)
        return slot

    def count(self, slot: int, more: int) -> None:
        """So many users more."""
        if len(self.users):
            self.users[slot] += more

    def give_back(self, slot: int) -> None:
        """One user less of a slot; without users it is free."""
        if len(self.users):
            self.users[slot] -= 1
            if self.users[slot]:
                return
        self._given_back.append(int(slot))


class Copies:
    """Which slots have a copy, by page and by the record of a shared frame; each is a user of its slot.

    pages, records: how many there are of which copies are kept; with 0 none are, and nothing is stored for them.
    """

    def __init__(self, slots: Store, pages: int, records: int) -> None:
        self._slots = slots
        self.of_pages = np.full(pages, NOTHING, np.uint32)
        self.of_frames = np.full(records, NOTHING, np.uint32)

    def of_page(self, page: int) -> int | None:
        """The slot that a page has kept."""
        return self._slot(self.of_pages, page)

    def of_frame(self, record: int) -> int | None:
        """The slot with a copy of a shared frame."""
        return self._slot(self.of_frames, record)

    def _slot(self, of: np.ndarray[tuple[int], np.dtype[np.uint32]], at: int) -> int | None:
        slot = int(of[at]) if len(of) else NOTHING
        return None if slot == NOTHING else slot

    def keep_of_page(self, page: int, slot: int) -> None:
        """A page has come in from a slot: it is the slot's user still, or no more if no slots are kept."""
        if len(self.of_pages):
            self.of_pages[page] = slot
        else:
            self._slots.give_back(slot)

    def keep_of_frame(self, record: int, slot: int) -> None:
        """A page of a shared frame has left for a slot, which is the frame's copy if it has none."""
        if len(self.of_frames) and self.of_frame(record) is None:
            self.of_frames[record] = slot
            self._slots.count(slot, 1)

    def take_of_page(self, page: int) -> int | None:
        """The slot that a page has kept is its authority now, and no copy any more."""
        slot = self.of_page(page)
        if slot is not None:
            self.of_pages[page] = NOTHING
        return slot

    def forget_of_page(self, page: int) -> None:
        """A page's copy goes, if there is one: the page is written, or goes elsewhere."""
        slot = self.take_of_page(page)
        if slot is not None:
            self._slots.give_back(slot)

    def forget_of_frame(self, record: int) -> None:
        """A shared frame's copy goes, if there is one."""
        slot = self.of_frame(record)
        if slot is not None:
            self.of_frames[record] = NOTHING
            self._slots.give_back(slot)

    def make_room(self) -> bool:
        """Let copies go until a slot is free, if it must be; whether one is."""
        for of, forget in ((self.of_pages, self.forget_of_page), (self.of_frames, self.forget_of_frame)):
            while not len(self._slots) and (of != NOTHING).any():
                forget(int(np.argmax(of != NOTHING)))
        return len(self._slots) > 0
