"""What the manager refuses, by name: what the specification refuses, and what only a program with limits must."""

from __future__ import annotations


class Refusal(Exception):
    """The operation is not allowed now: `reason` is a name of `pagelaw.spec.refusals.Refused`. Nothing has changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason.lower().replace("_", " "))
        self.reason = reason


class TableFull(Exception):
    """No record of the sharing table is free: the page leaves no hint. Nothing has changed."""


class BadInput(ValueError):
    """What was given makes no sense: its name, the value and the bound. Nothing has changed."""

    def __init__(self, name: str, value: object, bound: str) -> None:
        super().__init__(f"{name} is {value}: it must be {bound}")
        self.name, self.value, self.bound = name, value, bound
