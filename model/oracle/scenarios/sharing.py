"""Sharing: which pages come to share frames, how many frames that saves, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pagelaw.spec.language import REGISTER, enabled
from pagelaw.spec.reports import frames_shared, pages_saved
from pagelaw.spec.vocabulary import Idle, Mapped, Page

from .register import scenario
from .scene import Scene

KSM = "LTP testcases/kernel/mem/ksm/"
KT = "Linux tools/testing/selftests/mm/ksm_tests.c, "
KF = "Linux tools/testing/selftests/mm/ksm_functional_tests.c, "
ALONE = "with no second page of the same contents a page shares with nobody"
NOT_COUNTED = "the test reads counters, which leave the frame out (R-55)"
LAST = ", R-22"
"""Pages are written until the last user of a shared frame writes: that it copies is a reading."""
A, B, C, D = 97, 98, 99, 100
"""What pages are filled with."""


def everything(s: Scene) -> list[tuple[str, int]]:
    """All pages of all VMs."""
    return [(s.names[page.vm], page.number) for page in s.s.ids[Page]]


def candidates(s: Scene, pages: int) -> list[tuple[str, int]]:
    """The first so many pages of each VM."""
    return [(name, page) for name in s.names.values() for page in range(pages)]


def counted(
    s: Scene, scanned: list[tuple[str, int]], frames: int, own: tuple[int, int, int] | None = None, also: str = ""
) -> None:
    """The counters that the tests of the kernel read: of `frames` different contents all pages but one each are saved.

    own: what is found where there are not two pages of each; the tests say nothing of that. also: a reading that
    decides, too.
    """
    alone = sum(s.has_own_frame(*one) for one in scanned)
    found, published = (s.shared, s.saved, alone), (frames, len(scanned) - frames, 0)
    for number, (what, rule) in enumerate((
        ("frames with at least two users", f"{frames} (ESX-4.2-06{also})"),
        ("pages saved", f"T - {frames} (ESX-4.2-06, ESX-4.3-08)"),
        ("pages scanned and left alone", "0 (ESX-4.2-10)"),
    )):  # fmt: skip
        if own is None:
            s.expect(what, found[number], published[number], rule)
        else:
            s.expect(what, found[number], None, rule, own[number], ALONE)


def intact(s: Scene, held: dict[str, int], pages: int) -> None:
    """Every page holds what was written."""
    kept = sum(s.read(name, page) == value for name, value in held.items() for page in range(pages))
    s.expect("pages that hold what was written", kept, len(held) * pages, "T (ESX-2-09)")


def three(s: Scene, pages: int, **sizes: Any) -> None:
    """Three VMs of the same size."""
    s.begin({name: max(pages, 1) for name in "ABC"}, **sizes)
    s.on()


def two_contents(s: Scene, pages: int) -> None:
    """A holds one thing everywhere, B and C another; nothing more can be shared."""
    for name, value in (("A", C), ("B", A), ("C", A)):
        s.fill(name, value, range(pages))
    s.scan(candidates(s, pages))


def three_contents(s: Scene, pages: int) -> None:
    """Then B holds a third thing."""
    two_contents(s, pages)
    s.fill("B", B, range(pages))
    s.scan(candidates(s, pages))


def one_content(s: Scene, pages: int) -> None:
    """Then all hold the same."""
    three_contents(s, pages)
    for name in "ABC":
        s.fill(name, D, range(pages))
    s.scan(candidates(s, pages))


FEW = {0: (0, 0, 0), 1: (1, 1, 1)}
"""Two contents, with no page or one for each VM: frames with two users, pages saved, pages alone."""


@scenario("share-01", KSM + "ksm01.c, first check", pages=(0, 1, 2, 50))
def share_01(s: Scene, pages: int) -> None:
    """Three VMs of one size are filled, two of them with the same: all that is equal is shared, and nothing is lost."""
    three(s, pages)
    two_contents(s, pages)
    counted(s, candidates(s, pages), 2, FEW.get(pages))
    intact(s, {"A": C, "B": A, "C": A}, pages)


@scenario("share-02", KSM + "ksm01.c, second check", pages=(0, 1, 2, 50))
def share_02(s: Scene, pages: int) -> None:
    """One of the two that were equal is filled with something else: each VM's pages share a frame of their own."""
    three(s, pages)
    three_contents(s, pages)
    counted(s, candidates(s, pages), 3, {0: (0, 0, 0), 1: (0, 0, 2)}.get(pages))
    intact(s, {"A": C, "B": B, "C": A}, pages)


@scenario("share-03", KSM + "ksm01.c, third check", pages=(0, 1, 2, 50))
def share_03(s: Scene, pages: int) -> None:
    """All are filled with the same: one frame holds it."""
    three(s, pages)
    one_content(s, pages)
    counted(s, candidates(s, pages), 1, {0: (0, 0, 0)}.get(pages), LAST)
    intact(s, dict.fromkeys("ABC", D), pages)


@scenario("share-04", KSM + "ksm01.c, unmerging at the end", pages=(0, 1, 2, 50))
def share_04(s: Scene, pages: int) -> None:
    """All is unshared and nothing scanned any more: every page has a frame of its own again."""
    three(s, pages)
    one_content(s, pages)
    s.unshare(candidates(s, pages))
    s.expect("frames with at least two users", s.shared, 0, "0 (ESX-4.2-08)")
    s.expect("pages saved", s.saved, 0, "0 (ESX-4.2-08)")
    s.expect("frames in use", s.in_use, 3 * pages, f"T (D-04{LAST})")
    intact(s, dict.fromkeys("ABC", D), pages)


@scenario("share-05", KSM + "ksm02.c", pages=(1, 2, 20),
          left_out="nodes: they are two parts of memory, between which pages move")
def share_05(s: Scene, pages: int) -> None:
    """The same counters, all frames on one node; and again after every page has moved to frames of the other."""
    frames = 3 * pages + 1
    low = [f"m{number}" for number in range(frames)]
    three(s, pages, frames=2 * frames, low=low, options={"migrate": True})
    for node in ("first", "second"):
        two_contents(s, pages)
        counted(s, candidates(s, pages), 2, FEW.get(pages))
        one_content(s, pages)
        counted(s, candidates(s, pages), 1, also=LAST)
        s.unshare(candidates(s, pages))
        s.expect(f"frames in use, {node} node", s.in_use, 3 * pages, "T (D-04)")
        for one in candidates(s, pages):
            s.do("migrate", *one)
    intact(s, dict.fromkeys("ABC", D), pages)


SCAN = (
    ("scan_leaves_hint", "A"), ("scan_finds_hint", "B"), ("flush", "A"), ("flush_devices", "A"), ("mark_shared", "A"),
    ("scan_finds_shared_frame", "B"), ("protect", "B"), ("flush", "B"), ("flush_devices", "B"), ("await_flushes", "B"),
    ("check_pins", "B"), ("compare", "B"), ("merge", "B"), ("flush", "B"), ("flush_devices", "B"),
    ("leave_old_frame", "B"),
)  # fmt: skip
"""A scan of A's page and then of B's, step by step, and whose page each step is about."""


def scan_steps(s: Scene, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The first so many of them."""
    for rule, name in SCAN[:number]:
        more: dict[str, Any] = {"cpu": [name, 0]} if rule == "flush" else {}
        more |= {"other": ["A", 0]} if rule == "scan_finds_hint" else {}
        yield rule, {"page": [name, 0], **more}


@scenario("share-06", KSM + "ksm05.c (CVE-2011-2183)", steps=tuple(range(len(SCAN) + 1)), ends=("A", "B"))
def share_06(s: Scene, steps: int, ends: str) -> None:
    """A VM with one page to share is powered off after each step of a scan; what is left of the scan ends."""
    s.begin({"A": 1, "B": 1, "C": 1})
    s.on()
    for name in "ABC":
        s.write(name, 0, C)
    for rule, arguments in scan_steps(s, steps):
        s.step(rule, **arguments)
    s.do("power_off", ends)
    stays = "B" if ends == "A" else "A"
    finish(s, stays)
    under_way = sum(s.s.operation[page] != Idle() for page in s.s.ids[Page])
    s.expect("operations under way", under_way, 0, "0: the scan ends (ESX-4.2-04)")
    s.expect("frames in use", s.in_use, 2, "one for each page left, no dangling reference (ESX-4.3-08, D-04)")
    s.scan([(stays, 0), ("C", 0)])
    s.expect("pages saved after another scan", s.saved, 1, "T - 1 of the two that are left (ESX-4.2-06)")
    intact(s, {stays: C, "C": C}, 1)


def finish(s: Scene, name: str) -> None:
    """What is left of a scan of this VM's page, as far as it can be done: the steps that come after its first."""
    for rule, whose in SCAN:
        page: dict[str, Any] = {"page": [name, 0]} | ({"cpu": [name, 0]} if rule == "flush" else {})
        given = (s.c.cpus(s.vm(name))[0], s.page(name, 0)) if rule == "flush" else (s.page(name, 0),)
        if whose == name and not rule.startswith("scan") and enabled(REGISTER["rule"][rule].function, s.s, *given):
            s.step(rule, **page)


@scenario("share-07", KSM + "ksm06.c, merge_across_nodes = 1", groups=(1, 2, 3), pages=(1, 100))
def share_07(s: Scene, groups: int, pages: int) -> None:
    """Equal pages in several groups between which sharing is allowed: one frame holds them all."""
    s.begin({f"G{number}": pages for number in range(groups)})
    s.on()
    for name in s.names.values():
        s.fill(name, A, range(pages))
    s.scan(everything(s))
    counted(s, everything(s), 1, (0, 0, 1) if groups * pages == 1 else None)


@scenario("share-08", KT + "check_ksm_merge", pages=(0, 1, 2, 3, 4, 5, 6, 7, 20), most=(0, 2, 3))
def share_08(s: Scene, pages: int, most: int) -> None:
    """Equal pages of one VM, a frame having no more users than a limit allows: further frames come to be shared."""
    s.begin({"A": max(pages, 1)}, options={"most_sharers": most})
    s.on()
    s.fill("A", A, range(pages))
    s.scan(candidates(s, pages))
    limited(s, pages, most)
    intact(s, {"A": A}, pages)


def limited(s: Scene, pages: int, most: int) -> None:
    """What the kernel's test computes for so many equal pages. most: users of a frame at most; 0: no limit."""
    if most == 0 and pages < 2:
        s.expect("frames counted as shared", frames_shared(s.s), None, "1 (ESX-4.2-06)", 0, ALONE)
        s.expect("pages saved", pages_saved(s.s), None, "d - 1 (ESX-4.2-06)", 0, ALONE)
        return
    if most == 0:
        shared, saved, rule = 1, pages - 1, "one frame for all (ESX-4.2-06)"
    elif pages % most in (0, 1):
        shared = pages // most
        saved, rule = shared * (most - 1), "d div m frames, each with m users (R-54)"
    else:
        shared = pages // most + 1
        saved, rule = pages - shared, "d div m + 1 frames, the last of them not full (R-54)"
    s.expect("frames counted as shared", frames_shared(s.s), shared, rule)
    s.expect("pages saved", pages_saved(s.s), saved, rule)


@scenario("share-09", KT + "check_ksm_zero_page_merge", pages=(0, 1, 2, 3, 7), apart=(True, False))
def share_09(s: Scene, pages: int, apart: bool) -> None:
    """Pages of zeros: kept apart they share a frame that counts as none; else they share one like all others."""
    s.begin({"A": max(pages, 1)}, options={"zero_apart": True} if apart else None)
    s.on()
    s.fill("A", 0, range(pages))
    s.scan(candidates(s, pages))
    if apart:
        s.expect("frames counted as shared", frames_shared(s.s), 0, "0: the frame of zeros is kept apart (R-55)")
        s.expect("pages saved", pages_saved(s.s), 0, "0 (R-55)")
        s.expect("frames of all pages", frames_of(s), None, "one for all zeros (R-55)", min(pages, 1), NOT_COUNTED)
    else:
        limited(s, pages, 0)
    intact(s, {"A": 0}, pages)


@scenario("share-10", KT + "check_ksm_numa_merge", may_share=(True, False))
def share_10(s: Scene, may_share: bool) -> None:
    """One equal page in each of two domains: merged if the domains may share, that is, if they are one."""
    s.begin({"A": 1, "B": {"pages": 1, "domain": 0 if may_share else 1}})
    s.on()
    s.write("A", 0, A)
    s.write("B", 0, A)
    s.scan(everything(s))
    s.expect("merged", s.saved == 1, may_share, "if the domains may share (ESX-4.3-13)")
    intact(s, {"A": A, "B": A}, 1)


def merged(s: Scene, pages: int, **more: Any) -> None:
    """A VM all of whose pages hold the same is scanned: they are in one frame."""
    s.begin({"A": max(pages, 1)}, **more)
    s.on()
    s.fill("A", A, range(pages))
    s.scan(candidates(s, pages))


def frames_of(s: Scene) -> int:
    """How many different frames the pages have."""
    return len({backing for backing in map(s.s.pmap.__getitem__, s.s.ids[Page]) if isinstance(backing, Mapped)})


@scenario("share-11", KF + "test_unmerge", pages=(0, 1, 2, 512))
def share_11(s: Scene, pages: int) -> None:
    """Equal pages are merged, then unshared: no frame is mapped twice."""
    merged(s, pages)
    s.unshare(candidates(s, pages))
    s.expect("different frames", frames_of(s), pages, "one for each page (ESX-4.2-08)")


@scenario("share-12", KF + "test_unmerge_discarded", pages=(0, 2, 3, 512))
def share_12(s: Scene, pages: int) -> None:
    """Merged pages, half of which the guest gives away before all is unshared: those stay absent."""
    merged(s, pages)
    s.discard("A", range(pages // 2))
    s.unshare(candidates(s, pages))
    s.expect("different frames", frames_of(s), pages - pages // 2, "one for each page that is left (ESX-4.2-08)")
    s.expect("pages without a frame", pages - s.resident("A"), pages // 2, "those given away (ESX-3.2-06)")


@scenario("share-13", KF + "test_unmerge_uffd_wp", pages=(1, 2, 64),
          left_out="which pages were written is told by the dirty state of pages that keep their slot")  # fmt: skip
def share_13(s: Scene, pages: int) -> None:
    """Merged pages of which the server knows that they were not written are unshared: that is not a guest's write."""
    s.begin({"A": pages}, options={"keep_slot": True, "swap_shared": True, "share_first": False})
    s.on()
    s.fill("A", A, range(pages))
    for page in range(pages):
        s.do("page_out", "A", page)
    for page in range(pages):
        s.do("page_in", "A", page)
    s.scan(candidates(s, pages))
    s.unshare(candidates(s, pages))
    s.expect("different frames", frames_of(s), pages, "one for each page (ESX-4.2-08)")
    clean = sum(not s.s.dirty[page] for page in s.s.ids[Page])
    s.expect("pages known to be clean", clean, pages, "unsharing writes to no page (R-10, ESX-4.2-08)")


@scenario("share-14", KF + "test_prctl_unmerge", pages=(1, 2, 64))
def share_14(s: Scene, pages: int) -> None:
    """Sharing is switched off for one VM after merging: all its pages are its own, the others are as they were."""
    s.begin({"A": pages, "B": pages})
    s.on()
    s.fill("A", A, range(pages))
    s.fill("B", A, range(pages))
    s.scan(everything(s))
    s.unshare(("A", page) for page in range(pages))
    own = sum(s.has_own_frame("A", page) for page in range(pages))
    s.expect("pages of A with a frame of their own", own, pages, "all (ESX-4.2-08)")
    s.expect("pages saved among the others", s.saved, pages - 1, "T - 1 of those of B (ESX-4.2-06)")
    intact(s, {"A": A, "B": A}, pages)


@scenario("share-15", KF + "test_prctl_fork and test_prctl_fork_exec", pages=(1, 2, 64),
          left_out="there is no switch to inherit: which VM's pages are scanned is a choice of the server")  # fmt: skip
def share_15(s: Scene, pages: int) -> None:
    """A VM whose pages are scanned is cloned; new equal pages of both are merged: it really happens."""
    s.begin({"A": 2 * pages, "B": 2 * pages})
    s.on()
    s.fill("A", A, range(pages))
    s.clone("A", "B", range(pages))
    new = [(name, page) for name in "AB" for page in range(pages, 2 * pages)]
    for name, page in new:
        s.write(name, page, B)
    before = s.saved
    s.scan(new)
    s.expect("pages saved among the new ones", s.saved - before, 2 * pages - 1, "T - 1 (ESX-4.2-06)")
