"""What each reclamation state does (sections 6 and 6.3): how targets are reached.

Policy takes no page itself. It asks the driver for a balloon of some size and
gives the swap daemon a level; both stop where a VM is at its target (R-09).
How much it asks for depends on the state. In high it asks for nothing more.
In soft it asks for balloons, and for paging only of a VM that it cannot
balloon; in hard and low for paging, and for no larger balloon (R-40). What a
balloon holds stays there in every state, as long as the target leaves it
there. That VMs above their target are blocked in low: `reclamation.is_blocked`.
"""

from __future__ import annotations

from .balloon import set_balloon_target
from .language import VM, enabled, leaves, pick, theorem, transition, view
from .machine import Machine
from .paging import may_lose_a_page, set_swap_target
from .power import memory_reserved_by_vms
from .reclamation import make_targets_follow, overhead_in_memory, pages_in_memory, pages_to_set_aside
from .shares import pages_above_minimum
from .vocabulary import Hard, High, Low, Ready, Running, Soft


@view
def pages_to_give_up(s: Machine, vm: VM) -> int:
    """Pages that a VM is not to have in memory: its size without its target."""
    return s.maximum[vm] - s.target[vm]


@view
def is_ballooned_now(s: Machine, vm: VM) -> bool:
    """Whether pages are to come from a VM's balloon: in the soft state, if its driver is ready (ESX-6.3-07)."""
    return s.reclamation == Soft() and s.driver[vm] == Ready()


@view
def is_paged_now(s: Machine, vm: VM) -> bool:
    """Whether they are to come from paging: in the hard and low states, in soft if there is no balloon to ask for."""
    return s.reclamation in (Hard(), Low()) or (s.reclamation == Soft() and s.driver[vm] != Ready())


@view
def balloon_level(s: Machine, vm: VM) -> int:
    """The balloon to ask for: what is to be given up, but no more than it holds unless it is to grow (R-09, R-40)."""
    level = pages_to_give_up(s, vm)
    return pick(is_ballooned_now(s, vm) or level < s.balloon_size[vm], level, s.balloon_size[vm])


@view
def paging_level(s: Machine, vm: VM) -> int:
    """The swap level to give: what the balloon leaves missing, if the VM is to be paged; else what is paged out."""
    missing = pages_to_give_up(s, vm) - s.balloon_size[vm]
    return pick(is_paged_now(s, vm) and missing > s.swapped[vm], missing, s.swapped[vm])


# What follows.


@theorem("ESX-6-02", "R-09")
def what_policy_asks_for_can_be_asked_for(s: Machine, vm: VM) -> bool:
    """Of a VM that runs policy's levels are levels: both can be asked for."""
    balloon, paging = balloon_level(s, vm), paging_level(s, vm)
    balloons = leaves(set_balloon_target, s, vm, balloon, so_that=lambda after: after.balloon_target[vm] == balloon)
    pages = leaves(set_swap_target, s, vm, paging, so_that=lambda after: after.swap_target[vm] == paging)
    return s.life[vm] != Running() or (balloons and pages)


@theorem("ESX-6.3-06", "R-42")
def in_high_nothing_is_reclaimed(s: Machine, vm: VM) -> bool:
    """In the high state policy asks for no larger balloon and no more paging, whatever the target is."""
    nothing = balloon_level(s, vm) <= s.balloon_size[vm] and paging_level(s, vm) <= s.swapped[vm]
    return s.reclamation != High() or nothing


@theorem("ESX-6.3-07")
def in_soft_balloons_come_first(s: Machine, vm: VM) -> bool:
    """In the soft state no VM whose driver is ready is asked for more paging, and no other for a larger balloon."""
    grows, pages = balloon_level(s, vm) > s.balloon_size[vm], paging_level(s, vm) > s.swapped[vm]
    ready = s.driver[vm] == Ready()
    return s.reclamation != Soft() or not ((ready and pages) or (not ready and grows))


@theorem("ESX-6.3-08", "ESX-6.3-09", "R-40")
def in_hard_and_low_pages_come_from_paging(s: Machine, vm: VM) -> bool:
    """In the hard and low states no balloon is to grow, whoever has a driver."""
    return s.reclamation not in (Hard(), Low()) or balloon_level(s, vm) <= s.balloon_size[vm]


@theorem("ESX-6-01", "ESX-6-02", "ESX-6.3-11", "R-09")
def who_gave_what_was_asked_for_is_at_its_target(s: Machine, vm: VM) -> bool:
    """Below high, a running VM that has given what policy asks for holds no more than its target."""
    given = s.balloon_size[vm] >= balloon_level(s, vm) and s.swapped[vm] >= paging_level(s, vm)
    asked = s.life[vm] == Running() and s.reclamation != High()
    return not (asked and given) or s.resident[vm] <= s.target[vm]


@theorem("ESX-6-02", "ESX-6.3-11")
def who_is_above_its_target_can_give_a_page(s: Machine, vm: VM) -> bool:
    """Below high, a running VM above its target can lose a page to the balloon or to paging, once that is asked for."""
    asked = s.life[vm] == Running() and s.reclamation != High() and s.resident[vm] > s.target[vm]
    wanted, level = balloon_level(s, vm), paging_level(s, vm)
    balloon = s.driver[vm] == Ready() and s.balloon_size[vm] < wanted and s.resident[vm] > s.minimum[vm]
    paging = leaves(set_swap_target, s, vm, level, so_that=lambda after: may_lose_a_page(after, vm))
    return not asked or balloon or paging


@theorem("ESX-6.3-11", "R-09", "R-40")
def nobody_is_asked_for_more_than_its_target_leaves(s: Machine, vm: VM) -> bool:
    """In every state policy asks for no balloon, nor for more paging beside it, than a VM is to give up."""
    give_up, paging = s.maximum[vm] - s.target[vm], paging_level(s, vm)
    return balloon_level(s, vm) <= give_up and (paging <= s.swapped[vm] or paging + s.balloon_size[vm] <= give_up)


@theorem("ESX-6.3-11", "R-25")
def what_is_shared_out_is_there(s: Machine) -> bool:
    """What targets are to share out, and the free memory wanted, is what is in memory and what is free, to the page."""
    wanted = s.high_threshold + s.margin
    there = pages_in_memory(s) + overhead_in_memory(s) + s.free_seen
    return s.total_frames - pages_to_set_aside(s) + wanted == there


@theorem("ESX-6.3-11", "R-43")
def targets_follow_as_far_as_minimums_leave(s: Machine) -> bool:
    """When targets follow, what is to be set aside is, or all that is not reserved if that is less."""
    wanted, room = pages_to_set_aside(s), s.total_frames - s.reserved_memory
    all_of_it = leaves(make_targets_follow, s, so_that=lambda after: after.set_aside == wanted)
    all_there_is = leaves(make_targets_follow, s, so_that=lambda after: after.set_aside == room)
    followed = (wanted <= room and all_of_it) or (wanted >= room and all_there_is)
    return not enabled(make_targets_follow, s) or followed


@theorem("ESX-6.3-11", "R-25", "R-38", "R-43", "R-44")
def at_their_targets_vms_leave_enough_free(s: Machine) -> bool:
    """If targets follow, nothing is to be taken and no VM is above its target, free memory is at its last mark.

    That targets follow means that minimums leave room for what is to be set aside.
    """
    follow = s.free_seen == s.free_frames and s.set_aside == pages_to_set_aside(s) and s.to_take == 0
    held, targets = pages_in_memory(s) + overhead_in_memory(s), memory_reserved_by_vms(s) + pages_above_minimum(s)
    at_target = s.each(VM).every(lambda vm: s.resident[vm] <= s.target[vm])
    enough = s.free_frames >= s.high_threshold + s.margin
    return not at_target or (held <= targets and (enough or not follow))


# What every step keeps.


@transition("ESX-6.3-11", "R-09")
def what_is_to_be_reclaimed_gets_less(before: Machine, after: Machine, vm: VM) -> bool:
    """Whenever a VM has more pages in the swap area than before, it has fewer in memory: reclaiming comes to an end."""
    return after.swapped[vm] <= before.swapped[vm] or after.resident[vm] < before.resident[vm]
