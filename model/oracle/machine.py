"""For Python programs: an implementation object as a Hypothesis state machine, and so as a pytest test.

    from pagelaw.model.oracle.machine import state_machine

    TestManager = state_machine(Manager).TestCase

`Manager()` has `start()`, `reset(machine)` and `do(event)`, as a program of `pagelaw conform` answers them. Hypothesis
draws every operation, and makes what fails short.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .capabilities import OTHERS, capabilities
from .driving import Drawing, Run, Unsupported
from .scene import Event
from .telling import failure_text


class Differs(AssertionError):
    """The implementation did what is not allowed."""


def state_machine(make: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """A state machine that drives what `make` makes, and judges every operation."""

    class Conformance(RuleBasedStateMachine):
        """Operations of one implementation."""

        @initialize(number=st.integers(0, len(OTHERS) - 1))
        def begin(self, number: int) -> None:
            """A machine, with its VMs on: the plain one, where it cannot be another."""
            implementation = make()
            able = capabilities(implementation.start())
            try:
                self.run = Run(implementation, able.of_run(number))
            except Unsupported:
                self.run = Run(implementation, able)
            self.drawing = Drawing(self.run, Random(0))
            for event in self.drawing.beginning():
                self.do(event)

        @rule(seed=st.integers(0, 2**32 - 1))
        def operation(self, seed: int) -> None:
            """The next one: what it is goes by its seed. Which can be left out is for Hypothesis to find."""
            self.drawing.random = Random(seed)
            self.do(self.drawing.next())

        def do(self, event: Event) -> None:
            """Do it, and judge it."""
            note(f"do({event!r})")
            failure = self.run.do(event)
            if failure is not None:
                raise Differs("\n".join(failure_text(failure)))

    return Conformance
