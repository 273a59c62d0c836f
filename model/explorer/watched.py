"""A machine that notes what is read and written.

What a rule does depends on nothing but what it reads. So the machine is not
built from the packed state: its maps look an entry up when a rule asks for
it, and note that it did. Writes are kept beside, until they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pagelaw.spec.language import Map
from pagelaw.spec.language.state import Always
from pagelaw.spec.machine import Machine

from .packing import Layout, Moved


class Log:
    """What was read of one state, in order: places, each once."""

    __slots__ = ("places", "seen")

    def __init__(self) -> None:
        self.places: list[int] = []
        self.seen: set[int] = set()

    def note(self, place: int) -> None:
        """A place was read."""
        if place not in self.seen:
            self.seen.add(place)
            self.places.append(place)


class Column(Map[Any, Any]):
    """One field: read from the packed state, written beside it."""

    __slots__ = ("at", "known", "log", "numbers", "packed", "writes")

    def __init__(self, layout: Layout, field: str) -> None:
        super().__init__(self._nothing)
        self.at, known = layout.at[field], layout.values[field]
        self.known, self.numbers = known.values, known
        self.packed, self.log = b"", Log()
        self.writes: dict[int, int] = {}

    @staticmethod
    def _nothing(key: Any) -> Any:
        raise KeyError(key)

    def __getitem__(self, key: Any) -> Any:
        place = self.at[key]
        written = self.writes.get(place)
        if written is not None:
            return self.known[written]
        self.log.note(place)
        return self.known[self.packed[place]]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.writes[self.at[key]] = self.numbers.number(value)


class Untold(Exception):
    """Something is read that a machine that forgets does not keep."""


class Fixed(Map[Any, Any]):
    """A field that is left out of the packed state. It may change for a while, within one action."""

    __slots__ = ("held", "now", "untold")

    def __init__(self, held: Map[Any, Any]) -> None:
        super().__init__(held.otherwise)
        self.held = held
        self.untold = False
        """Whether it may change and nobody keeps how: then it must not be read."""
        self.now: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        if self.untold:
            raise Untold
        return self.now[key] if key in self.now else self.held[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.now[key] = value

    def moved(self) -> bool:
        """Whether it is not what it was."""
        return any(value != self.held[key] for key, value in self.now.items())


def _scalar(field: str) -> property:
    """A field without keys, as an attribute that is noted too."""

    def read(self: Watched) -> Any:
        column = self.columns.get(field)
        return self.fixed[field][()] if column is None else column[()]

    def write(self: Watched, value: Any) -> None:
        column = self.columns.get(field)
        if column is None:
            self.fixed[field][()] = value
        else:
            column[()] = value

    return property(read, write)


class Watched(Machine):
    """A machine over a packed state."""

    columns: dict[str, Column]
    fixed: dict[str, Fixed]
    layout: Layout

    @classmethod
    def over(cls, layout: Layout) -> Watched:
        """One that is over no state yet: see `on`."""
        made = cls.__new__(cls)
        base = layout.machine
        made.layout, made.ids, made.observer, made._per_vm = layout, base.ids, None, {}
        made.columns = {field: Column(layout, field) for field in layout.fields}
        made.fixed = {}
        for name, shape in layout.shapes.items():
            held = getattr(base, name)
            if shape.field.is_given:
                made.__dict__[name] = held
                continue
            if name not in made.columns:
                made.fixed[name] = Fixed(held if shape.keys else Map(Always(held)))
            if shape.keys:
                made.__dict__[name] = made.columns[name] if name in made.columns else made.fixed[name]
        return made

    def on(self, packed: bytes, log: Log) -> Watched:
        """The same over this state, nothing written; reads are noted in `log`."""
        writes: dict[int, int] = {}
        for column in self.columns.values():
            column.packed, column.log, column.writes = packed, log, writes
        for field in self.fixed.values():
            if field.now:
                field.now = {}
        return self

    def settled(self) -> None:
        """Raise `Moved` if fields that are left out are not what they were."""
        moved = {name for name, field in self.fixed.items() if field.now and field.moved()} - self.layout.ignored
        if moved:
            raise Moved(moved)

    @property
    def writes(self) -> dict[int, int]:
        """What was written: numbers of values by place."""
        for column in self.columns.values():
            return column.writes
        return {}

    def copy(self) -> Watched:
        """One with the same state and writes of its own; what is read of it is noted in the same place."""
        twin = Watched.over(self.layout)
        for name, column in self.columns.items():
            twin.columns[name].packed, twin.columns[name].log = column.packed, column.log
        writes = dict(self.writes)
        for column in twin.columns.values():
            column.writes = writes
        for name, field in self.fixed.items():
            twin.fixed[name].now, twin.fixed[name].untold = dict(field.now), field.untold
        twin.__dict__.update({k: v for k, v in self.__dict__.items() if k == "observer"})
        return twin


def _scalars() -> Iterator[str]:
    for name, shape in Machine.shapes().items():
        if not shape.keys and not shape.field.is_given:
            yield name


Watched._fields = Machine._fields
Watched._shapes = Machine.shapes()
for _name in _scalars():
    setattr(Watched, _name, _scalar(_name))
