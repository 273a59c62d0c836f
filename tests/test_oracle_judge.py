"""The judge: what is allowed, what is not and why, and when nothing can be said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN, MALFORMED, UNDETERMINED, Judge

VMS = [{"name": "A", "pages": 4}, {"name": "B", "pages": 4}]
HEADER: dict[str, Any] = {"pagelaw": 1, "system": "toy", "machine": {"vms": VMS, "frames": 6, "slots": 8, "words": 2}}
ON: list[dict[str, Any]] = [{"do": "power_on", "vm": "A"}, {"do": "power_on", "vm": "B"}]


def write(vm: str, page: int, value: int, frame: str | None = None, word: int = 0) -> dict[str, Any]:
    """An event."""
    made: dict[str, Any] = {"do": "write", "vm": vm, "page": page, "word": word, "value": value}
    return made | ({"saw": [at(vm, page, frame)]} if frame else {})


def read(vm: str, page: int, got: int) -> dict[str, Any]:
    """An event."""
    return {"do": "read", "vm": vm, "page": page, "word": 0, "got": got}


def at(vm: str, page: int, frame: str) -> dict[str, Any]:
    """An observation."""
    return {"vm": vm, "page": page, "frame": frame}


SHARED = [
    *ON, write("A", 0, 7, "f1"), write("B", 0, 7, "f2"), {"do": "scan", "vm": "A", "page": 0, "got": "not shared"},
    {"do": "scan", "vm": "B", "page": 0, "got": "shared", "saw": [at("B", 0, "f1"), {"frame": "f1", "users": 2}]},
]  # fmt: skip


def judged(events: Sequence[dict[str, Any]], header: dict[str, Any] = HEADER, goes_on: bool = False) -> Judge:
    """A trace, judged up to its end or its first violation."""
    judge = Judge(goes_on)
    for line in (header, *events):
        judge.line(json.dumps(line).encode())
        if judge.is_over:
            break
    judge.end()
    return judge


def only_reason(judge: Judge) -> Any:
    """Why it is forbidden."""
    assert judge.verdict == FORBIDDEN
    (reason,) = judge.violations[-1].reasons
    return reason


@pytest.mark.parametrize(
    "last",
    [
        read("B", 0, 7),
        write("B", 0, 9, "f3"),
        write("B", 0, 9, "f2"),  # the frame that was given back
        {"saw": [at("A", 0, "f1"), {"free_frames": 5}, {"vm": "A", "resident": 1}]},
        {"saw": [{"shared": 1, "saved": 1}]},
        {"do": "page_out", "vm": "A", "page": 1, "refused": "NOT_PRIVATE"},
        {"do": "power_off", "vm": "B", "saw": [{"frame": "f1", "users": 1}]},
    ],
)
def test_allowed(last: dict[str, Any]) -> None:
    judge = judged([*SHARED, last])
    assert judge.verdict == ALLOWED
    assert judge.done == len(SHARED) + 1


@pytest.mark.parametrize(
    ("last", "clause", "allowed"),
    [
        (read("B", 0, 8), "ESX-2-11", "7"),
        (write("B", 0, 9, "f1"), "ESX-4.2-08", "a frame that is free"),
        ({"saw": [at("A", 1, "f1")]}, "ESX-4.2-06", "untouched: no frame, no slot"),
        ({"saw": [{"free_frames": 4}]}, "D-04", "5"),
        ({"saw": [{"saved": 0}]}, "ESX-4.3-08", "1"),
        (write("B", 0, 8) | {"refused": "NO_FREE_FRAME", "saw": [at("B", 0, "f1")]}, "ESX-4.2-08", "that it is done"),
        ({"do": "end_transfer", "transfer": "none"}, "ESX-7-02", "a refusal: NO_TRANSFER"),
        ({"saw": [{"frame": "f1", "users": 3}]}, "ESX-4.3-10", "2"),
        ({"do": "page_in", "vm": "A", "page": 0}, "ESX-3.3-02", "a refusal: NOT_SWAPPED"),
        ({"do": "read", "vm": "A", "page": 0, "word": 0, "refused": "NO_FREE_FRAME"}, "ESX-2-05", "that it is done"),
        ({"do": "page_in", "vm": "A", "page": 0, "refused": "NO_FREE_SLOT"}, "ESX-3.3-02", "a refusal: NOT_SWAPPED"),
        ({"do": "scan", "vm": "B", "page": 1, "got": "shared"}, "ESX-4.2-01", "a refusal: NOT_PRIVATE"),
    ],
)
def test_forbidden(last: dict[str, Any], clause: str, allowed: str) -> None:
    judge = judged([*SHARED, last])
    reason = only_reason(judge)
    assert judge.violations[0].line == len(SHARED) + 2
    assert clause in reason.clauses
    assert allowed in reason.allowed


def test_the_condition_that_is_false_is_named_and_who_made_it_so() -> None:
    popped = [*ON, write("A", 0, 1), {"do": "inflate", "vm": "A", "page": 0}, {"do": "inflate", "vm": "A", "page": 1},
              read("A", 0, 0), {"do": "deflate", "vm": "A", "page": 1}]  # fmt: skip
    after_reset, reason = judged(popped).violations[0].reasons
    assert after_reset.allowed == ("a refusal: NOT_BALLOONED",)
    assert reason.conjunct.startswith("s.driver[page.vm] == Ready() (spec/balloon.py:")
    assert reason.since == ("driver[A] is must reset, since line 7: pop",)
    assert "ESX-3.2-11" in reason.clauses


def test_a_condition_about_every_vcpu_is_named() -> None:
    """It has no key that could be worked out."""
    steps: list[dict[str, Any]] = [
        {"do": "power_on", "vm": "A"}, write("A", 0, 1), {"do": "page_out", "vm": "A", "page": 0},
        {"step": "start_page_in", "cpu": ["A", 0], "page": ["A", 0], "new": "f1"},
        {"step": "finish_read", "cpu": ["A", 0]}, {"step": "abandon", "page": ["A", 0]},
        {"step": "power_vm_off", "vm": "A"}, {"step": "reap", "page": ["A", 0]},
        {"step": "finish_power_off", "vm": "A"},
    ]  # fmt: skip
    reason = only_reason(judged(steps))
    assert reason.conjunct.startswith("s.each(VCPU, vm).every(lambda cpu: s.fetch[cpu] == NoFetch()) (spec/power.py:")
    assert reason.rule == "finish_power_off"


def test_several_reasons_to_refuse_may_hold_and_any_is_allowed() -> None:
    for reason in ("NO_MEMORY_TO_RESERVE", "NO_SWAP_TO_RESERVE"):
        header = HEADER | {
            "machine": HEADER["machine"] | {"frames": 1, "slots": 1, "vms": [{"name": "A", "pages": 4, "minimum": 2}]}
        }
        assert judged([{"do": "power_on", "vm": "A", "refused": reason}], header).verdict == ALLOWED


def test_names_of_frames_matter_only_up_to_renaming() -> None:
    renamed = json.loads(json.dumps(SHARED).replace('"f1"', "17").replace('"f2"', '"m0"'))
    assert judged(renamed).verdict == ALLOWED


def test_a_frame_cannot_have_two_names_nor_a_name_two_frames() -> None:
    assert judged([*SHARED, {"saw": [at("A", 0, "other")]}]).verdict == FORBIDDEN
    assert judged([*ON, write("A", 0, 7, "f1"), write("A", 1, 7, "f1")]).verdict == FORBIDDEN


def test_a_choice_that_was_not_observed_is_tried_both_ways() -> None:
    """The last user of a shared frame may take it over, if that is declared: its frame is seen only later."""
    header = HEADER | {"options": {"take_over": True}}
    alone = [*SHARED, {"do": "power_off", "vm": "A"}, write("B", 0, 8)]
    judge = judged(alone, header)
    assert (judge.verdict, len(judge.candidates)) == (ALLOWED, 2)
    for frame in ("f1", "f2"):
        judge = judged([*alone, {"saw": [at("B", 0, frame)]}], header)
        assert (judge.verdict, len(judge.candidates)) == (ALLOWED, 1)
    assert judged([*alone, {"saw": [at("B", 0, "f1")]}]).verdict == FORBIDDEN  # not declared


def test_a_stale_hint_may_be_gone_or_not() -> None:
    returned = [
        *ON,
        write("A", 0, 7),
        write("B", 0, 7),
        {"do": "scan", "vm": "A", "page": 0},
        write("A", 0, 8),
        write("A", 0, 7),
    ]
    for outcome in ("shared", "not shared"):
        assert judged([*returned, {"do": "scan", "vm": "B", "page": 0, "got": outcome}]).verdict == ALLOWED


class TestSettling:
    """Internal operations that were not told."""

    WRITTEN = (*ON, write("A", 0, 7, "f1"), write("B", 0, 7, "f2"), write("B", 1, 8, "f3"))

    def test_pages_that_are_equal_may_have_come_together(self) -> None:
        saw = [at("A", 0, "f1"), at("B", 0, "f1"), at("B", 1, "f3")]
        assert judged([*self.WRITTEN, {"settle": ["scan"], "saw": saw}, read("B", 0, 7)]).verdict == ALLOWED

    def test_but_not_if_they_differ(self) -> None:
        saw = [at("A", 0, "f1"), at("B", 1, "f1")]
        reason = only_reason(judged([*self.WRITTEN, {"settle": True, "saw": saw}]))
        assert "ESX-4.2-04" in reason.clauses
        assert "[7 0] and [8 0]" in reason.told

    def test_nor_if_the_trace_does_not_say_so(self) -> None:
        saw = [at("A", 0, "f1"), at("B", 0, "f1")]
        assert (
            "internal operation 'scan'"
            in only_reason(judged([*self.WRITTEN, {"settle": ["page_out"], "saw": saw}])).told
        )
        assert judged([*self.WRITTEN, {"saw": saw}]).verdict == FORBIDDEN

    def test_a_page_may_have_been_paged_out_and_back(self) -> None:
        paged = {"settle": ["page_out"], "saw": [{"vm": "A", "page": 0, "slot": 5}]}
        back = {"settle": ["page_in"], "saw": [at("A", 0, "f9")]}
        judge = judged([*ON, write("A", 0, 7, "f1"), paged, back, read("A", 0, 7)])
        assert judge.verdict == ALLOWED
        assert judge.exercised["commit_page_out"] == 1

    @pytest.mark.parametrize("kinds", [["scan"], ["scan", "unshare"]])
    def test_a_shared_frame_with_one_user_may_be_given_up_for_another(self, kinds: list[str]) -> None:
        """A page in a shared frame that nobody else has is taken apart, and shares the frame of another page. By scans
        alone the others would have come to its frame."""
        alone = [*SHARED, write("B", 0, 8, "f2"), write("B", 1, 7, "f3"), write("A", 1, 7, "f4")]
        saw = [at("A", 1, "f3"), at("A", 0, "f3"), at("B", 0, "f2"), at("B", 1, "f3"), {"frame": "f3", "users": 3}]
        judge = judged([*alone, {"settle": kinds, "saw": saw}])
        assert judge.verdict == (ALLOWED if "unshare" in kinds else FORBIDDEN)

    def test_a_page_that_is_gone_is_not_explained(self) -> None:
        saw = [{"vm": "A", "page": 0, "is": "absent"}]
        assert "did not give it up" in only_reason(judged([*self.WRITTEN, {"settle": True, "saw": saw}])).told

    def test_where_a_page_was_left_and_not_seen_nothing_can_be_said(self) -> None:
        unseen = [*self.WRITTEN, {"settle": True}, write("A", 0, 9, "f4")]
        judge = judged(unseen)
        assert judge.verdict == UNDETERMINED
        assert "page A.p0" in judge.violations[0].settled_by


    def test_nor_of_frames_that_may_have_come_free_meanwhile(self) -> None:
        header = HEADER | {"machine": HEADER["machine"] | {"frames": 3}}
        left = [*self.WRITTEN, {"settle": ["page_out"]}]
        assert judged([*self.WRITTEN, write("A", 3, 1)], header).verdict == FORBIDDEN
        assert judged([*left, write("A", 3, 1)], header).verdict == UNDETERMINED
        assert judged([*left, read("A", 0, 1)], header).verdict == FORBIDDEN  # what a page holds nothing changes


    def test_nor_of_hints_that_scans_may_have_left(self) -> None:
        settled = [*ON, write("A", 0, 7, "f1"), {"settle": ["scan"], "saw": [at("A", 0, "f1")]}, write("B", 0, 7)]
        shared = {"do": "scan", "vm": "B", "page": 0, "got": "shared", "saw": [at("B", 0, "f1")]}
        assert judged([*settled, shared]).verdict == UNDETERMINED
        assert judged([*settled, read("B", 0, 8)]).verdict == FORBIDDEN

    def test_nor_of_a_frame_that_a_page_has_alone(self) -> None:
        settled = [*SHARED, {"do": "power_off", "vm": "B"}, {"settle": True, "saw": [at("A", 0, "f1")]}]
        assert judged([*settled, write("A", 0, 8, "f1")]).verdict == UNDETERMINED
        assert judged([*SHARED, {"do": "power_off", "vm": "B"}, write("A", 0, 8, "f1")]).verdict == FORBIDDEN


class TestOverlapping:
    """Operations that begin in one line and end in another."""

    BEGUN = (*SHARED[:5], {"do": "scan", "vm": "B", "page": 0, "begin": "s"})
    HEADER = HEADER | {"machine": HEADER["machine"] | {"vcpus": 2}}

    def test_others_may_write_meanwhile(self) -> None:
        for shared in (True, False):
            got = "shared" if shared else "not shared"
            events = [*self.BEGUN, write("B", 0, 9), {"end": "s", "got": got}, read("B", 0, 9), read("A", 0, 7)]
            assert judged(events, self.HEADER).verdict == ALLOWED

    def test_what_was_written_is_not_lost(self) -> None:
        events = [*self.BEGUN, write("B", 0, 9), {"end": "s"}, read("B", 0, 7)]
        assert judged(events, self.HEADER).verdict == FORBIDDEN

    def test_two_writes_may_come_in_either_order(self) -> None:
        begun = [
            *ON,
            write("A", 0, 1) | {"begin": 1},
            write("A", 0, 2) | {"begin": 2, "cpu": 1},
            {"end": 1},
            {"end": 2},
        ]
        for value, verdict in ((1, ALLOWED), (2, ALLOWED), (0, FORBIDDEN)):
            assert judged([*begun, read("A", 0, value)], self.HEADER).verdict == verdict

    def test_an_operation_that_has_not_ended_may_still_do_something(self) -> None:
        begun = [*ON, write("A", 0, 1) | {"begin": 1}]
        assert judged([*begun, read("A", 0, 0)]).verdict == ALLOWED
        assert judged([*begun, read("A", 0, 1)]).verdict == ALLOWED
        assert judged([*begun, read("A", 0, 1), read("A", 0, 0)]).verdict == FORBIDDEN

    def test_names_of_operations_are_kept_apart(self) -> None:
        assert judged([*self.BEGUN, {"do": "scan", "vm": "A", "page": 0, "begin": "s"}]).verdict == MALFORMED
        assert judged([*ON, {"end": "s"}]).verdict == MALFORMED


def test_what_was_not_observed_is_not_held_against_a_trace() -> None:
    names = [f"f{number}" for number in range(6)]
    header = HEADER | {"machine": HEADER["machine"] | {"frame_names": names}}
    assert judged([*ON, write("A", 0, 1), {"saw": [at("A", 0, "f3")]}], header).verdict == ALLOWED


def test_a_page_with_a_transfer_may_be_passed_over_or_refused() -> None:
    pinned = [*SHARED[:5], {"do": "start_transfer", "transfer": "t", "vm": "A", "page": 0, "writes": True}]
    scan = {"do": "scan", "vm": "B", "page": 0}
    for answer in ({"got": "not shared"}, {"refused": "PINNED"}):
        assert judged([*pinned, scan | answer]).verdict == ALLOWED
    assert judged([*pinned, scan | {"got": "shared"}]).verdict == FORBIDDEN


def test_a_transfer_that_overlaps_others() -> None:
    begun = [*ON, {"do": "start_transfer", "transfer": "t", "vm": "A", "page": 0, "writes": True, "begin": 1}]
    assert judged([*begun, {"end": 1}, {"do": "end_transfer", "transfer": "t"}]).verdict == ALLOWED


def test_where_an_operation_begins_nothing_has_come_of_it_yet() -> None:
    begun: dict[str, Any] = {"do": "read", "vm": "A", "page": 0, "word": 0, "begin": 1}
    for name, value in (("got", 5), ("refused", True), ("saw", [])):
        assert judged([*ON, begun | {name: value}]).verdict == MALFORMED


def test_a_settlement_with_a_frame_that_only_a_transfer_has() -> None:
    header = HEADER | {"machine": HEADER["machine"] | {"low": ["f0", "f1"]}}
    start = {"do": "start_transfer", "transfer": "t", "vm": "A", "page": 0, "writes": False, "took": {"buffer": "f0"}}
    events = [*ON, write("A", 0, 7, "f3"), start, {"settle": True, "saw": [at("A", 0, "f0")]}]
    assert judged(events, header).verdict in (FORBIDDEN, UNDETERMINED)


def test_single_steps() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "power_vm_on", "vm": "A"}, {"step": "touch", "page": ["A", 1], "new": "f0"},
        {"step": "clear", "page": ["A", 1]},
        {"step": "install_cleared", "page": ["A", 1]},
        {"step": "guest_changes_table", "virtual": ["A", 0], "entry": ["Names", ["A", 1]]},
        {"step": "read_for_fill", "cpu": ["A", 0], "virtual": ["A", 0]}, {"step": "install_fill", "cpu": ["A", 0]},
        {"step": "load_tlb", "cpu": ["A", 0], "virtual": ["A", 0]},
        {"step": "load", "cpu": ["A", 0], "virtual": ["A", 0], "word": 1, "got": 0, "saw": [at("A", 1, "f0")]},
    ]  # fmt: skip
    assert judged(steps).verdict == ALLOWED
    assert judged([*steps[:2], steps[3]]).verdict == FORBIDDEN
    assert judged([{"step": "power_vm_on", "vm": "C"}]).verdict == MALFORMED
    assert judged([{"step": "no_such_rule"}]).verdict == MALFORMED


def test_going_on_after_what_is_not_allowed() -> None:
    events = [*SHARED, read("B", 0, 8), {"saw": [at("A", 0, "other")]}, {"saw": [at("A", 0, "other")]}, read("A", 0, 5)]
    judge = judged(events, goes_on=True)
    assert [one.line for one in judge.violations] == [8, 9, 11]


def test_what_a_trace_exercised_is_counted() -> None:
    judge = judged([*SHARED, {"do": "page_in", "vm": "A", "page": 0, "refused": True}])
    assert judge.exercised["merge"] == 1
    assert judge.refusals == {"NOT_SWAPPED": 1}


def test_a_name_that_is_a_number_is_told_from_one_that_looks_like_it() -> None:
    names: list[Any] = [1, "1"]
    made = [write("A", page, 7 + page, name) for page, name in enumerate(names)]
    judge = judged([*ON, *made, {"saw": [at("A", 0, "1")]}])
    reason = only_reason(judge)
    assert "frame '1'" in reason.told
    assert reason.allowed == ("in frame 1",)
