"""The judge and declared freedoms: what is allowed with one is not without it, and that it was taken is counted."""

from __future__ import annotations

from typing import Any

import pytest

from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN, Judge

from .test_oracle_judge import at, judged, write

Event = dict[str, Any]
VMS = [{"name": name, "pages": 4} for name in "AB"]
ON: list[Event] = [{"do": "power_on", "vm": name} for name in "AB"]


def with_options(events: list[Event], **options: bool | int) -> Judge:
    """The trace of a system that takes these freedoms and no others."""
    sizes = {"vms": VMS, "frames": 8, "slots": 8, "words": 2}
    header = {"pagelaw": 1, "system": "toy", "machine": sizes, "options": options}
    return judged([*ON, *events], header)


def scan(vm: str, page: int, frame: str, **more: Any) -> Event:
    """A scan after which the page is in a frame."""
    return {"do": "scan", "vm": vm, "page": page, "saw": [at(vm, page, frame)]} | more


def equal_pages(value: int) -> list[Event]:
    """Six pages that hold the same, in frames f0 to f5."""
    pages = [("A", 0), ("A", 1), ("A", 2), ("B", 0), ("B", 1), ("B", 2)]
    return [write(vm, page, value, f"f{at}") for at, (vm, page) in enumerate(pages)]


TWO_FRAMES = [
    *equal_pages(7), scan("A", 0, "f0"), scan("A", 1, "f0", got="shared"), scan("A", 2, "f2", got="not shared"),
    scan("B", 0, "f2", got="shared"),
]  # fmt: skip
ONE_FRAME = [scan("A", 0, "f0"), *(scan(vm, page, "f0") for vm, page in [("A", 1), ("A", 2), ("B", 0)])]
LISTED_AGAIN = [
    *TWO_FRAMES, write("A", 1, 8, "f1"),  # now f0 has room, and f2, which took its place, is full
    scan("B", 1, "f0", got="shared"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "limit"), [
    (TWO_FRAMES, 2), ([*equal_pages(7), *ONE_FRAME], 0), ([*equal_pages(7), *ONE_FRAME], 4), (LISTED_AGAIN, 2),
])  # fmt: skip
def test_a_frame_may_have_so_many_users(events: list[Event], limit: int) -> None:
    judge = with_options(events, most_sharers=limit)
    assert judge.verdict == ALLOWED, judge.violations
    assert ("most_sharers" in judge.freedoms) == (limit == 2)


@pytest.mark.parametrize(("events", "limit", "line"), [
    (TWO_FRAMES, 0, 12), (TWO_FRAMES, 3, 12), ([*equal_pages(7), *ONE_FRAME], 2, 12),
    ([*equal_pages(7), *ONE_FRAME], 3, 13), (LISTED_AGAIN, 3, 12),
])  # fmt: skip
def test_it_has_neither_fewer_nor_more(events: list[Event], limit: int, line: int) -> None:
    judge = with_options(events, most_sharers=limit)
    assert judge.verdict == FORBIDDEN
    assert judge.violations[0].line == line


@pytest.mark.parametrize("apart", [True, False])
def test_zeros_may_be_apart_from_the_limit_and_from_what_is_reported(apart: bool) -> None:
    events = [*equal_pages(0), *ONE_FRAME, {"saw": [{"shared": 0, "saved": 0}]}]
    judge = with_options(events, most_sharers=2, zero_apart=apart)
    assert judge.verdict == (ALLOWED if apart else FORBIDDEN), judge.violations
    assert judge.freedoms == ({"zero_apart": 3} if apart else {})


def test_zeros_that_are_not_apart_are_reported() -> None:
    events = [*equal_pages(0), *ONE_FRAME, {"saw": [{"shared": 1, "saved": 3}]}]
    assert with_options(events).verdict == ALLOWED
    assert with_options(events, zero_apart=True).verdict == FORBIDDEN


@pytest.mark.parametrize(("pages", "done", "short"), [
    (2, 2, False), (2, 1, True), (3, 0, True), (4, 4, False),
])  # fmt: skip
def test_a_balloon_is_done_at_its_target_or_short_of_it(pages: int, done: int, short: bool) -> None:
    events: list[Event] = [
        {"do": "start_driver", "vm": "A"}, {"do": "set_balloon_target", "vm": "A", "pages": pages},
        *({"do": "inflate", "vm": "A", "page": page} for page in range(done)),
        {"saw": [{"vm": "A", "ballooned": done, "balloon_done": True}]},
    ]  # fmt: skip
    told = {"pagelaw": 1, "tells": ["driver", "balloon_target"], "machine": {"vms": VMS, "frames": 8, "slots": 8}}
    assert judged([*ON, *events], told).verdict == (FORBIDDEN if short else ALLOWED)
    judge = judged([*ON, *events], told | {"options": {"balloon_short": True}})
    assert judge.verdict == ALLOWED
    assert ("balloon_short" in judge.freedoms) == short


def test_a_balloon_beyond_its_target_is_not_done() -> None:
    events: list[Event] = [
        {"do": "start_driver", "vm": "A"}, {"do": "set_balloon_target", "vm": "A", "pages": 2},
        *({"do": "inflate", "vm": "A", "page": page} for page in range(2)),
        {"do": "set_balloon_target", "vm": "A", "pages": 1}, {"saw": [{"vm": "A", "balloon_done": True}]},
    ]  # fmt: skip
    told = {"pagelaw": 1, "tells": ["driver", "balloon_target"], "options": {"balloon_short": True},
            "machine": {"vms": VMS, "frames": 8, "slots": 8}}  # fmt: skip
    judge = judged([*ON, *events], told)
    assert judge.verdict == FORBIDDEN
    assert judge.violations[0].reasons[0].allowed == ("False: 2 pages in the balloon, 1 asked for",)


SEEN = [at(vm, page, f"f{frame}") for frame, vm, page in [(0, "A", 0), (0, "A", 1), (2, "A", 2), (2, "B", 0)]]


@pytest.mark.parametrize(("limit", "verdict"), [(2, ALLOWED), (3, "undetermined"), (0, "undetermined")])
def test_scans_that_were_not_seen_leave_full_frames(limit: int, verdict: str) -> None:
    events = [*equal_pages(7), {"settle": ["scan"], "saw": SEEN}]
    assert with_options(events, most_sharers=limit).verdict == verdict


def test_no_unseen_scan_makes_a_frame_more_than_full() -> None:
    events = [*equal_pages(7), {"settle": ["scan"], "saw": [at(vm, page, "f0") for vm, page in [
        ("A", 0), ("A", 1), ("A", 2)]]}]  # fmt: skip
    assert with_options(events, most_sharers=3).verdict == ALLOWED
    judge = with_options(events, most_sharers=2)
    assert judge.verdict == FORBIDDEN
    assert judge.violations[0].reasons[0].clauses == ("R-54",)


@pytest.mark.parametrize("displace", [True, False])
def test_a_page_in_low_memory_makes_room_for_a_hot_one(displace: bool) -> None:
    sizes = {"vms": VMS, "frames": 6, "low": ["l0", "l1"], "slots": 8, "remap_after": 0}
    header = {"pagelaw": 1, "machine": sizes, "options": {"displace": displace}}
    events: list[Event] = [
        write("A", 0, 1, "l0"), write("A", 1, 2, "h0"),
        {"do": "start_transfer", "transfer": "t", "vm": "A", "page": 1, "writes": False, "took": {"buffer": "l1"}},
        {"do": "end_transfer", "transfer": "t"}, write("B", 0, 3, "l1"),
        {"do": "make_room", "vm": "A", "page": 0, "saw": [at("A", 0, "h1")]},
        {"do": "remap", "vm": "A", "page": 1, "saw": [at("A", 1, "l0")]},
    ]  # fmt: skip
    judge = judged([*ON, *events], header)
    assert judge.verdict == (ALLOWED if displace else FORBIDDEN), judge.violations
    assert judge.freedoms == ({"displace": 1} if displace else {})
    assert judged([*ON, *events[:4], *events[5:]], header).verdict == FORBIDDEN  # there a low frame was free


def test_of_two_copies_the_one_that_is_old_goes_first() -> None:
    """Two pages have come in with their slots; one is written, and as many slots are free as without its copy."""
    events: list[Event] = [write("A", page, page + 1, f"f{page}") for page in (0, 1)]
    events += [{"do": "page_out", "vm": "A", "page": page, "saw": [{"vm": "A", "page": page, "slot": f"s{page}"}]}
               for page in (0, 1)]  # fmt: skip
    events += [{"do": "page_in", "vm": "A", "page": page} for page in (0, 1)]
    events += [write("A", 1, 5, "f1") | {"saw": [{"free_slots": 7}]}]
    leaves = {"do": "page_out", "vm": "A", "page": 0}
    for free, verdict in ((7, ALLOWED), (8, FORBIDDEN)):
        saw = [{"vm": "A", "page": 0, "slot": "s0"}, {"free_slots": free}]
        assert with_options([*events, leaves | {"saw": saw}], keep_slot=True).verdict == verdict
