"""Spin's count of the common problem is that of the rules themselves: every state, without symmetry or packing.

    pytest tests/benchmarks/test_spin_agrees.py -m deep

The search is as plain as it can be: a queue of machines, a copy for each operation, a set of what was seen. So it is
slow, and the problems are small; it shows that the model for Spin says what the rules say.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest

from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec import at_once as rows
from pagelaw.spec import balloon, paging, power, remapping, sharing, translation
from pagelaw.spec.language import VM, Blocked, Contents, Value, Word, require
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import finish_unmapping, frame_is_private, leave_old_frame
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import MPN, VCPU, Free, Mapped, Names, NotPresent, Page, Slot, VPage
from tests.benchmarks.spin_peer import Problem, count, missing

Action = tuple[Hashable, Callable[[Machine], None]]
"""What counts as one operation, and what it does."""

PROBLEMS = {
    "four frames": Problem(pages=1),
    "hints": Problem(pages=1, frames=2, hints=True),
    "hints and zones": Problem(pages=1, frames=2, hints=True, zones=True),
    "garbage": Problem(pages=1, frames=2, garbage=True),
    "two pages": Problem(pages=2, frames=2),
}


def start(problem: Problem) -> Machine:
    """Two running VMs with ready drivers; frames and slots hold zeros."""
    s = machine(
        Sizes(
            pages=problem.pages, vcpus=1, virtual_pages=1, frames=problem.frames,
            low_frames=problem.frames // 2 if problem.zones else problem.frames, slots=problem.slots, transfers=0,
            words=1, minimum=problem.pages - 1, overhead=0, count_top=65_535, remap_after=-1 if problem.zones else 0,
            swap_shared=True, displace=problem.zones,
        )
    )  # fmt: skip
    assert len({s.short[s.hash_of[contents]] for contents in s.ids[Contents]}) == 2
    for mpn in s.ids[MPN]:
        s.contents[mpn] = s.zero
    for slot in s.ids[Slot]:
        s.slot_contents[slot] = s.zero
    for vm in s.ids[VM]:
        power.power_vm_on(s, vm)
        balloon.start_driver(s, vm)
        balloon.reset_driver(s, vm)
        balloon.set_balloon_target(s, vm, problem.pages)
        paging.set_swap_target(s, vm, problem.pages)
    return s


# The operations that are not rows of `at_once` already.


def write(s: Machine, page: Page, value: Value) -> None:
    """The guest maps a page, writes it, and lets every translation go."""
    cpu, virtual = s.each(VCPU, page.vm)[0], s.each(VPage, page.vm)[0]
    translation.guest_changes_table(s, virtual, Names(page))
    translation.guest_invalidates(s, cpu, virtual)
    translation.read_for_fill(s, cpu, virtual)
    translation.install_fill(s, cpu)
    translation.set_dirty(s, cpu, virtual)
    translation.store(s, cpu, virtual, Word(0), value)
    translation.evict_tlb(s, cpu, virtual)
    translation.evict_shadow(s, virtual)
    translation.guest_changes_table(s, virtual, NotPresent())
    translation.guest_invalidates(s, cpu, virtual)


def mark_by_a_new_hint(s: Machine, page: Page, other: Page) -> None:
    """A hint is left just before it is found."""
    sharing.scan_leaves_hint(s, other)
    rows.mark_in_steps(s, page, other)


def inflate_by_a_page_without_frame(s: Machine, page: Page) -> None:
    """An untouched or swapped page is in the balloon at once."""
    require(not isinstance(s.pmap[page], Mapped), Refused.WRONG_STAGE)
    balloon.inflate(s, page)


def balloon_by_a_page_with_frame(s: Machine, page: Page) -> None:
    """One with a frame is unmapped first."""
    require(isinstance(s.pmap[page], Mapped), Refused.NOT_MAPPED)
    rows.balloon_in_steps(s, page)


def page_out(s: Machine, page: Page, slot: Slot) -> None:
    """A page of its own frame is tried for sharing first."""
    if frame_is_private(s, page):
        sharing.scan_before_paging_misses(s, page)
    rows.page_out_in_steps(s, page, slot, s.zero)


def page_out_to_copy(s: Machine, page: Page) -> None:
    """A page in a shared frame leaves for the copy there is."""
    paging.pick_for_paging(s, page)
    rows.all_flush(s, page)
    finish_unmapping(s, page)
    paging.page_out_to_copy(s, page)


def page_in(s: Machine, page: Page, new: MPN) -> None:
    """A page comes in for the one vCPU of its VM."""
    rows.page_in_in_steps(s, s.each(VCPU, page.vm)[0], page, new)


def move_up(s: Machine, page: Page, new: MPN, hot: Page) -> None:
    """A page in low memory makes room for a hot one."""
    remapping.move_to_high(s, page, hot, new)
    rows.all_flush(s, page)
    remapping.finish_protecting_move(s, page)
    sharing.copy(s, page)
    sharing.install_copy(s, page)
    rows.all_flush(s, page)
    leave_old_frame(s, page)


def actions(s: Machine, problem: Problem) -> Iterator[Action]:
    """Every operation with all its arguments. A page that only gives the reason does not make another operation."""
    pages, frames, slots, values = s.ids[Page], s.ids[MPN], s.ids[Slot], s.ids[Value]
    alone: list[Callable[..., None]] = [
        rows.share_in_steps, inflate_by_a_page_without_frame, balloon_by_a_page_with_frame, balloon.deflate,
        page_out_to_copy,
    ]  # fmt: skip
    with_frame: list[Callable[..., None]] = [rows.touch_in_steps, rows.break_in_steps, page_in]
    if problem.hints:
        alone += [sharing.scan_leaves_hint, sharing.remove_stale_hint]
    if problem.zones:
        with_frame.append(rows.move_in_steps)
    mark = rows.mark_in_steps if problem.hints else mark_by_a_new_hint
    everything: list[tuple[Callable[..., None], tuple[Any, ...], Any]] = [
        *((row, (page,), None) for row, page in product(alone, pages)),
        *((row, (page, new), None) for row, page, new in product(with_frame, pages, frames)),
        *((write, (page, value), None) for page, value in product(pages, values)),
        *((page_out, (page, slot), None) for page, slot in product(pages, slots)),
        *((mark, (page, other), other) for page, other in product(pages, pages)),
        *((paging.forget_copy_of_shared_frame, (mpn,), None) for mpn in frames),
    ]
    if problem.zones:
        everything += [(move_up, (page, new, hot), (page, new)) for page, new, hot in product(pages, frames, pages)]
    for row, arguments, what in everything:
        yield (row, arguments if what is None else what), partial(do, row, arguments)


def do(row: Callable[..., None], arguments: tuple[Any, ...], s: Machine) -> None:
    """Do it."""
    row(s, *arguments)


def told_apart(s: Machine, garbage: bool) -> Hashable:
    """What makes two states different: everything written, how often translations were revoked aside."""
    held = {name: frozenset(value.items()) if isinstance(value, dict) else value for name, value in s.written().items()}
    del held["generation"]
    if not garbage:
        for name in ("contents", "tag"):
            held[name] = tuple(getattr(s, name)[mpn] for mpn in s.ids[MPN] if s.frame[mpn] != Free())
        held["slot_contents"] = tuple(s.slot_contents[slot] for slot in s.ids[Slot] if s.slot_count[slot])
    return tuple(held.values())


def every_state(problem: Problem) -> tuple[int, int, int]:
    """How many states there are, operations in all of them, and levels below the first."""
    first = start(problem)
    possible = list(actions(first, problem))
    seen, level, done, depth = {told_apart(first, problem.garbage)}, [first], 0, -1
    while level:
        following = []
        for before in level:
            counted = set()
            for what, act in possible:
                after = before.copy()
                try:
                    act(after)
                except Blocked:
                    continue
                counted.add(what)
                state = told_apart(after, problem.garbage)
                if state not in seen:
                    seen.add(state)
                    following.append(after)
            done += len(counted)
        level, depth = following, depth + 1
    return len(seen), done, depth


@pytest.mark.deep
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_spin_counts_what_the_rules_do(problem: Problem) -> None:
    spin = count(problem)
    # Spin also counts how it comes to the first state.
    assert (spin.states, spin.transitions - 1, spin.depth) == every_state(problem)
