"""The check of generated runs: what it asks when, and that the incremental one asks no less than the full one."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from pagelaw.model.reference.actors import Actors
from pagelaw.model.reference.beside import Violation
from pagelaw.model.reference.choosing import Proposal
from pagelaw.model.reference.reaching import MACHINES
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.model.runs.batched import Batch
from pagelaw.model.runs.checking import Checking, Full, Incremental
from pagelaw.model.runs.moods import MOODS, actors_in
from pagelaw.model.runs.watching import Looking, Watched
from pagelaw.proofs import mutants
from pagelaw.spec import power, sampling, translation
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import MPN, Mapped, Page, Running

SMALL = MACHINES[0]
A = VM(0)


def first_violation(check: Checking, sizes: Sizes, seed: int, steps: int) -> tuple[int, str, str] | None:
    """At which step a run violates something, and what; every proposal is handed to the check."""
    mood = MOODS[seed % len(MOODS)]
    scheduler = Scheduler(check.machine, seed, mood.turns, actors_in(mood))
    try:
        scheduler.run(steps, lambda rule, given: check(rule, scheduler.actors.complete(rule, given)))
    except Violation as found:
        return check.steps, found.kind, found.name
    return None


def incremental(machine: Machine) -> Incremental:
    return Incremental(machine, control_every=50)


def test_the_incremental_check_and_the_full_one_agree() -> None:
    """Every invariant is asked in full after each 50 steps too, and what the incremental check missed is an error."""
    for sizes in MACHINES:
        assert first_violation(incremental(machine(sizes)), sizes, seed=3, steps=400) is None


def same_step_in_full(mutant: str, steps: int) -> bool:
    """Whether the full check finds what the incremental one found, at that step and not before."""
    with mutants.apply(mutant):
        failure = next(filter(None, Batch(1, surveys=False).run(steps=steps)), None)
        if failure is None or failure.kind in ("theorem", "operation"):
            return False
        check = Full(machine(failure.sizes))
        for step in failure.steps[:-1]:
            check(*step)
        with pytest.raises(Violation) as violation:
            check(*failure.steps[-1])
        assert (violation.value.kind, violation.value.name) == (failure.kind, failure.name)
        assert violation.value.arguments == failure.arguments
        return True


@pytest.mark.parametrize("mutant", ["SH-2", "SH-3", "SH-7", "TL-4", "SW-4", "SH-6", "ORD-9", "PO-8", "SYN-23"])
def test_the_full_check_finds_a_fault_at_the_same_step(mutant: str) -> None:
    assert same_step_in_full(mutant, 60_000)


@pytest.mark.deep
@pytest.mark.parametrize("mutant", mutants.names())
def test_the_full_check_finds_every_fault_at_the_same_step(mutant: str) -> None:
    same_step_in_full(mutant, 300_000)


def test_a_run_begun_again_is_the_same_run() -> None:
    check = Incremental(machine(SMALL), control_every=100)
    written = []
    for _ in range(2):
        check.restart()
        assert first_violation(check, SMALL, seed=5, steps=300) is None
        written.append(check.machine.written())
    assert written[0] == written[1]
    assert check.machine.life[A] in (Running(), written[0]["life"].get(A))


def test_few_questions_are_asked_of_a_step_and_most_are_answered_from_memory() -> None:
    check = Incremental(machine(SMALL), control_every=0)
    first_violation(check, SMALL, seed=0, steps=3000)
    begun, run = check.asked, check.run
    first_violation(check, SMALL, seed=0, steps=3000)
    assert (check.asked - begun) / 3000 < len(check.questions) / 10
    assert (check.run - run) / (check.asked - begun) < 0.5


# What a step may not do, whatever it is.


def does_nothing(s: Machine, vm: VM) -> None:
    """Neither refuses nor acts."""


def refuses_late(s: Machine, vm: VM) -> None:
    s.swap_target[vm] = 1
    raise Blocked(Refused.NOT_A_LEVEL)


def reads_what_is_not_there(s: Machine, vm: VM) -> None:
    s.life[vm].page  # type: ignore[attr-defined]  # noqa: B018


def raises_a_generation_silently(s: Machine, vm: VM) -> None:
    s.resident[vm] += 1


FAULTY = {
    does_nothing: ("effect", "a step that is not refused does something"),
    refuses_late: ("refusal", "a refusal changes nothing"),
    reads_what_is_not_there: ("defined", "no field is read that is not there"),
    raises_a_generation_silently: ("invariant", "pages_of_a_vm_are_counted"),
}


@pytest.mark.parametrize("make", [Full, incremental])
@pytest.mark.parametrize(("rule", "expected"), FAULTY.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_a_faulty_step_is_told(rule: Any, expected: tuple[str, str], make: Callable[[Machine], Checking]) -> None:
    check = make(machine(SMALL))
    check(power.power_vm_on, (A,))
    with pytest.raises(Violation, match=rule.__name__) as violation:
        check(rule, (A,))
    assert (violation.value.kind, violation.value.name) == expected


def test_a_refusal_is_passed_on() -> None:
    check = Full(machine(SMALL))
    with pytest.raises(Blocked):
        check(sampling.end_sample, (Page(A, 0),))
    assert check.steps == 0


# Watching.


def test_what_a_step_changed_and_what_a_question_read() -> None:
    s = machine(SMALL)
    watched, read = Watched(s), list[Any]()
    now, before = Looking(watched, read), Looking(watched, read, before=True)
    page = Page(A, 0)
    watched.begin()
    s.pmap[page] = Mapped(MPN(1))
    s.dirty[page] = s.dirty[page]
    s.free_frames -= 1
    watched.end()
    assert [(cell.field, cell.key) for cell in watched.changed] == [("pmap", page), ("free_frames", None)]
    assert (now.pmap[page], now.free_frames) == (Mapped(MPN(1)), SMALL.frames - 1)
    assert before.free_frames == SMALL.frames
    assert before.pmap[page] != now.pmap[page]
    assert {cell.field for cell in read} == {"pmap", "free_frames"}


def test_a_trial_leaves_the_state_alone() -> None:
    s = machine(SMALL)
    look = Looking(Watched(s), [])
    trial = look.copy()
    power.power_vm_on(trial, A)
    twin = trial.copy()
    twin.life[A] = s.life[A]
    assert (trial.life[A], twin.life[A]) == (Running(), s.life[A])
    assert s.written()["life"] == {}
    assert trial.reserved_memory == s.reserved_memory + s.minimum[A] + s.overhead[A]


def test_arguments_are_completed_for_a_rule_that_has_one_more() -> None:
    actors: Actors = Scheduler(machine(SMALL), 1).actors
    proposal: Proposal = translation.evict_shadow, ()
    given = actors.complete(*proposal)
    assert len(given) == 1
    with suppress(Blocked):
        translation.evict_shadow(machine(SMALL), *given)
