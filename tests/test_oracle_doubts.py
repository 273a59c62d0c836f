"""What nobody has seen: hints that may be gone, vacated frames that are free, drivers that may be reset."""

from __future__ import annotations

from typing import Any

import pytest

from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN, UNDETERMINED

from .test_oracle_judge import HEADER, ON, at, judged, write

Events = list[dict[str, Any]]


def scan(vm: str, page: int, got: str) -> dict[str, Any]:
    return {"do": "scan", "vm": vm, "page": page, "got": got}


def of(do: str, vm: str, page: int, **more: Any) -> dict[str, Any]:
    return {"do": do, "vm": vm, "page": page, **more}


def starts(name: str, vm: str, page: int, writes: bool) -> dict[str, Any]:
    return {"do": "start_transfer", "vm": vm, "page": page, "transfer": name, "writes": writes}


HINTED: Events = [*ON, write("A", 0, 5, "f1"), scan("A", 0, "not shared")]
EQUAL_AGAIN: Events = [write("A", 0, 5), write("B", 0, 5, "f2"), scan("B", 0, "not shared")]
MEANWHILE: dict[str, Events] = {
    "written": [write("A", 0, 6)],
    "written by a device": [
        starts("t", "A", 0, True), {"do": "transfer_write", "transfer": "t", "word": 0, "value": 6},
        {"do": "end_transfer", "transfer": "t"},
    ],
    "written by a device, there and back": [
        starts("t", "A", 0, True), {"do": "transfer_write", "transfer": "t", "word": 0, "value": 6},
        {"do": "transfer_write", "transfer": "t", "word": 0, "value": 5}, {"do": "end_transfer", "transfer": "t"},
    ],
    "written meanwhile": [write("A", 0, 6) | {"begin": "x"}, {"end": "x"}],
    "in the balloon meanwhile": [of("inflate", "A", 0, begin="x"), {"end": "x"}],
}  # fmt: skip


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_hint_that_was_stale_may_be_gone(meanwhile: str) -> None:
    assert judged([*HINTED, *MEANWHILE[meanwhile], *EQUAL_AGAIN]).verdict == ALLOWED


def test_a_hint_that_was_never_stale_is_found() -> None:
    assert judged([*HINTED, *EQUAL_AGAIN]).verdict == FORBIDDEN


def test_states_that_differ_in_what_may_be_gone_are_two() -> None:
    """A scan is passed over for a transfer, or leaves its hint again: nothing else tells the two apart."""
    found = [
        *ON, write("B", 0, 0, "f0"), scan("B", 0, "not shared"), write("B", 0, 1), write("B", 0, 0),
        starts("t0", "B", 0, False), scan("B", 0, "not shared"), {"do": "end_transfer", "transfer": "t0"},
        of("touch", "B", 3, saw=[at("B", 3, "f2")]), scan("B", 3, "not shared"),
    ]  # fmt: skip
    assert judged(found).verdict == ALLOWED


BLOCKS = HEADER | {"machine": {"vms": [{"name": "A", "pages": 4}, {"name": "B", "pages": 4}], "frames": 4, "slots": 8,
                               "words": 2, "block": 2, "frame_names": ["f0", "f1", "f2", "f3"]}}  # fmt: skip
GIVEN: Events = [*ON, write("A", 0, 1, "f0"), write("A", 1, 2, "f1")]
GIVEN_UP: dict[str, Events] = {
    "powered off": [of("inflate", "A", 0), {"do": "power_off", "vm": "A"}],
    "paged out": [of("inflate", "A", 0), of("page_out", "A", 1)],
    "paged out by itself": [of("inflate", "A", 0), {"settle": True, "saw": [{"vm": "A", "page": 1, "slot": "s"}]}],
    "both at a time": [of("inflate", "A", 0, begin="x"), of("inflate", "A", 1, begin="y"), {"end": "x"}, {"end": "y"}],
}


@pytest.mark.parametrize("how", GIVEN_UP)
def test_frames_of_a_block_are_free_however_the_last_was_given_up(how: str) -> None:
    assert judged([*GIVEN, *GIVEN_UP[how], {"saw": [{"free_frames": 4}]}], BLOCKS).verdict == ALLOWED


def test_a_block_with_a_page_in_it_is_not_free() -> None:
    assert judged([*GIVEN, of("inflate", "A", 0), {"saw": [{"free_frames": 3}]}], BLOCKS).verdict == FORBIDDEN


@pytest.mark.parametrize(("next_one", "verdict"), [
    (of("deflate", "A", 1, refused="NO_DRIVER"), ALLOWED),
    (of("deflate", "A", 1, refused="NOT_BALLOONED"), ALLOWED),
    ({"saw": [{"vm": "A", "ballooned": 1}]}, ALLOWED),
    ({"saw": [{"vm": "A", "ballooned": 2}]}, FORBIDDEN),
])  # fmt: skip
def test_a_refused_offer_may_have_reset_the_driver(next_one: dict[str, Any], verdict: str) -> None:
    popped = [*ON, of("inflate", "A", 0), of("inflate", "A", 1), starts("t", "A", 0, False)]
    refused = of("inflate", "A", 0, refused="PINNED")
    assert judged([*popped, refused, next_one]).verdict == verdict


@pytest.mark.parametrize("got", ["shared", "not shared"])
def test_the_hint_of_a_page_that_was_shared_since_is_there_or_gone(got: str) -> None:
    """R-20: an implementation may remove it when the page comes to share a frame, or when it finds it stale."""
    shared = [write("A", 0, 6), write("B", 0, 6, "f2"), scan("B", 0, "not shared"), scan("A", 0, "shared")]
    again = [write("A", 0, 5, "f3"), write("A", 1, 5, "f4"), scan("A", 1, got)]
    assert judged([*HINTED, *shared, *again]).verdict == ALLOWED
    assert judged([*HINTED, *shared, write("A", 0, 7, "f3"), write("A", 1, 5, "f4"), scan("A", 1, "shared")]
                  ).verdict == FORBIDDEN  # fmt: skip


OTHERS = [*HINTED, starts("t", "A", 0, False), write("B", 0, 5, "f2")]
"""A page of B is as one of A that left a hint, and that a device reads."""
OWN = [*HINTED, write("B", 0, 5, "f2"), starts("t", "B", 0, False)]
"""The same, and a device reads the page of B itself."""


@pytest.mark.parametrize(("before", "answer", "verdict"), [
    (OTHERS, {"saw": [{"vm": "B", "page": 0, "slot": "s"}]}, ALLOWED),
    (OTHERS, {"refused": "PINNED"}, ALLOWED),
    (OTHERS, {"saw": [at("B", 0, "f1"), at("A", 0, "f1")]}, FORBIDDEN),
    (OWN, {"saw": [{"vm": "B", "page": 0, "slot": "s"}]}, FORBIDDEN),
    (OWN, {"refused": "PINNED"}, ALLOWED),
    ([*HINTED, write("B", 0, 5, "f2")], {"saw": [{"vm": "B", "page": 0, "slot": "s"}]}, FORBIDDEN),
])  # fmt: skip
def test_an_attempt_to_share_that_a_transfer_delays_counts(
    before: Events, answer: dict[str, Any], verdict: str
) -> None:
    assert judged([*before, of("page_out", "B", 0, **answer)]).verdict == verdict


@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize(("answer", "verdict"), [
    ({"refused": "PINNED"}, ALLOWED), ({"refused": True}, ALLOWED), ({"got": "not shared"}, ALLOWED),
    ({"got": "shared"}, FORBIDDEN), ({"refused": "NOT_PRIVATE"}, FORBIDDEN),
])  # fmt: skip
def test_a_scan_of_a_page_with_a_transfer_is_refused_or_passed_over(
    page: int, answer: dict[str, Any], verdict: str
) -> None:
    """Whether there is a match (page 0) or not."""
    pages = [write("B", 0, 5, "f2"), write("B", 1, 9, "f3"), starts("t", "B", page, False)]
    assert judged([*HINTED, *pages, of("scan", "B", page, **answer)]).verdict == verdict


def test_a_scan_without_a_transfer_is_not_refused_for_one() -> None:
    assert judged([*HINTED, write("B", 0, 5, "f2"), of("scan", "B", 0, refused="PINNED")]).verdict == FORBIDDEN


TOOK: dict[str, Events] = {
    "a frame, by a write to a page that has one": [write("A", 0, 6) | {"took": {"frame": "f9"}}],
    "a frame, by a scan that leaves a hint": [of("scan", "B", 0, got="not shared", took={"frame": "f9"})],
    "a slot, by a first touch": [of("touch", "B", 1, took={"slot": "s9"})],
    "a buffer, by a transfer to low memory": [starts("t", "A", 0, False) | {"took": {"buffer": "f9"}}],
}


@pytest.mark.parametrize("what", TOOK)
def test_what_is_said_to_be_taken_is_taken(what: str) -> None:
    before = [*HINTED, write("B", 0, 9, "f2")]
    assert judged([*before, *TOOK[what]]).verdict == FORBIDDEN
    unsettled = {"settle": True, "saw": []}
    assert judged([*before, unsettled, *TOOK[what]]).verdict == UNDETERMINED


def test_what_is_taken_may_be_said() -> None:
    touched = of("touch", "B", 1, took={"frame": "f9"})
    assert judged([*HINTED, touched, of("page_out", "B", 1, took={"slot": "s"})]).verdict == ALLOWED
