"""Checked steps a second, batched against stepwise, in one run.

pytest tests/benchmarks/test_runs_speed.py -m deep -s
"""

from time import process_time

import pytest

from pagelaw.model.runs.batched import Batch
from pagelaw.model.runs.stepwise import Tally, run_stepwise

GOAL = 20
"""Batched runs check at least so many times as many steps a second (yardsticks)."""


def batched(batch: Batch, steps: int) -> float:
    """Checked steps a second over so many more steps."""
    before, seconds = batch.steps, batch.checking_seconds
    assert not any(batch.run(steps=before + steps))
    return (batch.steps - before) / (batch.checking_seconds - seconds)


def stepwise(seed: int, examples: int) -> float:
    tally, started = Tally(), process_time()
    assert run_stepwise(seed, examples, tally) is None
    return tally.steps / (process_time() - started)


@pytest.mark.deep
def test_batched_runs_check_twenty_times_as_fast() -> None:
    """In turns, so that a noisy machine is noisy for both; after a start that fills what is remembered."""
    batch = Batch(seed=1, surveys=False)
    batched(batch, 80_000)
    stepwise(0, 4)
    pairs = [(batched(batch, 26_000), stepwise(number, 10)) for number in range(1, 5)]
    fast, slow = (sum(rates) / len(pairs) for rates in zip(*pairs, strict=True))
    print(f"\nbatched {fast:,.0f}, stepwise {slow:,.0f} checked steps a second: {fast / slow:.1f} times")
    assert fast >= GOAL * slow
