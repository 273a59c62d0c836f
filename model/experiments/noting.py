"""Two machines for one: as it is, with a note of what a step writes, and as it was before the step."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Generic, TypeVar

from pagelaw.spec.language import Map, State
from pagelaw.spec.language.state import Indexed

Key = Any
S = TypeVar("S", bound=State)
put = dict.__setitem__


class Writes:
    """What a step has written: the fields, and for each the key."""

    __slots__ = ("fields", "keys")

    def __init__(self) -> None:
        self.fields: list[str] = []
        self.keys: list[Key] = []


class Noting(Map[Any, Any]):
    """A map that notes at which keys it is written."""

    __slots__ = ("_field", "_note_field", "_note_key", "was")

    def __init__(self, field: str, held: Map[Any, Any], writes: Writes) -> None:
        super().__init__(held.otherwise, held.items())
        self._field, self._note_field, self._note_key = field, writes.fields.append, writes.keys.append
        self.was = held
        """The map as it was before the step."""

    def __setitem__(self, key: Key, value: Any) -> None:
        self._note_field(self._field)
        self._note_key(key)
        put(self, key, value)

    def __missing__(self, key: Key) -> Any:
        value = self.otherwise(key)
        put(self, key, value)  # nobody wrote it: to look is not to change
        return value


class ReadIndexed(Indexed[Any, Any]):
    """A map that knows at which keys a value was written, and what it holds at others once it was read there."""

    __slots__ = ()

    def __missing__(self, key: Key) -> Any:
        value = self.otherwise(key)
        put(self, key, value)
        return value

    def __setitem__(self, key: Key, value: Any) -> None:
        self.keys_of.get(dict.get(self, key), {}).pop(key, None)
        put(self, key, value)
        self.keys_of.setdefault(value, {})[key] = None


class NotingIndexed(ReadIndexed):
    """The same for a map that knows at which keys it holds a value."""

    __slots__ = ("_field", "_writes", "was")

    def __init__(self, field: str, held: Indexed[Any, Any], writes: Writes) -> None:
        self._field, self._writes = field, Writes()
        super().__init__(held.otherwise, held.items())
        self._writes = writes
        self.was = ReadIndexed(held.otherwise, held.items())

    def __setitem__(self, key: Key, value: Any) -> None:
        self._writes.fields.append(self._field)
        self._writes.keys.append(key)
        super().__setitem__(key, value)


class Before(State):
    """A state that has the parameters of another, also when an administrator changes them, and fields of its own."""

    _now: State

    @classmethod
    def of(cls, now: State) -> Before:
        """Of this other one; the fields are put in afterwards."""
        made = cls.__new__(cls)
        made.__dict__.update(_now=now, ids=now.ids, _per_vm=now._per_vm, observer=None, shapes=now.shapes)
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._now, name)


Change = tuple[str, Key, Any, Any]
"""A field, at which key (None if it is a single value), what was there before the step, and what is now."""


class Noted(Generic[S]):
    """A state that notes what is written to it, and beside it the state `before`, which follows when it is told to."""

    def __init__(self, now: S) -> None:
        self.now = now
        self.writes = Writes()
        """What was written since the step began."""
        self.before: S = Before.of(now)  # type: ignore[assignment]  # it has the fields of the other
        shapes = [shape for shape in now.shapes().values() if not shape.field.is_given]
        for name in [shape.name for shape in shapes if shape.keys]:
            held = getattr(now, name)
            noting = (NotingIndexed if isinstance(held, Indexed) else Noting)(name, held, self.writes)
            setattr(now, name, noting)
            setattr(self.before, name, noting.was)
        self.single = [shape.name for shape in shapes if not shape.keys]
        for name in self.single:
            setattr(self.before, name, getattr(now, name))
        self._values_of = itemgetter("ids", *self.single)
        self._values = self._values_of(now.__dict__)
        """The single values, before the step."""
        self._seen = self._values
        """The same when it was looked what was written."""

    def written(self) -> tuple[str, ...]:
        """The fields that the step has written, one for each time; single values that are not as they were, last."""
        values = self._seen = self._values_of(self.now.__dict__)
        if values == self._values:
            return tuple(self.writes.fields)
        pairs = zip(self.single, self._values[1:], values[1:], strict=True)
        return (*self.writes.fields, *[name for name, was, now in pairs if was != now])

    def changes(self) -> list[Change]:
        """What is not as it was before the step."""
        found: dict[tuple[str, Key], Change] = {}
        now, before = self.now.__dict__, self.before.__dict__
        for field, key in zip(self.writes.fields, self.writes.keys, strict=True):
            if before[field][key] != now[field][key]:
                found[field, key] = field, key, before[field][key], now[field][key]
        singles = self.written()[len(self.writes.fields) :]
        return [*found.values(), *[(name, None, before[name], now[name]) for name in singles]]

    def follow(self, changes: list[Change]) -> None:
        """What was before the next step is what is now."""
        before = self.before.__dict__
        for field, key, _, now in changes:
            if key is None:
                before[field] = now
            else:
                before[field][key] = now

    def begin(self) -> None:
        """The next step begins."""
        self.writes.fields.clear()
        self.writes.keys.clear()
        self._values = self._seen


__all__ = ["Change", "Key", "Noted"]
