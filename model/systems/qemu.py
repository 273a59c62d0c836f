"""What QEMU is asked through: its test protocol for guest memory, and its monitor."""

from __future__ import annotations

import ctypes
import json
import socket
import subprocess
import time
from typing import Any

from ..oracle.program import Broken, ended

LIBC = ctypes.CDLL(None, use_errno=True)
SECONDS = 10.0
"""How long an answer may take."""


class Socket:
    """A socket on which QEMU connects."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen(1)
        self._listening.settimeout(0.05)

    def accepted(self, process: subprocess.Popen[bytes]) -> socket.socket:
        """The connection. Broken, if QEMU ends or takes too long."""
        until = time.monotonic() + SECONDS
        with self._listening:
            while time.monotonic() < until:
                try:
                    made, _ = self._listening.accept()
                except TimeoutError:
                    if process.poll() is not None:
                        raise Broken("cannot be started", f"QEMU {ended(process.returncode)}") from None
                    continue
                made.settimeout(SECONDS)
                return made
        raise Broken("hung", f"QEMU does not connect within {SECONDS:g} s")


class Lines:
    """Lines each way."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.rest = b""

    def send(self, line: str) -> None:
        """One line. Broken, if QEMU is gone."""
        try:
            self.connection.sendall(line.encode() + b"\n")
        except OSError as error:
            raise Broken("crashed", f"QEMU is gone: {error.strerror}") from None

    def line(self) -> str:
        """The next line. Broken, if there is none in time."""
        while b"\n" not in self.rest:
            try:
                got = self.connection.recv(65536)
            except TimeoutError:
                raise Broken("hung", f"QEMU does not answer within {SECONDS:g} s") from None
            except OSError as error:
                raise Broken("crashed", f"QEMU is gone: {error.strerror}") from None
            if not got:
                raise Broken("crashed", "QEMU is gone")
            self.rest += got
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode(errors="replace")


class TestProtocol:
    """Guest memory and device registers (qtest)."""

    __test__ = False  # pytest: this is no test

    def __init__(self, connection: socket.socket) -> None:
        self._lines = Lines(connection)

    def ask(self, *words: object) -> str:
        """A command; what it answers after OK."""
        told = " ".join(map(str, words))
        self._lines.send(told)
        while (line := self._lines.line()).startswith("IRQ"):
            pass
        if not line.startswith("OK"):
            raise Broken("garbled", f"QEMU answers {told!r} with {line!r}")
        return line[2:].strip()

    def read(self, address: int, length: int) -> bytes:
        """Bytes of guest memory."""
        return bytes.fromhex(self.ask("read", f"{address:#x}", length).removeprefix("0x"))

    def write(self, address: int, data: bytes) -> None:
        """Write bytes of guest memory."""
        self.ask("write", f"{address:#x}", len(data), f"0x{data.hex()}")

    def register(self, address: int) -> int:
        """A register of 32 bits."""
        return int(self.ask("readl", f"{address:#x}"), 16)

    def set_register(self, address: int, value: int) -> None:
        """Write a register of 32 bits."""
        self.ask("writel", f"{address:#x}", f"{value:#x}")


class Monitor:
    """The monitor (QMP)."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = Lines(connection)
        self._lines.line()  # its greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> Any:
        """A command; what it returns. Broken, if that is an error."""
        self._lines.send(json.dumps({"execute": command, "arguments": arguments}))
        while True:
            answer = json.loads(self._lines.line())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Broken("garbled", f"QEMU answers {command} with {answer['error']}")

    def human(self, line: str) -> str:
        """A command of the monitor for people; what it prints."""
        return str(self.ask("human-monitor-command", **{"command-line": line}))
