"""A state read as a graph, and written again with other names.

An identifier is a vertex, coloured with what its row holds; an edge leads
from it to each identifier that its row names. So do the loose entries, all of
them one vertex more, and each entry with two keys. A row that was met is
remembered: its colour, its names, and what becomes of it when these are
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from pagelaw.spec.language import Identifier, Sum

from .packing import Layout, is_renamed, parts_of

Colours = list[int]


@attrs.frozen(slots=True)
class Row:
    """What one identifier holds, or the loose entries."""

    held: bytes
    fields: Sequence[str]
    colour: int
    """The same for two rows that differ in names only, of identifiers that may be exchanged."""
    names: tuple[int, ...]
    moved: dict[Any, bytes] = attrs.field(factory=dict)
    """The row by other names in place of its own: by the one, or by all of them if there are several."""


class Rows(dict[bytes, Row]):
    """The rows that were met in places where one means the same as the other."""

    def __init__(self, graphs: Graphs, fields: Sequence[str], label: int) -> None:
        super().__init__()
        self.graphs, self.fields, self.label = graphs, fields, label

    def __missing__(self, held: bytes) -> Row:
        row = self[held] = self.graphs.row(self.fields, held, self.label)
        return row


@attrs.frozen(slots=True)
class Graph:
    """A state as a graph."""

    rows: Sequence[Row]
    colours: Colours
    names: list[tuple[int, ...]]
    """The identifiers that each vertex names."""
    edges: list[tuple[int, int, int]]
    """Who names whom, and in which place."""
    busy: list[int]
    """The vertices that name or are named, and the VMs."""


class Graphs:
    """Reads the states of one layout, in which identifiers with different labels are never exchanged."""

    def __init__(self, layout: Layout, label: Sequence[int], vms: Sequence[int]) -> None:
        self.layout, self.vms = layout, vms
        self.count = len(layout.elements)
        """The number of the vertex of loose entries: one more than that of the last identifier."""
        self.places = self._places(label)
        """Where each row is, and the rows that were met there: of identifiers in their order, then loose entries."""
        self.plain = [hash((one, 5)) for one in label[len(self.places) - 1 :]]
        """The colours of the identifiers that have no row: the last ones."""
        self.shapes: dict[Any, int] = {}
        self.of_value: dict[tuple[str, int], tuple[Any, tuple[int, ...]]] = {}

    def _places(self, label: Sequence[int]) -> list[tuple[slice, Rows]]:
        places = []
        for block in self.layout.blocks:
            known: dict[int, Rows] = {}
            for i in range(len(block.members) if block.width else 0):
                kind, start = label[block.first + i], block.start + i * block.width
                rows = known.setdefault(kind, Rows(self, block.fields, kind))
                places.append((slice(start, start + block.width), rows))
        loose = [field for field, _ in self.layout.loose]
        return [*places, (slice(0, len(loose)), Rows(self, loose, -1))]

    # reading

    def read(self, packed: bytes) -> list[Row]:
        """All rows, that of loose entries last."""
        return [rows[packed[place]] for place, rows in self.places]

    def colours(self, rows: Sequence[Row]) -> Colours:
        """The colours of all vertices, entries with two keys aside."""
        colours = [row.colour for row in rows]
        colours[-1:-1] = self.plain
        return colours

    def naming(self, rows: Sequence[Row]) -> list[tuple[int, tuple[int, ...]]]:
        """The vertices that name others, and those others; entries with two keys aside."""
        named = [(one, row.names) for one, row in enumerate(rows) if row.names]
        if rows[-1].names:
            named[-1] = self.count, rows[-1].names
        return named

    def row(self, fields: Sequence[str], held: bytes, label: int) -> Row:
        """A row that is met for the first time."""
        shapes: list[Any] = []
        names: list[int] = []
        for field, number in zip(fields, held, strict=True):
            shape, own = self._value(field, number)
            shapes.append(shape)
            names += own
        colour = self.shapes.setdefault((*fields, *shapes), len(self.shapes))
        return Row(held, fields, hash((colour, label)), tuple(names))

    def _value(self, field: str, number: int) -> tuple[Any, tuple[int, ...]]:
        """A value with its names taken out, and the names."""
        known = self.of_value.get((field, number))
        if known is None:
            names: list[int] = []
            shape = self._without_names(self.layout.values[field].values[number], names)
            known = self.of_value[field, number] = shape, tuple(names)
        return known

    def _without_names(self, value: Any, names: list[int]) -> Any:
        if isinstance(value, Identifier) and is_renamed(type(value)):
            names.append(self.layout.number_of[value])
            return "name"
        if isinstance(value, Sum):
            return (type(value).__name__, *[self._without_names(part, names) for part in parts_of(value)])
        return value

    def entries(self, packed: bytes) -> list[tuple[int, int, int, int]]:
        """The entries with two keys that are not as at the start: which field, the keys, the number of the value."""
        found = []
        for i, pairs in enumerate(self.layout.pairs):
            held = packed[pairs.start : pairs.end]
            if any(held):
                width = pairs.width
                found += [(i, pairs.first + at // width, pairs.second + at % width, number)
                          for at, number in enumerate(held) if number]  # fmt: skip
        return found

    def graph(self, packed: bytes) -> Graph:
        """A state as a graph."""
        rows = self.read(packed)
        colours = self.colours(rows)
        named = self.naming(rows)
        if self.layout.pairs:
            for i, first, second, number in self.entries(packed):
                field = self.layout.pairs[i].field
                shape, own = self._value(field, number)
                colours.append(hash((self.shapes.setdefault((field, shape), len(self.shapes)), 8)))
                named.append((len(colours) - 1, (first, second, *own)))
        names: list[tuple[int, ...]] = [()] * len(colours)
        edges: list[tuple[int, int, int]] = []
        busy = set(self.vms)
        for one, others in named:
            names[one] = others
            busy.add(one)
            busy.update(others)
            edges += [(one, role, other) for role, other in enumerate(others)]
        return Graph(rows, colours, names, edges, sorted(busy))

    # writing

    def rename(self, packed: bytes, rows: Sequence[Row], new: Sequence[int]) -> bytes:
        """The state in which each identifier has another number; its rows are read already."""
        parts: list[bytes] = [b""] * self.count
        *of_identifiers, loose = rows
        for one, row in zip(new, of_identifiers, strict=False):  # the last ones have none
            names = row.names
            if not names:
                parts[one] = row.held
            elif len(names) == 1:  # as most do: looked up here
                parts[one] = row.moved.get(new[names[0]]) or self.moved(row, new)
            else:
                parts[one] = self.moved(row, new)
        whole = (self.moved(loose, new) if loose.names else loose.held) + b"".join(parts)
        layout = self.layout
        if not layout.pairs:
            return whole
        base = layout.pairs[0].start
        rest = bytearray(layout.size - base)
        for i, first, second, number in self.entries(packed):
            pairs = layout.pairs[i]
            at = pairs.start + (new[first] - pairs.first) * pairs.width + new[second] - pairs.second
            rest[at - base] = self.number(pairs.field, number, new)
        return whole + bytes(rest)

    def moved(self, row: Row, new: Sequence[int]) -> bytes:
        """A row with other names in it."""
        names = row.names
        key = new[names[0]] if len(names) == 1 else tuple([new[name] for name in names])
        found = row.moved.get(key)
        if found is None:
            numbers = zip(row.fields, row.held, strict=True)
            found = row.moved[key] = bytes(self.number(field, number, new) for field, number in numbers)
        return found

    def number(self, field: str, number: int, new: Sequence[int]) -> int:
        """The number of a value with other names in it."""
        values = self.layout.values[field]
        return values.number(self.with_names(values.values[number], new))

    def with_names(self, value: Any, new: Sequence[int]) -> Any:
        """A value with other names in it."""
        if isinstance(value, Identifier) and is_renamed(type(value)):
            return self.layout.elements[new[self.layout.number_of[value]]]
        if isinstance(value, Sum):
            made: Any = type(value)
            return made(*[self.with_names(part, new) for part in parts_of(value)])
        return value
