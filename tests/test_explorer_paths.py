"""Which paths of rules the machines take between them, of all that can be taken from the initial state."""

from pathlib import Path

import pytest

from pagelaw.model import reference
from pagelaw.model.explorer.gallery import MACHINES
from pagelaw.model.explorer.search import explore

NOT_REACHED = Path(__file__).parent / "not_explored.txt"


def expected() -> set[str]:
    """The paths that the reference can take."""
    text = (Path(reference.__file__).parent / "paths.txt").read_text()
    return {line for line in text.splitlines() if not line.startswith("#")}


@pytest.mark.deep
def test_the_paths_that_no_machine_takes_are_listed() -> None:
    """A machine that is added may take some of them: then they go from the list."""
    taken = set().union(*(explore(small, kinds=()).paths for small in MACHINES.values()))
    assert taken <= expected()
    listed = {line for line in NOT_REACHED.read_text().splitlines() if not line.startswith("#")}
    assert expected() - taken == listed
