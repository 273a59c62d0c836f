"""`pagelaw check`: what it proves, what it says, and its exit code."""

import functools
import importlib.metadata
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import z3

from pagelaw.model.cli import main
from pagelaw.proofs import checking, groups, memory, solvers, working
from pagelaw.proofs.obligations import Obligation, Theory
from pagelaw.proofs.results import Settings
from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import Ready

RULE = "start_driver"
TWO = ("start_driver", "stop_driver")


theory = functools.cache(Theory)


@pytest.fixture(autouse=True)
def one_theory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the invariants' terms once for all tests: none of them changes an invariant."""
    monkeypatch.setattr(working, "Theory", theory)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(*options: str, rules: tuple[str, ...] = (RULE,)) -> int:
    return main(["check", *(word for rule in rules for word in ("--rule", rule)), *options])


def check_json(*options: str, code: int = 0, rules: tuple[str, ...] = (RULE,)) -> Any:
    assert check("--json", "results.json", *options, rules=rules) == code
    return json.loads(Path("results.json").read_text())


def without_seconds(results: Any) -> Any:
    del results["summary"]["seconds"]
    for one in results["obligations"]:
        del one["seconds"]
    return results


Capture = pytest.CaptureFixture[str]


# All is well.


def test_all_proved(capsys: Capture) -> None:
    assert check() == 0
    out = capsys.readouterr().out
    assert re.search(r"^start_driver( +\d+)+ .*proved", out, re.MULTILINE)
    summary = r"(\d+) obligations: \1 proved \(0 remembered\) in \d+\.\d s with z3 \d+\.\d+\.\d+"
    assert re.fullmatch(summary, out.splitlines()[-1])


def test_json_has_a_summary_and_every_obligation() -> None:
    results = check_json()
    summary = results["summary"]
    assert set(summary) == {
        "obligations", "proved", "failed", "unknown", "remembered", "seconds", "solvers", "mutant",
    }
    assert summary["obligations"] == summary["proved"] == len(results["obligations"]) > 3
    assert set(summary["solvers"]) == {"z3"}
    for one in results["obligations"]:
        assert set(one) == {
            "rule", "property", "kind", "path", "verdict", "reason", "seconds", "solver", "remembered",
        }
        assert (one["rule"], one["verdict"], one["solver"]) == (RULE, "proved", "z3")
    assert {one["kind"] for one in results["obligations"]} >= {"exhaustive", "invariant"}


def test_results_do_not_depend_on_the_number_of_processes() -> None:
    one = without_seconds(check_json("--jobs", "1", "--fresh", rules=TWO))
    two = without_seconds(check_json("--jobs", "2", "--fresh", rules=TWO))
    assert one == two
    assert [one["rule"] for one in one["obligations"]] == sorted(one["rule"] for one in one["obligations"])


def test_one_property() -> None:
    results = check_json("--property", "only_running_vms_have_drivers", "--jobs", "1", rules=TWO)
    assert {one["property"] for one in results["obligations"]} == {"only_running_vms_have_drivers"}
    kinds = check_json("--property", "exhaustive", "--jobs", "1", rules=TWO)
    assert [one["kind"] for one in kinds["obligations"]] == ["exhaustive"] * 2


def test_a_property_that_the_rule_leaves_alone(capsys: Capture) -> None:
    assert check("--property", "frames_add_up") == 0
    assert "nothing to prove" in capsys.readouterr().out


def test_both_solvers() -> None:
    results = check_json("--solver", "both")
    assert set(results["summary"]["solvers"]) == {"z3", "cvc5"}
    assert {one["solver"] for one in results["obligations"]} == {"z3+cvc5"}


def test_texts_are_accepted_by_both_solvers() -> None:
    assert check("--smt2", "texts") == 0
    files = sorted(Path("texts").rglob("*.smt2"))
    assert len(files) == len(check_json()["obligations"])
    assert Path("texts/start_driver/all.paths_cover_all_cases.smt2") in files
    before = [file.read_text() for file in files]
    for text in before:
        solver = z3.Solver()
        solver.from_string(text)
        assert solver.check() == z3.unsat
    assert check("--smt2", "texts") == 0
    assert [file.read_text() for file in files] == before


# Memory.


def test_a_second_run_remembers() -> None:
    first, second = without_seconds(check_json()), without_seconds(check_json())
    assert not any(one["remembered"] for one in first["obligations"])
    assert all(one["remembered"] for one in second["obligations"])
    assert second["summary"]["remembered"] == second["summary"]["proved"]
    for one in (*first["obligations"], *second["obligations"]):
        del one["remembered"]
    assert first["obligations"] == second["obligations"]


def test_fresh_proves_again() -> None:
    check_json()
    assert check_json("--fresh")["summary"]["remembered"] == 0


def test_another_solver_proves_again() -> None:
    check_json()
    assert check_json("--solver", "cvc5")["summary"]["remembered"] == 0
    assert check_json("--solver", "both")["summary"]["remembered"] > 0


def test_a_remembered_run_does_not_even_load_a_solver() -> None:
    check_json()
    program = f"""if True:
        import sys
        from pagelaw.model.cli import main
        assert main(["check", "--rule", "{RULE}"]) == 0
        assert not {{"z3", "cvc5"}} & set(sys.modules)
    """
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("proofs.txt", lambda text: "rubbish"),
        ("proofs.txt", lambda text: text[:-10]),
        ("texts-*.txt", lambda text: text + "ab\n"),
    ],
)
def test_a_damaged_memory_is_ignored_with_a_note(pattern: str, damage: Callable[[str], str], capsys: Capture) -> None:
    check_json()
    (file,) = Path(memory.FOLDER).glob(pattern)
    file.write_text(damage(file.read_text()))
    again = check_json()
    assert f"{file} is damaged and was ignored" in capsys.readouterr().err
    assert again["summary"]["remembered"] == (0 if pattern == "proofs.txt" else again["summary"]["proved"])
    assert check_json()["summary"]["remembered"] == again["summary"]["proved"]


def test_memory_that_cannot_be_written(capsys: Capture) -> None:
    Path("file").touch()
    assert check("--memory", "file/memory") == 0
    assert "nothing is remembered: file/memory cannot be written" in capsys.readouterr().err


def test_texts_are_not_kept_if_the_sources_change_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["before", "after"])
    monkeypatch.setattr(checking, "sources", lambda mutant: next(states))
    check_json()
    assert not list(Path(memory.FOLDER).glob("texts-*.txt"))


def test_sources_have_a_digest_that_tells_mutants_apart() -> None:
    assert memory.sources(None) == memory.sources(None) != memory.sources("SH-1")


# Something is wrong.


def only(goal: Any) -> Callable[[Theory], Iterator[Obligation]]:
    """A group of one obligation."""
    return lambda theory: iter([Obligation("lemma", "a claim", "lemma", 0, (), goal)])


X: Any = z3.Int("x")
Y: Any = z3.Int("y")
Z: Any = z3.Int("z")


@pytest.mark.parametrize(
    ("goal", "verdict"), [(Y * Y != 49, "failed"), (X * X * X + Y * Y * Y + Z * Z * Z != 114, "unknown")]
)
def test_what_is_not_proved_fails_and_is_not_remembered(
    goal: Any, verdict: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(groups._OWN, "claims", only(goal))
    for _ in range(2):
        results = check_json("--time-limit", "0.2", rules=("claims",), code=1)
        assert results["summary"][verdict] == 1
        assert results["summary"]["remembered"] == results["summary"]["proved"] == 0
        assert "NOT PROVED lemma: a claim" in capsys.readouterr().out


def broken(s: Machine, vm: VM) -> None:
    """A driver starts, whether the VM runs or not."""
    s.driver[vm] = Ready()


def unreadable(s: Machine, vm: VM) -> None:
    """A question that is none."""
    if vm:
        s.driver[vm] = Ready()


def replace_rule(monkeypatch: pytest.MonkeyPatch, function: Callable[..., None]) -> None:
    monkeypatch.setitem(REGISTER["rule"], RULE, attrs.evolve(REGISTER["rule"][RULE], function=function))


def test_a_wrong_rule_fails_with_a_counterexample(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    replace_rule(monkeypatch, broken)
    one_property = ("--property", "only_running_vms_have_drivers")
    results = check_json("--time-limit", "1", "--save-tests", "tests", *one_property, code=1)
    assert [one["verdict"] for one in results["obligations"]] != ["proved"]
    out = capsys.readouterr().out
    assert "NOT PROVED start_driver: only_running_vms_have_drivers, path 0" in out
    assert "start_driver breaks: only_running_vms_have_drivers" in out
    assert re.search(r"\d+ obligations: \d+ proved .*(failed|unknown) in", out.splitlines()[-1])
    assert list(Path("tests").glob("test_start_driver_*.py"))


def test_without_a_counterexample_that_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    replace_rule(monkeypatch, broken)
    monkeypatch.setattr("pagelaw.proofs.counterexample.explain", lambda *asked: None)
    assert check("--time-limit", "1", "--property", "only_running_vms_have_drivers") == 1
    assert "no small counterexample was found" in capsys.readouterr().out


def test_a_rule_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    replace_rule(monkeypatch, unreadable)
    assert check("--jobs", "1", rules=TWO) == 2
    told = capsys.readouterr()
    assert f"{RULE} cannot be read as obligations: a VM is used as a truth value" in told.err
    assert re.search(r"\.py:\d+: ", told.err)
    assert "1 could not be read" in told.out
    assert re.search(r"^stop_driver .*proved", told.out, re.MULTILINE)


# Bad input.


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rule", "merg"], "there is no rule 'merg'; did you mean merge"),
        (["--property", "frames_ad_up"], "there is no property 'frames_ad_up'; did you mean frames_add_up"),
        (["--rule", RULE, "--property", "no such words"], "there is no obligation 'no such words' of start_driver"),
        (["--mutant", "SH-77"], "there is no mutant 'SH-77'; did you mean SH-"),
        (["--solver", "yices"], "--solver: invalid choice: 'yices'"),
        (["--jobs", "0"], "--jobs: '0' is not a whole number of at least 1"),
        (["--jobs", "many"], "--jobs: 'many' is not a whole number of at least 1"),
        (["--time-limit", "-1"], "--time-limit: '-1' is not a number of seconds above 0"),
        (["--time-limit", "nan"], "--time-limit: 'nan' is not a number of seconds above 0"),
        (["--json", "file/results.json"], "--json: cannot write file/results.json"),
        (["--smt2", "file/texts"], "--smt2: cannot write to file/texts"),
        (["--save-tests", "file"], "--save-tests: cannot write to file"),
    ],
)
def test_bad_input_is_told_in_one_line(options: list[str], told: str, capsys: Capture) -> None:
    Path("file").touch()
    assert main(["check", *options]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("solver", ["cvc5", "both"])
def test_a_missing_solver(solver: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def without_cvc5(package: str) -> str:
        if package == "cvc5":
            raise importlib.metadata.PackageNotFoundError(package)
        return importlib.metadata.version(package)

    monkeypatch.setattr(solvers, "package_version", without_cvc5)
    assert check("--solver", solver) == 2
    assert capsys.readouterr().err == "pagelaw: cvc5 is not installed: pip install 'pagelaw[cvc5]'\n"


def test_help_teaches(capsys: Capture) -> None:
    assert main(["check", "--help"]) == 0
    assert "pagelaw check --rule merge" in capsys.readouterr().out
    assert main([]) == 2
    assert "commands" in capsys.readouterr().err


# Interrupted.


def test_a_process_that_is_killed_is_not_waited_for() -> None:
    def kill(*told: object) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    settings = Settings({"z3": solvers.provenance("z3")}, 10.0)
    with pytest.raises(checking.WorkerLost, match="groups left: "):
        checking.Run(settings, memory.Memory(None), 2).check(["lemmas", "merge", "compare", "abandon"], kill)


@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent otherwise")
def test_an_interrupt_keeps_what_was_proved() -> None:
    command = [sys.executable, "-um", "pagelaw", "check", "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        assert process.stdout is not None
        while " proved in " not in (line := process.stdout.readline()):
            assert line
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == "pagelaw: interrupted\n"
    told = re.fullmatch(r" *\d+/\d+ ([^:]+): (\d+) of (\d+) proved in .*\n", line)
    assert told is not None, line
    group, proved, obligations = told[1], int(told[2]), int(told[3])
    deadline = time.monotonic() + 10
    while _alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(process.pid)
    again = [*command[:4], "--rule", group, "--json", "results.json"]
    assert subprocess.run(again, capture_output=True, check=False, timeout=120).returncode == 0
    summary = json.loads(Path("results.json").read_text())["summary"]
    assert (summary["remembered"], summary["proved"]) == (proved, obligations), line
    assert proved > 0


def _alive(group: int) -> bool:
    """Whether any process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
