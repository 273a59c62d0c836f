"""What the manager refuses, by name: what the specification refuses, and what only a program with limits must."""

from __future__ import annotations

from operator import index


class Refusal(Exception):
    """The operation is not allowed now: `reason` is a name of `pagelaw.spec.refusals.Refused`. Nothing has changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason.lower().replace("_", " "))
        self.reason = reason


class TableFull(Exception):
    """No record of the sharing table is free: the page leaves no hint. Nothing has changed."""


def whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number within bounds; BadInput if it is none."""
    bound = f"{least:,} to {most:,}" if most > least else f"{least:,}"
    try:
        number = index(value)  # type: ignore[arg-type]  # what is none says so
    except TypeError:
        raise BadInput(name, repr(value), f"a whole number, {bound}") from None
    if isinstance(value, bool) or not least <= number <= most:
        raise BadInput(name, value, bound)
    return number


class BadInput(ValueError):
    """What was given makes no sense: its name, the value and the bound. Nothing has changed."""

    def __init__(self, name: str, value: object, bound: str) -> None:
        super().__init__(f"{name} is {value}: it must be {bound}")
        self.name, self.value, self.bound = name, value, bound
