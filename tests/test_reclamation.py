"""Reclamation states on a concrete machine: frames are taken and given back, and the state follows."""

from random import Random

import pytest

from pagelaw.model.reference.beside import check_everything
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec.language import VM, Blocked, enabled
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import abandon
from pagelaw.spec.power import power_vm_on
from pagelaw.spec.reclamation import follow_free_memory, frames_wanted, look_at_free_memory
from pagelaw.spec.refusals import Refused
from pagelaw.spec.shares import demand
from pagelaw.spec.vocabulary import MPN, Hard, High, Low, Page, Reclamation, Soft
from pagelaw.spec.zeroing import clear, install_cleared, touch

A = VM(0)
MARKS = Sizes(
    vms=1, pages=12, frames=12, slots=12, minimum=0, overhead=0,
    high_threshold=8, soft_threshold=6, hard_threshold=4, low_threshold=2, margin=1,
)  # fmt: skip


def running(sizes: Sizes = MARKS) -> Machine:
    s = machine(sizes)
    power_vm_on(s, A)
    return s


def have_free(s: Machine, frames: int) -> None:
    """Let so many frames be free: first touches take frames, and some that are under way are given up."""
    while s.free_frames != frames:
        if s.free_frames > frames:
            number = s.total_frames - s.free_frames
            touch(s, Page(A, number), MPN(number))
        else:
            abandon(s, Page(A, s.total_frames - s.free_frames - 1))


def follow(s: Machine) -> Reclamation:
    """The state after it has followed as far as it does for now."""
    if enabled(follow_free_memory, s):
        follow_free_memory(s)
    return s.reclamation


def states(s: Machine, *free: int) -> list[Reclamation]:
    """The state with each of these numbers of free frames, one after the other."""
    found = []
    for frames in free:
        have_free(s, frames)
        found.append(follow(s))
        check_everything(s)
    return found


def test_it_begins_high_and_goes_down_state_by_state_strictly_below_each_threshold() -> None:
    found = states(running(), 8, 7, 6, 5, 4, 3, 2, 1, 0)
    assert found == [High(), High(), High(), Soft(), Soft(), Hard(), Hard(), Low(), Low()]


def test_it_goes_up_state_by_state_past_the_threshold_above_and_the_margin() -> None:
    s = running()
    assert states(s, 0) == [Low()]
    found = states(s, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert found == [Low(), Low(), Low(), Low(), Hard(), Hard(), Soft(), Soft(), High()]


@pytest.mark.parametrize(("free", "state"), [(5, Soft()), (3, Hard()), (1, Low()), (0, Low())])
def test_it_goes_down_at_once_as_far_as_it_must(free: int, state: Reclamation) -> None:
    assert states(running(), free) == [state]


def test_it_goes_up_one_state_at_a_time_however_much_is_free() -> None:
    s = running()
    have_free(s, 0)
    follow(s)
    have_free(s, 12)
    assert [follow(s), follow(s), follow(s), follow(s)] == [Hard(), Soft(), High(), High()]


def test_a_frame_more_or_less_at_a_threshold_changes_nothing() -> None:
    s = running()
    have_free(s, 5)
    assert states(s, *[5, 6] * 5) == [Soft()] * 10
    have_free(s, 3)
    assert states(s, *[3, 4] * 5) == [Hard()] * 10
    assert states(s, 6, 7, *[6, 7] * 5) == [Hard()] + [Soft()] * 11


@pytest.mark.parametrize("seed", range(20))
def test_changes_are_bounded_by_how_far_free_memory_travels(seed: int) -> None:
    """Each border is crossed at most once, and once more each time free memory travels from one mark to the other."""
    s, random = running(), Random(seed)
    crossings, travelled, free = [0, 0, 0], 0, s.free_frames
    for _ in range(300):
        frames = min(12, max(0, free + random.choice([-3, -2, -1, 1, 2, 3])))
        travelled += abs(frames - free)
        free = frames
        have_free(s, free)
        before = depth_of(s.reclamation)
        after = depth_of(follow(s))
        for border in range(3):
            crossings[border] += (before > border) != (after > border)
    distance = MARKS.high_threshold + MARKS.margin - (MARKS.soft_threshold - 1)
    assert all(crossed <= 1 + travelled // distance for crossed in crossings)
    assert sum(crossings) > 10, "the walk is long enough to tell"


def depth_of(state: Reclamation) -> int:
    return [High(), Soft(), Hard(), Low()].index(state)


def test_refuse_to_follow_where_free_memory_calls_for_no_other_state() -> None:
    with pytest.raises(Blocked) as refused:
        follow_free_memory(running())
    assert refused.value.reason is Refused.STATE_STANDS


def test_policy_sees_what_was_free_when_it_looked_and_wants_what_is_missing_up_to_the_last_mark() -> None:
    s = running()
    assert (s.free_seen, frames_wanted(s)) == (12, 0)
    have_free(s, 4)
    assert (s.free_seen, frames_wanted(s)) == (12, 0)
    look_at_free_memory(s)
    assert (s.free_seen, frames_wanted(s)) == (4, 5)
    with pytest.raises(Blocked) as refused:
        look_at_free_memory(s)
    assert refused.value.reason is Refused.NOTHING_NEW


def test_the_state_does_not_wait_for_policy_to_look() -> None:
    s = running()
    have_free(s, 1)
    assert s.free_seen == 12
    assert follow(s) == Low()


def blocked() -> Machine:
    """A VM with 5 pages and more on the way, above its target, while memory is low."""
    s = running()
    have_free(s, 7)
    for number in range(5):
        clear(s, Page(A, number))
        install_cleared(s, Page(A, number))
    have_free(s, 1)
    assert (follow(s), s.resident[A], s.target[A]) == (Low(), 5, 0)
    return s


def refuses_a_frame(s: Machine) -> bool:
    """Whether the VM is refused a frame for a page that it touches, and for no other reason than that it is blocked."""
    try:
        touch(s.copy(), Page(A, 11), MPN(11))
    except Blocked as why:
        return why.reason is Refused.VM_BLOCKED
    return False


def test_a_vm_above_its_target_is_blocked_until_memory_is_low_no_more() -> None:
    s = blocked()
    assert refuses_a_frame(s)
    states(s, 4)
    assert (s.reclamation, refuses_a_frame(s)) == (Low(), True)
    states(s, 5)
    assert (s.reclamation, refuses_a_frame(s)) == (Hard(), False)


def test_a_vm_is_blocked_no_longer_than_it_is_above_its_target() -> None:
    s = blocked()
    for _ in range(4):
        demand(s, A)
    assert (s.target[A], refuses_a_frame(s)) == (4, True)
    demand(s, A)
    assert (s.target[A], refuses_a_frame(s)) == (5, False)
    check_everything(s)


@pytest.mark.parametrize("wrong", [
    {"low_threshold": -1}, {"low_threshold": 4}, {"hard_threshold": 6}, {"soft_threshold": 8},
    {"high_threshold": 6}, {"margin": -1},
])  # fmt: skip
def test_refuse_thresholds_out_of_order(wrong: dict[str, int]) -> None:
    sizes = {"high_threshold": 8, "soft_threshold": 6, "hard_threshold": 4, "low_threshold": 2, "margin": 1, **wrong}
    with pytest.raises(ValueError, match="thresholds are in order"):
        machine(Sizes(**sizes))  # type: ignore[arg-type]
