"""Steps that are tried on a machine's twin: what they come to there, and that the machine is as it was."""

import random
from enum import Enum

import pytest

from pagelaw.model.reference import operations
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.model.reference.trying import Trial
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import Page


def run(s: Machine, seed: int) -> list[Enum]:
    """Some operations, each until it is done or refused; what there was to refuse."""
    chance = random.Random(seed)
    refused: list[Enum] = []
    for _ in range(20):
        page = chance.choice(s.ids[Page])
        steps = chance.choice([
            operations.power_on(s, page.vm), operations.power_off(s, page.vm), operations.first_touch(s, page),
            operations.scan(s, page), operations.page_out(s, page), operations.page_in(s, page),
        ])  # fmt: skip
        try:
            for rule, given in steps:
                rule(s, *given)
        except Blocked as found:
            refused.append(found.reason)
    return refused


@pytest.mark.parametrize("seed", range(8))
def test_steps_on_the_twin_come_to_the_same_and_leave_the_machine_alone(seed: int) -> None:
    s = machine(Sizes())
    for vm in s.ids[VM]:
        for rule, given in operations.power_on(s, vm):
            rule(s, *given)
    trial = Trial(s)
    for again in range(3):
        before, copied = s.written(), s.copy()
        twin = trial.begin()
        assert run(twin, seed + again) == run(copied, seed + again)
        assert {page: twin.pmap[page] for page in s.ids[Page]} == {page: copied.pmap[page] for page in s.ids[Page]}
        assert (twin.free_frames, twin.free_slots) == (copied.free_frames, copied.free_slots)
        assert s.written() == before
        assert run(s, seed + again + 100) is not None  # the machine goes on, and the next trial begins there
