"""Internal operations that explain what was seen after an implementation was left to itself.

Between two events of a trace an implementation does nothing but what they say, save where it says `settle`: there it
may have scanned, paged out and in, taken pages apart and moved them. What was seen afterwards says what it did: pages
seen in one frame were shared, a page seen in a slot was paged out. Those operations are done, by the rules; the result
is then compared with all that was seen. That a page changed what it holds nothing explains.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pagelaw.spec import sharing
from pagelaw.spec.language import Blocked
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.vocabulary import MPN, Mapped, Page, Shared, SharedFrame, Swapped

from ..reference import operations as reference
from . import operations
from .candidate import Candidate
from .naming import Name
from .observing import contents_of, held


class NoWay(Exception):
    """What was seen cannot be explained: not at all, or not with what was seen (`settled_by` says what is missing)."""

    def __init__(self, told: str, clauses: tuple[str, ...], settled_by: str = "") -> None:
        super().__init__(told)
        self.clauses, self.settled_by = clauses, settled_by


def settle(c: Candidate, saw: list[dict[str, Any]], kinds: tuple[str, ...]) -> None:
    """Do what explains what was seen. NoWay, if there is nothing that does."""
    settling = Settling(c, {one["page"]: one for one in saw if "page" in one}, kinds)
    settling.contradictions()
    try:
        settling.page_out()
        settling.bring_together()
        settling.move()
    except Blocked as refused:
        told = f"was left to itself, and no internal operations were found for what was seen: {refused.reason.value}"
        raise NoWay(told, (), "all pages' frames and slots after each internal operation") from None


class Settling:
    """One candidate, and where its pages were seen."""

    def __init__(self, c: Candidate, seen: dict[Page, dict[str, Any]], kinds: tuple[str, ...]) -> None:
        self.c, self.s, self.seen, self.kinds = c, c.machine, seen, kinds
        self.groups: dict[Name, list[Page]] = {}
        for page, one in seen.items():
            if "frame" in one:
                self.groups.setdefault(one["frame"], []).append(page)

    def may(self, kind: str, told: str, clauses: tuple[str, ...]) -> None:
        """NoWay, if the trace does not say that such internal operations may have happened."""
        if kind not in self.kinds:
            raise NoWay(f"{told}; that takes an internal operation {kind!r}, and the trace allows only "
                        f"{', '.join(self.kinds)} here", clauses)  # fmt: skip

    def run(self, steps: Iterable[Any]) -> None:
        """Do the steps of an internal operation."""
        for rule, arguments in steps:
            self.c.do(rule, arguments)

    # What nothing explains.

    def contradictions(self) -> None:
        """NoWay, if what was seen contradicts what pages hold, or where they can be."""
        s = self.s
        for page, one in self.seen.items():
            somewhere = isinstance(s.pmap[page], Mapped | Swapped)
            there = "frame" in one or "slot" in one or one.get("is") in ("resident", "swapped")
            if there and not somewhere:
                raise NoWay(f"page {page!r} has a frame or slot, and nobody has touched it", ("ESX-2-09",))
            if somewhere and one.get("is") in ("absent", "untouched", "ballooned"):
                raise NoWay(f"page {page!r} is gone, and its guest did not give it up", ("ESX-2-09", "ESX-3.2-06"))
        slots: dict[Name, list[Page]] = {}
        for page, one in self.seen.items():
            if "slot" in one:
                slots.setdefault(one["slot"], []).append(page)
        for what, groups, clauses in (("frame", self.groups, ("ESX-4.2-04", "ESX-4.2-06", "ESX-2-11")),
                                      ("slot", slots, ("ESX-3.3-05", "ESX-2-11"))):  # fmt: skip
            for name, pages in groups.items():
                for page in pages[1:]:
                    if contents_of(self.c, page) != contents_of(self.c, pages[0]):
                        raise NoWay(
                            f"pages {pages[0]!r} and {page!r} are in one {what}, {name}, and hold "
                            f"{held(contents_of(self.c, pages[0]))} and {held(contents_of(self.c, page))}", clauses,
                        )  # fmt: skip
                    if s.domain[page.vm] != s.domain[pages[0].vm]:
                        raise NoWay(f"pages {pages[0]!r} and {page!r} are in one {what}, {name}, and their VMs are of "
                                    "two sharing domains", ("ESX-4.2-01", "ESX-4.2-06"))  # fmt: skip

    # What explains the rest.

    def page_out(self) -> None:
        """Pages seen in a slot were paged out; in another slot than before, brought in and paged out again."""
        for page, one in self.seen.items():
            backing = self.s.pmap[page]
            if "slot" not in one and one.get("is") != "swapped":
                continue
            if isinstance(backing, Swapped):
                if "slot" not in one or self.c.slots.name(backing.slot) in (None, one["slot"]):
                    continue
                self.bring_in(page)
            self.may("page_out", f"page {page!r} is in the swap area", ("ESX-3.3-02",))
            for _ in range(2):  # it may come to be shared first
                if isinstance(self.s.pmap[page], Mapped):
                    self.run(operations.page_out(self.c, page))

    def bring_in(self, page: Page) -> None:
        """A page came back from the swap area."""
        self.may("page_in", f"page {page!r} is in a frame", ("ESX-3.3-02",))
        self.run(operations.page_in(self.c, page, self.c.cpus(page.vm)[0]))

    def bring_together(self) -> None:
        """Pages seen in one frame came to share it."""
        for name, pages in self.groups.items():
            if len(pages) == 1:
                continue
            for page in pages:
                if isinstance(self.s.pmap[page], Swapped):
                    self.c.took = {"frame": f"(for {page!r})"}  # a frame of its own for now
                    self.bring_in(page)
                    self.c.took = {}
            anchor = next((page for page in pages if self.c.frames.name(self.frame(page)) == name), None)
            if anchor is None:
                unnamed = (page for page in pages if self.c.frames.name(self.frame(page)) is None)
                anchor = next(unnamed, pages[0])
            together = self.frame(anchor)
            rest = [page for page in pages if self.frame(page) is not together]
            for page in rest:
                self.share(page, anchor)

    def frame(self, page: Page) -> MPN:
        """The frame that a page has."""
        backing = self.s.pmap[page]
        assert isinstance(backing, Mapped)
        return backing.mpn

    def share(self, page: Page, anchor: Page) -> None:
        """A page came to share the frame of another."""
        s = self.s
        self.may("scan", f"pages {page!r} and {anchor!r} share a frame", ("ESX-4.2-06",))
        if isinstance(s.frame[self.frame(page)], Shared):
            self.take_apart(page)
        if not isinstance(s.frame[self.frame(anchor)], Shared):
            domain, key = s.domain[anchor.vm], sharing.key_of(s, anchor)
            if not sharing.has_hint(s, anchor, key, domain):
                self.run(((sharing.scan_leaves_hint, (anchor,)),))
            self.run(reference.share_through_hint(s, page, anchor))
        else:
            listed = s.table[s.domain[page.vm], sharing.key_of(s, page)]
            if listed != SharedFrame(self.frame(anchor)):
                raise NoWay(f"pages {page!r} and {anchor!r} share a frame that no scan finds", ("ESX-4.3-13",),
                            "all pages' frames after each internal operation")  # fmt: skip
            self.run(reference.share(s, page))

    def take_apart(self, page: Page, name: Name | None = None) -> None:
        """A page in a shared frame got one of its own."""
        self.may("unshare", f"page {page!r} has left its shared frame", ("ESX-4.2-08",))
        self.c.took = {"frame": f"(for {page!r})" if name is None else name}
        self.run(operations.unshare(self.c, page))
        self.c.took = {}

    def move(self) -> None:
        """Pages seen in a frame of their own came to be there: from a slot, a shared frame, another frame."""
        waiting = [name for name in self.groups if not self.is_there(name)]
        for _ in range(2 * len(waiting) + 1):
            if not waiting:
                return
            ready = [name for name in waiting if self.c.frames.find(name) is None]
            if ready:
                self.go_to(ready[0], self.groups[ready[0]])
            else:  # each waits for a frame that another has: one of them goes elsewhere first
                holder = self.c.frames.find(waiting[0])
                page = next(page for page in self.s.ids[Page] if self.s.pmap[page] == Mapped(holder))  # type: ignore[arg-type]
                self.go_to(f"(for {page!r})", [page])
            waiting = [name for name in waiting if not self.is_there(name)]

    def is_there(self, name: Name) -> bool:
        """Whether all pages seen in this frame are in it; a frame without a name gets this one."""
        backings = {self.s.pmap[page] for page in self.groups[name]}
        backing = next(iter(backings))
        if len(backings) > 1 or not isinstance(backing, Mapped):
            return False
        known = self.c.frames.name(backing.mpn)
        if known is None and self.c.frames.find(name) is None:
            self.c.frames.bind(name, backing.mpn)
        return self.c.frames.name(backing.mpn) == name

    def go_to(self, name: Name, pages: list[Page]) -> None:
        """A page goes to a frame that is free; pages that share one go there together."""
        first = pages[0]
        if isinstance(self.s.pmap[first], Swapped):
            self.c.took = {"frame": name}
            self.bring_in(first)
            self.c.took = {}
            return
        if not frame_is_private(self.s, first):
            self.take_apart(first, name)
            for page in pages[1:]:
                self.share(page, first)
            return
        self.may("migrate", f"page {first!r} is in another frame", ("ESX-2-08",))
        self.c.took = {"frame": name}
        self.run(operations.migrate(self.c, first))
        self.c.took = {}
