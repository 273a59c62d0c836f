"""Random runs of the reference model: nothing is violated, the same seed gives the same run, a broken rule is found."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from pagelaw.model.reference.beside import Checked, Violation
from pagelaw.model.reference.printing import PrintedRun
from pagelaw.model.reference.random_runs import random_run
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec import balloon, frames, operations, paging, remapping, sharing, translation, zeroing
from pagelaw.spec.language import REGISTER
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, Alone, DataOf, Idle, Mapped, Page, Private, Same

READINGS = {
    "as taken": Sizes(),
    "a slot is kept while its page is clean": Sizes(keep_slot=True, minimum=0),
    "pages in shared frames are paged out": Sizes(swap_shared=True, keep_slot=True, frames=7),
    "the last sharer takes the frame over": Sizes(take_over=True, frames=8),
    "low pages make room": Sizes(displace=True, low_frames=2, remap_after=0),
    "low memory is kept for devices": Sizes(low_reserve=2, remap_after=0),
    "keys collide": Sizes(hash_bits=0, frames=9),
    "hints collide": Sizes(hash_bits=8, short_bits=0, values=3),
    "two domains": Sizes(domains=2, vms=3, pages=3, frames=13),
    "counts overflow": Sizes(count_top=1, minimum=0),
    "ballooned memory is taken back in blocks": Sizes(block=3, minimum=0),
    "pages leave without an attempt to share them": Sizes(share_first=False, minimum=0),
    "pages move for any reason": Sizes(migrate=True, low_reserve=1),
    "two pages share a frame at the most": Sizes(most_sharers=2, minimum=0, values=1),
    "any number of pages of zeros, and of others two": Sizes(most_sharers=2, zero_apart=True, minimum=0),
}

# Everything on, and little memory: what the broken rules below are looked for in.
BUSY = Sizes(
    keep_slot=True, swap_shared=True, take_over=True, displace=True, hash_bits=1, short_bits=1, minimum=0, frames=9,
    low_frames=4, remap_after=0,
)  # fmt: skip


@pytest.mark.parametrize("sizes", READINGS.values(), ids=READINGS.keys())
def test_nothing_is_violated_under_each_reading(sizes: Sizes) -> None:
    """20,000 steps; private memory is compared after each, every invariant is asked after each 100."""
    random_run(sizes, seed=1, steps=20_000, every=100)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_nothing_is_violated_with_all_readings_together(seed: int) -> None:
    random_run(BUSY, seed, steps=20_000, every=100)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(100, 120))
@pytest.mark.parametrize("sizes", READINGS.values(), ids=READINGS.keys())
def test_nothing_is_violated_in_long_runs(sizes: Sizes, seed: int) -> None:
    random_run(attrs.evolve(sizes, garbage=seed), seed, steps=100_000, every=50, operations=True)


def test_every_rule_is_done_and_refused_for_many_reasons() -> None:
    """Over one busy run, one without any of the optional readings, and one as some systems are: see `profiles`."""
    done: Counter[str] = Counter()
    reasons = set()
    few_frames = Sizes(minimum=2, hash_bits=0, domains=2, frames=8, block=2)
    few_users = Sizes(migrate=True, most_sharers=2, minimum=0, values=1)
    for sizes, steps in ((BUSY, 200_000), (few_frames, 200_000), (few_users, 50_000)):
        scheduler = Scheduler(machine(sizes), seed=11)
        scheduler.run(steps)
        done.update({rule.__name__: times for rule, times in scheduler.done.items()})
        reasons |= {reason for _, reason in scheduler.refused}
    assert [name for name in REGISTER["rule"] if done[name] < 5] == []
    assert len(reasons) > 45


def test_most_proposals_are_allowed() -> None:
    for sizes in READINGS.values():
        scheduler = Scheduler(machine(sizes), seed=3)
        scheduler.run(10_000)
        assert sum(scheduler.refused.values()) < 2_500, f"{sizes}\n{scheduler.reach()}"


# Determinism.

RUN = """
from pagelaw.model.reference.printing import PrintedRun, state_text
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
scheduler = Scheduler(machine(Sizes(keep_slot=True, domains=2)), seed={seed})
printed = PrintedRun(scheduler.machine)
scheduler.run(500, printed)
print(printed.text())
print(state_text(scheduler.machine))
print(scheduler.reach())
"""


def printed_in_a_process(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    script = [sys.executable, "-c", RUN.format(seed=seed)]
    return subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_same_seed_gives_the_same_printed_run_in_any_process() -> None:
    first = printed_in_a_process(11, "0")
    assert first.count("\n") > 1000
    assert printed_in_a_process(11, "12345") == first
    assert printed_in_a_process(12, "0") != first


def test_watching_a_run_does_not_change_it() -> None:
    runs = [Scheduler(machine(BUSY), seed=5) for _ in range(3)]
    runs[0].run(800)
    runs[1].run(800, Checked(runs[1].machine, invariants_every=200))
    runs[2].run(800, PrintedRun(runs[2].machine))
    assert runs[0].machine.written() == runs[1].machine.written() == runs[2].machine.written()
    assert runs[0].done == runs[1].done == runs[2].done


# Broken rules are found.


def yes(*_: Any) -> bool:
    return True


def nothing(*_: Any) -> None:
    pass


def compare_keys_only(s: Machine, page: Page) -> None:
    """Take equal keys for equal pages."""
    operation = s.operation[page]
    if isinstance(operation, Alone):
        s.operation[page] = Same(operation.target)
    else:
        compare(s, page)


def touch_uncleared(s: Machine, page: Page, new: MPN) -> None:
    """Give a page a frame as it is."""
    touch(s, page, new)
    s.operation[page] = Idle()
    s.pmap[page], s.frame[new], s.tag[new] = Mapped(new), Private(page), DataOf(page.vm)
    s.resident[page.vm] += 1


def raise_no_generation(s: Machine, page: Page) -> None:
    """Revoke, but let a fill in flight be installed."""
    generation = s.generation[page]
    revoke(s, page)
    s.generation[page] = generation


def drop_one_reference_too_many(s: Machine, mpn: MPN) -> None:
    drop_reference(s, mpn)
    if frames.reference_count(s, mpn) > 1:
        drop_reference(s, mpn)


compare, touch, revoke, drop_reference = sharing.compare, zeroing.touch, translation.revoke, frames.drop_reference


def runs(sizes: Sizes, seeds: int) -> None:
    """Some runs, one after the other."""
    for seed in range(seeds):
        random_run(sizes, seed, steps=10_000, every=50)


BROKEN: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "merge without waiting for the flushes": (sharing, "flushed", yes, "tlb_agrees_with_pmap|memory"),
    "free the old frame without waiting": (operations, "flushed", yes, "tlb_agrees_with_pmap|memory"),
    "copy without waiting": (remapping, "flushed", yes, "tlb_agrees_with_pmap|device_entry|memory"),
    "take equal keys for equal pages": (sharing, "compare", compare_keys_only, "what_was_done_still_holds"),
    "do not clear a new frame": (zeroing, "touch", touch_uncleared, "memory"),
    "let a fill in flight be installed": (sharing, "revoke", raise_no_generation, "current_fill_is_right|tlb_agrees"),
    "forget to revoke when a page is ballooned": (balloon, "revoke", nothing, "agrees_with_pmap|fill_is_right"),
    "forget to revoke when a page is paged out": (paging, "revoke", nothing, "agrees_with_pmap|fill_is_right"),
    "lose a reference": (operations, "drop_reference", drop_one_reference_too_many, "count_is_number_of_users"),
    "do not count a sharer": (sharing, "add_reference", nothing, "count_is_number_of_users"),
    "leave a slot in use": (paging, "drop_slot", nothing, "slot_count_is_number_of_users"),
}


@pytest.mark.parametrize(("module", "name", "broken", "found"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_is_found(
    module: Any, name: str, broken: Callable[..., Any], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a few runs; the message names what was broken, and shows the steps before."""
    monkeypatch.setattr(module, name, broken)
    with pytest.raises(Violation, match=found) as violation:
        runs(BUSY, seeds=6)
    told = str(violation.value)
    assert "at step" in told
    assert "machine: " in told


def test_a_violation_is_told_from_the_step_that_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the invariants were asked after each 1000 steps only."""
    monkeypatch.setattr(sharing, "add_reference", nothing)
    with pytest.raises(Violation) as violation:
        random_run(BUSY, seed=1, steps=5_000, every=1000)
    last_step = str(violation.value).split("\n\n")[1].splitlines()
    assert any("scan finds shared frame" in line for line in last_step[-8:]), str(violation.value)


def test_a_read_of_what_another_vm_wrote_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value is found when it is read, without any invariant."""
    monkeypatch.setattr(zeroing, "touch", touch_uncleared)
    scheduler = Scheduler(machine(attrs.evolve(BUSY, garbage=3)), seed=2)
    checked = Checked(scheduler.machine, invariants_every=0, theorems_every=0, since=10**9)
    with pytest.raises(Violation, match=r"load\(.*\) returned x1, private memory x0"):
        scheduler.run(50_000, checked)
