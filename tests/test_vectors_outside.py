"""Vectors used from outside: programs are spoken to in JSON lines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from pagelaw.model.systems.reference import Reference

from . import replay_vectors
from .test_vectors import FOLDER, vectors

ALLOWED, FORBIDDEN = "allowed", "forbidden"


def test_the_replayer_imports_nothing_of_pagelaw() -> None:
    assert "import pagelaw" not in Path(replay_vectors.__file__).read_text(encoding="utf-8")


def test_scenarios_are_played_on_a_program_in_json_lines() -> None:
    """By a program that knows the files only, on one that knows the protocol only."""
    command = [sys.executable, replay_vectors.__file__, str(FOLDER), sys.executable, "-m",
               "pagelaw.model.systems.reference"]  # fmt: skip
    played = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    reasons = [replay_vectors.cannot(vector) for vector in vectors("scenarios").values()]
    assert reasons.count("") > 100
    told = ", ".join(f"{reasons.count(why)} {f'skipped: {why}' if why else 'passed'}" for why in sorted(set(reasons)))
    assert played.stdout.strip() == told


PARTLY = """
import json, sys
from pagelaw.model.systems.reference import Reference
how, kept = sys.argv[1], Reference()
for line in sys.stdin:
    asked = json.loads(line)
    seq, command = asked.pop("seq"), asked.pop("cmd")
    if command == "start":
        answer = kept.start() | ({"operations": ["power_on", "read", "write"]} if how == "few" else {})
        answer |= {"machine": {"slots": 1000}} if how == "sizes" else {}
    elif command == "reset":
        answer = {"unsupported": True} if how == "no machine" else kept.reset(asked["machine"])
    elif how == "no scan" and asked["do"] == "scan":
        answer = {"unsupported": True}
    else:
        answer = kept.do(asked)
        if how in ("silent", "mute"):
            answer.pop("saw", None)
        if how == "mute":
            answer.pop("got", None)
        if how == "dies" and asked["do"] == "scan":
            sys.exit(3)
        if how == "wrong" and asked["do"] == "read" and asked["page"] == 1 and "got" in answer:
            answer = {"got": answer["got"] + 1}
    print(json.dumps({"seq": seq, **answer}), flush=True)
"""
"""The reference, in part."""


@pytest.mark.parametrize(("how", "code", "told"), [
    ("silent", 0, "107 passed, "), ("no machine", 2, "107 skipped: a machine that it cannot be, "),
    ("few", 0, " passed, .* skipped: operations that it does not have, "),
    ("sizes", 2, "107 skipped: other sizes than it needs, "),
    ("no scan", 0, " passed, .* skipped: an operation that it cannot do, "),
    ("mute", 1, "scenarios/.*: event [0-9]+: got is None, not [0-9]+\n.* failed, [0-9]+ passed, "),
    ("dies", 1, "scenarios/.*: no answer to scan\n.* failed, [0-9]+ passed, "),
    ("wrong", 1, "scenarios/.*: event [0-9]+: got is [0-9]+, not [0-9]+\n.* failed, [0-9]+ passed, "),
])  # fmt: skip
def test_programs_that_can_or_tell_less_are_told_of(how: str, code: int, told: str, tmp_path: Path) -> None:
    """What is not told is not compared; each failure is told, and the next is played."""
    script = tmp_path / "partly.py"
    script.write_text(PARTLY, encoding="utf-8")
    command = [sys.executable, replay_vectors.__file__, str(FOLDER), sys.executable, str(script), how]
    played = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert played.returncode == code, played.stderr
    assert re.search(told, played.stdout, re.DOTALL), played.stdout
    counts = [int(count) for count in re.findall(r"([0-9]+) (?:passed|failed|skipped)", played.stdout)]
    assert sum(counts) == len(vectors("scenarios"))
    assert len(played.stdout.splitlines()) == 1 + sum(map(int, re.findall("([0-9]+) failed", played.stdout)))


@pytest.mark.parametrize("wrong", ["got", "words", "frame", "free_frames"])
def test_the_replayer_notices(wrong: str) -> None:
    """A program that answers something else."""
    vector = vectors("scenarios")["scenarios/share-01/pages-2"]
    with replay_vectors.Program([sys.executable, "-m", "pagelaw.model.systems.reference"]) as program:
        replay_vectors.play(program, vector)
        events = json.loads(json.dumps(vector["events"]))
        for event in events:
            if wrong == "got" and event.get("got") == "shared":
                event["got"] = "not shared"
            for seen in event.get("saw", ()) if event["do"] == "scan" else ():
                if wrong in seen:
                    seen[wrong] = {"words": [1], "frame": "m0", "free_frames": 0}[wrong]
        with pytest.raises(replay_vectors.Wrong, match="scenarios/share-01/pages-2: event"):
            replay_vectors.play(program, vector | {"events": events})


class Passing:
    """The reference, which passes over pages with a transfer where it could refuse; or shares them all the same."""

    needs: ClassVar[dict[str, Any]] = {}

    def __init__(self, outcome: str) -> None:
        self.outcome, self.kept = outcome, Reference()
        self.operations = set(self.kept.start()["operations"])

    def ask(self, cmd: str, **asked: Any) -> dict[str, Any]:
        """What a program would answer."""
        answer = self.kept.do(asked) if cmd == "do" else self.kept.reset(asked["machine"])
        return {"got": self.outcome} if (asked.get("do"), answer.get("refused")) == ("scan", "PINNED") else answer


@pytest.mark.parametrize("name", ["cow-04/only", "swap-06/as-in-cow-04"])
def test_a_scan_may_pass_over_a_page_with_a_transfer(name: str) -> None:
    vector = vectors("scenarios")[f"scenarios/{name}"]
    assert {"do": "scan", "refused": "PINNED"}.items() <= vector["events"][6 + ("swap" in name)].items()
    replay_vectors.play(cast(Any, Passing("not shared")), vector)
    with pytest.raises(replay_vectors.Wrong, match="got is shared, not not shared"):
        replay_vectors.play(cast(Any, Passing("shared")), vector)


def test_vectors_are_traces_that_the_command_judges(tmp_path: Path) -> None:
    """`pagelaw judge` allows each that starts from power-on; and forbids what a fault tells, in its line."""
    due: dict[str, tuple[str, int | None]] = {}
    for kind in ("rules", "refusals", "faults"):
        for name, vector in vectors(kind).items():
            events, file = replay_vectors.events_of(vector), name.replace("/", "_")
            (tmp_path / file).write_text(replay_vectors.trace(vector, events), encoding="utf-8")
            due[file] = ALLOWED, None
            wrong = vector.get("wrong")
            if wrong is not None:
                text = replay_vectors.trace(vector, [*events[: wrong["event"]], wrong["tells"]])
                (tmp_path / f"{file}-wrong").write_text(text, encoding="utf-8")
                due[f"{file}-wrong"] = FORBIDDEN, wrong["event"] + 2
    command = [sys.executable, "-m", "pagelaw", "judge", "--json", str(tmp_path / "judged.json"), *due]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=500)
    for found in json.loads((tmp_path / "judged.json").read_text(encoding="utf-8")):
        line = found["violations"][0]["line"] if found["violations"] else None
        assert (found["verdict"], line) == due.pop(found["trace"]), found["trace"]
    assert not due
