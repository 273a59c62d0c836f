"""The swap area and first touch: more pages than frames, and what is not there is not zero."""

from __future__ import annotations

from collections.abc import Iterator

from pagelaw.spec.vocabulary import Mapped, Swapped, Untouched

from . import copying
from .register import scenario
from .scene import Scene

PINTOS = "Pintos (KAIST) tests/vm/"


class FewFrames:
    """Accesses of VMs that have more pages than there are frames: the page that came in first leaves first."""

    def __init__(self, s: Scene) -> None:
        self.s = s
        self.there: list[tuple[str, int]] = []

    def make_room(self, vm: str, page: int) -> None:
        """A page without a frame needs one: without a free one another page leaves."""
        if isinstance(self.s.s.pmap[self.s.page(vm, page)], Mapped):
            return
        if self.s.s.free_frames == 0:
            self.s.do("page_out", *self.there.pop(0))
        self.there.append((vm, page))

    def write(self, vm: str, page: int, value: int) -> None:
        """A word."""
        self.make_room(vm, page)
        self.s.write(vm, page, value)

    def read(self, vm: str, page: int) -> int:
        """A word."""
        self.make_room(vm, page)
        return self.s.read(vm, page)


@scenario("swap-01", PINTOS + "swap-anon", frames=(1, 2, 3, 16))
def swap_01(s: Scene, frames: int) -> None:
    """Twice as many pages as there are frames are written, then all are read: what they hold is preserved."""
    pages = 2 * frames
    s.begin({"A": pages}, frames=frames, slots=pages)
    s.on()
    guest = FewFrames(s)
    for page in range(pages):
        guest.write("A", page, page + 1)
    kept = sum(guest.read("A", page) == page + 1 for page in range(pages))
    s.expect("pages that read what was written", kept, pages, "2F pages through F frames (ESX-3.3-02)")
    s.expect("pages with a frame", s.resident("A"), frames, "F (D-04)")


def disordered(number: int) -> list[int]:
    """So many different numbers, not in order: 7 times 1, 2, 3 ... modulo a prime beyond them."""
    return [7 * one % 31 for one in range(1, number + 1)]


@scenario("swap-02", PINTOS + "swap-iter, page-linear, page-merge-seq, page-merge-par (known by name)", vms=(1, 2),
          pages=(1, 2, 6))  # fmt: skip
def swap_02(s: Scene, vms: int, pages: int) -> None:
    """Pages are filled and sorted in place with fewer frames than pages: as with enough memory."""
    names = "AB"[:vms]
    s.begin(dict.fromkeys(names, pages), frames=max(vms * pages // 2, 1), slots=vms * pages)
    s.on()
    guest = FewFrames(s)
    for name in names:
        for page, value in enumerate(disordered(pages)):
            guest.write(name, page, value)
    for last in range(pages - 1, 0, -1):
        for page in range(last):
            for name in names:
                one, other = guest.read(name, page), guest.read(name, page + 1)
                if one > other:
                    guest.write(name, page, other)
                    guest.write(name, page + 1, one)
    right = sum(guest.read(name, page) == value
                for name in names for page, value in enumerate(sorted(disordered(pages))))  # fmt: skip
    s.expect("pages in order", right, vms * pages, "all, as with enough memory (ESX-2-09, ESX-3.3-02)")


@scenario("swap-03", PINTOS + "lazy-anon", pages=(1, 2, 16))
def swap_03(s: Scene, pages: int) -> None:
    """Pages are touched one after the other: after each touch those up to it are backed, and no other."""
    s.begin({"A": pages})
    s.on()
    right = 0
    for last in range(pages):
        s.do("touch", "A", last)
        backed = [isinstance(s.s.pmap[s.page("A", page)], Mapped) for page in range(pages)]
        right += backed == [page <= last for page in range(pages)]
    s.expect("touches after which exactly pages 0..i are backed", right, pages, "each (ESX-2-09)")


@scenario("swap-04", "LTP testcases/kernel/syscalls/madvise/madvise03.c", pages=(1, 2, 9))
def swap_04(s: Scene, pages: int) -> None:
    """Pages are written, discarded, and read: every byte is 0."""
    s.begin({"A": pages}, words=2)
    s.on()
    for page in range(pages):
        s.write("A", page, 7)
        s.write("A", page, 8, word=1)
    s.discard("A", range(pages))
    read = [s.read("A", page, word) for page in range(pages) for word in range(2)]
    s.expect("words that read zero", read.count(0), 2 * pages, "all (ESX-2-10, ESX-3.2-12, R-04)")


@scenario("swap-05", "LTP testcases/kernel/device-drivers/zram/zram03.c", pages=(1, 2, 32))
def swap_05(s: Scene, pages: int) -> None:
    """Everything is written out, and read back: it reads as it was written."""
    s.begin({"A": pages})
    s.on()
    for page in range(pages):
        s.write("A", page, page + 1)
    for page in range(pages):
        s.do("page_out", "A", page)
    out = sum(isinstance(s.s.pmap[s.page("A", page)], Swapped) for page in range(pages))
    s.expect("pages in the swap area", out, pages, "all (ESX-3.3-02)")
    s.expect("frames in use meanwhile", s.in_use, 0, "0 (D-04)")
    kept = sum(s.read("A", page) == page + 1 for page in range(pages))
    s.expect("pages that read what was written", kept, pages, "all (ESX-3.3-02)")


WITH_SWAPPED_PAGE = {
    "cow-01": copying.cow_01, "cow-02": copying.cow_02, "cow-03": copying.cow_03, "cow-04": copying.cow_04,
    "cow-05": copying.cow_05, "cow-06": copying.cow_06, "cow-07": copying.cow_07,
}  # fmt: skip


@scenario("swap-06", copying.COW + '"with swapped-out base page"', as_in=tuple(WITH_SWAPPED_PAGE))
def swap_06(s: Scene, as_in: str) -> None:
    """The scenarios of copy-on-write and pins, A's page in the swap area just before: the same is expected."""
    more = {"writer": "A"} if as_in in ("cow-01", "cow-02") else {}
    WITH_SWAPPED_PAGE[as_in](s, swapped=True, **more)


def some_out(s: Scene) -> None:
    """A VM of four pages, two of them in the swap area, one never touched."""
    s.begin({"A": 4})
    s.on()
    for page in range(3):
        s.write("A", page, page + 1)
    for page in (0, 2):
        s.do("page_out", "A", page)


@scenario("swap-07", "e2b-dev/infra #2092; Linux 25cd241408a2 (mm: zswap)", case=("walk", "dropped", "failed"))
def swap_07(s: Scene, case: str) -> None:
    """A walk over a VM with pages swapped out takes none for zero; a page-in that comes to nothing loses nothing."""
    some_out(s)
    if case == "walk":
        where = [s.s.pmap[page] for page in s.s.ids[type(s.page("A", 0))]]
        s.look(vm="A", resident=1, swapped=2)
        s.expect("pages that are not present and hold something", sum(isinstance(one, Swapped) for one in where), 2,
                 "those in slots (ESX-2-04)")  # fmt: skip
        s.expect("pages that hold nothing", where.count(Untouched()), 1, "those never touched (ESX-2-09)")
        s.expect("what a walk reads", " ".join(str(s.read("A", page)) for page in range(4)), "1 2 3 0",
                 "not present is not zero (ESX-3.3-02)")  # fmt: skip
        return
    for rule, arguments in page_in_for_nothing(case):
        s.step(rule, **arguments)
    s.expect("the page is still in its slot", isinstance(s.s.pmap[s.page("A", 0)], Swapped), True,
             "the slot is still the authority (ESX-3.3-02)")  # fmt: skip
    s.expect("what is read after all", s.read("A", 0), 1, "what was written (ESX-3.3-02)")


def page_in_for_nothing(case: str) -> Iterator[tuple[str, dict[str, object]]]:
    """A page-in whose read fails, or whose frame is given up after it."""
    yield "start_page_in", {"cpu": ["A", 0], "page": ["A", 0], "new": "m9"}
    if case == "dropped":
        yield "finish_read", {"cpu": ["A", 0]}
        yield "drop_page_in", {"cpu": ["A", 0]}
    else:
        yield "fail_read", {"cpu": ["A", 0]}
