"""Which clauses and readings a vector rests on, and so who demands it: the paper, or a reading of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pagelaw.spec.language import REGISTER, Entry
from pagelaw.spec.profiles import OPTIONS

PAPER, READING = "paper", "reading"


def demanded_by(clauses: Iterable[str]) -> str:
    """The paper, if nothing but clauses of the paper and what follows from them is cited; else a reading."""
    return READING if any(one.startswith("R-") for one in clauses) else PAPER


def clauses_of_step(entry: Entry, asks: str = "", options: Iterable[str] = ()) -> list[str]:
    """The ids that a step of a rule rests on.

    asks: the guard by which it is refused, as it is written; if that asks for a choice with ids of its own, those.
    options: the options that are not as the paper is read.
    """
    choices = [REGISTER["choice"][name] for name in re.findall(r"\w+", asks) if name in REGISTER["choice"]]
    found = [one for choice in choices for one in choice.clauses] or list(entry.clauses)
    return list(dict.fromkeys([*found, *(OPTIONS[name].reading for name in options)]))


def grades_of_step(asks: str) -> list[str]:
    """How free the choices are for which a guard asks."""
    names = re.findall(r"\w+", asks)
    return [REGISTER["choice"][name].extra.name.lower() for name in names if name in REGISTER["choice"]]
