"""What the words of `pagelaw.model.optimized.records` have to do with the bits of `pagelaw.spec.records`.

A claim is one text for all who ask: it is run on words whose value is not known, and proved; and on plain numbers,
as compiled and as written. It yields pairs that must be equal, ours and the specification's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from pagelaw.spec.records import HASH_BITS, Layout, hint_frame, kept_of_hash, pack, shared_frame, unpack

Pairs = Iterator[tuple[Any, Any]]


@attrs.frozen
class On:
    """What a claim is run on."""

    f: Any
    """The functions of the optimized records."""
    bits: int
    """Bits of the number of a frame, page or record."""
    width: Any
    """The same as a word."""
    number: Callable[[Any], Any]
    """A word as a number of the specification."""

    @property
    def shared(self) -> Layout:
        """The specification's record of a shared frame."""
        return shared_frame(self.bits)

    @property
    def hint(self) -> Layout:
        """The specification's record of a hint."""
        return hint_frame(self.bits)

    def record(self, high: Any, low: Any) -> Any:
        """Two words as one record."""
        return self.number(high) << 64 | self.number(low)

    def numbers(self, **words: Any) -> dict[str, Any]:
        """Words as numbers."""
        return {name: self.number(word) for name, word in words.items()}


def shared_words_are_packed(on: On, hash: Any, mpn: Any, count: Any, link: Any) -> Pairs:
    """The words of a shared frame are its record."""
    high, low = on.f.shared_words(hash, mpn, count, link, on.width)
    yield on.record(high, low), pack(on.shared, on.numbers(hash=hash, mpn=mpn, count=count, link=link))


def hint_words_are_packed(on: On, hash: Any, mpn: Any, vm: Any, ppn: Any, link: Any) -> Pairs:
    """The words of a hint are its record."""
    high, low = on.f.hint_words(hash, mpn, vm, ppn, link, on.width)
    yield on.record(high, low), pack(on.hint, on.numbers(hash=hash, mpn=mpn, vm=vm, ppn=ppn, link=link))


def shared_words_are_read(on: On, high: Any, low: Any) -> Pairs:
    """What is read from the words of a shared frame are the fields of the record."""
    values = unpack(on.shared, on.record(high, low))
    yield on.number(on.f.hash_in_shared(high, on.width)), values["hash"]
    yield on.number(on.f.frame_in_shared(high, low, on.width)), values["mpn"]
    yield on.number(on.f.count_in(low, on.width)), values["count"]
    yield on.number(on.f.link_in(low, on.width)), values["link"]


def hint_words_are_read(on: On, high: Any, low: Any) -> Pairs:
    """What is read from the words of a hint are the fields of the record."""
    values = unpack(on.hint, on.record(high, low))
    yield on.number(on.f.hash_in_hint(high, on.width)), values["hash"]
    yield on.number(on.f.frame_in_hint(high, on.width)), values["mpn"]
    yield on.number(on.f.vm_in_hint(high, low, on.width)), values["vm"]
    yield on.number(on.f.ppn_in_hint(low, on.width)), values["ppn"]
    yield on.number(on.f.link_in(low, on.width)), values["link"]


def another_link_changes_nothing_else(on: On, high: Any, low: Any, link: Any) -> Pairs:
    """With another link either kind has its other fields as before."""
    changed = on.record(high, on.f.with_link(low, link, on.width))
    for layout in (on.shared, on.hint):
        wanted = unpack(layout, on.record(high, low)) | on.numbers(link=link)
        yield from zip(unpack(layout, changed).values(), wanted.values(), strict=True)


def another_count_changes_nothing_else(on: On, high: Any, low: Any, count: Any) -> Pairs:
    """With another count a shared frame has its other fields as before."""
    changed = on.record(high, on.f.with_count(low, count, on.width))
    wanted = unpack(on.shared, on.record(high, low)) | on.numbers(count=count)
    yield from zip(unpack(on.shared, changed).values(), wanted.values(), strict=True)


def a_hash_is_cut(on: On, hashed: Any) -> Pairs:
    """What is stored of a hash is what either kind keeps."""
    yield on.number(on.f.cut_for_shared(hashed, on.width)), kept_of_hash(on.shared, on.number(hashed))
    yield on.number(on.f.cut_for_hint(hashed, on.width)), kept_of_hash(on.hint, on.number(hashed))


CLAIMS: dict[Callable[..., Pairs], Callable[[int], Layout]] = {
    shared_words_are_packed: shared_frame,
    hint_words_are_packed: hint_frame,
    shared_words_are_read: shared_frame,
    hint_words_are_read: hint_frame,
    another_link_changes_nothing_else: hint_frame,
    another_count_changes_nothing_else: shared_frame,
    a_hash_is_cut: shared_frame,
}
"""Every claim, and the layout whose fields it takes values of."""


def values_of(claim: Callable[..., Pairs], bits: int) -> dict[str, int]:
    """The values that a claim is about, by name, and the bits of each."""
    fields = {field.name: field.width for field in CLAIMS[claim](bits).fields}
    names = claim.__code__.co_varnames[1 : claim.__code__.co_argcount]
    return {name: fields.get(name, HASH_BITS) for name in names}
