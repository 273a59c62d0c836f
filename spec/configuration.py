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


@law("ESX-6.3-05", "R-36")
def of_a_thousand_frames_sixty_are_the_first_threshold(s: Machine) -> bool:
    """Of 1,000 frames the thresholds in percent are 60, 40, 20 and 10."""
    upper, lower = s.high_threshold == 60 and s.soft_threshold == 40, s.hard_threshold == 20 and s.low_threshold == 10
    return s.total_frames != 1_000 or not thresholds_are_percent(s) or (upper and lower)


@law("ESX-6.3-05", "R-36")
def each_part_of_the_sliding_scale_counts(s: Machine, gb: int) -> bool:
    """Of 4, 12, 28 and 100 GB the sliding scale keeps 24, 56, 88 and 160 hundredths of a GB free."""
    size, goal = s.total_frames, 100 * sliding_goal(s, gb)
    small = (size != 4 * gb or goal == 24 * gb) and (size != 12 * gb or goal == 56 * gb)
    large = (size != 28 * gb or goal == 88 * gb) and (size != 100 * gb or goal == 160 * gb)
    return gb <= 0 or (small and large)


@law("ESX-5.2-06", "ESX-5.2-10")
def a_tax_by_scarcity_is_a_rate(s: Machine, most: Fraction) -> bool:
    """A tax that follows scarcity is never negative and never reaches 1."""
    inside = 0 <= tax_by_scarcity(s, most) <= most
    return not 0 <= s.free_seen <= s.total_frames or not 0 <= most < 1 or inside


@law("ESX-5.2-10")
def a_tax_by_scarcity_is_most_when_nothing_is_free(s: Machine, most: Fraction) -> bool:
    """A tax that follows scarcity is what it is at the most if nothing is free, and nothing if everything is."""
    nothing = s.free_seen != 0 or tax_by_scarcity(s, most) == most
    everything = s.free_seen != s.total_frames or s.total_frames <= 0 or tax_by_scarcity(s, most) == 0
    return nothing and everything


@law("ESX-5.2-10")
def a_tax_by_scarcity_falls_as_memory_gets_free(one: Machine, two: Machine, most: Fraction) -> bool:
    """With more memory free a tax that follows scarcity is no higher."""
    freer = one.free_seen <= two.free_seen and most >= 0
    return not freer or tax_by_scarcity(two, most) <= tax_by_scarcity(one, most)
