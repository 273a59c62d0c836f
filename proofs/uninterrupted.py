"""That the steps of an operation, run without interruption, are the operation in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from pagelaw.spec.language import REGISTER, Blocked, Entry
from pagelaw.spec.machine import Machine

from .lifting import arguments_of
from .obligations import Obligation, Theory
from .small import INSTANCES, SmallTheory
from .symbolic import Sym, SymMap, SymState
from .tracing import CannotLift, Tracer


def operation_obligations(theory: Theory) -> Iterator[Obligation]:
    """For every operation, every way in which no step refuses, and every field: both leave the same."""
    demand_possible(REGISTER["operation"])
    for entry in REGISTER["operation"].values():
        yield from obligations_of_operation(theory, entry, arguments_of(theory.lift, entry.function))


def demand_possible(operations: dict[str, Entry]) -> None:
    """Refuse operations whose steps can never all be done: of these anything would be proved.

    A way through all steps needs a machine to start from, on which the invariants hold; one of the small ones.
    """
    left = dict(operations)
    for members in INSTANCES.values():
        theory = SmallTheory(members) if left else None
        left = {name: entry for name, entry in left.items() if theory is not None and not _is_possible(theory, entry)}
    if left:
        raise CannotLift(f"the steps of {', '.join(left)} can never all be done, so anything is proved of it")


def _is_possible(theory: SmallTheory, entry: Entry) -> bool:
    ways = ways_through(theory, entry, list(arguments_of(theory.lift, entry.function).values()))
    return any(theory.model(*tracer.conditions) is not None for tracer, _, _ in ways)


def ways_through(
    theory: Theory, entry: Entry, arguments: list[Sym]
) -> Iterator[tuple[Tracer, SymState, SymState | None]]:
    """Every way in which no step refuses: what the steps leave, and the telling in one piece (None if it refuses)."""

    def run(_: Any) -> tuple[SymState, SymState | None] | None:
        in_steps, in_one = theory.machine(), theory.machine()
        try:
            entry.extra.run(in_steps, *arguments)
        except Blocked:
            return None
        try:
            entry.function(in_one, *arguments)
        except Blocked:
            return in_steps, None
        return in_steps, in_one

    for tracer, result in theory.lift.paths(run):
        if result is not None:
            yield tracer, *result


def obligations_of_operation(theory: Theory, entry: Entry, named: dict[str, Sym]) -> Iterator[Obligation]:
    """The same for one operation and the given arguments."""
    for number, (tracer, in_steps, in_one) in enumerate(ways_through(theory, entry, list(named.values()))):
        before = (*theory.hypotheses, *tracer.conditions)
        facts = theory.facts_about(before, [])
        if in_one is None:
            yield Obligation(entry.name, "steps end where the operation refuses", "operation", number,
                             (*before, *facts), z3.BoolVal(False))
            continue
        for name, goal in _differences(theory, entry, in_steps, in_one):
            yield Obligation(entry.name, f"steps leave the same {name}", "operation", number,
                             (*before, *facts), goal)


def _differences(theory: Theory, entry: Entry, in_steps: SymState, in_one: SymState) -> Iterator[tuple[str, Any]]:
    for name, shape in Machine.shapes().items():
        if name in entry.extra.left_out:
            continue
        one, other = in_steps.fields[name], in_one.fields[name]
        keys = [theory.encoding.fresh(k, "key") for k in shape.keys]
        first = one.read(keys) if isinstance(one, SymMap) else one.term
        second = other.read(keys) if isinstance(other, SymMap) else other.term
        if not first.eq(second):
            yield name, first == second
