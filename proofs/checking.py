"""Proving many groups of obligations at once, and putting the results in order.

Every group is the work of one process; the longest go first. What was proved
before is not asked again: see `memory`. Results come in the order of the
specification whatever the number of processes. A solver is imported only if
something is left to prove.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import attrs

from .memory import Memory, Texts, sources
from .results import Done, Result, Settings, Trouble, remembered
from .solvers import Verdict

Progress = Callable[[Done, int, int], None]
"""Called after each group, with it and how many groups are done and are to be done."""


class WorkerLost(Exception):
    """A process ended before its work was done."""


@attrs.frozen
class Report:
    """The results of a run, in order."""

    results: tuple[Result, ...]
    troubles: tuple[Trouble, ...]

    def count(self, verdict: Verdict) -> int:
        """How many obligations have this verdict."""
        return sum(one.verdict is verdict for one in self.results)

    @property
    def remembered(self) -> int:
        """How many were not proved in this run because they were before."""
        return sum(one.remembered for one in self.results)

    @property
    def unproved(self) -> list[Result]:
        """All that is not proved: first what is refuted."""
        return sorted((one for one in self.results if one.verdict is not Verdict.PROVED),
                      key=lambda one: one.verdict is not Verdict.FAILED)


@attrs.define
class Run:
    """One run: which groups, how, and with what memory."""

    settings: Settings
    memory: Memory
    jobs: int
    fresh: bool = False
    done: dict[str, Done] = attrs.field(factory=dict)

    def check(self, names: Sequence[str] | None = None, progress: Progress | None = None) -> Report:
        """Prove the groups named, or all; a proof is kept as soon as its group is done."""
        if not self.fresh:
            self.settings = attrs.evolve(self.settings, proofs=self.memory.proofs)
        before = sources(self.settings.mutant)
        texts = self.memory.texts(before)
        everything = texts.order or all_groups()
        order = everything if names is None else names
        self.done = {} if self.fresh or self.settings.smt2 else dict(self._from_memory(order, texts))
        left = [name for name in order if name not in self.done]
        try:
            for done in self._prove(self._longest_first(left)):
                self.done[done.group] = done
                self.memory.remember(done.proofs)
                if progress is not None:
                    progress(done, len(self.done), len(order))
        finally:
            self.memory.save()
        self._keep(attrs.evolve(texts, order=everything), before, left)
        in_order = [self.done[name] for name in order]
        troubles = tuple(done.trouble for done in in_order if done.trouble is not None)
        return Report(tuple(result for done in in_order for result in done.results), troubles)

    def _from_memory(self, order: Sequence[str], texts: Texts) -> Iterator[tuple[str, Done]]:
        """The groups of which nothing is left to prove."""
        for name in order:
            wanted = [one for one in texts.groups.get(name, ()) if self.settings.wants(one.property, one.kind)]
            if name in texts.groups and not any(self.settings.unproved_by(one.text) for one in wanted):
                yield name, Done(name, tuple(remembered(name, one, self.settings) for one in wanted))

    def _keep(self, texts: Texts, before: str, proved: Sequence[str]) -> None:
        """Keep the texts if the sources stayed as they were meanwhile, and how long the groups took."""
        new = {name: known for name in proved if (known := self.done[name].known) is not None}
        if new and sources(self.settings.mutant) == before:
            self.memory.keep_texts(before, attrs.evolve(texts, groups={**texts.groups, **new}))
        asked = [self.done[name] for name in proved]
        self.memory.keep_durations({
            done.group: done.seconds for done in asked if not any(one.remembered for one in done.results)
        })

    def _longest_first(self, names: Iterable[str]) -> list[str]:
        durations = self.memory.durations()
        return sorted(names, key=lambda name: durations.get(name, float("inf")), reverse=True)

    def _prove(self, names: Sequence[str]) -> Iterator[Done]:
        """The groups as they are done."""
        jobs = min(self.jobs, len(names))
        if jobs <= 1:
            yield from self._one_by_one(names)
            return
        from .working import start, work

        pool = ProcessPoolExecutor(jobs, get_context("spawn"), start, (self.settings,))
        futures: list[Future[Done]] = []
        try:
            futures += [pool.submit(work, name) for name in names]
            for future in as_completed(futures):
                yield future.result()
            pool.shutdown()
        except BrokenProcessPool:
            left = sum(not one.done() or one.exception() is not None for one in futures)
            raise WorkerLost(f"a process ended before its work was done (no memory?); groups left: {left}") from None
        finally:
            _end(pool)

    def _one_by_one(self, names: Sequence[str]) -> Iterator[Done]:
        if names:
            from .working import Workshop

            with Workshop(self.settings) as workshop:
                for name in names:
                    yield workshop.group(name)


def all_groups() -> tuple[str, ...]:
    """The names of all groups."""
    from .groups import groups

    return tuple(groups())


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool at once, at whatever they are; those of a finished pool are gone already."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
