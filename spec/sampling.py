"""Sampling (section 5.3): how a touch of a chosen page comes to be counted.

A chosen page's translations are withdrawn. Once all have flushed, the next
touch, by a vCPU or a device, has to come through the server, which counts it,
once for each page. At the end of the period t is read, and the pages leave
the sample one by one. What is estimated from t is policy, and not here.
"""

from __future__ import annotations

from .language import VM, Grade, choice, invariant, measure, pick, refuse, require, rule, transition
from .machine import Machine
from .refusals import Refused
from .translation import revoke
from .vocabulary import (
    Drawn,
    NotDrawn,
    Page,
    Running,
    Sample,
)


@choice(Grade.PAPER_PERMITS, "ESX-5.3-04", "R-32", "R-33")
def may_be_sampled(s: Machine, page: Page) -> bool:
    """Any page may be drawn, with or without a frame; none twice in a period."""
    return s.sampled[page] == NotDrawn()


@rule("ESX-5.3-02", "ESX-5.3-05", "R-32", "R-33")
def sample(s: Machine, page: Page) -> None:
    """A page comes into the sample: its translations are withdrawn."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(may_be_sampled(s, page), Refused.ALREADY_SAMPLED)
    s.sampled[page] = Drawn(False)
    revoke(s, page)


@rule("ESX-5.3-03", "ESX-5.3-07")
def end_sample(s: Machine, page: Page) -> None:
    """The period is over and t was read: the page leaves the sample, and t no longer counts it."""
    match s.sampled[page]:
        case Drawn(touched):
            s.touched[page.vm] -= pick(touched, 1, 0)
            s.sampled[page] = NotDrawn()
        case _:
            refuse(Refused.NOT_SAMPLED)


# What always holds.


@measure("sampled")
def sampled_pages_touched(s: Machine, drawn: Sample, page: Page, vm: VM) -> int:
    """Pages of a VM's sample that were touched."""
    return pick(drawn == Drawn(True) and page.vm == vm, 1, 0)


@invariant("ESX-5.3-06", "ESX-5.3-07", "ESX-5.3-09")
def touches_are_counted(s: Machine, vm: VM) -> bool:
    """The count t is the number of pages of the sample that were touched: each counts once."""
    return s.touched[vm] == sampled_pages_touched(s, vm)


# What every step keeps.


@transition("ESX-5.3-05", "R-32")
def a_sampled_page_is_revoked(before: Machine, after: Machine, page: Page) -> bool:
    """A page comes into the sample untouched, of a running VM, and its translations are withdrawn in that step."""
    comes = before.sampled[page] == NotDrawn() and after.sampled[page] != NotDrawn()
    revoked = after.generation[page] == before.generation[page] + 1
    return not comes or (after.sampled[page] == Drawn(False) and revoked and before.life[page.vm] == Running())


@transition("ESX-5.3-06")
def a_touch_is_not_forgotten(before: Machine, after: Machine, page: Page) -> bool:
    """A page that was touched stays so until it leaves the sample."""
    return before.sampled[page] != Drawn(True) or after.sampled[page] in (Drawn(True), NotDrawn())
