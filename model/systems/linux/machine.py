"""Operations of a trace, done by the kernel of this machine; what is seen afterwards."""

from __future__ import annotations

import mmap
import os
import platform
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from .keeping import CannotRun, Keeper
from .knobs import Group, Scanner, frame_of_zeros, ksm_is_free, swap_area
from .processes import FRAME, IN_SWAP, PAGE, PAGEOUT, PRESENT, VM

MACHINE: dict[str, Any] = {
    "vms": [{"name": name, "pages": 64} for name in "ABCD"], "frames": 320, "slots": 512, "words": 2,
}  # fmt: skip
"""What is told of the machine: more frames and slots than its VMs can use."""
PAGED_OUT = ["page_out", "page_in", "scan"]
"""Internal operations that explain that pages are in a slot together: all of them shared a frame before."""
TRIES = 3
"""How often the kernel is asked to page a page out: it is free to pass over it."""
IS_KSM = 21
"""The bit of /proc/kpageflags that marks a frame that the scanner made shared."""
Seen = dict[str, Any]


class Unsupported(Exception):
    """Nothing that this kernel could do, or would."""


def cannot() -> str:
    """Why it cannot run here, in one line; nothing, if it can."""
    try:
        frame_of_zeros()
        ksm_is_free()
    except CannotRun as why:
        return str(why)
    return ""


class Linux:
    """VMs on this kernel. Use it in a `with` block, after which everything is as it was; CannotRun, if it cannot be.

    sharers: the greatest number of users of a shared frame, 0 for any number. If it is said there is no swap area:
    pages that come from there to a frame that others have are not counted by the kernel.
    """

    def __init__(self, sharers: int = 0) -> None:
        self.sharers = sharers
        self.vms: dict[str, VM] = {}
        self.without: list[str] = []
        """What this machine does not let it do, and why."""
        self.counts: Counter[str] = Counter()
        """What the kernel was seen to do."""
        self.turn = 0
        self.noticed: list[dict[str, Any]] = []
        """What it did by itself during the last operation: events for the trace, after that of the operation."""

    # Its surroundings.

    def __enter__(self) -> Self:
        self.zeros = frame_of_zeros()
        ksm_is_free()
        with ExitStack() as stack:
            self.keeper = stack.enter_context(Keeper())
            stack.callback(self.all_off)
            self.scanner = Scanner(self.keeper, self.sharers)
            why = "the number of sharers is limited" if self.sharers else swap_area(self.keeper)
            self.has_swap = not why
            self.group = self.make_group(why)
            self.flags = stack.enter_context(open("/proc/kpageflags", "rb", buffering=0)).fileno()
            self.users = stack.enter_context(open("/proc/kpagecount", "rb", buffering=0)).fileno()
            self._stack = stack.pop_all()
        return self

    def make_group(self, why: str) -> Group | None:
        """The control group of the VMs, if there can be one. why: why there is no swap area, if there is none."""
        if why:
            self.without.append(f"without a swap area: {why}")
            return None
        try:
            return Group(self.keeper)
        except OSError as error:
            self.without.append(f"shared pages are not paged out: no memory control group ({error.strerror or error})")
            return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def all_off(self) -> None:
        """No VM runs any more."""
        for vm in self.vms.values():
            vm.end()
        self.vms = {}

    # The protocol.

    def start(self) -> dict[str, Any]:
        """What it can do."""
        swap = ["page_out", "page_in"] if self.has_swap else []
        return {
            "pagelaw": 1, "system": f"Linux {platform.release()}", "profile": "linux", "machine": MACHINE,
            "options": {"most_sharers": self.sharers, "zero_apart": False},  # as the scanner is told
            "operations": ["power_on", "power_off", "read", "write", "touch", "inflate", *swap],
        }  # fmt: skip

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """All VMs are off."""
        self.all_off()
        self.sizes = {vm["name"]: vm["pages"] for vm in machine["vms"]}
        words = machine.get("words", 1)
        self.places: list[int] = [word * (PAGE - 8) // max(words - 1, 1) // 8 * 8 for word in range(words)]
        """Where in a page the words of the trace are: the first and the last, and between them."""
        self.ballooned: dict[str, set[int]] = {}
        self.known: dict[str, list[int]] = {name: [0] * pages for name, pages in self.sizes.items()}
        """What the kernel last said of each page."""
        return {}

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        """One operation, or something that the kernel does by itself; what was seen then."""
        self.noticed = []
        if "settle" in event:
            return {"saw": self.settle(event["settle"][0])}
        before, users = self.entry(event), self.users_of(event)
        try:
            made = OPERATIONS[event["do"]](self, event)
        except Unsupported:
            return {"unsupported": True}
        answer: dict[str, Any] = {} if made is None else {"got": made}
        saw = self.changed(event)
        if before & IN_SWAP and self.users_of(event) > 1 and self.has_equal_elsewhere(event):
            self.take_out(event)
            saw = self.changed(event)
        after = self.entry(event)
        if before & IN_SWAP and self.users_of(event) > 1:
            self.notice(["scan"], saw, "pages that came from the swap area to a frame that others have")
        elif event["do"] == "write" and users == 1 and after & PRESENT and (before ^ after) & FRAME:
            self.notice(["migrate"], saw, "pages that nobody shared and that were copied when they were written")
        elif event["do"] == "page_out" and self.others_have(event):
            self.notice(PAGED_OUT, saw, "pages that went to a slot that others had")
            return {"unsupported": True}
        return answer | {"saw": saw}

    def notice(self, kinds: list[str], saw: list[Seen], what: str) -> None:
        """The kernel has done more than was asked: where the page is now is told afterwards, as its own doing.

        A frame that holds what a slot holds stays with the slot (the swap cache), also if the frame comes to be
        shared. A page that comes from that slot gets that frame; a page that is the only one to have such a frame is
        copied when it is written, and goes back to that slot. Whether such a frame counts as shared cannot be told by
        that: it is not said of frames with one user. Where all other pages are is told too: nothing else was done.
        """
        own = saw.pop(0)
        others = [one for one in self.all_pages(words=False) if one["vm"] != own["vm"] or one["page"] != own["page"]]
        self.noticed.append({"settle": kinds, "saw": [own, *others]})
        self.counts[what] += 1

    def has_equal_elsewhere(self, event: dict[str, Any]) -> bool:
        """Whether some page that holds the same as that of an event has another frame."""
        seen = self.all_pages(words=True)
        own = next(one for one in seen if one["vm"] == event["vm"] and one["page"] == event["page"])
        return any("frame" in one and one["words"] == own["words"] and one["frame"] != own["frame"] for one in seen)

    def take_out(self, event: dict[str, Any]) -> None:
        """A page in a frame that others have writes what it holds: so it gets one of its own.

        The kernel may share two frames that hold the same, one of them by way of the swap cache. By the
        specification there is one.
        """
        vm, page = self.vm(event), event["page"]
        vm.write(page, 0, vm.held(page, 0))
        self.counts["pages that were taken out of a second frame with the same contents"] += 1

    def others_have(self, event: dict[str, Any]) -> bool:
        """Whether the kernel says the same of another page as of that of an event."""
        return sum(known.count(self.entry(event)) for known in self.known.values()) > 1

    # Operations.

    def vm(self, event: dict[str, Any]) -> VM:
        """The VM, if it runs."""
        try:
            return self.vms[event["vm"]]
        except KeyError:
            raise Unsupported from None

    def power_on(self, event: dict[str, Any]) -> None:
        """A process is forked."""
        name = event["vm"]
        if name in self.vms:
            raise Unsupported
        self.vms[name] = VM(self.sizes[name])  # first noted, then started: it is ended whenever a signal comes
        self.vms[name].start()
        self.ballooned[name] = set()
        if self.group is not None:
            self.group.add(self.vms[name].pid)

    def power_off(self, event: dict[str, Any]) -> None:
        """The process is ended."""
        self.vm(event).end()
        del self.vms[event["vm"]]

    def read(self, event: dict[str, Any]) -> int:
        """The VM reads a word. A page that then has the frame of zeros is written too: so it gets one of its own."""
        vm, page = self.vm(event), event["page"]
        made = vm.read(page, self.places[event["word"]])
        if not self.frame_of(vm, page):
            vm.write(page, 0, 0)
        self.ballooned[event["vm"]].discard(page)
        return made

    def touch(self, event: dict[str, Any]) -> None:
        """The VM reads a word, and nobody asks what it was."""
        self.read(event | {"word": 0})

    def write(self, event: dict[str, Any]) -> None:
        """The VM writes a word."""
        self.vm(event).write(event["page"], self.places[event["word"]], event["value"])
        self.ballooned[event["vm"]].discard(event["page"])

    def inflate(self, event: dict[str, Any]) -> None:
        """The VM gives a page back (MADV_DONTNEED), unless it has done so: its driver knows."""
        vm, held = self.vm(event), self.ballooned[event["vm"]]
        if event["page"] in held:
            raise Unsupported
        vm.advise(event["page"], 1, mmap.MADV_DONTNEED)
        held.add(event["page"])

    def page_out(self, event: dict[str, Any]) -> None:
        """The kernel is asked to page a page out (MADV_PAGEOUT); it may pass over it. Shared ones it leaves alone."""
        vm, page = self.vm(event), event["page"]
        frame = self.frame_of(vm, page)
        if not frame or self.said_of(self.users, frame) > 1:
            raise Unsupported
        for _ in range(TRIES):
            vm.advise(page, 1, PAGEOUT)
            if vm.pagemap()[page] & IN_SWAP:
                return
        self.counts["page-outs that the kernel passed over"] += 1
        raise Unsupported

    def page_in(self, event: dict[str, Any]) -> None:
        """The VM reads a page that is in the swap area."""
        vm, page = self.vm(event), event["page"]
        if not vm.pagemap()[page] & IN_SWAP:
            raise Unsupported
        vm.read(page, 0)

    def entry(self, event: dict[str, Any]) -> int:
        """What the kernel last said of the page of an event; 0 without one."""
        return self.known[event["vm"]][event["page"]] if "page" in event else 0

    def users_of(self, event: dict[str, Any]) -> int:
        """How many pages have the frame of its page; 0 if it has none."""
        entry = self.entry(event)
        return self.said_of(self.users, entry & FRAME) if entry & PRESENT else 0

    def frame_of(self, vm: VM, page: int) -> int:
        """The page's frame; 0 if it has none, or that of zeros."""
        entry = vm.pagemap()[page]
        return entry & FRAME if entry & PRESENT and entry & FRAME != self.zeros else 0

    # What the kernel does by itself.

    def settle(self, kind: str) -> list[Seen]:
        """It is made to scan, to take all shared frames apart, to move pages, to page out; then all pages are seen."""
        if kind == "scan":
            self.scanner.scan()
        elif kind == "unshare":
            self.scanner.unshare()
        elif kind == "migrate":
            self.move_pages()
        elif self.group is not None:
            self.group.page_out()
        self.changes()
        seen = self.all_pages(words=True)
        frames = {one["frame"]: tuple(one["words"]) for one in seen if "frame" in one}
        if kind == "scan":
            self.counts["frames that hold the same as another after a scan"] += len(frames) - len({*frames.values()})
        return seen + [self.seen_of_frame(frame) for frame in frames]

    def move_pages(self) -> None:
        """The pages of a VM are copied to a huge page; the VMs' turns come one after another."""
        self.turn += 1
        names = [*self.vms]
        try:
            self.vms[names[self.turn % len(names)]].remake(self.zeros)
        except OSError as error:
            self.counts[f"VMs whose pages could not be moved ({error.strerror})"] += 1

    # What is seen.

    def changes(self) -> list[tuple[str, int]]:
        """The pages of which the kernel says something else than before."""
        found = []
        for name in self.sizes:
            now = list(self.vms[name].pagemap()) if name in self.vms else [0] * self.sizes[name]
            before = self.known[name]
            if now != before:
                pages = [page for page, entry in enumerate(now) if entry != before[page]]
                found += [(name, page) for page in pages]
                for page in pages:
                    self.count(before[page], now[page])
                self.known[name] = now
        return found

    def count(self, before: int, now: int) -> None:
        """What happened to a page, as far as that can be said of one page alone."""
        if before & PRESENT and now & PRESENT and (before ^ now) & FRAME and before & FRAME != self.zeros:
            self.counts["pages that changed their frame"] += 1
        elif before & PRESENT and now & IN_SWAP:
            self.counts["pages that went to the swap area"] += 1
        elif before & IN_SWAP and now & PRESENT:
            self.counts["pages that came from the swap area"] += 1

    def changed(self, event: dict[str, Any]) -> list[Seen]:
        """All pages that are not where they were, and the one of the event, with what it holds."""
        own = (event["vm"], event.get("page", -1))
        pages = dict.fromkeys([own] if "page" in event else []) | dict.fromkeys(self.changes())
        found = [self.seen(name, page, words=(name, page) == own) for name, page in pages if name in self.vms]
        return [one for one in found if len(one) > 2]

    def all_pages(self, words: bool) -> list[Seen]:
        """Where every page is."""
        found = [self.seen(name, page, words) for name, vm in self.vms.items() for page in range(vm.pages)]
        return [one for one in found if len(one) > 2]

    def seen(self, name: str, page: int, words: bool) -> Seen:
        """Where a page is; no more than its name, if it has the frame of zeros."""
        entry, made = self.known[name][page], {"vm": name, "page": page}
        if entry & IN_SWAP:
            return made | {"slot": (entry & FRAME) >> 5}
        if not entry & PRESENT:
            return made | {"is": "absent"}
        if entry & FRAME == self.zeros:
            return made
        held = {"words": [self.vms[name].held(page, at) for at in self.places]} if words else {}
        return made | {"frame": entry & FRAME} | held

    def seen_of_frame(self, frame: int) -> Seen:
        """How many pages have it; of more than one, whether the scanner made it shared."""
        users = self.said_of(self.users, frame)
        shared = self.said_of(self.flags, frame) >> IS_KSM & 1
        return {"frame": frame, "users": users} | ({"is": "shared" if shared else "private"} if users > 1 else {})

    def said_of(self, file: int, frame: int) -> int:
        """What a file of the kernel says of a frame."""
        return int.from_bytes(os.pread(file, 8, frame * 8), "little")


OPERATIONS: dict[str, Callable[[Linux, dict[str, Any]], int | None]] = {
    "power_on": Linux.power_on, "power_off": Linux.power_off, "read": Linux.read, "write": Linux.write,
    "touch": Linux.touch, "inflate": Linux.inflate, "page_out": Linux.page_out, "page_in": Linux.page_in,
}  # fmt: skip
