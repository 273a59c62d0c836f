"""Hunting a fault: runs until the first violation. Whoever calls has switched the fault on."""

from __future__ import annotations

from itertools import count
from math import inf
from time import process_time

import attrs

from .batched import Batch
from .failure import Failure

BUDGETS = {"stepwise": 45.0, "batched": 20.0}
"""The stated budget: seconds of processor time in which a mode is to find one fault."""
EXAMPLES = 10
"""Stepwise runs between two looks at the time."""


@attrs.frozen
class Found:
    """The first violation, and what it cost to find it."""

    failure: Failure
    """With a run of which no single step can be left out."""
    steps: int
    """Checked steps until it was found."""
    seconds: float
    """Processor time until it was found."""
    shrinking_seconds: float

    @property
    def broken(self) -> str:
        """What does not hold."""
        return self.failure.broken

    @property
    def length(self) -> int:
        """Steps of the shortened run."""
        return len(self.failure.steps)


def hunt(
    mutant: str | None = None, mode: str = "batched", budget_seconds: float = inf, steps: int | None = None,
    seed: int = 0,
) -> Found | None:  # fmt: skip
    """The first violation within so much processor time or so many checked steps; None if there is none.

    mutant: the name of the fault that is on, to be told in the failure. mode: "batched" or "stepwise".
    """
    if budget_seconds == inf and steps is None:
        raise ValueError("a hunt needs a budget: seconds or steps")
    started = process_time()
    if mode == "batched":
        found, done = _batched(mutant, budget_seconds, steps, seed)
    elif mode == "stepwise":
        found, done = _stepwise(mutant, budget_seconds, steps, seed)
    else:
        raise ValueError(f"there is no mode {mode!r}: it is batched or stepwise")
    seconds = process_time() - started
    if found is None:
        return None
    minimal = found.minimal()
    return Found(minimal, done, seconds, process_time() - started - seconds)


def _batched(mutant: str | None, seconds: float, steps: int | None, seed: int) -> tuple[Failure | None, int]:
    batch = Batch(seed, surveys=False, mutant=mutant)
    for failure in batch.run(seconds, steps):
        if failure is not None:
            return failure, batch.steps
    return None, batch.steps


def _stepwise(mutant: str | None, seconds: float, steps: int | None, seed: int) -> tuple[Failure | None, int]:
    from .stepwise import Tally, run_stepwise

    tally, started = Tally(), process_time()
    for number in count():
        if process_time() - started > seconds or (steps is not None and tally.steps >= steps):
            break
        failure = run_stepwise(seed * 1_000_003 + number, EXAMPLES, tally, shrink=False, mutant=mutant)
        if failure is not None:
            return failure, tally.steps
    return None, tally.steps
