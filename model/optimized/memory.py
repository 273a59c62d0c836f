"""A memory manager with the paper's data structures, on real page contents: what it keeps, guests, frames, power.

    memory = Memory(Machine(pages=(1024, 1024), frames=1024, slots=1024, minimum=(256, 256)))
    memory.power_on(0)
    memory.write(0, 17, 100, b"hello")
    memory.scan(0, 17)

VMs and their pages are named by numbers from 0. Every refusal has a name and leaves everything as it was. There are
no translations beside the pmap: whoever reads or writes a page is told its frame then and there, so an operation
that takes a page out of reach has done so at once.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import attrs
import numpy as np

from .copies import Copies, Store
from .hashing import Hash, Hashing, Keys
from .records import LOW, count_in
from .refusing import FITS, BadInput, Refusal, all_whole, flag, whole
from .scanning import drop_hint, has_hint, is_private, own_frame
from .state import (
    FREE_FRAME,
    FREE_FRAMES,
    FREE_LOW,
    FREE_LOW_FRAMES,
    FREE_RECORD,
    HINTED,
    HINTED_HELD,
    IN_OPERATION,
    LOW_FRAMES,
    NOTHING,
    PRIVATE,
    PRIVATE_HELD,
    RECORDS,
    SHARED,
    State,
    chain,
    free_frame,
    kind_of,
    number_of,
    read_at_hand,
    set_entry,
    take_frame,
)
from .table import count_of, end_of, frame_of_shared, leave_shared, link_of, set_count

MOST_OPERATIONS = 1024
"""Operations that may be under way at a time."""
MOST_TRANSFERS = 4096
"""Transfers that may be."""
LARGEST = 1 << 28
"""Pages, frames and slots are named by 28 bits."""
PAGE = 4096
"""Bytes of a page."""


@attrs.frozen(kw_only=True)
class Machine:
    """How large a machine is. Sizes are in pages, one for each VM."""

    pages: tuple[int, ...]
    """The configured size of each VM."""
    minimum: tuple[int, ...]
    """What each is guaranteed."""
    overhead: tuple[int, ...] = ()
    """Frames that each needs beside its pages; none if nothing is said."""
    domains: tuple[int, ...] = ()
    """The sharing domain of each: pages are shared within one only; one for all if nothing is said."""
    frames: int
    slots: int
    low_frames: int | None = None
    """The first so many frames are low memory, which devices reach; all of them if nothing is said."""
    low_reserve: int = 0
    """Of low memory the last so many free frames are for devices and hot pages only (R-52)."""
    displace: bool = False
    """Whether a page in low memory makes room for a hot one if no low frame is free (R-47)."""
    remap_after: int = 16
    """A page is hot that was copied more often through a bounce buffer."""
    records: int | None = None
    """Records of the sharing table; one for each frame if nothing is said."""
    buckets: int | None = None
    """Chains of the sharing table, a power of two; one for four records if nothing is said."""
    width: int | None = None
    """Bits of a number in a record, 24 to 28; as few as do if nothing is said."""
    count_top: int = 65_535
    """The greatest number in a count field."""
    by_number: bool = False
    """Whether a page is known by a number of 64 bits, in place of 4,096 bytes."""
    take_over: bool = False
    """Whether a write by the last user of a shared frame takes it over in place (R-22)."""
    keep_slot: bool = False
    """Whether a page that comes in keeps its slot until it is written (R-10)."""
    swap_shared: bool = False
    """Whether pages in shared frames may be paged out as others may, to one copy (R-11)."""

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense."""
        rows = (("pages", "pages of a VM", 1), ("minimum", "minimum", 0), ("overhead", "overhead", 0),
                ("domains", "domain", 0))  # fmt: skip
        for field, name, least in rows:
            object.__setattr__(self, field, all_whole(name, getattr(self, field), least, LARGEST))
        for field, least in (("frames", 1), ("slots", 0)):
            object.__setattr__(self, field, whole(field, getattr(self, field), least, LARGEST))
        vms = len(self.pages)
        whole("VMs", vms, 1, 1 << 16)
        whole("pages in all", sum(self.pages), 1, LARGEST)
        bounds = {"count_top": (2, 65_535), "remap_after": (0, LARGEST), "low_frames": (1, self.frames),
                  "width": (24, 28), "records": (0, LARGEST - 1), "buckets": (1, 1 << 24)}  # fmt: skip
        for name, (least, most) in bounds.items():
            if getattr(self, name) is not None or name in ("count_top", "remap_after"):
                object.__setattr__(self, name, whole(name, getattr(self, name), least, most))
        object.__setattr__(self, "low_reserve", whole("low_reserve", self.low_reserve, 0, low_memory(self)))
        of_all = (0,) * vms
        for name, each in (
            ("minimum", self.minimum), ("overhead", self.overhead or of_all), ("domains", self.domains or of_all)
        ):  # fmt: skip
            if len(each) != vms:
                raise BadInput(name, each, f"a number for each of {vms} VMs")
        for size, least in zip(self.pages, self.minimum, strict=True):
            if not 0 <= least <= size:
                raise BadInput("minimum", least, f"0 to the size of its VM, {size:,}")
        for name in ("displace", "by_number", "take_over", "keep_slot", "swap_shared"):
            flag(name, getattr(self, name))
        if self.buckets is not None and self.buckets & (self.buckets - 1):
            raise BadInput("buckets", self.buckets, "a power of two")
        if self.width is not None and max(self.frames, *self.pages) > 1 << self.width:
            raise BadInput("width", self.width, "enough for the number of every frame and page")


def bits_for(machine: Machine) -> int:
    """Bits for the number of every frame, page and record."""
    largest = max(machine.frames, *machine.pages, (machine.records or 0) + 1)
    return machine.width or max(24, (largest - 1).bit_length())


def low_memory(machine: Machine) -> int:
    """How many frames are low memory; none if that is all."""
    low = machine.low_frames
    return low if low is not None and low < machine.frames else 0


def computer_memory() -> int:
    """Bytes of this computer's memory: what is promised beyond that cannot all be used."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def new_state(machine: Machine) -> State:
    """Everything free, nothing touched."""
    width = bits_for(machine)
    end = (1 << width) - 1
    records = min(machine.frames, end) if machine.records is None else machine.records
    fewest = 0 if width == 24 else 8  # the upper bits that a shared frame's record leaves out
    bits = max(fewest, (machine.buckets or max(1, records // 4)).bit_length() - 1)
    pages = sum(machine.pages)
    users = pages + MOST_OPERATIONS + MOST_TRANSFERS
    try:
        state = State(
            pmap=np.zeros(pages, np.uint32),
            words=np.zeros((machine.frames, 1 if machine.by_number else PAGE // 8), np.uint64),
            records=np.zeros((records, 2), np.uint64),
            shared_heads=np.full(1 << bits, end, np.uint32),
            hint_heads=np.full(1 << bits, end, np.uint32),
            overflow_records=np.zeros(users // machine.count_top + 1, np.int64),
            overflow_counts=np.zeros(users // machine.count_top + 1, np.int64),
            operated=np.zeros(MOST_OPERATIONS, np.int64),
            numbers=np.zeros(9, np.int64),
            first_page=np.concatenate([[0], np.cumsum(machine.pages)]).astype(np.int64),
            width=np.uint64(width),
            bucket_bits=np.uint64(bits),
            count_top=np.int64(machine.count_top),
        )
    except (MemoryError, ValueError):
        raise BadInput("frames", machine.frames, FITS) from None
    if sum(one.nbytes for one in state if isinstance(one, np.ndarray)) > computer_memory():
        raise BadInput("frames", machine.frames, FITS)
    chain(state.words[:, 0], NOTHING)
    low = low_memory(machine)
    state.numbers[FREE_LOW], state.numbers[LOW_FRAMES], state.numbers[FREE_LOW_FRAMES] = NOTHING, low, low
    if low:
        state.numbers[FREE_LOW], state.numbers[FREE_FRAME] = 0, low
        state.words[low - 1, 0] = NOTHING
    chain(state.records[:, 1], end)
    state.numbers[FREE_FRAMES] = machine.frames
    state.numbers[FREE_RECORD] = 0 if records else end
    return state


@attrs.define
class VM:
    """What is kept for a VM."""

    minimum: int
    maximum: int
    overhead: int
    runs: bool = False
    driver: str = "none"
    """Its balloon driver: none, ready, or reset if it must be reset."""
    target: int = 0
    """Pages that policy wants it to have; its minimum when it starts."""
    balloon_target: int = 0
    balloon_size: int = 0
    swap_target: int = 0
    swapped: int = 0
    resident: int = 0
    transfers: int = 0
    """Transfers under way on its pages, or on frames that they had."""
    held: list[int] = attrs.Factory(list)
    """Its overhead frames."""


class Core:
    """What all operations need: pages found by name, frames taken and given back."""

    def __init__(self, machine: Machine, hashed: Hash | None = None) -> None:
        if not isinstance(machine, Machine):
            raise BadInput("machine", repr(machine), "a Machine")
        self.machine = machine
        self.state = new_state(machine)
        self.at_hand = read_at_hand(self.state)
        """The same for what is not compiled."""
        self.slots = Store(machine.slots, self.state.words.shape[1], machine.swap_shared)
        self.copies = Copies(
            self.slots, machine.keep_slot * len(self.state.pmap), machine.swap_shared * len(self.state.records)
        )
        self.keys = Keys(Hashing(self.state.words, hashed), self.state.first_page, machine.domains)
        overhead = machine.overhead or (0,) * len(machine.pages)
        self.vms = [VM(*sizes) for sizes in zip(machine.minimum, machine.pages, overhead, strict=True)]
        self.reserved_memory = self.reserved_swap = 0
        self.stages: dict[int, tuple[Any, ...]] = {}
        """Operations under way: by page, the stage, and what it holds."""
        self.first_pages: list[int] = self.state.first_page.tolist()
        """The place of each VM's first page."""
        self.bytes = memoryview(self.state.words.reshape(-1)).cast("B")
        """What is in all frames, byte by byte."""
        self.page_bytes = int(self.state.words.shape[1]) * 8
        """Bytes of a page: 4,096, or 8 if pages are known by a number."""
        self.low_frames = low_memory(machine)
        self.copied = np.zeros(len(self.state.pmap) if self.low_frames else 0, np.uint32)
        """How often each page was copied through a bounce buffer; nothing if no memory is high."""
        self.pins: Counter[int] = Counter()
        """Transfers on each frame."""
        self.under_way: Counter[int] = Counter()
        """Transfers for each page, some of them perhaps on a shared frame that it has left since."""
        self.transfers: set[Any] = set()
        """Those under way."""

    # Names, and what they stand for.

    def vm(self, vm: int) -> VM:
        """A VM by its number."""
        return self.vms[vm if type(vm) is int and 0 <= vm < len(self.vms) else whole("VM", vm, 0, len(self.vms) - 1)]

    def place(self, vm: int, ppn: int) -> int:
        """The place of a page in the pmap."""
        size = self.vm(vm).maximum
        place = ppn if type(ppn) is int and 0 <= ppn < size else whole("page", ppn, 0, size - 1)
        return self.first_pages[vm] + place

    def running(self, vm: int) -> VM:
        """A VM that runs."""
        found = self.vm(vm)
        if not found.runs:
            raise Refusal("VM_NOT_RUNNING")
        return found

    def kind(self, page: int) -> int:
        """Where a page's contents are."""
        return int(kind_of(self.at_hand.pmap[page]))

    def those(self, kinds: tuple[int, ...]) -> list[int]:
        """The pages whose contents are in places of these kinds."""
        return [page for page, entry in enumerate(self.at_hand.pmap.tolist()) if kind_of(entry) in kinds]

    def frame(self, page: int) -> int:
        """The frame of a page that has one."""
        if self.kind(page) == SHARED:
            return int(frame_of_shared(self.state, number_of(self.at_hand.pmap[page])))
        return int(own_frame(self.at_hand, page))

    # Frames and slots.

    def new_frame(self) -> int:
        """A frame that was free; nobody has cleared it yet."""
        self.frames_for_pages(1)
        return int(take_frame(self.at_hand))

    def frames_for_pages(self, count: int) -> None:
        """Refuse if fewer frames are free that are not kept for devices: of low memory the last few are (R-52)."""
        kept = min(int(self.at_hand.numbers[FREE_LOW_FRAMES]), self.machine.low_reserve)
        if self.free_frames - kept < count:
            raise Refusal("KEPT_FOR_DEVICES" if kept else "NO_FREE_FRAME")

    def let_go(self, page: int) -> None:
        """A page no longer uses its frame: one of its own is free again, a shared one has one user less."""
        if self.kind(page) == SHARED:
            self.drop_reference(page, number_of(self.at_hand.pmap[page]))
            return
        if has_hint(self.at_hand, page):
            drop_hint(self.state, page)
        free_frame(self.at_hand, own_frame(self.at_hand, page))

    def drop_reference(self, page: int, record: int) -> None:
        """One user less, for this page, of a shared frame; without users it leaves the table and is free."""
        s = self.state
        left = count_of(s, record) - 1
        set_count(s, record, left)
        if left == 0:
            free_frame(s, self.forget_shared(page, record))

    def forget_shared(self, page: int, record: int) -> int:
        """A shared frame leaves the table, and its copy goes; which frame. The page was its last user, or still is."""
        frame = int(frame_of_shared(self.state, record))
        leave_shared(self.state, record, self.keys.of(page, frame))
        self.copies.forget_of_frame(record)
        return frame

    # Operations that take their time.

    def room_for_one_more(self) -> None:
        """Refuse if as many operations are under way as may be."""
        if self.at_hand.numbers[IN_OPERATION] == MOST_OPERATIONS:
            raise BadInput("operations under way", MOST_OPERATIONS + 1, f"at most {MOST_OPERATIONS}")

    def begin(self, page: int, *stage: Any) -> None:
        """An operation has the page from now on; there is room for it."""
        s = self.at_hand
        s.operated[s.numbers[IN_OPERATION]] = page
        s.numbers[IN_OPERATION] += 1
        self.stages[page] = stage
        self.mark_held(page)

    def end(self, page: int) -> None:
        """The operation on a page is over."""
        s = self.at_hand
        last = s.numbers[IN_OPERATION] - 1
        at = int(np.flatnonzero(s.operated[: last + 1] == page)[0])
        s.operated[at] = s.operated[last]
        s.numbers[IN_OPERATION] = last
        del self.stages[page]
        self.mark_held(page)

    def at(self, page: int, *stages: str) -> tuple[Any, ...]:
        """The stage of the operation on a page, if it is one of these."""
        stage = self.stages.get(page, ("none",))
        if stage[0] not in stages:
            raise Refusal("WRONG_STAGE")
        return stage

    def idle(self, page: int) -> None:
        """Refuse if an operation has the page."""
        if page in self.stages:
            raise Refusal("OPERATION_IN_PROGRESS")

    def mark_held(self, page: int) -> None:
        """A private page's entry says whether an operation or a transfer has it."""
        s = self.at_hand
        if is_private(s, page):
            held = page in self.stages or self.pins[own_frame(s, page)] > 0
            kinds = (HINTED, HINTED_HELD) if has_hint(s, page) else (PRIVATE, PRIVATE_HELD)
            set_entry(s, page, kinds[held], number_of(s.pmap[page]))

    def not_pinned(self, page: int) -> None:
        """Refuse if a transfer is under way on a page's frame."""
        if self.pins[self.frame(page)]:
            raise Refusal("PINNED")

    def may_leave(self, page: int) -> None:
        """Refuse if a transfer is under way for a page, on whichever frame: it cannot leave yet."""
        if self.under_way[page]:
            raise Refusal("PINNED")

    # What there is.

    def bytes_kept(self) -> int:
        """Bytes of all that is kept beside the contents of frames and slots."""
        s = self.state
        kept = (s.pmap, s.records, s.shared_heads, s.hint_heads, s.overflow_records, s.overflow_counts, s.numbers,
                s.first_page, s.operated, self.copied, self.slots.users, self.copies.of_pages,
                self.copies.of_frames)  # fmt: skip
        return int(sum(array.nbytes for array in kept))

    def counts(self) -> dict[int, tuple[int, int]]:
        """For every shared frame how many users it has, and what its count field says."""
        s, found = self.state, {}
        for head in s.shared_heads.tolist():
            record = head
            while record != end_of(s):
                field = int(count_in(s.records[record, LOW], s.width))
                found[int(frame_of_shared(s, record))] = int(count_of(s, record)), field
                record = int(link_of(s, record))
        return found

    @property
    def free_frames(self) -> int:
        """Frames that are free."""
        return int(self.at_hand.numbers[FREE_FRAMES])

    @property
    def records_in_use(self) -> int:
        """Records of the sharing table that are in use."""
        return int(self.at_hand.numbers[RECORDS])
