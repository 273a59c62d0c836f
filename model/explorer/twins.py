"""What an action does is told by its twin: the same action with other names among its arguments.

Rules compare identifiers and do nothing else with them: a state and an action
under other names lead to the same state under other names. So of all actions
that differ in names only one is run, the *first*; the others ask what it does
in the state under such names, and give the answer its old names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

from .acting import Acting, Outcome, Views
from .exchange import Exchange
from .graphs import Graphs
from .machines import Step
from .memo import Memo
from .packing import named_in

Names = tuple[Sequence[int], Sequence[Mapping[int, int]]]
"""Of each place the one by its old name, and of each place what its values are by new names."""


class Numbers(dict[int, int]):
    """Of the number of each value of one field the number of the same by other names."""

    def __init__(self, graphs: Graphs, field: str, new: Sequence[int]) -> None:
        super().__init__()
        self.graphs, self.field, self.new = graphs, field, new

    def __missing__(self, number: int) -> int:
        other = self[number] = self.graphs.number(self.field, number, self.new)
        return other


class Renaming:
    """New names for everything, and the old ones back."""

    def __init__(self, graphs: Graphs, views: Views, new: Sequence[int]) -> None:
        self.graphs, self.views, self.new = graphs, views, [*new, graphs.count]
        self.old = list(range(len(self.new)))
        for one, other in enumerate(self.new):
            self.old[other] = one

    @cached_property
    def place(self) -> list[int]:
        """Of each place the one where the entry stood by its old name."""
        found = list(range(self.graphs.layout.size))
        for places in self.graphs.layout.at.values():
            for key, place in places.items():
                found[place] = places[self._by_old_name(key)]
        return found

    @cached_property
    def forth(self) -> list[Numbers]:
        """Of each place what the values become that stood there by old names."""
        return self._numbers(self.new)

    @cached_property
    def back(self) -> list[Numbers]:
        """And back."""
        return self._numbers(self.old)

    def _numbers(self, new: Sequence[int]) -> list[Numbers]:
        layout = self.graphs.layout
        of_field = {field: Numbers(self.graphs, field, new) for field in layout.fields}
        return [of_field[field] for field in layout.field_at]

    def _by_old_name(self, key: Any) -> Any:
        if isinstance(key, tuple):
            return tuple(self._by_old_name(one) for one in key)
        return self.graphs.with_names(key, self.old)

    def state(self, packed: bytes) -> bytes:
        """A state by new names."""
        return self.graphs.rename(packed, self.graphs.read(packed), self.new)

    def outcome(self, outcome: Outcome) -> Outcome:
        """What came of an action, by old names."""
        place, back = self.place, self.back
        writes = sorted([(place[one], back[one][number]) for one, number in outcome.writes])
        unsettled = [(place[one], back[one][number]) for one, number in outcome.unsettled]
        private = [self._private(number, value) for number, value in outcome.private]
        return attrs.evolve(outcome, writes=tuple(writes), unsettled=tuple(unsettled), private=tuple(private))

    def _private(self, number: int, value: Any) -> tuple[int, Any]:
        name, key = self.views.entries[number]
        return self.views.number_of[name, self._by_old_name(key)], self.graphs.with_names(value, self.old)


class Twin:
    """The memory of an action that another one is asked for: that one's, looked up by other names."""

    def __init__(self, acting: Acting, first: Memo, renaming: Renaming) -> None:
        self.acting, self.first, self.renaming = acting, first, renaming
        self.outcomes: dict[Outcome, Outcome] = {}

    @property
    def root(self) -> Any:
        """Where the other one's memory begins."""
        return self.first.root

    @cached_property
    def names(self) -> Names:
        """What each place is by its own names, and what a value there is by the other's."""
        return self.renaming.place, self.renaming.forth

    def __call__(self, packed: bytes) -> Outcome:
        """What the action does."""
        (place, forth), node = self.names, self.first.root
        try:
            while node.__class__ is list:
                here = place[node[0]]
                node = node[1][forth[here][packed[here]]]
        except KeyError:
            node = None
        if node is None:  # nor was the other one asked
            self.first(self.renaming.state(packed))
            return self(packed)
        return self.acting(packed)[1] if node.problem else self.own(node)

    def own(self, outcome: Outcome) -> Outcome:
        """What comes of the other action, by the names of this one."""
        if outcome.refused is not None:
            return outcome
        found = self.outcomes.get(outcome)
        if found is None:
            found = self.outcomes[outcome] = self.renaming.outcome(outcome)
        return found


class Twins:
    """Finds of each action the first one among its twins."""

    def __init__(self, exchange: Exchange, graphs: Graphs, views: Views) -> None:
        self.exchange, self.graphs, self.views = exchange, graphs, views
        self.renamings: dict[tuple[int, ...], Renaming] = {}

    def memos(self, steps: Sequence[Step], acting: Sequence[Acting]) -> list[Memo | Twin]:
        """A memory for each action."""
        number = {step: i for i, step in enumerate(steps)}
        found: list[Memo | Twin] = []
        for (action, arguments), one in zip(steps, acting, strict=True):
            new = self.to_first(arguments)
            twin = number.get((action, tuple(self.graphs.with_names(argument, new) for argument in arguments)))
            first = found[twin] if twin is not None and twin < len(found) else None
            if not isinstance(first, Memo):
                found.append(Memo(one))
            else:
                renaming = self.renamings.get(tuple(new))
                if renaming is None:
                    renaming = self.renamings[tuple(new)] = Renaming(self.graphs, self.views, new)
                found.append(Twin(one, first, renaming))
        return found

    def to_first(self, arguments: Sequence[Any]) -> list[int]:
        """New names by which the first arguments of all that differ in names only take the place of these."""
        names = self.exchange
        number_of = self.graphs.layout.number_of
        taken: dict[int, int] = {}
        for argument in arguments:
            for one in map(number_of.__getitem__, named_in(argument)):
                if names.owner[one] >= 0:
                    self._take(names.owner[one], names.of(names.owner[one]), taken)
                    vm = names.owner[one]
                    mine = next(i for i, members in enumerate(names.within[vm]) if one in members)
                    self._take(one, names.within[taken[vm]][mine], taken)
                else:
                    self._take(one, names.of(one), taken)
        return self._completed(taken)

    @staticmethod
    def _take(one: int, places: Sequence[int], taken: dict[int, int]) -> None:
        if one not in taken:
            used = set(taken.values())
            taken[one] = next(place for place in places if place not in used)

    def _completed(self, taken: dict[int, int]) -> list[int]:
        """The others stay what they are as far as they can."""
        names, new = self.exchange, list(range(self.exchange.count))
        for members in names.classes:
            if names.owner[members[0]] < 0 and not taken.keys().isdisjoint(members):
                self._fill(members, members, taken, new)
        for vm, own in names.within.items():
            for members, places in zip(own, names.within[new[vm]], strict=True):
                if new[vm] != vm or not taken.keys().isdisjoint(members):
                    self._fill(members, places, taken, new)
        return new

    @staticmethod
    def _fill(members: Sequence[int], places: Sequence[int], taken: dict[int, int], new: list[int]) -> None:
        used = {taken[one] for one in members if one in taken}
        rest = []
        for one, place in zip(members, places, strict=True):
            if one in taken:
                new[one] = taken[one]
            elif place not in used:
                new[one] = place
                used.add(place)
            else:
                rest.append(one)
        for one, place in zip(rest, [place for place in places if place not in used], strict=True):
            new[one] = place
