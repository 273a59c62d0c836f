"""The obligations of one group: built, written as text, looked up, asked. Runs in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from multiprocessing import parent_process
from pathlib import Path
from time import perf_counter

from pagelaw.spec.language import REGISTER

from . import by_cvc5
from .by_z3 import Z3, Needs
from .groups import obligations_of
from .memory import Known, key
from .obligations import Obligation, Theory
from .results import Done, Result, Settings, Trouble, remembered, result
from .smtlib import Writer, digest, titled
from .solvers import Answer, Verdict, agreed

_SPEC = Path(__file__).resolve().parent.parent / "spec"
_QUICK = 0.5
"""Seconds for cvc5 to prove a goal from the hypotheses that are likely to be needed, before it gets all."""


class Workshop:
    """One process's theory and solvers. Use as a context: a mutant is switched on meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._mutant = ExitStack()
        self._theory: Theory | None = None
        self._needs = Needs()

    def __enter__(self) -> Workshop:
        if self.settings.mutant is not None:
            from .mutants import apply

            self._mutant.enter_context(apply(self.settings.mutant))
        return self

    def __exit__(self, *raised: object) -> None:
        self._mutant.close()

    def group(self, name: str) -> Done:
        """Everything about one group."""
        started = perf_counter()
        try:
            if self._theory is None:
                self._theory = Theory()
                self._needs = Needs.of(self._theory)
            obligations = list(obligations_of(self._theory, name))
        except Exception as error:  # whatever a specification does wrong, the user is told where
            return Done(name, trouble=trouble(name, error), seconds=perf_counter() - started)
        return Bench(self.settings, self._needs, name, started).work(obligations)


class Bench:
    """The work on one group."""

    def __init__(self, settings: Settings, needs: Needs, group: str, started: float) -> None:
        self.settings, self.needs, self.group, self.started = settings, needs, group, started
        self.writer = Writer()
        self.z3 = Z3(needs, settings.limit)
        self.names: Counter[str] = Counter()
        self.known: list[Known] = []
        self.proofs: list[str] = []

    def work(self, obligations: Sequence[Obligation]) -> Done:
        """Results in the order of the obligations."""
        wanted = [one for one in obligations if self.settings.wants(one.property, one.kind)]
        results: list[Result] = []
        for _, path in groupby(wanted, key=lambda one: one.path):
            results.extend(self._path(list(path)))
        known = tuple(self.known) if len(wanted) == len(obligations) else None
        return Done(self.group, tuple(results), tuple(self.proofs), known, None, perf_counter() - self.started)

    def _path(self, obligations: Sequence[Obligation]) -> Iterator[Result]:
        texts = [self.writer.text(one) for one in obligations]
        known = [self._note(one, text) for one, text in zip(obligations, texts, strict=True)]
        left = [self.settings.unproved_by(one.text) for one in known]
        ask = [i for i, solvers in enumerate(left) if "z3" in solvers]
        by_z3 = dict(zip(ask, self.z3.prove([obligations[i] for i in ask]), strict=True))
        for i, one in enumerate(known):
            asked = [by_z3[i] if solver == "z3" else self._ask_cvc5(obligations[i], texts[i]) for solver in left[i]]
            self.proofs += [
                key(one.text, self.settings.solvers[answer.solver]) for answer in asked
                if answer.verdict is Verdict.PROVED
            ]
            yield self._result(one, asked)

    def _result(self, known: Known, asked: Sequence[Answer]) -> Result:
        """The result, from those solvers that were asked and those that are remembered."""
        if not asked:
            return remembered(self.group, known, self.settings)
        by_solver = {answer.solver: answer for answer in asked}
        return result(self.group, known, agreed([
            by_solver.get(solver, Answer(solver, Verdict.PROVED)) for solver in self.settings.solvers
        ]))

    def _ask_cvc5(self, obligation: Obligation, text: str) -> Answer:
        """First with the hypotheses that are likely to be needed; with all of them if that proves nothing."""
        quick = by_cvc5.ask(self.writer.text(self.needs.shorter(obligation)), min(_QUICK, self.settings.limit))
        return quick if quick.verdict is Verdict.PROVED else by_cvc5.ask(text, self.settings.limit)

    def _note(self, obligation: Obligation, text: str) -> Known:
        known = Known(obligation.rule, obligation.property, obligation.kind, obligation.path, digest(text))
        self.known.append(known)
        if self.settings.smt2 is not None:
            path = self.settings.smt2 / self._file_name(obligation)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(titled(text, f"{obligation.rule}, path {obligation.path}: {obligation.property}"),
                            encoding="utf-8")
        return known

    def _file_name(self, obligation: Obligation) -> str:
        """A name that stays the same from run to run."""
        path = "all" if obligation.path < 0 else str(obligation.path)
        name = f"{_plain(obligation.rule)}/{path}.{_plain(obligation.property)}"
        self.names[name] += 1
        return f"{name}.{self.names[name]}.smt2" if self.names[name] > 1 else f"{name}.smt2"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def trouble(group: str, error: Exception) -> Trouble:
    """Where in the specification an error comes from: the innermost line there, else the rule itself."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _in_specification(one.filename)]
    reason = str(error) or type(error).__name__
    if type(error).__name__ != "CannotLift":
        reason = f"{type(error).__name__}: {reason}"
    if frames:
        last = frames[-1]
        return Trouble(group, last.filename, last.lineno or 0, last.line or "", reason)
    entry = REGISTER["rule"].get(group)
    if entry is None:
        return Trouble(group, "", 0, "", reason)
    code = entry.function.__code__
    return Trouble(group, code.co_filename, code.co_firstlineno, f"def {group}", reason)


def _in_specification(name: str) -> bool:
    path = Path(name).resolve()
    return path.is_relative_to(_SPEC) and not path.is_relative_to(_SPEC / "language")


# A process of a pool.

_workshop: Workshop | None = None


def start(settings: Settings) -> None:
    """Begin as one process of a pool, at work on these groups."""
    global _workshop
    begin_as_one_of_a_pool()
    _workshop = Workshop(settings)
    _workshop.__enter__()


def begin_as_one_of_a_pool() -> None:
    """Interrupts are the parent's business; end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def work(group: str) -> Done:
    """One group, in a process of a pool."""
    assert _workshop is not None
    return _workshop.group(group)
