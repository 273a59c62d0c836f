"""QEMU's virtio balloon device without a guest: this program is the guest, and drives the device itself.

    python -m pagelaw.model.systems.balloon

QEMU is stopped before its first instruction. Guest memory is read and written through its test protocol (qtest), the
device through its registers and two virtqueues; the size that is asked for comes from the monitor (QMP). Whether a
page of the guest has memory behind it, and what is in that, is seen from outside. No privilege is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..oracle.program import Broken, die_with_parent
from .qemu import LIBC, Monitor, Socket, TestProtocol
from .serving import serve
from .virtio import DEFLATE, INFLATE, BalloonDriver

QEMU = "qemu-system-x86_64"
PAGE = 4096
MEMORY = 64 << 20
"""Bytes of guest memory."""
FIRST = 32 << 20
"""Where in it the pages of the trace begin."""
MACHINE: dict[str, Any] = {"vms": [{"name": "A", "pages": 64}], "frames": 64, "slots": 64, "words": 2}
NO_HUGE_PAGES = 41
"""The request to the Linux kernel that a process gets no huge pages (PR_SET_THP_DISABLE)."""
COMMAND = (
    QEMU, "-accel", "tcg", "-S", "-M", "microvm,memory-backend=m", "-m", f"{MEMORY >> 20}", "-nodefaults",
    "-display", "none", "-object", f"memory-backend-ram,id=m,size={MEMORY},merge=off",
    "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-balloon-device,id=balloon", "-qtest-log", "none",
)  # fmt: skip


def cannot() -> str:
    """Why it cannot run here, in one line; nothing, if it can."""
    if shutil.which(QEMU) is None:
        return f"there is no {QEMU}: apt-get install qemu-system-x86"
    return "" if Path("/proc/self/pagemap").exists() else "there is no /proc/PID/pagemap: it needs Linux"


class Unsupported(Exception):
    """Nothing that a driver would do."""


class Guest:
    """One QEMU: the guest's memory, its driver, and what can be seen from outside."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="pagelaw-")
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `end`)
        test, monitor = (Socket(str(Path(self.folder.name) / name)) for name in ("qtest", "qmp"))
        self.process = subprocess.Popen(
            [*COMMAND, "-qtest", f"unix:{test.path}", "-qmp", f"unix:{monitor.path}"], stdin=subprocess.DEVNULL,
            stdout=self.errors, stderr=self.errors, start_new_session=True, preexec_fn=before_it_starts,
        )  # fmt: skip
        try:
            self.memory = TestProtocol(test.accepted(self.process))
            self.monitor = Monitor(monitor.accepted(self.process))
            self.driver = BalloonDriver(self.memory)
            told = self.monitor.human(f"gpa2hva {FIRST:#x}")
            found = re.search(r" is (0x[0-9a-f]+)", told)
            if found is None:
                raise Broken("garbled", f"gpa2hva answers {told!r}")
            self.first = int(found[1], 16)
            self.pagemap = os.open(f"/proc/{self.process.pid}/pagemap", os.O_RDONLY)
            self.held = os.open(f"/proc/{self.process.pid}/mem", os.O_RDONLY)
        except Broken as broken:
            self.end()
            raise Broken(broken.how, f"{broken}{self.said}") from None
        self.inside: set[int] = set()
        """The pages that the driver has in the balloon."""

    said = ""

    def end(self) -> None:
        """QEMU is ended."""
        self.process.kill()
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        self.said = f" ({lines[-1]})" if lines else ""
        self.errors.close()
        self.folder.cleanup()
        for file in (getattr(self, name, None) for name in ("pagemap", "held")):
            if file is not None:
                os.close(file)

    def is_backed(self, page: int) -> bool:
        """Whether there is memory behind a page: in a frame, or in the host's swap area."""
        entry = os.pread(self.pagemap, 8, (self.first // PAGE + page) * 8)
        return bool(int.from_bytes(entry, "little") >> 62)

    def word(self, page: int, at: int) -> int:
        """Eight bytes of a page, as seen from outside."""
        return int.from_bytes(os.pread(self.held, 8, self.first + page * PAGE + at), "little")


def before_it_starts() -> None:
    """In the process that becomes QEMU: it ends with this one, and a page is a page."""
    die_with_parent()
    LIBC.prctl(NO_HUGE_PAGES, 1, 0, 0, 0)


class Balloon:
    """The device as an implementation, in a `with` block, after which QEMU is ended."""

    def __init__(self) -> None:
        self.guest: Guest | None = None
        self.operations: dict[str, Callable[[dict[str, Any]], int | None]] = {
            "power_on": self.power_on, "power_off": self.power_off, "read": self.read, "write": self.write,
            "touch": self.touch, "set_balloon_target": self.set_target, "inflate": self.inflate,
            "deflate": self.deflate,
        }  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """No QEMU runs any more."""
        if self.guest is not None:
            self.guest.end()
            self.guest = None

    # The protocol.

    def start(self) -> dict[str, Any]:
        """What it can do."""
        version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
        found = re.search(r"version (\S+)", version)
        return {
            "pagelaw": 1, "system": f"virtio balloon of QEMU {found[1] if found else '?'}",
            "tells": ["balloon_target"], "machine": MACHINE, "operations": [*self.operations],
        }  # fmt: skip

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """The VM is off."""
        self.end()
        self.name = machine["vms"][0]["name"]
        words = machine.get("words", 1)
        self.places: list[int] = [word * (PAGE - 8) // max(words - 1, 1) // 8 * 8 for word in range(words)]
        """Where in a page the words of the trace are: the first and the last, and between them."""
        return {}

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        """One operation; whether there is memory behind the page then, and what is in it."""
        if event["vm"] != self.name:
            return {"unsupported": True}
        try:
            made = self.operations[event["do"]](event)
        except Unsupported:
            return {"unsupported": True}
        answer: dict[str, Any] = {} if made is None else {"got": made}
        if "page" not in event or self.guest is None:
            return answer
        seen: dict[str, Any] = {"vm": event["vm"], "page": event["page"]}
        if not self.guest.is_backed(event["page"]):
            return answer | {"saw": [seen | {"is": "absent"}]}
        words = [self.guest.word(event["page"], at) for at in self.places]
        return answer | {"saw": [seen | {"is": "resident", "words": words}]}

    # Operations.

    def running(self) -> Guest:
        """The guest, if it runs."""
        if self.guest is None:
            raise Unsupported
        return self.guest

    def power_on(self, event: dict[str, Any]) -> None:
        """QEMU is started, and the driver."""
        if self.guest is not None:
            raise Unsupported
        self.guest = Guest()

    def power_off(self, event: dict[str, Any]) -> None:
        """QEMU is ended."""
        self.running()
        self.end()

    def address(self, event: dict[str, Any]) -> int:
        """Where in guest memory the word of an event is."""
        word: int = event.get("word", 0)
        return FIRST + int(event["page"]) * PAGE + self.places[word]

    def read(self, event: dict[str, Any]) -> int:
        """The guest reads a word, whatever has become of the page."""
        self.taken_back(event)
        held = self.running().memory.read(self.address(event), 8)
        return int.from_bytes(held, "little")

    def touch(self, event: dict[str, Any]) -> None:
        """The guest reads a word, and nobody asks what it was."""
        self.read(event)

    def write(self, event: dict[str, Any]) -> None:
        """The guest writes a word."""
        self.taken_back(event)
        self.running().memory.write(self.address(event), event["value"].to_bytes(8, "little"))

    def taken_back(self, event: dict[str, Any]) -> None:
        """A page in the balloon that is touched was taken from the driver: it begins anew, with an empty balloon."""
        guest = self.running()
        if event["page"] in guest.inside:
            guest.driver.reset()
            guest.inside.clear()

    def set_target(self, event: dict[str, Any]) -> None:
        """The monitor asks for a balloon of so many pages."""
        if not 0 <= event["pages"] <= MACHINE["vms"][0]["pages"]:
            raise Unsupported
        self.running().monitor.ask("balloon", value=MEMORY - event["pages"] * PAGE)

    def inflate(self, event: dict[str, Any]) -> None:
        """The driver gives a page to the balloon, if the device asks for more."""
        guest, page = self.running(), event["page"]
        if page in guest.inside or len(guest.inside) >= guest.driver.wanted():
            raise Unsupported
        guest.driver.tell(INFLATE, FIRST // PAGE + page)
        guest.inside.add(page)
        guest.driver.say_size(len(guest.inside))

    def deflate(self, event: dict[str, Any]) -> None:
        """The driver takes a page out of the balloon."""
        guest, page = self.running(), event["page"]
        if page not in guest.inside:
            raise Unsupported
        guest.driver.tell(DEFLATE, FIRST // PAGE + page)
        guest.inside.remove(page)
        guest.driver.say_size(len(guest.inside))


def main() -> None:
    """Serve it."""
    with Balloon() as balloon:
        serve(balloon)


if __name__ == "__main__":
    main()
