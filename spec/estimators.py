"""Estimates from samples (section 5.3): what fraction of its memory a VM is taken to use.

At the end of a period the touched fraction t/n moves two averages, a slow one
and a fast one. A third is the fast one with the counts of the unfinished
period, so that a VM that wakes up is seen at once. The estimate is the
greatest of the three: it rises quickly and falls slowly. It is kept until the
VM is looked at again (see `shares.review`).
"""

from __future__ import annotations

from .language import (
    VM,
    Fraction,
    assumption,
    enabled,
    invariant,
    leaves,
    pick,
    ratio,
    require,
    rule,
    theorem,
    transition,
    view,
)
from .machine import Machine
from .refusals import Refused
from .vocabulary import Running


@assumption("ESX-5.3-10", "R-35")
def gains_make_sense(s: Machine) -> bool:
    """The gains of the averages are above 0, at most 1, and the slow one's is smaller."""
    return 0 < s.slow_gain < s.fast_gain <= 1


@view
def touched_fraction(s: Machine, vm: VM) -> Fraction:
    """The fraction of the VM's sample that was touched so far: t/n."""
    return ratio(s.touched[vm], s.sample_size[vm])


def moved(average: Fraction, gain: Fraction, new: Fraction) -> Fraction:
    """An exponentially weighted average, moved towards a new value."""
    return average + gain * (new - average)


def greater(one: Fraction, other: Fraction) -> Fraction:
    """The greater of two numbers."""
    return pick(one < other, other, one)


@rule("ESX-5.3-03", "ESX-5.3-07", "ESX-5.3-10", "R-35")
def end_period(s: Machine, vm: VM) -> None:
    """The period is over: f = t/n moves both averages, and the sample may go."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(not s.period_over[vm], Refused.PERIOD_OVER)
    require(s.drawn[vm] == s.sample_size[vm], Refused.SAMPLE_INCOMPLETE)
    s.slow[vm] = moved(s.slow[vm], s.slow_gain, touched_fraction(s, vm))
    s.fast[vm] = moved(s.fast[vm], s.fast_gain, touched_fraction(s, vm))
    s.period_over[vm] = True


@view
def running_average(s: Machine, vm: VM) -> Fraction:
    """The fast average with the counts of the unfinished period; those of a finished one are in it already."""
    if s.period_over[vm]:
        return s.fast[vm]
    return moved(s.fast[vm], s.fast_gain, touched_fraction(s, vm))


@view
def greatest_average(s: Machine, vm: VM) -> Fraction:
    """The estimate that a VM's averages give now (ESX-5.3-12)."""
    return greater(greater(s.slow[vm], s.fast[vm]), running_average(s, vm))


def begin_estimates(s: Machine, vm: VM) -> None:
    """A VM that starts counts as active until it is measured (R-35)."""
    s.slow[vm] = ratio(1, 1)
    s.fast[vm] = ratio(1, 1)
    s.estimate[vm] = ratio(1, 1)


# What always holds.


@invariant("ESX-5.3-01", "ESX-5.3-10", "R-35")
def estimates_are_fractions(s: Machine, vm: VM) -> bool:
    """The averages and the estimate of a VM lie between 0 and 1."""
    averages = 0 <= s.slow[vm] <= 1 and 0 <= s.fast[vm] <= 1
    return averages and 0 <= s.estimate[vm] <= 1


# What every step keeps.


def moves_towards(before: Fraction, after: Fraction, new: Fraction) -> bool:
    """Whether a number came nearer to a new value from where it was, and not past it."""
    return before < after <= new or new <= after < before or before == after == new


@transition("ESX-5.3-07", "ESX-5.3-10")
def averages_move_towards_what_was_measured(before: Machine, after: Machine, vm: VM) -> bool:
    """The averages of a running VM move when a period with a whole sample ends, both, towards t/n and not past it."""
    if before.life[vm] != Running() or after.life[vm] != Running():
        return True
    if before.period_over[vm] or not after.period_over[vm]:
        return after.slow[vm] == before.slow[vm] and after.fast[vm] == before.fast[vm]
    new, complete = touched_fraction(before, vm), before.drawn[vm] == before.sample_size[vm]
    slow = moves_towards(before.slow[vm], after.slow[vm], new)
    return complete and slow and moves_towards(before.fast[vm], after.fast[vm], new)


@transition("ESX-5.3-10", "R-35")
def the_slow_average_is_slower(before: Machine, after: Machine, vm: VM) -> bool:
    """From the same value, the slow average of a running VM moves less far than the fast one."""
    together = before.slow[vm] == before.fast[vm] and before.life[vm] == Running()
    less = moves_towards(before.slow[vm], after.slow[vm], after.fast[vm]) and after.slow[vm] != after.fast[vm]
    return not together or after.fast[vm] == before.fast[vm] or less


@transition("ESX-5.3-11", "ESX-5.3-12")
def the_estimate_is_the_greatest_average(before: Machine, after: Machine, vm: VM) -> bool:
    """A running VM's new estimate is one of its three averages, and none of them is greater."""
    same = after.estimate[vm] == before.estimate[vm] or before.life[vm] != Running()
    slow, fast, running = after.slow[vm], after.fast[vm], running_average(after, vm)
    estimate = after.estimate[vm]
    return same or (estimate in (slow, fast, running) and slow <= estimate and fast <= estimate and running <= estimate)


@transition("ESX-5.3-10", "R-35")
def who_starts_is_taken_to_be_active(before: Machine, after: Machine, vm: VM) -> bool:
    """The estimate of a VM that does not run stays as it is; when it starts, its averages and estimate are 1."""
    if before.life[vm] == Running():
        return True
    if after.life[vm] == Running():
        return after.slow[vm] == 1 and after.fast[vm] == 1 and after.estimate[vm] == 1
    return after.estimate[vm] == before.estimate[vm]


# What follows.


@theorem("ESX-5.3-07", "R-32")
def the_fraction_is_of_the_sample(s: Machine, vm: VM) -> bool:
    """The touched fraction is of the sample: all of it touched is 1, and n times it is t."""
    return touched_fraction(s, vm) * s.sample_size[vm] == s.touched[vm]


@theorem("ESX-5.3-11", "R-35")
def the_running_average_is_what_the_fast_one_would_be(s: Machine, vm: VM) -> bool:
    """If the period ended now, the fast average would be what the running one is."""
    ended = leaves(end_period, s, vm, so_that=lambda after: after.fast[vm] == running_average(s, vm))
    return ended or not enabled(end_period, s, vm)
