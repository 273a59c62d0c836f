"""Stepwise runs: a Hypothesis state machine over the rules. Every choice is drawn, so all of a failing run is shrunk.

    TestRuns = state_machine(machines=(Sizes(),)).TestCase

What the actors would leave to chance, Hypothesis draws: whose turn it is, about
which page, with which frame. One turn in some is any rule of the register with
any arguments, so that each rule is refused for each reason too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

import attrs
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from pagelaw.spec.language import Blocked
from pagelaw.spec.machine import Machine

from ..reference.beside import Violation
from ..reference.choosing import Proposal, Rule
from ..reference.setup import Sizes, machine
from .checking import Checking, Full
from .failure import Failure
from .machines import MACHINES
from .moods import MOODS, Mood, Moody
from .statements import REFINEMENT

T = TypeVar("T")

STEPS = 300
"""Steps of a run: the first hundred turn VMs on and give pages their frames."""
FINE = 1 << 10
"""How finely a probability is drawn."""
AT_THE_END = ("theorem", "operation")
"""What is asked at the end of a run only."""


class Drawing:
    """A source of chance whose every number Hypothesis draws; 0 is the simplest."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self.draw = draw

    def random(self) -> float:
        """A number from 0 to below 1."""
        return self.below(FINE) / FINE

    def below(self, count: int) -> int:
        """A whole number from 0 to below `count`."""
        known = _below.get(count)
        if known is None:
            known = _below[count] = st.integers(0, count - 1)
        return self.draw(known)


_below: dict[int, st.SearchStrategy[int]] = {}


class Drawn(Moody):
    """Actors whose choices Hypothesis draws, so that simpler runs are made of earlier things and likelier turns."""

    def __init__(self, machine: Machine, drawing: Drawing) -> None:
        super().__init__(machine, drawing)  # type: ignore[arg-type]  # all that is asked of it is `random`
        self.drawing = drawing

    def any_of(self, things: Sequence[T]) -> T:
        """One of them; the first is the simplest."""
        return things[self.drawing.below(len(things))] if len(things) > 1 else things[0]

    def chance(self, probability: float) -> bool:
        """True as often as said; the likelier answer is the simplest."""
        if probability <= 0 or probability >= 1:
            return probability >= 1
        drawn = self.drawing.random()
        return drawn >= 1 - probability if probability < 0.5 else drawn < probability


@attrs.define
class Tally:
    """What the runs of a state machine did."""

    steps: int = 0
    """Steps done and checked."""
    runs: int = 0
    done: Counter[Rule] = attrs.field(factory=Counter)
    refused: Counter[tuple[Rule, Enum]] = attrs.field(factory=Counter)
    failure: Failure | None = None
    """The last violation: while Hypothesis shrinks, each is a simpler one."""


def only(machine: Machine, failure: Failure) -> Checking:
    """A check that asks for nothing but what a failure violates. What is asked at the end of a run needs all before."""
    if failure.kind in AT_THE_END:
        return Full(machine)
    return Full(machine, (failure.kind,), None if failure.kind == REFINEMENT else failure.name)


def state_machine(
    machines: Sequence[Sizes] = MACHINES,
    moods: Sequence[Mood] = MOODS,
    check: Callable[[Machine], Checking] = Full,
    check_for: Callable[[Machine, Failure], Checking] = only,
    tally: Tally | None = None,
    mutant: str | None = None,
) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine that does steps of the reference on one of these machines, in one of these moods.

    check: does the steps and checks them; by default in full, with private memory beside the machine. Whoever
    tests something else beside the reference gives a subclass. check_for: the same for one failure only.
    """
    noted = Tally() if tally is None else tally
    checks: dict[tuple[Sizes, bool], Checking] = {}
    first: list[Failure] = []
    """The first violation. What it is decides what is asked from then on, so that the same run ends the same way."""

    def check_of(sizes: Sizes) -> Checking:
        key = sizes, bool(first)
        if key in checks:
            checks[key].restart()
        elif not first:
            checks[key] = check(machine(sizes))
        else:  # from now on Hypothesis shrinks: only what was violated need be asked, and that is faster
            checks[key] = check_for(machine(sizes), first[0])
        return checks[key]

    def note(sizes: Sizes, steps: Sequence[Proposal], found: Violation) -> None:
        noted.failure = Failure.of(sizes, steps, found, mutant)
        first.append(noted.failure)

    class Runs(RuleBasedStateMachine):
        """Steps of the reference model, each checked."""

        @initialize(data=st.data())
        def start(self, data: st.DataObject) -> None:
            """A machine in its initial state, and actors in a mood."""
            drawing = Drawing(data.draw)
            self.sizes = machines[drawing.below(len(machines))]
            self.check = check_of(self.sizes)
            self.actors = Drawn(self.check.machine, drawing)
            self.actors.in_mood(moods[drawing.below(len(moods))])
            turns = self.actors.mood.turns
            self.turns = [getattr(self.actors, name) for name in turns for _ in range(turns[name])]
            self.steps: list[Proposal] = []
            self.failed = False
            noted.runs += 1

        @rule(data=st.data())
        def step(self, data: st.DataObject) -> None:
            """Somebody has a turn."""
            self.actors.drawing.draw = data.draw
            of_spec, arguments = self.actors.any_of(self.turns)()
            arguments = self.actors.complete(of_spec, arguments)
            try:
                self.check(of_spec, arguments)
            except Blocked as refused:
                noted.refused[of_spec, refused.reason] += 1
                return
            except Violation as found:
                self.failed = True
                note(self.sizes, [*self.steps, (of_spec, arguments)], found)
                raise
            self.steps.append((of_spec, arguments))
            noted.steps += 1
            noted.done[of_spec] += 1

        def teardown(self) -> None:
            """The theorems, and the operations in one piece, are asked of the state that the run leaves."""
            if not hasattr(self, "steps") or self.failed:
                return
            if first and first[0].kind not in AT_THE_END:
                return
            try:
                self.check.control()
            except Violation as found:
                note(self.sizes, self.steps, found)
                raise

    return Runs


def run_stepwise(
    number: int, examples: int, tally: Tally, shrink: bool = True, mutant: str | None = None,
    machines: Sequence[Sizes] = MACHINES, moods: Sequence[Mood] = MOODS, steps: int = STEPS,
) -> Failure | None:  # fmt: skip
    """So many runs from this seed; the failure that Hypothesis found and, if wanted, shrank.

    Hypothesis stops shrinking after a while: single steps that can be left out then are left out as well.
    """
    tally.failure = None
    made = seed(number)(state_machine(machines, moods, tally=tally, mutant=mutant))
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, phases=phases, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet, report_multiple_bugs=False,
        print_blob=False,
    )  # fmt: skip
    try:
        run_state_machine_as_test(made, settings=chosen)
    except Violation:
        assert tally.failure is not None
        return tally.failure.minimal() if shrink else tally.failure
    return None


__all__ = ["STEPS", "Any", "Drawing", "Drawn", "Tally", "run_stepwise", "state_machine"]
