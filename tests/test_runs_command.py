"""`pagelaw runs`: what it prints, writes and returns."""

import json
from pathlib import Path

import pytest

from pagelaw.model.cli import main
from pagelaw.model.cli import runs as command
from pagelaw.model.runs.batched import Batch
from pagelaw.model.runs.failure import Failure
from pagelaw.spec.language import REGISTER


def test_a_short_run_has_not_reached_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "runs.json"
    assert main(["runs", "--seconds", "0.3", "--seed", "2", "--json", str(results)]) == 3
    out = capsys.readouterr().out
    assert all(name in out for name in REGISTER["rule"])
    assert "never reached:" in out
    assert "steps a second" in out
    written = json.loads(results.read_text())
    assert written["summary"]["violation"] is None
    assert written["summary"]["mode"] == "batched"
    assert set(written["reach"]["rules"]) == set(REGISTER["rule"])


def test_a_fault_is_shown_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["runs", "--mutant", "SH-7", "--json", str(tmp_path / "r.json"), "--save-tests", str(tmp_path / "tests")]
    assert main(given) == 1
    out = capsys.readouterr().out
    assert "count_is_number_of_users is violated" in out
    assert "false now for" in out
    (saved,) = (tmp_path / "tests").iterdir()
    assert f"saved as {saved}" in out
    violation = json.loads((tmp_path / "r.json").read_text())["summary"]["violation"]
    assert violation["property"] == "count_is_number_of_users"
    assert violation["test"] == saved.read_text()


def test_a_fault_that_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--mutant", "NULL", "--seconds", "0.2"]) == 0
    assert "NULL was not found" in capsys.readouterr().out


def test_stepwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--stepwise", "--seconds", "0.2"]) == 3
    assert "stepwise, seed 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--mutant", "SH-77"], "no mutant 'SH-77'; did you mean"),
        (["--seconds", "0"], "'0' is not a number of seconds above 0"),
        (["--seconds", "soon"], "'soon' is not a number of seconds"),
        (["--seed", "-1"], "'-1' is not a whole number of at least 0"),
        (["--json", "/nowhere/runs.json"], "cannot write /nowhere/runs.json"),
    ],
)
def test_bad_input_is_said_in_one_line(given: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", *given]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_an_interrupted_run_prints_what_it_covered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one_run, left = Batch.one_run, [3]

    def interrupted(batch: Batch) -> Failure | None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return one_run(batch)

    monkeypatch.setattr(Batch, "one_run", interrupted)
    assert main(["runs", "--seconds", "50"]) == 130
    out = capsys.readouterr().out
    assert "refusal" in out
    assert out.rstrip().endswith("interrupted")


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--help"]) == 0
    out = capsys.readouterr().out
    assert "exit codes" in out
    assert command.SECONDS == 60
