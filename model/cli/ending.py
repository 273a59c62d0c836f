"""A command that is ended by a signal ends as if it were interrupted: what it has made beside itself is taken away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal came, by this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise `Ended`, the first one only. One that the caller ignores stays ignored."""
    before = {one: signal.getsignal(one) for one in ENDING}

    def end(number: int, _: FrameType | None) -> NoReturn:
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN)
        raise Ended(number)

    for one in ENDING:
        if before[one] == signal.SIG_DFL:
            signal.signal(one, end)
    try:
        yield
    finally:
        for one in ENDING:
            signal.signal(one, before[one])
