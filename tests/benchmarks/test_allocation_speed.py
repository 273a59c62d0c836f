"""The targets of a thousand VMs and a million pages, at once and with a heap, in one run.

    pytest tests/benchmarks/test_allocation_speed.py -m deep -s

Both are handed the same list of clients, and all that they make of it counts, in processor time. Building the list
(where numbers are checked) counts for neither; what it takes is printed.
"""

import sys
from fractions import Fraction
from random import Random
from time import process_time
from typing import Any

import pytest

from pagelaw.model.optimized.allocation import Client, targets

from .heap_peer import heap_targets

VMS, PAGES, TAX = 1000, 10**6, Fraction(3, 4)
ROUNDS = 10
GOAL = 100
"""All at once is at least so many times as fast as the heap (yardsticks)."""


def numbers(seed: int) -> list[tuple[int, int, int, Fraction]]:
    """VMs of a thousand to three thousand pages, twice what there is, with estimates of so many hundredths."""
    random = Random(seed)
    rows = []
    for _ in range(VMS):
        maximum = random.randint(1000, 3000)
        active = Fraction(random.randint(0, 100), 100) * maximum
        rows.append((random.randint(1, 1000), random.randint(0, 500), maximum, active))
    return rows


def clients(rows: list[tuple[int, int, int, Fraction]]) -> list[Client]:
    return [Client(*row) for row in rows]


def seconds(function: Any, *arguments: Any) -> tuple[float, Any]:
    """Processor time of a call, and what it returned."""
    started = process_time()
    returned = function(*arguments)
    return process_time() - started, returned


@pytest.mark.deep
def test_all_at_once_is_a_hundred_times_as_fast_as_a_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    """In turns, another list each time; the first call, which imports numpy, does not count."""
    targets(clients(numbers(0)), TAX, PAGES)
    heap = at_once = bare = building = 0.0
    taken = 0
    for seed in range(1, ROUNDS + 1):
        took, made = seconds(clients, numbers(seed))
        building += took
        took, peer = seconds(heap_targets, made, TAX, PAGES)
        heap += took
        took, ours = seconds(targets, made, TAX, PAGES)
        at_once += took
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "numpy", None)
            took, without_numpy = seconds(targets, made, TAX, PAGES)
            bare += took
        assert ours == without_numpy == peer
        taken += sum(one.maximum for one in made) - PAGES
    heap, at_once, bare, building = (one / ROUNDS for one in (heap, at_once, bare, building))
    print(f"\nheap {heap:.3f} s for {taken / ROUNDS:,.0f} pages taken; at once {1000 * at_once:.2f} ms, "
          f"{heap / at_once:.0f} times as fast; without numpy {1000 * bare:.2f} ms, {heap / bare:.0f} times; building "
          f"the clients {1000 * building:.2f} ms: if it counts for both, "
          f"{(heap + building) / (at_once + building):.0f} times")  # fmt: skip
    assert heap >= GOAL * at_once
