"""What is asked of one mutant: the obligations that it changes, by cheap attempts, on small machines, by z3 in full.

Two sides. The control is the unchanged specification, lifted once. The
mutant's side is built while it is switched on; it has a theory of its own only
if the mutant changes a statement on which every obligation rests. Of its
obligations only those are asked whose terms the control does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER

from ..by_z3 import Z3, Needs
from ..counterexample import Counterexample, confirm, questions_about
from ..groups import obligations_of
from ..lifting import Sym, arguments_of
from ..obligations import Obligation, Theory
from ..replay import broken_invariants
from ..small import INSTANCES, SmallTheory
from ..solvers import Verdict
from ..uninterrupted import obligations_of_operation

OF_ALL_STATES = ("reading", "initial state")
"""What is asked of every state, not only of those that the invariants allow."""

Key = tuple[int, frozenset[int]]

# Work is limited by z3's own measure, so that a verdict does not depend on how busy the processor is:
# some four million an idle second.
SMALL = {"tiny": 6_000_000, "standard": 12_000_000}
"""How much work a small machine is worth."""
BRIEF = 400_000
"""The work for an obligation that cheap attempts did not prove, before a small machine is looked for."""
PATIENT = 20_000_000
"""The work for one that no small machine refutes."""
_SECONDS = 120.0
"""In any case no more than this."""


def key(obligation: Obligation) -> Key:
    """What tells an obligation from all others while the terms of both are alive: z3 has each term once."""
    return obligation.goal.get_id(), frozenset(term.get_id() for term in obligation.hypotheses)


class Side:
    """A specification as it is now, switched on or not: its theory, its small machines, what is learnt of proofs."""

    def __init__(self, theory: Theory, needs: Needs, small: dict[str, SmallTheory]) -> None:
        self.theory, self.needs, self._small = theory, needs, small

    @classmethod
    def now(cls, learnt: Needs | None = None) -> Side:
        """The specification as it is now, lifted anew."""
        theory = Theory()
        needs = Needs.of(theory)
        if learnt is not None:
            needs.learn_from(learnt)
        return cls(theory, needs, {})

    def small(self, instance: str) -> SmallTheory:
        """A small machine, forgetting what was asked of it before."""
        if instance not in self._small:
            self._small[instance] = SmallTheory(INSTANCES[instance])
        self._small[instance].start_over()
        return self._small[instance]

    def obligations(self, group: str) -> list[Obligation]:
        """The obligations of a group, or of one operation told in one piece."""
        if group in REGISTER["operation"]:
            self.theory.start_over()
            entry = REGISTER["operation"][group]
            return list(obligations_of_operation(self.theory, entry, arguments_of(self.theory.lift, entry.function)))
        return list(obligations_of(self.theory, group))

    # asking

    def suspicious(self, obligations: Sequence[Obligation]) -> list[Obligation]:
        """Those that the cheap attempts do not prove; the plainest first."""
        proved = Z3(self.needs, 1.0).quickly(obligations)
        return sorted(
            (one for one, yes in zip(obligations, proved, strict=True) if not yes),
            key=lambda one: ORDER.index(one.kind) if one.kind in ORDER else len(ORDER),
        )

    def proved(self, obligation: Obligation, work: int) -> bool:
        """Whether z3 proves it, with as much work."""
        (answer,) = Z3(self.needs, _SECONDS, work).prove([obligation])
        return answer.verdict is Verdict.PROVED

    def shown(self, obligation: Obligation, patient: bool = False) -> Counterexample | None:
        """A small machine on which Python, running the rule, finds the obligation's property false.

        What z3 finds with little work depends on what it was asked before; with patience it is asked afresh.
        """
        for instance in INSTANCES:
            found = self._shown_on(instance, obligation, patient)
            if found is not None:
                return found
        return None

    def _shown_on(self, instance: str, obligation: Obligation, patient: bool) -> Counterexample | None:
        theory = SmallTheory(self.small(instance).members) if patient else self.small(instance)
        arguments, questions = questions_about(theory, obligation.rule, obligation.property)
        asked = questions.get(obligation.property, [])
        same_path = [one for one in asked if one.path == obligation.path]
        for some in (same_path, asked if len(asked) > len(same_path) else []):
            found = _model(theory, some, arguments, None if patient else SMALL[instance]) if some else None
            if found is not None:
                shown = confirm(instance, some[0], *found)
                if shown.replayed() and (some[0].rule in OF_ALL_STATES or not broken_invariants(found[0])):
                    return shown
        return None


ORDER = ("exhaustive", "effect", "refusal", "invariant", "refinement", "transition", "theorem", "operation", "defined")
"""The kinds of obligation in the order in which those that may fail are looked at."""


def _model(theory: SmallTheory, asked: Sequence[Obligation], arguments: dict[str, Sym], work: int | None) -> Any:
    if asked[0].rule in OF_ALL_STATES:
        return SmallTheory(theory.members).refute(asked, arguments)
    if work is None:
        with suppress(TimeoutError):
            return theory.refute(asked, arguments)
        return None
    theory.solver.set("timeout", int(_SECONDS * 1000))
    theory.solver.set("rlimit", work)
    try:
        model = theory.model(theory.wrong(asked))
    except TimeoutError:
        return None
    finally:
        theory.solver.set("rlimit", 0)
    return None if model is None else theory.decode(model, arguments)


@attrs.define(slots=False)
class Control:
    """The unchanged specification."""

    @cached_property
    def side(self) -> Side:
        """Lifted once for all mutants of a process."""
        return Side.now()

    _groups: dict[str, list[Obligation]] = attrs.field(factory=dict)
    _keys: dict[str, set[Key]] = attrs.field(factory=dict)
    _goals: dict[str, set[int]] = attrs.field(factory=dict)

    def learn(self, groups: Iterable[str]) -> None:
        """Build these groups and keep their terms alive. To be called while nothing is switched on."""
        for group in groups:
            if group not in self._groups:
                self._groups[group] = self.side.obligations(group)
                self._keys[group] = {key(one) for one in self._groups[group]}
                self._goals[group] = {one.goal.get_id() for one in self._groups[group]}

    def knows(self, group: str, obligation: Obligation) -> bool:
        """Whether the unchanged specification has the same obligation."""
        return key(obligation) in self._keys[group]

    def knows_goal(self, group: str, obligation: Obligation) -> bool:
        """Whether it has one with the same goal, from whatever hypotheses."""
        return obligation.goal.get_id() in self._goals[group]

    def beside(self, needs_own_theory: bool) -> Side:
        """The mutant's side, while it is switched on."""
        return Side.now(self.side.needs) if needs_own_theory else self.side
