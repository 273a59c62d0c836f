"""Batched runs: nothing is violated, the same seed gives the same, faults are found and told shortly."""

import os
import subprocess
import sys

import pytest

from pagelaw.model.runs.batched import Batch
from pagelaw.model.runs.hunting import Found, hunt
from pagelaw.model.runs.picture import picture
from pagelaw.proofs import mutants
from pagelaw.spec.language import REGISTER

RUN = """
from pagelaw.model.runs.batched import Batch
from pagelaw.model.runs.hunting import hunt
from pagelaw.model.runs.picture import picture
from pagelaw.proofs import mutants
batch = Batch(seed={seed})
assert list(batch.run(steps=2000)).count(None) == batch.runs
print(batch.reach.table(), batch.reach.path_table(), batch.steps, batch.asked)
with mutants.apply("SH-3"):
    found = hunt("SH-3", "{mode}", steps=20000, seed={seed})
print(found.steps, found.failure.as_test(), picture(found.failure))
"""


def printed_in_a_process(seed: int, hash_seed: str, mode: str = "batched") -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    script = [sys.executable, "-c", RUN.format(seed=seed, mode=mode)]
    return subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout


def test_nothing_is_violated() -> None:
    batch = Batch(seed=1, surveys=False, control_every=500)
    assert not any(batch.run(steps=10_000))
    assert batch.steps >= 10_000
    assert len(batch.reach.missing_rules()) <= 3


@pytest.mark.deep
def test_all_is_reached_in_a_minute() -> None:
    """Every rule, path and refusal, from whatever seed."""
    for seed in range(3):
        batch = Batch(seed)
        assert not any(batch.run(seconds=60))
        assert (batch.reach.missing_rules(), batch.reach.missing_refusals()) == ([], [])
        assert batch.reach.missing_paths() == []


def test_the_same_seed_gives_the_same_in_any_process() -> None:
    first = printed_in_a_process(3, "0")
    assert first.count("\n") > 400
    assert printed_in_a_process(3, "777") == first
    assert printed_in_a_process(4, "0") != first


def test_the_table_counts_what_was_reached() -> None:
    batch = Batch(seed=2)
    list(batch.run(steps=1000))
    lines = batch.reach.table().splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(REGISTER["rule"])]] == list(REGISTER["rule"])
    assert any("NEVER" in line for line in lines)
    assert batch.reach.missing()
    assert sum(batch.reach.done.values()) >= batch.steps >= 1000


def found_by(mutant: str, steps: int = 60_000, seed: int = 1) -> Found:
    with mutants.apply(mutant):
        found = hunt(mutant, "batched", steps=steps, seed=seed)
        assert found is not None
        assert picture(found.failure)
    return found


SHORT = {
    "SH-2": (45, "what_was_done_still_holds"), "SH-3": (30, "table_lists_shared_frames"),
    "SH-6": (15, "current_fill_is_right"), "SH-7": (8, "count_is_number_of_users"),
    "TL-1": (30, "tlb_agrees_with_pmap"), "SW-4": (60, "what_was_done_still_holds"),
    "PO-8": (12, "targets_add_up"),
}  # fmt: skip


@pytest.mark.parametrize(("mutant", "length", "broken"), [(m, *told) for m, told in SHORT.items()], ids=SHORT.keys())
def test_a_fault_is_found_and_shown_by_a_short_run(mutant: str, length: int, broken: str) -> None:
    found = found_by(mutant)
    assert found.length <= length, picture(found.failure)
    assert found.broken == broken


def test_no_step_of_a_shortened_run_can_be_left_out() -> None:
    from pagelaw.model.runs.failure import Replay

    with mutants.apply("SH-3"):
        found = hunt("SH-3", steps=60_000, seed=1)
        assert found is not None
        failure = found.failure
        replay = Replay(failure.sizes, failure.kind, failure.name)
        assert replay(failure.steps) == list(failure.steps)
        for at in range(len(failure.steps)):
            assert replay([*failure.steps[:at], *failure.steps[at + 1 :]]) is None


def test_the_control_finds_nothing() -> None:
    with mutants.apply(mutants.CONTROL):
        assert hunt(mutants.CONTROL, steps=3000, seed=1) is None


def test_a_hunt_needs_a_budget() -> None:
    with pytest.raises(ValueError, match="needs a budget"):
        hunt()
    with pytest.raises(ValueError, match="no mode"):
        hunt(mode="guessed", steps=1)
