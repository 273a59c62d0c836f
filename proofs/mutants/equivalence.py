"""Proving that a mutant does the same: for every state that the invariants allow, and all arguments.

A changed rule does the same if it leaves the same in every field, shows the
guest the same private memory afterwards, and returns the same. Where just one
of the two refuses, the other must change nothing at all. What reason a refusal
names is not compared. A changed statement says the same if each follows from
the other, granted the invariants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import z3

from pagelaw.spec.language import REGISTER, State
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from ..lifting import Path, Sym, arguments_of, paths_of
from ..obligations import Obligation, Theory
from ..symbolic import SymMap, SymState
from .asking import Side


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


def differences(side: Side, rule: str, before: Lifted) -> Iterator[Obligation]:
    """What has to be proved of a rule as it is now, to do the same as before."""
    theory = side.theory
    after = lifted(theory, rule, before.arguments)
    for one in before.paths:
        for other in after.paths:
            if not _exclude_each_other(one, other):
                yield from _differ(theory, rule, one, other)


def _exclude_each_other(one: Path, other: Path) -> bool:
    """Whether a question is answered yes on one path and no on the other."""
    answers = {question.get_id(): answer for _, question, answer in one.outcomes}
    return any(answers.get(question.get_id(), answer) != answer for _, question, answer in other.outcomes)


def _differ(theory: Theory, rule: str, one: Path, other: Path) -> Iterator[Obligation]:
    if one.refused is not None and other.refused is not None:
        return
    conditions = (*theory.hypotheses, *one.conditions, *other.conditions)
    facts = theory.facts_about(conditions, [])
    for what, left, right in _pairs(theory, one, other):
        if not left.eq(right):
            yield Obligation(rule, what, "equivalent", other.index, (*conditions, *facts), left == right)


@attrs.frozen
class End:
    """How a path ends: the machine and private memory afterwards, and what is returned."""

    machine: SymState
    memory: SymState
    result: Any

    @classmethod
    def of(cls, theory: Theory, path: Path) -> End:
        """A refusal leaves everything as it was."""
        if path.refused is not None:
            return cls(theory.machine(), theory.private(), None)
        return cls(path.state, path.private, path.result)


def _pairs(theory: Theory, one: Path, other: Path) -> Iterator[tuple[str, Any, Any]]:
    """What must be equal after two paths."""
    first, second = End.of(theory, one), End.of(theory, other)
    yield from _fields(theory, "", Machine, first.machine, second.machine)
    yield from _fields(theory, "private memory: ", PrivateMemory, first.memory, second.memory)
    if isinstance(first.result, Sym) and isinstance(second.result, Sym):
        yield "value returned", first.result.term, second.result.term
    elif first.result is not second.result:
        yield "value returned", z3.BoolVal(True), z3.BoolVal(False)


def _fields(
    theory: Theory, where: str, kind: type[State], one: SymState, other: SymState
) -> Iterator[tuple[str, Any, Any]]:
    for name, shape in kind.shapes().items():
        first, second = one.fields[name], other.fields[name]
        if isinstance(first, SymMap):
            if not first.updates and not second.updates:
                continue
            keys = [theory.encoding.fresh(key, "key") for key in shape.keys]
            yield where + name, first.read(keys), second.read(keys)
        else:
            yield where + name, first.term, second.term


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
