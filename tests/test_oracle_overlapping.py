"""Operations that overlap: what one may have been refused for, and which of several choices it made."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

import pytest

from pagelaw.model.oracle import judge as judge_module
from pagelaw.model.oracle.capabilities import capabilities
from pagelaw.model.oracle.driving import Drawing, Run
from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN, UNDETERMINED
from pagelaw.model.oracle.scene import Event
from pagelaw.model.systems.reference import Reference

from .test_oracle_judge import HEADER, ON, SHARED, at, judged, read, write

TWO: dict[str, Any] = HEADER | {"machine": HEADER["machine"] | {"vcpus": 2, "frames": 2}}
FULL = (*ON, write("A", 0, 7, "f1"), write("B", 0, 8, "f2"))
"""Two frames, and both in use."""
OUT = {"do": "page_out", "vm": "B", "page": 0, "saw": [{"vm": "B", "page": 0, "slot": 1}]}

SEEDS = 30


def begun(do: str, vm: str, page: int, **more: Any) -> dict[str, Any]:
    """An operation begins, under the name x."""
    return {"do": do, "vm": vm, "page": page, "begin": "x"} | more


def refused(reason: str | bool) -> dict[str, Any]:
    """It ends, and was refused."""
    return {"end": "x", "refused": reason}


class TestRefused:
    """A refusal is asked of all the time in which the operation was under way, not of its end alone."""

    TOUCH = begun("touch", "A", 1, cpu=1)

    @pytest.mark.parametrize("reason", ["NO_FREE_FRAME", True])
    def test_for_what_stood_when_it_began(self, reason: str | bool) -> None:
        assert judged([*FULL, self.TOUCH, OUT, refused(reason)], TWO).verdict == ALLOWED

    def test_for_what_stood_only_in_between(self) -> None:
        off = {"do": "power_off", "vm": "B"}
        events = [*ON, write("A", 0, 7), self.TOUCH, write("B", 0, 8), {"saw": [{"free_frames": 0}]}, off]
        assert judged([*events, refused("NO_FREE_FRAME")], TWO).verdict == ALLOWED

    def test_not_for_what_stood_before_it_began(self) -> None:
        judge = judged([*FULL, OUT, self.TOUCH, refused("NO_FREE_FRAME")], TWO)
        assert judge.verdict == FORBIDDEN
        assert {one.allowed for one in judge.violations[0].reasons} == {("that it is done",), ("that touch is done",)}

    def test_not_for_what_never_stood_and_what_did_is_said(self) -> None:
        judge = judged([*FULL, self.TOUCH, OUT, refused("NOT_PRIVATE")], TWO)
        assert judge.verdict == FORBIDDEN
        assert any("a refusal: NO_FREE_FRAME" in one.allowed for one in judge.violations[0].reasons)

    def test_what_was_refused_has_changed_nothing(self) -> None:
        took = {"saw": [at("A", 1, "f2")]}
        assert judged([*FULL, self.TOUCH, OUT, took, {"end": "x"}], TWO).verdict == ALLOWED
        assert judged([*FULL, self.TOUCH, OUT, took, refused("NO_FREE_FRAME")], TWO).verdict == FORBIDDEN

    def test_two_operations_are_each_refused_by_what_the_other_does(self) -> None:
        """One frame is free: one of them has it, and the other was refused, or both in turn."""
        one_free = [*ON, write("A", 0, 7, "f1"), self.TOUCH, begun("touch", "B", 0, begin="y")]
        ends = [{"end": "y", "refused": "NO_FREE_FRAME"}, {"end": "x"}]
        assert judged([*one_free, *ends], TWO).verdict == ALLOWED
        both = [refused("NO_FREE_FRAME"), {"end": "y", "refused": "NO_FREE_FRAME"}]
        assert judged([*one_free, *both], TWO).verdict == FORBIDDEN

    def test_while_another_has_the_page(self) -> None:
        """A scan has the page for a while, and is over when the refusal is told."""
        equal = [*ON, write("A", 0, 7), write("B", 0, 7), {"do": "scan", "vm": "A", "page": 0}]
        scan = {"do": "scan", "vm": "B", "page": 0, "begin": "s"}
        inflate = begun("inflate", "B", 0)
        done = {"end": "s", "got": "shared", "saw": [{"free_frames": 5}]}
        events = [*equal, scan, inflate, done, refused("OPERATION_IN_PROGRESS")]
        assert judged(events).verdict == ALLOWED
        late = [*equal, scan, done, inflate, refused("OPERATION_IN_PROGRESS")]
        assert judged(late).verdict == FORBIDDEN


class TestUndone:
    """An operation of the server that has begun its steps, and gives up."""

    BEGUN = (*SHARED, write("A", 1, 7, "f3"), begun("scan", "A", 1),
             {"do": "inflate", "vm": "A", "page": 1, "refused": "OPERATION_IN_PROGRESS"})  # fmt: skip
    """A scan has the page: that is seen by what is refused."""
    PINNED: ClassVar[dict[str, Any]] = {"do": "start_transfer", "transfer": "t", "vm": "A", "page": 1, "writes": False}

    def test_it_was_refused_where_it_came_to_what_stood_in_its_way(self) -> None:
        assert judged([*self.BEGUN, self.PINNED, refused("PINNED"), {"saw": [at("A", 1, "f3")]}]).verdict == ALLOWED

    def test_nothing_stood_in_its_way(self) -> None:
        for reason in ("PINNED", "NOT_PRIVATE", True):
            assert judged([*self.BEGUN, refused(reason)]).verdict == FORBIDDEN

    def test_it_gives_up_and_the_page_is_as_it_was(self) -> None:
        assert judged([*self.BEGUN, {"end": "x", "got": "not shared"}, write("A", 1, 8, "f3")]).verdict == ALLOWED

    def test_what_is_done_is_not_undone(self) -> None:
        shared = {"saw": [at("A", 1, "f1")]}
        assert judged([*self.BEGUN, shared, {"end": "x"}]).verdict == ALLOWED
        assert judged([*self.BEGUN, shared, self.PINNED, refused("PINNED")]).verdict == FORBIDDEN

    def test_nor_that_the_frame_of_a_hinted_page_is_listed_as_shared(self) -> None:
        """A refused scan has changed nothing, also of the page whose hint it found."""
        hinted = [*SHARED[:5], begun("scan", "B", 0), {"saw": [{"frame": "f1", "is": "shared", "users": 1}]}]
        pinned = self.PINNED | {"vm": "B", "page": 0}
        assert judged([*hinted, pinned, {"end": "x", "got": "not shared"}]).verdict == ALLOWED
        assert judged([*hinted, pinned, refused("PINNED")]).verdict == FORBIDDEN
        assert judged([*SHARED[:5], begun("scan", "B", 0), pinned, refused("PINNED")]).verdict == ALLOWED


class TestGaveUp:
    """What gave up is not told as done, unless what it answers says so."""

    MIGRATING = HEADER | {"options": {"migrate": True}}
    WRITTEN = (*ON, write("A", 0, 7, "f1"), write("B", 0, 7, "f2"))
    OTHER = ({"do": "read", "vm": "B", "page": 0, "word": 0, "begin": "y"}, {"end": "y"})

    @pytest.mark.parametrize("other", [(), OTHER])
    @pytest.mark.parametrize(("do", "events"), [("page_out", WRITTEN), ("migrate", WRITTEN), ("unshare", SHARED)])
    def test_the_page_is_where_it_was(self, do: str, events: list[Event], other: list[Event]) -> None:
        begun_so = [*events, begun(do, "A", 0), *other]
        stays = {"saw": [at("A", 0, "f1")]}
        judge = judged([*begun_so, {"end": "x"} | stays], self.MIGRATING)
        assert judge.verdict == FORBIDDEN
        assert f"{do} gave up, and is told as done" in {one.told for one in judge.violations[0].reasons}
        assert judged([*begun_so, {"end": "x"}], self.MIGRATING).verdict == ALLOWED
        assert judged([*begun_so, refused(True) | stays], self.MIGRATING).verdict == ALLOWED
        assert judged([*begun_so, refused("NO_FREE_SLOT") | stays], self.MIGRATING).verdict == FORBIDDEN

    def test_a_scan_says_that_nothing_is_shared(self) -> None:
        scan = [*SHARED, write("A", 1, 7, "f3"), begun("scan", "A", 1)]
        ends = {"end": "x", "saw": [at("A", 1, "f3")]}
        assert judged([*scan, ends | {"got": "not shared"}]).verdict == ALLOWED
        assert judged([*scan, ends | {"got": "shared"}]).verdict == FORBIDDEN

    def test_two_page_outs_are_not_both_done_where_one_page_has_to_stay(self) -> None:
        vms = [{"name": "A", "pages": 4, "minimum": 1}, {"name": "B", "pages": 4}]
        header = HEADER | {"machine": HEADER["machine"] | {"vms": vms}}
        both = [*ON, write("A", 0, 1), write("A", 1, 2), begun("page_out", "A", 0),
                begun("page_out", "A", 1, begin="y")]  # fmt: skip
        assert judged([*both, {"end": "x"}, {"end": "y"}], header).verdict == FORBIDDEN
        assert judged([*both, {"end": "x"}, {"end": "y", "refused": "NO_PAGE_TO_TAKE"}], header).verdict == ALLOWED

    def test_a_page_out_that_tried_to_share_is_refused_too(self) -> None:
        """The frame of the page that left a hint is listed as shared by then: that may stay so."""
        hinted = [*SHARED[:5], begun("page_out", "B", 0), {"saw": [{"frame": "f1", "is": "shared", "users": 1}]}]
        assert judged([*hinted, refused(True), {"saw": [at("B", 0, "f2")]}]).verdict == ALLOWED
        assert judged([*hinted, {"end": "x", "saw": [at("B", 0, "f2")]}]).verdict == FORBIDDEN


class TestWholeVM:
    """A power-off is one step to the judge, and is not one: what was seen in the midst of it may be so."""

    OFF = (*ON, write("A", 0, 7, "f1"), write("A", 1, 8, "f2"), write("B", 0, 9, "f3"),
           {"do": "power_off", "vm": "A", "begin": "x"})  # fmt: skip

    @pytest.mark.parametrize(("event", "verdict"), [
        ({"saw": [{"free_frames": 3}]}, ALLOWED), ({"saw": [{"free_frames": 5}]}, ALLOWED),
        ({"saw": [{"free_frames": 4}]}, UNDETERMINED), ({"saw": [{"vm": "A", "resident": 1}]}, UNDETERMINED),
        (read("B", 0, 9), ALLOWED), (read("B", 0, 8), FORBIDDEN), ({"saw": [at("B", 0, "f1")]}, FORBIDDEN),
        ({"saw": [{"vm": "A", "page": 0, "words": [6]}]}, FORBIDDEN),
        ({"end": "x", "saw": [{"free_frames": 4}]}, FORBIDDEN), ({"end": "x", "saw": [{"free_frames": 5}]}, ALLOWED),
    ])  # fmt: skip
    def test_only_what_is_certain_is_forbidden(self, event: Event, verdict: str) -> None:
        judge = judged([*self.OFF, event])
        assert judge.verdict == verdict
        if verdict == UNDETERMINED:
            assert judge.violations[0].settled_by.startswith("what power_off of A had done by then")

    def test_what_begins_to_run_takes_its_overhead_frame_by_frame(self) -> None:
        vms = [{"name": "A", "pages": 4, "overhead": 2}, {"name": "B", "pages": 4}]
        header = HEADER | {"machine": HEADER["machine"] | {"vms": vms}}
        for free, verdict in ((6, ALLOWED), (5, UNDETERMINED), (4, ALLOWED)):
            on: list[Event] = [{"do": "power_on", "vm": "A", "begin": "x"}, {"saw": [{"free_frames": free}]}]
            assert judged(on, header).verdict == verdict


class TestChoices:
    """What was not observed of an operation under way is tried in each way."""

    HEADER = HEADER | {"options": {"take_over": True}}
    ALONE = (*SHARED, {"do": "power_off", "vm": "B"}, write("A", 0, 8) | {"begin": "x"})
    """The last user of a shared frame writes: it may take the frame over, or get another."""

    @pytest.mark.parametrize("frame", ["f1", "f2", "f3"])
    def test_a_frame_may_be_taken_over_or_not(self, frame: str) -> None:
        assert judged([*self.ALONE, {"end": "x", "saw": [at("A", 0, frame)]}], self.HEADER).verdict == ALLOWED

    def test_if_that_is_declared(self) -> None:
        assert judged([*self.ALONE, {"end": "x", "saw": [at("A", 0, "f1")]}]).verdict == FORBIDDEN
        assert judged([*self.ALONE, {"end": "x", "saw": [at("A", 0, "f3")]}]).verdict == ALLOWED


@pytest.mark.parametrize("bound", ["MOST_STATES", "MOST_CANDIDATES"])
def test_with_too_many_states_nothing_is_said(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(judge_module, bound, 2)
    events = [*ON, *(write("A", page, 1) | {"begin": page} for page in range(4)), read("A", 3, 5)]
    judge = judged(events)
    assert judge.verdict == UNDETERMINED
    assert judge.given_up_at
    assert "fewer operations under way at a time" in judge.violations[0].settled_by


def test_what_was_not_said_of_choices_would_settle_it_where_nothing_overlaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "MOST_CANDIDATES", 1)
    header = HEADER | {"options": {"take_over": True}}
    judge = judged([*SHARED, {"do": "power_off", "vm": "B"}, write("A", 0, 8), read("A", 0, 5)], header)
    assert judge.verdict == UNDETERMINED
    assert "naming the frames and slots taken" in judge.violations[0].settled_by


def overlapping(seed: int, lines: int, at_a_time: int = 2) -> list[dict[str, Any]]:
    """Operations of the reference model, each done at some time between the line in which it begins and that in which
    it ends: its answer, or why it was refused, is of that time."""
    random, reference = Random(seed), Reference()
    able = capabilities(reference.start()).of_run(seed)
    drawing = Drawing(Run(reference, able), random)
    drawing.run.judge.candidates = [reference.c]  # what is drawn goes by where the reference is
    made: list[dict[str, Any]] = [able.header]
    waiting: dict[str, Event] = {}
    done: dict[str, dict[str, Any]] = {}
    for event in drawing.beginning():
        made.append(event | (reference.do(event)))
    while len(made) < lines:
        what, name = random.randrange(3), f"x{len(made)}"
        if what == 0 and len(waiting) + len(done) < at_a_time:
            waiting[name] = drawing.next()
            made.append(waiting[name] | {"begin": name})
        elif what == 1 and waiting:
            chosen = random.choice(list(waiting))
            answer = reference.do(waiting.pop(chosen))
            done[chosen] = {field: answer[field] for field in ("got", "refused") if field in answer}
        elif what == 2 and done:
            chosen = random.choice(list(done))
            made.append({"end": chosen} | done.pop(chosen))
    return made


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_happened_at_some_time_in_between_is_never_forbidden(seed: int) -> None:
    header, *events = overlapping(seed, 40)
    assert judged(events, header).verdict in (ALLOWED, UNDETERMINED)
