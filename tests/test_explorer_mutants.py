"""Every known fault is shown by a machine: a shortest run from where it begins, which can be done again."""

import pytest

from pagelaw.model.explorer.gallery import MACHINES
from pagelaw.model.explorer.search import explore
from pagelaw.model.reference.beside import failures
from pagelaw.proofs import mutants

SHOWN: dict[str, tuple[str, int, str]] = {
    # machine, steps, property
}
NOT_SHOWN: dict[str, str] = {
    # why
}
QUICK = ("SH-3", "LK-1", "PO-6", "RM-5")


@pytest.mark.parametrize(
    "identifier", [pytest.param(one, marks=() if one in QUICK else pytest.mark.deep) for one in SHOWN]
)
def test_a_fault_is_shown(identifier: str) -> None:
    machine, steps, broken = SHOWN[identifier]
    with mutants.apply(identifier):
        found = explore(MACHINES[machine], watch_paths=False).violation
        assert found is not None
        assert (len(found.run), found.property) == (steps, broken)


@pytest.mark.deep
@pytest.mark.parametrize("identifier", SHOWN)
def test_the_run_can_be_done_again(identifier: str) -> None:
    """On a plain machine each step is done, none but the last leaves anything false, and a false invariant is so."""
    machine, _, broken = SHOWN[identifier]
    with mutants.apply(identifier):
        small = MACHINES[machine]
        found = explore(small, watch_paths=False).violation
        assert found is not None
        plain = small.machine()
        for action, arguments in found.run[:-1]:
            action(plain, *arguments)
            assert not [entry.name for entry, _ in failures(plain, "invariant", "theorem")]
        if found.told.startswith(("failure", "refinement")):
            return
        for action, arguments in found.run[-1:]:
            action(plain, *arguments)
        assert broken in {entry.name for entry, _ in failures(plain, "invariant", "theorem")} or broken in TRANSITIONS


def test_every_fault_is_shown_or_it_is_said_why_not() -> None:
    assert set(SHOWN) | set(NOT_SHOWN) == set(mutants.names())
    assert not set(SHOWN) & set(NOT_SHOWN)
    assert len([one for one in SHOWN if not one.startswith(("ORD", "SYN"))]) >= 35
