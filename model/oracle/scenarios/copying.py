"""Copy-on-write, and device transfers that hold frames meanwhile: who sees a write, and who does not."""

from __future__ import annotations

from typing import Any

from pagelaw.spec.vocabulary import Cached, Mapped, Private

from .register import scenario
from .scene import Scene

COW = "Linux tools/testing/selftests/mm/cow.c, "
OLD, NEW, OTHER = 7, 8, 9
"""What a page held before, and what is written to it."""


def two(s: Scene, pages: int = 1, swapped: bool = False, **more: Any) -> None:
    """VM A with pages that hold something, and VM B. swapped: whether A's pages are in the swap area when it begins."""
    s.begin({"A": pages, "B": pages}, **more)
    s.on()
    s.fill("A", OLD, range(pages))
    for page in range(pages if swapped else 0):
        s.do("page_out", "A", page)


def reads_old(s: Scene, name: str, pages: range = range(1)) -> None:
    """This VM reads what was there before the write."""
    old = sum(s.read(name, page) == OLD for page in pages)
    s.expect(f"pages in which {name} reads the old contents", old, len(pages), "all (ESX-4.2-08)")


def sees_through(s: Scene, name: str, published: int, ours: int | None = None, why: str = "") -> None:
    """What a device reads through the frame that it holds. Where the source says something else, a reading decides."""
    rule = f"what its frame holds (ESX-7-02{'' if ours is None else ', R-48'})"
    s.expect("what the device reads", s.through(name), published, rule, ours, why)


@scenario("cow-01", COW + '"Basic COW after fork()"', writer=("A", "B"))
def cow_01(s: Scene, writer: str, swapped: bool = False) -> None:
    """After a clone one of the two writes: the other still reads the old contents."""
    two(s, swapped=swapped)
    s.clone("A", "B", range(1))
    s.write(writer, 0, NEW)
    reads_old(s, "B" if writer == "A" else "A")
    s.expect("what the writer reads", s.read(writer, 0), NEW, "its own last write (ESX-2-09)")


@scenario("cow-02", COW + '"Basic COW after fork() with mprotect() optimization"', writer=("A", "B"),
          left_out="a guest's page table has no read-only entries: the entry is taken away and put back")
def cow_02(s: Scene, writer: str, swapped: bool = False) -> None:
    """The same, but before its write the guest takes its mapping away and puts it back: no right comes with it."""
    two(s, swapped=swapped)
    s.clone("A", "B", range(1))
    window: Any = [writer, 0]
    s.step("guest_changes_table", virtual=window, entry="NotPresent")
    s.step("guest_changes_table", virtual=window, entry=["Names", [writer, 0]])
    s.read(writer, 0)
    entry = s.s.tlb[s.c.cpus(s.vm(writer))[0], s.c.window(s.page(writer, 0))]
    s.expect("translation of the shared frame is writable", isinstance(entry, Cached) and entry.writable, False,
             "never (ESX-4.2-06)")  # fmt: skip
    s.write(writer, 0, NEW)
    reads_old(s, "B" if writer == "A" else "A")


def stays_pinned(s: Scene, name: str) -> None:
    """A VM's page that a device uses for it cannot be given away yet."""
    reason = s.refused("inflate", name, 0)
    s.expect("why the pinned page cannot go yet", reason, None, "not with a transfer of its own under way (R-05)",
             "PINNED", "Linux unmaps at once and the pin keeps the frame; here giving up waits for the transfer")


@scenario("cow-03", COW + '"vmsplice() + unmap in child" (CVE-2020-29374)')
def cow_03(s: Scene, swapped: bool = False) -> None:
    """A device reads the clone's page, which is to be given away, and the other writes: the device sees nothing."""
    two(s, swapped=swapped)
    s.clone("A", "B", range(1))
    s.pin("t", "B", 0)
    stays_pinned(s, "B")
    s.write("A", 0, NEW)
    sees_through(s, "t", OLD)
    s.do("end_transfer", transfer="t")
    s.discard("B", range(1))


@scenario("cow-04", COW + '"vmsplice() before fork(), unmap in parent after fork()"')
def cow_04(s: Scene, swapped: bool = False) -> None:
    """A device reads A's page, A is cloned and then to give it away, B writes: the device sees nothing of it."""
    two(s, swapped=swapped)
    s.pin("t", "A", 0)
    s.write("B", 0, OLD)
    s.do("scan", "A", 0)
    reason = s.refused("scan", "B", 0)
    s.expect("why the pinned frame is not shared", reason, None, "a frame that devices use is not shared (R-24)",
             "PINNED", "Linux lets a pin and a shared page go together; here the clone gets a copy")  # fmt: skip
    stays_pinned(s, "A")
    s.write("B", 0, NEW)
    sees_through(s, "t", OLD)
    s.do("end_transfer", transfer="t")
    s.discard("A", range(1))


@scenario("cow-05", COW + '"R/O-mapping a page registered as iouring fixed buffer"')
def cow_05(s: Scene, swapped: bool = False) -> None:
    """A device may write a page; its translations are withdrawn, and the guest writes: the frame is still the same."""
    two(s, swapped=swapped)
    s.pin("in", "A", 0, writes=True)
    s.pin("out", "A", 0)
    s.step("sample", page=["A", 0])
    s.write("A", 0, NEW)
    sees_through(s, "out", NEW)
    s.do("end_transfer", transfer="out")
    s.do("end_transfer", transfer="in")


@scenario("cow-06", COW + '"R/O GUP pin on R/O-mapped shared page", also GUP-fast')
def cow_06(s: Scene, swapped: bool = False) -> None:
    """A device begins to read a shared page, then the guest writes it."""
    two(s, swapped=swapped)
    s.clone("A", "B", range(1))
    s.pin("t", "A", 0)
    s.write("A", 0, NEW)
    sees_through(s, "t", NEW, OLD, "a device that only reads sends what the page held when the transfer began, so that "
                 "a shared page need not be copied for it")  # fmt: skip
    reads_old(s, "B")
    s.do("end_transfer", transfer="t")


@scenario("cow-07", COW + '"R/O GUP pin on R/O-mapped exclusive page", also GUP-fast')
def cow_07(s: Scene, swapped: bool = False) -> None:
    """A page's translations are withdrawn, a device begins to read it, then the guest writes: in the same frame."""
    two(s, swapped=swapped)
    s.read("A", 0)
    s.step("sample", page=["A", 0])
    s.pin("t", "A", 0)
    s.write("A", 0, NEW)
    sees_through(s, "t", NEW)
    s.do("end_transfer", transfer="t")


def remap(s: Scene, name: str, pages: range) -> None:
    """A VM's pages move to other frames, those in shared frames to some of their own."""
    for page in pages:
        s.do("migrate" if s.has_own_frame(name, page) else "unshare", name, page)


RUN = 4
"""Pages of a run that moves together."""


@scenario("cow-08", COW + '"Basic COW after fork() when collapsing before fork()"', pages=(1, RUN))
def cow_08(s: Scene, pages: int) -> None:
    """A run of pages moves, then is cloned, then written: the clone reads the old contents."""
    two(s, pages, options={"migrate": True}, frames=2 * pages + 2)
    remap(s, "A", range(pages))
    s.clone("A", "B", range(pages))
    s.fill("A", NEW, range(pages))
    reads_old(s, "B", range(pages))


@scenario("cow-09", COW + '"Basic COW after fork() when collapsing after fork() (fully shared)"', pages=(1, RUN))
def cow_09(s: Scene, pages: int) -> None:
    """A run is cloned, then moves, which takes it out of the shared frames, then is written."""
    two(s, pages, options={"migrate": True}, frames=2 * pages + 2)
    s.clone("A", "B", range(pages))
    remap(s, "A", range(pages))
    s.fill("A", NEW, range(pages))
    reads_old(s, "B", range(pages))


@scenario("cow-10", COW + '"Basic COW after fork() when collapsing after fork() (upper shared)", also lower',
          pages=(2, RUN))  # fmt: skip
def cow_10(s: Scene, pages: int) -> None:
    """Only the upper half is cloned, the whole run moves and is written: each page is as exclusive as it was."""
    two(s, pages, options={"migrate": True}, frames=2 * pages + 2)
    upper = range(pages // 2, pages)
    s.clone("A", "B", upper)
    shared = sum(not s.has_own_frame("A", page) for page in range(pages))
    s.expect("pages of A in shared frames", shared, len(upper), "the upper half only (ESX-4.2-06)")
    remap(s, "A", range(pages))
    s.fill("A", NEW, range(pages))
    reads_old(s, "B", upper)


@scenario("cow-11", COW + 'non-anonymous "Basic COW" on zero page, memfd and tmpfile', held=(0, OLD))
def cow_11(s: Scene, held: int) -> None:
    """A page is in a frame that many read, of zeros or of something common; one writes: the others see nothing."""
    s.begin({"A": 2, "B": 2})
    s.on()
    for name in "AB":
        s.fill(name, held, range(2))
    s.scan([(name, page) for name in "AB" for page in range(2)])
    s.expect("pages saved before the write", s.saved, 3, "T - 1 (ESX-4.2-06)")
    s.write("A", 0, NEW)
    same = [s.read("A", 1), s.read("B", 0), s.read("B", 1)].count(held)
    s.expect("other mappings that are unmodified", same, 3, "all (ESX-4.2-08)")
    s.expect("what the writer reads", s.read("A", 0), NEW, "its own last write (ESX-2-09)")


@scenario("cow-12", "LTP testcases/kernel/mem/hugetlb/hugefork/hugefork01.c", cpus=(1, 2))
def cow_12(s: Scene, cpus: int) -> None:
    """A writes, is cloned, and writes again through a translation cached before; B reads, writes; A reads."""
    two(s, vcpus=cpus)
    s.write("A", 0, OLD, cpu=cpus - 1)
    s.clone("A", "B", range(1))
    reason = s.refused_step("store", cpu=["A", cpus - 1], virtual=["A", 0], word=0, value=NEW)
    s.expect("why the cached translation does not do", reason, None, "none allows writing by then (R-03)",
             "NO_TRANSLATION", "the test sees only what the two read: the permission is lowered on every vCPU first")
    s.write("A", 0, NEW, cpu=cpus - 1)
    s.expect("what B reads", s.read("B", 0), OLD, "the old contents (ESX-4.2-08)")
    s.write("B", 0, OTHER)
    s.expect("what A reads", s.read("A", 0), NEW, "its own last write (ESX-2-09)")


@scenario("cow-13", "LTP testcases/kernel/security/dirtyc0w/ (CVE-2016-5195), dirtyc0w_shmem/ (CVE-2022-2590)")
def cow_13(s: Scene) -> None:
    """A writer breaks the sharing; its copy is discarded before the store, which resumes: not in the shared frame."""
    two(s)
    s.clone("A", "B", range(1))
    shared = s.of_page(s.page("B", 0))["frame"]
    s.do("unshare", "A", 0)
    s.discard("A", range(1))
    reason = s.refused_step("store", cpu=["A", 0], virtual=["A", 0], word=0, value=NEW)
    s.expect("why the store faults again", reason, None, "the translation went with the copy (ESX-2-06, R-03)",
             "NO_TRANSLATION", "the test sees only that the file is unchanged")  # fmt: skip
    s.write("A", 0, NEW)
    s.expect("the store landed in the shared frame", s.of_page(s.page("A", 0))["frame"] == shared, False,
             "never (ESX-4.2-08)")  # fmt: skip
    reads_old(s, "B")


@scenario("cow-14", "Linux CONFIG_PAGE_TABLE_CHECK, Documentation/mm/page_table_check.rst",
          left_out="pages of files: the specification tells of guests' memory only, where every page is private")
def cow_14(s: Scene) -> None:
    """Two pages in one frame: read-only that is allowed, writable it is not."""
    two(s)
    s.clone("A", "B", range(1))
    s.read("A", 0)
    s.read("B", 0)
    s.expect("two read-only mappings of one frame", s.saved == 1, True, "allowed (ESX-4.2-06)")
    reason = s.refused_step("set_dirty", cpu=["A", 0], virtual=["A", 0])
    s.expect("a writable mapping of it is refused", reason != "", True, "forbidden (ESX-4.2-06)")
    s.write("A", 0, NEW)
    pages = [s.s.pmap[s.page(name, 0)] for name in "AB"]
    own = [isinstance(one, Mapped) and isinstance(s.s.frame[one.mpn], Private) for one in pages]
    s.expect("writable mappings after the write", own.count(True), 1, "of a frame of its own (ESX-4.2-08)")
