"""Leaf functions of the records as CrossHair is asked about them: see test_records_hunted.py.

The text of the optimized records is run on plain numbers that are kept to 64 bits, at 26 bits for the number of a
frame: both kinds of record then have a field that lies across the two words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs

import pagelaw
from pagelaw.spec.records import hint_frame, kept_of_hash, pack, shared_frame, unpack

FILE = Path(pagelaw.__file__).parent / "model" / "optimized" / "records.py"
IMPORT = "from .compiling import compiled\n"
CONSTANTS = {"ONE": 1, "SIXTEEN": 16, "FORTY_EIGHT": 48, "SIXTY_FOUR": 64}

BITS = 26
ALL = 1 << 64


def as_written(function: Any) -> Any:
    """Not compiled."""
    return function


def functions_on(
    word: Callable[[int], Any], old: str = "", new: str = "", compiled: Callable[[Any], Any] = as_written
) -> SimpleNamespace:
    """The functions of the file itself, on words of another kind; or with a fault in their text; or compiled."""
    text = FILE.read_text(encoding="utf-8")
    assert text.count(IMPORT) == 1
    text = text.replace(IMPORT, "")
    if old:
        assert text.count(old) == 1, f"{text.count(old)} times in the text: {old}"
        text = text.replace(old, new)
    names: dict[str, Any] = {"__name__": FILE.stem, "compiled": compiled}
    exec(compile(text, str(FILE), "exec"), names)
    assert {name: int(names[name]) for name in CONSTANTS} == CONSTANTS
    names.update({name: word(value) for name, value in CONSTANTS.items()})
    return SimpleNamespace(**names)


@attrs.frozen
class Kept:
    """A plain number that is kept to 64 bits, as a machine word is.

    CrossHair gives up what it knows of a number at `|`, and at `&` with other than the lowest bits. So here both are
    said by dividing and adding, which it follows, where no bit may be one in both.
    """

    value: int
    may: int = ALL - 1
    """The bits that may be one; itself never a number that CrossHair chooses."""

    def __lshift__(self, count: Kept) -> Kept:
        return Kept(self.value * (1 << count.value) % ALL, (self.may << count.value) % ALL)

    def __rshift__(self, count: Kept) -> Kept:
        return Kept(self.value >> count.value, self.may >> count.value)

    def __and__(self, mask: Kept) -> Kept:
        found, place = 0, 0
        while mask.value >> place:
            run = 0
            while mask.value >> place + run & 1:
                run += 1
            found += (self.value >> place) % (1 << run) * (1 << place)
            place += run + 1
        return Kept(found, self.may & mask.value)

    def __or__(self, other: Kept) -> Kept:
        one, two = self.value, other.value
        return Kept(one | two if self.may & other.may else one + two, self.may | other.may)

    def __add__(self, other: Kept) -> Kept:
        return Kept((self.value + other.value) % ALL)

    def __sub__(self, other: Kept) -> Kept:
        return Kept((self.value - other.value) % ALL)

    def __invert__(self) -> Kept:
        return Kept(ALL - 1 - self.value)


def kept(value: int, bits: int) -> Kept:
    """A number of so many bits; an error, and so a finding, if it is not one."""
    if not 0 <= value < 1 << bits:
        raise ValueError(value)
    return Kept(value, (1 << bits) - 1)


F = functions_on(Kept)
WRONG = functions_on(Kept, "low >> width & ones(SIXTEEN)", "low >> width & ones(SIXTEEN - ONE)")
WIDTH = Kept(BITS)
SHARED, HINT = shared_frame(BITS), hint_frame(BITS)


def is_word(value: int) -> bool:
    """Whether it is a number of 64 bits."""
    return 0 <= value < ALL


# Asked whether an assertion can fail.


def count_is_put_and_read(low: int, count: int) -> None:
    """A count is read as it was put, and the link beside it as before."""
    assert is_word(low)
    assert 0 <= count < 1 << 16
    changed = F.with_count(Kept(low), kept(count, 16), WIDTH)
    assert F.count_in(changed, WIDTH).value == count
    assert F.link_in(changed, WIDTH).value == low % (1 << BITS)


def link_is_put_and_read(low: int, link: int) -> None:
    """A link is read as it was put, and the count beside it as before."""
    assert is_word(low)
    assert 0 <= link < 1 << BITS
    changed = F.with_link(Kept(low), kept(link, BITS), WIDTH)
    assert F.link_in(changed, WIDTH).value == link
    assert F.count_in(changed, WIDTH).value == low // (1 << BITS) % (1 << 16)


def hash_is_cut_and_found(hashed: int) -> None:
    """What is stored of a hash is what the specification keeps."""
    assert is_word(hashed)
    assert F.cut_for_shared(Kept(hashed), WIDTH).value == kept_of_hash(SHARED, hashed)
    assert F.cut_for_hint(Kept(hashed), WIDTH).value == kept_of_hash(HINT, hashed)


def shared_frame_is_packed_and_unpacked(hash: int, mpn: int, count: int, link: int) -> None:
    """The specification's own: what is packed is unpacked."""
    assert 0 <= hash < 1 << 60
    assert 0 <= mpn < 1 << BITS
    assert 0 <= count < 1 << 16
    assert 0 <= link < 1 << BITS
    values = {"hash": hash, "mpn": mpn, "count": count, "link": link}
    assert unpack(SHARED, pack(SHARED, values)) == values


def hint_frame_is_packed_and_unpacked(hash: int, mpn: int, vm: int, ppn: int, link: int) -> None:
    """The specification's own: what is packed is unpacked."""
    assert 0 <= hash < 1 << 34
    assert 0 <= mpn < 1 << BITS
    assert 0 <= vm < 1 << 16
    assert 0 <= ppn < 1 << BITS
    assert 0 <= link < 1 << BITS
    values = {"hash": hash, "mpn": mpn, "vm": vm, "ppn": ppn, "link": link}
    assert unpack(HINT, pack(HINT, values)) == values


def count_is_put_and_read_wrongly(low: int, count: int) -> None:
    """The same as the first, where the mask of a count is one bit too narrow."""
    assert is_word(low)
    assert 0 <= count < 1 << 16
    changed = WRONG.with_count(Kept(low), kept(count, 16), WIDTH)
    assert WRONG.count_in(changed, WIDTH).value == count


# Asked whether two of them differ.


def shared_by_the_law(record: int) -> tuple[int, ...]:
    """The fields of a shared frame, by the specification."""
    return tuple(unpack(SHARED, record).values()) if 0 <= record < ALL * ALL else ()


def shared_by_the_words(record: int) -> tuple[int, ...]:
    """The same by the optimized functions."""
    return shared_by(F, record) if 0 <= record < ALL * ALL else ()


def shared_by_words_that_are_wrong(record: int) -> tuple[int, ...]:
    """The same, where the mask of a count is one bit too narrow."""
    return shared_by(WRONG, record) if 0 <= record < ALL * ALL else ()


def shared_by(f: Any, record: int) -> tuple[int, ...]:
    """The fields of a shared frame, read from its two words."""
    high, low = Kept(record // ALL), Kept(record % ALL)
    found = f.hash_in_shared(high, WIDTH), f.frame_in_shared(high, low, WIDTH), f.count_in(low, WIDTH)
    return (*(each.value for each in found), f.link_in(low, WIDTH).value)


def hint_by_the_law(record: int) -> tuple[int, ...]:
    """The fields of a hint, by the specification."""
    return tuple(unpack(HINT, record).values()) if 0 <= record < ALL * ALL else ()


def hint_by_the_words(record: int) -> tuple[int, ...]:
    """The same by the optimized functions."""
    if not 0 <= record < ALL * ALL:
        return ()
    high, low = Kept(record // ALL), Kept(record % ALL)
    found = F.hash_in_hint(high, WIDTH), F.frame_in_hint(high, WIDTH), F.vm_in_hint(high, low, WIDTH)
    return (*(each.value for each in found), F.ppn_in_hint(low, WIDTH).value, F.link_in(low, WIDTH).value)
