"""Checked random runs: the cheapest way to find a rule or an invariant that is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from .beside import Checked, Violation, check_operations
from .printing import PrintedRun, state_text
from .scheduler import TURNS, Scheduler
from .setup import Sizes, machine

SHOWN = 12
"""How many steps before a violation are shown."""


def random_run(
    sizes: Sizes, seed: int, steps: int, every: int = 100, turns: Mapping[str, int] = TURNS, operations: bool = False
) -> Scheduler:
    """A random run, checked: private memory after every step, every invariant after each `every` steps.

    Theorems, and with `operations` those in one piece against their steps, are asked at the end. A
    Violation says at which step of the run it was found and shows the steps before; the run is done once
    more for that, with everything asked of each of the last steps.
    """
    scheduler = Scheduler(machine(sizes), seed, turns)
    checked = Checked(scheduler.machine, invariants_every=every, theorems_every=0)
    try:
        scheduler.run(steps, checked)
        checked.check("invariant", "theorem")
        if operations:
            check_operations(scheduler.machine)
    except Violation as found:
        raise Violation(replay(sizes, seed, checked.steps + 1, every, turns, str(found))) from None
    return scheduler


def replay(sizes: Sizes, seed: int, steps: int, every: int, turns: Mapping[str, int], found: str) -> str:
    """What led to a violation that a run found in these steps: told from the first step that shows it."""
    scheduler = Scheduler(machine(sizes), seed, turns)
    since = max(steps - every, 0)
    checked = Checked(scheduler.machine, invariants_every=1, theorems_every=0, since=since)
    printed = PrintedRun(scheduler.machine, checked, since=since - SHOWN)
    try:
        scheduler.run(steps, printed)
    except Violation as first:
        found = str(first)
    shown = [number for number, line in enumerate(printed.lines) if line[:5].strip()][-SHOWN:]
    last = "\n".join(printed.lines[shown[0] :]) if shown else ""
    told = f"seed {seed}, {sizes}\nat step {printed.steps}: {found}"
    return f"{told}\n\n{last}\n\n{state_text(scheduler.machine)}"
