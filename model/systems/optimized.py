"""The memory manager of `pagelaw.model.optimized` as an implementation, on real pages of 4,096 bytes.

    python -m pagelaw.model.systems.optimized [--option NAME]... [--low] [--fault ID]
"""

from __future__ import annotations

import argparse
import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from ..optimized.compiling import IS_COMPILED, PLAIN
from ..optimized.devices import Transfer
from ..optimized.faults import faults, switched_on
from ..optimized.memory import Machine
from ..optimized.refusing import Refusal
from ..optimized.scanning import MERGED
from ..optimized.sharing import Memory
from ..optimized.state import BALLOONED, SWAPPED, UNTOUCHED, number_of
from .serving import serve

WORD = 8
"""Bytes of a word of a trace."""
TELLS = ("driver", "balloon_target", "swap_target")
"""Decisions of policy that the manager keeps to: all that a trace can tell of."""

OPTIONS = ("displace", "take_over", "keep_slot", "swap_shared")
"""Freedoms of `pagelaw.spec.profiles` that the manager can take."""
LOW_MEMORY = {"frames": 10, "low": ["f0", "f1"], "low_reserve": 1, "remap_after": 0,
              "vms": [{"name": name, "pages": 6, "minimum": 1} for name in "AB"],
              "frame_names": [f"f{frame}" for frame in range(10)]}  # fmt: skip
"""Two of ten frames in low memory, the last of them for devices; a page is hot that was copied once."""
ANSWERED = ("read", "scan", "transfer_read")
"""Operations that answer something."""


class Optimized:
    """One machine, run by the memory manager. What it refuses it names; nothing is asked of the rules."""

    def __init__(self, options: Iterable[str] = (), low: bool = False) -> None:
        self.options = dict.fromkeys(options, True)
        self.needs = LOW_MEMORY if low else {}
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "power_on": lambda event: self.memory.power_on(self.vms[event["vm"]]),
            "power_off": self.power_off,
            "touch": lambda event: self.memory.read(*self.of(event), 0, 0),
            "read": self.read,
            "write": lambda event: self.memory.write(*self.of(event), *self.word(event)),
            "start_driver": self.start_driver,
            "set_balloon_target": lambda event: self.memory.set_balloon_target(self.vms[event["vm"]], event["pages"]),
            "inflate": lambda event: self.memory.inflate(*self.of(event)),
            "deflate": lambda event: self.memory.deflate(*self.of(event)),
            "set_swap_target": lambda event: self.memory.set_swap_target(self.vms[event["vm"]], event["pages"]),
            "page_out": lambda event: self.memory.page_out(*self.of(event)),
            "page_in": self.page_in,
            "scan": lambda event: "shared" if self.memory.scan(*self.of(event)) == MERGED else "not shared",
            "start_transfer": self.start_transfer,
            "transfer_write": lambda event: self.memory.device_write(self.transfer(event), *self.word(event)),
            "transfer_read": self.transfer_read,
            "remap": lambda event: self.memory.remap(*self.of(event)),
            "end_transfer": lambda event: self.memory.end_transfer(self.transfer(event)),
        }
        if "displace" in self.options:
            self.operations["make_room"] = self.make_room

    def start(self) -> dict[str, Any]:
        """What it can do."""
        return {"pagelaw": 1, "system": "pagelaw optimized", "tells": [*TELLS], "operations": [*self.operations],
                "options": self.options, "machine": self.needs}  # fmt: skip

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """A new machine."""
        given = machine["vms"]
        self.vms = {vm["name"]: number for number, vm in enumerate(given)}
        self.words = machine.get("words", 1)
        self.transfers: dict[str, Transfer] = {}
        self.memory = Memory(Machine(
            pages=tuple(vm["pages"] for vm in given), minimum=tuple(vm.get("minimum", 0) for vm in given),
            overhead=tuple(vm.get("overhead", 0) for vm in given), domains=tuple(vm.get("domain", 0) for vm in given),
            frames=machine["frames"], slots=machine.get("slots", 0), count_top=machine.get("count_top", 65_535),
            low_frames=len(machine["low"]) if "low" in machine else None, low_reserve=machine.get("low_reserve", 0),
            remap_after=machine.get("remap_after", 1),
            **self.options,
        ))  # fmt: skip
        return {}

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        """One operation: what it answered, and where the page is then."""
        try:
            got = self.operations[event["do"]](event)
        except Refusal as refused:
            of_low = event["do"] in ("start_transfer", "remap", "make_room") and refused.reason == "NO_FREE_FRAME"
            return {"refused": True if of_low and self.needs else refused.reason}  # which frame it is not, is not said
        made: dict[str, Any] = {"got": got} if event["do"] in ANSWERED else {}
        of_page = [self.seen(event)] if "page" in event else []
        counts = {"free_frames": self.memory.free_frames, "free_slots": len(self.memory.slots)}
        return made | {"saw": [*of_page, counts]}

    # What the fields of an event say.

    def of(self, event: dict[str, Any]) -> tuple[int, int]:
        """The VM and its page."""
        return self.vms[event["vm"]], event["page"]

    def word(self, event: dict[str, Any]) -> tuple[int, bytes]:
        """Where in a page a word is, and what is to be written there."""
        return event["word"] * WORD, event["value"].to_bytes(WORD, "little")

    def transfer(self, event: dict[str, Any]) -> Any:
        """The transfer that is named; None if there is none, which the manager refuses."""
        return self.transfers.get(event["transfer"])

    # What is more than one call.

    def power_off(self, event: dict[str, Any]) -> None:
        """The VM's devices end first."""
        vm = self.vms[event["vm"]]
        self.memory.running(vm)
        for transfer in [one for one in self.memory.transfers if one.vm == vm]:
            self.memory.end_transfer(transfer)
        self.memory.power_off(vm)

    def read(self, event: dict[str, Any]) -> int:
        """One word."""
        return int.from_bytes(self.memory.read(*self.of(event), event["word"] * WORD, WORD), "little")

    def transfer_read(self, event: dict[str, Any]) -> int:
        """One word."""
        return int.from_bytes(self.memory.device_read(self.transfer(event), event["word"] * WORD, WORD), "little")

    def start_driver(self, event: dict[str, Any]) -> None:
        """The driver starts, if there is none, and is reset."""
        vm = self.vms[event["vm"]]
        if self.memory.vm(vm).driver == "none":
            self.memory.start_driver(vm)
        if self.memory.vm(vm).driver == "reset":
            self.memory.reset_driver(vm)

    def page_in(self, event: dict[str, Any]) -> None:
        """A frame is taken, and what was in the slot is read into it."""
        self.memory.start_page_in(*self.of(event))
        self.memory.finish_page_in(*self.of(event))

    def make_room(self, event: dict[str, Any]) -> None:
        """For the first page that waits for a low frame; if none does it is refused."""
        memory, (vm, ppn) = self.memory, self.of(event)
        waits = next(filter(memory.waits_for_low, range(len(memory.state.pmap))), memory.place(vm, ppn))
        of = bisect_right(memory.first_pages, waits) - 1
        memory.make_room(vm, ppn, of, waits - memory.first_pages[of])

    def start_transfer(self, event: dict[str, Any]) -> None:
        """A name is used for one transfer at a time."""
        if self.transfers.get(event["transfer"]) in self.memory.transfers:
            raise Refusal("TRANSFER_IN_PROGRESS")
        self.transfers[event["transfer"]] = self.memory.start_transfer(*self.of(event), event["writes"])

    # What is seen.

    def seen(self, event: dict[str, Any]) -> dict[str, Any]:
        """Where a page is, and what its frame holds."""
        memory, place = self.memory, self.memory.place(*self.of(event))
        made: dict[str, Any] = {"vm": event["vm"], "page": event["page"]}
        kind = memory.kind(place)
        if kind in (UNTOUCHED, BALLOONED):
            return made | {"is": "untouched" if kind == UNTOUCHED else "ballooned"}
        if kind == SWAPPED:
            return made | {"slot": f"s{number_of(memory.state.pmap[place])}"}
        frame = memory.frame(place)
        return made | {"frame": f"f{frame}", "words": memory.state.words[frame, : self.words].tolist()}


def main() -> None:
    """Serve it, not compiled: compiling takes longer than an answer may."""
    if IS_COMPILED:
        os.execve(sys.executable, sys.orig_argv, os.environ | {PLAIN: "1"})
    parser = argparse.ArgumentParser(description="The memory manager as a program for pagelaw conform.")
    parser.add_argument("--fault", choices=faults(), metavar="ID", help="with a known fault: IM-1 and so on")
    parser.add_argument("--option", choices=OPTIONS, metavar="NAME", action="append", default=[],
                        help=f"with a freedom: {', '.join(OPTIONS)}")  # fmt: skip
    parser.add_argument("--low", action="store_true", help="with high memory, which devices do not reach")
    given = parser.parse_args()
    with switched_on(faults()[given.fault]) if given.fault else nullcontext():
        serve(Optimized(given.option, given.low))


if __name__ == "__main__":
    main()
