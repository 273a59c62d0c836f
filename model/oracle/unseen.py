"""What internal operations that nobody saw may have left otherwise than a candidate has it, and what never.

After a settlement it is known of a page where it is only if that was seen. Scans, page-outs and page-ins, copies and
moves change what is in which frame or slot, and who shares; they never change what a page holds, whether it has a frame
or slot at all, what a VM's balloon holds, who runs and what is reserved. So from the pages whose place is known, and
from what the others hold, follow bounds of what can be seen. What is beyond them is forbidden wherever pages were left.
Bounds may be wider than what can happen, never narrower: where it is not certain, nothing is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum
from fractions import Fraction
from typing import Any

from pagelaw.spec.coherence import memory_of
from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM, Contents
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import MPN, Domain, Free, Mapped, Page, Running, Slot, Swapped

from .candidate import SOMEWHERE, Candidate
from .naming import Name
from .observing import KINDS

SHARES = frozenset(("scan", "page_out"))
"""Internal operations after which more pages may share a frame: a page-out tries that first."""
STANDS = frozenset((
    Refused.VM_NOT_RUNNING, Refused.VM_NOT_OFF, Refused.VM_NOT_DYING, Refused.VM_IS_OFF, Refused.OTHER_VM,
    Refused.NOT_UNTOUCHED, Refused.NOT_BALLOONED, Refused.ALREADY_BALLOONED, Refused.NO_DRIVER, Refused.DRIVER_PRESENT,
    Refused.NO_RESET_PENDING, Refused.NOT_A_LEVEL, Refused.TRANSFER_IN_PROGRESS, Refused.NO_TRANSFER,
    Refused.NO_MEMORY_TO_RESERVE, Refused.NO_SWAP_TO_RESERVE, Refused.SAME_PAGE,
))  # fmt: skip
"""Reasons that stand, or do not, whatever internal operations did."""
ON_SHARED = ("write", "start_transfer", "unshare", "migrate", "remap")
"""Operations that do otherwise if the page's frame is listed as shared."""
UNSURE: dict[str, frozenset[str]] = {
    "write": frozenset(), "start_transfer": frozenset(), "scan": frozenset(("scan",)),
    "page_out": frozenset(("page_out", "page_in")),
}  # fmt: skip
"""Operations after which a page may be elsewhere than a candidate has it, as it was not seen what hints there are and
which frames are shared: like internal operations of these kinds."""
OF_PLACES = ("frame", "slot_count", "kept", "dirty")
"""Fields that may be otherwise though it was seen of every page where it is: frames that one page has alone may be
listed as shared or not, and copies in slots be kept or not."""


class Unseen:
    """What is certain of one candidate, though internal operations of these kinds happened that were not all seen."""

    def __init__(self, c: Candidate, kinds: frozenset[str]) -> None:
        self.c, self.s, self.kinds = c, c.machine, kinds
        self.there = [page for page, at in self.s.pmap.items() if isinstance(at, SOMEWHERE)]
        self.open = [page for page in self.there if page in c.unsettled or page in c.elsewhere]

    def is_known(self, page: Page) -> bool:
        """Whether it is known where the page is, or that it is nowhere."""
        return page not in self.c.unsettled and page not in self.c.elsewhere

    def in_frame(self, page: Page) -> bool | None:
        """Whether the page has a frame; None if that is not certain."""
        at = self.s.pmap[page]
        kind = {Mapped: "page_out", Swapped: "page_in"}.get(type(at))
        return None if page in self.c.unsettled and kind in self.kinds else isinstance(at, Mapped)

    def known_in(self, at: Mapped | Swapped) -> list[Page]:
        """Pages that are certainly there."""
        return [page for page in self.there if self.s.pmap[page] == at and self.is_known(page)]

    def kind_of(self, page: Page) -> tuple[Domain, Contents]:
        """Pages may share a frame only if this is equal."""
        return self.s.domain[page.vm], memory_of(self.s, page)

    # Observations.

    def contradicts(self, saw: Iterable[dict[str, Any]]) -> bool:
        """Whether something was seen that is so wherever internal operations may have left pages: in none of them."""
        pages = [one for one in saw if "page" in one]
        if any(map(self.of_page, pages)) or self.apart(pages, "frame") or self.apart(pages, "slot"):
            return True
        return any(self._asked(one)(one) for one in saw if "page" not in one and "virtual" not in one)

    def _asked(self, one: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
        if "vm" in one:
            return self.of_vm
        return self.of_frame if "frame" in one else self.of_slot if "slot" in one else self.of_all

    def of_page(self, one: dict[str, Any]) -> bool:
        """Whether a page cannot be where it was seen, or hold that."""
        page, at = one["page"], self.s.pmap[one["page"]]
        if differ(one, memory_of(self.s, page)):
            return True
        if not isinstance(at, SOMEWHERE):
            return "frame" in one or "slot" in one or ("is" in one and not isinstance(at, KINDS[one["is"]]))
        if one.get("is") in ("absent", "untouched", "ballooned"):
            return True
        framed = "frame" in one or one.get("is") == "resident"
        if (framed or "slot" in one or "is" in one) and self.in_frame(page) not in (None, framed):
            return True
        named = self.c.frames.name(at.mpn) if isinstance(at, Mapped) else self.c.slots.name(at.slot)
        if self.is_known(page) and named is not None and named != one.get("frame", one.get("slot", named)):
            return True
        mpn = self.c.frames.find(one["frame"]) if "frame" in one else None
        there = self.known_in(Mapped(mpn)) if mpn is not None else []
        return any(other != page and self.kind_of(other) != self.kind_of(page) for other in there)

    def apart(self, pages: list[dict[str, Any]], what: str) -> bool:
        """Whether pages were seen in one frame or slot that can never share it."""
        first: dict[Any, Page] = {}
        for one in pages:
            if what in one and self.kind_of(first.setdefault(one[what], one["page"])) != self.kind_of(one["page"]):
                return True
        return False

    def of_vm(self, one: dict[str, Any]) -> bool:
        """Whether its counts cannot be so."""
        s, vm = self.s, one["vm"]
        low, high, pages = self.resident(vm)
        resident, swapped = one.get("resident", low), one.get("swapped", pages - low)
        if not (low <= resident <= high and pages - high <= swapped <= pages - low):
            return True
        if "resident" in one and "swapped" in one and resident + swapped != pages:
            return True
        due = {"ballooned": s.balloon_size[vm], "runs": s.life[vm] == Running(), "touched": s.touched[vm],
               "target": s.target[vm], "estimate": s.estimate[vm]}  # fmt: skip
        return any(name in one and Fraction(one[name]) != value for name, value in due.items())

    def resident(self, vm: VM) -> tuple[int, int, int]:
        """The fewest and most pages of a VM that may have a frame; those that have a frame or slot."""
        framed = Counter(self.in_frame(page) for page in self.there if page.vm == vm)
        return framed[True], framed[True] + framed[None], framed.total()

    def of_frame(self, one: dict[str, Any]) -> bool:
        """Whether a frame cannot be used so."""
        mpn = self.c.frames.find(one["frame"])
        if mpn is None:
            return not self.c.frames_unnamed() and (not self.open or self.kinds <= SHARES)
        known = self.known_in(Mapped(mpn))
        if not known:
            return False
        others = reference_count(self.s, mpn) - sum(self.s.pmap[page] == Mapped(mpn) for page in self.there)
        low = len(known) + others
        high = low + sum(self.kind_of(page) == self.kind_of(known[0]) for page in self.open)
        if not low <= one.get("users", low) <= high:
            return True
        return one.get("is") == "private" and len(known) > 1

    def of_slot(self, one: dict[str, Any]) -> bool:
        """Whether a slot cannot hold that."""
        slot = self.c.slots.find(one["slot"])
        known = self.known_in(Swapped(slot)) if slot is not None else []
        return bool(known) and differ(one, memory_of(self.s, known[0]))

    def of_all(self, one: dict[str, Any]) -> bool:
        """Whether counts of the whole machine cannot be so."""
        s = self.s
        low, high = self.free_frames()
        slots = {at.slot for at in s.pmap.values() if isinstance(at, Swapped) and self.known_in(at)}
        alike = Counter(map(self.kind_of, self.there)).values()
        return not (
            low <= one.get("free_frames", low) <= high
            and one.get("free_slots", 0) <= len(s.ids[Slot]) - len(slots)
            and one.get("saved", 0) <= sum(count - 1 for count in alike)
            and one.get("shared", 0) <= sum(count // 2 for count in alike)
            and one.get("state", type(s.reclamation).__name__.lower()) == type(s.reclamation).__name__.lower()
        )

    def free_frames(self) -> tuple[int, int]:
        """The fewest and most frames that may be free."""
        s, frames = self.s, self.s.ids[MPN]
        of_pages = {at.mpn for at in s.pmap.values() if isinstance(at, Mapped)}
        used = sum(type(s.frame[mpn]) is not Free for mpn in frames)
        others = used - len(of_pages)
        fixed = [page for page in self.there if isinstance(s.pmap[page], Mapped) and self.is_known(page)]
        taken = {s.pmap[page] for page in fixed}
        sure = {self.kind_of(page) for page in self.there if self.in_frame(page)}
        least = others + len(taken) + len(sure - {self.kind_of(page) for page in fixed})
        most = others + len(taken) + sum(self.in_frame(page) is not False for page in self.open)
        if self.kinds.isdisjoint(SHARES):
            least = max(least, used)
        if self.kinds.isdisjoint(("unshare", "page_in")):
            most = min(most, used)
        return max(len(frames) - most, 0), len(frames) - least

    # Refusals and answers.

    def is_refused(self, reason: Enum) -> bool:
        """Whether the last step is refused for this wherever pages were left."""
        arguments = self.c.steps[-1][1]
        page = arguments[0] if arguments and isinstance(arguments[0], Page) else None
        if reason in STANDS:
            return True
        if reason in (Refused.AT_MINIMUM, Refused.NO_PAGE_TO_TAKE) and page is not None:
            may_be_shared = reason is Refused.NO_PAGE_TO_TAKE and not self.is_alone(page)  # which takes no page
            return self.resident(page.vm)[1] <= self.s.minimum[page.vm] and not may_be_shared
        if reason is Refused.NO_FREE_FRAME:
            mpn = arguments[-1]
            known = self.known_in(Mapped(mpn)) if self.c.frames.name(mpn) == self.taken(page) else []
            return any(other != page for other in known) or self.free_frames()[1] == 0
        if page is None or reason not in (Refused.NOT_SWAPPED, Refused.NOT_MAPPED, Refused.NOT_PRIVATE,
                                          Refused.NOT_SHARED):  # fmt: skip
            return False
        at, framed = self.s.pmap[page], self.in_frame(page)
        if reason is Refused.NOT_SWAPPED or framed is not True:
            return framed is not None
        return reason is Refused.NOT_PRIVATE and isinstance(at, Mapped) and len(self.known_in(at)) > 1

    def taken(self, page: Page | None) -> Name | bool:
        """The name of the frame that was seen to be taken for a page; False if it was not seen."""
        seen: Name | bool = self.c.seen_pages.get(page, {}).get("frame", False) if page is not None else False
        return self.c.took.get("frame", seen)

    def is_not_refused(self, named: str | bool) -> bool:
        """Whether a reason to refuse does not stand wherever pages were left."""
        if named == Refused.NO_FREE_FRAME.name:
            return not self.c.low and self.free_frames()[0] > 0
        return named in {reason.name for reason in STANDS}

    def is_alone(self, page: Page) -> bool:
        """Whether no other page holds what the page does, so that it cannot come to share a frame."""
        return not any(other != page and self.kind_of(other) == self.kind_of(page) for other in self.there)

    # What may be otherwise though it was seen where each page is.

    def may_be_older(self, name: str, arguments: tuple[Any, ...], field: str = "") -> bool:
        """Whether hints may be why, or that a frame which one page has alone is listed as shared or not, or copies that
        are kept in slots. name: the operation, if there is one. field: what was seen to be otherwise."""
        if self.kinds <= {"migrate"}:
            return False
        alone = name in ON_SHARED and any(one in self.c.unsure for one in arguments if isinstance(one, Page))
        return name in ("scan", "page_out") or field in OF_PLACES or alone


def differ(one: dict[str, Any], contents: Contents) -> bool:
    """Whether words were seen that are not those."""
    pairs = zip(one.get("words", ()), contents.words, strict=False)
    return any(seen is not None and seen != value.number for seen, value in pairs)
