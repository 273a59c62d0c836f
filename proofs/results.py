"""What is handed to the processes that prove, and what they hand back."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from .memory import Known, key
from .solvers import Answer, Verdict


@attrs.frozen
class Settings:
    """What is the same for every group of one run."""

    solvers: Mapping[str, str]
    """The solvers to ask, each with its provenance."""
    limit: float
    """Seconds for one obligation and one solver."""
    properties: frozenset[str] = frozenset()
    """The properties, or kinds of property, to prove; all if there are none."""
    mutant: str | None = None
    """The mutant that is switched on."""
    smt2: Path | None = None
    """The folder for the texts."""
    proofs: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    """What is remembered as proved."""

    def wants(self, property: str, kind: str) -> bool:
        """Whether an obligation was asked for."""
        return not self.properties or property in self.properties or kind in self.properties

    def unproved_by(self, text: str) -> list[str]:
        """The solvers that are not remembered to have proved this text."""
        return [solver for solver, provenance in self.solvers.items() if key(text, provenance) not in self.proofs]


@attrs.frozen
class Result:
    """What became of one obligation."""

    group: str
    rule: str
    property: str
    kind: str
    path: int
    verdict: Verdict
    reason: str
    seconds: float
    solver: str
    remembered: bool

    @builtins.property  # `property` is a field here
    def name(self) -> str:
        """How it is called in messages."""
        where = f", path {self.path}" if self.path >= 0 else ""
        return f"{self.rule}: {self.property}{where}"

    def as_json(self) -> dict[str, Any]:
        """Its entry in the file of results."""
        return {
            "rule": self.rule,
            "property": self.property,
            "kind": self.kind,
            "path": self.path,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 4),
            "solver": self.solver,
            "remembered": self.remembered,
        }


@attrs.frozen
class Trouble:
    """A group that could not be read as obligations: where, the line there, and why."""

    group: str
    file: str
    line: int
    construct: str
    reason: str


@attrs.frozen
class Done:
    """One group: its results, its new proofs, and, if it was read in full, all its obligations."""

    group: str
    results: tuple[Result, ...] = ()
    proofs: tuple[str, ...] = ()
    known: tuple[Known, ...] | None = None
    trouble: Trouble | None = None
    seconds: float = 0.0


def result(group: str, known: Known, answer: Answer, remembered: bool = False) -> Result:
    """The result for an obligation."""
    return Result(group, known.rule, known.property, known.kind, known.path, answer.verdict, answer.reason,
                  answer.seconds, answer.solver, remembered)


def remembered(group: str, known: Known, settings: Settings) -> Result:
    """The result for an obligation that all solvers proved before."""
    return result(group, known, Answer("+".join(settings.solvers), Verdict.PROVED), remembered=True)
