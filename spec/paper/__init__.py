"""The paper as clauses, what follows from them, and how its open points are read.

Three registers, kept as data beside this file: the clauses and consequences in
`clauses.toml`, the readings in `readings.toml`. Everything else in the project cites their
ids: clauses `ESX-3.2-05`, consequences `D-02`, readings `R-04`.
"""

import re
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from attrs import frozen


class Kind(StrEnum):
    """What a clause is, which decides what must answer it."""

    STATE = "state"
    """Something the machine has; a field of the state answers it."""
    RULE = "rule"
    """The guard or the effect of a step."""
    INVARIANT = "invariant"
    """What holds in every reachable state."""
    POLICY = "policy"
    """A choice among allowed steps."""
    NUMBER = "number"
    """A named constant or a bound."""
    EXPERIMENT = "experiment"
    """A measured result; a scenario answers it."""
    REMARK = "remark"
    """Carries no obligation."""


class Confidence(StrEnum):
    """How well the wording of a clause is known, best first."""

    TEXT = "text"
    """The paper's own words were seen."""
    NOTES = "notes"
    """Independent notes of the paper say so."""
    MEMORY_HIGH = "memory-high"
    """Recalled, with little doubt."""
    MEMORY_MEDIUM = "memory-medium"
    """Recalled, with some doubt."""
    MEMORY_LOW = "memory-low"
    """Recalled, with much doubt."""


@frozen
class Clause:
    """One statement of the paper."""

    id: str
    """`ESX-<section>-<nn>`; never reused or renumbered."""
    kind: Kind
    confidence: Confidence
    sentence: str
    """The statement, in one sentence."""

    @property
    def section(self) -> str:
        """The section of the paper, for example "3.2"."""
        return self.id.split("-")[1]


@frozen
class Consequence:
    """A statement derived from the clauses and readings, to be proved; not itself a clause."""

    id: str
    """`D-<nn>`."""
    sentence: str


@frozen
class Parameter:
    """A setting that takes a reading's other alternative, or the number a reading needs."""

    name: str
    default: str
    """The value when nothing is set, as text; empty if there is none."""
    values: tuple[str, ...] = ()
    """The named values, the default first; empty if any value of the unit is allowed."""
    unit: str = ""
    """The unit of the value; empty for a named value or a plain number."""
    own: bool = False
    """True if the default is this project's number, because the paper has none."""


@frozen
class Reading:
    """What is taken where the paper leaves a point open."""

    id: str
    """`R-<nn>`; never reused or renumbered."""
    point: str
    """What is open."""
    clauses: tuple[str, ...]
    """Ids of the clauses that leave it open."""
    alternatives: str
    """What could be taken."""
    taken: str
    """What is taken. Where a parameter chooses, this is its default."""
    why: str
    """The reason."""
    parameters: tuple[Parameter, ...] = ()
    """The settings that change what is taken; without any, it is pinned."""


_ID = re.compile(r"\b(?:ESX-\d(?:\.\d)?-\d{2}|[DR]-\d{2})\b")


def cited_in(text: str) -> tuple[str, ...]:
    """Every id that `text` cites, in the order in which they stand, known or not."""
    return tuple(_ID.findall(text))


@cache
def clauses() -> tuple[Clause, ...]:
    """All clauses, in the paper's order."""
    return tuple(
        Clause(**entry | {"kind": Kind(entry["kind"]), "confidence": Confidence(entry["confidence"])})
        for entry in _register("clauses.toml")["clause"]
    )


@cache
def consequences() -> tuple[Consequence, ...]:
    """All consequences, in order of their ids."""
    return tuple(Consequence(**entry) for entry in _register("clauses.toml")["consequence"])


@cache
def readings() -> tuple[Reading, ...]:
    """All readings, in order of their ids."""
    return tuple(_reading(**entry) for entry in _register("readings.toml")["reading"])


@cache
def known_ids() -> frozenset[str]:
    """Every id that may be cited: of clauses, consequences and readings."""
    entries: tuple[Clause | Consequence | Reading, ...] = (*clauses(), *consequences(), *readings())
    return frozenset(entry.id for entry in entries)


def _register(name: str) -> dict[str, Any]:
    """The tables of one file beside this one."""
    return tomllib.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))


def _reading(*, clauses: list[str], parameter: Sequence[dict[str, Any]] = (), **texts: str) -> Reading:
    """A reading from its table in the file."""
    return Reading(
        clauses=tuple(clauses),
        parameters=tuple(_parameter(**entry) for entry in parameter),
        **texts,
    )


def _parameter(*, values: Sequence[str] = (), default: str = "", **rest: Any) -> Parameter:
    """A parameter from its table in the file."""
    return Parameter(default=default, values=tuple(values), **rest)
