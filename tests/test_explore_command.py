"""`pagelaw explore`: what it says, its bounds, and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pagelaw.model.cli import main
from pagelaw.model.explorer import search
from pagelaw.model.explorer.gallery import MACHINES, machines_for


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def explore(*options: str) -> int:
    return main(["explore", *options])


def explore_json(*options: str, code: int = 0) -> Any:
    assert explore("--json", "seen.json", *options) == code
    return json.loads(Path("seen.json").read_text())


def test_the_machines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore() == 0
    told = capsys.readouterr().out
    for small in MACHINES.values():
        assert f"{small.name} " in told
        assert small.about in told
        assert f"{small.states:,} states" in told


def test_a_machine_is_seen_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    seen = explore_json("domains")
    assert seen["mutant"] is None
    (figures,) = seen["explored"]
    assert (figures["machine"], figures["stopped"], figures["violation"]) == ("domains", "", None)
    assert figures["states"] == MACHINES["domains"].states == sum(figures["levels"])
    assert len(figures["levels"]) == figures["depth"] + 1
    assert sum(figures["done"].values()) == figures["transitions"]
    told = capsys.readouterr().out
    assert f"{figures['states']:,} states, which stand for {figures['represented']:,}" in told
    assert "every state seen: every step is allowed, every statement holds" in told


def test_a_fault_is_shown_by_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = explore_json("domains", "--mutant", "SH-3", code=1)["explored"]
    assert figures["violation"]["property"] == "table_lists_shared_frames"
    told = capsys.readouterr().out
    assert f"a shortest run to a violation, {len(figures['violation']['run'])} steps" in told
    assert figures["violation"]["told"] in told


def test_without_a_machine_those_that_come_to_the_fault_are_tried_first(capsys: pytest.CaptureFixture[str]) -> None:
    explored = explore_json("--mutant", "PO-6", code=1)["explored"]
    assert [one["machine"] for one in explored] == ["reclamation"]
    assert explored[-1]["violation"]["property"] == "state_goes_up_past_its_upper_mark"


def test_machines_are_tried_small_ones_first() -> None:
    tried = machines_for(["remapping.move_to_low"])
    coming = [one for one in tried if "move_to_low" in one.actions or "move_in_steps" in one.actions]
    assert tried[: len(coming)] == sorted(coming, key=lambda small: small.states)
    assert tried[len(coming) :] == sorted(tried[len(coming) :], key=lambda small: small.states)
    assert {one.name for one in tried} == set(MACHINES)


def test_a_row_that_calls_a_rule_in_vain_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """LK-2's scan takes an argument more: rows that call it as it was say nothing about the fault."""
    assert explore("overflow", "--mutant", "LK-2") == 0
    assert "left out, as the fault's rules take other arguments: share_in_steps" in capsys.readouterr().out


def test_a_machine_that_cannot_begin_under_a_fault_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = explore_json("blocks", "--mutant", "LK-1", code=3)["explored"]
    assert figures["stopped"].startswith("blocks cannot begin: touch_in_steps(")
    assert "STOPPED: blocks cannot begin" in capsys.readouterr().out


def test_a_fault_may_change_how_a_rule_is_called_and_is_not_watched(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore("power", "--mutant", "PO-8") == 1
    assert "add_up is false" in capsys.readouterr().out


def test_other_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = explore_json("domains", "--with", "frames=5")["explored"]
    assert figures["represented"] > figures["states"] > 0
    assert "frames 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["domain"], "there is no machine 'domain'; did you mean domains"),
        (["domains", "--mutant", "SH-33"], "there is no mutant 'SH-33'; did you mean"),
        (["domains", "--with", "frame=3"], "there is no size 'frame'; did you mean frames"),
        (["domains", "--with", "frames"], "'frames' is not of the form NAME=NUMBER"),
        (["domains", "--with", "frames=-1"], "'-1' is not a whole number"),
        (["domains", "--with", "frames=10000"], "'10000' is not a whole number"),
        (["domains", "--with", "frames=0"], "cannot begin with these sizes"),
        (["domains", "--with", "block=0"], "cannot begin with these sizes"),
        (["domains", "--with", "low_threshold=9"], "cannot begin with these sizes"),
        (["domains", "--with", "words=1000"], "pages of 1000 words with 2 values each hold too many contents"),
        (["domains", "--with", "values=0"], "cannot begin with these sizes"),
        (["--with", "frames=3"], "--with needs a MACHINE"),
        (["domains", "--memory", "0"], "'0' is not a whole number of at least 1"),
        (["domains", "--seconds", "0"], "'0' is not a number of seconds above 0"),
        (["domains", "--json", "no/such/folder.json"], "no/such"),
    ],
)
def test_bad_input_is_named(options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = explore(*options)
    except SystemExit as left:
        code = int(left.code or 0)
    assert code == 2
    out, err = capsys.readouterr()
    assert told in err
    assert not out


def test_the_bound_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = explore_json("common-3", "--memory", "20", code=3)["explored"]
    assert figures["stopped"] == "the bound of 20 MB is reached"
    assert figures["states"] == 1
    assert "STOPPED: the bound of 20 MB is reached; 1 states were seen" in capsys.readouterr().out


LARGE = ("--with=pages=100", "--with=frames=200", "--with=slots=200")


def test_a_machine_that_is_too_large_is_refused_with_an_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = explore_json("domains", *LARGE, code=3)["explored"]
    assert re.fullmatch(r"too large to explore: [\d,]+ actions and .*, need about [\d,]+ MB", figures["stopped"])
    assert figures["states"] == 0
    assert "STOPPED: too large to explore" in capsys.readouterr().out


def test_the_bound_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = explore_json("common-3", "--seconds", "0.5", code=3)["explored"]
    assert figures["stopped"].startswith("the 0.5 seconds are over")
    assert 0 < figures["frontier"] <= figures["states"] < MACHINES["common-3"].states
    assert figures["seconds"] < 20


@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent otherwise")
def test_an_interrupt_tells_what_was_seen() -> None:
    command = [sys.executable, "-um", "pagelaw", "explore", "common-3", "--json", "seen.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:  # fmt: skip
        assert process.stderr is not None
        while " states, depth " not in (line := process.stderr.readline()) or " depth 0," in line:
            assert line, "progress is told"
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "STOPPED: interrupted" in out
    (figures,) = json.loads(Path("seen.json").read_text())["explored"]
    assert figures["stopped"] == "interrupted"
    assert figures["states"] >= sum(figures["levels"]), "of the last depth, not all may be seen"


def test_two_runs_say_the_same_byte_for_byte() -> None:
    told = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "pagelaw", "explore", "domains", "--json", f"{seed}.json"]
        process = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True)
        figures = Path(f"{seed}.json").read_bytes()
        told.append([re.sub(rb"[\d.]+ s, \d+ MB", b"", process.stdout),
                     re.sub(rb'"(seconds|megabytes)": [\d.]+', b"", figures)])  # fmt: skip
    assert told[0] == told[1]


def test_memory_is_looked_at_before_anything_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "memory", lambda: 10_000.0)
    assert explore("domains", "--memory", "2048") == 3
