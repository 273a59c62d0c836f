"""A judge in a process of its own: what is judged goes on meanwhile, and hears of a verdict a little later.

It is forked before what it judges begins, and both ends are one socket: unlike a pipe it can be ended though processes
that were forked since have it open.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Self

from ..oracle.files import Judged, judge_stream
from ..oracle.judge import ALLOWED, Violation
from ..oracle.program import die_with_parent, ended

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
        sys.stdout.flush()
        sys.stderr.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))  # until it is noted what is to be ended
        try:
            self.pid = os.fork()
            if self.pid == 0:
                self._socket.close()
                run(theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._end()

    def _end(self) -> int:
        """The process is ended, if it has not; its exit code."""
        if not self.pid:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

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
            raise JudgeEnded(f"the judge {ended(self._end())}, without a verdict") from None

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


def run(other: socket.socket) -> NoReturn:
    """The judge: it judges what comes in, until that ends or is not allowed, and sends what it has found."""
    code = 1
    try:
        os.setsid()
        die_with_parent()
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)
        with other.makefile("rb") as lines:
            judged = judge_stream(lines, "-")
        other.shutdown(socket.SHUT_RD)
        with suppress(ConnectionError):  # nobody waits for it any more
            other.sendall(pickle.dumps((judged, time.process_time())))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
