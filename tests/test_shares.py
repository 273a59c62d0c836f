"""Shares, the tax and estimates, run on maps: exact numbers, worked out by hand or from the paper's formula."""

from fractions import Fraction
from typing import Any

import attrs
import pytest

from pagelaw.model.reference.beside import Checked, check_everything
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec.estimators import end_period, greatest_average, running_average
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.paging import set_swap_target, swap_level
from pagelaw.spec.power import finish_power_off, power_vm_off, power_vm_on
from pagelaw.spec.refusals import Refused
from pagelaw.spec.sampling import end_sample, sample
from pagelaw.spec.shares import active_pages, cost_of_idle_page, demand, may_be_revoked_from, price, review, revoke_page
from pagelaw.spec.vocabulary import Drawn, NotDrawn, Page

A, B, C = VM(0), VM(1), VM(2)

TWO = Sizes(vms=2, pages=10, frames=12, minimum=1, overhead=1, sample_size=4, virtual_pages=1, slots=30)
"""Two VMs of 10 pages each with equal shares, on 12 frames of which 10 are for pages."""


def running(sizes: Sizes = TWO) -> Machine:
    """A machine with all its VMs on, each step of which is checked."""
    s = machine(sizes)
    for vm in s.ids[VM]:
        power_vm_on(s, vm)
    return s


def with_targets(s: Machine, *targets: int) -> Machine:
    """The VMs demand pages, one after another, until they have these targets; nothing has to be taken for that."""
    for vm, target in zip(s.ids[VM], targets, strict=True):
        while s.target[vm] < target:
            demand(s, vm)
    assert s.to_take == 0
    check_everything(s)
    return s


def refusal(rule: Any, s: Machine, *arguments: Any) -> Any:
    before = s.written()
    with pytest.raises(Blocked) as blocked:
        rule(s, *arguments)
    assert s.written() == before
    return blocked.value.reason


def victims(s: Machine) -> set[VM]:
    """Those whose page may be taken now."""
    return {vm for vm in s.ids[VM] if s.target[vm] > s.minimum[vm] and may_be_revoked_from(s, vm)}


def revoke_all(s: Machine) -> list[VM]:
    """Take until nothing is left to take, of equals from the first; say of whom."""
    taken = []
    while s.to_take:
        taken.append(min(victims(s), key=lambda vm: vm.number))
        revoke_page(s, taken[-1])
        check_everything(s, "invariant")
    return taken


# Prices.


def test_equal_shares_idle_and_active_at_three_quarters() -> None:
    """D-01: with τ = 3/4 an idle page costs four times an active one."""
    s = with_targets(running(), 5, 5)
    s.estimate[B] = Fraction(0)
    assert cost_of_idle_page(s) == 4
    assert [price(s, A), price(s, B)] == [5, 20]
    assert victims(s) == {B}


@pytest.mark.parametrize(("used", "cost"), [(1, 5), (Fraction(1, 2), 5), (Fraction(1, 4), Fraction(25, 2)), (0, 20)])
def test_the_price_is_the_papers_ratio_turned_over(used: Any, cost: Any) -> None:
    s = with_targets(running(), 5, 5)
    s.estimate[A] = Fraction(used)
    pages, shares = 5, 1
    active = min(Fraction(1), active_pages(s, A) / pages)
    rho = Fraction(shares) / (pages * (active + 4 * (1 - active)))
    assert price(s, A) == cost == 1 / rho


def test_without_a_tax_idle_pages_cost_the_same() -> None:
    s = with_targets(running(attrs.evolve(TWO, tax_rate=Fraction(0))), 5, 5)
    s.estimate[B] = Fraction(0)
    assert cost_of_idle_page(s) == 1
    assert price(s, A) == price(s, B) == 5
    assert victims(s) == {A, B}


def test_pages_per_share() -> None:
    s = with_targets(running(attrs.evolve(TWO, shares=(1, 2), tax_rate=Fraction(0))), 4, 6)
    assert [price(s, A), price(s, B)] == [4, 3]
    assert victims(s) == {A}


def test_a_vm_without_pages_has_no_price() -> None:
    s = machine(TWO)
    assert price(s, A) == 0


# Revocation.


@pytest.mark.parametrize(("first", "second"), [(A, B), (B, A)])
def test_a_tie_may_be_broken_either_way(first: VM, second: VM) -> None:
    """A third VM starts: two pages are to be taken, and after one of them there is no tie any more."""
    s = machine(attrs.evolve(TWO, vms=3))
    for vm in (A, B):
        power_vm_on(s, vm)
        while s.target[vm] < 5:
            demand(s, vm)
    power_vm_on(s, C)
    assert (s.spare, s.to_take) == (0, 2)
    assert victims(s) == {A, B}
    revoke_page(s, first)
    assert victims(s) == {second}
    revoke_page(s, second)
    assert (s.target[A], s.target[B], s.target[C], s.to_take) == (4, 4, 1, 0)
    check_everything(s)


def test_equal_shares_one_idle_one_active() -> None:
    """T11: the idle VM is left with 1/4 of what the active one has: 2 and 8 of 10 pages."""
    s = with_targets(running(), 5, 5)
    s.estimate[B] = Fraction(0)
    taken: list[VM] = []
    while s.target[A] < 10 and (not taken or taken[-1] == B):
        demand(s, A)
        taken += revoke_all(s)
    assert taken == [B, B, B, A]
    assert (s.target[A], s.target[B]) == (8, 2)


def test_equal_shares_without_a_tax_stay_even() -> None:
    """The idle VM keeps its half: memory moves to the one that uses it only by the tax."""
    s = with_targets(running(attrs.evolve(TWO, tax_rate=Fraction(0))), 5, 5)
    s.estimate[B] = Fraction(0)
    demand(s, A)
    assert revoke_all(s) == [A]


def test_page_by_page_is_not_a_batch() -> None:
    """T10': of targets 6 and 5 four pages are taken by turns; at the prices of the start all would be A's."""
    s = running(attrs.evolve(TWO, frames=9, tax_rate=Fraction(0), minimum=0))
    for vm, target in ((A, 6), (B, 5)):
        for _ in range(target):
            demand(s, vm)
    assert (s.spare, s.to_take) == (0, 4)
    assert revoke_all(s) == [A, A, B, A]
    assert (s.target[A], s.target[B]) == (3, 4)


def test_twice_the_shares_twice_the_pages() -> None:
    s = running(attrs.evolve(TWO, vms=3, shares=(1, 2, 1), frames=15, minimum=0))
    for _ in range(10):
        for vm in (A, B, C):
            demand(s, vm)
            revoke_all(s)
    assert [s.target[vm] for vm in (A, B, C)] == [3, 6, 3]


def test_nobody_goes_below_its_minimum_whatever_its_price() -> None:
    s = with_targets(running(attrs.evolve(TWO, minimum=4, shares=(1, 1000))), 5, 5)
    demand(s, B)
    assert revoke_all(s) == [A]
    demand(s, B)
    assert victims(s) == {B}
    assert refusal(revoke_page, s, A) == Refused.AT_MINIMUM
    assert revoke_all(s) == [B]


def test_each_refusal_of_a_revocation() -> None:
    s = with_targets(running(), 5, 5)
    assert refusal(revoke_page, s, A) == Refused.NOTHING_TO_TAKE
    demand(s, A)
    assert refusal(revoke_page, s, B) == Refused.OTHERS_FIRST
    s.target[A] = 10
    assert refusal(demand, s, A) == Refused.AT_MAXIMUM


def test_prices_noted_earlier_decide_nothing() -> None:
    """PO-2: A was active and B idle when they were looked at; now it is the other way round."""
    s = with_targets(running(), 5, 5)
    s.fast[B] = s.slow[B] = Fraction(0)
    for vm in (A, B):
        review(s, vm)
    assert [s.noted_price[A], s.noted_price[B]] == [5, 20]
    demand(s, A)
    s.estimate[A], s.estimate[B] = Fraction(0), Fraction(1)
    assert victims(s) == {A}


# Targets and the rest of the server.


def test_a_vm_that_starts_takes_its_minimum_from_the_others() -> None:
    s = machine(TWO)
    power_vm_on(s, A)
    for _ in range(9):
        demand(s, A)
    assert (s.target[A], s.spare, s.to_take) == (10, 1, 0)
    power_vm_on(s, B)
    assert (s.target[B], s.spare, s.to_take) == (1, 0, 1)
    assert revoke_all(s) == [A]
    check_everything(s)


def test_what_a_vm_had_is_spare_when_it_is_off() -> None:
    s = with_targets(running(), 5, 5)
    demand(s, A)
    power_vm_off(s, B)
    finish_power_off(s, B)
    assert (s.target[B], s.spare, s.to_take) == (0, 5, 0)
    check_everything(s)


def test_the_balloons_pages_need_not_be_paged() -> None:
    """SYN-7: of six pages to give up the balloon has two."""
    s = with_targets(running(), 4, 1)
    set_swap_target(s, A, 10)
    assert swap_level(s, A) == 6
    s.balloon_size[A] = 2
    assert swap_level(s, A) == 4
    set_swap_target(s, A, 3)
    assert swap_level(s, A) == 3
    s.balloon_size[A] = 8
    assert swap_level(s, A) < 0


# Estimates.


def period(s: Machine, vm: VM, touched: int) -> None:
    """A period in which so many pages of the sample are touched."""
    pages = s.each(Page, vm)[: s.sample_size[vm]]
    for page in pages:
        sample(s, page)
    for page in pages[:touched]:
        s.sampled[page] = Drawn(True)
        s.touched[vm] += 1
    end_period(s, vm)
    for page in pages:
        end_sample(s, page)


def test_averages_and_their_greatest() -> None:
    """Gains 1/8 and 1/2 from 1 on: all idle, all idle, then three of four touched in the running period."""
    s = running()
    period(s, A, 0)
    assert (s.slow[A], s.fast[A]) == (Fraction(7, 8), Fraction(1, 2))
    period(s, A, 0)
    assert (s.slow[A], s.fast[A]) == (Fraction(49, 64), Fraction(1, 4))
    assert running_average(s, A) == Fraction(1, 8)
    assert greatest_average(s, A) == Fraction(49, 64)
    s.slow[A] = Fraction(1, 16)
    assert greatest_average(s, A) == Fraction(1, 4)
    s.touched[A] = 3
    assert greatest_average(s, A) == running_average(s, A) == Fraction(1, 2)
    assert s.estimate[A] == 1
    review(s, A)
    assert s.estimate[A] == Fraction(1, 2)


def test_the_counts_of_a_finished_period_count_once() -> None:
    s = running()
    pages = s.each(Page, A)[:4]
    for page in pages:
        sample(s, page)
    assert refusal(sample, s, s.each(Page, A)[4]) == Refused.SAMPLE_COMPLETE
    assert refusal(end_sample, s, pages[0]) == Refused.PERIOD_NOT_OVER
    end_period(s, A)
    assert running_average(s, A) == s.fast[A] == Fraction(1, 2)
    assert refusal(end_period, s, A) == Refused.PERIOD_OVER
    assert refusal(sample, s, s.each(Page, A)[4]) == Refused.PERIOD_OVER
    for page in pages:
        end_sample(s, page)
    assert not s.period_over[A]
    assert refusal(end_period, s, A) == Refused.SAMPLE_INCOMPLETE


def test_a_vm_starts_unmeasured_and_its_unfinished_sample_counts_no_more() -> None:
    s = running()
    period(s, A, 0)
    review(s, A)
    page = Page(A, 0)
    sample(s, page)
    power_vm_off(s, A)
    assert s.period_over[A]
    end_sample(s, page)
    assert s.sampled[page] == NotDrawn()
    finish_power_off(s, A)
    power_vm_on(s, A)
    assert s.slow[A] == s.fast[A] == s.estimate[A] == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tax_rate": Fraction(1)}, "tax rate"),
        ({"tax_rate": Fraction(-1, 4)}, "tax rate"),
        ({"shares": (1, 0)}, "shares"),
        ({"sample_size": 0}, "sample"),
        ({"slow_gain": Fraction(0)}, "gains"),
        ({"fast_gain": Fraction(5, 4)}, "gains"),
    ],
)
def test_a_machine_with_impossible_parameters_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        machine(attrs.evolve(TWO, **wrong))


def test_a_run_is_checked() -> None:
    s = machine(TWO)
    do = Checked(s)
    for vm in (A, B):
        do(power_vm_on, (vm,))
    for _ in range(7):
        do(demand, (A,))
    do(review, (B,))
    assert s.noted_price[B] == 1
