"""Questions about some things that are asked again and again: of what looks the same to them the answer is remembered.

The answer is remembered only if all held. A look at what was noted says so; what looks like nothing before is asked in
full, and of some of that it is noted how it looks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pagelaw.spec.language import Blocked

from .asking import Pair, Statement, Together
from .looks import Looks
from .noted_state import NotedMap, NotedState
from .noting import Noted
from .remembering import Note, NotFollowed
from .text import Text

MISSES = 4
"""How often is asked in full before the first note; so many times more for each further one."""
MOST_NOTES = 16


class Remembered(ABC):
    """Questions about so many things, of a machine and of what it was before its last step."""

    def __init__(self, noted: Noted[Any], things: int, changed: frozenset[str] = frozenset()) -> None:
        self._noted, self._changed = noted, changed
        self._head = ", ".join(f"t{number}" for number in range(things))
        self._looks = Looks(Text(now=noted.now, before=noted.before), last=[" return True"])
        self._missed = 0
        """How often it looked like nothing before, since the last note."""
        self.look: Callable[..., bool | None] = _nothing_is_remembered
        """Whether it looks, for some things, as it did when all held."""

    def written(self, text: Text, things: list[str]) -> str:
        """Whether all hold, as text."""
        name, given = text.name(self, "asked"), ", ".join(things)
        return f"{name}.look({given}) or {name}.in_full({given})"

    def in_full(self, *things: Any) -> bool:
        """Whether all hold, which is not remembered."""
        if not self.all_hold(*things):
            return False
        self._missed += 1
        if self._looks.number < MOST_NOTES and self._missed >= MISSES * (1 + self._looks.number):
            self._missed = 0
            self._remember(things)
        return True

    def _remember(self, things: Iterable[Any]) -> None:
        note, noted = Note(self._looks.text), self._noted
        now = NotedState(note, noted.now, "now")
        before = NotedState(note, noted.before, "before", now, self._changed)
        given = [note.value(thing, f"t{number}", of_known_type=True) for number, thing in enumerate(things)]
        self.find_out(note, before, now, given, self._head)
        self._looks.add(note.found)
        self.look = self._looks.function(self._head)

    @abstractmethod
    def all_hold(self, *things: Any) -> bool:
        """Whether all hold."""

    @abstractmethod
    def find_out(self, note: Note, before: NotedState, now: NotedState, things: list[Any], told: str) -> None:
        """Ask once more, so that what is found out is noted; what is not followed is to be asked.

        told: what the things are called.
        """


class AskedTogether(Remembered):
    """Statements about things of the same sorts, of steps that change certain fields."""

    def __init__(self, noted: Noted[Any], together: Together, changed: frozenset[str]) -> None:
        super().__init__(noted, len(together.sorts), changed)
        self.together = together
        self.sorts, self.number = together.sorts, len(together.statements)

    def all_hold(self, *things: Any) -> bool:
        """Whether all of them hold."""
        return self.together.all_hold(self._noted.before, self._noted.now, *things)

    def find_out(self, note: Note, before: NotedState, now: NotedState, things: list[Any], told: str) -> None:
        """Ask each."""
        for one in self.together.statements:
            self._ask(one, note, {"now": now} if one.kind == "invariant" else {"before": before, "now": now}, things)
        for pair in self.together.pairs:
            self._compare(pair, note, now, things[0] if len(things) == 1 else tuple(things))

    def _ask(self, one: Statement, note: Note, states: dict[str, NotedState], things: list[Any]) -> None:
        if not (one.is_followed and _holds(partial(one.holds, *states.values(), *things))):
            told = ", ".join([*states, *map(note.called, things)])
            note.require(f"{note.text.name(one.holds, 'hold')}({told})")

    def _compare(self, pair: Pair, note: Note, now: NotedState, key: Any) -> None:
        held = NotedMap(note, pair.held)
        if not (pair.is_followed and _holds(lambda: pair.shown(now, key) == held[key])):
            shown = f"{note.text.name(pair.shown, 'shown')}(now, {note.called(key)})"
            note.require(f"{shown} == {note.text.name(pair.held, 'held')}[{note.called(key)}]")


class AskedAgain(Remembered):
    """Whether the rule refuses to do a step again, of which the arguments are given."""

    def __init__(self, noted: Noted[Any], arguments: int, rule: Callable[..., Any] | None,
                 is_refused: Callable[[tuple[Any, ...]], bool]) -> None:  # fmt: skip
        super().__init__(noted, arguments)
        self._rule, self._is_refused = rule, is_refused

    def all_hold(self, *things: Any) -> bool:
        """Whether it refuses."""
        return self._is_refused(things)

    def find_out(self, note: Note, before: NotedState, now: NotedState, things: list[Any], told: str) -> None:
        """Ask the rule, up to where it refuses."""
        if self._rule is None or not _holds(partial(_refuses, self._rule, now, things)):
            note.require(f"{note.text.name(self._is_refused, 'is_refused')}(({told}{',' if told else ''}))")


def _refuses(rule: Callable[..., Any], s: Any, arguments: list[Any]) -> bool:
    try:
        rule(s, *arguments)
    except Blocked:
        return True
    return False


def _holds(question: Callable[[], Any]) -> bool:
    """Whether a question holds and all that it finds out was noted."""
    try:
        return bool(question())
    except (NotFollowed, TypeError):
        return False


def _nothing_is_remembered(*_: Any) -> None:
    return None


__all__ = ["AskedAgain", "AskedTogether", "Remembered"]
