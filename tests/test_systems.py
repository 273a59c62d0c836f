"""Systems to judge: the memory manager, the kernel of this machine, QEMU's balloon device."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pagelaw.model.cli import main
from pagelaw.model.oracle.conforming import Conformed, Restarted, conform
from pagelaw.model.oracle.files import judge_file
from pagelaw.model.systems import balloon, linux
from pagelaw.model.systems.beside import Beside
from pagelaw.model.systems.linux.drawing import Drawing
from pagelaw.model.systems.linux.knobs import KSM, SETTINGS
from pagelaw.model.systems.linux.processes import VM
from pagelaw.model.systems.listed import SYSTEMS
from pagelaw.model.systems.running import Ran, ran
from pagelaw.model.systems.virtio import BalloonDriver

OPTIMIZED = [sys.executable, "-m", "pagelaw.model.systems.optimized"]
Note = Callable[[str, object], None]

needs_kernel = pytest.mark.skipif(bool(linux.cannot()), reason=linux.cannot())
needs_qemu = pytest.mark.skipif(bool(balloon.cannot()), reason=balloon.cannot())


# The memory manager.


def conformed(command: list[str], runs: int) -> Conformed:
    """What so many runs of a program come to."""
    program = Restarted(command)
    try:
        return conform(program, runs, 80, 0)
    finally:
        program.end()


def test_the_memory_manager_conforms() -> None:
    found = conformed(OPTIMIZED, 20)
    assert found.verdict == "allowed", found.told or found.failure
    assert not found.unsupported
    assert set(found.done) == set(found.able.operations if found.able else ())
    assert {"merge", "break_sharing", "commit_page_out", "install_page_in", "pop"} <= found.rules.keys()


WITH = {
    "frames taken over": ["--option", "take_over"],
    "slots kept": ["--option", "keep_slot"], "copies of shared frames": ["--option", "swap_shared"],
    "high memory": ["--low"], "pages that make room": ["--low", "--option", "displace"],
    "all of it": ["--low", *(one for option in ("displace", "take_over", "keep_slot", "swap_shared")
                             for one in ("--option", option))],
}  # fmt: skip
"""What the memory manager can be run with."""


@pytest.mark.parametrize("given", WITH.values(), ids=WITH)
def test_it_conforms_with(given: list[str]) -> None:
    found = conformed([*OPTIMIZED, *given], 60)
    assert found.verdict == "allowed", found.told or found.failure
    assert sum(found.done.values()) >= 2000
    of_it = {"take_over": "take_over_frame", "keep_slot": "forget_kept_slot", "swap_shared": "page_out_to_copy"}
    assert "displace" not in given or "move_to_high" in found.rules
    assert "--low" not in given or {"start_bounce_in", "start_bounce_out"} <= found.rules.keys()
    if len(given) == 2:
        assert of_it[given[-1]] in found.rules


@pytest.mark.deep
@pytest.mark.parametrize("given", [[], *WITH.values()], ids=["nothing", *WITH])
def test_the_memory_manager_conforms_for_long(given: list[str]) -> None:
    assert conformed([*OPTIMIZED, *given], 1000).verdict == "allowed"


@pytest.mark.parametrize(("fault", "given"), [("IM-19", ""), ("IM-26", ""), ("IM-47", ""),
                                               ("IM-51", "--option take_over"), ("IM-53", "--option keep_slot"),
                                               ("IM-63", "--low"), ("IM-73", "")])
def test_a_fault_of_the_memory_manager_is_forbidden(fault: str, given: str) -> None:
    """Copy-on-write without the copy; slots, buffers never free again; one sharing domain; a frame listed too long; a
    copy that a device made old; a frame asked for transfers, and not its page."""
    found = conformed([*OPTIMIZED, "--fault", fault, *given.split()], 100)
    assert found.verdict == "forbidden"
    assert found.failure is not None
    assert found.failure.violation is not None
    assert len(found.failure.events) <= 13


# The kernel of this machine.


def state_of_kernel() -> dict[str, str]:
    """All that a run changes."""
    settings = {name: (KSM / name).read_text() for name in (*SETTINGS, "run", "pages_shared") if (KSM / name).exists()}
    return settings | {"swap": Path("/proc/swaps").read_text(), "left": str(sorted(left_over()))}


def left_over() -> list[str]:
    """Control groups and swap files of ours."""
    return [str(one) for folder, name in (("/sys/fs/cgroup", "pagelaw-*"), ("/sys/fs/cgroup/memory", "pagelaw-*"),
                                          (tempfile.gettempdir(), "pagelaw-swap-*"), ("/var/tmp", "pagelaw-swap-*"))
            for one in Path(folder).glob(name)]  # fmt: skip


def run_of_kernel(operations: int, seed: int, sharers: int = 0) -> tuple[Ran, linux.Linux]:
    """A run on this kernel."""
    try:
        with Beside() as judge, linux.Linux(sharers) as system:
            return ran(system, operations, seed, lambda _, random: Drawing(system, random), judge=judge), system
    except linux.CannotRun as why:
        pytest.skip(str(why))


@needs_kernel
def test_this_kernel_is_allowed() -> None:
    before = state_of_kernel()
    found, system = run_of_kernel(1500, 1)
    assert state_of_kernel() == before
    assert found.verdict == "allowed", found.failure
    counts = found.counts()
    swap = () if any("swap" in one for one in system.without) else ("page-outs", "page-ins")
    for what in ("merges", "copy-on-write breaks, and pages taken apart", "moves to another frame", *swap):
        assert counts[what] > 0, what


@needs_kernel
@pytest.mark.deep
@pytest.mark.parametrize("seed", range(3))
def test_this_kernel_is_allowed_for_long(seed: int, record_property: Note) -> None:
    found, _ = run_of_kernel(10_000, seed)
    assert found.verdict == "allowed", found.failure
    record_property("seconds", found.seconds)
    record_property("judging", found.run.judging)


@needs_kernel
def test_this_kernel_keeps_to_a_limit_of_users() -> None:
    """It counts users that have left until its scanner comes by: now and then a frame is made that nothing explains."""
    before = state_of_kernel()
    found, _ = run_of_kernel(1500, 1, sharers=3)
    assert state_of_kernel() == before
    assert found.verdict in ("allowed", "undetermined"), found.failure
    assert found.run.judged.freedoms["most_sharers"] > 20
    assert found.counts()["merges"] > 100


@needs_kernel
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_all_is_put_back_after_a_signal(by: signal.Signals) -> None:
    before = state_of_kernel()
    command = [sys.executable, "-m", "pagelaw", "systems", "linux", "--operations", "1000000"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(400):
        if state_of_kernel() != before or run.poll() is not None:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    changed = state_of_kernel() != before
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    run.send_signal(by)
    _, told = run.communicate(timeout=60)
    for _ in range(400):
        if state_of_kernel() == before:
            break
        time.sleep(0.05)
    assert changed, told
    assert state_of_kernel() == before
    assert second.returncode == 2
    assert second.stderr.startswith("pagelaw: linux cannot run here: ")
    assert second.stderr.count("\n") == 1


@needs_kernel
def test_all_is_put_back_when_it_is_interrupted_while_a_vm_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_of_kernel()

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(VM, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_of_kernel(10, 1)
    assert state_of_kernel() == before


@needs_kernel
@pytest.mark.parametrize("call", ["advise", "write"])
def test_a_kernel_that_does_not_do_what_it_is_asked_is_forbidden(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are given back stay where they are; what is written is lost."""
    monkeypatch.setattr(VM, call, lambda *_: None)
    found, _ = run_of_kernel(300, 0)
    assert found.verdict == "forbidden"


# QEMU's balloon.


@needs_qemu
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_of_qemu_is_left_after_a_signal(by: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pagelaw", "systems", "balloon", "--operations", "1000000"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           env=os.environ | {"TMPDIR": str(tmp_path)})  # fmt: skip
    for _ in range(200):
        if list(tmp_path.iterdir()) or run.poll() is not None:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    there = list(tmp_path.iterdir())
    run.send_signal(by)
    verdict, told = run.communicate(timeout=60)
    assert there, (run.returncode, verdict, told)
    assert run.returncode == 128 + by, told
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in told


@needs_qemu
def test_the_balloon_device_is_allowed() -> None:
    with balloon.Balloon() as system:
        found = ran(system, 1000, 0)
    assert found.verdict == "allowed", found.failure
    assert found.operations == 1000
    rules = found.run.judged.exercised.keys()
    assert {"release_to_balloon", "deflate", "pop", "set_balloon_target", "load", "store"} <= rules


@needs_qemu
def test_a_balloon_device_that_keeps_the_memory_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BalloonDriver, "tell", lambda *_: None)
    with balloon.Balloon() as system:
        found = ran(system, 300, 0)
    assert found.verdict == "forbidden"


# Traces that were recorded.

TRACES = sorted((Path(__file__).parent / "traces").glob("*.jsonl.gz"))


def test_every_system_has_a_trace() -> None:
    assert {one.name.split(".")[0] for one in TRACES} == SYSTEMS.keys() - {"tiny"}


@pytest.mark.parametrize("trace", TRACES, ids=lambda one: one.name.split(".")[0])
def test_a_recorded_trace_is_allowed(trace: Path) -> None:
    assert trace.stat().st_size < 200_000
    judged = judge_file(str(trace))
    assert judged.verdict == "allowed", judged
    assert judged.events >= 400


def test_another_frame_in_the_trace_of_the_kernel_is_forbidden(tmp_path: Path) -> None:
    """Some of the frames that pages were seen to keep are changed by hand, to one that another page has later."""
    lines = gzip.decompress((Path(__file__).parent / "traces" / "linux.jsonl.gz").read_bytes()).decode().splitlines()
    events = [json.loads(line) for line in lines]
    last: dict[tuple[str, int], int | None] = {}
    kept = []
    for at, event in enumerate(events):
        for one in event.get("saw", ()):
            if "page" in one:
                name = (one["vm"], one["page"])
                if event.get("do") == "read" and "frame" in one and last.get(name) == one["frame"]:
                    kept.append(at)
                last[name] = one.get("frame")
    assert len(kept) > 20
    for at in Random(0).sample(kept[:-5], 8):
        own = events[at]["saw"][0]
        later = (events[other]["saw"][0]["frame"] for other in kept if other > at)
        other = next(frame for frame in later if frame != own["frame"])
        changed = json.dumps(events[at] | {"saw": [own | {"frame": other}, *events[at]["saw"][1:]]})
        wrong = tmp_path / "wrong.jsonl"
        wrong.write_text("\n".join([*lines[:at], changed]) + "\n")
        judged = judge_file(str(wrong))
        assert judged.verdict == "forbidden", events[at]
        assert judged.violations[0].line == at + 1


# The command.


def test_systems_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "found.json"
    assert main(["systems", "--json", str(to)]) == 0
    told = capsys.readouterr().out
    found = json.loads(to.read_text())
    assert [one["system"] for one in found] == [*SYSTEMS]
    for one in found:
        assert one["system"] in told
        assert one["cannot"] is None or one["cannot"] in told


def test_why_a_system_cannot_run_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    for name, why in (("balloon", "there is no qemu-system-x86_64"), ("tiny", "there is no node"),
                      ("manager", "there is no C compiler")):  # fmt: skip
        assert main(["systems", name]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"pagelaw: {name} cannot run here: {why}")
        assert told.count("\n") == 1


def test_a_system_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["systems", "linus"]) == 2
    assert capsys.readouterr().err == "pagelaw: there is no system 'linus'; did you mean linux, linux-three?\n"


def test_a_run_is_told_and_its_trace_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, to = tmp_path / "run.jsonl.gz", tmp_path / "run.json"
    command = ["systems", "reference", "--operations", "200", "--seed", "7", "--trace", str(trace), "--json", str(to)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.startswith("pagelaw reference: allowed (profile esx)\n  200 operations in ")
    found = json.loads(to.read_text())
    assert (found["verdict"], found["operations"], found["failure"]) == ("allowed", 200, None)
    judged = judge_file(str(trace))
    assert (judged.verdict, judged.events) == ("allowed", 200)
