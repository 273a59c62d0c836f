"""The proofs speak of something: invariants have models, paths can be taken, and running agrees with lifting."""

import random
from typing import Any

import attrs
import pytest

from pagelaw.proofs.reach import (
    dead_paths,
    expected_dead_paths,
    named_paths,
    unproved_dead_paths,
    unshifted_sums,
    validate,
    varied,
)
from pagelaw.proofs.replay import broken_invariants
from pagelaw.proofs.small import INSTANCES, SmallTheory
from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import Page, Running, Swapped

SEED = 2002


@pytest.fixture(scope="module")
def tiny() -> SmallTheory:
    return SmallTheory(INSTANCES["tiny"])


@pytest.mark.parametrize("instance", INSTANCES)
def test_invariants_have_a_model_and_python_agrees(instance: str) -> None:
    theory = SmallTheory(INSTANCES[instance])
    constant = theory.encoding.constant
    running = [theory.functions["life"](constant(vm)) == constant(Running()) for vm in theory.keys(VM)]
    model = theory.model(*running)
    assert model is not None
    for found in (model, theory.simplest(model, running, {}), theory.simplest(theory.model(), [], {})):
        machine, _ = theory.decode(found, {})
        assert broken_invariants(machine) == []


def test_dead_paths_are_the_expected_ones() -> None:
    """A new dead path is proved for nothing; one that has come to life has to leave the list."""
    assert dead_paths() == expected_dead_paths()


def test_dead_paths_are_dead_for_any_size() -> None:
    assert unproved_dead_paths(expected_dead_paths()) == []


def test_names_of_paths_are_different_and_do_not_depend_on_the_instance(tiny: SmallTheory) -> None:
    names = [one.name for one in named_paths(tiny)]
    assert len(set(names)) == len(names)
    assert names == [one.name for one in named_paths(SmallTheory(INSTANCES["standard"]))]


def test_names_of_paths_tell_how_they_end_and_which_way_they_went(tiny: SmallTheory) -> None:
    names = [one.name for one in named_paths(tiny, lambda name: name in ("leave_old_frame", "touch", "clear"))]
    assert {
        "leave_old_frame refuses FLUSH_PENDING [Leaving(old)]", "leave_old_frame refuses WRONG_STAGE",
        "touch refuses NO_FREE_FRAME", "touch done", "clear done [Clearing(new)]", "clear refuses WRONG_STAGE",
    } <= set(names)


def test_running_agrees_with_lifting_on_every_path(tiny: SmallTheory) -> None:
    ran, differs = validate(tiny)
    assert differs == []
    assert ran >= 0.9 * len(list(named_paths(tiny))), "a few paths are dead, or need more than the tiny instance"


@pytest.mark.deep
@pytest.mark.parametrize("instance", INSTANCES)
def test_running_agrees_with_lifting_on_many_states(instance: str) -> None:
    ran, differs = validate(SmallTheory(INSTANCES[instance]), states=4, seed=SEED)
    assert differs == []
    assert ran > 1200


def blind(s: Machine, page: Page) -> None:
    """Asks for the class of a value, which is silently false of a symbolic one."""
    if type(s.pmap[page]) is Swapped:
        s.attempted[page] = True


def test_blind_rule_is_found_by_running_it(tiny: SmallTheory, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = attrs.evolve(REGISTER["rule"]["sample"], name="blind", function=blind)
    monkeypatch.setitem(REGISTER["rule"], "blind", entry)
    _, differs = validate(tiny, states=60, seed=SEED, rules=lambda name: name == "blind")
    assert any("attempted[" in line for line in differs)


def test_sums_are_shifted_by_each_write(tiny: SmallTheory) -> None:
    """What the proofs say of a sum after a step is what adding it up gives."""
    assert unshifted_sums(tiny, lambda name: name in ("touch", "merge", "reap", "end_inbound")) == []


@pytest.mark.deep
def test_all_sums_are_shifted_by_each_write(tiny: SmallTheory) -> None:
    assert unshifted_sums(tiny) == []


def test_wrong_shift_is_found(tiny: SmallTheory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny.lift, "shifted", lambda measure, state, parameters, before: before)
    assert any("frames_free" in line for line in unshifted_sums(tiny, lambda name: name == "touch"))


def test_varied_states_of_a_path_differ(tiny: SmallTheory) -> None:
    one = next(named_paths(tiny, lambda name: name == "flush"))
    chance = random.Random(SEED)
    states: list[Any] = [tiny.decode(varied(tiny, one, chance), one.arguments)[0].written() for _ in range(5)]
    assert any(state != states[0] for state in states)
