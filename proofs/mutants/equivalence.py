"""Proving that a mutant does the same: for every state that the invariants allow, and all arguments.

A changed rule does the same if it leaves the same in every field, shows the
guest the same private memory afterwards, and returns the same. Where just one
of the two refuses, what the other does must be nothing at all, or what an
unchanged rule does with the same arguments: then the machine as a whole can do
the same. What reason a refusal names is not compared. A changed statement says
the same if each follows from the other, granted the invariants. A function
that only answers a question, for whatever rule or statement, is asked in any
state, in the middle of a step too: there nothing is granted but the
assumptions on what is given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs
import z3

from pagelaw.spec.language import REGISTER, State
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from ..lifting import Path, Sym, arguments_of, paths_of, types_in
from ..obligations import Obligation, Theory
from ..symbolic import SymMap, SymState
from .asking import Side
from .switch import called_by

BY_OTHERS = "what one does and the other refuses is nothing, or is done by other rules"

MOST_APART = 2
"""Another rule is compared if no more fields than these are written by just one of the two."""


@attrs.frozen
class Lifted:
    """A rule as it was lifted: its arguments and its paths."""

    arguments: dict[str, Sym]
    paths: list[Path]


def lifted(theory: Theory, rule: str, arguments: dict[str, Sym] | None = None) -> Lifted:
    """A rule as it is now, for new arguments or given ones."""
    function: Callable[..., Any] = REGISTER["rule"][rule].function
    named = arguments_of(theory.lift, function) if arguments is None else arguments
    return Lifted(named, paths_of(theory.lift, function, theory.machine, theory.private, named))


def unchanged(theory: Theory, rules: Sequence[str]) -> dict[str, Lifted]:
    """The rules before a mutant is switched on."""
    theory.start_over()
    return {rule: lifted(theory, rule) for rule in rules}


def forget_what_changed(theory: Theory, changed: Collection[Callable[..., Any]]) -> None:
    """Answers worked out before a mutant was switched on hold no longer where a changed function had a part in them."""
    known = theory.lift.known_views()
    theory.lift.known_views({key: answer for key, answer in known.items() if not called_by(key[0]) & set(changed)})


def differences(side: Side, rule: str, before: Lifted, changed: Collection[str]) -> Iterator[Obligation]:
    """What has to be proved of a rule as it is now, to do the same as before. changed: all rules that are."""
    theory = side.theory
    after = lifted(theory, rule, before.arguments)
    others: list[Path] | None = None
    for one in before.paths:
        for other in after.paths:
            if _exclude_each_other(one, other) or (one.refused is not None and other.refused is not None):
                continue
            if one.refused is None and other.refused is None:
                yield from _differ(theory, rule, one, other)
            else:
                if others is None:
                    others = list(_paths_of_others(theory, rule, before.arguments, changed))
                yield _done_by_others(theory, rule, one, other, others)


def _paths_of_others(theory: Theory, rule: str, arguments: dict[str, Sym], changed: Collection[str]) -> Iterator[Path]:
    """The paths, given the same arguments, of all unchanged rules that take such arguments."""
    kinds = [one.kind for one in arguments.values()]
    for name, entry in REGISTER["rule"].items():
        named = arguments_of(theory.lift, entry.function)
        if name not in changed and [one.kind for one in named.values()] == kinds:
            given = dict(zip(named, arguments.values(), strict=True))
            yield from (path for path in lifted(theory, name, given).paths if path.refused is None)


def _done_by_others(theory: Theory, rule: str, one: Path, other: Path, others: Sequence[Path]) -> Obligation:
    """What is done only before or only now is nothing, or what some other rule does."""
    doing = one if one.refused is None else other
    end, nothing = End.of(doing), End(theory.machine(), theory.private(), None)
    ways = [_same(theory, end, nothing)]
    for path in others:
        if _touched(doing) & _touched(path) and len(_touched(doing) ^ _touched(path)) <= MOST_APART:
            ways.append(z3.And(*path.conditions, _same(theory, end, End.of(path))))
    return _asked(theory, rule, BY_OTHERS, one, other, z3.Or(ways))


def _touched(path: Path) -> set[str]:
    """The maps that a path writes."""
    return {name for name, held in path.state.fields.items() if isinstance(held, SymMap) and held.updates}


def _same(theory: Theory, one: End, other: End) -> Any:
    """That two ends are the same."""
    parts = []
    for _, keys, left, right in _pairs(theory, one, other):
        if not left.eq(right):
            parts.append(z3.ForAll(keys, left == right) if keys else left == right)
    return z3.And(parts)


def _asked(theory: Theory, rule: str, what: str, one: Path, other: Path, goal: Any) -> Obligation:
    conditions = (*theory.hypotheses, *one.conditions, *other.conditions)
    facts = theory.facts_about(conditions, [])
    return Obligation(rule, what, "equivalent", other.index, (*conditions, *facts), goal)


def _exclude_each_other(one: Path, other: Path) -> bool:
    """Whether a question is answered yes on one path and no on the other."""
    answers = {question.get_id(): answer for _, question, answer in one.outcomes}
    return any(answers.get(question.get_id(), answer) != answer for _, question, answer in other.outcomes)


def _differ(theory: Theory, rule: str, one: Path, other: Path) -> Iterator[Obligation]:
    for what, _, left, right in _pairs(theory, End.of(one), End.of(other)):
        if not left.eq(right):
            yield _asked(theory, rule, what, one, other, left == right)


@attrs.frozen
class End:
    """How a path ends: the machine and private memory afterwards, and what is returned."""

    machine: SymState
    memory: SymState
    result: Any

    @classmethod
    def of(cls, path: Path) -> End:
        """Of a path that does not refuse."""
        return cls(path.state, path.private, path.result)


Pair = tuple[str, list[Any], Any, Any]
"""A field, keys that may be any, and what it holds there at the one end and at the other."""


def _pairs(theory: Theory, one: End, other: End) -> Iterator[Pair]:
    """What must be equal."""
    yield from _fields(theory, "", Machine, one.machine, other.machine)
    yield from _fields(theory, "private memory: ", PrivateMemory, one.memory, other.memory)
    if isinstance(one.result, Sym) and isinstance(other.result, Sym):
        yield "value returned", [], one.result.term, other.result.term
    elif one.result is not other.result:
        yield "value returned", [], z3.BoolVal(True), z3.BoolVal(False)


def _fields(theory: Theory, where: str, kind: type[State], one: SymState, other: SymState) -> Iterator[Pair]:
    for name, shape in kind.shapes().items():
        first, second = one.fields[name], other.fields[name]
        if not isinstance(first, SymMap):
            yield where + name, [], first.term, second.term
        elif first.updates or second.updates:
            keys = [theory.encoding.fresh(key, "key") for key in shape.keys]
            yield where + name, keys, first.read(keys), second.read(keys)


# Questions.


@attrs.frozen
class Answer:
    """What a function answers, as one term, to arguments that may be any."""

    arguments: dict[str, Sym]
    term: Any
    defined: Any
    """When it is defined."""


def only_answers(function: Callable[..., Any]) -> bool:
    """Whether a function is a view, or is given no state: it answers and does nothing else."""
    hints = types_in(inspect.unwrap(function))
    return function.__name__ in REGISTER["view"] or not any(_is_state(kind) for kind in hints.values())


def answer(theory: Theory, function: Callable[..., Any], arguments: dict[str, Sym] | None = None) -> Answer:
    """What a function answers as it is now, to new arguments or to given ones, in a state that may be any."""
    asked, hints = inspect.unwrap(function), dict(types_in(inspect.unwrap(function)))
    kind = hints.pop("return")
    states = [theory.machine()] if any(_is_state(one) for one in hints.values()) else []
    named = arguments_of(theory.lift, function, len(states)) if arguments is None else arguments
    term, demands = theory.lift.merge(lambda: asked(*states, *named.values()), kind)
    defined = z3.And([z3.Implies(z3.And(conditions), need) for conditions, need, _ in demands])
    return Answer(named, term, defined)


def answers_the_same(theory: Theory, name: str, one: Answer, other: Answer) -> Obligation:
    """That two answers to the same arguments are equal, and that both are defined or neither."""
    granted = [statement.closed for statement in theory.assumptions]
    same = z3.And(one.defined == other.defined, one.term == other.term)
    return Obligation(name, "answers the same", "equivalent", 0, tuple(granted), same)


def _is_state(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, State)


# Statements.


def follows(side: Side, name: str, variables: Sequence[Any], full: Any) -> Obligation:
    """That an invariant or transition as it was follows from what is said now."""
    theory = side.theory
    hypotheses = theory.hypotheses
    if name in theory.transitions:
        hypotheses = [*hypotheses, *(statement.closed for statement in theory.transitions.values())]
    facts = theory.facts_about([full], [])
    return Obligation(name, "follows from what is still said", "equivalent", 0, (*hypotheses, *facts), full)


def say_the_same(control: Theory, now: Theory, names: Mapping[str, str]) -> Iterator[Obligation]:
    """That changed statements say what they said, granted the invariants as they were. names: with their kinds."""
    for name, kind in names.items():
        if kind not in ("invariant", "transition"):
            yield Obligation(name, "says the same", "equivalent", 0, (), z3.BoolVal(False))
            continue
        old, new = (getattr(theory, f"{kind}s")[name] for theory in (control, now))
        same = z3.substitute(new.body, *zip(new.variables, old.variables, strict=True))
        facts = control.facts_about([old.body, same], [])
        yield Obligation(name, "says the same", "equivalent", 0, (*control.hypotheses, *facts), old.body == same)
