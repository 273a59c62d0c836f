"""The targets of all VMs at once are those that the page-at-a-time rule leaves, whatever the guess was.

On small machines the rule itself is run. On larger ones a heap stands for it, which is held to the rule on the small.
"""

import sys
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagelaw.model.optimized import guess
from pagelaw.model.optimized.allocation import Client, level_to_try, scaled, targets
from pagelaw.model.optimized.levels import pages_below

from .allocation_cases import TAXES, Case, by_the_rule, random_case
from .benchmarks.heap_peer import heap_targets


def at_once(case: Case) -> list[int]:
    return targets(case.clients, case.tax_rate, case.pages)


def with_heap(case: Case) -> list[int]:
    return heap_targets(case.clients, Fraction(case.tax_rate), case.pages)


# Against the rule of the specification.


@pytest.mark.parametrize("seed", range(4))
def test_random_machines_against_the_rule(seed: int) -> None:
    """The heap, which stands for the rule where a machine is larger, is held to it here, too."""
    random = Random(seed)
    for _ in range(75):
        case = random_case(random, most_vms=5, most_pages=12)
        assert at_once(case) == by_the_rule(case) == with_heap(case), case


@st.composite
def cases(draw: st.DrawFn, most_vms: int = 4, most_pages: int = 9) -> Case:
    clients = []
    for _ in range(draw(st.integers(1, most_vms))):
        maximum = draw(st.integers(1, most_pages))
        active = draw(st.fractions(0, maximum, max_denominator=7))
        clients.append(Client(draw(st.integers(1, 5)), draw(st.integers(0, maximum)), maximum, active))
    least, most = sum(one.minimum for one in clients), sum(one.maximum for one in clients)
    tax_rate = draw(st.sampled_from(TAXES) | st.fractions(0, Fraction(30, 31), max_denominator=31))
    return Case(clients, tax_rate, draw(st.integers(least, most)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases())
def test_drawn_machines_against_the_rule(case: Case) -> None:
    assert at_once(case) == by_the_rule(case) == with_heap(case)


@pytest.mark.deep
@settings(max_examples=3000, deadline=None)
@given(cases(most_vms=6, most_pages=20))
def test_many_drawn_machines_against_the_rule(case: Case) -> None:
    assert at_once(case) == by_the_rule(case) == with_heap(case)


# Against the heap.


@pytest.mark.deep
def test_ten_thousand_random_machines_against_the_heap() -> None:
    random = Random(2002)
    unequal, taken = 0, 0
    for number in range(10_000):
        case = random_case(random, most_vms=40, most_pages=random.choice((10, 100, 400)))
        found = at_once(case)
        assert found == with_heap(case), (number, case)
        taken += sum(one.maximum for one in case.clients) - case.pages
        unequal += found not in ([one.minimum for one in case.clients], [one.maximum for one in case.clients])
    print(f"\n{taken:,} pages taken by the heap; in {unequal:,} of 10,000 neither all are minimums nor all maximums")
    assert unequal > 9_000


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.data())
def test_fractions_and_shares_of_any_size_against_the_heap(data: st.DataObject) -> None:
    """Few pages, but numbers that no machine word and no float holds."""
    numbers = st.integers(1, 10**40)
    clients = [
        Client(
            data.draw(numbers), 0, data.draw(st.integers(1, 20)),
            Fraction(data.draw(st.integers(0, 20)) * 10**40 + data.draw(numbers), data.draw(numbers | st.just(10**40))),
        )
        for _ in range(data.draw(st.integers(1, 4)))
    ]  # fmt: skip
    kept = data.draw(numbers)
    tax_rate = Fraction(data.draw(numbers), 10**40 + kept)
    case = Case(clients, tax_rate, data.draw(st.integers(0, sum(one.maximum for one in clients))))
    assert at_once(case) == with_heap(case)


def test_prices_that_no_float_tells_apart() -> None:
    """Shares 10^30 and one more: of the price of every page the second VM's is the lower, by a part in 10^30."""
    assert targets([Client(10**30, 0, 10, 10), Client(10**30 + 1, 0, 10, 10)], 0, 9) == [4, 5]
    assert targets([Client(10**30 + 1, 0, 10, 10), Client(10**30, 0, 10, 10)], 0, 9) == [5, 4]
    assert targets([Client(10**30, 0, 10, 10), Client(10**30, 0, 10, 10)], 0, 9) == [4, 5]


@pytest.mark.parametrize("scale", [10**12, 10**30, 10**400])
def test_as_many_pages_as_one_likes(scale: int) -> None:
    """D-01 at any size: of 10 parts the idle VM is left with 2, the active one with 8."""
    clients = [Client(10**30, 0, 10 * scale, 0), Client(10**30, 0, 10 * scale, 10 * scale)]
    assert targets(clients, Fraction(3, 4), 10 * scale) == [2 * scale, 8 * scale]


def test_estimates_with_long_denominators() -> None:
    """Half of the pages are to be had; what is left is stable: no page can move at a profit."""
    random = Random(7)
    clients = [
        Client(random.randint(1, 10**30), 0, 10**12, Fraction(random.randint(0, 10**60), random.randint(1, 10**48)))
        for _ in range(30)
    ]
    found = targets(clients, Fraction(10**20 - 1, 10**20), 15 * 10**12)
    assert sum(found) == 15 * 10**12
    assert_stable(clients, Fraction(10**20 - 1, 10**20), found)


def assert_stable(clients: list[Client], tax_rate: Fraction, found: list[int]) -> None:
    """Nobody's last page has a higher price than another's next one would have; of equals the first has lost."""

    def price(vm: int, pages: int) -> Fraction:
        active = clients[vm].active
        paid = pages if pages <= active else active + (pages - active) / (1 - tax_rate)
        return Fraction(paid) / clients[vm].shares

    last = [(price(vm, has), -vm) for vm, has in enumerate(found) if has > clients[vm].minimum]
    following = [(price(vm, has + 1), -vm) for vm, has in enumerate(found) if has < clients[vm].maximum]
    assert max(last) < min(following)


# The ends.


def test_without_vms_there_are_no_targets() -> None:
    assert targets([], 0, 0) == targets([], 0, 7) == []


def test_more_pages_than_all_maximums() -> None:
    clients = [Client(1, 0, 3, 0), Client(9, 2, 5, 1)]
    assert targets(clients, 0, 8) == targets(clients, 0, 9) == targets(clients, 0, 10**100) == [3, 5]


def test_just_the_minimums() -> None:
    assert targets([Client(1, 1, 3, 0), Client(9, 2, 5, 1), Client(1, 0, 0, 0)], Fraction(1, 2), 3) == [1, 2, 0]


# The guess.


@pytest.mark.parametrize(
    "spoiled", [None, 0.0, -1.0, 1e-300, 0.5, 17.0, 1e15, 1e300, float("inf"), float("-inf"), float("nan")], ids=str
)
def test_a_wrong_guess_changes_nothing(monkeypatch: pytest.MonkeyPatch, spoiled: float | None) -> None:
    guessed = []

    def wrong(*_: Any) -> float | None:
        guessed.append(spoiled)
        return spoiled

    monkeypatch.setattr(guess, "price_level", wrong)
    random = Random(11)
    for _ in range(60):
        case = random_case(random, most_vms=30, most_pages=100)
        assert at_once(case) == with_heap(case), case
    assert len(guessed) > 40


def test_without_numpy_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(12)
    some = [random_case(random, most_vms=30, most_pages=200) for _ in range(60)]
    with_numpy = [at_once(case) for case in some]
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert guess.price_level([1], [0], [9], [0.0], 4.0, 5) is None
    assert [at_once(case) for case in some] == with_numpy


def test_the_guess_is_good() -> None:
    """Of 200 VMs of up to 10,000 pages the level tried first pays for at most two pages for each VM too many."""
    random = Random(13)
    for _ in range(20):
        clients = [
            Client(random.randint(1, 1000), random.randint(0, 99), random.randint(100, 9999), random.randint(0, 9999))
            for _ in range(200)
        ]
        pages = sum(one.maximum for one in clients) // 2
        lines, bits = scaled(clients, Fraction(3, 4))
        level = level_to_try(clients, Fraction(3, 4), pages, bits)
        assert level is not None
        assert 0 <= sum(pages_below(line, level, bits) for line in lines) - pages <= 2 * len(clients)
