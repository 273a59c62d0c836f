"""Shares and the idle memory tax (sections 5.1 and 5.2): how many pages a VM is to have.

Every VM has a target. Targets share out all pages but those that policy sets
aside, so that memory can be free (`reclamation`). A VM that demands more gets it out of the pages that no
target has, or else a page is to be taken elsewhere: from the VM that pays
least for each of its pages, whoever that is (min-funding revocation). Here
that is said by the price of its pages, g = 1/ρ = (active + k · idle) / shares:
few shares for each page are a high price, and an idle page costs k = 1/(1-τ)
times as much as an active one. Prices are worked out whenever they are asked
for; the ones that are noted are for reports alone.
"""

from __future__ import annotations

from .estimators import greatest_average
from .language import (
    VM,
    Fraction,
    Grade,
    assumption,
    choice,
    enabled,
    invariant,
    leaves,
    measure,
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
from .vocabulary import Off, Running

# The price of a VM's pages.


@assumption("ESX-5.1-01", "R-30")
def shares_are_positive(s: Machine, vm: VM) -> bool:
    """Every VM has shares."""
    return s.shares[vm] > 0


@assumption("ESX-5.2-06", "ESX-5.2-11")
def tax_rate_is_below_one(s: Machine) -> bool:
    """The tax rate, the same for all VMs, is at least 0 and below 1."""
    return 0 <= s.tax_rate < 1


@view
def cost_of_idle_page(s: Machine) -> Fraction:
    """What an idle page costs if an active one costs 1: k (ESX-5.2-05)."""
    return ratio(1, 1 - s.tax_rate)


@view
def active_pages(s: Machine, vm: VM) -> Fraction:
    """Pages that a VM is taken to use: the estimate is a fraction of its size (R-26), and stays as pages go (R-27)."""
    return s.estimate[vm] * s.maximum[vm]


@view
def price_of(s: Machine, vm: VM, pages: int) -> Fraction:
    """What so many pages of a VM would cost for each of its shares: 1/ρ (ESX-5.2-04); 0 without pages (R-30)."""
    active = active_pages(s, vm)
    if pages <= active:
        return ratio(pages, s.shares[vm])
    return ratio(active + cost_of_idle_page(s) * (pages - active), s.shares[vm])


@view
def price(s: Machine, vm: VM) -> Fraction:
    """What the pages of a VM's target cost for each of its shares."""
    return price_of(s, vm, s.target[vm])


# Targets.


@rule("ESX-5.1-03", "ESX-5.1-04", "ESX-6.1-02", "R-29", again="a VM may demand one page after another")
def demand(s: Machine, vm: VM) -> None:
    """A VM demands one page more than its target."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.target[vm] < s.maximum[vm], Refused.AT_MAXIMUM)
    s.target[vm] += 1
    promise(s, 1)


@choice(Grade.OUR_READING, "ESX-5.1-05", "ESX-5.2-07", "R-28")
def may_be_revoked_from(s: Machine, vm: VM) -> bool:
    """Any VM that no VM above its minimum exceeds in price; the one that demanded the page too."""
    highest = price(s, vm)
    return s.each(VM).every(lambda other: s.target[other] <= s.minimum[other] or price(s, other) <= highest)


@rule("ESX-5.1-04", "ESX-5.1-05", "ESX-5.2-02", "ESX-5.2-04", "ESX-5.2-05", "ESX-5.2-07", "R-28", "R-29",
      again="one page after another is taken, all of the same VM as long as its price is the highest")
def revoke_page(s: Machine, vm: VM) -> None:
    """One page is taken from the target of a VM above its minimum whose pages have the highest price."""
    require(s.to_take > 0, Refused.NOTHING_TO_TAKE)
    require(s.target[vm] > s.minimum[vm], Refused.AT_MINIMUM)
    require(may_be_revoked_from(s, vm), Refused.OTHERS_FIRST)
    s.target[vm] -= 1
    s.to_take -= 1


@rule("ESX-5.3-11", "ESX-5.3-12", "ESX-6-01", "ESX-6.3-03", again="a VM may be looked at twice")
def review(s: Machine, vm: VM) -> None:
    """A VM is looked at, now and then: its estimate is taken anew; its target and price are noted for reports."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    s.estimate[vm] = greatest_average(s, vm)
    s.noted_target[vm] = s.target[vm]
    s.noted_price[vm] = price(s, vm)


def begin_target(s: Machine, vm: VM) -> None:
    """A VM that starts is to have its minimum, beside its overhead: what was set aside gives way (R-43)."""
    s.target[vm] = s.minimum[vm]
    promise(s, s.minimum[vm] + s.overhead[vm])
    set_pages_aside(s, what_minimums_leave(s, s.set_aside))


def end_target(s: Machine, vm: VM) -> None:
    """Of a VM that is off nothing is promised any more."""
    promise(s, 0 - s.target[vm] - s.overhead[vm])
    s.target[vm] = 0


@view
def what_minimums_leave(s: Machine, pages: int) -> int:
    """So many pages, but none that is reserved (R-43)."""
    room = s.total_frames - s.reserved_memory
    return pick(pages < room, pages, room)


def set_pages_aside(s: Machine, pages: int) -> None:
    """So many pages are kept out of targets."""
    promise(s, pages - s.set_aside)
    s.set_aside = pages


def promise(s: Machine, pages: int) -> None:
    """Pages are promised, or fewer than none given back: what is not spare is to be taken from targets."""
    left = s.spare - s.to_take - pages
    s.spare = pick(left > 0, left, 0)
    s.to_take = pick(left < 0, 0 - left, 0)


# What always holds.


@invariant("ESX-6.1-01", "ESX-6.1-02", "R-29")
def targets_are_within_bounds(s: Machine, vm: VM) -> bool:
    """A VM's target lies between its minimum and its size; that of a VM that is off is nothing."""
    if s.life[vm] == Off():
        return s.target[vm] == 0
    return s.minimum[vm] <= s.target[vm] <= s.maximum[vm]


@measure("target")
def pages_above_minimum(s: Machine, target: int, vm: VM) -> int:
    """Pages of targets that nobody reserved."""
    return pick(target > s.minimum[vm], target - s.minimum[vm], 0)


@invariant("ESX-5.1-04", "ESX-6.2-08", "R-29")
def targets_add_up(s: Machine) -> bool:
    """Reserved pages, those of targets beyond, spare ones and those set aside are all, and those still to be taken."""
    return s.reserved_memory + pages_above_minimum(s) + s.spare + s.set_aside == s.total_frames + s.to_take


@invariant("ESX-6.1-01", "R-43")
def what_is_set_aside_is_not_reserved(s: Machine) -> bool:
    """Pages that are set aside are beyond those that are reserved: minimums come first."""
    return s.reserved_memory + s.set_aside <= s.total_frames


@invariant("ESX-5.1-04", "ESX-6.2-08")
def nothing_is_spare_while_pages_are_to_be_taken(s: Machine) -> bool:
    """Neither the spare pages nor those to be taken are fewer than none, and there are never both."""
    return s.spare >= 0 and s.to_take >= 0 and (s.spare == 0 or s.to_take == 0)


# What every step keeps.


@transition("ESX-5.1-05", "ESX-5.1-06", "ESX-5.2-07", "R-28")
def a_page_is_taken_where_the_price_is_highest(before: Machine, after: Machine, vm: VM, other: VM) -> bool:
    """Unless it goes off, a VM's target falls only if no VM above its minimum has at that moment a higher price."""
    taken = after.target[vm] < before.target[vm] and after.life[vm] != Off()
    eligible = before.target[other] > before.minimum[other]
    return not (taken and eligible) or price(before, other) <= price(before, vm)


@transition("ESX-5.1-03", "ESX-5.1-04")
def a_target_rises_only_while_the_vm_runs(before: Machine, after: Machine, vm: VM) -> bool:
    """A target rises by one page, and only of a VM that runs; or to the minimum when it starts."""
    rises = after.target[vm] > before.target[vm]
    demanded = before.life[vm] == Running() and after.target[vm] == before.target[vm] + 1
    starts = before.life[vm] == Off() and after.life[vm] == Running() and after.target[vm] == after.minimum[vm]
    return not rises or demanded or starts


@transition("ESX-6.1-01", "R-43")
def what_is_set_aside_gives_way_to_minimums_only(before: Machine, after: Machine, vm: VM) -> bool:
    """When a VM starts, as much stays set aside as was, or all that is not reserved."""
    starts = before.life[vm] == Off() and after.life[vm] == Running()
    all_that_is_left = after.reserved_memory + after.set_aside == after.total_frames
    return not starts or after.set_aside == before.set_aside or all_that_is_left


@transition("ESX-6.3-03")
def what_is_noted_was_so_at_the_review(before: Machine, after: Machine, vm: VM) -> bool:
    """When a running VM's estimate is taken anew, its target and price of that moment are noted."""
    reviewed = after.estimate[vm] != before.estimate[vm] and before.life[vm] == Running()
    return not reviewed or (after.noted_target[vm] == after.target[vm] and after.noted_price[vm] == price(after, vm))


@transition("ESX-5.1-04", "R-28")
def each_page_taken_leaves_one_less_to_take(before: Machine, after: Machine, vm: VM) -> bool:
    """Unless it goes off, a VM's target falls by one page, and one page less is to be taken."""
    taken = after.target[vm] < before.target[vm] and after.life[vm] != Off()
    one = after.target[vm] == before.target[vm] - 1 and after.to_take == before.to_take - 1
    return not taken or one


@transition("ESX-5.1-05", "ESX-5.2-07")
def who_loses_a_page_has_a_lower_price(before: Machine, after: Machine, vm: VM) -> bool:
    """When a VM's target falls, so does the price of its pages."""
    falls = after.target[vm] < before.target[vm] and after.estimate[vm] == before.estimate[vm]
    return not falls or price(after, vm) < price(before, vm)


# What follows.


@theorem("ESX-5.3-11", "ESX-5.3-12")
def a_review_takes_the_estimate_anew(s: Machine, vm: VM) -> bool:
    """After a review the estimate is what the VM's averages give."""
    renewed = leaves(review, s, vm, so_that=lambda after: after.estimate[vm] == greatest_average(s, vm))
    return renewed or not enabled(review, s, vm)


@theorem("ESX-5.1-04", "ESX-6.1-01")
def somebody_has_what_is_to_be_taken(s: Machine) -> bool:
    """Targets have all that is to be taken above the minimums, so there is a VM to take the next page from."""
    somebody = s.each(VM).some(lambda vm: s.target[vm] > s.minimum[vm])
    return s.to_take <= pages_above_minimum(s) and (s.to_take == 0 or somebody)


@theorem("ESX-5.1-05", "ESX-5.2-07", "R-28")
def the_highest_price_above_the_minimum_can_be_taken_from(s: Machine, vm: VM) -> bool:
    """While pages are to be taken, any VM above its minimum can lose one if no other such VM has a higher price."""
    eligible = s.to_take > 0 and s.target[vm] > s.minimum[vm]
    higher = s.each(VM).some(lambda other: s.target[other] > s.minimum[other] and price(s, other) > price(s, vm))
    return not eligible or higher or enabled(revoke_page, s, vm)


@theorem("ESX-5.2-01", "ESX-5.2-05")
def an_idle_page_costs_no_less_than_an_active_one(s: Machine) -> bool:
    """An idle page costs no less than an active one, and more if there is a tax."""
    return cost_of_idle_page(s) >= 1 and (cost_of_idle_page(s) > 1 or s.tax_rate == 0)


@theorem("ESX-5.2-05", "ESX-5.2-06")
def the_tax_takes_its_part_of_an_idle_page(s: Machine) -> bool:
    """Of what an idle page costs the tax leaves as much as an active page costs."""
    return cost_of_idle_page(s) * (1 - s.tax_rate) == 1


@theorem("R-26", "R-27")
def a_vm_wholly_active_has_all_its_pages_active(s: Machine, vm: VM) -> bool:
    """A VM that is taken to use everything is taken to use its whole size, whatever its target is."""
    return s.estimate[vm] != 1 or active_pages(s, vm) == s.maximum[vm]


@theorem("R-26", "R-27")
def a_vm_half_active_has_half_its_pages_active(s: Machine, vm: VM) -> bool:
    """A VM that is taken to use half of its memory is taken to use half of its pages."""
    return 2 * s.estimate[vm] != 1 or 2 * active_pages(s, vm) == s.maximum[vm]


@theorem("ESX-5.1-05", "ESX-5.2-01", "ESX-5.2-02", "ESX-5.2-07")
def idle_pages_and_few_shares_make_a_price_high(s: Machine, vm: VM, other: VM) -> bool:
    """A VM with no fewer pages than another, no more of them active, and no more shares has no lower price."""
    idler = s.target[vm] >= s.target[other] and active_pages(s, vm) <= active_pages(s, other)
    return not (idler and s.shares[vm] <= s.shares[other]) or price(s, vm) >= price(s, other)


@theorem("ESX-5.2-08")
def without_a_tax_only_pages_and_shares_count(s: Machine, vm: VM) -> bool:
    """With a tax rate of 0 the price is pages for each share."""
    return s.tax_rate != 0 or price(s, vm) == ratio(s.target[vm], s.shares[vm])
