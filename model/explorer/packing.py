"""States as strings of bytes: one byte for each entry of each field that can change.

The entries of one identifier stand together, a *row*: so that giving an
identifier another number moves a row. Then come the entries with two keys.
A field that never changes is left out; when it changes for the first time,
`Moved` is raised and the exploration starts again with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import attrs

from pagelaw.spec.language import VM, Identifier, Owned, Sum
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, Slot, Transfer

MOST_VALUES = 256
"""Different values of one field that a byte can tell apart."""


class Moved(Exception):
    """Fields that were left out have changed."""

    def __init__(self, fields: set[str]) -> None:
        super().__init__(*sorted(fields))
        self.fields = fields


class TooManyValues(Exception):
    """A field holds more different values than a byte can tell apart."""


class Values:
    """The values of one field, numbered as they are met. Number 0 is the one that it starts with."""

    __slots__ = ("field", "numbers", "values")

    def __init__(self, field: str) -> None:
        self.field = field
        self.values: list[Any] = []
        self.numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """The number of a value."""
        known = self.numbers.get(value)
        if known is None:
            known = len(self.values)
            if known == MOST_VALUES:
                raise TooManyValues(f"{self.field} holds more than {MOST_VALUES} different values")
            self.numbers[value] = known
            self.values.append(value)
        return known


def is_renamed(sort: type) -> bool:
    """Whether the identifiers of a sort may be exchanged for one another: the rules only compare them."""
    return sort in (VM, MPN, Slot, Transfer) or issubclass(sort, Owned)


def fields_that_tell_apart(machine: Machine) -> set[str]:
    """The fields of a machine that treat identifiers differently, so that they cannot be left out."""
    found = set()
    for name, shape in Machine.shapes().items():
        if shape.keys and not shape.field.is_given:
            held = getattr(machine, name)
            keys = product(*map(machine.ids.__getitem__, shape.keys))
            values = {held[key[0] if len(key) == 1 else key] for key in keys}
            if len(values) > 1 or any(map(names_something, values)):
                found.add(name)
    return found


def names_something(value: Any) -> bool:
    """Whether a value names an identifier that may be renamed."""
    return bool(named_in(value))


def named_in(value: Any) -> list[Identifier]:
    """The identifiers in a value that may be renamed."""
    if isinstance(value, Sum):
        return [one for part in parts_of(value) for one in named_in(part)]
    return [value] if isinstance(value, Identifier) and is_renamed(type(value)) else []


def parts_of(value: Sum) -> list[Any]:
    """The fields of a variant."""
    made: Any = type(value)
    return [getattr(value, field.name) for field in attrs.fields(made)]


class Block:
    """All entries of the fields that have one renamed sort as their key: a row for each identifier."""

    __slots__ = ("fields", "first", "members", "sort", "start", "width")

    def __init__(self, sort: type | None, fields: list[str], members: list[Any], start: int, first: int) -> None:
        self.sort, self.fields, self.members, self.start = sort, fields, members, start
        self.width = len(fields)
        self.first = first
        """The number of its first identifier among all of them."""


class Pairs:
    """All entries of a field with two keys of renamed sorts."""

    __slots__ = ("end", "field", "first", "second", "start", "width")

    def __init__(self, field: str, start: int, first: int, second: int, size: int, width: int) -> None:
        self.field, self.start, self.end = field, start, start + size
        self.first, self.second, self.width = first, second, width


class Layout:
    """Where each entry of a machine stands in the string."""

    def __init__(self, machine: Machine, fields: Iterable[str], ignored: Iterable[str] = (),
                 forgets: bool = False) -> None:  # fmt: skip
        self.machine = machine
        self.shapes = Machine.shapes()
        self.ignored = frozenset(ignored)
        """Fields that may change though they are left out."""
        self.forgets = forgets
        """Whether what unused frames and slots hold is left out."""
        self.fields = [name for name in self.shapes if name in set(fields)]
        self.values = {name: Values(name) for name in self.fields}
        self.at: dict[str, dict[Any, int]] = {name: {} for name in self.fields}
        self.field_at: list[str] = []
        """The field of each entry."""
        self.elements: list[Identifier] = []
        """The identifiers that may be renamed, numbered."""
        self.loose: list[tuple[str, Any]] = []
        """Entries with no key that may be renamed, first in the string."""
        self.blocks: list[Block] = []
        self.pairs: list[Pairs] = []
        self._place()
        self.number_of = {one: number for number, one in enumerate(self.elements)}
        self.start = self.pack(machine)

    def _place(self) -> None:
        ids = self.machine.ids
        sorts = [sort for sort in ids if is_renamed(sort)]
        keyed = {name: self.shapes[name].keys for name in self.fields}
        for name, keys in keyed.items():
            if not any(map(is_renamed, keys)):
                for key in product(*map(ids.__getitem__, keys)):
                    self._enter(name, key)
                    self.loose.append((name, key))
        rows = {sort: [name for name, keys in keyed.items() if keys == (sort,)] for sort in sorts}
        for sort, fields in sorted(rows.items(), key=lambda row: not row[1]):  # those without a row last
            self.blocks.append(Block(sort, fields, list(ids[sort]), len(self.field_at), len(self.elements)))
            for one in ids[sort]:
                for name in fields:
                    self._enter(name, (one,))
            self.elements += ids[sort]
        first = {block.sort: block.first for block in self.blocks}
        for name, keys in keyed.items():
            if len(keys) == 2 and any(map(is_renamed, keys)):
                assert all(map(is_renamed, keys)), f"{name}: one key may be renamed, the other not"
                start, width = len(self.field_at), len(ids[keys[1]])
                for key in product(*map(ids.__getitem__, keys)):
                    self._enter(name, key)
                size = len(self.field_at) - start
                self.pairs.append(Pairs(name, start, first[keys[0]], first[keys[1]], size, width))
        assert len(self.field_at) == sum(map(len, self.at.values())), "every entry has one place"

    def _enter(self, name: str, key: tuple[Any, ...]) -> None:
        self.at[name][key[0] if len(key) == 1 else key] = len(self.field_at)
        self.field_at.append(name)

    @property
    def size(self) -> int:
        """Bytes of a state."""
        return len(self.field_at)

    def pack(self, machine: Machine) -> bytes:
        """The string for a machine."""
        packed = bytearray(self.size)
        for name in self.fields:
            held, number = getattr(machine, name), self.values[name].number
            if not self.shapes[name].keys:
                packed[self.at[name][()]] = number(held)
                continue
            for key, place in self.at[name].items():
                packed[place] = number(held[key])
        return bytes(packed)

    def unpack(self, packed: bytes) -> Machine:
        """The machine of a string: a copy, on which rules can be run."""
        machine = self.machine.copy()
        machine.observer = None
        for name in self.fields:
            values = self.values[name].values
            if not self.shapes[name].keys:
                setattr(machine, name, values[packed[self.at[name][()]]])
                continue
            held = getattr(machine, name)
            for key, place in self.at[name].items():
                held[key] = values[packed[place]]
        return machine
