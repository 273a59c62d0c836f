"""An implementation in another process: JSON lines over its standard input and output, with an eye on the clock.

Four commands. Each is one line, and is answered by one line, with the same `seq`:

    {"cmd": "start", "seq": 0, "pagelaw": 1}      -> {"seq": 0, "pagelaw": 1, "system": ..., "operations": [...], ...}
    {"cmd": "reset", "seq": 1, "machine": {...}}  -> {"seq": 1}
    {"cmd": "do", "seq": 2, "do": "write", ...}   -> {"seq": 2, "saw": [...], "got": ..., "refused": ..., "took": ...}
    {"cmd": "stop", "seq": 3}                     -> {"seq": 3}, and the program ends

A machine that it cannot be, and an operation that it cannot do, it answers with "unsupported": true.
What is expected is never sent. Standard error is the program's own: it is kept apart, and shown if something fails.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from .events import LONGEST_LINE, Events
from .fields import Malformed, shown

SECONDS = 5.0
"""How long an answer may take."""
KEPT_OF_ERRORS = 4000
"""Bytes of standard error that are shown: the last ones."""
PARENT_DIES = 1
"""The number of the request to the Linux kernel for a signal when the parent ends (PR_SET_PDEATHSIG)."""


class Broken(Exception):
    """The program did not answer as it should: `how` is "cannot be started", "crashed", "hung" or "garbled"."""

    def __init__(self, how: str, told: str) -> None:
        super().__init__(told)
        self.how = how


class Program:
    """One process. It is ended when the `with` block is left, whatever it does."""

    def __init__(self, command: Sequence[str], seconds: float = SECONDS) -> None:
        self.command, self.seconds = list(command), seconds
        self._seq = 0
        self._rest = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        try:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._errors.close()
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Broken("cannot be started", f"{self.command[0]}: {what}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process, and all that it started in its session."""
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2 if self._process.poll() is None else 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._errors.close()

    @property
    def errors(self) -> str:
        """The end of what it wrote to standard error."""
        if self._errors.closed:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(size - KEPT_OF_ERRORS, 0))
        return self._errors.read().decode(errors="replace")

    # Commands.

    def start(self) -> dict[str, Any]:
        """What it says of itself."""
        return self.ask({"cmd": "start", "pagelaw": 1})

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """A machine of these sizes, with all VMs off."""
        return self.ask({"cmd": "reset", "machine": machine})

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        """One operation; what came of it."""
        return self.ask({"cmd": "do", **event})

    def stop(self) -> None:
        """It is no longer needed. Broken, if it does not end, or ends with an error."""
        self.ask({"cmd": "stop"})
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            raise Broken("hung", f"it still runs {self.seconds:g} s after it was stopped") from None
        if code != 0:
            raise Broken("crashed", f"after it was stopped {ended(code)}")

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """One command and its answer, without its `seq`."""
        seq, self._seq = self._seq, self._seq + 1
        deadline = time.monotonic() + self.seconds
        what = f"{message['cmd']} {message.get('do', '')}".strip()
        self._nothing_early(what)
        self._write(json.dumps({"cmd": message["cmd"], "seq": seq, **message}).encode() + b"\n", deadline, what)
        line = self._read(deadline, what)
        try:
            answer = Events.object_in(line)
        except Malformed as wrong:
            raise Broken("garbled", f"the answer to {what} is {shown(line)}: {wrong}") from None
        if answer.pop("seq", None) != seq:
            raise Broken("garbled", f'the answer to {what} is {shown(line)}: it lacks "seq": {seq}')
        return answer

    def _nothing_early(self, what: str) -> None:
        assert self._process.stdout is not None
        if self._rest or (select.select([self._process.stdout], [], [], 0)[0] and self._process.poll() is None
                          and self._more()):  # fmt: skip
            raise Broken("garbled", f"it wrote {shown(self._rest)} before it was asked ({what})")

    def _more(self) -> bool:
        """Read what is there; whether that was anything."""
        assert self._process.stdout is not None
        try:
            got = os.read(self._process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        self._rest += got
        return bool(got)

    def _write(self, line: bytes, deadline: float, what: str) -> None:
        assert self._process.stdin is not None
        pipe = self._process.stdin.fileno()
        while line:
            if not select.select([], [pipe], [], max(deadline - time.monotonic(), 0))[1]:
                raise Broken("hung", f"it does not read: {what} could not be sent in {self.seconds:g} s")
            try:
                line = line[os.write(pipe, line) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._gone(what) from None

    def _read(self, deadline: float, what: str) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            if len(self._rest) > LONGEST_LINE:
                raise Broken("garbled", f"the answer to {what} is longer than {LONGEST_LINE:,} bytes")
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise Broken("hung", f"no answer to {what} in {self.seconds:g} s")
            if not self._more() and self._process.stdout is not None:
                raise self._gone(what)
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _gone(self, what: str) -> Broken:
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return Broken("crashed", f"it closed its output before it answered {what}")
        if self._seq == 1 and code in (126, 127):
            return Broken("cannot be started", ended(code))
        return Broken("crashed", f"it {ended(code)} before it answered {what}")


def ended(code: int) -> str:
    """How a process ended."""
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


def die_with_parent() -> None:
    """The process is ended with the one that started it, however that ends. Linux only; elsewhere its input closes."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PARENT_DIES, signal.SIGKILL)
