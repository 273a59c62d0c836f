"""Programs that misbehave: each gets its verdict in time, and none is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pagelaw.model.cli import main
from pagelaw.model.oracle.capabilities import CROWDED_EVERY, OTHERS, capabilities
from pagelaw.model.oracle.conforming import Conformed, conform, one_run
from pagelaw.model.oracle.driving import Drawing, Run
from pagelaw.model.oracle.judge import Judge
from pagelaw.model.oracle.machine import Differs, state_machine
from pagelaw.model.oracle.scene import values
from pagelaw.model.oracle.smoke import smoke
from pagelaw.model.systems.reference import Reference
from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import Value
from pagelaw.spec.vocabulary import MPN, Mapped, Running, Shared

START = """
import sys, json, time, os
def answer(seq, **made):
    print(json.dumps({"seq": seq, **made}), flush=True)
def start(seq):
    answer(seq, pagelaw=1, system="odd", operations=["power_on", "read", "write"])
for line in sys.stdin:
    m = json.loads(line)
    seq = m["seq"]
"""

BEGINS = "    start(seq) if m['cmd'] == 'start' else answer(seq) if m['cmd'] == 'reset' else "
DOES_NOTHING = "    start(seq) if m['cmd'] == 'start' else "
DOES_NOTHING += "answer(seq, unsupported=True) if m['cmd'] == 'do' else answer(seq)"
PROGRAMS = {
    "never": ("hung", "    time.sleep(60)"),
    "rubbish": ("garbled", "    print('hello', flush=True)"),
    "binary": ("garbled", "    sys.stdout.buffer.write(bytes(range(256)) + b'\\n'); sys.stdout.flush()"),
    "not an object": ("garbled", "    print('[1]', flush=True)"),
    "other seq": ("garbled", "    answer(seq + 1)"),
    "twice the same key": ("garbled", "    print('{\"seq\":0,\"seq\":0}', flush=True)"),
    "old version": ("garbled", "    answer(seq, pagelaw=0, operations=['read'])"),
    "unknown operation": ("garbled", "    answer(seq, pagelaw=1, operations=['nap'])"),
    "no operations": ("garbled", "    answer(seq, pagelaw=1, operations=[])"),
    "dies at once": ("crashed", "    sys.exit(3)"),
    "killed": ("crashed", "    os.kill(os.getpid(), 9)"),
    "closes its output": ("crashed", "    os.close(1); time.sleep(60)"),
    "endless": ("garbled", "    sys.stdout.write('x' * 3_000_000); sys.stdout.flush(); time.sleep(60)"),
    "dies in the middle": ("crashed", BEGINS + "sys.exit(1)"),
    "hangs in the middle": ("hung", BEGINS + "time.sleep(60)"),
    "answers twice": (
        "garbled", "    start(seq) if m['cmd'] == 'start' else (answer(seq), answer(seq), time.sleep(.2))",
    ),
    "wrong fields": ("garbled", BEGINS + "answer(seq, saw=5)"),
    "other values": ("garbled", BEGINS + "answer(seq, value=5, do='read')"),
    "can do nothing": ("unsupported", DOES_NOTHING),
    "refuses everything": (
        "unsupported", "    answer(seq, pagelaw=1, operations=['read']) if m['cmd'] == 'start' else "
        "answer(seq, refused=True) if m['cmd'] == 'do' else answer(seq)",
    ),
    "one operation twice": ("garbled", "    answer(seq, pagelaw=1, operations=['read', 'read'])"),
    "does not stop": (
        "hung", DOES_NOTHING.replace("m['cmd'] == 'do'", "m.get('do', 'power_on') != 'power_on'")
        + "\n    if m['cmd'] == 'stop': time.sleep(60)",
    ),
    "bad end": ("crashed", DOES_NOTHING + "\n    if m['cmd'] == 'stop': sys.exit(9)"),
}  # fmt: skip
CODES = {"hung": 1, "garbled": 1, "crashed": 1, "unsupported": 3}


def processes_of(mark: str) -> list[str]:
    """Processes with this in their command line."""
    return [one for one in subprocess.run(["ps", "ax", "-o", "pid,args"], capture_output=True, text=True, check=True)
            .stdout.splitlines() if mark in one and "ps ax" not in one]  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_misbehave(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    how, body = PROGRAMS[name]
    script = tmp_path / f"{name.replace(' ', '_')}.py"
    script.write_text(START + body + "\n", encoding="utf-8")
    started = time.monotonic()
    code = main(["conform", "--runs", "2", "--steps", "4", "--answer-within", "0.7", "--", sys.executable, str(script)])
    told = capsys.readouterr().out
    assert (code, told.partition(": ")[2].partition(":")[0].partition(" (")[0]) == (CODES[how], how), told
    assert time.monotonic() - started < 12
    assert processes_of(str(script)) == []


@pytest.mark.parametrize("command", ["./there-is-none", "/", str(Path(__file__))])
def test_what_cannot_be_started(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smoke", "--", command]) == 2
    assert "cannot be started" in capsys.readouterr().out


def test_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform"]) == 2
    assert main(["smoke", "--"]) == 2
    assert "no program is named" in capsys.readouterr().err


def test_standard_error_is_kept_apart_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "loud.py"
    script.write_text(
        "import sys\n" + START + "    print('why it fails', file=sys.stderr); sys.exit(1)\n", encoding="utf-8"
    )
    assert main(["conform", "--", sys.executable, str(script)]) == 1
    assert "its standard error:\n  why it fails" in capsys.readouterr().out


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_pagelaw_is_ended(how: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    command = [sys.executable, "-m", "pagelaw", "smoke", "--answer-within", "50", "--", sys.executable, str(script)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
    deadline = time.monotonic() + 20
    while len(processes_of(str(script))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(how)
    process.communicate(timeout=20)
    time.sleep(0.3)
    assert processes_of(str(script)) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_allowed_until_a_signal_is_told(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "pagelaw", "conform", "--runs", "1000000", "--", sys.executable, "-m",
               "pagelaw.model.systems.reference"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    process.send_signal(how)
    told, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + how
    assert re.fullmatch("interrupted; [0-9]+ runs, [0-9,]+ operations were allowed until then\n", told), told
    assert errors == ("pagelaw: interrupted\n" if how == signal.SIGINT else f"pagelaw: ended by {how.name}\n")


@pytest.mark.parametrize("after", [0.4, 0.8, 1.2])
def test_judging_on_several_processes_is_interrupted_in_a_line(after: float, tmp_path: Path) -> None:
    """Also while they start."""
    header = {"pagelaw": 1, "machine": {"vms": [{"name": "A", "pages": 1}], "frames": 1, "slots": 1}}
    lines = [header, {"do": "power_on", "vm": "A"}] + [{"do": "read", "vm": "A", "page": 0, "word": 0}] * 1_000_000
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    command = [sys.executable, "-m", "pagelaw", "judge", "--jobs", "2", "long.jsonl", "long.jsonl"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                               start_new_session=True)  # fmt: skip
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "pagelaw: interrupted\n")


class Forgetful(Reference):
    """Reads give zero."""

    def do(self, event: dict[str, object]) -> dict[str, object]:
        """As it should be, but for that."""
        answer = super().do(event)
        if event["do"] == "read" and "got" in answer:
            answer = {"got": 0}
        return answer


class Mute(Reference):
    """One operation is done, and says nothing of what it came to."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.muted = name

    def do(self, event: dict[str, object]) -> dict[str, object]:
        """As it should be, but for that."""
        answer = super().do(event)
        return {} if event["do"] == self.muted and "refused" not in answer else answer

    def stop(self) -> None:
        """Nothing is left to do."""


@pytest.mark.parametrize("name", ["read", "transfer_read"])
def test_a_program_has_to_say_what_was_read(name: str) -> None:
    """A trace may leave it out, as it was not observed; a program that is driven knows it."""
    found = conform(Mute(name), 100, 120, 0)
    assert (found.verdict, found.failure and found.failure.events[-1]["do"]) == ("garbled", name)
    assert found.told == f'the answer to {name} has neither "got", the word, nor "refused"'
    mute = Mute(name)
    failures = [failure for *_, failure in smoke(mute, capabilities(mute.start())) if failure is not None]
    assert [failure.how for failure in failures] == (["garbled"] if name == "read" else [])


@pytest.mark.parametrize("largest", [2, 3, 4, 255, 2**53 - 1, 2**64 - 1])
def test_values_that_are_drawn_differ_in_high_bits_alone(largest: int) -> None:
    drawn = [set(part) for part in values(largest)]
    assert max(map(max, drawn)) == largest
    assert all(len(part) >= (3 if largest > 2 else 2) for part in drawn)
    highest = 1 << (largest.bit_length() - 1)
    assert largest < highest + 1 or any({1, highest + 1} <= part for part in drawn)


TestReference = state_machine(Reference).TestCase


def test_a_python_object_is_driven_by_hypothesis() -> None:
    with pytest.raises(Differs, match="allowed here is only"):
        run_state_machine_as_test(
            state_machine(Forgetful), settings=settings(max_examples=100, database=None, derandomize=True)
        )


def test_the_operations_of_a_run_are_those_that_it_names() -> None:
    reference = Reference()
    run = Run(reference, capabilities(reference.start()))
    assert run.do({"do": "power_on", "vm": "A"}) is None
    assert run.do({"do": "read", "vm": "A", "page": 0, "word": 0}) is None


CANNOT = """    plain = m["cmd"] == "reset" and "low" not in line and "overhead" not in line
    start(seq) if m["cmd"] == "start" else answer(seq) if m["cmd"] == "stop" or plain else answer(seq, unsupported=True)
"""


def test_machines_that_a_program_cannot_be_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, to = tmp_path / "small.py", tmp_path / "found.json"
    script.write_text(START + CANNOT, encoding="utf-8")
    assert main(["conform", "--runs", "10", "--steps", "4", "--json", str(to), "--", sys.executable, str(script)]) == 3
    assert "runs left out: low memory (1), overhead (1)" in capsys.readouterr().out
    found = json.loads(to.read_text(encoding="utf-8"))
    assert found["runs"] == sum(found["machines"].values()) == 8
    assert found["unsupported_machines"] == {"low memory": 1, "overhead": 1}


def test_a_program_that_can_be_no_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "none.py"
    script.write_text(START + CANNOT.replace("plain = ", "plain = False and "), encoding="utf-8")
    assert main(["conform", "--runs", "3", "--", sys.executable, str(script)]) == 3
    assert "it can be none of the machines" in capsys.readouterr().out
    assert main(["smoke", "--", sys.executable, str(script)]) == 3
    assert "unsupported" in capsys.readouterr().out


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("profile", ["esx", "linux"])
def test_the_reference_is_allowed_on_every_machine(what: str, profile: str) -> None:
    reference, found = Reference(profile), Conformed()
    able = capabilities(reference.start()).on(OTHERS[what])
    assert all(one_run(reference, able, found, 150, seed) is None for seed in range(4))
    assert found.events == 600
    if what == "low memory":
        assert found.rules["move_to_low"]
        assert found.rules["start_bounce_in"]


def test_a_frame_comes_to_have_more_users_than_a_byte_counts() -> None:
    reference = Reference()
    able = capabilities(reference.start()).of_run(CROWDED_EVERY // 2)
    run = Run(reference, able)
    for event in Drawing(run, Random(0)).beginning():
        assert run.do(event) is None
    s = run.judge.candidates[0].machine
    assert max(reference_count(s, mpn) for mpn in s.ids[MPN]) > 256


class TakesOver(Reference):
    """The last page in a shared frame takes it over, where that is declared, though a device may still read it."""

    def start(self) -> dict[str, Any]:
        """What it can do, and what it declares."""
        return super().start() | {"options": {"take_over": True}}

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        """One operation."""
        s = self.c.machine
        if event["do"] == "write" and s.life[self.events.vms[event["vm"]]] == Running():
            page = self.events.pages[event["vm"]][event["page"]]
            at = s.pmap[page]
            is_shared = isinstance(at, Mapped) and isinstance(s.frame[at.mpn], Shared)
            if isinstance(at, Mapped) and is_shared and reference_count(s, at.mpn) == s.pins[at.mpn] + 1 > 1:
                word = self.events.words[event["word"]]
                s.contents[at.mpn] = s.contents[at.mpn].with_word(word, Value(event["value"]))
                return {"saw": [self.of_page(page)]}
        return super().do(event)

    def stop(self) -> None:
        """Nothing is left to do."""


def test_a_frame_is_not_taken_over_while_a_device_reads_it() -> None:
    found = conform(TakesOver(), 100, 120, 0)
    assert found.verdict == "forbidden"
    assert found.failure is not None
    assert found.failure.violation is not None
    assert any("R-22" in reason.clauses for reason in found.failure.violation.reasons)


@pytest.mark.parametrize("tells", [[], ["swap_target"]])
def test_who_tells_of_a_decision_is_held_to_it(tells: list[str]) -> None:
    """The example of the guide."""
    vms = [{"name": "A", "pages": 4}]
    judge = Judge()
    written: list[dict[str, Any]] = [
        {"do": "write", "vm": "A", "page": page, "word": 0, "value": page + 1} for page in range(2)
    ]
    out: list[dict[str, Any]] = [{"do": "page_out", "vm": "A", "page": page} for page in range(2)]
    header = {"pagelaw": 1, "machine": {"vms": vms, "frames": 4, "slots": 4}, "tells": tells}
    level = {"do": "set_swap_target", "vm": "A", "pages": 1}
    for line in (header, {"do": "power_on", "vm": "A"}, *written, level, *out):
        judge.line(json.dumps(line).encode())
    assert judge.verdict == ("forbidden" if tells else "allowed")
    assert not tells or judge.violations[0].reasons[0].allowed == ("a refusal: NO_PAGE_TO_TAKE",)
