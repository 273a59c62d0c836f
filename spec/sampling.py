"""Sampling (section 5.3): how a touch of a chosen page comes to be counted.

A chosen page's translations are withdrawn. Once all have flushed, the next
touch, by a vCPU or a device, has to come through the server, which counts it,
once for each page. At the end of the period t is read, and the pages leave
the sample one by one. What is estimated from t: `estimators`.
"""

from __future__ import annotations

from .language import VM, Grade, assumption, choice, invariant, measure, pick, refuse, require, rule, transition
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
    require(not s.period_over[page.vm], Refused.PERIOD_OVER)
    require(s.drawn[page.vm] < s.sample_size[page.vm], Refused.SAMPLE_COMPLETE)
    s.sampled[page] = Drawn(False)
    s.drawn[page.vm] += 1
    revoke(s, page)


@rule("ESX-5.3-03", "ESX-5.3-07")
def end_sample(s: Machine, page: Page) -> None:
    """The period is over and t was read: the page leaves the sample; with the last one a new period begins."""
    require(s.period_over[page.vm], Refused.PERIOD_NOT_OVER)
    match s.sampled[page]:
        case Drawn(touched):
            s.touched[page.vm] -= pick(touched, 1, 0)
            s.sampled[page] = NotDrawn()
            s.drawn[page.vm] -= 1
            s.period_over[page.vm] = s.drawn[page.vm] > 0
        case _:
            refuse(Refused.NOT_SAMPLED)


# What always holds.


@assumption("ESX-5.3-04", "R-32")
def sample_size_makes_sense(s: Machine, vm: VM) -> bool:
    """A sample has a page at least, and no more than the VM."""
    return 0 < s.sample_size[vm] <= s.maximum[vm]


@measure("sampled")
def sampled_pages_touched(s: Machine, drawn: Sample, page: Page, vm: VM) -> int:
    """Pages of a VM's sample that were touched."""
    return pick(drawn == Drawn(True) and page.vm == vm, 1, 0)


@invariant("ESX-5.3-06", "ESX-5.3-07", "ESX-5.3-09")
def touches_are_counted(s: Machine, vm: VM) -> bool:
    """The count t is the number of pages of the sample that were touched: each counts once."""
    return s.touched[vm] == sampled_pages_touched(s, vm)


@measure("sampled")
def sampled_pages_untouched(s: Machine, drawn: Sample, page: Page, vm: VM) -> int:
    """Pages of a VM's sample that were not touched."""
    return pick(drawn == Drawn(False) and page.vm == vm, 1, 0)


@invariant("ESX-5.3-04", "ESX-5.3-09", "R-32")
def samples_are_counted(s: Machine, vm: VM) -> bool:
    """A sample has the pages that were touched and those that were not, and never more than n."""
    counted = sampled_pages_touched(s, vm) + sampled_pages_untouched(s, vm)
    return s.drawn[vm] == counted and s.drawn[vm] <= s.sample_size[vm]


@invariant("ESX-5.3-03")
def a_period_that_is_over_has_pages_left(s: Machine, vm: VM) -> bool:
    """As long as a period is over there are pages still to leave its sample: then the next one begins."""
    return not s.period_over[vm] or s.drawn[vm] > 0


@invariant("ESX-5.3-03")
def a_period_ends_with_its_vm(s: Machine, vm: VM) -> bool:
    """Of a VM that does not run no period is under way: what was drawn is leaving the sample, and counts no more."""
    return s.life[vm] == Running() or s.drawn[vm] == 0 or s.period_over[vm]


# What every step keeps.


@transition("ESX-5.3-05", "R-32")
def a_sampled_page_is_revoked(before: Machine, after: Machine, page: Page) -> bool:
    """A page comes into the sample of a running period untouched, and its translations are withdrawn in that step."""
    comes = before.sampled[page] == NotDrawn() and after.sampled[page] != NotDrawn()
    revoked = after.generation[page] == before.generation[page] + 1
    runs = before.life[page.vm] == Running() and not before.period_over[page.vm]
    return not comes or (after.sampled[page] == Drawn(False) and revoked and runs)


@transition("ESX-5.3-06")
def a_touch_is_not_forgotten(before: Machine, after: Machine, page: Page) -> bool:
    """A page that was touched stays so until it leaves the sample, and none leaves before the period is over."""
    leaves = before.sampled[page] != NotDrawn() and after.sampled[page] == NotDrawn()
    kept = before.sampled[page] != Drawn(True) or after.sampled[page] in (Drawn(True), NotDrawn())
    return kept and (not leaves or before.period_over[page.vm])
