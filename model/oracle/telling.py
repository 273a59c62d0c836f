"""A failure of a driven implementation as text."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .driving import Failure
from .report import reason_text, short, wrapped


def failure_text(failure: Failure) -> Iterator[str]:
    """What is wrong with the last of some events."""
    yield f"{failure.how}: " + (failure.told or short(json.dumps(failure.events[-1])))
    if failure.violation is not None:
        if failure.violation.settled_by:
            yield from wrapped(f"cannot be said. It would be settled by {failure.violation.settled_by}")
        for reason in failure.violation.reasons[:3]:
            yield from reason_text(reason)
    if failure.errors.strip():
        yield "its standard error:"
        yield from (f"  {line}" for line in failure.errors.strip().splitlines()[-20:])
