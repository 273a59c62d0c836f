"""The sharing table (4.3): shared frames and hints, chained in buckets, and an overflow table for large counts.

One array of records holds both kinds. A bucket has two chains, so that which kind a record is need not be stored:
one of shared frames, looked through first (R-15), and one of hints.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiling import compiled, short
from .records import (
    HIGH,
    LOW,
    count_in,
    cut_for_hint,
    cut_for_shared,
    frame_in_hint,
    frame_in_shared,
    hash_in_hint,
    hash_in_shared,
    hint_words,
    link_in,
    ones,
    over,
    ppn_in_hint,
    shared_words,
    vm_in_hint,
    with_count,
    with_link,
)
from .state import FREE_RECORD, OVERFLOWING, RECORDS, Number, State, vm_of

NO_RECORD = -1


@short
def end_of(s: State) -> Number:
    """The number that ends a chain: all ones."""
    return np.int64(ones(s.width))


@short
def link_of(s: State, record: Number) -> Number:
    """The next record."""
    return np.int64(link_in(s.records[record, LOW], s.width))


@compiled
def set_link(s: State, record: Number, link: Number) -> None:
    """Another record is the next one."""
    s.records[record, LOW] = with_link(s.records[record, LOW], np.uint64(link), s.width)


@compiled
def bucket_of(s: State, hashed: Any) -> Number:
    """The upper bits of a hash; in two shifts, as a shift by all 64 bits is none for a processor."""
    return np.int64(hashed >> np.uint64(1) >> (np.uint64(63) - s.bucket_bits))


# Records that are free.


@compiled
def take_record(s: State) -> Number:
    """A free record; NO_RECORD if the table is full."""
    record = s.numbers[FREE_RECORD]
    if record == end_of(s):
        return NO_RECORD
    s.numbers[FREE_RECORD] = link_of(s, record)
    s.numbers[RECORDS] += 1
    return record


@compiled
def free_record(s: State, record: Number) -> None:
    """A record is no longer needed."""
    s.records[record, HIGH] = np.uint64(0)
    s.records[record, LOW] = np.uint64(s.numbers[FREE_RECORD])
    s.numbers[FREE_RECORD] = record
    s.numbers[RECORDS] -= 1


# Shared frames.


@compiled
def find_shared(s: State, hashed: Any) -> Number:
    """The record of the shared frame with this hash, or NO_RECORD."""
    stored, end = cut_for_shared(hashed, s.width), end_of(s)
    record = np.int64(s.shared_heads[bucket_of(s, hashed)])
    while record != end:
        if hash_in_shared(s.records[record, HIGH], s.width) == stored:
            return record
        record = link_of(s, record)
    return NO_RECORD


@short
def frame_of_shared(s: State, record: Number) -> Number:
    """The frame that pages share."""
    return np.int64(frame_in_shared(s.records[record, HIGH], s.records[record, LOW], s.width))


@compiled
def enter_shared(s: State, record: Number, hashed: Any, frame: Number) -> None:
    """A record that is in no chain becomes that of a shared frame with one user."""
    bucket = bucket_of(s, hashed)
    high, low = shared_words(
        cut_for_shared(hashed, s.width), np.uint64(frame), np.uint64(1), np.uint64(s.shared_heads[bucket]), s.width
    )
    s.records[record, HIGH] = high
    s.records[record, LOW] = low
    s.shared_heads[bucket] = record


@compiled
def leave_shared(s: State, record: Number, hashed: Any) -> None:
    """A shared frame without users leaves the table; `hashed` is the hash of what is in it."""
    unchain(s, s.shared_heads, bucket_of(s, hashed), record)
    free_record(s, record)


@compiled
def count_of(s: State, record: Number) -> Number:
    """How many users a shared frame has: the field, or the overflow table."""
    count = np.int64(count_in(s.records[record, LOW], s.width))
    if count == s.count_top:
        return s.overflow_counts[place_in_overflow(s, record)]
    return count


@compiled
def set_count(s: State, record: Number, count: Number) -> None:
    """Store a count: in the field, or from `count_top` on in the overflow table."""
    field = np.int64(count_in(s.records[record, LOW], s.width))
    if count >= s.count_top:
        place = place_in_overflow(s, record) if field == s.count_top else s.numbers[OVERFLOWING]
        if place == s.numbers[OVERFLOWING]:
            s.overflow_records[place] = record
            s.numbers[OVERFLOWING] += 1
        s.overflow_counts[place] = count
    elif field == s.count_top:
        place = place_in_overflow(s, record)
        if place < s.numbers[OVERFLOWING]:
            last = s.numbers[OVERFLOWING] - 1
            s.overflow_records[place] = s.overflow_records[last]
            s.overflow_counts[place] = s.overflow_counts[last]
            s.numbers[OVERFLOWING] = last
    kept = count if count < s.count_top else s.count_top
    s.records[record, LOW] = with_count(s.records[record, LOW], np.uint64(kept), s.width)


@compiled
def place_in_overflow(s: State, record: Number) -> Number:
    """Where the overflow table has a record's count; the end of it if it has none."""
    place = 0
    while place < s.numbers[OVERFLOWING] and s.overflow_records[place] != record:
        place += 1
    return place


# Hints.


@compiled
def first_hint(s: State, hashed: Any) -> Number:
    """The first record of the chain in which hints of this hash are; NO_RECORD if it is empty."""
    return following_or_none(s, np.int64(s.hint_heads[bucket_of(s, hashed)]))


@compiled
def following_or_none(s: State, record: Number) -> Number:
    """NO_RECORD for the end of a chain."""
    return NO_RECORD if record == end_of(s) else record


@compiled
def hint_agrees(s: State, record: Number, hashed: Any) -> bool:
    """Whether what a hint stores of its hash agrees with this one."""
    return bool(hash_in_hint(s.records[record, HIGH], s.width) == cut_for_hint(hashed, s.width))


@short
def frame_of_hint(s: State, record: Number) -> Number:
    """The frame of the page that left a hint."""
    return np.int64(frame_in_hint(s.records[record, HIGH], s.width))


@compiled
def page_of_hint(s: State, record: Number) -> Number:
    """The page that left a hint, by its place in the pmap."""
    vm = vm_in_hint(s.records[record, HIGH], s.records[record, LOW], s.width)
    return s.first_page[np.int64(vm)] + np.int64(ppn_in_hint(s.records[record, LOW], s.width))


@compiled
def enter_hint(s: State, record: Number, hashed: Any, frame: Number, page: Number) -> None:
    """A record that is in no chain becomes a page's hint."""
    bucket, vm = bucket_of(s, hashed), vm_of(s, page)
    high, low = hint_words(
        cut_for_hint(hashed, s.width), np.uint64(frame), np.uint64(vm), np.uint64(page - s.first_page[vm]),
        np.uint64(s.hint_heads[bucket]), s.width,
    )  # fmt: skip
    s.records[record, HIGH] = high
    s.records[record, LOW] = low
    s.hint_heads[bucket] = record


@compiled
def unchain_hint(s: State, record: Number) -> None:
    """A hint leaves its chain. The bits it stores of its hash say which that is."""
    stored = hash_in_hint(s.records[record, HIGH], s.width)
    bits = np.uint64(64) - s.width - over(s.width)
    unchain(s, s.hint_heads, np.int64(stored >> (bits - s.bucket_bits)), record)


@compiled
def unchain(s: State, heads: Any, bucket: Number, record: Number) -> None:
    """Take a record out of a chain."""
    link = link_of(s, record)
    if heads[bucket] == record:
        heads[bucket] = link
        return
    before = np.int64(heads[bucket])
    while link_of(s, before) != record:
        before = link_of(s, before)
    set_link(s, before, link)
