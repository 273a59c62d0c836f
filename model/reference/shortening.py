"""Making a list of steps shorter as long as it still shows the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .choosing import Proposal

Attempt = Callable[[Sequence[Proposal]], list[Proposal] | None]
"""Does steps from the start: those that were done up to what is to be shown, or None if that does not come."""


def shortened(steps: Sequence[Proposal], attempt: Attempt) -> tuple[Proposal, ...]:
    """Steps that show the same and of which no single one can be left out: halves, quarters ... are tried first."""
    kept = list(steps)
    size = max(len(kept) // 2, 1)
    while size:
        before = len(kept)
        end = before
        while end > 0:
            fewer = attempt([*kept[: max(end - size, 0)], *kept[end:]])
            if fewer is not None:
                kept = fewer
            end = min(end - size, len(kept))
        if size > 1 or len(kept) == before:
            size //= 2
    return tuple(kept)
