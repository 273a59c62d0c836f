"""What the manager keeps, in arrays: what there is of it for each page, frame and record.

A page has 4 bytes, its entry in the pmap: three bits say where its contents are, 28 which frame, record or slot
that is, and one whether an attempt to share it found nothing. A page that has left a hint, or shares a frame, names
its record, which names the frame. A record has 16 bytes (`records`); two tables of buckets, for shared frames and
for hints, have 4 bytes a bucket and a bucket for at least four records. That makes 22 bytes for a page with a frame
and a record. Free frames and free records are kept in chains through themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .compiling import compiled, short

UNTOUCHED, PRIVATE, HINTED, SHARED, BALLOONED, SWAPPED, PRIVATE_HELD, HINTED_HELD = range(8)
"""Where a page's contents are. Held: an operation or a transfer has the page, whose frame is its own."""
PRIVATE_KINDS = (PRIVATE, HINTED, PRIVATE_HELD, HINTED_HELD)
"""Of these the page's frame is its own."""
IS_PRIVATE = np.isin(np.arange(8), PRIVATE_KINDS)
"""The same by kind."""
TRIED = 1 << 31
"""An attempt to share the page before a page-out found nothing (R-13)."""
NUMBER = (1 << 28) - 1
NOTHING = (1 << 32) - 1
"""No frame, no slot: the end of a chain."""

(FREE_FRAME, FREE_FRAMES, FREE_RECORD, RECORDS, OVERFLOWING, IN_OPERATION,
 FREE_LOW, LOW_FRAMES, FREE_LOW_FRAMES) = range(9)  # fmt: skip
"""The single numbers: the first free frame, of high memory if there is some, and how many are free in all, the first
free record, records in use, entries in use of the overflow table, and pages that an operation has; the first free frame
of low memory, how many frames that has (none if no memory is high), and how many of them are free."""

AT_ONCE = 64
"""Words compared before it is looked whether any differ."""
Array = Any
"""A numpy array."""
Number = Any
"""A whole number, Python's or numpy's."""


class State(NamedTuple):
    """All of it. Compiled functions take it as it is."""

    pmap: Array
    """For every page, VM after VM: uint32."""
    words: Array
    """What is in every frame: uint64, 512 for real bytes, one for contents that are known by a number."""
    records: Array
    """The sharing table: uint64, two a record."""
    shared_heads: Array
    """The first record of every chain of shared frames: uint32."""
    hint_heads: Array
    """The first record of every chain of hints."""
    overflow_records: Array
    """The overflow table (ESX-4.3-11): which record, int64, and its count in `overflow_counts`."""
    overflow_counts: Array
    operated: Array
    """The pages that an operation has, in no order: int64."""
    numbers: Array
    """The single numbers, int64."""
    first_page: Array
    """For every VM the place of its first page in `pmap`, and then the number of all pages: int64."""
    width: Any
    """Bits of the number of a frame, a page or a record: uint64."""
    bucket_bits: Any
    """The upper bits of a hash say the bucket: so many."""
    count_top: Any
    """The greatest number in a count field: it says that the overflow table has the count (R-23)."""


def chain(links: Any, end: int) -> None:
    """Each names the next one, the last the end."""
    for first in range(0, len(links), 1 << 20):
        part = links[first : first + (1 << 20)]
        part[:] = np.arange(first + 1, first + len(part) + 1, dtype=np.uint64)
    links[-1:] = end


def read_at_hand(s: State) -> State:
    """The same, of which Python reads pages' entries and single numbers as its own numbers: several times as fast."""
    return s._replace(pmap=memoryview(s.pmap), numbers=memoryview(s.numbers))


@short
def kind_of(entry: Any) -> Number:
    """Where the page's contents are."""
    return int(entry) >> 28 & 7


@short
def number_of(entry: Any) -> Number:
    """Which frame, record or slot."""
    return int(entry) & NUMBER


@short
def set_entry(s: State, page: Number, kind: Number, number: Number) -> None:
    """A page's contents are elsewhere now; what was tried stays as it is."""
    s.pmap[page] = (int(s.pmap[page]) & TRIED) | kind << 28 | number


@short
def set_tried(s: State, page: Number, tried: bool) -> None:
    """Whether an attempt to share the page found nothing."""
    s.pmap[page] = (int(s.pmap[page]) & (TRIED - 1)) | (TRIED if tried else 0)


@short
def take_frame(s: State) -> Number:
    """The first free frame, of low memory only if there is no other; or NOTHING. None of them is kept for devices."""
    return take_from(s, FREE_LOW if s.numbers[FREE_FRAME] == NOTHING else FREE_FRAME)


@short
def take_from(s: State, which: Number) -> Number:
    """The first free frame of high memory, or of low memory; or NOTHING."""
    frame = s.numbers[which]
    if frame != NOTHING:
        s.numbers[which] = int(s.words[frame, 0])
        s.numbers[FREE_FRAMES] -= 1
        if which == FREE_LOW:
            s.numbers[FREE_LOW_FRAMES] -= 1
    return frame


@short
def free_frame(s: State, frame: Number) -> None:
    """A frame has no use any more: its first word names the next free one."""
    which = FREE_FRAME
    if frame < s.numbers[LOW_FRAMES]:
        which = FREE_LOW
        s.numbers[FREE_LOW_FRAMES] += 1
    s.words[frame, 0] = np.uint64(s.numbers[which])
    s.numbers[which] = frame
    s.numbers[FREE_FRAMES] += 1


@compiled
def touch_many(s: State, first: Number, frames: Array) -> None:
    """So many untouched pages, one after the other, get the first free frames, which are noted in `frames`."""
    for at in range(len(frames)):
        frames[at] = take_frame(s)
        s.pmap[first + at] = PRIVATE << 28 | frames[at]


@compiled
def same(s: State, one: Number, other: Number) -> bool:
    """Whether two frames hold the same, compared in full."""
    words = s.words.shape[1]
    if words == 1:
        return bool(s.words[one, 0] == s.words[other, 0])
    for start in range(0, words, AT_ONCE):
        differ = np.uint64(0)
        for word in range(start, start + AT_ONCE):
            differ |= s.words[one, word] ^ s.words[other, word]
        if differ != 0:
            return False
    return True


@compiled
def vm_of(s: State, page: Number) -> Number:
    """Whose page it is."""
    low, high = 0, len(s.first_page) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if s.first_page[middle] <= page:
            low = middle
        else:
            high = middle
    return low


@compiled
def is_in_operation(s: State, page: Number) -> bool:
    """Whether an operation has the page. There are few."""
    for at in range(s.numbers[IN_OPERATION]):  # noqa: SIM110  (compiled: no generators)
        if s.operated[at] == page:
            return True
    return False
