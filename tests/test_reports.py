"""What is reported of sharing, held against what the specification counts."""

import pytest

from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec import frames
from pagelaw.spec.frames import operations_holding, pages_mapped_to
from pagelaw.spec.machine import Machine
from pagelaw.spec.reclamation import saved_by_sharing
from pagelaw.spec.reports import frames_shared, pages_saved
from pagelaw.spec.vocabulary import MPN, Shared

SIZES = {
    "as taken": Sizes(minimum=0),
    "keys collide": Sizes(minimum=0, hash_bits=0, frames=9),
    "blocks": Sizes(minimum=0, block=3, values=1),
    "few users": Sizes(minimum=0, values=1, most_sharers=2, swap_shared=True),
}


def shared_frames(s: Machine) -> list[MPN]:
    """All of them."""
    return [mpn for mpn in s.each(MPN) if isinstance(s.frame[mpn], Shared)]


def frames_on_their_way(s: Machine) -> int:
    """Frames that are in use, and no page's yet or any more."""
    return frames.frames_vacated(s) + frames.frames_zeroing(s) + frames.frames_in_transit(s) + frames.frames_bounce(s)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_what_is_saved_is_what_policy_counts_but_for_frames_on_their_way(sizes: Sizes) -> None:
    """Policy takes pages and frames in use; here the users of each shared frame are added up."""
    scheduler = Scheduler(machine(sizes), seed=5)
    s, most = scheduler.machine, 0
    for _ in range(400):
        scheduler.run(25)
        by_policy = saved_by_sharing(s) - s.free_seen + s.free_frames
        on_their_way = frames_on_their_way(s) + sum(operations_holding(s, mpn) for mpn in shared_frames(s))
        left = sum(pages_mapped_to(s, mpn) + operations_holding(s, mpn) == 0 for mpn in shared_frames(s))
        assert pages_saved(s) == by_policy + on_their_way + left
        assert frames_shared(s) <= min(pages_saved(s), len(shared_frames(s)))
        most = max(most, pages_saved(s))
    assert most >= 2


def test_zeros_that_are_kept_apart_are_left_out() -> None:
    both = (Sizes(minimum=0, words=1, zero_apart=apart) for apart in (True, False))
    apart, counted = (Scheduler(machine(sizes), seed=5) for sizes in both)
    zeros = 0
    for _ in range(200):
        apart.run(25)
        counted.run(25)
        assert apart.machine.written() == counted.machine.written(), "without a limit nothing else differs"
        s = apart.machine
        users = [pages_mapped_to(s, mpn) + operations_holding(s, mpn)
                 for mpn in shared_frames(s) if s.contents[mpn] == s.zero]  # fmt: skip
        assert pages_saved(counted.machine) - pages_saved(s) == sum(max(one - 1, 0) for one in users)
        assert frames_shared(counted.machine) - frames_shared(s) == sum(one > 1 for one in users)
        zeros = max(zeros, *users, 0)
    assert zeros >= 2
