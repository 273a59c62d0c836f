"""What the manager refuses, by name: what the specification refuses, and what only a program with limits must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from operator import index


class Refusal(Exception):
    """The operation is not allowed now: `reason` is a name of `pagelaw.spec.refusals.Refused`.

    Nothing has changed that a guest or policy sees. A scan that is refused may have found a stale hint, which is gone,
    or have made a hinted page the one user of a shared frame.
    """

    @property
    def reason(self) -> str:
        """What it was made with."""
        reason: str = self.args[0]
        return reason

    def __str__(self) -> str:
        """In words."""
        return self.reason.lower().replace("_", " ")


class TableFull(Exception):
    """No record of the sharing table is free: the page leaves no hint. Stale hints on its way are gone."""


FITS = "what fits into the memory of this computer"


def flag(name: str, value: object) -> bool:
    """True or False; BadInput if it is neither."""
    if isinstance(value, bool):
        return value
    raise BadInput(name, repr(value), "True or False")


def all_whole(name: str, values: object, least: int, most: int) -> tuple[int, ...]:
    """A row of whole numbers within bounds; BadInput if it is none."""
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise BadInput(name, repr(values), "a whole number for each VM")
    return tuple(whole(name, value, least, most) for value in values)


def whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number within bounds; BadInput if it is none."""
    if type(value) is int and least <= value <= most:
        return value
    try:
        number = index(value)  # type: ignore[arg-type]  # what is none says so
    except TypeError:
        raise BadInput(name, repr(value), f"a whole number, {span(least, most)}") from None
    if isinstance(value, bool) or not least <= number <= most:
        raise BadInput(name, value, span(least, most))
    return number


def span(least: int, most: int) -> str:
    """Bounds, as they are told."""
    return f"{least:,} to {most:,}" if most > least else f"{least:,}"


class BadInput(ValueError):
    """What was given makes no sense: its name, the value and the bound. Nothing has changed."""

    def __init__(self, name: str, value: object, bound: str) -> None:
        super().__init__(f"{name} is {value}: it must be {bound}")
        self.name, self.value, self.bound = name, value, bound
