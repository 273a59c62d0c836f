"""Programs that misbehave: each gets its verdict in time, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pagelaw.model.cli import main
from pagelaw.model.oracle.capabilities import capabilities
from pagelaw.model.oracle.driving import Run
from pagelaw.model.oracle.machine import Differs, state_machine
from pagelaw.model.systems.reference import Reference

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
    "does not stop": (
        "hung", DOES_NOTHING.replace("answer(seq, unsupported=True)", "answer(seq)")
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


class Forgetful(Reference):
    """Reads give zero."""

    def do(self, event: dict[str, object]) -> dict[str, object]:
        """As it should be, but for that."""
        answer = super().do(event)
        if event["do"] == "read" and "got" in answer:
            answer = {"got": 0}
        return answer


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
