"""The hash of a page's contents, 64 bits, and the key of the sharing table (R-14: any function will do).

With several sharing domains the upper bits of a key are the number of the domain, and the lower ones of the hash go
without: so each domain has buckets of its own, nothing of one agrees with anything of another, and no record needs a
field for it.

Of real bytes it is XXH3. Contents that are known by a 64-bit number are mixed so that different numbers have
different hashes. A hash of one's own can be given, a weak one for instance, to see what collisions do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from operator import index
from typing import Any

import numpy as np
import xxhash

from .compiling import IS_COMPILED, compiled, short
from .refusing import BadInput
from .state import Array

Hash = Callable[[bytes], int]
"""Of what a page holds, as bytes."""

ALL_BITS = 64
ALL = (1 << ALL_BITS) - 1
_ODD_ONE, _ODD_OTHER = np.uint64(0x9E6C63D0876A9A35), np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT_ONE, _SHIFT_OTHER = np.uint64(32), np.uint64(29)


@short
def mixing(numbers: Any) -> Any:
    """For each number a hash: a permutation of the 64-bit numbers, made of steps that can be undone."""
    hashes = numbers ^ (numbers >> _SHIFT_ONE)
    hashes = hashes * _ODD_ONE
    hashes = hashes ^ (hashes >> _SHIFT_OTHER)
    hashes = hashes * _ODD_OTHER
    return hashes ^ (hashes >> _SHIFT_ONE)


def mixed(numbers: Array) -> Array:
    """The same; what does not fit into 64 bits is no mistake."""
    with np.errstate(over="ignore"):
        return mixing(numbers)


@cache
def xxh3_of_frames() -> Callable[[int, Array, Array, int, Array], None] | None:
    """A compiled loop around the library's own function, which saves what a call from Python costs; or nothing."""
    if not IS_COMPILED:
        return None
    try:
        library = import_module("xxhash._xxhash")
        functions = ctypes.CDLL(str(library.__file__))
        function = getattr(functions, "XXH3_64bits_dispatch", None) or functions.XXH3_64bits  # as a processor can do it
    except (AttributeError, ImportError, OSError):
        return None
    function.restype, function.argtypes = ctypes.c_uint64, [ctypes.c_size_t, ctypes.c_size_t]

    def loop(base: int, frames: Array, order: Array, size: int, hashes: Array) -> None:
        for at in order:
            hashes[at] = function(base + frames[at] * size, size)

    return compiled(loop, keep=False)


class Hashing:
    """Hashes what is in frames."""

    FEW = 64
    """So few are hashed one by one."""

    def __init__(self, words: Array, given: Hash | None = None) -> None:
        if given is not None and not callable(given):
            raise BadInput("hashed", repr(given), "a function of bytes that gives a whole number")
        self._words = words
        self._size = words.shape[1] * 8
        self.by_number = given is None and self._size == 8
        """Whether the hash is `mixing` of a number."""
        self._given = given
        self._bytes: Any = memoryview(words.reshape(-1)).cast("B")
        self._loop: Any = None

    def of(self, frame: int) -> int:
        """The hash of what is in one frame."""
        if self.by_number:
            return int(mixed(self._words[frame, :1])[0])
        held = self._bytes[int(frame) * self._size : (int(frame) + 1) * self._size]
        return xxhash.xxh3_64_intdigest(held) if self._given is None else self._of_its_own(bytes(held))

    def _of_its_own(self, held: bytes) -> int:
        assert self._given is not None
        try:
            return index(hashed := self._given(held)) & ALL
        except TypeError:
            raise BadInput("a hash", repr(hashed), "a whole number") from None

    def of_all(self, frames: Array) -> Array:
        """The hashes of what is in these frames: uint64."""
        if self.by_number:
            return mixed(self._words[frames, 0])
        if self._given is None and len(frames) > self.FEW:
            self._loop = self._loop or xxh3_of_frames() or self._one_by_one
            order = np.argsort(frames, kind="stable")  # memory is read several times as fast from end to end
            hashes = np.zeros(len(frames), np.uint64)
            self._loop(self._words.ctypes.data, frames, order, self._size, hashes)
            return hashes
        return np.array([self.of(frame) for frame in frames.tolist()], dtype=np.uint64)

    def _one_by_one(self, _base: int, frames: Array, _order: Array, _size: int, hashes: Array) -> None:
        hashes[:] = [self.of(frame) for frame in frames.tolist()]


class Keys:
    """The keys under which pages are in the sharing table: by their hashes, within the domains of their VMs.

    first_page: the place of each VM's first page. domains: that of each VM, any number; nothing if there is one.
    """

    def __init__(self, hashing: Hashing, first_page: Array, domains: Sequence[int] = ()) -> None:
        self.hashing, self._first_page = hashing, first_page
        places = {domain: place for place, domain in enumerate(sorted(set(domains)))}
        self._bits = np.uint64(max(0, len(places) - 1).bit_length())
        self._upper = np.array([places[domain] << (ALL_BITS - int(self._bits)) for domain in domains if self._bits],
                               np.uint64)  # fmt: skip

    @property
    def by_number(self) -> bool:
        """Whether a key is `mixing` of a number, which what is compiled can do for itself."""
        return IS_COMPILED and self.hashing.by_number and not self._bits

    def of(self, page: int, frame: int) -> Any:
        """The key of what is in a frame that a page has: uint64."""
        hashed = np.uint64(self.hashing.of(frame))
        return self._in_domain(page, hashed) if self._bits else hashed

    def of_all(self, pages: Array, frames: Array) -> Array:
        """The same of many."""
        hashes = self.hashing.of_all(frames)
        return self._in_domain(pages, hashes) if self._bits else hashes

    def _in_domain(self, pages: Any, hashes: Any) -> Any:
        vms = np.searchsorted(self._first_page, pages, side="right") - 1
        return self._upper[vms] | hashes >> self._bits
