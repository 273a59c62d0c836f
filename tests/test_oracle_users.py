"""How many use a frame or a slot, as it was seen: none if it is not in use, and fewer where only copies are gone."""

from __future__ import annotations

from typing import Any

import pytest

from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN

from .test_oracle_judge import HEADER, ON, SHARED, judged, only_reason, read, write

OUT: dict[str, Any] = {"do": "page_out", "vm": "A", "page": 0}
IN: dict[str, Any] = {"do": "page_in", "vm": "A", "page": 0}
NAMED = OUT | {"saw": [{"vm": "A", "page": 0, "slot": "s"}]}
KEEPING = HEADER | {"options": {"keep_slot": True}}


def users(number: int, slot: str = "s") -> dict[str, Any]:
    """A look at a slot."""
    return {"saw": [{"slot": slot, "users": number}]}


def frame_users(number: int, frame: str = "f1") -> dict[str, Any]:
    """A look at a frame."""
    return {"saw": [{"frame": frame, "users": number}]}


@pytest.mark.parametrize("events", [
    [frame_users(0, "never named")], [users(0, "never named")],
    [write("A", 0, 7, "f1"), {"do": "inflate", "vm": "A", "page": 0}, frame_users(0)],
    [write("A", 0, 7), NAMED, {"do": "power_off", "vm": "A"}, users(0)],
    [write("A", 0, 7), NAMED, read("A", 0, 7), {"saw": [{"free_slots": 8}, *users(0)["saw"]]}],
])  # fmt: skip
def test_nobody_uses_what_is_not_in_use(events: list[dict[str, Any]]) -> None:
    assert judged([*ON, *events]).verdict == ALLOWED


@pytest.mark.parametrize(("events", "allowed"), [
    ([write("A", 0, 7, "f1"), frame_users(0)], "1"), ([write("A", 0, 7), NAMED, users(0)], "1"),
    ([frame_users(1)], "free: no page is known to have it"), ([users(1)], "free: no page is known to have it"),
])  # fmt: skip
def test_what_is_in_use_is_used(events: list[dict[str, Any]], allowed: str) -> None:
    assert only_reason(judged([*ON, *events])).allowed == (allowed,)


@pytest.mark.parametrize(("number", "verdict"), [(0, ALLOWED), (1, ALLOWED), (2, FORBIDDEN)])
def test_a_slot_that_was_not_named_may_be_the_one_or_another(number: int, verdict: str) -> None:
    assert judged([*ON, write("A", 0, 7), OUT, users(number)]).verdict == verdict


@pytest.mark.parametrize(("number", "verdict"), [(0, ALLOWED), (1, ALLOWED), (2, FORBIDDEN)])
def test_a_copy_of_a_page_may_be_gone(number: int, verdict: str) -> None:
    back = [*ON, write("A", 0, 7), NAMED, IN]
    for events in (back, [*back, write("A", 0, 8)]):
        assert judged([*events, users(number)], KEEPING).verdict == verdict


@pytest.mark.parametrize(("last", "number", "verdict"), [
    (NAMED, 0, FORBIDDEN), (NAMED, 1, ALLOWED), (NAMED, 2, ALLOWED), (NAMED, 3, FORBIDDEN),
    (IN, 0, ALLOWED), (IN, 1, ALLOWED), (IN, 2, FORBIDDEN),
])  # fmt: skip
def test_a_copy_of_a_shared_frame_may_be_gone(last: dict[str, Any], number: int, verdict: str) -> None:
    events = [*SHARED, NAMED] if last is NAMED else [*SHARED, NAMED, IN]
    header = HEADER | {"options": {"swap_shared": True}}
    assert judged([*events, users(number)], header).verdict == verdict


def test_a_copy_that_is_gone_does_not_come_back() -> None:
    events = [*ON, write("A", 0, 7), NAMED, IN, users(0), users(1)]
    assert judged(events, KEEPING).verdict == FORBIDDEN


def test_of_several_copies_any_may_be_gone() -> None:
    """Two pages have come in from one slot, and one copy is gone: either page may still leave to that slot."""
    both = [*SHARED, *({"do": "page_out", "vm": vm, "page": 0, "saw": [{"vm": vm, "page": 0, "slot": "s"}]}
                       for vm in "AB")]  # fmt: skip
    both += [{"do": "page_in", "vm": vm, "page": 0} for vm in "AB"]
    header = HEADER | {"options": {"swap_shared": True, "keep_slot": True}}
    one = judged([*both, users(1)], header)
    assert (one.verdict, len(one.candidates)) == (ALLOWED, 2)
    assert judged([*both, users(3)], header).verdict == FORBIDDEN


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("of_slot_first", [True, False])
def test_free_slots_and_users_are_explained_together(number: int, of_slot_first: bool) -> None:
    """Two copies, and one slot of theirs is seen to be free: it is the one that nobody uses."""
    events = [*ON, *(write("A", page, page + 1) for page in (0, 1))]
    events += [{"do": "page_out", "vm": "A", "page": page, "saw": [{"vm": "A", "page": page, "slot": f"s{page}"}]}
               for page in (0, 1)]  # fmt: skip
    events += [{"do": "page_in", "vm": "A", "page": page} for page in (0, 1)]
    for slot in ("s0", "s1"):
        saw = [*users(number, slot)["saw"], {"free_slots": 7}]
        assert judged([*events, {"saw": saw if of_slot_first else saw[::-1]}], KEEPING).verdict == ALLOWED
