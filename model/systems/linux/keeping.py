"""What is changed on the machine, and a process that puts it back: it lives until the one that changed it has ended.

So all is put back after a signal as well, also after one that cannot be caught. Each change is told to the keeper
before it is made.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

LOCK = Path("/run/pagelaw-linux.lock")
SECONDS = 10.0
"""How long the keeper tries to put a thing back: VMs may still have to end."""
EVERY = 0.02
LIBC = ctypes.CDLL(None, use_errno=True)


class CannotRun(Exception):
    """Why this machine's kernel cannot be judged here, in one line."""


class Keeper:
    """Changes made in a `with` block, all of them undone after it. CannotRun, if another run is under way."""

    def __enter__(self) -> Self:
        self._lock = os.open(LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise CannotRun("another run that judges this kernel is under way") from None
        told, self._tell = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            keep(told, self._tell)
        os.close(told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._tell)
        os.waitpid(self._pid, 0)
        os.close(self._lock)

    def will(self, undo: str, *arguments: str) -> None:
        """At the end this is to be done (a name of `UNDO`), before all that was told earlier."""
        os.write(self._tell, json.dumps([undo, *arguments]).encode() + b"\n")

    def change(self, file: Path, text: str) -> None:
        """Write to a file of the kernel; at the end it says again what it says now."""
        before = file.read_text().strip()
        if before.startswith("[") or " [" in before:  # one of several, in brackets
            before = before.partition("[")[2].partition("]")[0]
        if before != text:
            self.will("write", str(file), before)
            file.write_text(text)


def keep(told: int, tell: int) -> NoReturn:
    """The keeper: when all others have closed the pipe, it undoes what it was told, the last first."""
    try:
        os.close(tell)
        os.setsid()
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        with open(told, encoding="utf-8") as lines:
            changes = [json.loads(line) for line in lines]
        for undo, *arguments in reversed(changes):
            put_back(undo, *arguments)
    finally:
        os._exit(0)


def put_back(undo: str, *arguments: str) -> None:
    """Undo one change; again, as long as the kernel says that it is busy. What cannot be undone is told."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            UNDO[undo](*arguments)
        except OSError as error:
            if time.monotonic() < until:
                time.sleep(EVERY)
                continue
            print(f"pagelaw: not put back: {undo} {' '.join(arguments)}: {error.strerror}", file=sys.stderr, flush=True)
        return


def write(file: str, text: str) -> None:
    """A file of the kernel says what it said."""
    Path(file).write_text(text)


def swap_off(file: str) -> None:
    """A file is no swap area any more."""
    if LIBC.swapoff(os.fsencode(file)) and ctypes.get_errno() != 22:  # it was none
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def delete(file: str) -> None:
    """A file is gone."""
    Path(file).unlink(missing_ok=True)


def remove(folder: str) -> None:
    """A folder is gone; a control group, when none of its processes is left."""
    if Path(folder).exists():
        Path(folder).rmdir()


UNDO: dict[str, Callable[..., None]] = {"write": write, "swap off": swap_off, "delete": delete, "remove": remove}
