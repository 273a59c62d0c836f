"""What to do next in a long random run on the kernel: mostly what guests do, at times what the kernel does itself."""

from __future__ import annotations

from random import Random
from typing import Any

from .machine import PAGED_OUT, Linux
from .processes import IN_SWAP, PRESENT

WEIGHTS = {
    "write": 400, "read": 200, "touch": 40, "page_out": 120, "page_in": 40, "inflate": 50, "power_off": 2,
    "scan": 14, "unshare": 2, "migrate": 4, "page_out of all": 3,
}  # fmt: skip
"""How often each is drawn."""
VALUES = (0, 0, 1, 1, 2, 3)
"""What is written: few values, so that pages come to be equal."""
SETTLES = {
    "scan": ["scan", "unshare", "migrate"], "unshare": ["unshare", "migrate"],
    "migrate": ["migrate", "page_in", "unshare", "scan"], "page_out of all": PAGED_OUT,
}  # fmt: skip
"""Internal operations that the kernel may do when it is told to do that.

A shared frame all of whose users are in the swap area may still be known to the scanner: pages come to share it then.
One to which a single page came back from there may not be: the scanner makes another one, to which that page comes.
"""


class Drawing:
    """Draws what to do, by where the pages are."""

    def __init__(self, linux: Linux, random: Random) -> None:
        self.linux, self.random = linux, random
        able = {*linux.start()["operations"], "scan", "unshare", "migrate"}
        if linux.group is not None:
            able.add("page_out of all")
        self.names = [name for name in WEIGHTS if name in able]
        self.weights = [WEIGHTS[name] for name in self.names]

    def beginning(self) -> list[dict[str, Any]]:
        """All VMs are powered on."""
        return [{"do": "power_on", "vm": name} for name in self.linux.sizes]

    def next(self) -> dict[str, Any]:
        """The next event."""
        random, linux = self.random, self.linux
        off = [name for name in linux.sizes if name not in linux.vms]
        if off and random.random() < 0.2 + (len(off) == len(linux.sizes)):
            return {"do": "power_on", "vm": random.choice(off)}
        name = random.choices(self.names, self.weights)[0]
        if name in SETTLES:
            in_swap = any(entry & IN_SWAP for entries in linux.known.values() for entry in entries)
            without = ["scan", "unshare"] if linux.has_swap else ["scan"]
            return {"settle": without if name == "scan" and not in_swap else SETTLES[name]}
        vm = random.choice([*linux.vms])
        if name == "power_off":
            return {"do": name, "vm": vm}
        event: dict[str, Any] = {"do": name, "vm": vm, "page": self.page(name, vm)}
        if name in ("read", "write"):
            event["word"] = random.randrange(len(linux.places))
        if name == "write":
            event["value"] = random.choice(VALUES)
        return event

    def page(self, name: str, vm: str) -> int:
        """A page of which the operation makes sense, if there is one."""
        entries = self.linux.known[vm]
        fit = list(range(len(entries)))
        if name == "page_in":
            fit = [page for page in fit if entries[page] & IN_SWAP]
        elif name == "page_out":
            fit = [page for page in fit if entries[page] & PRESENT]
        elif name == "inflate":
            fit = [page for page in fit if page not in self.linux.ballooned[vm]]
        return self.random.choice(fit or range(len(entries)))
