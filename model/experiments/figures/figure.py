"""What a figure is: lines to draw, numbers beside those of the paper, and what was run for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

import attrs

from ..run import PAGES_A_MB, Plan, Run
from ..server import Do


@attrs.frozen
class Line:
    """One line of a picture: whole numbers of hundredths, so that they are exact."""

    label: str
    at: Sequence[int]
    hundredths: Sequence[int]
    step: bool = False
    """Whether it is drawn in steps."""


@attrs.frozen(kw_only=True)
class Panel:
    """One pair of axes."""

    title: str
    across: str
    """What the numbers along the bottom are."""
    up: str
    lines: Sequence[Line]
    marks: Sequence[tuple[int, str]] = ()
    """Moments to be marked, and what happened then."""
    levels: Sequence[tuple[int, str]] = ()
    """Levels to be marked, in hundredths."""


@attrs.frozen(kw_only=True)
class Compared:
    """One number of ours beside the paper's."""

    what: str
    ours: str
    paper: str
    sure: str
    """How sure the paper's number is: text, notes, memory-high, memory-medium, or derived."""
    why: str = ""
    """Why they differ, where they do."""


@attrs.frozen(kw_only=True)
class Figure:
    """One figure of the paper, replayed."""

    number: int
    title: str
    about: str
    """What was run: what is the paper's and what is ours."""
    panels: Sequence[Panel]
    compared: Sequence[Compared]
    scale: Fraction
    seed: int
    steps: int
    """Steps that were done for it."""
    checked: bool
    """Whether each step was checked."""


Tell = Callable[[Run], None]
"""Called after each second of a run."""


@attrs.frozen(kw_only=True)
class How:
    """How a figure is to be replayed."""

    scale: Fraction
    seed: int = 0
    tell: Tell | None = None
    checking: Callable[..., Do] | None = None

    def run(self, plan: Plan) -> Run:
        """A plan, run."""
        return Run(plan, self.checking).run(self.tell)


class Replay(Protocol):
    """Replays one figure."""

    def __call__(self, how: How) -> Figure: ...


def hundredths(pages: int | Fraction, scale: Fraction) -> int:
    """Pages of a scaled machine in hundredths of a megabyte of the paper's, rounded to the nearest."""
    return round(Fraction(pages) * 100 / (PAGES_A_MB * scale))


def told(number: int, unit: str = " MB") -> str:
    """Hundredths, told with one digit after the point."""
    tenths = round(Fraction(number, 10))
    return f"{tenths // 10}.{tenths % 10}{unit}"
