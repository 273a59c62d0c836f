"""What is true of the targets of any machine: the theorems of policy, asked of random machines, and their limits.

"Lower" is meant exactly: since of equal prices the first loses, no page is off at a tie.
"""

from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import Any

import attrs
import pytest

from pagelaw.model.optimized.allocation import Client, targets

from .allocation_cases import TAXES, Case, random_case

QUARTER_LEFT = Fraction(3, 4)


def at_once(case: Case) -> list[int]:
    return targets(case.clients, case.tax_rate, case.pages)


def machines(seed: int, number: int = 150) -> Iterator[tuple[Random, Case, list[int]]]:
    random = Random(seed)
    for _ in range(number):
        case = random_case(random, most_vms=8, most_pages=60)
        yield random, case, at_once(case)


def with_one(case: Case, vm: int, **changed: Any) -> Case:
    """The machine with one VM changed."""
    clients = list(case.clients)
    clients[vm] = attrs.evolve(clients[vm], **changed)
    return attrs.evolve(case, clients=clients)


def test_sums_and_bounds() -> None:
    """T1, T5, T15a: nothing is wasted, nobody is below its minimum or above its maximum."""
    for _, case, found in machines(1):
        assert sum(found) == case.pages
        assert all(one.minimum <= has <= one.maximum for one, has in zip(case.clients, found, strict=True))


def test_who_has_more_shares_or_more_active_pages_has_no_less_and_nobody_else_more() -> None:
    """T4."""
    changes = 0
    for random, case, found in machines(2):
        vm = random.randrange(len(case.clients))
        one = case.clients[vm]
        shares, active = one.shares + random.randint(1, 9), one.active + Fraction(random.randint(1, 90), 7)
        after = at_once(with_one(case, vm, **random.choice(({"shares": shares}, {"active": active}))))
        assert after[vm] >= found[vm]
        assert all(now <= has for other, (now, has) in enumerate(zip(after, found, strict=True)) if other != vm)
        changes += after != found
    assert changes > 30


def test_one_page_more_goes_to_one_vm() -> None:
    """T4, T10: the targets for one page less are these, less one page of one VM; so page by page is a semigroup."""
    for _, case, found in machines(3):
        if case.pages < sum(one.maximum for one in case.clients):
            more = at_once(attrs.evolve(case, pages=case.pages + 1))
            assert sorted(now - has for now, has in zip(more, found, strict=True)) == [0] * (len(found) - 1) + [1]


def test_one_vm_less_lowers_nobody() -> None:
    """T4."""
    for random, case, found in machines(4):
        gone = random.randrange(len(found))
        rest = [one for vm, one in enumerate(case.clients) if vm != gone]
        after = targets(rest, case.tax_rate, case.pages)
        assert all(now >= has for now, has in zip(after, found[:gone] + found[gone + 1 :], strict=True))


def test_the_unit_of_shares_does_not_count() -> None:
    for random, case, found in machines(5):
        times = random.choice((2, 7, 10**30))
        clients = [attrs.evolve(one, shares=one.shares * times) for one in case.clients]
        assert at_once(attrs.evolve(case, clients=clients)) == found


def test_active_pages_beyond_the_maximum_do_not_count() -> None:
    for random, case, _ in machines(6):
        vm = random.randrange(len(case.clients))
        full = with_one(case, vm, active=case.clients[vm].maximum)
        assert at_once(with_one(case, vm, active=case.clients[vm].maximum + random.randint(1, 99))) == at_once(full)


def test_the_tax_takes_no_more_than_its_part_of_the_idle_pages() -> None:
    """T18, D-02: against no tax a VM loses at most that fraction of its idle pages, to within one page."""
    taken = 0
    for _, case, found in machines(7, number=400):
        before = at_once(attrs.evolve(case, tax_rate=0))
        for one, had, has in zip(case.clients, before, found, strict=True):
            assert has > had - case.tax_rate * max(0, had - one.active) - 1
            taken += has < had
    assert taken > 100


def test_a_wrong_number_of_active_pages_helps_nobody() -> None:
    """T12: of whole active pages a VM has most if it tells the truth."""
    changes = 0
    for random, case, _ in machines(8, number=400):
        vm = random.randrange(len(case.clients))
        truth = int(case.clients[vm].active)
        lie = random.choice((0, Fraction(truth, 2), truth + 1, truth * 2, case.clients[vm].maximum))
        told, lied = (at_once(with_one(case, vm, active=active))[vm] for active in (truth, lie))
        assert min(lied, truth) <= min(told, truth)
        changes += lied != told
    assert changes > 50


def test_a_part_of_an_active_page_is_worth_a_lie() -> None:
    """T12 is false of fractions: half of the third page is active, and to have it at all it must be claimed whole."""
    other = Client(1, 0, 5, 5)
    assert targets([Client(1, 0, 5, Fraction(5, 2)), other], QUARTER_LEFT, 6) == [2, 4]
    assert targets([Client(1, 0, 5, 3), other], QUARTER_LEFT, 6) == [3, 3]


@pytest.mark.parametrize("tax_rate", [tax for tax in TAXES if Fraction(tax).denominator < 1000])
def test_an_idle_vm_is_left_with_its_part(tax_rate: Fraction) -> None:
    """T11: with equal shares 1 - τ times what the active one has; 20 to 80 at τ = 3/4."""
    left, whole = (1 - tax_rate).as_integer_ratio()
    pages = 60 * (left + whole)
    clients = [Client(1, 0, pages, 0), Client(1, 0, pages, pages)]
    assert targets(clients, tax_rate, pages) == [60 * left, 60 * whole]


def test_twenty_to_eighty() -> None:
    assert targets([Client(1, 0, 100, 0), Client(1, 0, 100, 100)], QUARTER_LEFT, 100) == [20, 80]


def test_three_fifths_of_the_idle_pages() -> None:
    """T18': with active pages fixed the tax takes 15 of 25 idle pages."""
    assert targets([Client(1, 0, 100, 25), Client(1, 0, 100, 100)], QUARTER_LEFT, 100) == [35, 65]


def test_more_than_the_share_rounded_up() -> None:
    """T9 is false: of 52 pages 43.91 are the third VM's due, and it has 45."""
    assert targets([Client(shares, 0, 52, 0) for shares in (4, 3, 38)], 0, 52) == [4, 3, 45]


def test_a_lie_about_idle_pages_pays_if_they_are_worth_something() -> None:
    """T13 is false: an idle VM has 20 pages, and 49 if it claims 145/3 to be active."""
    active = Client(1, 0, 100, 100)
    assert targets([Client(1, 0, 100, 0), active], QUARTER_LEFT, 100) == [20, 80]
    assert targets([Client(1, 0, 100, Fraction(145, 3)), active], QUARTER_LEFT, 100) == [49, 51]
