"""Sampling (section 5.3): how a touch of a chosen page comes to be counted.

A chosen page's translations are withdrawn, so that the next touch, by a vCPU
or a device, has to come through the server, which counts it once. What is
estimated from the counts is policy, and not here.
"""

from __future__ import annotations

from .language import VM, Grade, choice, require, rule, transition
from .machine import Machine
from .refusals import Refused
from .translation import revoke
from .vocabulary import (
    Page,
    Running,
)


@choice(Grade.PAPER_PERMITS, "ESX-5.3-04", "R-32", "R-33")
def may_be_sampled(s: Machine, page: Page) -> bool:
    """Any page may be in the sample, with or without a frame; none is in it twice."""
    return not s.sampled[page]


@rule("ESX-5.3-02", "ESX-5.3-05", "R-32", "R-33")
def sample(s: Machine, page: Page) -> None:
    """A page comes into the sample: its translations are withdrawn."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(may_be_sampled(s, page), Refused.ALREADY_SAMPLED)
    s.sampled[page] = True
    revoke(s, page)


@rule("ESX-5.3-07")
def end_sample(s: Machine, page: Page) -> None:
    """The period ends without a touch of this page."""
    require(s.sampled[page], Refused.NOT_SAMPLED)
    s.sampled[page] = False


@rule("ESX-5.3-03", "ESX-5.3-07")
def start_period(s: Machine, vm: VM) -> None:
    """A new period starts: the count of touches starts again from zero."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    s.touched[vm] = 0


@transition("ESX-5.3-06", "ESX-5.3-09")
def touches_are_counted_one_by_one(before: Machine, after: Machine, vm: VM) -> bool:
    """The count of touches grows by one at most in a step, and only starts again from zero."""
    return after.touched[vm] in (before.touched[vm], before.touched[vm] + 1, 0)


@transition("ESX-5.3-05", "R-32")
def a_page_is_sampled_once(before: Machine, after: Machine, page: Page) -> bool:
    """A page that comes into the sample was not in it, its VM runs, and its translations are withdrawn."""
    comes = after.sampled[page] and after.generation[page] != before.generation[page]
    return not comes or before.sampled[page] or before.life[page.vm] == Running()
