"""Judging all systematic mutants: in processes of their own, resumable, and counted.

A verdict is kept as soon as it is there, in a file of the folder `.pagelaw`
named after the digest of all sources that it depends on. A run that is
interrupted goes on where it was. Survivors that are accepted are listed, each
with the reason, in `survivors.toml`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.resources import files
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs

from ..checking import WorkerLost
from ..memory import FOLDER, sources
from ..working import begin_as_one_of_a_pool
from .gallery import get
from .judging import Fate, Judge, Judgement, Reach, in_phases
from .resting import Resting, resting
from .systematic import KINDS, kind_of, systematic

Progress = Callable[[Judgement, int, int], None]
"""Called after each mutant, with its verdict, how many are judged and how many there are."""

AT_A_TIME = 40
"""A process ends after the mutants of so many functions: the terms it has built stay in its memory."""


def judge_all(
    identifiers: Iterable[str] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    folder: Path | None = Path(FOLDER),
) -> list[Judgement]:
    """The verdicts on these mutants, or on all, in the order of `systematic`; those known are not worked out again."""
    wanted = list(systematic() if identifiers is None else identifiers)
    for identifier in wanted:
        get(identifier)  # an unknown one is an error before anything is done
    kept = Kept(folder)
    done = {name: one for name, one in kept.judgements().items() if name in wanted}
    for phase in in_phases(wanted):
        left = [one for one in phase if one not in done]
        if left:
            rests = kept.resting() if any(Reach.of(one).statements for one in left) else {}
            for judgement in _judged(left, rests, done, jobs):
                done[judgement.identifier] = judgement
                kept.add(judgement)
                if progress is not None:
                    progress(judgement, len(done), len(wanted))
    return [done[identifier] for identifier in systematic() if identifier in done]


def judge(identifier: str, folder: Path | None = Path(FOLDER)) -> Judgement:
    """The verdict on one mutant."""
    return judge_all([identifier], folder=folder)[0]


def _judged(
    identifiers: Sequence[str], rests: Resting, known: Mapping[str, Judgement], jobs: int
) -> Iterator[Judgement]:
    others = dict(known)
    if min(jobs, len(identifiers)) <= 1:
        judge = Judge(rests)
        for identifier in identifiers:
            yield judge.judge(identifier, others)
        return
    together = [list(some) for _, some in groupby(identifiers, lambda one: one.partition("/")[0])]
    at_a_time = AT_A_TIME * jobs
    for first in range(0, len(together), at_a_time):  # a pool does so many and ends; a new one goes on
        some = together[first : first + at_a_time]
        pool = ProcessPoolExecutor(min(jobs, len(some)), get_context("spawn"), _start, (rests, others))
        try:
            for future in as_completed([pool.submit(_work, of_one) for of_one in some]):
                yield from future.result()
            pool.shutdown()
        except BrokenProcessPool:
            raise WorkerLost("a process ended before its work was done (no memory?); what was judged is kept") from None
        finally:
            processes = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


_judge: Judge | None = None
_others: Mapping[str, Judgement] = {}


def _start(rests: Resting, others: Mapping[str, Judgement]) -> None:
    global _judge, _others
    begin_as_one_of_a_pool()
    _judge, _others = Judge(rests), others


def _work(identifiers: Sequence[str]) -> list[Judgement]:
    """The mutants of one function: what is lifted for one serves for the others."""
    assert _judge is not None
    return [_judge.judge(identifier, _others) for identifier in identifiers]


# What is kept.


class Kept:
    """The verdicts, and what rests on what, for the sources as they are; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._digest = digest_of_sources()[:32]

    def judgements(self) -> dict[str, Judgement]:
        """The verdicts so far; a line cut off by an interruption is passed over."""
        found: dict[str, Judgement] = {}
        for line in self._lines("judged"):
            try:
                entry = json.loads(line)
                entry |= {"verdict": Fate(entry["verdict"]), "means": tuple(entry["means"])}
                one = Judgement(**entry | {"suspects": tuple(entry["suspects"])})
            except (ValueError, TypeError, KeyError):
                continue
            found[one.identifier] = one
        return found

    def add(self, judgement: Judgement) -> None:
        """Keep a verdict."""
        if self.folder is not None:
            self._prepare()
            with self._path("judged").open("a", encoding="utf-8") as file:
                file.write(json.dumps(as_json(judgement)) + "\n")

    def resting(self) -> Resting:
        """What rests on which invariant; worked out once, which takes as long as a check of everything."""
        lines = self._lines("resting")
        try:
            known = json.loads(lines[0])
            return {name: frozenset((g, r, p, q) for g, r, p, q in places) for name, places in known.items()}
        except (IndexError, ValueError):
            found = resting()
        if self.folder is not None:
            self._prepare()
            text = json.dumps({name: sorted(places) for name, places in found.items()}) + "\n"
            new = self._path("resting").with_suffix(".new")
            new.write_text(text, encoding="utf-8")
            os.replace(new, self._path("resting"))
        return found

    def _lines(self, what: str) -> list[str]:
        path = self._path(what) if self.folder is not None else None
        return path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []

    def _path(self, what: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{what}-{self._digest}.jsonl"

    def _prepare(self) -> None:
        assert self.folder is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        ignored = self.folder / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")


def as_json(judgement: Judgement) -> dict[str, Any]:
    """A verdict's entry in a file of results."""
    return attrs.asdict(judgement) | {"verdict": judgement.verdict.value}


def digest_of_sources() -> str:
    """A digest of everything that a verdict depends on: not of the reasons given for survivors."""
    return sources(None, beside=("survivors.toml", "later.toml"))


# Survivors, and figures.


def accepted() -> dict[str, str]:
    """The survivors that are accepted, each with the reason."""
    text = files(__package__ or "").joinpath("survivors.toml").read_text(encoding="utf-8")
    return {identifier: entry["reason"] for identifier, entry in tomllib.loads(text).items()}


def unexplained(judgements: Iterable[Judgement]) -> list[str]:
    """What is wrong with the list of survivors: one that it lacks, or an entry whose mutant does not survive."""
    judged = {one.identifier: one for one in judgements}
    survive = {name for name, one in judged.items() if one.verdict is Fate.SURVIVOR}
    faults = [f"{name} survives without a reason" for name in judged if name in survive and name not in accepted()]
    for name, reason in accepted().items():
        if name not in systematic():
            faults.append(f"{name} has a reason, but there is no such mutant")
        elif name in judged and name not in survive:
            faults.append(f"{name} has a reason, but is {judged[name].verdict.value}")
        if not reason.strip():
            faults.append(f"{name} has an empty reason")
    return faults


def summary(judgements: Iterable[Judgement]) -> dict[str, Any]:
    """How many there are, of all kinds and of each, by verdict; and by which means they were killed."""
    judged = list(judgements)
    means = Counter(means for one in judged for means in one.means)
    return _counts(judged) | {
        "by_kind": {kind: _counts([one for one in judged if one.kind == kind]) for kind in KINDS},
        "by_means": dict(sorted(means.items())),
        "seconds": round(sum(one.seconds for one in judged), 1),
    }


def _counts(judged: Sequence[Judgement]) -> dict[str, Any]:
    by = Counter(one.verdict for one in judged)
    return {
        "total": len(judged),
        "killed": by[Fate.KILLED],
        "equivalent": by[Fate.EQUIVALENT],
        "survivors": by[Fate.SURVIVOR],
    }


__all__ = ["Fate", "Judgement", "accepted", "judge", "judge_all", "kind_of", "summary", "unexplained"]
