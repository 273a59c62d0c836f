"""What guests do: pages are touched, read, written; copy-on-write; the balloon; power."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .memory import LARGEST, Core
from .refusing import BadInput, Refusal, whole
from .state import (
    BALLOONED,
    PRIVATE,
    SHARED,
    SWAPPED,
    UNTOUCHED,
    free_frame,
    number_of,
    set_entry,
    set_tried,
    touch_many,
)
from .table import count_of

OUT_OF_REACH = ("unmapping", "unmapped", "slot held", "written")
"""Stages in which nobody can read the page."""
Buffer = Any
"""Bytes, or what has some: a bytearray, an array."""


NAMES = re.compile(":[^:]*:")
"""Names of fields, in what a buffer says of its elements."""


def as_bytes(data: object) -> memoryview:
    """What is to be written, byte by byte."""
    try:
        view = memoryview(data)  # type: ignore[arg-type]  # what has no bytes says so
        if "O" in NAMES.sub("", view.format):  # where Python's objects are is no data
            raise TypeError
        return view.cast("B")
    except (BufferError, TypeError, ValueError):
        raise BadInput("what is to be written", type(data).__name__, "bytes, or an array in one piece") from None


class Guests(Core):
    """The part of the manager that guests cause."""

    # Touching.

    def read(self, vm: int, ppn: int, offset: int = 0, length: int | None = None) -> bytes:
        """A guest reads so many bytes of a page, to its end if nothing is said."""
        page = self.place(vm, ppn)
        offset = whole("offset", offset, 0, self.page_bytes)
        length = self.page_bytes - offset if length is None else whole("length", length, 0, self.page_bytes)
        self.within(offset, length)
        self.bring_in(vm, page)
        return bytes(self.data(self.frame(page))[offset : offset + length])

    def write(self, vm: int, ppn: int, offset: int, data: Buffer) -> None:
        """A guest writes these bytes at a place in a page."""
        page, held = self.place(vm, ppn), as_bytes(data)
        offset = self.within(offset, len(held))
        self.make_writable(vm, page)
        self.data(self.frame(page))[offset : offset + len(held)] = held
        self.copies.forget_of_page(page)

    def write_pages(self, vm: int, ppn: int, data: Buffer) -> None:
        """A guest writes whole pages that it never touched, one after the other: what a boot does, at once.

        data: what is in them, as bytes or as an array of them.
        """
        held = as_bytes(data)
        count, rest = divmod(len(held), self.page_bytes)
        if rest or not count:
            raise BadInput("bytes of whole pages", len(held), f"a multiple of {self.page_bytes}")
        first = self.place(vm, ppn)
        self.place(vm, first - self.first_pages[vm] + count - 1)
        self.running(vm)
        if (self.state.pmap[first : first + count] >> 28 & 7).any():
            raise Refusal("NOT_UNTOUCHED")
        self.frames_for_pages(count)
        frames = np.zeros(count, np.int64)
        touch_many(self.state, first, frames)
        self.state.words[frames] = np.frombuffer(held, np.uint64).reshape(count, -1)
        self.vms[vm].resident += count

    def within(self, offset: int, length: int) -> int:
        """The offset, if so many bytes from there on are inside a page."""
        size, first = self.page_bytes, whole("offset", offset, 0, self.page_bytes)
        if first + length > size:
            raise BadInput("bytes of a page", f"{first} to {first + length}", f"within 0 to {size}")
        return first

    def data(self, frame: int) -> memoryview:
        """What is in a frame, as bytes."""
        size = self.page_bytes
        return self.bytes[frame * size : (frame + 1) * size]

    def bring_in(self, vm: int, page: int) -> None:
        """A page without a frame gets one."""
        self.running(vm)
        if self.stages.get(page, ("none",))[0] in OUT_OF_REACH:
            raise Refusal("NOT_READABLE")
        kind = self.kind(page)
        if kind == BALLOONED:
            self.idle(page)
            self.frames_for_pages(1)
            self.pop(vm, page)
            kind = UNTOUCHED
        if kind == UNTOUCHED:
            self.first_touch(vm, page)
        elif kind == SWAPPED:
            self._start_page_in(vm, page)
            self._finish_page_in(vm, page)

    def first_touch(self, vm: int, page: int) -> None:
        """An untouched page gets a cleared frame."""
        self.running(vm)
        self.idle(page)
        frame = self.new_frame()
        self.state.words[frame] = 0
        set_entry(self.at_hand, page, PRIVATE, frame)
        set_tried(self.at_hand, page, False)
        self.vms[vm].resident += 1

    def make_writable(self, vm: int, page: int) -> None:
        """A page gets a frame of its own, if it has none: copy-on-write."""
        self.bring_in(vm, page)
        if self.kind(page) == SHARED:
            self.idle(page)
            if self.is_taken_over(page):
                self.take_over(page)
            else:
                self.break_sharing(page)
        elif self.stages.get(page, ("found",))[0] != "found":
            raise Refusal("OPERATION_IN_PROGRESS")

    def break_sharing(self, page: int) -> None:
        """A page in a shared frame gets a copy."""
        new = self.new_frame()
        self.state.words[new] = self.state.words[self.frame(page)]
        record = number_of(self.at_hand.pmap[page])
        set_entry(self.at_hand, page, PRIVATE, new)
        set_tried(self.at_hand, page, False)
        self.drop_reference(page, record)
        if len(self.copied):
            self.copied[page] = 0

    def is_taken_over(self, page: int) -> bool:
        """Whether a page in a shared frame takes that over when it is written."""
        return self.machine.take_over and bool(count_of(self.state, number_of(self.at_hand.pmap[page])) == 1)

    def take_over(self, page: int) -> None:
        """The last user of a shared frame keeps it for itself."""
        set_entry(self.at_hand, page, PRIVATE, self.forget_shared(page, number_of(self.at_hand.pmap[page])))

    # The swap area, inwards.

    def start_page_in(self, vm: int, ppn: int) -> None:
        """A guest touches a page that is in the swap area: a frame is taken for it."""
        self._start_page_in(vm, self.place(vm, ppn))

    def finish_page_in(self, vm: int, ppn: int) -> None:
        """What was in the slot is in the frame; the page has it, and the slot is free, or kept as a copy."""
        self._finish_page_in(vm, self.place(vm, ppn))

    def _start_page_in(self, vm: int, page: int) -> None:
        self.running(vm)
        self.room_for_one_more()
        self.idle(page)
        self.frames_for_pages(1)
        if self.kind(page) != SWAPPED:
            raise Refusal("NOT_SWAPPED")
        self.begin(page, "coming in", self.new_frame())

    def _finish_page_in(self, vm: int, page: int) -> None:
        _, frame = self.at(page, "coming in")
        slot = number_of(self.at_hand.pmap[page])
        self.state.words[frame] = self.slots.words[slot]
        self.copies.keep_of_page(page, slot)
        set_entry(self.at_hand, page, PRIVATE, frame)
        set_tried(self.at_hand, page, False)
        self.vms[vm].resident += 1
        self.vms[vm].swapped -= 1
        self.end(page)

    # The balloon.

    def start_driver(self, vm: int) -> None:
        """A balloon driver starts; its state is reset first."""
        if self.running(vm).driver != "none":
            raise Refusal("DRIVER_PRESENT")
        self.vms[vm].driver = "reset"

    def set_balloon_target(self, vm: int, pages: int) -> None:
        """The size of the balloon that is asked for."""
        if not 0 <= whole("pages", pages, -LARGEST, LARGEST) <= self.running(vm).maximum:
            raise Refusal("NOT_A_LEVEL")
        self.vms[vm].balloon_target = pages

    def reset_driver(self, vm: int) -> None:
        """Driver and server agree again: every annotation is cleared."""
        if self.running(vm).driver != "reset":
            raise Refusal("NO_RESET_PENDING")
        s, first = self.state, self.first_pages[vm]
        kinds = s.pmap[first : first + self.vms[vm].maximum] >> 28 & 7
        for at in np.flatnonzero(kinds == BALLOONED).tolist():
            set_entry(s, first + at, UNTOUCHED, 0)
        self.vms[vm].balloon_size = 0
        self.vms[vm].driver = "ready"

    def inflate(self, vm: int, ppn: int) -> None:
        """The driver tells a page that it has allocated: it is annotated, and what it had is free."""
        page, of = self.place(vm, ppn), self.running(vm)
        if of.driver != "ready":
            raise Refusal("NO_DRIVER")
        self.idle(page)
        if of.balloon_size >= of.balloon_target:
            raise Refusal("TARGET_REACHED")
        kind = self.kind(page)
        if kind == BALLOONED:
            raise Refusal("ALREADY_BALLOONED")
        if kind == SWAPPED:
            self.slots.give_back(number_of(self.at_hand.pmap[page]))
            of.swapped -= 1
        elif kind != UNTOUCHED:
            if of.resident <= of.minimum:
                raise Refusal("AT_MINIMUM")
            self.may_leave(page)
            self.copies.forget_of_page(page)
            self.let_go(page)
            of.resident -= 1
        set_entry(self.at_hand, page, BALLOONED, 0)
        of.balloon_size += 1

    def deflate(self, vm: int, ppn: int) -> None:
        """The driver takes a page out of the balloon."""
        page, of = self.place(vm, ppn), self.running(vm)
        if of.driver != "ready":
            raise Refusal("NO_DRIVER")
        if self.kind(page) != BALLOONED:
            raise Refusal("NOT_BALLOONED")
        set_entry(self.at_hand, page, UNTOUCHED, 0)
        of.balloon_size -= 1

    def pop(self, vm: int, page: int) -> None:
        """The guest touched a page in the balloon: it is an untouched one, and the driver must be reset."""
        set_entry(self.at_hand, page, UNTOUCHED, 0)
        self.vms[vm].balloon_size -= 1
        if self.vms[vm].driver != "none":
            self.vms[vm].driver = "reset"

    # Power.

    def power_on(self, vm: int) -> None:
        """A VM starts if what it reserves is unreserved, and gets its overhead frames."""
        of = self.vm(vm)
        if of.runs:
            raise Refusal("VM_NOT_OFF")
        memory = self.reserved_memory + of.minimum + of.overhead
        swap = self.reserved_swap + of.maximum - of.minimum
        if memory > self.machine.frames:
            raise Refusal("NO_MEMORY_TO_RESERVE")
        if swap > self.machine.slots:
            raise Refusal("NO_SWAP_TO_RESERVE")
        self.frames_for_pages(of.overhead)
        self.reserved_memory, self.reserved_swap = memory, swap
        of.runs, of.target = True, of.minimum
        of.held = [self.new_frame() for _ in range(of.overhead)]

    def power_off(self, vm: int) -> None:
        """A VM is off, and has nothing any more; its transfers have to be over."""
        of, first = self.running(vm), self.first_pages[vm]
        pages = range(first, first + of.maximum)
        if of.transfers:
            raise Refusal("PINNED")
        for page in [page for page in self.stages if page in pages]:
            self.abandon_page(page)
        for page in pages:
            self.forget_page(page)
        for frame in of.held:
            free_frame(self.at_hand, frame)
        self.reserved_memory -= of.minimum + of.overhead
        self.reserved_swap -= of.maximum - of.minimum
        of.runs, of.driver, of.held = False, "none", []
        of.target = of.balloon_size = of.swapped = of.resident = 0

    def has_frame(self, page: int) -> bool:
        """Whether a page's contents are in a frame."""
        return self.kind(page) not in (UNTOUCHED, BALLOONED, SWAPPED)

    def forget_page(self, page: int) -> None:
        """A page is an untouched one again, whatever it was."""
        kind = self.kind(page)
        if kind == SWAPPED:
            self.slots.give_back(number_of(self.at_hand.pmap[page]))
        elif kind not in (UNTOUCHED, BALLOONED):
            self.copies.forget_of_page(page)
            self.let_go(page)
        set_entry(self.at_hand, page, UNTOUCHED, 0)

    def abandon_page(self, page: int) -> None:
        """An operation gives up, from any stage before its effect."""
        stage = self.stages.get(page, ("none",))
        match stage:
            case ("coming in", frame):
                free_frame(self.at_hand, frame)
            case ("found" | "quiet" | "alone" | "same", record):
                self.drop_reference(page, record)
            case ("slot held" | "written", slot):
                self.slots.give_back(slot)
            case ("none",):
                raise Refusal("WRONG_STAGE")
        self.end(page)
