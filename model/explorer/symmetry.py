"""States that differ only in names count as one.

Exchanging two frames, two slots, two VMs, two pages of a VM ... turns a run
into a run. Of all states that differ in this way one is kept, the *canonical*
one.

A state is seen as a graph (see `graphs`). Colours are refined by the colours
around until nothing changes. Vertices that are still alike are told apart by
choosing one of them to come first: any, if what is left of the graph is a
forest, since then they can be exchanged; else each is tried, and the least
string wins.

That takes its time. So a state first gets names by what can be told at a
glance: nearly all states that differ in names only are equal then, and the
canonical one is worked out once for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

from .exchange import Exchange
from .graphs import Colours, Graph, Graphs, Row
from .packing import Layout

Groups = tuple[tuple[tuple[int, ...], bool], ...]
"""Groups of identifiers of which one stands for the others, as a renaming that exchanges them leaves the state as it
is: one argument of an action may be replaced by another of its group, if the other arguments are replaced too. Those of
some groups are *idle*: they name nothing and are named by nothing, so exchanging two of them changes nothing else."""
Name = tuple[bytes, int, Groups]
"""A canonical state, in how many ways of renaming it stays as it is, and what is alike in it."""
Ordered = tuple[bytes, int, list[int], list[tuple[list[int], bool]]]
"""The same by the new numbers, these, and what is alike by the old ones."""
Onto = tuple[list[int], list[tuple[list[int], list[int]]]]
LAST = 1 << 64
"""More than any colour."""


class Symmetry:
    """Finds the canonical state, and how many states it stands for."""

    def __init__(self, layout: Layout, chosen: Sequence[Sequence[Any]] = ()) -> None:
        self.exchange = Exchange(layout, chosen)
        self.graphs = Graphs(layout, self.exchange.label, self.exchange.vms)
        self.count, self.owner, self.vms = self.exchange.count, self.exchange.owner, tuple(self.exchange.vms)
        self.owned = [(vm, [one for members in own for one in members]) for vm, own in self.exchange.within.items()]
        self.onto: dict[tuple[int, ...], Onto] = {}
        self.counts = [owner >= 0 or one in self.vms for one, owner in enumerate(self.owner)] + [True]
        """Whether frames and slots are numbered as a vertex names them: what VMs have, and the loose entries."""
        self.known: dict[bytes, Name] = {}
        """The canonical states of those that were told apart at a glance."""
        self.groups: dict[Groups, Groups] = {}

    def _onto(self, vms: tuple[int, ...]) -> Onto:
        """What becomes of all identifiers when VMs take each other's places, and of which classes there is a choice."""
        within, new, choices = self.exchange.within, list(range(self.count + 1)), []
        for vm, other in zip(self.vms, vms, strict=True):
            new[vm] = other
            for mine, theirs in zip(within[vm], within[other], strict=True):
                for one, place in zip(mine, theirs, strict=True):
                    new[one] = place
                if len(mine) > 1:
                    choices.append((mine, theirs))
        self.onto[vms] = new, choices
        return new, choices

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

    def name(self, packed: bytes) -> Name:
        """The canonical state, and what can be said of it."""
        rows = self.graphs.read(packed)
        glanced = self.graphs.rename(packed, rows, self._at_a_glance(rows))
        found = self.known.get(glanced)
        if found is None:
            found = self.known[glanced] = self._work_out(glanced)
        return found

    def orbit(self, ways: int) -> int:
        """How many states differ from one in names only, itself included, if so many renamings leave it as it is."""
        return self.exchange.group // ways

    def _work_out(self, packed: bytes) -> Name:
        graph = self.graphs.graph(packed)
        canonical, ways, new, alike = self._order(packed, self._refine(graph.colours, graph), graph)
        groups = tuple(sorted((tuple(sorted([new[one] for one in members])), idle) for members, idle in alike))
        return canonical, ways, self.groups.setdefault(groups, groups)

    def _at_a_glance(self, rows: Sequence[Row]) -> list[int]:
        """New numbers: by what each holds and what those hold that it names; frames and slots as pages come to them."""
        colours, naming = self.graphs.colours(rows), self.graphs.naming(rows)
        seen = colours.copy()
        for one, names in naming:
            if len(names) == 1:
                seen[one] = hash((colours[one], colours[names[0]]))
            else:
                seen[one] = hash((colours[one], *[colours[name] for name in names]))
        if self.exchange.of_vms:
            for vm, own in self.owned:
                seen[vm] = hash((seen[vm], sum([seen[one] for one in own])))
        new = self._numbered(seen)
        if self.exchange.of_no_vm:
            for one, names in naming:
                if self.counts[one]:
                    place = new[one] - LAST
                    for name in names:
                        if place < seen[name]:
                            seen[name] = place
            self._number_rest(seen, new)
        return new

    def _numbered(self, colours: Colours) -> list[int]:
        """New numbers in the order of colours, for VMs and what they have."""
        vms = self.vms
        for members in self.exchange.of_vms:
            in_order = sorted(members, key=colours.__getitem__)
            if in_order != members:
                taken = dict(zip(in_order, members, strict=True))
                vms = tuple([taken.get(vm, vm) for vm in vms])
        plain, choices = self.onto.get(vms) or self._onto(vms)
        new = plain.copy()
        for members, places in choices:
            for place, one in zip(places, sorted(members, key=colours.__getitem__), strict=True):
                new[one] = place
        return new

    def _number_rest(self, colours: Colours, new: list[int]) -> None:
        """The same for what belongs to no VM."""
        for members in self.exchange.of_no_vm:
            for place, one in zip(members, sorted(members, key=colours.__getitem__), strict=True):
                new[one] = place

    def _order(self, packed: bytes, colours: Colours, graph: Graph) -> Ordered:
        """The canonical state of all whose vertices are told apart so far by these colours."""
        alike, ways, clear = self._alike(colours, graph)
        if clear:
            new = self._numbered(colours)
            self._number_rest(colours, new)
            return self.graphs.rename(packed, graph.rows, new), ways, new, alike
        cell = self._first_cell(colours, self._ties(colours).intersection(graph.busy))
        candidates = cell[:1] if self._is_forest(colours, graph) else cell
        best, found_ways, new = b"", 0, []
        for one in candidates:
            chosen = list(colours)
            chosen[one] = hash((colours[one], 11))
            found, own, numbers, _ = self._order(packed, self._refine(chosen, graph), graph)
            if not best or found < best:
                best, found_ways, new = found, own * (len(cell) if len(candidates) == 1 else 1), numbers
            elif found == best:
                found_ways += own
        return best, found_ways, new, alike

    def _alike(self, colours: Colours, graph: Graph) -> tuple[list[tuple[list[int], bool]], int, bool]:
        """What can be exchanged so that the state stays as it is: see `Groups`; in how many ways, and whether that is
        all that colours do not tell apart. If it is, they do so now."""
        tied = self._ties(colours)
        busy = tied.intersection(graph.busy)
        idle: dict[tuple[int, int], list[int]] = {}
        for one in tied.difference(busy):
            idle.setdefault((colours[one], self.owner[one]), []).append(one)
        ways = 1
        for members in idle.values():  # they can be numbered in any order
            ways *= factorial(len(members))
        groups = [(members, True) for members in idle.values() if len(members) > 1]
        if not busy:
            return groups, ways, True
        alike: dict[int, list[int]] = {}
        for one in busy:
            if one < self.count:
                alike.setdefault(colours[one], []).append(one)
        more, clear = self._tell_apart(busy, colours, graph)
        if clear:
            groups += [(members, False) for members in alike.values() if len(members) > 1]
        return groups, ways * more, clear

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

    def rename(self, packed: bytes, new: Sequence[int]) -> bytes:
        """The state in which each identifier has another number."""
        return self.graphs.rename(packed, self.graphs.read(packed), [*new, self.count])
