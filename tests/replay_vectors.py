"""Vectors used from outside: nothing of pagelaw is imported, programs are started and spoken to in JSON lines.

    python tests/replay_vectors.py tests/vectors python -m pagelaw.model.systems.reference

plays the scenarios on a program that speaks the protocol of `pagelaw conform`. Scenarios that need what the protocol
does not have (single steps, options) are counted as skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

Line = dict[str, Any]


class Wrong(Exception):
    """A program does not do what a vector says."""


def vectors(folder: Path, kind: str) -> Iterator[Line]:
    """All vectors of a format."""
    for file in sorted((folder / kind).glob("*.json")):
        yield from json.loads(file.read_text(encoding="utf-8"))["vectors"]


class Program:
    """A program that answers each line with one."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seq = 0

    def __enter__(self) -> Program:
        self.ask(cmd="start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()

    def ask(self, **message: Any) -> Line:
        """Say something; the answer."""
        self.seq += 1
        given, answers = self.process.stdin, self.process.stdout
        assert given is not None
        assert answers is not None
        print(json.dumps({"seq": self.seq, **message}), file=given, flush=True)
        answer: Line = json.loads(answers.readline())
        assert answer.pop("seq") == self.seq
        return answer


def cannot(vector: Line) -> str:
    """Why the protocol cannot play a scenario; "" if it can."""
    if "options" in vector["header"]:
        return "options"
    if any("do" not in event for event in vector["events"]):
        return "single steps, or looks"
    return ""


def play(program: Program, vector: Line) -> None:
    """One scenario; Wrong if the program comes to something else."""
    program.ask(cmd="reset", machine=vector["header"]["machine"])
    due, found = Frames(), Frames()
    for number, event in enumerate(vector["events"]):
        given = {name: value for name, value in event.items() if name not in ("got", "refused", "saw")}
        answer = program.ask(cmd="do", **given)
        for name in ("got", "refused"):
            if answer.get(name) != event.get(name):
                raise Wrong(f"{vector['id']}: event {number}: {name} is {answer.get(name)}, not {event.get(name)}")
        if "refused" not in event:
            look(f"{vector['id']}: event {number}", due.after(event, event), found.after(event, answer))


class Frames:
    """What was seen of each page last, and of the machine."""

    def __init__(self) -> None:
        self.pages: dict[tuple[Any, int], Line] = {}
        self.all: Line = {}

    def after(self, event: Line, told: Line) -> Frames:
        """Take in what is told of an operation."""
        if event["do"] == "power_off":
            self.pages = {page: seen for page, seen in self.pages.items() if page[0] != event["vm"]}
        for seen in told.get("saw", ()):
            if "page" in seen:
                self.pages[seen["vm"], seen["page"]] = seen
            elif "frame" not in seen:
                self.all |= seen
        return self


def look(where: str, due: Frames, found: Frames) -> None:
    """Both are the same, up to the names of frames and slots."""
    for page, seen in due.pages.items():
        other = found.pages.get(page, {})
        for name in seen.keys() | other.keys():
            is_name = name in ("frame", "slot")
            if (name in seen) != (name in other) or (not is_name and seen[name] != other[name]):
                raise Wrong(f"{where}: of page {page} is seen {other}, not {seen}")
    names = {(seen.get("frame"), seen.get("slot"), found.pages[page].get("frame"), found.pages[page].get("slot"))
             for page, seen in due.pages.items()}  # fmt: skip
    for side in (0, 2):
        told = Counter(pair[side : side + 2] for pair in names if pair[0] or pair[1])
        if told and max(told.values()) > 1:
            raise Wrong(f"{where}: pages share other frames or slots: {sorted(names, key=str)}")
    if found.all != due.all:
        raise Wrong(f"{where}: of the machine is seen {found.all}, not {due.all}")


# Traces.


def events_of(vector: Line) -> list[Line]:
    """The events of a vector that starts from power-on."""
    if "events" in vector:
        return list(vector["events"])
    outcome = {name: vector[name] for name in ("got", "refused", "saw") if name in vector}
    return [*vector["run"], vector["step"] | outcome]


def trace(vector: Line, events: Sequence[Line]) -> str:
    """A trace, as `pagelaw judge` reads it."""
    return "".join(json.dumps(line) + "\n" for line in (vector["header"], *events))


def main(folder: str, *command: str) -> int:
    """Play all scenarios; the exit code."""
    done: Counter[str] = Counter()
    with Program(command) as program:
        for vector in vectors(Path(folder), "scenarios"):
            why = cannot(vector)
            if not why:
                play(program, vector)
            done[f"skipped: {why}" if why else "passed"] += 1
    print(", ".join(f"{count} {what}" for what, count in sorted(done.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
