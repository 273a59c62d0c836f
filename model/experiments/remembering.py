"""What was asked of one step need not be worked out again for another that looks the same to all questions.

The questions that are asked of a step are put once with a note of everything that they find out about the machine,
now and before: which field at which key, of which variant what was there is, which things in it are the same as
which found before and which are not, each truth value, and how each comparison of numbers came out. If all held,
that is written out as a function (a *look*) that finds out the same of another step.

Why that is sound: a question is a function of the machine and of its things, that changes nothing, and all that it
learns of them is in the note. Things (pages, frames, contents) have no order and no arithmetic: they can only be
looked up by and compared, so it matters which are the same, and not which they are. Numbers are not noted as such:
what was compared is written out, and compared again. So if a step looks the same, each question would take the same
way through its text, and would hold. Where a question does something else (goes through all things of a sort, tries
a rule, looks into contents, divides), nothing of it is remembered, and it is asked in full each time.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pagelaw.spec.language import Contents, Identifier, Map, State, Sum
from pagelaw.spec.language.identifiers import Owned

from .in_play import field_names
from .text import Text

NOT_FOLLOWED = frozenset(["word", "with_word", "words", "number"])
"""Names whose use finds out something of things that is not noted."""


Sum_ = dict[tuple[Any, ...], int]
"""A sum, for all values of its parameters."""


class NotFollowed(Exception):
    """A question does something of which no note is made."""


class Note:
    """What questions find out, and the text of the look."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.names: dict[Any, str] = {}
        """What each thing is called in the text."""
        self._of_sort: dict[type, list[str]] = {}
        self._found: dict[str, Any] = {}
        """What was read before, by what was read."""

    def require(self, condition: str) -> None:
        """The look goes on only if that is so."""
        self.text.add(0, f"if not ({condition}): return None")

    def thing(self, thing: Any, place: str) -> None:
        """A thing was found at a place: the same as one before, or another than all before."""
        known = self.names.get(thing)
        if known is not None:
            if known != place:
                self.require(f"{place} is {known}")
            return
        others = self._of_sort.setdefault(type(thing), [])
        name = self.names[thing] = f"x{len(self.names)}"
        self.text.add(0, f"{name} = {place}")
        if others:
            self.require(" and ".join(f"{name} is not {other}" for other in others))
        others.append(name)
        if isinstance(thing, Owned):
            self.thing(thing.vm, f"{name}.vm")

    def value(self, value: Any, place: str) -> Any:
        """A value was found at a place; what the question gets."""
        if isinstance(value, bool):
            self.require(f"{place} is {value}")
            return value
        if isinstance(value, int | Fraction):
            return Number(self, value, place)
        if isinstance(value, Identifier | Contents):
            self.thing(value, place)
            return value
        assert isinstance(value, Sum)
        kind: Any = type(value)
        self.require(f"{place}.__class__ is {self.text.name(kind, 'kind')}")
        fields = field_names(kind)
        return kind(*[self.value(getattr(value, name), f"{place}.{name}") for name in fields]) if fields else value

    def called(self, key: Any) -> str:
        """What a key is called."""
        if isinstance(key, tuple):
            return f"({', '.join(map(self.called, key))},)"
        if key not in self.names:
            raise NotFollowed
        return self.names[key]

    def read(self, place: str, value: Callable[[], Any]) -> Any:
        """Something is read, for the first time or again."""
        if place not in self._found:
            name = f"v{len(self._found)}"
            self.text.add(0, f"{name} = {place}")
            self._found[place] = self.value(value(), name)
        return self._found[place]


class Number:
    """A number that a question has read or worked out: how it compares is noted, and not what it is."""

    def __init__(self, note: Note, value: Any, text: str) -> None:
        self.note, self.value, self.text = note, value, text

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise NotFollowed

    def __repr__(self) -> str:
        return self.text


def _parts(note: Note, other: Any) -> tuple[Any, str]:
    if isinstance(other, Number):
        return other.value, other.text
    if not isinstance(other, int | Fraction):
        raise NotFollowed
    return other, note.text.name(other, "number")


def _worked_out(sign: str, work: Callable[[Any, Any], Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(one: Number, other: Any) -> Number:
        value, text = _parts(one.note, other)
        return Number(one.note, work(one.value, value), f"({one.text} {sign} {text})")

    def backward(one: Number, other: Any) -> Number:
        value, text = _parts(one.note, other)
        return Number(one.note, work(value, one.value), f"({text} {sign} {one.text})")

    return forward, backward


def _compared(sign: str, compare: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def compared(one: Number, other: Any) -> bool:
        value, text = _parts(one.note, other)
        result = compare(one.value, value)
        one.note.require(f"({one.text} {sign} {text}) is {result}")
        return result

    return compared


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*")):
    _forward, _backward = _worked_out(_sign, getattr(operator, _name))
    setattr(Number, f"__{_name}__", _forward)
    setattr(Number, f"__r{_name}__", _backward)
for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    setattr(Number, f"__{_name}__", _compared(_sign, getattr(operator, _name)))


class NotedMap(Map[Any, Any]):
    """A map for questions, of which a note is made."""

    __slots__ = ("held", "name", "note")

    def __init__(self, note: Note, held: Map[Any, Any]) -> None:
        super().__init__(held.otherwise)
        self.note, self.held, self.name = note, held, note.text.name(held, "map")

    def __getitem__(self, key: Any) -> Any:
        return self.note.read(f"{self.name}[{self.note.called(key)}]", lambda: self.held[key])


class NotedState(State):
    """A machine for questions, of which a note is made. What the step has not changed is asked of the one now."""

    def __init__(self, note: Note, state: State, name: str, now: NotedState | None = None,
                 changed: frozenset[str] = frozenset()) -> None:  # fmt: skip
        self.__dict__.update(_note=note, _state=state, _name=name, _now=now, _changed=changed)

    def __getattr__(self, name: str) -> Any:
        if name not in self._state.shapes():
            raise NotFollowed
        if self._now is not None and name not in self._changed:
            return getattr(self._now, name)
        held = getattr(self._state, name)
        if isinstance(held, Map):
            found = self.__dict__[name] = NotedMap(self._note, held)
            return found
        return self._note.read(f"{self._name}.{name}", lambda: held)

    def each(self, *_: Any) -> Any:
        """Going through all things of a sort is not followed."""
        raise NotFollowed

    those = copy = each  # type: ignore[assignment]  # whatever it is given

    def sum(self, over: str, now: Sum_, was: Sum_, parameters: tuple[Any, ...]) -> Any:
        """A sum over a field is read."""
        known = now if self._now is None or over not in self._changed else was
        place = f"{self._note.text.name(known, 'sums')}.get({self._note.called(parameters) if parameters else '()'}, 0)"
        return self._note.read(place, lambda: known.get(parameters, 0))


__all__ = ["NOT_FOLLOWED", "NotFollowed", "Note", "NotedMap", "NotedState"]
