"""Solvers, and what they may answer. Only `proved` is a proof.

No answer within the time limit, `unknown`, an exception, two solvers that
disagree: each leaves the obligation unproved, with the reason. This module
imports no solver, so that a remembered run starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version

import attrs

PACKAGES = {"z3": "z3-solver", "cvc5": "cvc5"}
"""The Python package of each solver."""
INSTALL = {"z3": "pip install 'z3-solver~=5.4.1'", "cvc5": "pip install 'pagelaw[cvc5]'"}
"""The command that installs it."""
CHOICES = {"z3": ("z3",), "cvc5": ("cvc5",), "both": ("z3", "cvc5")}
"""What can be asked for, and the solvers that this means."""


class SolverMissing(Exception):
    """A solver that was asked for is not installed."""


class Verdict(Enum):
    """What became of an obligation."""

    PROVED = "proved"
    FAILED = "failed"
    UNKNOWN = "unknown"


@attrs.frozen
class Answer:
    """One solver's answer: the verdict, for others than `proved` the reason, and the seconds it took."""

    solver: str
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0


def version(solver: str) -> str:
    """The version of a solver; `SolverMissing` with the command to install it."""
    try:
        return package_version(PACKAGES[solver])
    except PackageNotFoundError:
        raise SolverMissing(f"{solver} is not installed: {INSTALL[solver]}") from None


def provenance(solver: str) -> str:
    """A solver and its version, as remembered with each of its proofs."""
    return f"{solver} {version(solver)}"


def agreed(answers: Sequence[Answer]) -> Answer:
    """The answer of all solvers asked: proved if every one of them proves it."""
    name = "+".join(answer.solver for answer in answers)
    seconds = sum(answer.seconds for answer in answers)
    verdicts = {answer.verdict for answer in answers}
    if len(verdicts) == 1:
        reason = "; ".join(dict.fromkeys(answer.reason for answer in answers if answer.reason))
        return Answer(name, answers[0].verdict, reason, seconds)
    told = ", ".join(f"{answer.solver}: {answer.reason or answer.verdict.value}" for answer in answers)
    if Verdict.FAILED not in verdicts:
        return Answer(name, Verdict.UNKNOWN, told, seconds)
    disagree = "the solvers disagree: " if Verdict.PROVED in verdicts else ""
    return Answer(name, Verdict.FAILED, disagree + told, seconds)


def timed_out(limit: float) -> str:
    """The reason of an answer that did not come in time."""
    return f"no answer within {limit:g} s"
