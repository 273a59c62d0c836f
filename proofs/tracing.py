"""One run of one function of the specification: which way each question goes on it."""

from __future__ import annotations

import inspect
import linecache
from typing import TYPE_CHECKING, Any

import attrs
import z3

if TYPE_CHECKING:
    from .lifting import Lift


class CannotLift(Exception):
    """A function of the specification uses something that has no symbolic meaning."""


@attrs.define
class Tracer:
    """One run of one function: which way each question goes, and what was learnt on the way."""

    lift: Lift
    decisions: list[bool]
    taken: list[tuple[Any, bool]] = attrs.field(factory=list)
    truth: dict[int, tuple[Any, bool]] = attrs.field(factory=dict)
    possible: dict[int, tuple[Any, tuple[type, ...]]] = attrs.field(factory=dict)
    defined: list[tuple[list[Any], Any, str]] = attrs.field(factory=list)
    places: list[str] = attrs.field(factory=list)

    @property
    def conditions(self) -> list[Any]:
        """What holds on the path so far."""
        return [c if yes else z3.Not(c) for c, yes in self.taken]

    def decide(self, question: Any) -> bool:
        """The answer on this path to a question; a new question is answered yes first."""
        if z3.is_true(question):
            return True
        if z3.is_false(question):
            return False
        if z3.is_not(question):
            return not self.decide(question.arg(0))
        known = self.truth.get(question.get_id())
        if known is not None:
            return known[1]
        if z3.is_eq(question) and question.arg(0).eq(question.arg(1)):
            return True
        position = len(self.taken)
        if position == len(self.decisions):
            self.decisions.append(True)
        answer = self.decisions[position]
        self.taken.append((question, answer))
        self.places.append(asking_line())
        self.truth[question.get_id()] = (question, answer)
        return answer

    def ask_variant(self, term: Any, leaves: tuple[type, ...], everything: tuple[type, ...]) -> bool:
        """Whether a sum's value is one of these variants."""
        built = self.lift.built(term, everything)
        possible = (built,) if built else self.possible.get(term.get_id(), (term, everything))[1]
        yes = tuple(leaf for leaf in possible if leaf in leaves)
        if not yes or len(yes) == len(possible):
            return bool(yes)
        answer = self.decide(self.lift.is_one_of(term, yes))
        left = yes if answer else tuple(leaf for leaf in possible if leaf not in leaves)
        self.possible[term.get_id()] = (term, left)
        return answer

    def demand(self, requirement: Any, what: str) -> None:
        """Record that the requirement must hold here for the concrete run to be defined."""
        self.defined.append((self.conditions, requirement, what))


def asking_line() -> str:
    """The line of the specification that asks the question now being decided, after its function's name."""
    frame = inspect.currentframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("pagelaw.spec.") and not module.startswith("pagelaw.spec.language"):
            return f"{frame.f_code.co_name}: {linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()}"
        frame = frame.f_back
    return ""
