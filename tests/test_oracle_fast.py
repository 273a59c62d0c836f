"""What is judged at once is judged as it would be the long way, with every invariant asked after every event."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pagelaw.model.oracle.capabilities import capabilities
from pagelaw.model.oracle.driving import Drawing, Run
from pagelaw.model.oracle.judge import Judge
from pagelaw.model.reference.beside import Beside, check_everything
from pagelaw.model.systems.reference import Reference

TRACES = sorted((Path(__file__).parent / "traces").glob("*.jsonl.gz"))


class Checked(Judge):
    """Takes the long way, with private memory beside the machine, and every invariant asked of it."""

    def __init__(self) -> None:
        super().__init__(by_the_book=True)
        self.asked = 0

    def event(self, event: Any, line: bytes) -> None:
        """Judged, then asked."""
        super().event(event, line)
        if self.violations or len(self.candidates) > 1:
            return
        check_everything(self.candidates[0].machine, "invariant")
        self.asked += 1


def generated(seed: int, steps: int = 120) -> list[str]:
    """A run of the reference model as a trace."""
    reference = Reference()
    run = Run(reference, capabilities(reference.start()).of_run(seed))
    drawing = Drawing(run, Random(seed))
    for event in drawing.beginning():
        assert run.do(event) is None
    for _ in range(steps):
        assert run.do(drawing.next()) is None
    return run.lines


def spoilt(lines: list[str], random: Random) -> list[str]:
    """The same with one thing that was seen or answered changed."""
    at = random.choice([at for at, line in enumerate(lines) if at > 2 and '"frame"' in line])
    made = json.loads(lines[at])
    if "got" in made and isinstance(made["got"], int):
        made["got"] += 1
    for one in made.get("saw", ()):
        if "frame" in one and random.random() < 0.8:
            one["frame"] = random.choice(("m0", "m1", "m2", "other"))
        if "words" in one and random.random() < 0.3:
            one["words"][0] += 1
        if "free_frames" in one and random.random() < 0.2:
            one["free_frames"] += 1
    return [*lines[:at], json.dumps(made), *lines[at + 1 :]]


def run(judge: Judge, lines: list[str]) -> tuple[Any, ...]:
    """What is found of a trace."""
    for line in lines:
        judge.line(line.encode())
        if judge.is_over:
            break
    judge.end()
    return judge.verdict, judge.lines, judge.done, judge.violations, judge.exercised, judge.refusals


@pytest.mark.parametrize("seed", range(12))
def test_the_short_way_comes_to_the_same(seed: int) -> None:
    random, lines = Random(seed), generated(seed)
    checked = Checked()
    assert run(Judge(), lines) == run(checked, lines)
    assert checked.verdict == "allowed"
    assert checked.asked > 10
    for _ in range(5):
        wrong = spoilt(lines, random)
        assert run(Judge(), wrong) == run(Judge(by_the_book=True), wrong)


def test_spoilt_traces_are_mostly_forbidden() -> None:
    random = Random(3)
    verdicts = [  # some of the changes change nothing, as a frame that is new may have any name
        run(Judge(), spoilt(generated(seed, 40), random))[0] for seed in range(20)
    ]
    assert verdicts.count("forbidden") >= 8


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_recorded_traces_come_to_the_same(trace: Path) -> None:
    lines = gzip.decompress(trace.read_bytes()).decode().splitlines()[:400]
    assert run(Judge(), lines) == run(Judge(by_the_book=True), lines)


def test_private_memory_beside_the_judge() -> None:
    """The judge's own machine, step by step, is private memory to its guests: as long as it goes on with that one."""
    compared = 0
    for seed in range(4):
        lines = generated(seed)
        judge = Judge(by_the_book=True)
        judge.line(lines[0].encode())
        beside = Beside(judge.candidates[0].machine)
        for line in lines[1:]:
            if "refused" in line:  # what was tried and taken back was seen, too
                continue
            beside.seen.clear()
            judge.line(line.encode())
            if judge.candidates[0].machine is not beside.machine:  # a choice was not observed: each is tried on a copy
                break
            beside.compare()
            compared += 1
        assert judge.verdict == "allowed"
    assert compared > 100
