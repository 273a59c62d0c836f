"""A long random run of a system, judged as it goes, with its trace and how long both took."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol

import attrs

from ..oracle.capabilities import capabilities
from ..oracle.driving import Drawing, Failure, Run
from ..oracle.scene import Event
from .beside import Beside

WHAT = {
    "pages touched": ("install_cleared",),
    "merges": ("merge",),
    "copy-on-write breaks, and pages taken apart": ("break_sharing", "take_over_frame"),
    "page-outs": ("commit_page_out", "page_out_clean", "page_out_to_copy"),
    "page-ins": ("install_page_in",),
    "moves to another frame": ("move_to_low", "move_at_will"),
    "pages given to the balloon": ("inflate",),
}
"""What is told of a run, and the rules that count as that."""
TRIES = 20
"""Events that are drawn for one that is done: of a system that can do nearly nothing a run has to end, too."""


class Draws(Protocol):
    """What says which event comes next."""

    def beginning(self) -> list[Event]:
        """The first events."""

    def next(self) -> Event:
        """The next one."""


@attrs.frozen
class Ran:
    """What a run came to."""

    run: Run
    failure: Failure | None
    operations: int
    """Operations that were done."""
    internal: int
    """Events that the system did by itself, or was made to."""
    seconds: float
    """How long the run took, with judging."""
    working: float
    """Processor time that the judge took beside the run; 0 if it was part of it."""

    @property
    def verdict(self) -> str:
        """allowed; or how it failed."""
        return self.failure.how if self.failure is not None else "allowed"

    def counts(self) -> dict[str, int]:
        """How often what a person asks about happened, by the rules."""
        rules = self.run.judged.exercised
        return {what: sum(rules.get(name, 0) for name in names) for what, names in WHAT.items()}


def ran(
    system: Any, operations: int, seed: int, drawing: Callable[[Run, Random], Draws] = Drawing,
    told: Callable[[int], None] | None = None, judge: Beside | None = None,
) -> Ran:  # fmt: skip
    """So many operations of a system that has `start`, `reset` and `do`, unless something is not allowed before that.

    What the system does by itself meanwhile it says in `noticed`, if it has that: events for the trace.
    judge: one in another process, which suits what draws operations without asking its state.
    """
    run = Run(system, capabilities(system.start()), judge)
    draws = drawing(run, Random(seed))
    done: Counter[bool] = Counter()
    begun, failure, waiting = time.perf_counter(), None, draws.beginning()[::-1]
    for _ in range(TRIES * operations):
        if failure is not None or done[True] == operations:
            break
        event = waiting.pop() if waiting else draws.next()
        before = len(run.lines)
        failure = run.do(event)
        done["do" in event] += len(run.lines) > before
        for noticed in getattr(system, "noticed", ()) if failure is None else ():
            run.events.append(noticed)
            failure = failure or run.told(noticed, {})
            done[False] += 1
        if told is not None and done[True] % 100 == 0:
            told(done[True])
    failure = failure or run.end()
    seconds = time.perf_counter() - begun
    return Ran(run, failure, done[True], done[False], seconds, 0.0 if judge is None else judge.working)


def save_trace(run: Run, to: Path) -> None:
    """Write the trace, gzipped if the file's name ends so. OSError, if it cannot be written."""
    text = "".join(line + "\n" for line in run.lines).encode()
    to.write_bytes(gzip.compress(text, mtime=0) if to.suffix == ".gz" else text)
