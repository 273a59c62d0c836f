"""`pagelaw mutants`: the list of faults, and a sample of the kill matrix."""

import json
import re
from pathlib import Path

import attrs
import pytest

from pagelaw.model.cli import main
from pagelaw.model.cli.killing import COLUMNS, Kept, Kill, counts, work
from pagelaw.model.optimized.faults import faults
from pagelaw.proofs import mutants


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are kept in the working directory."""
    monkeypatch.chdir(tmp_path)


def test_the_list_shows_where_each_is_from_and_what_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "list", "--json", "list.json"]) == 0
    told = capsys.readouterr().out
    assert "KVM 2008: e930bffe95e1" in told
    assert "-            current = s.generation[page] == generation and s.guest_table[virtual] == Names(page)" in told
    entries = json.loads(Path("list.json").read_text())
    assert [entry["id"] for entry in entries] == [*mutants.names(), *faults()]
    assert all(entry["diff"] and entry["refused_by"] for entry in entries)


def test_a_systematic_mutant_can_be_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "list", "merge/guard-1"]) == 0
    assert "in sharing.merge" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "told"), [
    (["SH-11"], "there is no mutant 'SH-11'; did you mean SH-1"),
    (["list", "merge/guard-99"], "there is no mutant 'merge/guard-99'; did you mean merge/guard-1"),
    (["SH-1", "--means", "z4"], "there is no means 'z4'; did you mean z3?"),
    (["SH-1", "--jobs", "0"], "'0' is not a whole number of at least 1"),
    (["SH-1", "--json", "no/such/folder/file"], "cannot write no/such/folder/file"),
])  # fmt: skip
def test_bad_input_is_named(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_row_says_what_each_means_found(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["mutants", "BA-6", "--means", "z3", "--means", "small", "--jobs", "1", "--json", "kills.json"]
    assert main(command) == 0
    first = capsys.readouterr()
    found = json.loads(Path("kills.json").read_text())
    of = found["summary"]["gallery"]
    assert (of["total"], of["killed"], of["equivalent"], of["survivors"]) == (1, 1, 0, 0)
    assert set(found["summary"]["systematic"]) >= {"total", "killed", "equivalent", "survivors"}
    assert found["gallery"]["BA-6"]["small"]["property"] == mutants.get("BA-6").refused_by
    assert "2/2 BA-6" in first.err
    assert main(command) == 0  # kept: nothing is worked out again
    second = capsys.readouterr()
    assert second.out == first.out
    assert second.err == ""


@pytest.mark.parametrize("column", ["z3", "small"])
def test_the_control_is_stopped_by_nothing(column: str) -> None:
    """The unchanged rules, switched on as mutants are, pass where a mutant fails."""
    fault = mutants.get("BA-6")
    with mutants.apply(mutants.CONTROL) as control:
        same = attrs.evolve(control, shown_by=fault.shown_by, refused_by=fault.refused_by)
        kill = COLUMNS[column](same)
    assert not kill.killed
    assert kill.note in ("0 of 1 obligations not proved", "no small machine found")


def test_a_check_that_fails_has_stopped_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(mutant: mutants.Mutant) -> Kill:
        raise MemoryError("no room")

    monkeypatch.setitem(COLUMNS, "explorer", fails)
    kill = work("BA-6", "explorer")
    assert not kill.killed
    assert "MemoryError: no room" in kill.note


def test_killed_is_what_the_proofs_refuse_and_a_run_shows() -> None:
    def row(**killed: bool) -> dict[str, Kill]:
        return {column: Kill("X", column, value) for column, value in killed.items()}

    assert counts([row(z3=True, small=True)])["killed"] == 1
    assert counts([row(z3=True, small=False, explorer=True)])["killed"] == 1
    assert counts([row(z3=True, small=False)])["survivors"] == 1
    assert counts([row(z3=False, small=True)])["survivors"] == 1


def test_a_line_cut_off_by_an_interruption_is_passed_over(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add(Kill("SH-1", "z3", True, "p"))
    with kept.path.open("a") as file:
        file.write('{"mutant": "SH-2", "col')
    assert list(kept.cells()) == [("SH-1", "z3")]


@pytest.mark.deep
@pytest.mark.parametrize("identifier", mutants.gallery())
def test_every_fault_of_the_gallery_is_refused_and_shown(identifier: str) -> None:
    assert work(identifier, "z3").killed
    assert work(identifier, "small").killed


def test_faults_of_the_memory_manager_have_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "kills.json"
    assert main(["mutants", "IM-4", "IM-12", "--json", str(to)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^IM-4 +A count that just fits no more misses the overflow table +106 +5$", printed, re.M)
    assert "implementation: 2 mutants, 2 killed, 0 equivalent, 0 survivors" in printed
    written = json.loads(to.read_text())
    assert written["summary"]["implementation"]["killed"] == 2
    assert "pair.do('scan_all'" in written["implementation"]["IM-4"]["program"]


def test_a_fault_of_the_memory_manager_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "list", "IM-4"]) == 0
    printed = capsys.readouterr().out
    assert "model/optimized/table.py, set_count" in printed
    assert "-    if count >= s.count_top:" in printed
    assert "+    if count > s.count_top:" in printed
