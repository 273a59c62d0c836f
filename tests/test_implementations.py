"""The example implementations conform; with one thing wrong in them they are caught, with the clause one would name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pagelaw.model.cli import main
from pagelaw.model.oracle.conforming import Conformed, Restarted, conform, replay
from pagelaw.model.oracle.files import judge_file
from pagelaw.spec.paper import clauses, readings

FOLDER = Path(__file__).parent / "implementations"
COMPILER = shutil.which("cc")
NODE = shutil.which("node")
WRONG: list[dict[str, Any]] = tomllib.loads((FOLDER / "wrong.toml").read_text(encoding="utf-8"))["wrong"]
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler (cc) is installed")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
RUNS = 40


@cache
def built(folder: Path, text: str, *options: str) -> str:
    """A memory manager in C, compiled."""
    source, to = folder / f"{abs(hash((text, options)))}.c", folder / f"{abs(hash((text, options)))}"
    source.write_text(text, encoding="utf-8")
    assert COMPILER is not None
    subprocess.run([COMPILER, "-std=c11", "-Wall", "-Wextra", "-O1", *options, "-o", str(to), str(source)], check=True,
                   capture_output=True, timeout=60)  # fmt: skip
    return str(to)


def text() -> str:
    """The one that is right."""
    return (FOLDER / "manager.c").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs are built."""
    return tmp_path_factory.mktemp("built")


def driven(*command: str, runs: int = RUNS, seed: int = 0) -> Conformed:
    """What driving a program comes to."""
    program = Restarted(command)
    try:
        return conform(program, runs, 80, seed)
    finally:
        program.end()


EXAMPLES = [pytest.param("c", marks=needs_compiler), pytest.param("js", marks=needs_node)]


def command_of(which: str, folder: Path) -> list[str]:
    """How an example is started."""
    return [built(folder, text())] if which == "c" else [str(NODE), str(FOLDER / "tiny.js")]


@pytest.mark.parametrize("which", EXAMPLES)
def test_examples_conform(which: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = command_of(which, folder)
    assert main(["smoke", "--", *command]) == 0
    assert "all answers are allowed" in capsys.readouterr().out
    found = driven(*command)
    assert (found.verdict, found.unsupported) == ("allowed", {})
    assert found.runs + sum(found.unsupported_machines.values()) == RUNS
    assert found.unsupported_machines.keys() <= {"low memory", "overhead", "sharing domains"}
    assert len(found.refusals) >= (7 if which == "c" else 3)


@pytest.mark.deep
@pytest.mark.parametrize("which", EXAMPLES)
def test_examples_conform_for_long(which: str, folder: Path) -> None:
    assert driven(*command_of(which, folder), runs=3000, seed=1000).verdict == "allowed"


@needs_compiler
def test_the_example_in_c_is_clean_under_sanitizers(folder: Path) -> None:
    try:
        program = built(folder, text(), "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    except subprocess.CalledProcessError:
        pytest.skip("the compiler has no sanitizers")
    assert driven(program, runs=5).verdict == "allowed"


@needs_compiler
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong["id"])
def test_what_is_wrong_is_caught(wrong: dict[str, Any], folder: Path) -> None:
    assert text().count(wrong["old"]) == 1
    found = driven(built(folder, text().replace(wrong["old"], wrong["new"])), seed=wrong.get("seed", 0))
    assert found.verdict == "forbidden"
    assert found.failure is not None
    assert found.failure.violation is not None
    named = {clause for reason in found.failure.violation.reasons for clause in reason.clauses}
    assert wrong["clause"] in named
    assert len(found.failure.events) <= wrong.get("most", 10)
    assert found.is_shortest or "most" in wrong
    known = {one.id for one in clauses()} | {one.id for one in readings()}
    assert named <= known | {name for name in named if name.startswith("D-")}


def test_there_are_at_least_twelve_wrong_ones_and_they_differ() -> None:
    assert len({one["id"] for one in WRONG}) == len(WRONG) >= 12


@needs_compiler
def test_a_failure_is_shrunk_saved_judged_and_replayed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = next(one for one in WRONG if one["id"] == "no-copy")
    program = built(folder, text().replace(wrong["old"], wrong["new"]))
    assert main(["conform", "--save", str(tmp_path), "--", program]) == 1
    told = capsys.readouterr().out
    shortest = re.search(r"as short as it can be, (\d+):", told)
    assert shortest is not None
    assert int(shortest[1]) <= 8
    assert "ESX-4.2-08" in told
    trace = str(tmp_path / "failure.jsonl")
    assert judge_file(trace).verdict == "forbidden"
    assert main(["conform", "--replay", trace, "--", program]) == 1
    assert main(["conform", "--replay", trace, "--", built(folder, text())]) == 0
    capsys.readouterr()
    test = tmp_path / "test_failure.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "test_what_was_not_allowed" in done.stdout


@needs_compiler
def test_no_single_event_of_a_shrunk_failure_can_be_left_out(folder: Path) -> None:
    wrong = next(one for one in WRONG if one["id"] == "freed-early")
    program = Restarted([built(folder, text().replace(wrong["old"], wrong["new"]))])
    try:
        found = conform(program, 20, 80, 0)
        assert found.failure is not None
        assert found.able is not None
        events, able = found.failure.events, found.able.of_run(found.seed)
        for left_out in range(len(events) - 1):
            again = replay(program, able, [*events[:left_out], *events[left_out + 1 :]])
            assert again is None or again.kind != found.failure.kind
    finally:
        program.end()


@needs_compiler
def test_the_same_seed_gives_the_same_run(folder: Path) -> None:
    program = built(folder, text())
    once, again = driven(program, runs=3, seed=5), driven(program, runs=3, seed=5)
    assert (once.done, once.rules, once.refusals) == (again.done, again.rules, again.refusals)
