"""Runs of the memory manager beside the specification: seeded ones in batches, and a difference made short.

Every operation is done in both, and its refusals and choices are judged at once; that both keep the same is looked
at after each so many operations, and when a batch is over. If something differs the batch is done again, looked at
after each operation, and operations are left out as long as it still differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ..reference.shortening import shortened
from .drawing import Operation, beginning, drawn
from .pairing import Differs, Pair, ending
from .shapes import WORDS_AT, Shape

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

T = TypeVar("T")

CORNERS = (
    "a count goes into the overflow table", "a count comes out of it", "a chain of three", "stale hint dropped",
    "a hint agrees in part only", "equal hashes, different bytes", "a page changes between scan and comparison",
    "one record is free", "TableFull", "listed in another domain only", "listed in two domains",
    "the last user takes a frame over", "a page leaves without a write", "a page leaves for the copy of its frame",
    "a copy goes", "a slot has three users",
    "a bounce buffer is taken", "what a device wrote to a buffer arrives", "a page with a hint moves",
    "a kept frame is taken for a buffer", "a hot page gets a kept frame", "make_room",
    "a page leaves a frame that a device reads for another",
    "a page waits for its transfer on a frame that it has left",
)  # fmt: skip
"""What a run has to come to, beside all that is refused."""


class Quick(Random):
    """A seeded source of chance that is drawn from quickly: of small numbers, all but equally likely."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """A number from 0 to below `start`, or as usual."""
        return int(self.random() * start) if stop is None else super().randrange(start, stop, step)

    def choice(self, seq: SupportsLenAndGetItem[T]) -> T:
        """One of them."""
        return seq[int(self.random() * len(seq))]


@attrs.frozen
class Fault:
    """Operations after which the two differ, of which none can be left out; how many there were at first."""

    shape: Shape
    operations: tuple[Operation, ...]
    told: str
    done: int

    def program(self) -> str:
        """The same, to be run."""
        lines = [f"pair.do({', '.join(map(repr, operation))})" for operation in self.operations]
        usual, given = Shape(), []
        for field in attrs.fields(Shape):
            value = getattr(self.shape, field.name)
            if value != getattr(usual, field.name):
                given.append(f"{field.name}={getattr(value, '__name__', repr(value))}")
        return "\n".join([f"pair = Pair(Shape({', '.join(given)}))", *lines, f"# {self.told}"])


def replay(shape: Shape, operations: Iterable[Operation]) -> tuple[list[Operation], str] | None:
    """The operations up to the first difference, and what that is; None if there is none."""
    pair, done = Pair(shape), []
    for operation in operations:
        done.append(operation)
        try:
            pair.do(*operation)
        except Differs as found:
            return done, str(found)
    return None


def made_short(shape: Shape, operations: Sequence[Operation], done: int) -> Fault:
    """A fault with as few operations as do."""

    def attempt(tried: Sequence[Any]) -> list[Any] | None:
        found = replay(shape, tried)
        return found[0] if found else None

    first = attempt(operations)
    if first is None:
        raise AssertionError("a difference that does not come again: the manager is not deterministic")
    kept = shortened(first, attempt)
    told = replay(shape, kept)
    assert told is not None
    return Fault(shape, tuple(kept), told[1], done)


def batch(shape: Shape, seed: int, length: int = 500, every: int = 250) -> tuple[Counter[str], Fault | None]:
    """So many operations drawn with a seed; what was seen, and the fault if there is one."""
    random, pair = Quick(seed), Pair(shape)
    pair.every, pair.watched = every, False
    done: list[Operation] = []
    try:
        with ending("batch", seconds=2 + length / 100):
            for operation in beginning(pair, random):
                done.append(operation)
                pair.do(*operation)
            for _ in range(length):
                done.append(drawn(pair, random))
                pair.do(*done[-1])
            pair.compare(("the end",))
    except Differs:
        return Counter(pair.seen), made_short(shape, done, len(done))
    return Counter(pair.seen), None


def hunt(
    shapes: Sequence[Shape], seeds: Iterable[int], length: int = 500, every: int = 250
) -> tuple[Counter[str], Fault | None]:
    """Batches with these seeds, the shapes in turn, until one finds a fault; what was seen in all."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        found, fault = batch(shapes[seed % len(shapes)], seed, length, every)
        seen += found
        if fault is not None:
            return seen, attrs.evolve(fault, done=seen["operations"])
    return seen, None


def halves(row: bytes) -> tuple[int, int]:
    """What is in the two words of a small page."""
    return row[WORDS_AT[0]], row[WORDS_AT[1]]


def upper_bits_only(row: bytes) -> int:
    """A hash of which only two upper bits are ever set: most pages collide."""
    first, second = halves(row)
    return (first + second & 3) << 62


def little_in_the_upper_bits(row: bytes) -> int:
    """A hash that differs mostly in bits that a hint does not store."""
    first, second = halves(row)
    return (first & 1) << 63 | (second & 1) | (first & 2)


SHAPES = (
    Shape(), Shape(hashed=upper_bits_only), Shape(hashed=little_in_the_upper_bits),
    Shape(pages=(6, 3), frames=9, records=3), Shape(pages=(7, 2), frames=4), Shape(width=28, buckets=256, count_top=3),
    Shape(by_number=True, words=1, values=4), Shape(hashed=little_in_the_upper_bits, width=26, buckets=256),
    Shape(pages=(3, 3, 3), frames=11, domains=2), Shape(width=28, buckets=256, domains=2, hashed=upper_bits_only),
    Shape(take_over=True), Shape(pages=(5, 5), frames=11, slots=4, minimum=3, keep_slot=True),
    Shape(pages=(5, 3), frames=9, words=1, values=2, swap_shared=True),
    Shape(pages=(5, 4), frames=9, slots=9, values=2, take_over=True, keep_slot=True, swap_shared=True),
    Shape(frames=10, low_frames=4), Shape(pages=(5, 4), frames=10, low_frames=4, take_over=True, keep_slot=True),
    Shape(frames=9, low_frames=2, low_reserve=1, displace=True),
    Shape(pages=(5, 4), frames=10, low_frames=3, low_reserve=2, displace=True),
)  # fmt: skip
"""Small machines: of real bytes and by number, with good and weak hashes, with few records, with wide numbers; with two
sharing domains; where the last user takes a frame over, where copies are kept of pages and of frames."""
