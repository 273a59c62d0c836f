"""Watching a state: which cells a step changed, and which cells a question reads.

A cell is one field at one key, as it is now or as it was before the last step.
`Watched` keeps the cells of a state up to date as rules write to it. A
`Looking` is the same state for whoever asks questions: it notes every cell
that is read.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pagelaw.spec.language import Contents, Identifier, Map, Measure, State, Sum, leaves
from pagelaw.spec.language.state import Shape

SMALL = range(-5, 257)
"""Integers of which there is one object each."""

_one_of_each: dict[Any, Any] = {}


def single(value: Any) -> Any:
    """The one object that stands for all values equal to this one, so that `is` compares them."""
    if isinstance(value, Sum | Fraction) or (type(value) is int and value not in SMALL):
        return _one_of_each.setdefault((type(value), value), value)
    assert isinstance(value, Identifier | Contents | bool | int), f"{value!r} may be equal to another object"
    return value


class Cell:
    """One field of a state at one key: what it holds, and the numbers of the questions that read it."""

    __slots__ = ("field", "key", "readers", "value", "was")

    def __init__(self, field: str, key: Any, value: Any, was: Cell | None = None) -> None:
        self.field, self.key = field, key
        self.value = single(value)
        self.readers: set[int] = set()
        self.was = was or self
        """What it was before the last step, as a cell of its own."""


class Cells(dict[Any, Cell]):
    """The cells of one map, made when first asked for."""

    __slots__ = ("field", "held")

    def __init__(self, field: str, held: WrittenMap) -> None:
        super().__init__()
        self.field, self.held = field, held

    def __missing__(self, key: Any) -> Cell:
        value = self.held[key]
        cell = self[key] = Cell(self.field, key, value, Cell(self.field, key, value))
        return cell


class WrittenMap(Map[Any, Any]):
    """A map that keeps its cells up to date, and notes what they held before the step."""

    __slots__ = ("before", "cells")

    def __init__(self, field: str, held: Map[Any, Any], before: dict[Cell, Any]) -> None:
        super().__init__(held.otherwise, held.items())
        self.cells, self.before = Cells(field, self), before

    def __missing__(self, key: Any) -> Any:
        value = self.otherwise(key)
        dict.__setitem__(self, key, value)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        cell = self.cells[key]
        if cell not in self.before:
            self.before[cell] = cell.value
        cell.value = value = single(value)
        dict.__setitem__(self, key, value)


class Sums:
    """The measures over one map, each kept as a cell: a sum is shifted by what its entries' weights are shifted."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._cells: dict[tuple[Measure[Any], tuple[Any, ...]], Cell] = {}
        self._weights: dict[tuple[int, Any], list[tuple[Cell, int]]] = {}

    def cell(self, measure: Measure[Any], parameters: tuple[Any, ...]) -> Cell:
        """The cell of a measure with these parameters."""
        known = self._cells.get((measure, parameters))
        if known is None:
            value = measure(self._state, *parameters)
            known = Cell(measure.__name__, parameters, value, Cell(measure.__name__, parameters, value))
            self._cells[measure, parameters] = known
            self._weights.clear()
        return known

    def weights(self, value: Any, key: Any) -> list[tuple[Cell, int]]:
        """What an entry adds to each sum, where it is not nothing."""
        known = self._weights.get((id(value), key))
        if known is None:
            found = (
                (cell, measure.weight(self._state, value, key, *parameters))
                for (measure, parameters), cell in self._cells.items()
            )
            known = self._weights[id(value), key] = [(cell, weight) for cell, weight in found if weight]
        return known

    def restart(self) -> None:
        """Add up anew."""
        for (measure, parameters), cell in self._cells.items():
            cell.value = cell.was.value = single(measure(self._state, *parameters))


class Watched:
    """A state whose cells are kept: `begin` a step, do it, `end` it; then `changed` are the cells that it changed."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.before: dict[Cell, Any] = {}
        """What the cells written since the step began held before."""
        self.changed: list[Cell] = []
        """The cells that the last step changed; and those of the state before it that the step before changed."""
        shapes = [shape for shape in state.shapes().values() if not shape.field.is_given]
        self.maps = {shape.name: self._watch(shape) for shape in shapes if shape.keys}
        values = {shape.name: getattr(state, shape.name) for shape in shapes if not shape.keys}
        self.values = {name: Cell(name, None, value, Cell(name, None, value)) for name, value in values.items()}
        """The cells of the fields that are single values."""
        self.sums = {shape.name: Sums(state) for shape in shapes if len(shape.keys) == 1}
        self._start = ({name: dict(held) for name, held in self.maps.items()}, values)

    def _watch(self, shape: Shape) -> WrittenMap:
        watched = WrittenMap(shape.name, getattr(self.state, shape.name), self.before)
        setattr(self.state, shape.name, watched)
        return watched

    def begin(self) -> None:
        """A step begins: what is now will be what was before it."""
        past = []
        for cell in self.changed:
            was = cell.was
            if was is not cell:
                was.value = cell.value
                past.append(was)
        self.changed = past
        self.before.clear()

    def end(self) -> None:
        """The step is over."""
        held = self.state.__dict__
        for name, cell in self.values.items():
            now = held[name]
            if now is not cell.value and now != cell.value:
                self.before[cell] = cell.value
                cell.value = single(now)
        changed = [cell for cell, value in self.before.items() if cell.value is not value]
        self.changed += changed
        shifted: dict[Cell, int] = {}
        for cell in changed:
            if cell.field in self.sums:
                sums = self.sums[cell.field]
                for total, weight in sums.weights(self.before[cell], cell.key):
                    shifted[total] = shifted.get(total, 0) - weight
                for total, weight in sums.weights(cell.value, cell.key):
                    shifted[total] = shifted.get(total, 0) + weight
        for total, by in shifted.items():
            if by:
                total.value = single(total.value + by)
                self.changed.append(total)

    def is_written(self) -> bool:
        """Whether something was written since the last step was over."""
        held = self.state.__dict__
        return bool(self.before) or any(held[name] != cell.value for name, cell in self.values.items())

    def restart(self) -> None:
        """Put the state back to what it was when the watch began."""
        entries, values = self._start
        for name, held in self.maps.items():
            held.clear()
            dict.update(held, entries[name])
            for key, cell in held.cells.items():
                cell.value = cell.was.value = single(held[key])
        for name, value in values.items():
            setattr(self.state, name, value)
            self.values[name].value = self.values[name].was.value = single(value)
        for sums in self.sums.values():
            sums.restart()
        self.before.clear()
        self.changed = []


# Asking.


class ReadMap(Map[Any, Any]):
    """A map that notes which of its cells are read."""

    __slots__ = ("cells", "read")

    def __init__(self, held: WrittenMap, read: list[Cell]) -> None:
        super().__init__(held.otherwise)
        self.cells, self.read = held.cells, read

    def __getitem__(self, key: Any) -> Any:
        cell = self.cells[key]
        self.read.append(cell)
        return cell.value


class ReadMapBefore(ReadMap):
    """The same, as it was before the last step."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        cell = self.cells[key].was
        self.read.append(cell)
        return cell.value


class _Asked(State):
    """What a state is for those who ask: its identifiers, and copies to try rules on."""

    engine: Any = None

    def _like(self, other: State) -> None:
        self.__dict__.update(ids=other.ids, _per_vm=other._per_vm, observer=None, shapes=other.shapes)

    def copy(self) -> Any:
        """A copy on which rules can be tried; what they read of this state is noted all the same."""
        return Trial(self)


class Looking(_Asked):
    """A watched state as questions see it, now or before the last step: the cells they read go into `read`.

    It is the engine of what is asked, so that a measure is one cell, and not the sum of many.
    """

    def __init__(self, watched: Watched, read: list[Cell], before: bool = False) -> None:
        state = watched.state
        self._like(state)
        self.engine = self
        self._watched, self._read, self._is_before = watched, read, before
        for name, shape in state.shapes().items():
            if shape.field.is_given:
                self.__dict__[name] = getattr(state, name)
            elif shape.keys:
                self.__dict__[name] = (ReadMapBefore if before else ReadMap)(watched.maps[name], read)

    def __getattr__(self, name: str) -> Any:
        values: dict[str, Cell] = self.__dict__["_watched"].values
        if name not in values:
            raise AttributeError(name)
        cell = values[name].was if self._is_before else values[name]
        self._read.append(cell)
        return cell.value

    def measure(self, measure: Measure[Any], _: State, parameters: tuple[Any, ...]) -> int:
        """A sum, read from its cell."""
        cell = self._watched.sums[measure.over].cell(measure, parameters)
        cell = cell.was if self._is_before else cell
        self._read.append(cell)
        return int(cell.value)

    def view(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A view is its text."""
        return function(*arguments)

    def enabled(self, rule: Callable[..., Any], _: State, given: tuple[Any, ...], so_that: Callable[..., bool]) -> bool:
        """Whether a rule would be done, and would leave what is asked for."""
        return leaves(rule, self.copy(), *given, so_that=so_that)


class Trial(_Asked):
    """A copy to try rules on: what it is asked for and was not written, it takes from where it was copied."""

    def __init__(self, base: Any) -> None:
        self._like(base)
        self._base = base

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._base, name)
        if isinstance(value, Map) and not self.shapes()[name].field.is_given:
            value = Map(value.__getitem__)
        self.__dict__[name] = value
        return value


__all__ = ["Cell", "Looking", "Trial", "Watched", "single"]
