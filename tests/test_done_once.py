"""A step that is done refuses to be done again, unless its rule says why it may be: and then it may."""

import pytest

from pagelaw.proofs.small import INSTANCES, SmallTheory
from pagelaw.spec.language import REGISTER


@pytest.fixture(scope="module")
def theories() -> list[SmallTheory]:
    return [SmallTheory(INSTANCES[name]) for name in ("tiny", "standard")]


REPEATED = [name for name, entry in REGISTER["rule"].items() if entry.extra]


@pytest.mark.parametrize("name", REPEATED)
def test_a_rule_that_says_why_it_may_be_repeated_can_be(theories: list[SmallTheory], name: str) -> None:
    """Some need a VM of more than one page."""
    assert any(can_be_done_twice(theory, name) for theory in theories)


def can_be_done_twice(theory: SmallTheory, name: str) -> bool:
    """Whether there is a machine on which a rule is done, and not refused when it is done again."""
    entry = REGISTER["rule"][name]
    arguments, paths = theory.paths(entry)
    twice = (
        theory.model(*path.conditions, theory.lift.attempt(entry.function, path.state, list(arguments.values()))[0])
        for path in paths
        if path.refused is None
    )
    return any(model is not None for model in twice)
