"""The register of the operations of a trace: what they are is in `operations`.

An operation is a function of a candidate and its arguments that gives its steps, each worked out when the one before
it is done. Its parameters are what an event says: a `Page` is the fields `vm` and `page`, a `VCPU` the field `cpu`,
and so on (see `event_fields`). What it must answer, if it answers anything, is the field `got`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NewType, TypeVar, get_type_hints

import attrs

from ..reference.choosing import Proposal

Steps = Iterable[Proposal]
Pages = NewType("Pages", int)
"""A number of pages."""
TransferName = NewType("TransferName", str)
"""What the implementation calls a transfer."""
F = TypeVar("F", bound=Callable[..., Steps])


@attrs.frozen
class Operation:
    """One operation of a trace: its name, its arguments by kind, what it answers, and its steps."""

    name: str
    steps: Callable[..., Steps]
    arguments: dict[str, Any]
    """Parameters and their kinds."""
    answers: str
    """The kind of what it answers: "" for nothing, "value" for a word, "outcome" for what a scan came to."""

    @property
    def sentence(self) -> str:
        """What it does."""
        return " ".join((self.steps.__doc__ or "").split("\n\n")[0].split())


OPERATIONS: dict[str, Operation] = {}


def operation(answers: str = "") -> Callable[[F], F]:
    """Enter a function as an operation of traces."""

    def enter(function: F) -> F:
        hints = get_type_hints(function)
        hints.pop("return")
        hints.pop("c")
        OPERATIONS[function.__name__] = Operation(function.__name__, function, hints, answers)
        return function

    return enter


__all__ = ["OPERATIONS", "Operation", "Pages", "Steps", "TransferName", "operation"]
