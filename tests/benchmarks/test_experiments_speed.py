"""What checking every step of a run of the server costs: checked against unchecked, in one run.

pytest tests/benchmarks/test_experiments_speed.py -m deep -s
"""

from fractions import Fraction
from time import process_time

import pytest

from pagelaw.model.experiments.checking import Checked
from pagelaw.model.experiments.figures import eight
from pagelaw.model.experiments.figures.figure import How
from pagelaw.model.experiments.run import Run, no_search_for_cycles

GOAL = 3
"""Checked runs take at most so many times as long (issue 4)."""
REACHED = 4
"""What they take less than also on a busy machine, so that it is noticed if it gets worse."""
TURN = 60
"""Seconds of virtual time."""


def seconds(run: Run) -> float:
    """Processor time of the run's next turn; powering on is part of the first."""
    started = process_time()
    if run.second == 0:
        run.start()
    for _ in range(TURN):
        run.one_second()
    return process_time() - started


@pytest.mark.deep
def test_what_checking_costs() -> None:
    """All thirty minutes of Figure 8, three times, in turns, so that a noisy machine is noisy for both."""
    plain, checked, steps = 0.0, 0.0, 0
    plan = eight.plan(How(scale=Fraction(1, 64)))
    for _ in range(3):
        runs = Run(plan), Run(plan, Checked)
        with no_search_for_cycles():
            while runs[0].second < plan.seconds:
                plain += seconds(runs[0])
                checked += seconds(runs[1])
        assert runs[0].server.steps == runs[1].server.steps
        steps += runs[0].server.steps
    print(f"\n{plain / steps * 1e6:.1f} us a step, checked {checked / steps * 1e6:.1f}: "
          f"{checked / plain:.2f} times (goal {GOAL})")  # fmt: skip
    assert checked <= REACHED * plain
