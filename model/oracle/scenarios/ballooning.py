"""Ballooning and memory that is plugged and unplugged: what a guest gives, what comes back, who counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pagelaw.spec.vocabulary import Ballooned, Mapped, MustReset, Page, Ready

from .register import scenario
from .scene import Scene

FC = "Firecracker tests/integration_tests/functional/test_balloon.py, "
CH = "cloud-hypervisor, "


def guest(s: Scene, size: int, written: int, **more: Any) -> None:
    """A guest of so many pages, of which it has written the first."""
    s.begin({"A": size}, **more)
    s.on()
    s.fill("A", 1, range(written))


def balloon(s: Scene) -> int:
    """Pages in the balloon."""
    return s.s.balloon_size[s.vm("A")]


def ballooned(s: Scene) -> list[int]:
    """Which they are."""
    return [page.number for page in s.s.ids[Page] if s.s.pmap[page] == Ballooned()]


def deflate(s: Scene, pages: Iterable[int]) -> None:
    """The driver takes pages out."""
    for page in pages:
        s.do("deflate", "A", page)


@scenario("balloon-01", FC + "test_rss_memory_lower", size=(2, 64))
def balloon_01(s: Scene, size: int) -> None:
    """A balloon of 200 of 256 is inflated and deflated; an eighth is written; it is inflated again."""
    part, written = size * 200 // 256, size // 8
    guest(s, size, size // 2)
    s.discard("A", range(part))
    first = s.resident("A")
    deflate(s, range(part))
    s.fill("A", 2, range(written))
    s.discard("A", range(part))
    s.look(vm="A", resident=s.resident("A"), ballooned=part)
    s.expect("backed pages, as after the first time", s.resident("A"), first, "the first level, exactly (ESX-3.2-07)")
    s.expect("backed pages are no more than size - balloon", s.resident("A") <= size - balloon(s), True,
             "backed <= size - balloon (ESX-3.2-06)")  # fmt: skip


@scenario("balloon-02", FC + "test_deflate_on_oom[True]", size=(8, 32), needs=(0, 1, 4))
def balloon_02(s: Scene, size: int, needs: int) -> None:
    """The balloon leaves the guest less than it needs: its driver deflates, and all its writes succeed."""
    used = size // 4
    guest(s, size, used)
    s.discard("A", range(used, size))
    before = balloon(s)
    for page in range(used, used + needs):
        s.do("deflate", "A", page)
        s.write("A", page, 2)
    s.expect("by how much the balloon shrank", before - balloon(s), needs, "what was missing (ESX-3.2-08)")
    written = sum(s.read("A", page) == 2 for page in range(used, used + needs))
    s.expect("writes that succeeded", written, needs, "all, nothing is killed (ESX-3.2-08)")


@scenario("balloon-03", FC + "test_deflate_on_oom[False]", size=(8, 32),
          left_out="the guest's own refusal: no event of it reaches the server")  # fmt: skip
def balloon_03(s: Scene, size: int) -> None:
    """The same, but the guest leaves its balloon alone and goes without: it writes where it has pages, and no more."""
    used = size // 4
    guest(s, size, used)
    s.discard("A", range(used, size))
    before, wanted = balloon(s), range(size)
    for page in (page for page in wanted if page not in ballooned(s)):
        s.write("A", page, 2)
    s.expect("pages in the balloon", balloon(s), before, "unchanged (ESX-3.2-06)")
    s.expect("pages written", s.resident("A"), used, "those it has; the rest its own OOM refuses (ESX-3.2-05)")


@scenario("balloon-04", FC + "test_size_reduction", backed=(0, 1, 12))
def balloon_04(s: Scene, backed: int) -> None:
    """Of a fresh guest the balloon takes pages, some of them backed: the host gets back just those."""
    guest(s, 16, backed)
    frames = s.in_use
    part = range(4, 16)
    given = sum(isinstance(s.s.pmap[s.page("A", page)], Mapped) for page in part)
    s.discard("A", part)
    s.expect("by how much backed pages fell", frames - s.in_use, given, "backed ones among those inflated (ESX-3.2-07)")
    s.expect("pages in the balloon", balloon(s), len(part), "all that were inflated (R-06)")


@scenario("balloon-05", FC + "test_stats", pages=(1, 10),
          left_out="the guest's own statistics: told by what it can use, its size less the balloon")  # fmt: skip
def balloon_05(s: Scene, pages: int) -> None:
    """Memory is written, then as much inflated, then deflated: faults rise, available pages fall and rise."""
    size = 4 * pages
    guest(s, size, 0)
    s.fill("A", 1, range(pages))
    s.expect("faults", s.resident("A"), pages, "rise: one for each page (ESX-2-09)")
    s.discard("A", range(pages, 2 * pages))
    s.expect("available pages", size - balloon(s), size - pages, "fall by what was inflated (ESX-3.2-06)")
    deflate(s, range(pages, 2 * pages))
    s.expect("available pages afterwards", size - balloon(s), size, "rise again (ESX-3.2-08)")


@scenario("balloon-06", FC + "test_stats_update", first=(1, 10),
          left_out="intervals: when policy looks is a choice; a changed interval is a look at once")  # fmt: skip
def balloon_06(s: Scene, first: int) -> None:
    """The balloon is inflated to one level, then to three times as much: each report is of the state at its poll."""
    size = 4 * first
    guest(s, size, size)
    s.step("look_at_free_memory")
    before = s.s.free_seen
    s.discard("A", range(first))
    s.expect("report before the next poll", s.s.free_seen, before, "the state at the last poll (ESX-6.3-01)")
    s.step("look_at_free_memory")
    s.expect("report after it", s.s.free_seen, before + first, "the state now (ESX-6.3-02)")
    s.discard("A", range(first, 3 * first))
    s.step("look_at_free_memory")
    s.expect("report after the change", s.s.free_seen, before + 3 * first, "the change polls at once (ESX-6.3-03)")


@scenario("balloon-07", FC + "test_memory_scrub", pages=(1, 60))
def balloon_07(s: Scene, pages: int) -> None:
    """Memory is written, inflated, deflated to nothing, and read: no old contents."""
    guest(s, pages, pages)
    s.discard("A", range(pages))
    deflate(s, range(pages))
    zero = sum(s.read("A", page) == 0 for page in range(pages))
    s.expect("pages that read zero", zero, pages, "all (ESX-2-10, ESX-3.2-12, R-04)")


@scenario("balloon-08", CH + "test_virtio_balloon_deflate_on_oom", size=(4, 32))
def balloon_08(s: Scene, size: int) -> None:
    """A guest under memory pressure uses pages of its balloon: the balloon is smaller than it was."""
    guest(s, size, 0)
    part = range(size // 2, size)
    s.discard("A", part)
    before = balloon(s)
    s.do("touch", "A", part[0])
    s.expect("balloon is smaller than before", balloon(s) < before, True, "actual < initial (ESX-3.2-10)")
    s.expect("the driver must be reset", s.s.driver[s.vm("A")] == MustReset(), None, "after a touch (ESX-3.2-11)", True,
             "virtio lets the guest use pages of the balloon and tell later; here that pops it")  # fmt: skip


@scenario("balloon-09", CH + "test_virtio_balloon_free_page_reporting; libkrun", pages=(1, 8),
          left_out="reporting alone: a page that is reported is inflated and at once deflated")  # fmt: skip
def balloon_09(s: Scene, pages: int) -> None:
    """A guest frees pages and reports them, then touches them again: they have no frame, and then read zero."""
    s.begin({"A": pages, "B": 1})
    s.on()
    s.fill("A", 7, range(pages))
    s.write("B", 0, 9)
    s.discard("A", range(pages))
    deflate(s, range(pages))
    s.expect("frames of reported pages", s.resident("A"), 0, "none (ESX-3.2-07)")
    read = [s.read("A", page) for page in range(pages)]
    s.expect("pages that read zero", read.count(0), pages, "zero, never another's (ESX-2-10, ESX-2-11, R-04)")


@scenario("balloon-10", "Firecracker tests/integration_tests/functional/test_hotplug_memory.py, "
          "test_virtio_mem_hotplug_hotunplug", requested=(0, 1, 16),
          left_out="memory that is not plugged is in the balloon: the specification has no VM that grows")  # fmt: skip
def balloon_10(s: Scene, requested: int) -> None:
    """Memory is plugged and used, unplugged, and plugged and used again: the total is exact each time."""
    fixed = 4
    guest(s, fixed + 16, fixed)
    hot = range(fixed, fixed + 16)
    plugged = hot[:requested]
    s.discard("A", hot)
    for time in ("first", "second"):
        deflate(s, plugged)
        s.fill("A", 5, plugged)
        total = fixed + 16 - balloon(s)
        s.expect(f"total, plugged the {time} time", total, fixed + requested, "fixed + requested (R-06)")
        used = sum(s.read("A", page) == 5 for page in plugged)
        s.expect(f"usable, the {time} time", used, requested, "all that is plugged (ESX-3.2-08)")
        s.discard("A", plugged)
        s.expect(f"total, unplugged the {time} time", fixed + 16 - balloon(s), fixed, "fixed (R-06)")


VIRTIO = "virtio-spec device-types/balloon/description.tex, driver requirements"


@scenario("balloon-11", VIRTIO, case=("right", "use before the inflate is acknowledged",
                                      "deflate before the inflate is acknowledged",
                                      "use before the deflate is acknowledged", "actual not updated"))  # fmt: skip
def balloon_11(s: Scene, case: str) -> None:
    """A driver keeps the order, or breaks one of the rules: that is noticed by name, and the counts are right."""
    s.begin({"A": 2})
    s.on()
    s.fill("A", 1, range(2))
    s.do("start_driver", "A")
    s.do("set_balloon_target", "A", pages=2)
    page = {"page": ["A", 0]}
    if case in ("right", "actual not updated"):
        s.do("inflate", "A", 0)
        s.expect("balloon while the page is in it", balloon(s), 1, "the server counts it itself (R-06)")
        s.do("deflate", "A", 0)
        s.write("A", 0, 2)
        s.expect("the driver is ready", s.s.driver[s.vm("A")] == Ready(), True, "the order is kept (ESX-3.2-08)")
    elif case == "use before the inflate is acknowledged":
        s.step("inflate", **page)
        s.step("flush", cpu=["A", 0], **page)
        s.write("A", 0, 2)
        s.expect("the driver must be reset", s.s.driver[s.vm("A")] == MustReset(), True, "its fault (ESX-3.2-09, R-07)")
        s.expect("what the page holds", s.read("A", 0), 2, "what was written: it was not taken (ESX-3.2-09)")
    elif case == "deflate before the inflate is acknowledged":
        s.step("inflate", **page)
        reason = s.refused_step("deflate", **page)
        s.expect("why the deflate is refused", reason, "NOT_BALLOONED", "its fault (ESX-3.2-08, R-08)")
    else:
        s.do("inflate", "A", 0)
        s.write("A", 0, 2)
        s.expect("the driver must be reset", s.s.driver[s.vm("A")] == MustReset(), True, "its fault (ESX-3.2-11, R-07)")
        reason = s.refused_step("deflate", **page)
        s.expect("why a late deflate is refused", reason, "NO_DRIVER", "until the reset (ESX-3.2-11)")
    s.expect("balloon at the end", balloon(s), 0, "the server counts it itself (R-06)")
