"""Devices and their transfers (section 7): bounce buffers for pages in high memory; hot pages move to low memory.

Devices reach the first frames only, those of low memory. For a page in a high frame the data goes through a low frame,
which costs a copy; a page that was copied too often is hot, and can be moved.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from .guests import OUT_OF_REACH, Buffer, Guests, as_bytes
from .memory import MOST_TRANSFERS
from .records import HIGH, hash_in_hint
from .refusing import BadInput, Refusal, flag, whole
from .scanning import has_hint, is_private
from .state import (
    BALLOONED,
    FREE_FRAME,
    FREE_LOW,
    NOTHING,
    SHARED,
    SWAPPED,
    UNTOUCHED,
    free_frame,
    number_of,
    set_entry,
    set_tried,
    take_from,
)
from .table import count_of, enter_hint, set_count, unchain_hint


@attrs.frozen(eq=False)
class Transfer:
    """A transfer by a device: whose page it is, the page, the frame that it pins, and the record if that is shared."""

    vm: int
    page: int
    frame: int
    record: int | None
    writes: bool
    buffer: int | None = None
    """The low frame that the device reads or writes in place of a high one."""
    arrived: list[tuple[int, int]] = attrs.Factory(list)
    """What the device has written to the buffer: where, and how many bytes."""

    @property
    def reached(self) -> int:
        """The frame that the device itself reads or writes."""
        return self.frame if self.buffer is None else self.buffer


class Devices(Guests):
    """The part of the manager that devices cause."""

    def start_transfer(self, vm: int, ppn: int, writes: bool) -> Transfer:
        """A device is told to read or write a page, whose frame is pinned until the transfer ends."""
        page, writes = self.place(vm, ppn), flag("writes", writes)
        if len(self.transfers) == MOST_TRANSFERS:
            raise BadInput("transfers under way", MOST_TRANSFERS + 1, f"at most {MOST_TRANSFERS}")
        self.running(vm)
        if self.stages.get(page, ("none",))[0] in OUT_OF_REACH:
            raise Refusal("NOT_READABLE")
        self.idle(page)
        no_low = self.at_hand.numbers[FREE_LOW] == NOTHING and not self.leaves_low(page, writes)
        if self.will_be_high(page, writes) and no_low:
            raise Refusal("NO_FREE_FRAME")
        (self.make_writable if writes else self.bring_in)(vm, page)
        frame, record = self.frame(page), None
        if self.kind(page) == SHARED:
            record = number_of(self.at_hand.pmap[page])
            set_count(self.state, record, count_of(self.state, record) + 1)
        self.pins[frame] += 1
        self.under_way[page] += 1
        self.vms[vm].transfers += 1
        self.mark_held(page)
        started = Transfer(vm, page, frame, record, writes, self.buffer_for(page, frame, writes))
        self.transfers.add(started)
        return started

    def leaves_low(self, page: int, writes: bool) -> bool:
        """Whether a low frame is free once the page has a copy: a shared frame of which it is the last user."""
        if not writes or self.kind(page) != SHARED or self.is_high(self.frame(page)):
            return False
        return bool(count_of(self.state, number_of(self.at_hand.pmap[page])) == 1)

    def will_be_high(self, page: int, writes: bool) -> bool:
        """Whether a page that a device is to read or write will be in high memory."""
        kind = self.kind(page)
        stays = kind not in (UNTOUCHED, BALLOONED, SWAPPED) and not (
            writes and kind == SHARED and not self.is_taken_over(page)
        )
        return self.is_high(self.frame(page)) if stays else self.is_high(int(self.at_hand.numbers[FREE_FRAME]))

    def is_high(self, frame: int) -> bool:
        """Whether a frame is in high memory; NOTHING is none."""
        return bool(len(self.copied)) and self.low_frames <= frame < self.machine.frames

    def buffer_for(self, page: int, frame: int, writes: bool) -> int | None:
        """The bounce buffer for a page in a high frame: cleared, or with what the page holds. It counts as a copy."""
        if not self.is_high(frame):
            return None
        buffer = int(take_from(self.at_hand, FREE_LOW))
        self.state.words[buffer] = 0 if writes else self.state.words[frame]
        self.copied[page] += 1
        return buffer

    def device_write(self, transfer: Transfer, offset: int, data: Buffer) -> None:
        """The device writes these bytes: once only, if that is to a bounce buffer."""
        if not (self.is_under_way(transfer) and transfer.writes) or transfer.arrived:
            raise Refusal("NO_TRANSFER")
        held = as_bytes(data)
        offset = self.within(offset, len(held))
        self.data(transfer.reached)[offset : offset + len(held)] = held
        if transfer.buffer is None:
            self.copies.forget_of_page(transfer.page)
        else:
            transfer.arrived.append((offset, len(held)))

    def device_read(self, transfer: Transfer, offset: int, length: int) -> bytes:
        """The device reads so many bytes."""
        if not self.is_under_way(transfer) or transfer.writes:
            raise Refusal("NO_TRANSFER")
        offset = self.within(offset, whole("length", length, 0, self.page_bytes))
        return bytes(self.data(transfer.reached)[offset : offset + length])

    def is_under_way(self, transfer: Any) -> bool:
        """Whether it is a transfer that has not ended."""
        return isinstance(transfer, Transfer) and transfer in self.transfers

    def end_transfer(self, transfer: Transfer) -> None:
        """The transfer is over. From a bounce buffer just what the device wrote reaches the page."""
        if not self.is_under_way(transfer):
            raise Refusal("NO_TRANSFER")
        self.transfers.remove(transfer)
        if transfer.buffer is not None:
            for offset, size in transfer.arrived:
                self.data(transfer.frame)[offset : offset + size] = self.data(transfer.buffer)[offset : offset + size]
                self.copies.forget_of_page(transfer.page)
            free_frame(self.at_hand, transfer.buffer)
        self.vms[transfer.vm].transfers -= 1
        for counted, of in ((self.pins, transfer.frame), (self.under_way, transfer.page)):
            counted[of] -= 1
            if not counted[of]:
                del counted[of]
        if transfer.record is not None:
            self.drop_reference(transfer.page, transfer.record)
        else:
            self.mark_held(transfer.page)

    def remap(self, vm: int, ppn: int) -> None:
        """A hot page moves from a high frame of its own to a free low one, even one that is kept for devices."""
        page = self.place(vm, ppn)
        if not self.is_hot(page):
            raise Refusal("NOT_HOT")
        if self.has_frame(page) and not self.is_high(self.frame(page)):
            raise Refusal("SAME_ZONE")
        self.move(vm, page, FREE_LOW)

    def make_room(self, vm: int, ppn: int, hot_vm: int, hot_ppn: int) -> None:
        """A page leaves low memory for a high frame, as no low frame is free for a hot page, the second one."""
        page, hot, s = self.place(vm, ppn), self.place(hot_vm, hot_ppn), self.state
        if not self.machine.displace:
            raise Refusal("NOT_IN_USE_BY_READING")
        if not self.waits_for_low(hot):
            raise Refusal("NOT_HOT")
        if s.numbers[FREE_LOW] != NOTHING:
            raise Refusal("LOW_FRAME_FREE")
        if self.has_frame(page) and self.is_high(self.frame(page)):
            raise Refusal("SAME_ZONE")
        self.move(vm, page, FREE_FRAME)

    def move(self, vm: int, page: int, to: int) -> None:
        """A page with a frame of its own gets another in low or high memory. Its hint is of the new frame then."""
        s = self.state
        self.running(vm)
        self.idle(page)
        if s.numbers[to] == NOTHING:
            raise Refusal("NO_FREE_FRAME")
        if not is_private(s, page):
            raise Refusal("NOT_PRIVATE" if self.has_frame(page) else "NOT_MAPPED")
        self.not_pinned(page)
        old, new = self.frame(page), int(take_from(s, to))
        s.words[new] = s.words[old]
        if has_hint(s, page):
            record = number_of(s.pmap[page])
            bits = hash_in_hint(s.records[record, HIGH], s.width)
            unchain_hint(s, record)
            enter_hint(s, record, bits << np.uint64(3 * int(s.width) - 48), new, page)
        else:
            set_entry(s, page, self.kind(page), new)
        free_frame(s, old)
        set_tried(s, page, False)
        self.copied[page] = 0

    def waits_for_low(self, page: int) -> bool:
        """Whether a page is hot, and in a high frame of its own."""
        return self.is_hot(page) and bool(is_private(self.at_hand, page)) and self.is_high(self.frame(page))

    def is_hot(self, page: int) -> bool:
        """Whether a page was copied more often than the threshold since it got its frame by a copy."""
        return bool(len(self.copied)) and int(self.copied[page]) > self.machine.remap_after
