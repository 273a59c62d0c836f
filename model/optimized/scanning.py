"""A scan, page by page or of many pages at once: look the hash up, compare in full, share, or leave a hint (4.2).

A hinted page is not hashed again before it is compared: if the two pages are equal, so are their hashes. Only if
they differ its hash has to be known, to tell a stale hint from a false match; that ends a batch, which is then gone
on with when the hash is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiling import IS_COMPILED, compiled, inner, short
from .hashing import mixing
from .records import cut_for_hint
from .state import (
    HINTED,
    HINTED_HELD,
    PRIVATE,
    PRIVATE_HELD,
    SHARED,
    Array,
    Number,
    State,
    free_frame,
    is_in_operation,
    kind_of,
    number_of,
    same,
    set_entry,
    set_tried,
    vm_of,
)
from .table import (
    NO_RECORD,
    bucket_of,
    count_of,
    end_of,
    enter_hint,
    enter_shared,
    find_shared,
    first_hint,
    following_or_none,
    frame_of_hint,
    frame_of_shared,
    free_record,
    hint_agrees,
    link_of,
    page_of_hint,
    set_count,
    take_record,
    unchain_hint,
)

(
    NOT_PRIVATE, PINNED, FOUND_SHARED, FOUND_HINT, FALSE_HINT, MISSED, NEEDS_HASH,
    MERGED, FALSE_MATCH, LEFT_HINT, HINT_PRESENT, TABLE_FULL,
) = range(12)  # fmt: skip
"""What a look or a scan found, or did. PINNED: a transfer has one of the two pages."""
AHEAD = 64
"""For so many pages memory is read ahead."""


@short
def has_hint(s: State, page: Number) -> bool:
    """Whether the page has left a hint that still stands."""
    kind = kind_of(s.pmap[page])
    return kind in (HINTED, HINTED_HELD)


@short
def is_held(s: State, page: Number) -> bool:
    """Whether an operation or a transfer has the page, whose frame is its own."""
    kind = kind_of(s.pmap[page])
    return kind in (PRIVATE_HELD, HINTED_HELD)


@short
def is_private(s: State, page: Number) -> bool:
    """Whether the page's frame is its own."""
    kind = kind_of(s.pmap[page])
    return kind in (PRIVATE, HINTED, PRIVATE_HELD, HINTED_HELD)


@short
def own_frame(s: State, page: Number) -> Number:
    """The frame of a page that has one for itself."""
    number = number_of(s.pmap[page])
    return frame_of_hint(s, number) if has_hint(s, page) else number


@compiled
def with_own_frames(s: State, runs: Array, places: Array, chosen: Array, frames: Array) -> Number:
    """How many of these pages of running VMs have a frame of their own; which of them in `chosen`, their frames.

    If one is no page at all: where it is, counted from -1 downwards.
    """
    count = 0
    for at in range(len(places)):
        if places[at] < 0 or places[at] >= len(s.pmap):
            return -1 - at
        if is_private(s, places[at]) and runs[vm_of(s, places[at])]:
            chosen[count] = at
            frames[count] = own_frame(s, places[at])
            count += 1
    return count


@inner
def look(s: State, page: Number, hashed: Any, known: Number, known_hash: Any) -> tuple[Number, Number]:
    """What a page's hash leads to: a shared frame, a live hint, or nothing; and the record. Stale hints go.

    known: the record that a hash was needed for, which is `known_hash`: it is gone on from there; or NO_RECORD.
    """
    record = find_shared(s, hashed)
    if record != NO_RECORD:
        return FOUND_SHARED, record
    frame = own_frame(s, page)
    record = first_hint(s, hashed) if known == NO_RECORD else known
    while record != NO_RECORD:
        following = following_or_none(s, link_of(s, record))
        if hint_agrees(s, record, hashed) and page_of_hint(s, record) != page:
            other = page_of_hint(s, record)
            operated = kind_of(s.pmap[other]) == HINTED_HELD and is_in_operation(s, other)
            if same(s, frame, frame_of_hint(s, record)):
                if not operated:
                    return FOUND_HINT, record
            elif record != known:
                return NEEDS_HASH, record
            elif cut_for_hint(known_hash, s.width) != cut_for_hint(hashed, s.width):
                drop_hint(s, other)
            elif known_hash == hashed and not operated:
                return FALSE_HINT, record
        record = following
    return MISSED, NO_RECORD


@compiled
def drop_hint(s: State, page: Number) -> None:
    """A page's hint goes; the page has a frame of its own, as before."""
    entry = s.pmap[page]
    record = number_of(entry)
    frame = frame_of_hint(s, record)
    unchain_hint(s, record)
    free_record(s, record)
    set_entry(s, page, PRIVATE if kind_of(entry) == HINTED else PRIVATE_HELD, frame)


@compiled
def share_hinted(s: State, record: Number, hashed: Any) -> None:
    """The page that left a hint comes to have a shared frame, with one user; the record stays its own."""
    page, frame = page_of_hint(s, record), frame_of_hint(s, record)
    unchain_hint(s, record)
    enter_shared(s, record, hashed, frame)
    set_entry(s, page, SHARED, record)


@compiled
def merge(s: State, page: Number, record: Number) -> None:
    """A page shares a frame from now on, and its own is free. The reference is there already."""
    if has_hint(s, page):
        drop_hint(s, page)
    free_frame(s, own_frame(s, page))
    set_entry(s, page, SHARED, record)
    set_tried(s, page, False)


@compiled
def leave_hint(s: State, page: Number, hashed: Any) -> Number:
    """A page leaves a hint in place of an older one."""
    frame = own_frame(s, page)
    held = is_held(s, page)
    if has_hint(s, page):
        record = number_of(s.pmap[page])
        if hint_agrees(s, record, hashed):
            return HINT_PRESENT
        unchain_hint(s, record)
    else:
        record = take_record(s)
        if record == NO_RECORD:
            return TABLE_FULL
    enter_hint(s, record, hashed, frame, page)
    set_entry(s, page, HINTED_HELD if held else HINTED, record)
    return LEFT_HINT


@inner
def scan_one(
    s: State, page: Number, hashed: Any, leaving: bool, known: Number, known_hash: Any
) -> tuple[Number, Number]:
    """A whole scan of one page, if nothing has to be asked."""
    held = is_held(s, page)
    if not is_private(s, page) or (held and is_in_operation(s, page)):
        return NOT_PRIVATE, NO_RECORD
    found, record = look(s, page, hashed, known, known_hash)
    by_hint = found in (FOUND_HINT, FALSE_HINT)
    if by_hint or found == FOUND_SHARED:
        if held or (by_hint and is_held(s, page_of_hint(s, record))):
            return PINNED, record
        if by_hint:
            share_hinted(s, record, hashed)
        if found != FOUND_HINT and not same(s, own_frame(s, page), frame_of_shared(s, record)):
            set_tried(s, page, True)
            return FALSE_MATCH, record
        set_count(s, record, count_of(s, record) + 1)
        merge(s, page, record)
        return MERGED, record
    if found == MISSED:
        if leaving:
            set_tried(s, page, True)
        else:
            found = leave_hint(s, page, hashed)
    return found, record


@compiled
def scan_many(
    s: State, pages: Array, hashes: Array, outcomes: Array, start: Number, known: Number, known_hash: Any,
    by_number: bool,
) -> tuple[Number, Number]:
    """Scan these pages in order, as far as nothing has to be asked; where it stopped, and the record asked about.

    by_number: hashes are made of numbers, so none has to be asked for.
    """
    for at in range(start, len(pages)):
        if IS_COMPILED and at % AHEAD == 0:
            look_ahead(s, pages[at : at + AHEAD], hashes[at : at + AHEAD], outcomes[at : at + AHEAD])
        found, record = scan_one(s, pages[at], hashes[at], False, known, known_hash)
        while found == NEEDS_HASH and by_number:
            known_hash = mixing(s.words[frame_of_hint(s, record), 0])
            found, record = scan_one(s, pages[at], hashes[at], False, record, known_hash)
        if found == NEEDS_HASH:
            return at, record
        outcomes[at] = found
        known = NO_RECORD
    return len(pages), NO_RECORD


@compiled
def look_ahead(s: State, pages: Array, hashes: Array, read: Array) -> None:
    """Read what looks for these pages are going to read: of many pages at a time, so that a processor need not wait
    for the memory of one to ask for that of the next. Nothing rests on it; it is put down, or it would not be read.
    """
    for at in range(len(pages)):
        bucket = bucket_of(s, hashes[at])
        read[at] = s.shared_heads[bucket] ^ s.hint_heads[bucket] ^ s.pmap[pages[at]]
    for at in range(len(pages)):
        bucket = bucket_of(s, hashes[at])
        for head in (s.shared_heads[bucket], s.hint_heads[bucket]):
            if head != end_of(s):
                read[at] ^= link_of(s, np.int64(head))
        read[at] ^= np.int64(s.words[own_frame(s, pages[at]), 0])
    for at in range(len(pages)):
        record = find_shared(s, hashes[at])
        if record != NO_RECORD:
            read[at] ^= np.int64(s.words[frame_of_shared(s, record), 0])
        record = first_hint(s, hashes[at])
        while record != NO_RECORD:
            if hint_agrees(s, record, hashes[at]):
                read[at] ^= np.int64(s.words[frame_of_hint(s, record), 0]) ^ s.pmap[page_of_hint(s, record)]
            record = following_or_none(s, link_of(s, record))
