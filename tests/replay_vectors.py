"""Vectors used from outside: nothing of pagelaw is imported, programs are started and spoken to in JSON lines.

    python tests/replay_vectors.py tests/vectors python -m pagelaw.model.systems.reference

plays the scenarios on a program that speaks the protocol of `pagelaw conform`, and counts those that it comes through,
fails, and that are skipped: they need what the protocol does not have (single steps, options), or the program says
that it cannot do (operations, a machine of these sizes). Only what both tell is compared: a sight that a program does
not give is no failure; a word that it does not read is one. An answer has ten seconds. The exit code is 1 if one
failed, 2 if nothing could be played.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

Line = dict[str, Any]
SECONDS = 10.0
"""That a program has for an answer."""


class Wrong(Exception):
    """A program does not do what a vector says."""


def vectors(folder: Path, kind: str) -> Iterator[Line]:
    """All vectors of a format."""
    for file in sorted((folder / kind).glob("*.json")):
        yield from json.loads(file.read_text(encoding="utf-8"))["vectors"]


class Lost(Wrong):
    """A program does not answer any more."""


class Skipped(Exception):
    """A program cannot play a vector: why."""


class Program:
    """A program that answers each line with one. It is started anew when it was lost."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.start()

    def start(self) -> None:
        """It runs, and says what it can do."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seq = 0
        said = self.ask(cmd="start")
        self.operations: set[str] = set(said.get("operations", ()))
        self.needs: Line = said.get("machine", {})

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Its input is closed, with which it ends."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()

    def ask(self, **message: Any) -> Line:
        """Say something; the answer."""
        self.seq += 1
        given, answers = self.process.stdin, self.process.stdout
        assert given is not None
        assert answers is not None
        late = Timer(SECONDS, self.process.kill)
        late.start()
        try:
            print(json.dumps({"seq": self.seq, **message}), file=given, flush=True)
            line = answers.readline()
            answer: Line = json.loads(line)
            right = answer.pop("seq") == self.seq
        except (BrokenPipeError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            right = False
        finally:
            late.cancel()
        if not right:
            self.process.kill()
            raise Lost(f"no answer to {message.get('do', message['cmd'])}")
        return answer


def cannot(vector: Line) -> str:
    """Why the protocol cannot play a scenario; "" if it can."""
    if "options" in vector["header"]:
        return "options"
    if any("do" not in event for event in vector["events"]):
        return "single steps, or looks"
    return ""


def play(program: Program, vector: Line) -> None:
    """One scenario; Wrong if the program comes to something else, Skipped if it cannot play it."""
    machine = vector["header"]["machine"]
    if not {event["do"] for event in vector["events"]} <= program.operations:
        raise Skipped("operations that it does not have")
    if program.needs != {name: machine.get(name) for name in program.needs}:
        raise Skipped("other sizes than it needs")
    if program.ask(cmd="reset", machine=machine).get("unsupported") is True:
        raise Skipped("a machine that it cannot be")
    due, found = Frames(), Frames()
    for number, event in enumerate(vector["events"]):
        given = {name: value for name, value in event.items() if name not in ("got", "refused", "saw")}
        answer = program.ask(cmd="do", **given)
        if answer.get("unsupported") is True:
            raise Skipped("an operation that it cannot do")
        where = f"{vector['id']}: event {number}"
        if is_passed_over(event, answer):
            event = given | {"got": "not shared"}
        agree(where, event, answer)
        if "refused" not in event:
            found.forget(event)
            look(where, due.after(event, event), found.after(event, answer))


READS = ("read", "transfer_read")


def is_passed_over(event: Line, answer: Line) -> bool:
    """Whether a scan of a page with a transfer is done without sharing it, where it could be refused as well (R-24)."""
    return (event["do"], event.get("refused")) == ("scan", "PINNED") and "refused" not in answer


def agree(where: str, event: Line, answer: Line) -> None:
    """It is refused if it must be, for that reason if one is said; and answers the same, if it answers."""
    if ("refused" in event) != ("refused" in answer):
        raise Wrong(f"{where}: refused is {answer.get('refused')}, not {event.get('refused')}")
    for name in ("got", "refused"):
        told = answer.get(name)
        untold = (told is True and name == "refused") or (told is None and event["do"] not in READS)
        if not untold and told != event.get(name):
            raise Wrong(f"{where}: {name} is {told}, not {event.get(name)}")


class Frames:
    """What was seen of each page last, and of the machine."""

    def __init__(self) -> None:
        self.pages: dict[tuple[Any, int], Line] = {}
        self.all: dict[tuple[Any, str], Any] = {}

    def after(self, event: Line, told: Line) -> Frames:
        """Take in what is told of an operation."""
        if event["do"] == "power_off":
            self.pages = {page: seen for page, seen in self.pages.items() if page[0] != event["vm"]}
        for seen in told.get("saw", ()):
            if "page" in seen:
                self.pages[seen["vm"], seen["page"]] = seen
            elif "frame" not in seen:
                self.all |= {(seen.get("vm"), name): value for name, value in seen.items() if name != "vm"}
        return self

    def forget(self, event: Line) -> None:
        """Of what changes with an operation nothing is known until it is told again."""
        for seen in event.get("saw", ()):
            if "page" in seen:
                self.pages.pop((seen["vm"], seen["page"]), None)
            for name in seen:
                self.all.pop((seen.get("vm"), name), None)


PLACES = ("frame", "slot", "is")
NOWHERE = ("untouched", "ballooned", "absent")
"""What a page without frame and slot is said to be: absent is either of the others."""


def look(where: str, due: Frames, found: Frames) -> None:
    """Both are the same as far as both tell, up to the names of frames and slots."""
    both = [(page, due.pages[page], found.pages[page]) for page in due.pages.keys() & found.pages.keys()]
    for page, seen, other in both:
        places = [{name for name in PLACES if name in one} for one in (seen, other)]
        is_absent = "absent" in (seen.get("is"), other.get("is")) and {seen.get("is"), other.get("is")} <= {*NOWHERE}
        same = seen.get("words", ()) == other["words"] if "words" in seen and "words" in other else True
        if not same or (all(places) and (places[0] != places[1] or (seen.get("is") != other.get("is")
                                                                    and not is_absent))):  # fmt: skip
            raise Wrong(f"{where}: of page {page} is seen {other}, not {seen}")
    for name in ("frame", "slot"):
        pairs = {(seen[name], other[name]) for _, seen, other in both if name in seen and name in other}
        for side in (0, 1):
            if len({pair[side] for pair in pairs}) < len(pairs):
                raise Wrong(f"{where}: pages share other frames or slots: {sorted(pairs, key=str)}")
    for what in due.all.keys() & found.all.keys():
        if found.all[what] != due.all[what]:
            raise Wrong(f"{where}: {what[1]} is seen as {found.all[what]}, not {due.all[what]}")


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


def main(*words: str) -> int:
    """Play all scenarios; the exit code."""
    folder, command = Path(words[0] if words else ""), words[2 if words[1:2] == ("--",) else 1 :]
    due = list(vectors(folder, "scenarios")) if words else []
    if not due or not command:
        print("usage: replay_vectors.py FOLDER PROGRAM ARGS, the folder from `pagelaw vectors`", file=sys.stderr)
        return 2
    done: Counter[str] = Counter()
    try:
        with Program(command) as program:
            for vector in due:
                done[played(program, vector)] += 1
    except (Lost, OSError) as lost:
        print(f"{command[0]} cannot be played with: {lost}", file=sys.stderr)
        return 2
    print(", ".join(f"{count} {what}" for what, count in sorted(done.items())))
    return 1 if done["failed"] else 0 if done["passed"] else 2


def played(program: Program, vector: Line) -> str:
    """What playing a scenario came to; a failure is told."""
    try:
        if why := cannot(vector):
            raise Skipped(why)
        play(program, vector)
    except Skipped as why_not:
        return f"skipped: {why_not}"
    except Lost as lost:
        print(f"{vector['id']}: {lost}")
        program.end()
        program.start()
        return "failed"
    except Wrong as wrong:
        print(wrong)
        return "failed"
    return "passed"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
