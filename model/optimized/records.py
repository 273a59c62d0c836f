"""The 16 bytes of a record of the sharing table: two words of 64 bits.

What the fields are is said in `pagelaw.spec.records`; here they are put together and taken apart with shifts, for
numbers of frames, pages and records of `width` bits, 24 to 28. Every value is a 64-bit word without sign, whoever
computes with it: numpy, compiled code, or a solver that is given the same text with bit-vectors for words.

A shared frame takes the lower bits of its hash, as the bucket it is found in says the upper ones; a hint has the
upper bits only (ESX-4.3-05).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiling import compiled

ONE, SIXTEEN, FORTY_EIGHT, SIXTY_FOUR = np.uint64(1), np.uint64(16), np.uint64(48), np.uint64(64)
HIGH, LOW = 0, 1
"""Which of the two words."""

Word = Any
"""64 bits, without sign."""


@compiled
def ones(width: Word) -> Word:
    """So many ones, at the lower end; fewer than 64."""
    return (ONE << width) - ONE


@compiled
def over(width: Word) -> Word:
    """How many bits do not fit into the lower word beside one number, 16 bits and another number: 0 to 8."""
    return width + width - FORTY_EIGHT


@compiled
def shared_words(stored: Word, frame: Word, count: Word, link: Word, width: Word) -> tuple[Word, Word]:
    """The record of a shared frame: lower bits of its hash, frame, count, next record in the chain."""
    spilt = over(width)
    high = stored << spilt | frame >> (width - spilt)
    low = (frame & ones(width - spilt)) << (width + SIXTEEN) | count << width | link
    return high, low


@compiled
def hint_words(stored: Word, frame: Word, vm: Word, ppn: Word, link: Word, width: Word) -> tuple[Word, Word]:
    """The record of a hint: upper bits of its hash, frame, whose page it is, next record in the chain."""
    spilt = over(width)
    high = stored << (width + spilt) | frame << spilt | vm >> (SIXTEEN - spilt)
    low = (vm & ones(SIXTEEN - spilt)) << (width + width) | ppn << width | link
    return high, low


@compiled
def link_in(low: Word, width: Word) -> Word:
    """The next record in the chain: the same bits in both kinds."""
    return low & ones(width)


@compiled
def with_link(low: Word, link: Word, width: Word) -> Word:
    """The lower word with another next record."""
    return low >> width << width | link


@compiled
def count_in(low: Word, width: Word) -> Word:
    """The count field of a shared frame."""
    return low >> width & ones(SIXTEEN)


@compiled
def with_count(low: Word, count: Word, width: Word) -> Word:
    """The lower word of a shared frame with another count."""
    return low & ~(ones(SIXTEEN) << width) | count << width


@compiled
def frame_in_shared(high: Word, low: Word, width: Word) -> Word:
    """The frame of a shared frame's record."""
    spilt = over(width)
    return (high & ones(spilt)) << (width - spilt) | low >> (width + SIXTEEN)


@compiled
def hash_in_shared(high: Word, width: Word) -> Word:
    """The lower bits of the hash that it stores: all 64 for numbers of 24 bits, 56 for 28."""
    return high >> over(width)


@compiled
def frame_in_hint(high: Word, width: Word) -> Word:
    """The frame of a hint."""
    return high >> over(width) & ones(width)


@compiled
def hash_in_hint(high: Word, width: Word) -> Word:
    """The upper bits of the hash that a hint stores: 40 for numbers of 24 bits, 28 for 28."""
    return high >> (width + over(width))


@compiled
def vm_in_hint(high: Word, low: Word, width: Word) -> Word:
    """The VM whose page left the hint."""
    spilt = over(width)
    return (high & ones(spilt)) << (SIXTEEN - spilt) | low >> (width + width)


@compiled
def ppn_in_hint(low: Word, width: Word) -> Word:
    """The page's number in its VM."""
    return low >> width & ones(width)


@compiled
def cut_for_shared(hashed: Word, width: Word) -> Word:
    """What of a hash a shared frame stores."""
    spilt = over(width)
    return hashed << spilt >> spilt


@compiled
def cut_for_hint(hashed: Word, width: Word) -> Word:
    """What of a hash a hint stores."""
    return hashed >> (width + over(width))


__all__ = [
    "HIGH",
    "LOW",
    "Word",
    "count_in",
    "cut_for_hint",
    "cut_for_shared",
    "frame_in_hint",
    "frame_in_shared",
    "hash_in_hint",
    "hash_in_shared",
    "hint_words",
    "link_in",
    "ones",
    "over",
    "ppn_in_hint",
    "shared_words",
    "vm_in_hint",
    "with_count",
    "with_link",
]
