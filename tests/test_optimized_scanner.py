"""The scanner of the memory manager: at random, and never more than the rates allow."""

from collections import Counter
from fractions import Fraction

import numpy as np

from pagelaw.model.optimized.memory import Machine
from pagelaw.model.optimized.scanner import Scanner
from pagelaw.model.optimized.scanning import LEFT_HINT, MERGED, NOT_PRIVATE
from pagelaw.model.optimized.sharing import Memory


def running(vms: int = 3, pages: int = 400) -> Memory:
    """VMs whose pages are all as the page with the same number of another VM."""
    memory = Memory(Machine(pages=(pages,) * vms, frames=vms * pages, slots=0, minimum=(pages,) * vms, by_number=True))
    for vm in range(vms):
        memory.power_on(vm)
        memory.write_pages(vm, 0, np.arange(1, pages + 1, dtype=np.uint64))
    return memory


def test_no_more_than_the_rates_are_scanned() -> None:
    scanner = Scanner(running(), each=50, of_all=100)
    scanned = 0
    for turn in range(1, 41):
        scanned += sum(scanner.turn(Fraction(1, 8)).values())
        assert scanned <= Fraction(turn, 8) * 100
    assert scanned == 500
    assert sum(Scanner(running(vms=1), each=7, of_all=100).turn(Fraction(3)).values()) == 21


def test_a_vm_that_is_off_is_not_scanned() -> None:
    memory = running()
    memory.power_off(1)
    assert sum(Scanner(memory, each=50, of_all=1000).turn(Fraction(2)).values()) == 200


def test_the_same_seed_picks_the_same_and_another_seed_others() -> None:
    kept = []
    for seed in (1, 1, 2):
        memory = running()
        Scanner(memory, each=50, of_all=1000, seed=seed).turn(Fraction(2))
        kept.append(memory.state.pmap.tobytes())
    assert kept[0] == kept[1] != kept[2]


def test_in_time_everything_that_is_alike_is_shared() -> None:
    memory, seen = running(pages=50), Counter[int]()
    scanner = Scanner(memory, each=50, of_all=150)
    for _ in range(20):
        seen += scanner.turn(Fraction(1))
    assert memory.free_frames == 100
    assert seen[MERGED] == 100
    assert seen[LEFT_HINT] == 50


def test_pages_named_twice_are_scanned_once() -> None:
    pages = 1100
    memory = Memory(Machine(pages=(pages,), frames=pages, slots=0, minimum=(pages,)))
    memory.power_on(0)
    memory.write_pages(0, 0, np.ones(pages * 512, np.uint64))
    seen = Counter(memory.scan_all([*range(pages), *range(pages)]).tolist())
    assert seen == {LEFT_HINT: 1, MERGED: pages - 1, NOT_PRIVATE: pages}
    assert memory.free_frames == pages - 1
