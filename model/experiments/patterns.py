"""Steps of one rule that write the same fields: by a function written out for them it is looked of which kind they are.

A write is a change if something else is there than before the step, and each change counts once.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

from .following import note_of
from .noting import Noted
from .step_kinds import Ask, Changes, Given, Kind, Questions, named, places_in
from .text import Text

FIRST_LOOK = 4
"""Steps of a kind that are asked in full before the first look; for each further look it takes twice as many."""
MOST_LOOKS = 8

Known = tuple[Any, ...]
"""The types of arguments, keys and values, and at last for each write to a map whether it changes nothing more."""


class Pattern:
    """How steps are asked of a rule with so many arguments, that write these fields; single values come last."""

    def __init__(self, fields: tuple[str, ...], arguments: int, noted: Noted[Any],
                 questions: Callable[[frozenset[str], Given], Questions], each: Callable[[Given], int],
                 fails: Callable[[Given], NoReturn]) -> None:  # fmt: skip
        self._fields, self._arguments, self._noted = fields, arguments, noted
        self._questions = questions
        """What to ask if these fields are changed by a step with such arguments."""
        self._each = each
        """Asks a step, given its arguments, if its types do not say what is in play."""
        self._fails = fails
        """Says what does not hold of it."""
        self._maps = sum(name not in noted.single for name in fields)
        self._kinds: dict[Known, Kind] = {}
        self._looks: dict[Known, Ask] = {}
        parts = [f"a{number}" for number in range(arguments)]
        for number, name in enumerate(fields):
            parts += [f"{letter}{number}" for letter in ("wn" if name in noted.single else "kwn")]
        self._parts, self._head = parts, ", ".join(parts)
        self.ask: Callable[[Given, list[Any]], int] = self._function()
        """Asks a step, given its arguments and the keys that it has written: how many statements hold of it."""

    @property
    def kinds(self) -> list[Kind | None]:
        """All kinds of steps that were met; None for what is asked without one."""
        return [self._kinds.get(known) for known in self._looks]

    def _function(self) -> Callable[[Given, list[Any]], int]:
        now, before = self._noted.now, self._noted.before
        text = Text(now=now, before=before, looks=self._looks, begin=self._begin, in_full=self._in_full)
        if self._arguments:
            text.add(0, "".join(f"a{number}, " for number in range(self._arguments)) + "= arguments")
        if self._maps:
            text.add(0, "".join(f"k{number}, " for number in range(self._maps)) + "= keys")
        for number, name in enumerate(self._fields):
            for letter, state in (("w", before), ("n", now)):
                text.add(0, f"{letter}{number} = " + (
                    f"{text.name(getattr(state, name), 'map')}[k{number}]" if number < self._maps else
                    f"{'before' if state is before else 'now'}.{name}"))  # fmt: skip
        known = [f"{part}.__class__" for part in self._parts] + [self._is_none(number) for number in range(self._maps)]
        text.add(0, f"known = ({''.join(f'{part}, ' for part in known)})")
        text.add(0, "look = looks.get(known)")
        text.add(0, f"if look is None: look = begin(known, ({self._head},))")
        text.add(0, f"asked = look({self._head})")
        text.add(0, f"return in_full(known, ({self._head},)) if asked is None else asked")
        return text.function("arguments, keys")

    def _is_none(self, number: int) -> str:
        """Whether a write is no change, or the same change as one before, as a text."""
        name, was, now = self._fields[number], f"w{number}", f"n{number}"
        kind = self._noted.now.shapes()[name].value
        equal = f"{now} == {was}"
        if kind not in (int, Fraction):  # other values that are equal are of one type, which is quick to see
            equal = f"{now}.__class__ is {was}.__class__ and {equal}"
        again = [f" or k{number} == k{other}" for other in range(number) if self._fields[other] == name]
        return f"{now} is {was} or {equal}{''.join(again)}"

    def _changes(self, known: Known, given: Given) -> Changes:
        """What a step changes."""
        of, changes = dict(zip(self._parts, given, strict=True)), Changes()
        for number, name in enumerate(self._fields):
            if number >= self._maps or not known[len(given) + number]:
                changes[number] = name, of.get(f"k{number}"), of[f"w{number}"], of[f"n{number}"]
        return changes

    def _begin(self, known: Known, given: Given) -> Ask:
        """A step of a kind that was not met before."""
        changes = self._changes(known, given)
        questions = self._questions(frozenset([name for name, _, _, _ in changes.values()]), given[: self._arguments])
        kind = kind_of(self._head, changes, given[: self._arguments], questions)
        if kind is None:
            look: Ask = lambda *given: self._each(given[: self._arguments])  # noqa: E731
        else:
            self._kinds[known], look = kind, kind.look
        self._looks[known] = look
        return look

    def _in_full(self, known: Known, given: Given) -> int:
        """A step that looks like none before is asked everything; of some it is noted how they look."""
        kind, arguments = self._kinds[known], given[: self._arguments]
        kind.missed += 1
        is_noted = kind.looks.number < MOST_LOOKS and kind.missed >= FIRST_LOOK << kind.looks.number
        note = note_of(kind, self._changes(known, given), arguments) if is_noted else []
        asked = kind.ask(*given)
        if asked is None:
            self._fails(arguments)
        if is_noted:
            kind.missed = 0
            self._looks[known] = kind.remember(note)
        return asked


def kind_of(head: str, changes: Changes, arguments: Given, questions: Questions) -> Kind | None:
    """The kind of a step; None if its types do not say what is in play."""
    if any(places_in(name, thing) is None for name, thing in named(changes, arguments)):
        return None
    return Kind(head, changes, arguments, questions)


__all__ = ["Pattern", "kind_of"]
