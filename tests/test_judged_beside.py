"""A judge in another process finds what the one in the same process finds, and never leaves a run without a word."""

from __future__ import annotations

import gzip
import os
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest

from pagelaw.model.cli import main
from pagelaw.model.oracle.files import judge_file
from pagelaw.model.systems import listed
from pagelaw.model.systems.beside import Beside, JudgeEnded
from pagelaw.model.systems.listed import SYSTEMS
from pagelaw.model.systems.running import Ran, ran

TRACE = Path(__file__).parent / "traces" / "linux.jsonl.gz"
WRONG = 40
"""The operation after which a wrong word is told."""


class Writes:
    """A system of one page: what is written is read; after so many operations a wrong word is."""

    def __init__(self, wrong: Any) -> None:
        self.wrong, self.done, self.held = wrong, 0, 0

    def start(self) -> dict[str, Any]:
        machine = {"vms": [{"name": "A", "pages": 1}], "frames": 2, "slots": 1}
        return {"pagelaw": 1, "system": "one page", "machine": machine, "operations": ["power_on", "read", "write"]}

    def reset(self, _: Any) -> dict[str, Any]:
        return {}

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        self.done += 1
        if event["do"] == "write":
            self.held = event["value"]
        if event["do"] == "read":
            return {"got": self.wrong if self.done == WRONG else self.held}
        return {}


class Turns:
    """A write and a read, again and again, whatever the judge says."""

    def __init__(self) -> None:
        self.turn = 0

    def beginning(self) -> list[dict[str, Any]]:
        return [{"do": "power_on", "vm": "A"}]

    def next(self) -> dict[str, Any]:
        self.turn += 1
        page = {"vm": "A", "page": 0, "word": 0}
        return {"do": "read", **page} if self.turn % 2 == 1 else {"do": "write", **page, "value": self.turn}


def run_of(system: Any, beside: bool, operations: int = 400) -> Ran:
    """So many turns."""
    with Beside() if beside else nullcontext() as judge:
        return ran(system, operations, 0, lambda *_: Turns(), judge=judge)


def test_it_finds_what_a_judge_in_the_same_process_finds() -> None:
    lines = gzip.decompress(TRACE.read_bytes()).splitlines()
    with Beside() as judge:
        for line in lines:
            judge.line(line)
        judge.end()
    here = judge_file(str(TRACE))
    assert (judge.verdict, judge.malformed, judge.violations) == ("allowed", None, ())
    assert (judge.exercised, judge.refusals, judge.freedoms) == (here.exercised, here.refusals, here.freedoms)
    assert judge.working > 0


@pytest.mark.parametrize("wrong", [999, "rubbish"])
def test_what_comes_after_a_violation_does_not_count(wrong: Any) -> None:
    found, here = run_of(Writes(wrong), beside=True), run_of(Writes(wrong), beside=False)
    assert found.verdict == here.verdict == ("forbidden" if wrong == 999 else "garbled")
    assert found.failure is not None
    assert here.failure is not None
    assert len(here.failure.events) == WRONG
    assert found.failure.told == here.failure.told
    assert found.failure.events == here.failure.events
    assert found.failure.lines == here.failure.lines
    assert repr(found.failure.violation) == repr(here.failure.violation)


def test_a_run_ends_soon_after_a_violation() -> None:
    """It is not only found at the end."""
    found = run_of(Writes(999), beside=True, operations=1_000_000)
    assert found.verdict == "forbidden"
    assert found.operations < 900_000


class Kills(Writes):
    """In the midst of the run its judge is killed."""

    judge: Beside

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        if self.done == WRONG:
            os.kill(self.judge.pid, signal.SIGKILL)
        return super().do(event)


def test_a_judge_that_ends_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    system = Kills(None)
    enter = Beside.__enter__

    def noted(self: Beside) -> Beside:
        system.judge = self
        return enter(self)

    monkeypatch.setattr(Beside, "__enter__", noted)
    with pytest.raises(JudgeEnded, match="without a verdict"):
        run_of(system, beside=True)
    assert not system.judge.pid
    chosen = attrs.evolve(SYSTEMS["reference"], opened=lambda: Opened(system), judged_beside=True,
                          drawing=lambda *_: Turns())  # fmt: skip
    monkeypatch.setitem(listed.SYSTEMS, "reference", chosen)
    system.done = 0
    assert main(["systems", "reference"]) == 2
    said = capsys.readouterr()
    assert "without a verdict" in said.err
    assert said.err.count("\n") == 1


class Opened:
    """A system in a `with` block."""

    def __init__(self, system: Any) -> None:
        self.system = system

    def __enter__(self) -> Any:
        return self.system

    def __exit__(self, *_: object) -> None:
        pass


def test_no_judge_is_left_when_a_run_is_interrupted() -> None:
    pids: list[int] = []

    def interrupted() -> None:
        with Beside() as judge:
            pids.append(judge.pid)
            judge.line(b"{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_systems_that_draw_from_the_judges_state_are_judged_in_the_same_process() -> None:
    assert {name for name, one in SYSTEMS.items() if one.judged_beside} == {"linux", "linux-three"}
