"""What is configured (sections 5.2 and 6.3): where thresholds and the tax rate come from.

By default the thresholds are 6, 4, 2 and 1 percent of machine memory. Later
servers let the first follow a sliding scale, and the others it. A server may
also let the tax follow how scarce memory is; what is proved of targets is
proved for every rate, so all that has to be shown of such a policy is that
its rate is one.
"""

from __future__ import annotations

from .language import Fraction, law, pick, ratio, view
from .machine import Machine


@view
def is_least_from(s: Machine, number: int, bound: Fraction) -> bool:
    """Whether a number is the least whole one that is not below a bound: fewer are below both or neither."""
    return number - 1 < bound <= number


@view
def percent(s: Machine, part: int) -> Fraction:
    """So many percent of machine memory, in frames (R-36)."""
    return ratio(part * s.total_frames, 100)


@view
def thresholds_are_percent(s: Machine) -> bool:
    """The thresholds are 6, 4, 2 and 1 percent of machine memory, as whole frames."""
    upper = is_least_from(s, s.high_threshold, percent(s, 6)) and is_least_from(s, s.soft_threshold, percent(s, 4))
    lower = is_least_from(s, s.hard_threshold, percent(s, 2)) and is_least_from(s, s.low_threshold, percent(s, 1))
    return upper and lower


@view
def part_between(s: Machine, begin: int, end: int) -> int:
    """Frames of machine memory from one place to another."""
    upper = pick(s.total_frames < end, s.total_frames, end)
    return pick(upper > begin, upper - begin, 0)


@view
def sliding_goal(s: Machine, gb: int) -> Fraction:
    """Frames to keep free on a sliding scale: 6 % of the first 4 GB, 4 % to 12, 2 % to 28, 1 % of what is above."""
    small, middle = part_between(s, 0, 4 * gb), part_between(s, 4 * gb, 12 * gb)
    large, huge = part_between(s, 12 * gb, 28 * gb), part_between(s, 28 * gb, s.total_frames)
    return ratio(6 * small + 4 * middle + 2 * large + huge, 100)


@view
def thresholds_slide(s: Machine, gb: int) -> bool:
    """The first threshold is that of the sliding scale, and the others are 64, 32 and 16 percent of it."""
    goal = sliding_goal(s, gb)
    upper = is_least_from(s, s.high_threshold, goal) and is_least_from(s, s.soft_threshold, ratio(64, 100) * goal)
    hard, low = ratio(32, 100) * goal, ratio(16, 100) * goal
    return upper and is_least_from(s, s.hard_threshold, hard) and is_least_from(s, s.low_threshold, low)


@view
def tax_by_scarcity(s: Machine, most: Fraction) -> Fraction:
    """A tax rate that is the greater the less memory is free: nothing if all is, and `most` if nothing is."""
    if s.total_frames <= 0:
        return most
    return most * (1 - ratio(s.free_seen, s.total_frames))


# What follows.


@law("ESX-6.3-05", "R-36")
def percents_make_thresholds(s: Machine) -> bool:
    """From 100 frames on thresholds in percent are in order, each above the next."""
    order = 0 <= s.low_threshold < s.hard_threshold < s.soft_threshold < s.high_threshold
    return s.total_frames < 100 or not thresholds_are_percent(s) or order


@law("ESX-6.3-05", "R-36")
def a_sliding_goal_is_between_one_and_six_percent(s: Machine, gb: int) -> bool:
    """On the sliding scale no less is kept free than 1 percent, and no more than 6."""
    return gb <= 0 or s.total_frames < 0 or percent(s, 1) <= sliding_goal(s, gb) <= percent(s, 6)


@law("ESX-6.3-05")
def a_sliding_scale_makes_thresholds(s: Machine, gb: int) -> bool:
    """If the sliding scale keeps 10 frames free or more, its thresholds are in order, each above the next."""
    order = 0 <= s.low_threshold < s.hard_threshold < s.soft_threshold < s.high_threshold
    return sliding_goal(s, gb) < 10 or not thresholds_slide(s, gb) or order


@law("ESX-5.2-06", "ESX-5.2-10")
def a_tax_by_scarcity_is_a_rate(s: Machine, most: Fraction) -> bool:
    """A tax that follows scarcity is never negative and never reaches 1."""
    inside = 0 <= tax_by_scarcity(s, most) <= most
    return not 0 <= s.free_seen <= s.total_frames or not 0 <= most < 1 or inside
