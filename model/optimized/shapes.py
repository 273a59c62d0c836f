"""How large the memory manager and the specification's machine are that are run side by side; setting them up."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import attrs
import numpy as np

from pagelaw.spec.language import Contents
from pagelaw.spec.machine import Machine as Reference

from ..reference.setup import Hashing as ReferenceHashing
from ..reference.setup import Sizes, machine
from .comparing import domain_bits
from .hashing import Hashing
from .memory import PAGE, Machine

REMEMBERED = 1024
"""Pages whose bytes are remembered."""
SHAPES_REMEMBERED = 64
"""Shapes of which the machines are."""
WORDS_AT = (25, 4083, 1042)
"""Where the words of a small page are in its 4,096 bytes; everything else in it is zero."""


@attrs.frozen(kw_only=True)
class Shape:
    """How large the two are, small enough to compare all of it after each step."""

    pages: tuple[int, ...] = (4, 4)
    frames: int = 8
    low_frames: int | None = None
    low_reserve: int = 0
    displace: bool = False
    slots: int = 7
    vcpus: int = 3
    """Of each VM; each page-in under way needs one."""
    domains: int = 1
    """Sharing domains: the VMs are dealt out to them in turn."""
    minimum: int = 1
    overhead: int = 1
    records: int | None = None
    buckets: int = 1
    width: int = 24
    count_top: int = 2
    words: int = 2
    values: int = 3
    hashed: Callable[[bytes], int] | None = None
    """A hash of one's own, of a page's bytes."""
    by_number: bool = False
    take_over: bool = False
    keep_slot: bool = False
    swap_shared: bool = False

    @property
    def places(self) -> tuple[int, ...]:
        """Where in a page's bytes its words are: nowhere near the beginning of a cache line, and not in step."""
        return (0,) if self.by_number else WORDS_AT[: self.words]


@lru_cache(SHAPES_REMEMBERED)
def manager_of(shape: Shape) -> Machine:
    """The memory manager's machine."""
    return Machine(
        pages=shape.pages, minimum=(shape.minimum,) * len(shape.pages),
        overhead=(shape.overhead,) * len(shape.pages), frames=shape.frames, slots=shape.slots,
        domains=tuple(number % shape.domains for number in range(len(shape.pages))),
        records=shape.records, buckets=shape.buckets, width=shape.width,
        count_top=shape.count_top, by_number=shape.by_number, low_frames=shape.low_frames, remap_after=1,
        low_reserve=shape.low_reserve, displace=shape.displace,
        take_over=shape.take_over, keep_slot=shape.keep_slot, swap_shared=shape.swap_shared,
    )  # fmt: skip


@lru_cache(SHAPES_REMEMBERED)
def reference_of(shape: Shape) -> Reference:
    """The specification's machine as it begins: to be copied, not to be run."""
    shift = 3 * shape.width - 48  # a hint stores the upper 112 - 3 * width bits of a hash
    return machine(Sizes(
        vms=len(shape.pages), pages=shape.pages, vcpus=shape.vcpus, virtual_pages=1,
        frames=shape.frames, low_frames=shape.low_frames or shape.frames, slots=shape.slots, transfers=3,
        domains=shape.domains, words=shape.words, values=shape.values, minimum=shape.minimum,
        overhead=shape.overhead, low_reserve=shape.low_reserve, displace=shape.displace,
        count_top=shape.count_top, sample_size=1, take_over=shape.take_over, keep_slot=shape.keep_slot,
        swap_shared=shape.swap_shared,
    ), ReferenceHashing(lambda held: hash_of(shape, held), lambda key: key >> shift))  # fmt: skip


def hash_of(shape: Shape, held: Contents) -> int:
    """The manager's key of the specification's page, but for its domain."""
    row = np.frombuffer(row_of(shape, tuple([value.number for value in held.words])), np.uint64).reshape(1, -1)
    return Hashing(row.copy(), shape.hashed).of(0) >> domain_bits(shape.domains)


def row_of(shape: Shape, words: tuple[int, ...]) -> bytes:
    """The bytes of a page whose words are these."""
    return row_with(shape.places, words, 8 if shape.by_number else PAGE)


@lru_cache(REMEMBERED)
def row_with(places: tuple[int, ...], words: tuple[int, ...], size: int) -> bytes:
    """The bytes of a page of this size whose words, which are at these places, are these."""
    row = bytearray(size)
    for at, value in zip(places, words, strict=True):
        row[at : at + 8] = value.to_bytes(8, "little")
    return bytes(row)
