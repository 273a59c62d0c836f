"""What guests do, in microseconds of their time: boot, keep a working set, use files, do nothing.

A workload has turns. In each it goes on until the guest's budget is used up, or it is through; it says whether it is
through. Blocks are numbered within a guest; what a block holds is a number that says so for all guests, so that
two guests that hold the same have pages that can be shared.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Protocol

from .guests import MEMORY_US, Guest

Holds = Callable[[int], int]
"""What a block holds: a number above 0."""

SYSTEM, FILES, PROGRAM = 0, 10_000_000, 20_000_000
"""Where the numbers of blocks begin: of the operating system, of files, of programs' memory."""


def own(guest: int) -> Holds:
    """Blocks that no other guest has."""
    return lambda block: 1 + block + (guest + 1) * 100_000_000


def system_or_own(guest: int) -> Holds:
    """Blocks of the system are the same in all guests, others in none."""
    of_guest = own(guest)
    return lambda block: common(block) if block < FILES else of_guest(block)


def common(block: int) -> int:
    """Blocks that are the same in all guests that have them, such as the operating system's files."""
    return 1 + block


class Workload(Protocol):
    """Something that a guest does."""

    def turn(self, guest: Guest) -> bool:
        """Go on while the guest has time; whether it is through. May raise Waits, and then goes on where it was."""
        ...


class Zeroing:
    """The guest zeroes its free memory, as some systems do when they boot; all of it, or so many pages."""

    def __init__(self, us: int = MEMORY_US, pages: int | None = None) -> None:
        self.us = us
        """Microseconds that it takes for a page."""
        self.left = pages

    def turn(self, guest: Guest) -> bool:
        """Page by page; the pages stay free."""
        if self.left is None:
            self.left = len(guest.free)
        while guest.budget > 0:
            if self.left <= 0:
                return True
            guest.clear(guest.free[0])
            guest.free.rotate(-1)
            guest.budget += MEMORY_US - self.us
            self.left -= 1
        return False


class DriverStarts:
    """The guest has booted so far that its balloon driver starts."""

    def turn(self, guest: Guest) -> bool:
        """At once."""
        guest.has_driver = True
        return True


class Reading:
    """Blocks are read from disk, each once, as when a system boots or a program is loaded."""

    def __init__(self, blocks: range, holds: Holds) -> None:
        self.blocks, self.holds = blocks, holds
        self.at = 0

    def turn(self, guest: Guest) -> bool:
        """In their order."""
        while guest.budget > 0:
            if self.at >= len(self.blocks):
                return True
            block = self.blocks[self.at]
            guest.use(block, self.holds(block))
            self.at += 1
        return False


class Using:
    """Blocks are used at random, each as likely, without an end: a file server, or a program at its data.

    also: other blocks, and after how many uses one of them is used too: the system, say, or files that are read once
    in a long while, and so fill all memory that the guest has to spare.
    """

    def __init__(
        self, blocks: range, holds: Holds, random: Random, us: int = 0, also: Sequence[tuple[range, int]] = ()
    ) -> None:
        self.holds = holds
        self.us = us
        """Microseconds of work on each, beside what it takes to have it."""
        self.any = self._any(blocks, also, random.random)

    @staticmethod
    def _any(blocks: range, also: Sequence[tuple[range, int]], random: Callable[[], float]) -> Iterator[int]:
        first, count, often = blocks.start, len(blocks), min((after for _, after in also), default=1000)
        for round_ in itertools.count(1):
            for _ in range(often):
                yield first + int(random() * count)
            for others, after in also:
                if round_ % (after // often) == 0:
                    yield others[int(random() * len(others))]

    def turn(self, guest: Guest) -> bool:
        """Any of them, and any again."""
        guest.use_each(self.any, self.holds, self.us)
        return False


class Making:
    """A program writes memory of its own, block after block, and again and again if it is to go on."""

    def __init__(self, blocks: range, holds: Holds, us: int = 0, once: bool = False) -> None:
        self.blocks, self.holds, self.us, self.once = blocks, holds, us, once
        self.at = 0

    def turn(self, guest: Guest) -> bool:
        """In their order."""
        while guest.budget > 0:
            if self.once and self.at >= len(self.blocks):
                return True
            block = self.blocks[self.at % len(self.blocks)]
            guest.make(block, self.holds(block))
            guest.budget -= self.us
            self.at += 1
        return False


class Ending:
    """A program ends, and its memory is free again."""

    def __init__(self, blocks: range) -> None:
        self.blocks = blocks

    def turn(self, guest: Guest) -> bool:
        """At once."""
        guest.drop(self.blocks)
        return True


class Until:
    """Something goes on until a second of the run."""

    def __init__(self, second: int, workload: Workload | None = None) -> None:
        self.second, self.workload = second, workload

    def turn(self, guest: Guest) -> bool:
        """As long as it is not that late."""
        if guest.now >= self.second:
            return True
        if self.workload is not None and self.workload.turn(guest):
            self.workload = None  # it is through: the guest is idle until then
        return False


class InTurn:
    """One thing after the other."""

    def __init__(self, *workloads: Workload) -> None:
        self.workloads: Sequence[Workload] = workloads
        self.at = 0

    def turn(self, guest: Guest) -> bool:
        """The one that it is at; what is left of the turn is the next one's."""
        while self.at < len(self.workloads):
            if not self.workloads[self.at].turn(guest):
                return False
            self.at += 1
        return True
