"""Reclamation states (section 6.3): how scarce memory is, and what follows from that.

The server is in one of four states, high, soft, hard and low, each with a
threshold of free frames. A state begins when fewer frames are free than its
own threshold, and is left upwards only when the threshold of the state above
is passed by a margin (R-37, R-38). So free memory has to travel from one mark
to the other between two changes of opposite direction: no chatter.

In the low state a VM above its target gets no memory. That balloons are to be
used in the soft state and the swap area in the hard one is for the daemons
that do it, and is not said here.

The state follows the exact number of free frames. What policy looks at when it
works out targets may lag behind: a target that is a little late is put right
the next time (ESX-6.3-03), a state that is late lets memory run out.
"""

from __future__ import annotations

from .frames import frames_free
from .language import VM, assumption, enabled, gets_done, measure, pick, require, rule, theorem, transition, view
from .machine import Machine
from .refusals import Refused
from .shares import set_pages_aside, what_minimums_leave
from .vocabulary import (
    MPN,
    VCPU,
    Free,
    Hard,
    High,
    Incoming,
    InTransit,
    Low,
    Moving,
    Page,
    Reclamation,
    Running,
    Soft,
    Zeroing,
)


@view
def depth(state: Reclamation) -> int:
    """How many states are above this one."""
    match state:
        case Soft():
            return 1
        case Hard():
            return 2
        case Low():
            return 3
    return 0


@view
def state_below_thresholds(s: Machine, free: int) -> Reclamation:
    """The lowest state below whose threshold free memory is; high if it is below none."""
    soft = pick(free < s.soft_threshold, Soft(), High())
    hard = pick(free < s.hard_threshold, Hard(), soft)
    return pick(free < s.low_threshold, Low(), hard)


@view
def state_to_be(s: Machine, free: int) -> Reclamation:
    """Down as far as free memory demands; up one state, and only from the upper mark of this one on (R-39)."""
    demanded = state_below_thresholds(s, free)
    if depth(demanded) > depth(s.reclamation):
        return demanded
    match s.reclamation:
        case Soft():
            return pick(free >= s.high_threshold + s.margin, High(), Soft())
        case Hard():
            return pick(free >= s.soft_threshold + s.margin, Soft(), Hard())
        case Low():
            return pick(free >= s.hard_threshold + s.margin, Hard(), Low())
    return High()


@rule("ESX-6.3-12", "ESX-6.3-13", "R-36", "R-37", "R-38", "R-39", again="upwards the state goes one at a time")
def follow_free_memory(s: Machine) -> None:
    """The state follows the number of free frames."""
    state = state_to_be(s, s.free_frames)
    require(state != s.reclamation, Refused.STATE_STANDS)
    s.reclamation = state


@rule("ESX-6.3-01", "ESX-6.3-02", "ESX-6.3-03")
def look_at_free_memory(s: Machine) -> None:
    """Policy looks how much is free: at every event that calls for new targets, and periodically; so at any time."""
    require(s.free_seen != s.free_frames, Refused.NOTHING_NEW)
    s.free_seen = s.free_frames


@view
def frames_wanted(s: Machine) -> int:
    """How many frames more policy wants free, by what it saw last (ESX-6.3-11, R-38)."""
    missing = s.high_threshold + s.margin - s.free_seen
    return pick(missing > 0, missing, 0)


@measure("resident")
def pages_in_memory(s: Machine, pages: int, vm: VM) -> int:
    """Pages that have a frame, each counted for itself though it shares its frame (R-25)."""
    return pick(pages > 0, pages, 0)


@measure("overhead_held")
def overhead_in_memory(s: Machine, frames: int, vm: VM) -> int:
    """Overhead frames of all VMs."""
    return pick(frames > 0, frames, 0)


@view
def saved_by_sharing(s: Machine) -> int:
    """Pages in memory beyond the frames that are in use, by what policy saw last; frames on their way are in use."""
    return pages_in_memory(s) + overhead_in_memory(s) + s.free_seen - s.total_frames


@view
def pages_to_set_aside(s: Machine) -> int:
    """So that free memory comes to its last mark: all up to there, but what sharing saves (ESX-6.3-11, R-38)."""
    return s.high_threshold + s.margin - saved_by_sharing(s)


@rule("ESX-6.3-01", "ESX-6.3-02", "ESX-6.3-03", "ESX-6.3-11", "R-25", "R-43")
def make_targets_follow(s: Machine) -> None:
    """Targets are to share out what leaves enough memory free, by what policy saw last, and sharing has saved."""
    pages = what_minimums_leave(s, pages_to_set_aside(s))
    require(s.set_aside != pages, Refused.NOTHING_NEW)
    set_pages_aside(s, pages)


@view
def is_blocked(s: Machine, vm: VM) -> bool:
    """In the low state a VM above its target gets no memory, exactly as long as both are so (ESX-6.3-10, R-41).

    It comes to a stop at the first page for which it would need a frame; that
    its vCPUs are not run until then is left to who schedules them.
    """
    return s.reclamation == Low() and s.resident[vm] > s.target[vm]


# What always holds.


@assumption("ESX-6.3-05", "R-37", "R-38")
def thresholds_make_sense(s: Machine) -> bool:
    """The thresholds are in order, each above the next, none is negative, nor is the margin."""
    return 0 <= s.low_threshold < s.hard_threshold < s.soft_threshold < s.high_threshold and s.margin >= 0


@theorem("ESX-6.3-05", "ESX-6.3-12")
def deeper_states_have_lower_thresholds(s: Machine) -> bool:
    """High, soft, hard and low lie one below the other, and so do their thresholds."""
    deeper = depth(High()) < depth(Soft()) < depth(Hard()) < depth(Low())
    soft, hard = threshold_of(s, Soft()), threshold_of(s, Hard())
    return deeper and threshold_of(s, High()) > soft > hard > threshold_of(s, Low())


@theorem("ESX-6.3-12", "R-39")
def scarcity_can_be_followed(s: Machine) -> bool:
    """With fewer frames free than a lower state's threshold, the state can go down, at once as far as it must."""
    demanded = state_below_thresholds(s, frames_free(s))
    return depth(demanded) <= depth(s.reclamation) or gets_done(follow_free_memory, s)


@theorem("ESX-6.3-13", "R-38")
def plenty_can_be_followed(s: Machine) -> bool:
    """A state can be left upwards as soon as the threshold of the state above is passed by the margin."""
    free = s.free_frames - s.margin
    match s.reclamation:
        case Soft():
            return free < s.high_threshold or enabled(follow_free_memory, s)
        case Hard():
            return free < s.soft_threshold or enabled(follow_free_memory, s)
        case Low():
            return free < s.hard_threshold or enabled(follow_free_memory, s)
    return True


@theorem("ESX-6.3-11", "R-38")
def policy_wants_what_is_missing(s: Machine) -> bool:
    """Policy wants no more frames than take free memory, as it saw it, to the last mark, and none if it is past it."""
    mark = s.high_threshold + s.margin
    if s.free_seen >= mark:
        return frames_wanted(s) == 0
    return s.free_seen + frames_wanted(s) == mark


@theorem("ESX-6.3-11", "R-38")
def policy_does_not_stop_half_way(s: Machine) -> bool:
    """While the state stays below high, policy that has seen what is free wants more: it aims past the last mark."""
    has_seen = s.free_seen == s.free_frames
    stays = state_to_be(s, s.free_frames) == s.reclamation
    return s.reclamation == High() or not (has_seen and stays) or frames_wanted(s) > 0


@theorem("ESX-6.3-09", "ESX-6.3-10", "R-41", "R-12")
def a_blocked_vm_can_be_paged(s: Machine, vm: VM) -> bool:
    """A running VM that is blocked holds more than its minimum, so that it can be paged until it is not."""
    return s.life[vm] != Running() or not is_blocked(s, vm) or s.resident[vm] > s.minimum[vm]


# What every step keeps.


@view
def threshold_of(s: Machine, state: Reclamation) -> int:
    """The threshold of a state."""
    match state:
        case Soft():
            return s.soft_threshold
        case Hard():
            return s.hard_threshold
        case Low():
            return s.low_threshold
    return s.high_threshold


@transition("ESX-6.3-12", "R-37", "R-39")
def state_goes_down_as_free_memory_demands(before: Machine, after: Machine) -> bool:
    """The state goes down only if fewer frames are free than its new threshold, and then to the lowest such state."""
    if depth(after.reclamation) <= depth(before.reclamation):
        return True
    free = frames_free(before)
    match after.reclamation:
        case Soft():
            return before.hard_threshold <= free < before.soft_threshold
        case Hard():
            return before.low_threshold <= free < before.hard_threshold
    return free < before.low_threshold


@transition("ESX-6.3-13", "R-37", "R-38", "R-39")
def state_goes_up_past_its_upper_mark(before: Machine, after: Machine) -> bool:
    """The state goes up only by one, and only if the threshold of the new state is passed by the margin."""
    steps_up = depth(before.reclamation) - depth(after.reclamation)
    enough = frames_free(before) >= threshold_of(before, after.reclamation) + before.margin
    return steps_up <= 0 or (steps_up == 1 and enough)


@transition("ESX-6.3-03")
def policy_sees_what_is_free(before: Machine, after: Machine) -> bool:
    """What policy sees of free memory may be late, but at the moment of looking it is true."""
    return after.free_seen in (before.free_seen, frames_free(before))


@transition("ESX-6.3-10", "R-41")
def a_blocked_vm_gets_no_frame(before: Machine, after: Machine, page: Page, cpu: VCPU, mpn: MPN) -> bool:
    """While memory is low no frame is taken for a page of a VM above its target, but to move the page."""
    taken = before.frame[mpn] == Free() and after.frame[mpn] in (Zeroing(page), InTransit(page), Incoming(cpu))
    of_page = cpu.vm == page.vm and after.operation[page] != Moving(mpn)
    blocked = before.reclamation == Low() and before.resident[page.vm] > before.target[page.vm]
    return not (taken and of_page and blocked)
