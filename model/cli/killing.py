"""Which check stops a mutant, by what property, in how many steps or seconds: one column for each means.

A column is a function from a mutant that is switched on to a `Kill`; to add
one, add it to `COLUMNS`. Each cell is worked out in a process of its own and
kept in the folder `.pagelaw`, under a digest of all sources, so that a run
that is interrupted goes on where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import attrs

from pagelaw.proofs.mutants import Mutant

LIMIT = 3.0
"""Seconds that z3 has for an obligation of a mutant. Those of the unchanged rules take a tenth of it."""
EXPLORING = 60.0
"""Seconds of processor time for one mutant; those of the generated runs are the `BUDGETS` of `model.runs.hunting`."""
MEGABYTES = 1024.0
AT_A_TIME = 20
"""A process ends after about so many cells: the terms it has built stay in its memory."""


@attrs.frozen
class Kill:
    """One cell: whether a means stopped a mutant, and how."""

    mutant: str
    column: str
    killed: bool
    property: str = ""
    steps: int = 0
    """Steps of the run that shows it; 0 where there is no run."""
    tried: int = 0
    """Steps done, or states seen, until it was found."""
    seconds: float = 0.0
    note: str = ""


Column = Callable[[Mutant], Kill]


def by_z3(mutant: Mutant) -> Kill:
    """The property named for the mutant is no longer proved of the rule named for it, for any size."""
    from pagelaw.proofs.by_z3 import Z3, Needs
    from pagelaw.proofs.groups import obligations_of
    from pagelaw.proofs.obligations import Theory
    from pagelaw.proofs.solvers import Verdict

    theory = Theory()
    group = {"theorem": "theorems", "law": "laws"}.get(mutant.shown_by, mutant.shown_by)
    asked = [one for one in obligations_of(theory, group_of(group)) if one.property == mutant.refused_by
             and one.rule == mutant.shown_by]  # fmt: skip
    answers = Z3(Needs.of(theory), LIMIT).prove(asked)
    not_proved = [answer for answer in answers if answer.verdict is not Verdict.PROVED]
    note = f"{len(not_proved)} of {len(asked)} obligations not proved"
    return Kill(mutant.identifier, "z3", bool(not_proved), mutant.refused_by if not_proved else "", note=note)


def group_of(name: str) -> str:
    """The group of obligations that holds those of a rule, an operation or the theorems."""
    from pagelaw.spec.language import REGISTER

    return "operations" if name in REGISTER["operation"] else name


def by_small_instance(mutant: Mutant) -> Kill:
    """A solver finds a small machine on which a step breaks the property, and Python, running the rule, agrees."""
    from pagelaw.proofs.claims import refute
    from pagelaw.proofs.counterexample import explain
    from pagelaw.spec.language import REGISTER

    if mutant.shown_by == "law":
        if refute(REGISTER["law"][mutant.refused_by]) is None:
            return Kill(mutant.identifier, "small", False, note="no small machines found")
        return Kill(mutant.identifier, "small", True, mutant.refused_by, note="two small machines")
    found = explain(mutant.shown_by, None, mutant.refused_by)
    if found is None or not found.replayed():
        told = "no small machine found" if found is None else "not replayed"
        return Kill(mutant.identifier, "small", False, note=told)
    return Kill(mutant.identifier, "small", True, mutant.refused_by, steps=1 if found.step() else 0,
                note=f"instance {found.instance}")  # fmt: skip


def by_explorer(mutant: Mutant) -> Kill:
    """The explorer finds a run from the initial state of a small machine to a violation, a shortest one."""
    from pagelaw.model.explorer.gallery import machines_for
    from pagelaw.model.explorer.search import explore

    began, states = process_time(), 0
    for small in machines_for(mutant.functions):
        left = EXPLORING - (process_time() - began)
        if left <= 0:
            break
        found = explore(small, megabytes=MEGABYTES, seconds=left, watch_paths=False)
        states += found.states
        if found.violation is not None:
            return Kill(mutant.identifier, "explorer", True, found.violation.property, len(found.violation.run), states,
                        note=f"machine {small.name}")  # fmt: skip
    return Kill(mutant.identifier, "explorer", False, tried=states)


def by_stepwise_runs(mutant: Mutant) -> Kill:
    """Hypothesis finds a run."""
    return hunted(mutant, "stepwise")


def by_batched_runs(mutant: Mutant) -> Kill:
    """Seeded batches find a run."""
    return hunted(mutant, "batched")


def hunted(mutant: Mutant, mode: str) -> Kill:
    """A random run to a violation."""
    from pagelaw.model.runs.hunting import BUDGETS, hunt

    found = hunt(mutant.identifier, mode, BUDGETS[mode])
    if found is None:
        return Kill(mutant.identifier, mode, False)
    return Kill(mutant.identifier, mode, True, found.broken, found.length, found.steps)


def by_judge(mutant: Mutant) -> Kill:
    """Run as an implementation, step by step and at random, it does what the judge, in a process of its own without the
    fault, forbids."""
    from pagelaw.model.cli.judging import judged_runs

    return judged_runs(mutant)


COLUMNS: dict[str, Column] = {
    "z3": by_z3, "small": by_small_instance, "explorer": by_explorer, "stepwise": by_stepwise_runs,
    "batched": by_batched_runs, "judge": by_judge,
}  # fmt: skip
"""The means, in the order in which they are shown."""

Progress = Callable[[Kill, int, int], None]


def kill_all(identifiers: Sequence[str], columns: Sequence[str], jobs: int, folder: Path, fresh: bool,
             progress: Progress) -> dict[str, dict[str, Kill]]:  # fmt: skip
    """Every cell, by mutant and column; those that are kept are not worked out again."""
    kept = Kept(folder)
    cells = {} if fresh else kept.cells()
    wanted = [(identifier, column) for identifier in identifiers for column in columns]
    left = [cell for cell in wanted if cell not in cells]
    for kill in worked_out(left, jobs):
        cells[kill.mutant, kill.column] = kill
        kept.add(kill)
        progress(kill, sum(cell in cells for cell in wanted), len(wanted))
    return {identifier: {column: cells[identifier, column] for column in columns} for identifier in identifiers}


def worked_out(cells: Sequence[tuple[str, str]], jobs: int) -> Iterator[Kill]:
    """The cells as they are done. A pool does so many and ends; a new one goes on."""
    at_a_time = AT_A_TIME * jobs
    for first in range(0, len(cells), at_a_time):
        some = cells[first : first + at_a_time]
        pool = ProcessPoolExecutor(min(jobs, len(some)), get_context("spawn"), begin)
        try:
            for future in as_completed([pool.submit(work, *cell) for cell in some]):
                yield future.result()
            pool.shutdown()
        finally:
            processes = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


def begin() -> None:
    """Begin as one process of a pool."""
    from pagelaw.proofs.working import begin_as_one_of_a_pool

    begin_as_one_of_a_pool()


def work(identifier: str, column: str) -> Kill:
    """One cell. A check that fails in any other way than by finding a violation has stopped nothing."""
    from pagelaw.proofs.mutants import apply

    began = perf_counter()
    with apply(identifier) as mutant:
        try:
            kill = COLUMNS[column](mutant)
        except Exception as error:  # told in the table; it is not a kill
            kill = Kill(identifier, column, False, note=f"failed: {type(error).__name__}: {error}")
    return attrs.evolve(kill, seconds=round(perf_counter() - began, 2))


class Kept:
    """The cells worked out before, for the sources as they are."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kills.jsonl"
        self.digests = {column: digest(column) for column in COLUMNS}

    def cells(self) -> dict[tuple[str, str], Kill]:
        """By mutant and column; a line cut off by an interruption is passed over."""
        found: dict[tuple[str, str], Kill] = {}
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            try:
                sources, cell = json.loads(line)
                kill = Kill(**cell)
            except (ValueError, TypeError):
                continue
            if sources == self.digests.get(kill.column):
                found[kill.mutant, kill.column] = kill
        return found

    def add(self, kill: Kill) -> None:
        """Keep a cell."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        ignored = self.path.parent / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([self.digests[kill.column], attrs.asdict(kill)]) + "\n")


RESTS_ON = {"explorer": ("explorer", "reference"), "stepwise": ("runs", "reference"), "batched": ("runs", "reference"),
            "judge": ("oracle", "runs", "reference")}  # fmt: skip
"""The parts of the model that a column rests on, beside the specification, the proofs, the solver and this file."""


def digest(column: str) -> str:
    """A digest of all sources that the cells of a column depend on."""
    from pagelaw.proofs.memory import sources

    made = sha256(sources(None, beside=("survivors.toml", "later.toml")).encode())
    paths = [Path(__file__).resolve()]
    for part in RESTS_ON.get(column, ()):
        paths += sorted((Path(__file__).resolve().parents[1] / part).rglob("*.py"))
    for path in paths:
        made.update(path.name.encode() + path.read_bytes())
    return made.hexdigest()


def counts(rows: Iterable[Mapping[str, Kill]]) -> dict[str, int]:
    """How many of the mutants are killed: refused by the proofs, and shown by a run or a machine that was replayed."""
    killed = total = 0
    for row in rows:
        total += 1
        shown = any(row[column].killed for column in row if column != "z3")
        killed += ("z3" not in row or row["z3"].killed) and shown
    return {"total": total, "killed": killed, "equivalent": 0, "survivors": total - killed}


def as_json(row: Mapping[str, Kill]) -> dict[str, Any]:
    """The cells of one mutant."""
    return {column: {k: v for k, v in attrs.asdict(kill).items() if k not in ("mutant", "column")}
            for column, kill in row.items()}  # fmt: skip


def processors() -> int:
    """How many processes to start."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
