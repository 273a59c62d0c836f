"""Batched runs: one seed gives thousands of checked steps on many small machines, in every mood."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from math import inf
from time import process_time
from typing import Any

import attrs

from ..reference.actors import Actors
from ..reference.beside import Violation
from ..reference.choosing import Proposal, Rule
from ..reference.paths import Recorder
from ..reference.scheduler import Scheduler
from ..reference.setup import Sizes, machine
from .checking import Incremental
from .failure import Failure
from .machines import MACHINES
from .moods import MOODS, Mood, actors_in
from .reach import Reach, survey

STEPS = 4000
"""Steps of a checked run."""
SURVEY_STEPS = 2000
"""Steps of a surveyed run."""
OPERATIONS_EVERY = 4
"""At the end of one run of so many, the operations are done in one piece and in steps."""
SURVEYED = 8
"""One run of so many is surveyed for the paths it takes, once all were taken; until then four of five."""
SURVEY_SEED = 500_000
"""Where the seeds of the surveyed runs begin."""


@attrs.define
class Batch:
    """Runs one after the other, and what they covered. The same seed gives the same runs.

    control_every: after how many steps everything is asked to control the check, beside the end of each run;
    0 for never.
    surveys: whether paths are counted.
    """

    seed: int = 0
    machines: Sequence[Sizes] = MACHINES
    moods: Sequence[Mood] = MOODS
    control_every: int = 0
    surveys: bool = True
    mutant: str | None = None
    """The fault that is switched on, if one is."""
    reach: Reach = attrs.field(factory=Reach)
    steps: int = 0
    """Steps done and checked."""
    runs: int = 0
    """Runs begun."""
    asked: int = 0
    """Questions asked."""
    checking_seconds: float = 0.0
    """Processor time of the checked runs."""
    _checks: dict[Sizes, Incremental] = attrs.field(factory=dict)
    _recorder: Recorder | None = None
    _checked_so_far: int = 0
    _surveyed_so_far: int = 0

    def run(self, seconds: float = inf, steps: int | None = None) -> Iterator[Failure | None]:
        """Run until the processor time or the number of checked steps is over; after each run the failure it found."""
        started = process_time()
        while process_time() - started < seconds and (steps is None or self.steps < steps):
            yield self.one_run()

    def one_run(self) -> Failure | None:
        """The next run; the failure that it found, not yet made minimal."""
        number, self.runs = self.runs, self.runs + 1
        surveyed = number % 5 > 0 if self.reach.missing_paths() else number % SURVEYED == 0
        if self.surveys and surveyed:
            self._survey()
            return None
        sizes, mood, seed = self._next(self._checked_so_far)
        self._checked_so_far += 1
        started, collects = process_time(), gc.isenabled()
        gc.disable()  # there is nothing in a run that needs it, and what is remembered is much to look through
        try:
            return self._checked(sizes, mood, seed)
        finally:
            self.checking_seconds += process_time() - started
            if collects:
                gc.enable()

    def _next(self, number: int) -> tuple[Sizes, Mood, int]:
        """The machine, the mood and the seed of a run: every mood on every machine in turn."""
        sizes = self.machines[number % len(self.machines)]
        mood = self.moods[(number + number // len(self.machines)) % len(self.moods)]
        return sizes, mood, self.seed * 1_000_003 + number

    def _survey(self) -> None:
        if self._recorder is None:
            self._recorder = Recorder()
        sizes, mood, seed = self._next(self._surveyed_so_far)
        self._surveyed_so_far += 1
        scheduler = Scheduler(machine(sizes), seed + SURVEY_SEED, mood.turns, actors_in(mood))
        survey(scheduler, self.reach, self._recorder, SURVEY_STEPS)

    def _checked(self, sizes: Sizes, mood: Mood, seed: int) -> Failure | None:
        done: list[Proposal] = []
        check: Incremental | None = None
        try:
            check = self._check(sizes)
            scheduler = Scheduler(check.machine, seed, mood.turns, actors_in(mood))
            asked = check.asked
            try:
                scheduler.run(STEPS, noting(check, done, scheduler.actors))
                check.control(operations=self._checked_so_far % OPERATIONS_EVERY == 0)
            finally:
                self.reach.add(scheduler)
                self.steps += check.steps
                self.asked += check.asked - asked
        except Violation as found:
            return Failure.of(sizes, done, found, self.mutant)
        return None

    def _check(self, sizes: Sizes) -> Incremental:
        known = self._checks.get(sizes)
        if known is None:
            known = self._checks[sizes] = Incremental(machine(sizes), self.control_every)
        else:
            known.restart()
        return known


Do = Callable[[Rule, tuple[Any, ...]], Any]


def noting(do: Do, done: list[Proposal], actors: Actors) -> Do:
    """Does steps and notes them; the one that is a violation is the last noted."""

    def step(rule: Rule, arguments: tuple[Any, ...]) -> None:
        given = actors.complete(rule, arguments)
        try:
            do(rule, given)
        except Violation:
            done.append((rule, given))
            raise
        done.append((rule, given))

    return step


__all__ = ["STEPS", "Batch", "noting"]
