"""A machine whose last steps can be taken back: every write to one of its maps is noted.

log = journaled(machine)
...                        # rules, run on the machine
log.take_back()            # it is as it was when `log.begin()` was last called
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

from pagelaw.spec.language import Map
from pagelaw.spec.language.identifiers import Identifier
from pagelaw.spec.language.state import Ids, Indexed
from pagelaw.spec.machine import Machine

K = TypeVar("K")
V = TypeVar("V")
I = TypeVar("I", bound=Identifier)  # noqa: E741  (an identifier)

Change = tuple[dict[Any, Any], Any, Any]
"""A map, a key, and what the map held there before."""

NOTHING: Any = object()
"""What a plain dictionary held where it held nothing."""
MAPS = tuple(name for name, shape in Machine.shapes().items() if shape.keys and not shape.field.is_given)
NUMBERS = tuple(name for name, shape in Machine.shapes().items() if not shape.keys and not shape.field.is_given)
numbers_of = itemgetter(*NUMBERS)


_put = dict.__setitem__


class Noted(Map[K, V]):
    """A map that notes what each write replaces."""

    __slots__ = ("note",)
    note: Callable[[Change], None]

    def __missing__(self, key: K) -> V:
        value = self.otherwise(key)
        dict.__setitem__(self, key, value)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        self.note((self, key, self[key]))
        _put(self, key, value)

    def write_each(
        self, ids: Ids[I], key: Callable[[I], K], value: V, where: Callable[[I], bool] | None = None
    ) -> None:
        """The same; nobody is asked about what holds the value as it is: most often that is nearly all."""
        changed = []
        for one in ids:
            at = key(one)
            if self[at] is not value and (where is None or where(one)):
                changed.append(at)
        for at in changed:
            self[at] = value


class NotedIndexed(Indexed[K, V]):
    """The same, and it knows at which keys it holds a value."""

    __slots__ = ("note",)
    note: Callable[[Change], None]

    def __setitem__(self, key: K, value: V) -> None:
        self.note((self, key, self[key]))
        Indexed.__setitem__(self, key, value)


class Log:
    """What was written since `begin`, and how to take it back."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.changes: list[Change] = []
        held = machine.__dict__
        for name in MAPS:
            plain = held[name]
            noted: Any = (NotedIndexed if isinstance(plain, Indexed) else Noted)(plain.otherwise)
            noted.note = self.changes.append
            if isinstance(plain, Indexed):
                for key, value in plain.items():
                    Indexed.__setitem__(noted, key, value)
            else:
                dict.update(noted, plain)
            held[name] = noted
        self.fields = {id(held[name]): name for name in MAPS}
        """The names of the maps, by their identity."""
        self._numbers: tuple[Any, ...] = ()
        self.begin()

    def begin(self) -> None:
        """From now on: what is taken back is what comes."""
        self.changes.clear()
        self._numbers = numbers_of(self.machine.__dict__)

    def take_back(self) -> None:
        """The machine is as it was."""
        self._take_back(0, self._numbers)

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What is done meanwhile is taken back afterwards."""
        numbers = numbers_of(self.machine.__dict__)
        since = len(self.changes)
        try:
            yield
        finally:
            self._take_back(since, numbers)

    def _take_back(self, since: int, numbers: tuple[Any, ...]) -> None:
        for held, key, before in reversed(self.changes[since:]):
            if before is NOTHING:
                held.pop(key)
            else:
                under: Any = type(held).__mro__[1] if isinstance(held, Map) else dict
                under.__setitem__(held, key, before)  # without a note
        del self.changes[since:]
        self.machine.__dict__.update(zip(NUMBERS, numbers, strict=True))

    def written(self) -> Iterator[tuple[str, Any, Any, Any]]:
        """What is not as it was: the field, its key (None for a number), what it was, what it is."""
        held = self.machine.__dict__
        first: dict[tuple[str, Any], Any] = {}
        for changed, key, before in self.changes:
            if type(changed) is dict:  # names
                continue
            first.setdefault((self.fields[id(changed)], key), before)
        for (name, key), before in first.items():
            if held[name][key] != before:
                yield name, key, before, held[name][key]
        for name, number in zip(NUMBERS, self._numbers, strict=True):
            if held[name] != number:
                yield name, None, number, held[name]
