"""What rests on an invariant: the obligations of which it was needed for the proof."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import z3

from pagelaw.spec.language import REGISTER

from ..groups import groups
from ..obligations import Obligation
from .asking import Side

Place = tuple[str, str, int, str]
"""An obligation: its group, and its rule, path and property."""
Resting = Mapping[str, frozenset[Place]]
"""For every invariant the obligations that rest on it. What is not among them was proved without it."""

LIMIT_MS = 10_000


def resting(names: Iterable[str] | None = None) -> dict[str, frozenset[Place]]:
    """Prove these groups and operations, or everything, and see what was needed."""
    side = Side.now()
    found: dict[str, set[Place]] = defaultdict(set)
    own = ("initial state", "private memory", "lemmas", "operations")  # these rest on no invariant, or are asked apart
    everything = [*(group for group in groups() if group not in own), *REGISTER["operation"]]
    for group in everything if names is None else names:
        for obligation in side.obligations(group):
            for name in needed(side, obligation):
                found[name].add((group, obligation.rule, obligation.path, obligation.property))
    return {name: frozenset(places) for name, places in found.items()}


def needed(side: Side, obligation: Obligation) -> Iterator[str]:
    """The invariants that one proof of an obligation needs; all of them if it is not found."""
    invariants = {statement.closed.get_id(): name for name, statement in side.theory.invariants.items()}
    solver = z3.SimpleSolver()
    solver.set("auto_config", False)
    solver.set("mbqi", False)
    solver.set("case_split", 3)
    solver.set("timeout", LIMIT_MS)
    solver.set("ctrl_c", False)
    itself = None
    for term in obligation.hypotheses:
        name = invariants.get(term.get_id())
        if name is None:
            solver.add(term)
        elif name == obligation.property:
            itself = term
        else:
            solver.assert_and_track(term, f"invariant!{name}")
    if itself is not None:
        solver.assert_and_track(itself, f"invariant!{obligation.property}")
    solver.add(z3.Not(obligation.goal))
    if solver.check() != z3.unsat:
        yield from side.theory.invariants
        return
    for one in solver.unsat_core():
        yield str(one).removeprefix("invariant!")
