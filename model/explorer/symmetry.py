"""States that differ only in names count as one.

Rules compare identifiers and do nothing else with them, so exchanging two
frames, two slots, two VMs, two pages of a VM ... turns a run into a run. Of
all states that differ in this way one is kept, the *canonical* one.

A state is seen as a graph: an identifier is a vertex, coloured with what its
row holds; an edge leads from it to each identifier that its row names.
Colours are refined by the colours around until nothing changes. Vertices that
are still alike are told apart by choosing one of them to come first: any, if
what is left of the graph is a forest, since then they can be exchanged; else
each is tried, and the least string wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import attrs

from pagelaw.spec.language import VM, Identifier, Owned, Sum
from pagelaw.spec.vocabulary import Block

from .packing import Layout, is_renamed, named_in, parts_of

Colours = list[int]


@attrs.frozen(slots=True)
class Graph:
    """A state as a graph: vertices are the identifiers, all loose entries as one, and the entries with two keys."""

    colours: Colours
    names: list[tuple[int, ...]]
    """The identifiers that each vertex names."""
    entries: list[tuple[int, int, int, int]]
    """Of each entry with two keys: which field, the keys, the number of the value."""
    edges: list[tuple[int, int, int]]
    """Who names whom, and in which place."""
    busy: list[int]
    """The vertices that name or are named, and the VMs."""


class Symmetry:
    """Finds the canonical state, and how many states it stands for."""

    def __init__(self, layout: Layout, chosen: Sequence[Sequence[Any]] = ()) -> None:
        self.layout = layout
        self.chosen = chosen
        """The values that parameters of actions are restricted to: what is among them is told from what is not."""
        self.count = len(layout.elements)
        number_of = {one: number for number, one in enumerate(layout.elements)}
        self.owner: list[int] = [number_of[one.vm] if isinstance(one, Owned) else -1 for one in layout.elements]
        self.wide = self._places_of_rows()
        """Of each identifier with a row: its number, its block, where the row begins and ends."""
        self.moved: list[dict[tuple[Any, ...], bytes]] = [{} for _ in layout.blocks]
        """Rows with other names in them."""
        self.loose_known: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        self.loose_moved: dict[tuple[Any, ...], bytes] = {}
        self.shapes: dict[Any, int] = {}
        self.of_value: dict[tuple[str, int], tuple[Any, tuple[int, ...]]] = {}
        self.classes = self._classes()
        """Which identifiers may take each other's places; those of a VM, once for each VM."""
        self.label = [0] * self.count
        """Tells apart what may never be exchanged."""
        labels: dict[Any, int] = {}
        for members in self.classes:
            first = layout.elements[members[0]]
            kind = (type(first).__name__, self._told(first))
            for one in members:
                self.label[one] = labels.setdefault(kind, len(labels))
        self.plain = [hash((label, 5)) for label in self.label]
        """The colours of identifiers of which nothing is kept."""
        known: dict[tuple[int, int], dict[bytes, tuple[int, tuple[int, ...]]]] = {}
        self.rows = [(one, known.setdefault((number, self.label[one]), {}), number, start, end)
                     for one, number, start, end in self.wide]  # fmt: skip
        """And of each row that was met: a colour for what it holds but for the names, and the names."""
        self.vms = [one for one, thing in enumerate(layout.elements) if isinstance(thing, VM)]
        self.within = self._within_vm()
        self.owned = [(vm, [one for members in own for one in members]) for vm, own in self.within.items()]
        self.shared = [
            members for members in self.classes
            if len(members) > 1 and (self.owner[members[0]] < 0 or members[0] in self.vms)
        ]  # fmt: skip
        """Those of them that belong to no VM."""
        self.group = self._size_of_group()
        """How many ways of renaming there are."""

    # what may be exchanged

    def _places_of_rows(self) -> list[tuple[int, int, int, int]]:
        places = []
        for number, block in enumerate(self.layout.blocks):
            for i in range(len(block.members) if block.width else 0):
                start = block.start + i * block.width
                places.append((block.first + i, number, start, start + block.width))
        return places

    def _classes(self) -> list[list[int]]:
        """Identifiers of one sort, of one VM if they belong to one, that the parameters do not tell apart."""
        found: dict[Any, list[int]] = {}
        for number, one in enumerate(self.layout.elements):
            owner = one.vm if isinstance(one, Owned) else None
            found.setdefault((type(one).__name__, owner, self._told(one)), []).append(number)
        return list(found.values())

    def _told(self, one: Identifier) -> tuple[Any, ...]:
        """What the parameters of the machine, and those of actions, say of an identifier."""
        machine, shapes = self.layout.machine, self.layout.shapes
        beginnings = {shape.field.value for shape in shapes.values() if isinstance(shape.field.value, str)}
        told: list[Any] = []
        for name, shape in shapes.items():
            if shape.field.is_given and shape.keys == (type(one),) and name not in beginnings:
                value = getattr(machine, name)[one]
                if isinstance(value, Block):  # blocks are compared, and stand nowhere in the state
                    alike = [other for other in machine.ids[type(one)] if getattr(machine, name)[other] is value]
                    value = ("alone",) if len(alike) == 1 and len(machine.ids[type(value)]) > 1 else value
                told.append((name, value))
        if isinstance(one, VM):
            own = [each for sort in machine.ids if issubclass(sort, Owned) for each in machine.each(sort, one)]
            told += sorted(repr((type(each).__name__, self._told(each))) for each in own)
        for number, values in enumerate(self.chosen):
            if any(one is value for value in values):
                told.append((number, "chosen"))
            elif any(one in named_in(value) for value in values):
                told.append((number, one))  # as a part of a value: it stays what it is
        return tuple(told)

    def _within_vm(self) -> dict[int, list[list[int]]]:
        """For each VM its classes of identifiers, in one order for all VMs."""
        elements = self.layout.elements
        found: dict[int, list[list[int]]] = {vm: [] for vm in self.vms}
        for members in self.classes:
            if self.owner[members[0]] >= 0:
                found[self.owner[members[0]]].append(members)
        for own in found.values():
            own.sort(key=lambda members: repr((type(elements[members[0]]).__name__, self._told(elements[members[0]]))))
        return found

    def _size_of_group(self) -> int:
        size = 1
        for members in self.classes:
            size *= factorial(len(members))
        return size

    # reading a state as a graph

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

    def _row(self, fields: Sequence[str], row: bytes) -> tuple[int, tuple[int, ...]]:
        shapes: list[Any] = []
        names: list[int] = []
        for field, number in zip(fields, row, strict=True):
            shape, own = self._value(field, number)
            shapes.append(shape)
            names += own
        return self.shapes.setdefault((*fields, *shapes), len(self.shapes)), tuple(names)

    def _graph(self, packed: bytes) -> Graph:
        colours: Colours = list(self.plain)
        names: list[tuple[int, ...]] = [()] * self.count
        edges: list[tuple[int, int, int]] = []
        busy = set(self.vms)
        for one, known, number, start, end in self.rows:
            found = known.get(packed[start:end])
            if found is None:
                row = packed[start:end]
                shape, own = self._row(self.layout.blocks[number].fields, row)
                found = known[row] = hash((shape, self.label[one])), own
            colours[one] = found[0]
            if found[1]:
                names[one] = found[1]
        loose = packed[: len(self.layout.loose)]
        found = self.loose_known.get(loose)
        if found is None:
            found = self.loose_known[loose] = self._row([field for field, _ in self.layout.loose], loose)
        colours.append(hash((found[0], 6)))
        names.append(found[1])
        entries: list[tuple[int, int, int, int]] = []
        for i, pairs in enumerate(self.layout.pairs):
            held = packed[pairs.start : pairs.end]
            if any(held):
                for at, number in enumerate(held):
                    if number:
                        first, second = pairs.first + at // pairs.width, pairs.second + at % pairs.width
                        shape, own = self._value(pairs.field, number)
                        colours.append(hash((self.shapes.setdefault((pairs.field, shape), len(self.shapes)), 8)))
                        names.append((first, second, *own))
                        entries.append((i, first, second, number))
        for one, named in enumerate(names):
            if named:
                busy.add(one)
                busy.update(named)
                edges += [(one, role, other) for role, other in enumerate(named)]
        return Graph(colours, names, entries, edges, sorted(busy))

    # colours

    def _refine(self, colours: Colours, graph: Graph) -> Colours:
        """Tell vertices apart by what is around them, until that tells no more of the busy ones apart."""
        colours = self._with_vms(colours)
        different = 0
        while True:
            colours, now = self._rounds(colours, graph, different)
            if len(self.vms) == len({colours[vm] for vm in self.vms}):
                return colours
            colours = self._with_vms(colours)
            if len({colours[one] for one in graph.busy}) == now:
                return colours
            different = now

    def _rounds(self, colours: Colours, graph: Graph, different: int) -> tuple[Colours, int]:
        edges, busy, size = graph.edges, graph.busy, len(colours)
        different = different or len({colours[one] for one in busy})
        while different < len(busy):
            around = [0] * size
            for one, role, other in edges:
                around[one] += hash((colours[other], role))
                around[other] += hash((role, colours[one], 1))
            new = list(map(hash, zip(colours, around, strict=True)))
            now = len({new[one] for one in busy})
            if now == different:
                break
            colours, different = new, now
        return colours, different

    def _with_vms(self, colours: Colours) -> Colours:
        """Each VM coloured with what it has, then all that it has with the VM."""
        colours = list(colours)
        for vm, own in self.owned:
            total = 0
            for one in own:
                total += hash((3, colours[one]))
            of_vm = colours[vm] = hash((colours[vm], total))
            for one in own:
                colours[one] = hash((colours[one], of_vm))
        return colours

    # the canonical state

    def canonical(self, packed: bytes) -> bytes:
        """The one state that stands for all that differ from this one in names only."""
        return self.canonical_and_ways(packed)[0]

    def orbit(self, ways: int) -> int:
        """How many states differ from one in names only, itself included, if so many renamings leave it as it is."""
        return self.group // ways

    def canonical_and_ways(self, packed: bytes) -> tuple[bytes, int]:
        """The canonical state, and in how many ways of renaming a state stays as it is."""
        graph = self._graph(packed)
        return self._order(packed, self._refine(graph.colours, graph), graph)

    def stood_for(self, packed: bytes) -> tuple[dict[int, int], dict[int, int]]:
        """Identifiers that need not be tried where another one is, with that one.

        The first are those that some renaming which leaves the state as it is exchanges for the other: one argument
        of an action may be replaced by it, if the other arguments are replaced too. The second hold the same, name
        nothing and are named by nothing: exchanging two of them changes nothing else.
        """
        graph = self._graph(packed)
        colours = self._refine(graph.colours, graph)
        tied = self._ties(colours)
        busy = tied.intersection(graph.busy)
        loners: dict[int, int] = {}
        alike: dict[Any, int] = {}
        for one in sorted(tied - busy):
            other = alike.setdefault((colours[one], self.owner[one]), one)
            if other != one:
                loners[one] = other
        exchanged = dict(loners)
        if busy and self._tell_apart(busy, list(colours), graph)[1]:
            for one in sorted(busy):
                other = alike.setdefault(colours[one], one)
                if other != one:
                    exchanged[one] = other
        return exchanged, loners

    def _order(self, packed: bytes, colours: Colours, graph: Graph) -> tuple[bytes, int]:
        tied = self._ties(colours)
        if not tied:
            return self._renamed(packed, colours, graph), 1
        ways, busy = 1, tied.intersection(graph.busy)
        if len(busy) < len(tied):  # the idle ones can be numbered in any order
            alike: dict[tuple[int, int], int] = {}
            for one in tied.difference(busy):
                key = colours[one], self.owner[one]
                alike[key] = alike.get(key, 0) + 1
            for number in alike.values():
                ways *= factorial(number)
        if not busy:
            return self._renamed(packed, colours, graph), ways
        more, clear = self._tell_apart(busy, colours, graph)
        if clear:
            return self._renamed(packed, colours, graph), ways * more
        cell = self._first_cell(colours, busy)
        candidates = cell[:1] if self._is_forest(colours, graph) else cell
        best, found_ways = b"", 0
        for one in candidates:
            chosen = list(colours)
            chosen[one] = hash((colours[one], 11))
            found, own = self._order(packed, self._refine(chosen, graph), graph)
            if not best or found < best:
                best, found_ways = found, own * (len(cell) if len(candidates) == 1 else 1)
            elif found == best:
                found_ways += own
        return best, found_ways

    def _ties(self, colours: Colours) -> set[int]:
        """All vertices that are not the only ones of their colour; none if every identifier is."""
        own = colours[: self.count]
        if len(set(own)) == self.count:
            return set()
        seen: dict[int, int] = {}
        tied: set[int] = set()
        for one, colour in enumerate(colours):
            other = seen.setdefault(colour, one)
            if other != one:
                tied.add(one)
                tied.add(other)
        return tied

    def _tell_apart(self, tied: set[int], colours: Colours, graph: Graph) -> tuple[int, bool]:
        """Give tied vertices colours of their own, if each part of the graph that they make has every colour once.

        Such parts with the same colours are alike in everything and can be exchanged: in how many ways, and whether
        all could be told apart so. If not, no colour is changed.
        """
        part = {one: [one] for one in tied}
        names = graph.names
        for one in tied:
            for other in (*names[one], *([self.owner[one]] if one < self.count else [])):
                if other in part and part[other] is not part[one]:
                    less, more = sorted((part[one], part[other]), key=len)
                    more += less
                    for moved in less:
                        part[moved] = more
        alike: dict[tuple[int, ...], list[list[int]]] = {}
        for members in {id(one): one for one in part.values()}.values():
            members.sort(key=colours.__getitem__)
            key = tuple([colours[one] for one in members])
            if len(set(key)) < len(key):
                return 1, False
            alike.setdefault(key, []).append(members)
        ways = 1
        for parts in alike.values():
            ways *= factorial(len(parts))
            for place, members in enumerate(sorted(parts)):
                for one in members:
                    colours[one] = hash((colours[one], place, 7))
        return ways, True

    def _first_cell(self, colours: Colours, busy: set[int]) -> list[int]:
        """Identifiers that may be exchanged and have one colour: VMs first, then those of the least colour.

        Which are taken rests on colours alone, so that it is the same whatever the names are.
        """
        alike: dict[int, list[int]] = {}
        for one in sorted(busy):
            if one < self.count:
                alike.setdefault(colours[one], []).append(one)
        cells = [members for members in alike.values() if len(members) > 1]
        of_vms = [members for members in cells if members[0] in self.vms]
        return min(of_vms or cells, key=lambda members: colours[members[0]])

    def _is_forest(self, colours: Colours, graph: Graph) -> bool:
        """Whether the edges between vertices that are not the only ones of their colour make no circle."""
        counts: dict[int, int] = {}
        for colour in colours:
            counts[colour] = counts.get(colour, 0) + 1
        tied = [counts[colour] > 1 for colour in colours]
        edges = {
            (min(one, other), max(one, other)) for one, _, other in graph.edges
            if tied[one] and tied[other] and one != other
        }  # fmt: skip
        edges |= {(vm, one) for one, vm in enumerate(self.owner) if vm >= 0 and tied[vm] and tied[one]}
        root = list(range(len(colours)))

        def top(one: int) -> int:
            while root[one] != one:
                root[one] = root[root[one]]
                one = root[one]
            return one

        for one, other in edges:
            a, b = top(one), top(other)
            if a == b:
                return False
            root[a] = b
        return True

    def _renamed(self, packed: bytes, colours: Colours, graph: Graph) -> bytes:
        """The state in which identifiers are numbered in the order of their colours."""
        new = list(range(self.count))
        by_colour: Callable[[int], int] = colours.__getitem__
        for members in self.shared:
            for place, one in zip(members, sorted(members, key=by_colour), strict=True):
                new[one] = place
        for vm, own in self.within.items():
            for members, places in zip(own, self.within[new[vm]], strict=True):
                if len(members) == 1:
                    new[members[0]] = places[0]
                else:
                    for place, one in zip(places, sorted(members, key=by_colour), strict=True):
                        new[one] = place
        return self.rename(packed, new, graph)

    def rename(self, packed: bytes, new: Sequence[int], graph: Graph) -> bytes:
        """The state in which each identifier has another number."""
        layout, count, names = self.layout, self.count, graph.names
        parts: list[bytes] = [b""] * (count + 1)
        parts[0] = packed[: len(layout.loose)]
        if names[count]:
            parts[0] = self._moved(self.loose_moved, [f for f, _ in layout.loose], parts[0], names[count], new)
        for one, number, start, end in self.wide:
            row, named = packed[start:end], names[one]
            if named:
                row = self._moved(self.moved[number], layout.blocks[number].fields, row, named, new)
            parts[1 + new[one]] = row
        if not layout.pairs:
            return b"".join(parts)
        base = layout.pairs[0].start
        rest = bytearray(layout.size - base)
        for i, first, second, number in graph.entries:
            pairs = layout.pairs[i]
            at = pairs.start + (new[first] - pairs.first) * pairs.width + new[second] - pairs.second
            rest[at - base] = self._number(pairs.field, number, new)
        return b"".join(parts) + bytes(rest)

    def _moved(self, known: dict[tuple[Any, ...], bytes], fields: Sequence[str], row: bytes,
               named: tuple[int, ...], new: Sequence[int]) -> bytes:  # fmt: skip
        key = (row, tuple([new[one] for one in named]))
        found = known.get(key)
        if found is None:
            found = known[key] = bytes(
                self._number(field, number, new) for field, number in zip(fields, row, strict=True)
            )
        return found

    def _number(self, field: str, number: int, new: Sequence[int]) -> int:
        """The number of a value with other names in it."""
        values = self.layout.values[field]
        return values.number(self._with_names(values.values[number], new))

    def _with_names(self, value: Any, new: Sequence[int]) -> Any:
        if isinstance(value, Identifier) and is_renamed(type(value)):
            return self.layout.elements[new[self.layout.number_of[value]]]
        if isinstance(value, Sum):
            made: Any = type(value)
            return made(*[self._with_names(part, new) for part in parts_of(value)])
        return value
