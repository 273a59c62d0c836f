"""The 16 bytes of a record of the sharing table (section 4.3), bit by bit, and what the paper says of their size.

Two kinds of record take 16 bytes each (ESX-4.3-03). With numbers of 24 bits they are those of D-06:

    shared frame
    127..64   hash   64  all of the page's hash (ESX-4.3-04, ESX-4.3-12)
     63..40   mpn    24  the frame that pages share (ESX-4.3-04)
     39..24   count  16  pages mapped to it; the greatest number: the overflow table says (ESX-4.3-10, ESX-4.3-11)
     23..0    link   24  the next record of the chain; all ones: there is none (ESX-4.3-04)

    hint frame
    127..88   hash   40  the upper bits of the page's hash (ESX-4.3-05)
     87..64   mpn    24  the page's frame (ESX-4.3-07)
     63..48   vm     16  the VM whose page it is (ESX-4.3-06)
     47..24   ppn    24  the page's number in its VM (ESX-4.3-06)
     23..0    link   24  the next record of the chain; all ones: there is none (D-06)

For larger machines numbers get up to 28 bits, and the hash what is left: 112 bits less two numbers in a shared frame,
112 less three in a hint. A shared frame keeps the lower bits, so its bucket must say the upper ones, by the upper
bits of the hash: the whole hash is known still (ESX-4.3-12).

This chapter has a folder of its own, as the paper's registers do: in the files beside it stands what is lifted, and
lifting knows no shifts. These functions are proved on bit-vectors as they are (tests/test_records.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from attrs import frozen

RECORD_BITS = 128
"""16 bytes (ESX-4.3-03)."""
HASH_BITS = 64
"""Bits of a page's hash (ESX-4.3-12)."""
COUNT_BITS = 16
"""Bits of a count field (ESX-4.3-10)."""
VM_BITS = 16
"""Bits of a VM's number (D-06)."""
FEWEST, MOST = 24, 28
"""Bits of the number of a frame, page or record: those of D-06, and those of a machine of 1 TiB."""


class DoesNotFit(ValueError):
    """Something is put into bits that do not hold it: what it is called, its value, and what it must be."""

    def __init__(self, name: str, value: object, bound: str) -> None:
        super().__init__(f"{name} is {value}: it must be {bound}")
        self.name, self.value, self.bound = name, value, bound


@frozen
class Field:
    """Some bits of a record that belong together; a number without sign."""

    name: str
    width: int
    """In bits."""
    meaning: str


@frozen
class Layout:
    """What the bits of one kind of record are."""

    kind: str
    fields: tuple[Field, ...]
    """From the high bits to the low; in all they are as many as a record has."""
    hash_from: int
    """The lowest bit of a hash that the hash field keeps."""


def shared_frame(width: int = FEWEST) -> Layout:
    """The record of a shared frame, for numbers of 24 to 28 bits (D-06)."""
    require_width(width)
    kept = RECORD_BITS - COUNT_BITS - 2 * width
    part = "all" if kept == HASH_BITS else "the lower bits"
    fields = (
        Field("hash", kept, f"{part} of the page's hash (ESX-4.3-04, ESX-4.3-12)"),
        Field("mpn", width, "the frame that pages share (ESX-4.3-04)"),
        Field("count", COUNT_BITS,
              "pages mapped to it; the greatest number: the overflow table says (ESX-4.3-10, ESX-4.3-11)"),
        Field("link", width, "the next record of the chain; all ones: there is none (ESX-4.3-04)"),
    )  # fmt: skip
    return Layout("shared frame", fields, hash_from=0)


def hint_frame(width: int = FEWEST) -> Layout:
    """The record of a hint, for numbers of 24 to 28 bits (D-06)."""
    require_width(width)
    kept = RECORD_BITS - VM_BITS - 3 * width
    fields = (
        Field("hash", kept, "the upper bits of the page's hash (ESX-4.3-05)"),
        Field("mpn", width, "the page's frame (ESX-4.3-07)"),
        Field("vm", VM_BITS, "the VM whose page it is (ESX-4.3-06)"),
        Field("ppn", width, "the page's number in its VM (ESX-4.3-06)"),
        Field("link", width, "the next record of the chain; all ones: there is none (D-06)"),
    )
    return Layout("hint frame", fields, hash_from=HASH_BITS - kept)


def pack(layout: Layout, values: Mapping[str, int]) -> int:
    """The record with these values, one for each field. A value that its field does not hold is refused."""
    names = [field.name for field in layout.fields]
    if sorted(values) != sorted(names):
        raise DoesNotFit(f"what a {layout.kind} is made of", ", ".join(values), ", ".join(names))
    record = 0
    for field in layout.fields:
        require_fits(field.name, values[field.name], field.width)
        record = (record << field.width) + values[field.name]
    return record


def unpack(layout: Layout, record: int) -> dict[str, int]:
    """The value of each field of a record. A number that is no record is refused."""
    require_fits("record", record, RECORD_BITS)
    values: dict[str, int] = {}
    for field in reversed(layout.fields):
        values = {field.name: record & ones(field.width), **values}
        record = record >> field.width
    return values


def kept_of_hash(layout: Layout, hashed: int) -> int:
    """What this kind of record keeps of a hash: the lower bits in a shared frame, the upper ones in a hint."""
    require_fits("hash", hashed, HASH_BITS)
    (width,) = (field.width for field in layout.fields if field.name == "hash")
    return hashed >> layout.hash_from & ones(width)


def ones(width: int) -> int:
    """So many ones, at the lower end: the greatest number of so many bits."""
    return (1 << width) - 1


def require_fits(name: str, value: int, width: int) -> None:
    """Refuse a value that does not fit into so many bits."""
    if not 0 <= value <= ones(width):
        raise DoesNotFit(name, value, f"0 to {ones(width):,}, a number of {width} bits")


def require_width(width: int) -> None:
    """Refuse numbers of fewer or more bits than there are layouts for."""
    if not FEWEST <= width <= MOST:
        raise DoesNotFit("width", width, f"{FEWEST} to {MOST} bits")


def as_text(layout: Layout) -> str:
    """A layout to read: a line for each field, with the places of its highest and lowest bit."""
    lines, above = [layout.kind], RECORD_BITS
    for field in layout.fields:
        places = f"{above - 1:>3}..{above - field.width}"
        lines.append(f"{places:<9} {field.name:<5} {field.width:>3}  {field.meaning}")
        above -= field.width
    return "\n".join(lines)


# What the paper derives from these sizes.


def collision_bound(pages: int, hash_bits: int = HASH_BITS) -> Fraction:
    """No less than the probability that two of so many distinct pages have one hash, if hashes are random.

    Each of n(n-1)/2 pairs has one with probability 1 in 2^64 (D-05). With 64 bits that is under 50 % for 2^32 pages
    (ESX-4.3-15) and under 0.01 % for 2^24 (ESX-4.3-16).
    """
    if pages < 0:
        raise DoesNotFit("pages", pages, "0 or more")
    return Fraction(pages * (pages - 1), 2 << hash_bits)


def table_overhead(page_bytes: int = 4096) -> Fraction:
    """The part of memory that one record for each frame takes: under 0.5 % (ESX-4.3-17, D-05)."""
    if page_bytes <= 0:
        raise DoesNotFit("page_bytes", page_bytes, "more than 0")
    return Fraction(RECORD_BITS, 8 * page_bytes)


__all__ = [
    "COUNT_BITS",
    "FEWEST",
    "HASH_BITS",
    "MOST",
    "RECORD_BITS",
    "VM_BITS",
    "DoesNotFit",
    "Field",
    "Layout",
    "as_text",
    "collision_bound",
    "hint_frame",
    "kept_of_hash",
    "ones",
    "pack",
    "shared_frame",
    "table_overhead",
    "unpack",
]
