"""Stepwise runs: a Hypothesis state machine over the rules."""

from hypothesis import HealthCheck, settings

from pagelaw.model.reference.reaching import MACHINES
from pagelaw.model.runs.failure import Replay
from pagelaw.model.runs.hunting import hunt
from pagelaw.model.runs.stepwise import Tally, run_stepwise, state_machine
from pagelaw.proofs import mutants

quick = settings(
    max_examples=8, stateful_step_count=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

# The state machine as a test of its own, as any other of Hypothesis.
TestRuns = state_machine(machines=MACHINES[:3]).TestCase
TestRuns.settings = quick


def test_most_proposals_are_allowed_and_many_rules_done() -> None:
    tally = Tally()
    assert run_stepwise(1, 7, tally) is None
    assert tally.steps > 1000
    assert sum(tally.refused.values()) < tally.steps
    assert len(tally.done) > 45


def test_the_same_seed_draws_the_same() -> None:
    tallies = [Tally() for _ in range(2)]
    for tally in tallies:
        assert run_stepwise(5, 4, tally, steps=100) is None
    assert tallies[0] == tallies[1]


def test_a_fault_is_found_and_shrunk() -> None:
    with mutants.apply("LK-1"):
        found = run_stepwise(1, 80, Tally(), mutant="LK-1", machines=MACHINES[:1], steps=12)
        assert found is not None
        assert found.broken == "what_was_done_still_holds"
        assert len(found.steps) == 2
        assert Replay(found.sizes, found.kind, found.name)(found.steps) == list(found.steps)


def test_a_hunt_finds_a_fault_stepwise() -> None:
    with mutants.apply("PO-8"):
        found = hunt("PO-8", "stepwise", steps=20_000, seed=1)
    assert found is not None
    assert found.broken in ("reservations_add_up", "targets_add_up")  # both sums go wrong in the same step
    assert found.steps <= 20_000
