"""What the explorer rests on: answers remembered, numbers settled, runs that can be done again."""

from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Any

import pytest

from pagelaw.model.explorer import search
from pagelaw.model.explorer.acting import settle
from pagelaw.model.explorer.gallery import MACHINES
from pagelaw.model.explorer.machines import Small
from pagelaw.model.explorer.search import Explored, Search, explore
from pagelaw.model.explorer.watched import Log, Watched
from pagelaw.model.reference.beside import failures
from pagelaw.proofs import mutants
from pagelaw.spec.language import Blocked
from pagelaw.spec.machine import Machine


def searched(small: Small, monkeypatch: pytest.MonkeyPatch) -> Search:
    """A search of a machine that is over."""
    kept: list[Search] = []

    class Kept(Search):
        def run(self, *arguments: Any) -> Explored:
            kept.append(self)
            return super().run(*arguments)

    monkeypatch.setattr(search, "Search", Kept)
    assert explore(small, watch_paths=False, kinds=()).complete
    return kept[-1]


def refusal(action: Callable[..., Any], machine: Machine, arguments: tuple[Any, ...]) -> Enum | None:
    """Do a step; why it was refused, if it was."""
    try:
        action(machine, *arguments)
    except Blocked as refused:
        return refused.reason
    return None


def written(packed: bytes, writes: tuple[tuple[int, int], ...]) -> bytes:
    """A state with other values at some places."""
    changed = bytearray(packed)
    for place, number in writes:
        changed[place] = number
    return bytes(changed)


@pytest.mark.parametrize("name", ["sharing", "dying", "moving", "balloon-paging"])
def test_what_is_remembered_is_what_the_rule_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action's answer for a state, before the state is settled, is what the action does on a plain machine."""
    small = MACHINES[name]
    done = searched(small, monkeypatch)
    random, tried = Random(3), 0
    for packed in random.sample(done.states, min(30, len(done.states))):
        for number, (action, arguments) in enumerate(done.steps):
            outcome = done.memos[number](packed)
            plain = done.layout.unpack(packed)
            assert outcome.refused is refusal(action, plain, arguments)
            if outcome.refused is None:
                left = done.layout.unpack(written(packed, outcome.unsettled))
                assert all(getattr(left, field) == getattr(plain, field) for field in done.layout.fields)
                tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    "name",
    ["clean", "moving", "sharing", *(pytest.param(name, marks=pytest.mark.deep) for name in ("fills", "bounce"))],
)
def test_settling_changes_nothing_that_a_rule_can_see(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a state and from the same one settled, every action is refused alike or leads to one settled state."""
    small = MACHINES[name]
    done = searched(small, monkeypatch)
    random, unlike = Random(5), 0
    machine = Watched.over(done.layout)
    for packed in random.sample(done.states, min(60, len(done.states))):
        for memo in random.sample(done.memos, min(8, len(done.memos))):
            outcome = memo(packed)
            if outcome.refused is not None:
                continue
            unsettled, settled = written(packed, outcome.unsettled), outcome.after(packed)
            unlike += unsettled != settled
            for next_one in done.memos:
                before, after = next_one(unsettled), next_one(settled)
                assert before.refused is after.refused
                if after.refused is None:
                    one, other = before.after(unsettled), after.after(settled)
                    assert whole(machine, one) == whole(machine, other)
    assert unlike, "there is something to settle"


def whole(machine: Watched, packed: bytes) -> bytes:
    """A state with everything settled in it, as if all of it had just been written."""
    now = machine.on(packed, Log())
    for column in now.columns.values():
        for key, place in column.at.items():
            if place not in now.writes:
                column[key] = column[key]
    settle(now)
    return written(packed, tuple(now.writes.items()))


@pytest.mark.parametrize(("identifier", "name"), [("SH-3", "domains"), ("ORD-1", "sharing"), ("LK-1", "first-touch"),
                                                  ("RM-4", "moving"), ("PO-8", "power")])  # fmt: skip
def test_the_run_to_a_violation_can_be_done_again(identifier: str, name: str) -> None:
    """Each step is done by the mutant's rules on the plain machine, and at the end the statement is false."""
    with mutants.apply(identifier):
        small = MACHINES[name]
        found = explore(small, watch_paths=False).violation
        assert found is not None
        machine = small.machine()
        for action, arguments in found.run:
            assert found.property not in {entry.name for entry, _ in failures(machine, "invariant", "theorem")}
            action(machine, *arguments)
        assert found.property in {entry.name for entry, _ in failures(machine, "invariant", "theorem")}
