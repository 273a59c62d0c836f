"""Internal operations that explain what was seen after an implementation was left to itself.

Between two events of a trace an implementation does nothing but what they say, save where it says `settle`: there it
may have scanned, paged out and in, taken pages apart and moved them. What was seen afterwards says what it did: pages
seen in one frame were shared, a page seen in a slot was paged out. Those operations are done, by the rules; the result
is then compared with all that was seen. That a page changed what it holds nothing explains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pagelaw.spec import coherence, listing, paging, sharing
from pagelaw.spec import operations as in_common
from pagelaw.spec.language import Blocked
from pagelaw.spec.vocabulary import (
    MPN,
    Kept,
    KeptSlot,
    Mapped,
    NothingKept,
    Page,
    Shared,
    SharedFrame,
    Slot,
    Swapped,
)

from ..reference import operations as reference
from .candidate import PLAIN, SOMEWHERE, Candidate
from .naming import Name, as_told
from .observing import held
from .operations import OPERATIONS, PLAIN_STEPS, freedoms_of_limit

memory_of, frame_is_private = PLAIN(coherence.memory_of), PLAIN(in_common.frame_is_private)
key_of, has_hint = PLAIN(sharing.key_of), PLAIN(sharing.has_hint)


class NoWay(Exception):
    """What was seen cannot be explained: not at all, or not with what was seen (`settled_by` says what is missing)."""

    def __init__(
        self, told: str, clauses: tuple[str, ...], settled_by: str = "", lasts: bool = False,
        refused: Blocked | None = None,
    ) -> None:  # fmt: skip
        """lasts: whether that is so wherever pages were left before. refused: the step that would be needed and is
        not allowed: the last that the candidate has done."""
        super().__init__(told)
        self.clauses, self.settled_by, self.lasts, self.refused = clauses, settled_by, lasts, refused


UNTRIED = "all pages' frames and slots after each internal operation"
"""What would have to be seen to say whether others than those that were tried explain it."""


def settle(c: Candidate, saw: list[dict[str, Any]], kinds: tuple[str, ...]) -> None:
    """Do what explains what was seen. NoWay, if there is nothing that does."""
    settling = Settling(c, {one["page"]: one for one in saw if "page" in one}, kinds)
    try:
        settling.contradictions()
    except NoWay as no:
        no.lasts = True
        raise
    try:
        settling.page_out()
        settling.bring_together()
        settling.move()
    except Blocked as refused:
        told = f"was left to itself, and no internal operations were found by which {settling.explained}"
        raise NoWay(told, (), UNTRIED, refused=refused) from None


class Settling:
    """One candidate, and where its pages were seen."""

    def __init__(self, c: Candidate, seen: dict[Page, dict[str, Any]], kinds: tuple[str, ...]) -> None:
        self.c, self.s, self.seen, self.kinds = c, c.machine, seen, kinds
        self.explained = "pages are where they were seen"
        """What it does steps for."""
        self.groups: dict[Name, list[Page]] = {}
        for page, one in seen.items():
            if "frame" in one:
                self.groups.setdefault(one["frame"], []).append(page)
        self.slots: dict[Name, list[Page]] = {}
        for page, one in seen.items():
            if "slot" in one:
                self.slots.setdefault(one["slot"], []).append(page)

    def may(self, kind: str, told: str, clauses: tuple[str, ...],
            otherwise: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
        """NoWay, if the trace does not say that such internal operations may have happened. otherwise: whether others
        may have done the same, which are not tried."""
        self.explained = told
        if kind not in self.kinds:
            raise NoWay(f"{told}; that takes an internal operation {kind!r}, and the trace allows only "
                        f"{', '.join(self.kinds)} here", clauses, UNTRIED if otherwise() else "")  # fmt: skip

    # What nothing explains.

    def contradictions(self) -> None:
        """NoWay, if what was seen contradicts what pages hold, or where they can be."""
        s = self.s
        for page, one in self.seen.items():
            somewhere = isinstance(s.pmap[page], SOMEWHERE)
            there = "frame" in one or "slot" in one or one.get("is") in ("resident", "swapped")
            if there and not somewhere:
                raise NoWay(f"page {page!r} has a frame or slot, and nobody has touched it", ("ESX-2-09",))
            if somewhere and one.get("is") in ("absent", "untouched", "ballooned"):
                raise NoWay(f"page {page!r} is gone, and its guest did not give it up", ("ESX-2-09", "ESX-3.2-06"))
        for name, pages in self.groups.items():
            apart = s.zero_apart and memory_of(s, pages[0]) == s.zero
            if s.most_sharers and len(pages) > s.most_sharers and not apart:
                raise NoWay(f"{len(pages)} pages are in frame {as_told(name)}, and one has {s.most_sharers} users at "
                            "the most", ("R-54",))  # fmt: skip
        for what, groups, clauses in (("frame", self.groups, ("ESX-4.2-04", "ESX-4.2-06", "ESX-2-11")),
                                      ("slot", self.slots, ("ESX-3.3-05", "ESX-2-11"))):  # fmt: skip
            for name, pages in groups.items():
                first = memory_of(s, pages[0])
                for page in pages[1:]:
                    if memory_of(s, page) != first:
                        hold = f"{held(first)} and {held(memory_of(s, page))}"
                        told = f"pages {pages[0]!r} and {page!r} are in one {what}, {as_told(name)}, and hold {hold}"
                        raise NoWay(told, clauses)
                    if s.domain[page.vm] != s.domain[pages[0].vm]:
                        raise NoWay(f"pages {pages[0]!r} and {page!r} are in one {what}, {as_told(name)}, and their "
                                    "VMs are of two sharing domains", ("ESX-4.2-01", "ESX-4.2-06"))  # fmt: skip

    # What explains the rest.

    def page_out(self) -> None:
        """Pages seen in a slot were paged out; in another slot than before, brought in and paged out again."""
        self.gather_all()
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
                    self.c.do_all(OPERATIONS["page_out"].steps(self.c, page))

    def gather_all(self) -> None:
        """Pages joined those in a slot that they had no copy in: all shared a frame, before it was paged out."""
        inside: dict[Slot, list[Page]] = {}
        for page, backing in self.s.pmap.items():
            if type(backing) is Swapped:
                inside.setdefault(backing.slot, []).append(page)
        for name, pages in self.slots.items():
            slot = self.c.slots.find(name)
            if slot is None or slot not in inside:
                continue
            there = inside[slot]
            joined = [page for page in pages if type(self.s.pmap[page]) is Mapped]
            if any(KeptSlot(slot) not in self.copies(page) for page in joined):
                self.gather(name, sorted(there, key=lambda one: (one.vm.number, one.number)), joined)

    def copies(self, page: Page) -> tuple[Kept, Kept]:
        """The copies that a page with a frame can leave to: its own, and that of its frame."""
        own = not self.s.dirty[page] and frame_is_private(self.s, page)
        return self.s.kept[page] if own else NothingKept(), self.s.frame_slot[self.frame(page)]

    def gather(self, name: Name, there: list[Page], joined: list[Page]) -> None:
        """The pages that are there come back, share a frame with those that joined them, and are to be paged out."""
        if memory_of(self.c.machine, there[0]) != memory_of(self.c.machine, joined[0]):
            raise NoWay(f"pages {there[0]!r} and {joined[0]!r} are in one slot, {as_told(name)}, and hold "
                        f"{held(memory_of(self.c.machine, there[0]))} and {held(memory_of(self.c.machine, joined[0]))}",
                        ("ESX-3.3-05", "ESX-2-11"))  # fmt: skip
        for page in there:
            self.bring_apart(page)
            if self.s.kept[page] != NothingKept():
                self.c.do_all(((paging.forget_kept_slot, (page,)),))
        for page in (*there, *joined):
            if self.frame(page) is not self.frame(joined[0]):
                self.share(page, joined[0])
        for page in there:
            if page not in self.seen:
                self.seen[page] = {"slot": name}

    def bring_apart(self, page: Page) -> None:
        """A page came back from the swap area to a frame of its own for now."""
        self.c.took = {"frame": f"(for {page!r})"}
        self.bring_in(page)
        self.c.took = {}

    def bring_in(self, page: Page) -> None:
        """A page came back from the swap area."""
        self.may("page_in", f"page {page!r} is in a frame", ("ESX-3.3-02",))
        self.c.do_all(OPERATIONS["page_in"].steps(self.c, page, self.c.cpus(page.vm)[0]))

    def bring_together(self) -> None:
        """Pages seen in one frame came to share it. Frames are made only when others are full: these come first."""
        for name, seen in sorted(self.groups.items(), key=lambda group: (-len(group[1]), not self.is_shared(group[0]))):
            pages = [*self.others_in(name, seen), *seen]
            if len(pages) == 1:
                continue
            for page in pages:
                if isinstance(self.s.pmap[page], Swapped):
                    self.bring_apart(page)
            anchor = next((page for page in pages if self.c.frames.name(self.frame(page)) == name), None)
            if anchor is None:
                unnamed = (page for page in pages if self.c.frames.name(self.frame(page)) is None)
                anchor = next(unnamed, pages[0])
            known = self.c.frames.name(self.frame(anchor))
            if known not in (None, name) and self.c.frames.find(name) is None and frame_is_private(self.s, anchor):
                self.go_to(name, [anchor])
            together = self.frame(anchor)
            rest = [page for page in pages if self.frame(page) is not together]
            if not isinstance(self.s.frame[together], Shared):  # it is made shared, once no other holds the same
                rest.sort(key=lambda page: not isinstance(self.s.frame[self.frame(page)], Shared))
            for page in rest:
                self.share(page, anchor)

    def is_shared(self, name: Name) -> bool:
        """Whether a frame of this name was shared before."""
        mpn = self.c.frames.find(name)
        return mpn is not None and isinstance(self.s.frame[mpn], Shared)

    def others_in(self, name: Name, seen: list[Page]) -> list[Page]:
        """A page that is in the frame so far and is joined there by those that were seen; it may leave afterwards."""
        holder, s = self.c.frames.find(name), self.s
        if holder is None or "scan" not in self.kinds or Mapped(holder) in [s.pmap[page] for page in seen]:
            return []
        others = [page for page in s.ids[Page] if s.pmap[page] == Mapped(holder)]
        told = [self.seen[page] for page in others if page in self.seen]
        leaves = not isinstance(s.frame[holder], Shared) and any(
            one.keys() & {"frame", "slot"} or one.get("is") != "resident" for one in told
        )
        return [] if leaves else [
            page for page in others[:1]
            if memory_of(s, page) == memory_of(s, seen[0]) and s.domain[page.vm] == s.domain[seen[0].vm]
        ]  # fmt: skip

    def frame(self, page: Page) -> MPN:
        """The frame that a page has."""
        backing = self.s.pmap[page]
        assert isinstance(backing, Mapped)
        return backing.mpn

    def share(self, page: Page, anchor: Page) -> None:
        """A page came to share the frame of another."""
        s = self.s
        domain, key = s.domain[anchor.vm], key_of(s, anchor)
        is_found = isinstance(s.frame[self.frame(anchor)], Shared) or has_hint(s, anchor, key, domain)
        kind = "page_out" if is_found and "scan" not in self.kinds else "scan"  # a page-out shares, but leaves no hint
        self.may(kind, f"pages {page!r} and {anchor!r} share a frame", ("ESX-4.2-06",),
                 lambda: bool(self.c.unsure))
        if isinstance(s.frame[self.frame(page)], Shared):
            self.take_apart(page)
        if not isinstance(s.frame[self.frame(anchor)], Shared):
            if not has_hint(s, anchor, key, domain):
                self.c.do_all(((sharing.scan_leaves_hint, (anchor,)),))
            self.c.freedoms += freedoms_of_limit(s, page)
            self.c.do_all(PLAIN_STEPS(reference.share_through_hint)(s, page, anchor))
        else:
            listed = s.table[s.domain[page.vm], key_of(s, page)]
            if listed != SharedFrame(self.frame(anchor)) and not self.is_listed_again(anchor):
                raise NoWay(f"pages {page!r} and {anchor!r} share a frame that no scan finds", ("ESX-4.3-13",),
                            "all pages' frames after each internal operation")  # fmt: skip
            self.c.do_all(PLAIN_STEPS(reference.share)(s, page))

    def is_listed_again(self, anchor: Page) -> bool:
        """Whether the shared frame of a page had lost its place in the table, and can have it again: then it has."""
        mpn = self.frame(anchor)
        if mpn not in reference.unlisted(self.s, self.s.domain[anchor.vm], key_of(self.s, anchor)):
            return False
        self.c.do_all(((listing.list_again, (mpn,)),))
        return True

    def take_apart(self, page: Page, name: Name | None = None) -> None:
        """A page in a shared frame got one of its own."""
        self.may("unshare", f"page {page!r} has left its shared frame", ("ESX-4.2-08",),
                 lambda: self.may_have_gone(page))
        self.c.took = {"frame": f"(for {page!r})" if name is None else name}
        self.c.do_all(OPERATIONS["unshare"].steps(self.c, page))
        self.c.took = {}

    def move(self) -> None:
        """Pages seen in a frame of their own came to be there: from a slot, a shared frame, another frame."""
        waiting = {name: pages for name, pages in self.groups.items() if not self.is_there(name)}
        ready = [name for name in waiting if self.c.frames.find(name) is None]
        for _ in range(2 * len(self.s.ids[Page])):
            if not waiting:
                return
            if ready:
                name = ready.pop()
                pages = waiting.pop(name)
            else:  # each waits for a frame that another has: one of them goes elsewhere first
                holder = self.c.frames.find(next(iter(waiting)))
                backings = ((page, self.s.pmap[page]) for page in self.s.ids[Page])
                page = next((one for one, at in backings if isinstance(at, Mapped) and at.mpn is holder), None)
                if page is None:
                    told = f"frame {as_told(next(iter(waiting)))} holds a page, and a transfer or an operation has it"
                    raise NoWay(told, ("ESX-7-02",), "where all pages are after each internal operation")
                name, pages = f"(for {page!r})", [page]
            backing = self.s.pmap[pages[0]]
            left = self.c.frames.name(backing.mpn) if isinstance(backing, Mapped) else None
            self.go_to(name, pages)
            if left in waiting and self.c.frames.find(left) is None:
                ready.append(left)

    def may_have_gone(self, page: Page) -> bool:
        """Whether a page may have come to another frame by the swap area, or to that of a page that was not seen."""
        if {"page_out", "page_in"} <= set(self.kinds):
            return True
        s, shares = self.s, not {"scan", "page_out"}.isdisjoint(self.kinds)
        return shares and any(
            other != page and other not in self.seen and memory_of(s, other) == memory_of(s, page)
            for other, at in s.pmap.items() if isinstance(at, SOMEWHERE)
        )  # fmt: skip

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
        self.may("migrate", f"page {first!r} is in another frame", ("ESX-2-08",), lambda: self.may_have_gone(first))
        self.c.took = {"frame": name}
        self.c.do_all(OPERATIONS["migrate"].steps(self.c, first))
        self.c.took = {}
