"""Showing what was proved: progress, the table rule by kind of property, failures with counterexamples."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pagelaw.proofs.checking import Report
from pagelaw.proofs.results import Done, Result, Trouble
from pagelaw.proofs.solvers import Verdict
from pagelaw.spec.language import REGISTER

LISTED = 25
"""Failures named one by one."""
EXPLAINED = 3
"""Failures for which a counterexample is looked for."""
NAMES_WIDTH = 16
"""Columns for the names of rules, however narrow the terminal."""
PLAIN_WIDTH = 160
"""Columns where there is no terminal."""


class Paper(Console):
    """A console that leaves it to the command to say how it ends when its reader has gone."""

    def on_broken_pipe(self) -> None:
        """Tell the command."""
        raise BrokenPipeError


class Printer:
    """Prints to a terminal, or in plain lines elsewhere. Use as a context: a progress bar ends with it."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Paper(file=stream, highlight=False)
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console = Paper(file=stream, highlight=False, width=PLAIN_WIDTH)
        self._bar: Progress | None = None

    def __enter__(self) -> Printer:
        if self.console.is_terminal:
            columns = (TextColumn("proving"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                       TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._bar.start()
            self._bar.add_task("", total=None)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def progress(self, done: Done, number: int, total: int) -> None:
        """One more group is done."""
        proved = sum(one.verdict is Verdict.PROVED for one in done.results)
        told = f"{done.group}: {proved} of {len(done.results)} proved in {done.seconds:.1f} s"
        if done.trouble is not None:
            told = f"{done.group}: cannot be read"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], total=total, completed=number, description=told)
        else:
            self.console.print(f"{number:3d}/{total} {told}", markup=False, soft_wrap=True)

    def table(self, report: Report) -> None:
        """For every group the number of obligations of each kind, the verdict, the seconds."""
        kinds = list(dict.fromkeys(one.kind for one in report.results))
        groups: dict[str, list[Result]] = defaultdict(list)
        for one in report.results:
            groups[one.group].append(one)
        table = Table("rule", box=None, pad_edge=False, header_style="bold", show_footer=True)
        table.columns[0].footer, table.columns[0].min_width = "all", NAMES_WIDTH
        for kind in kinds:
            table.add_column(kind, justify="right", footer=_count([r for r in report.results if r.kind == kind]))
        table.add_column("verdict", footer=_verdict(report.results))
        table.add_column("seconds", justify="right", footer=f"{sum(r.seconds for r in report.results):.1f}")
        for name, results in groups.items():
            counts = [_count([r for r in results if r.kind == kind]) for kind in kinds]
            table.add_row(name, *counts, _verdict(results), f"{sum(r.seconds for r in results):.1f}")
        self.console.print(table)
        self.console.print()

    def failures(self, report: Report, tests: Path | None) -> None:
        """What is not proved, and small counterexamples for the first of it."""
        unproved = report.unproved
        for one in unproved[:LISTED]:
            self._say(f"NOT PROVED {one.name} ({one.reason})")
        if len(unproved) > LISTED:
            self._say(f"... and {len(unproved) - LISTED} more")
        for one in _first(unproved):
            self._say("")
            self._explain(one, tests)
        self._say("")

    def _explain(self, one: Result, tests: Path | None) -> None:
        from pagelaw.proofs.claims import refute
        from pagelaw.proofs.counterexample import explain

        if one.kind == "law":
            try:
                refuted = refute(REGISTER["law"][one.property])
            except TimeoutError:
                refuted = None
            self._say("\n".join(refuted.lines()) if refuted else f"{one.name}: no two small machines were found")
            return
        if one.rule not in (*REGISTER["rule"], "theorem", "no step", "reading"):
            self._say(f"{one.name}: no machine is looked for that shows it, as it is not about one step")
            return
        try:
            found = explain(one.rule, one.path, one.property)
        except Exception as error:  # a search that fails must not hide the failure it is about
            self._say(f"{one.name}: the search for a counterexample failed: {type(error).__name__}: {error}")
            return
        if found is None:
            self._say(f"{one.name}: no small counterexample was found")
            return
        self._say(found.text().rstrip("\n"))
        if tests is not None:
            path = tests / f"test_{_plain(one.rule)}_{_plain(one.property)}_{max(one.path, 0)}.py"
            try:
                path.write_text(found.as_test(), encoding="utf-8")
            except OSError as error:
                print(f"pagelaw: cannot write {path}: {error.strerror}", file=sys.stderr)
            else:
                self._say(f"saved as {path}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def _first(unproved: Sequence[Result]) -> list[Result]:
    """The failures to explain: one for each property of a rule, as long as there are few."""
    kinds = {(one.rule, one.property): one for one in reversed(unproved)}
    return [one for one in unproved if kinds[one.rule, one.property] is one][:EXPLAINED]


def _count(results: Sequence[Result]) -> str:
    proved = sum(one.verdict is Verdict.PROVED for one in results)
    if not results:
        return ""
    return str(proved) if proved == len(results) else f"[red]{proved}/{len(results)}[/red]"


def _verdict(results: Sequence[Result]) -> str:
    for verdict, told in ((Verdict.FAILED, "failed"), (Verdict.UNKNOWN, "not proved")):
        number = sum(one.verdict is verdict for one in results)
        if number:
            return f"[red]{number} {told}[/red]"
    return "remembered" if all(one.remembered for one in results) else "[green]proved[/green]"


def show_troubles(troubles: Iterable[Trouble], stream: TextIO) -> None:
    """Each place where the specification cannot be read as obligations, once, with the groups it concerns."""
    where: dict[tuple[str, int, str, str], list[str]] = defaultdict(list)
    for one in troubles:
        where[one.file, one.line, one.construct, one.reason].append(one.group)
    for (file, line, construct, reason), groups in where.items():
        told = groups[0] if len(groups) == 1 else f"{groups[0]} and {len(groups) - 1} more"
        place = f"{_near(file)}:{line}: " if file else ""
        print(f"pagelaw: {place}{told} cannot be read as obligations: {reason}", file=stream)
        if construct:
            print(f"    {construct}", file=stream)


def _near(file: str) -> str:
    """A file's name, from the working directory if it is below it."""
    path = Path(file).resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
