"""What was asked of one step need not be worked out again for another that looks the same to all questions.

The questions that are asked of a step are put once with a note of everything that they find out about the machine,
now and before: which field at which key, of which variant what was there is, which things in it are the same as
which found before and which are not, each truth value, and how each comparison of numbers came out. If all held,
that is written out as a function (a *look*) that finds out the same of another step. One of the questions is whether
the rule refuses to do the step again.

Why that is sound: a question is a function of the machine and of its things, that changes nothing, and all that it
learns of them is in the note. Things (pages, frames, contents) have no order and no arithmetic: they can only be
looked up by and compared, so it matters which are the same, and not which they are. Numbers are not noted as such:
what was compared is written out, and compared again. So if a step looks the same, each question would take the same
way through its text, and would hold. Where a question does something else (goes through all things of a sort and
what that finds matters, tries a rule, looks into contents), nothing of it is remembered, and it is asked in full each
time.

That is done for a step as a whole (`step_kinds`), and where it looks like none before, for the few questions that are
about the same things (`remembered`): where several things can each be in a few ways, so are fewer looks needed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pagelaw.spec.language import Contents, Identifier, Sum
from pagelaw.spec.language.identifiers import Owned

from .in_play import field_names
from .text import Text

NOT_FOLLOWED = frozenset(["word", "with_word", "words", "number"])
"""Names whose use finds out something of things that is not noted."""


class NotFollowed(Exception):
    """A question does something of which no note is made."""


Finding = tuple[str, str]
"""A name and where what it stands for is to be found; or no name, and a condition that holds."""


class Note:
    """What questions find out."""

    def __init__(self, text: Text) -> None:
        self.text = text
        """Gives names to maps, types and numbers."""
        self.found: list[Finding] = []
        self.names: dict[Any, str] = {}
        """What each thing is called."""
        self._of_sort: dict[type, list[str]] = {}
        self._required: set[str] = set()
        self._placed: set[str] = set()
        """Places of which it is known which thing is there."""
        self._known: dict[str, str] = {}
        self._read: dict[str, Any] = {}
        """What was read before, by what was read."""

    def require(self, condition: str) -> None:
        """This holds."""
        if condition not in self._required:
            self._required.add(condition)
            self.found.append(("", condition))

    def thing(self, thing: Any, place: str) -> None:
        """A thing was found at a place: the same as one before, or another than all before."""
        if place in self._placed:
            return
        self._placed.add(place)
        if thing in self.names:
            self.require(f"{place} is {self.names[thing]}")
            return
        others = self._of_sort.setdefault(type(thing), [])
        if others:
            self.require(" and ".join(f"{place} is not {other}" for other in others))
        name = self.names[thing] = f"x{len(self.names)}"
        self.found.append((name, place))
        others.append(name)
        if isinstance(thing, Owned):
            self.thing(thing.vm, f"{name}.vm")

    def value(self, value: Any, place: str, of_known_type: bool = False) -> Any:
        """A value was found at a place; what the question gets."""
        if isinstance(value, bool):
            self.require(f"{place} is {value}")
            return value
        if isinstance(value, int | Fraction):
            return Number(self, value, place)
        if isinstance(value, Identifier | Contents):
            self.thing(value, place)
            return value
        if isinstance(value, tuple):
            return tuple([self.value(part, f"{place}[{number}]") for number, part in enumerate(value)])
        if not isinstance(value, Sum):
            raise NotFollowed
        kind: Any = type(value)
        fields = field_names(kind)
        if not of_known_type:
            self.require(f"{place}.__class__ is {self.text.name(kind, 'kind')}" if fields else
                         f"{place} is {self.text.name(value, 'one')}")  # fmt: skip
        return kind(*[self.value(getattr(value, name), f"{place}.{name}") for name in fields]) if fields else value

    def called(self, key: Any) -> str:
        """What a key is called."""
        if isinstance(key, tuple):
            return f"({', '.join(map(self.called, key))},)"
        if key not in self.names:
            raise NotFollowed
        return self.names[key]

    def know(self, place: str, name: str) -> None:
        """What is read at a place has this name, and what its type is was looked at."""
        self._known[place] = name

    def read(self, place: str, value: Callable[[], Any]) -> Any:
        """Something is read, for the first time or again."""
        if place not in self._read:
            name = self._known.get(place)
            if name is None:
                self.found.append((f"v{len(self._read)}", place))
            self._read[place] = self.value(value(), name or f"v{len(self._read)}", name is not None)
        return self._read[place]


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
        if one.text != text:
            one.note.require(f"{one.text} {sign} {text}" if result else f"not {one.text} {sign} {text}")
        return result

    return compared


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*")):
    _forward, _backward = _worked_out(_sign, getattr(operator, _name))
    setattr(Number, f"__{_name}__", _forward)
    setattr(Number, f"__r{_name}__", _backward)
for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    setattr(Number, f"__{_name}__", _compared(_sign, getattr(operator, _name)))


def quotient(above: Any, below: Any) -> Any:
    """`ratio`, also of numbers of which a note is made."""
    if not (isinstance(above, Number) or isinstance(below, Number)):
        return Fraction(above, below)
    note: Note = above.note if isinstance(above, Number) else below.note
    (upper, upper_text), (lower, lower_text) = _parts(note, above), _parts(note, below)
    note.require(f"{lower_text} != 0")
    return Number(note, Fraction(upper, lower), f"{note.text.name(Fraction, 'Fraction')}({upper_text}, {lower_text})")


__all__ = ["NOT_FOLLOWED", "Finding", "NotFollowed", "Note", "Number", "quotient"]
