"""The explorer and Spin on the common problem, in one run: the same states, in what part of the time.

    pytest tests/benchmarks/test_explorer_against_spin.py -m deep -s

Both count in processor time. Spin's is that of the search alone, without spin and gcc building it; ours is
everything from the empty explorer on.
"""

from time import process_time

import attrs
import pytest

from pagelaw.model.explorer.gallery import MACHINES
from pagelaw.model.explorer.search import explore

from .spin_peer import CannotCount, Problem, count

PROBLEMS = {"common": Problem(pages=2), "common-3": Problem(pages=3)}


@pytest.mark.deep
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_explorer_stands_for_all_states_that_spin_sees(name: str) -> None:
    started = process_time()
    bare = explore(MACHINES[name], watch_paths=False, kinds=())
    ours = process_time() - started
    started = process_time()
    asked = explore(MACHINES[name], watch_paths=False)
    with_questions = process_time() - started
    assert bare.complete
    assert attrs.evolve(asked, seconds=0, megabytes=0) == attrs.evolve(bare, seconds=0, megabytes=0)
    print(f"\n{name}: {bare.states:,} states stand for {bare.represented:,} ({bare.represented / bare.states:,.0f}x "
          f"fewer), {ours:.2f} s; with every invariant and theorem asked {with_questions:.2f} s")  # fmt: skip
    try:
        spin = count(PROBLEMS[name], time_limit=1500)
    except CannotCount as why:
        pytest.skip(str(why))
    print(f"spin: {spin.states:,} states, {spin.seconds:.2f} s, {spin.megabytes:,.0f} MB: {spin.seconds / ours:.1f} "
          f"times ours; {spin.seconds / with_questions:.1f} times ours with questions")  # fmt: skip
    assert bare.represented == spin.states
    assert bare.depth == spin.depth
