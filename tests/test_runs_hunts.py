"""How many of the historical faults generated runs find, within the stated budget of each."""

from time import process_time

import pytest

from pagelaw.model.runs.hunting import BUDGETS, hunt
from pagelaw.proofs import mutants

HISTORICAL = [name for name in mutants.gallery() if not name.startswith(("SYN-", "ORD-"))]
GOALS = {"stepwise": 30, "batched": 40}
"""How many of the 42 are found at least."""


def test_the_budgets_are_for_the_faults_of_real_systems() -> None:
    assert len(HISTORICAL) == 42
    assert BUDGETS.keys() == GOALS.keys()
    assert max(BUDGETS.values()) <= 45


@pytest.mark.deep
@pytest.mark.parametrize("mode", GOALS)
def test_runs_find_most_historical_faults(mode: str) -> None:
    """Half an hour of processor time at most for both modes; `-s` shows a line for each fault."""
    found = 0
    for name in HISTORICAL:
        started = process_time()
        with mutants.apply(name):
            kill = hunt(name, mode, BUDGETS[mode])
        seconds = process_time() - started
        told = f"{kill.broken}, {kill.length} steps, after {kill.steps:,}" if kill else "not found"
        print(f"{name:6} {mode:9}{seconds:6.1f} s  {told}")
        found += kill is not None
    assert found >= GOALS[mode]
