"""A judge in a process of its own: what is judged goes on meanwhile, and hears of a verdict a little later.

    python -m pagelaw.model.systems.beside      reads a trace, and writes what the judge found (pickled)

Both ends are one socket: unlike a pipe it can be ended though processes that were forked since have it open.
"""

from __future__ import annotations

import pickle
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..oracle.files import Judged, judge_stream
from ..oracle.judge import ALLOWED, Violation
from ..oracle.program import die_with_parent

AT_ONCE = 64
"""Lines that are sent together: to send costs more than to judge some lines."""


class JudgeEnded(Exception):
    """The judge's process ended without a verdict."""


class Beside:
    """A judge as `Run` wants one, for systems whose operations are drawn without its state. Used in a `with` block."""

    def __enter__(self) -> Self:
        self.working = 0.0
        """Seconds of processor time that the judge took, once it has ended."""
        self._judged: Judged | None = None
        self._unsent: list[bytes] = []
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=theirs.fileno(), stdout=theirs.fileno(),
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def line(self, line: bytes) -> None:
        """The next line of the trace: it is judged soon."""
        if self._judged is None:
            self._unsent.append(line + b"\n")
        if len(self._unsent) >= AT_ONCE:
            self._send()
            if select.select([self._socket], [], [], 0)[0]:
                self._receive()

    def end(self) -> None:
        """The trace ends here: the verdict is waited for. JudgeEnded, if there is none."""
        if self._judged is None:
            self._send()
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            self._receive()

    def _send(self) -> None:
        with suppress(ConnectionError):  # it has seen enough: the verdict is waiting
            self._socket.sendall(b"".join(self._unsent))
        self._unsent.clear()

    def _receive(self) -> None:
        told = bytearray()
        with suppress(ConnectionError):  # it ended before it had read all that was written
            while more := self._socket.recv(1 << 16):
                told += more
        try:
            self._judged, self.working = pickle.loads(told)
        except EOFError:
            raise JudgeEnded(f"the judge ended with exit code {self._process.wait()}, without a verdict") from None

    # What it has found by now.

    @property
    def verdict(self) -> str:
        """allowed, as long as nothing else is known."""
        return ALLOWED if self._judged is None else self._judged.verdict

    @property
    def malformed(self) -> tuple[int, int | None, str] | None:
        """The line, the column, and what is wrong there."""
        return None if self._judged is None else self._judged.problem

    @property
    def violations(self) -> Sequence[Violation]:
        """What is not allowed."""
        return () if self._judged is None else self._judged.violations

    @property
    def exercised(self) -> Mapping[str, int]:
        """How often each rule was done."""
        return {} if self._judged is None else self._judged.exercised

    @property
    def refusals(self) -> Mapping[str, int]:
        """How often something was refused, for each reason."""
        return {} if self._judged is None else self._judged.refusals

    @property
    def freedoms(self) -> Mapping[str, int]:
        """How often each declared freedom was taken."""
        return {} if self._judged is None else self._judged.freedoms


def main() -> None:
    """Judge what comes in, until it ends or is not allowed."""
    with socket.socket(fileno=sys.stdin.fileno()) as other:
        judged = judge_stream(sys.stdin.buffer, "-")
        other.shutdown(socket.SHUT_RD)
        with suppress(ConnectionError):  # nobody waits for it any more
            other.sendall(pickle.dumps((judged, time.process_time())))


if __name__ == "__main__":
    main()
