"""The reduction by symmetry is exact: nothing is left out, and what stands for how many is right."""

from collections.abc import Iterator
from itertools import permutations, product
from random import Random
from typing import Any

import pytest

from pagelaw.model.explorer import search
from pagelaw.model.explorer.gallery import MACHINES
from pagelaw.model.explorer.machines import Small
from pagelaw.model.explorer.packing import fields_that_tell_apart
from pagelaw.model.explorer.search import Explored, Search, explore
from pagelaw.model.explorer.symmetry import Name, Symmetry

QUICK = ("domains", "dying", "power", "blocks", "admission", "two-guests")
SLOW = ("overflow", "pins", "moving", "sharing", "marking-devices", "sharing-devices", "balloon", "balloon-paging",
        "first-touch", "paging-devices", "clean", "shared-paging", "false-matches", "shared-leaving",
        "after-power-off-moving", "bounce-sharing")  # fmt: skip


def renamings(symmetry: Symmetry) -> Iterator[list[int]]:
    """Every way of renaming: VMs with all that they have, then what each has, then what belongs to none."""
    names = symmetry.exchange
    for vms in permutations(names.vms):
        if any(names.label[a] != names.label[b] for a, b in zip(names.vms, vms, strict=True)):
            continue
        choices = []
        for a, b in zip(names.vms, vms, strict=True):
            for mine, theirs in zip(names.within[a], names.within[b], strict=True):
                choices.append([list(zip(mine, one, strict=True)) for one in permutations(theirs)])
        for members in names.classes:
            if names.owner[members[0]] < 0 and members[0] not in names.vms:
                choices.append([list(zip(members, one, strict=True)) for one in permutations(members)])
        for chosen in product(*choices):
            new = list(range(names.count))
            for a, b in zip(names.vms, vms, strict=True):
                new[a] = b
            for pairs in chosen:
                for one, other in pairs:
                    new[one] = other
            yield new


class FromEverywhere(Search):
    """A search without symmetry that begins in every state that is like the first but for names."""

    def beginnings(self) -> list[Name]:
        return [(one, 1, ()) for one in sorted({self.symmetry.rename(self.layout.start, new)
                                            for new in renamings(self.symmetry)})]  # fmt: skip


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.deep) for name in SLOW)])
def test_as_many_states_are_represented_as_there_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reduced = explore(MACHINES[name], watch_paths=False, kinds=())
    monkeypatch.setattr(search, "Search", FromEverywhere)
    full = explore(MACHINES[name], symmetric=False, watch_paths=False, kinds=())
    assert reduced.complete
    assert full.complete
    assert reduced.represented == full.states


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


@pytest.mark.parametrize(
    "name",
    [
        "domains",
        "power",
        "blocks",
        pytest.param("sharing-devices", marks=pytest.mark.deep),
        pytest.param("common", marks=pytest.mark.deep),
    ],
)
def test_a_state_and_its_renamings_have_one_canonical_state(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the number of renamings that leave a state as it is is that of the whole group, tried one by one."""
    done = searched(MACHINES[name], monkeypatch)
    symmetry, random = done.symmetry, Random(7)
    group = list(renamings(symmetry))
    assert len(group) == symmetry.exchange.group
    for packed in random.sample(done.states, min(40, len(done.states))):
        canonical, ways, alike = symmetry.name(packed)
        assert canonical == packed, "states are kept under their canonical names"
        assert sum(symmetry.rename(packed, new) == packed for new in group) == ways
        for new in random.sample(group, min(20, len(group))):
            assert symmetry.name(symmetry.rename(packed, new)) == (canonical, ways, alike)


def test_what_an_action_is_restricted_to_is_not_exchanged() -> None:
    """Where only the first page may be marked, it stands for no other."""
    small = MACHINES["marking"]
    made = small.machine()
    done = Search(small, made, fields_that_tell_apart(made) - {"tag"}, True, False, ())
    pages = [number for number, one in enumerate(done.layout.elements) if type(one).__name__ == "Page"]
    assert len({done.symmetry.exchange.label[one] for one in pages}) == len(pages)


def test_vms_of_different_domains_are_not_exchanged() -> None:
    made = MACHINES["domains"].machine()
    done = Search(MACHINES["domains"], made, fields_that_tell_apart(made), True, False, ())
    assert len({done.symmetry.exchange.label[vm] for vm in done.symmetry.exchange.vms}) == 2
