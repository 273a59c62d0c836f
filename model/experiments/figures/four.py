"""Figure 4: what sharing saves with 1 to 10 identical VMs."""

from __future__ import annotations

from fractions import Fraction

import attrs

from ..run import GuestPlan, Plan
from ..workloads import FILES, SYSTEM, DriverStarts, InTurn, Reading, Workload, Zeroing, common, own
from .figure import Compared, Figure, How, Line, Panel, hundredths, told

SIZE, VMS, MINUTES = 40, 10, 30
ZERO = Fraction(11, 4)
"""Megabytes of zero pages of each VM: 55 % of the 5 MB that one VM alone saves."""
TWICE = Fraction(9, 4)
"""Megabytes that a VM has twice: the rest of these 5 MB."""
ALIKE = Fraction(67 * SIZE, 100) - ZERO - 2 * TWICE
"""Megabytes that all VMs have once, so that with the zero pages and what is there twice two thirds can be shared."""

ABOUT = f"""\
1 to {VMS} VMs of {SIZE} MB with room for all, {MINUTES} minutes each, pages scanned at random, 50 a second of a
VM and 200 in all (R-49). The sizes and times are the paper's. What is alike is not a result: each VM has
{float(ZERO)} MB of zero pages and {float(TWICE)} MB twice, which are the 5 MB that the paper's single VM saves,
and {float(ALIKE)} MB that all have, so that 67 % can be shared. What is measured is how much of that scanning,
hints and full comparison find in the time, and how it grows."""


def plan(how: How, vms: int) -> Plan:
    """The run with so many VMs."""

    def workload(number: int) -> Workload:
        zero, twice, alike = (sizes.pages(part) for part in (ZERO, TWICE, ALIKE))
        rest = sizes.pages(SIZE) - zero - 2 * twice - alike

        def holds(block: int) -> int:
            """The second of what is there twice is as the first."""
            return common(block if block - SYSTEM < alike + twice else block - twice)

        return InTurn(
            DriverStarts(), Zeroing(pages=zero),
            Reading(range(SYSTEM, SYSTEM + alike + 2 * twice), holds), Reading(range(FILES, FILES + rest), own(number)),
        )  # fmt: skip

    sizes = Plan(guests=(), memory=640, seconds=MINUTES * 60, scale=how.scale, seed=how.seed, every=60)
    guests = tuple(
        GuestPlan(name=f"Linux {number}", size=SIZE, minimum=SIZE // 2, shares=100, overhead=8,
                  workload=lambda number=number: workload(number))  # type: ignore[misc]
        for number in range(vms)
    )  # fmt: skip
    return attrs.evolve(sizes, guests=guests)


def part_of(line: list[int]) -> list[int]:
    """Hundredths of a percent of VM memory, for 1, 2, ... VMs."""
    return [round(Fraction(one * 100, SIZE * vms)) for vms, one in enumerate(line, 1)]


def replay(how: How) -> Figure:
    """Ten runs."""
    steps, at = 0, list(range(1, VMS + 1))
    shared: list[int] = []
    saved: list[int] = []
    zero: list[int] = []
    for vms in at:
        run = how.run(plan(how, vms))
        steps += run.server.steps
        for line, pages in ((shared, run.server.pages_sharing()), (saved, run.server.pages_saved()),
                            (zero, run.server.zero_pages_saved())):  # fmt: skip
            line.append(hundredths(pages, how.scale))
    between = [one - other for one, other in zip(shared[1:], saved[1:], strict=True)]
    return Figure(
        number=4, title="Identical VMs: what sharing saves", about=ABOUT,
        panels=(
            Panel(title="memory", across="VMs", up="MB", lines=(
                Line("VM memory", at, [SIZE * vms * 100 for vms in at]), Line("shared", at, shared),
                Line("reclaimed", at, saved), Line("of it, pages of zeros", at, zero),
            )),
            Panel(title="part of VM memory", across="VMs", up="%", lines=(
                Line("shared", at, part_of(shared)),
                Line("reclaimed", at, part_of(saved)),
            )),
        ),
        compared=(
            Compared(what="one VM: reclaimed", ours=told(saved[0]), paper="nearly 5 MB", sure="notes",
                     why="the contents allow 5 MB; the rest was not scanned twice yet"),
            Compared(what="one VM: part of it that are zero pages", ours=told(round(zero[0] * 10_000 / saved[0]), " %"),
                     paper="55 %", sure="notes"),
            Compared(what="ten VMs: shared", ours=told(part_of(shared)[-1], " %"), paper="nears 67 %", sure="notes",
                     why="the contents allow 67 %: all that is missing was not scanned yet"),
            Compared(what="ten VMs: reclaimed", ours=told(part_of(saved)[-1], " %"), paper="nearly 60 %", sure="notes",
                     why="shared memory, less one copy of what is alike"),
            Compared(what="shared - reclaimed, 2 to 10 VMs", ours=f"{told(min(between))} to {told(max(between))}",
                     paper="nearly constant", sure="memory-high", why="one copy of what is alike, whoever has it"),
        ),
        scale=how.scale, seed=how.seed, steps=steps, checked=how.checking is not None,
    )  # fmt: skip
