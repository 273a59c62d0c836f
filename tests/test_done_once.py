"""A step that is done refuses to be done again, unless its rule says why it may be: and then it may."""

import pytest

from pagelaw.proofs.small import INSTANCES, SmallTheory
from pagelaw.spec.language import REGISTER


@pytest.fixture(scope="module")
def theory() -> SmallTheory:
    return SmallTheory(INSTANCES["tiny"])


REPEATED = [name for name, entry in REGISTER["rule"].items() if entry.extra]


@pytest.mark.parametrize("name", REPEATED)
def test_a_rule_that_says_why_it_may_be_repeated_can_be(theory: SmallTheory, name: str) -> None:
    entry = REGISTER["rule"][name]
    arguments, paths = theory.paths(entry)
    twice = (
        theory.model(*path.conditions, theory.lift.attempt(entry.function, path.state, list(arguments.values()))[0])
        for path in paths
        if path.refused is None
    )
    assert any(model is not None for model in twice)
