"""That the steps of an operation, run without interruption, are the operation in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from pagelaw.spec.at_once import LEFT_OUT
from pagelaw.spec.language import REGISTER, Blocked, Entry
from pagelaw.spec.machine import Machine

from .lifting import arguments_of
from .obligations import Obligation, Theory
from .symbolic import Sym, SymMap, SymState
from .tracing import CannotLift


def operation_obligations(theory: Theory) -> Iterator[Obligation]:
    """For every operation, every way in which no step refuses, and every field: both leave the same."""
    for entry in REGISTER["operation"].values():
        yield from obligations_of_operation(theory, entry, arguments_of(theory.lift, entry.function))


def obligations_of_operation(theory: Theory, entry: Entry, named: dict[str, Sym]) -> Iterator[Obligation]:
    """The same for one operation and the given arguments."""
    arguments = list(named.values())

    def run(_: Any) -> tuple[SymState, SymState | None] | None:
        in_steps, in_one = theory.machine(), theory.machine()
        try:
            entry.extra(in_steps, *arguments)
        except Blocked:
            return None
        try:
            entry.function(in_one, *arguments)
        except Blocked:
            return in_steps, None
        return in_steps, in_one

    completed = 0
    for tracer, result in theory.lift.paths(run):
        if result is None:
            continue
        in_steps, in_one = result
        before = (*theory.hypotheses, *tracer.conditions)
        facts = theory.facts_about(before, [])
        if in_one is None:
            yield Obligation(entry.name, "steps end where the operation refuses", "operation", completed,
                             (*before, *facts), z3.BoolVal(False))
        else:
            for name, goal in _differences(theory, in_steps, in_one):
                yield Obligation(entry.name, f"steps leave the same {name}", "operation", completed,
                                 (*before, *facts), goal)
        completed += 1
    if not completed:
        raise CannotLift(f"the steps of {entry.name} can never all be done")


def _differences(theory: Theory, in_steps: SymState, in_one: SymState) -> Iterator[tuple[str, Any]]:
    for name, shape in Machine.shapes().items():
        if name in LEFT_OUT:
            continue
        one, other = in_steps.fields[name], in_one.fields[name]
        keys = [theory.encoding.fresh(k, "key") for k in shape.keys]
        first = one.read(keys) if isinstance(one, SymMap) else one.term
        second = other.read(keys) if isinstance(other, SymMap) else other.term
        if not first.eq(second):
            yield name, first == second
