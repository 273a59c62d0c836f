"""README says what the specification says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import pagelaw.spec  # noqa: F401  (fills the register)
from pagelaw.model.cli import main
from pagelaw.proofs import mutants
from pagelaw.proofs.claims import refute
from pagelaw.spec.language import REGISTER

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ROW = re.compile(
    r"^\| (?P<sentence>.+) \| \[`(?P<name>\w+)`\]\((?P<file>[\w/.]+)\) \| (?P<kind>\w+) \| (?P<mutant>.*) \|$", re.M
)
ROWS = [row.groupdict() for row in ROW.finditer(README)]


def test_table_of_properties_is_there() -> None:
    """The table is found at all."""
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_row_of_the_table_is_true(row: dict[str, str]) -> None:
    """The sentence is the docstring of the function it links to; the fault named is one of the gallery."""
    assert (ROOT / row["file"]).exists()
    if row["kind"] in REGISTER and row["kind"] != "operation":
        entry = REGISTER[row["kind"]][row["name"]]
        assert entry.sentence == row["sentence"]
        assert entry.function.__module__.rsplit(".", 1)[-1] == Path(row["file"]).stem
    if row["mutant"]:
        assert row["mutant"].strip("`") in mutants.names()


LAWS = dict(re.findall(r"^\| (.+) \| `(\w+)` \|$", README, re.M))


def test_laws_are_told_by_their_docstrings() -> None:
    assert len(LAWS) > 10
    assert {sentence: REGISTER["law"][name].sentence for sentence, name in LAWS.items()} == {one: one for one in LAWS}


@pytest.mark.parametrize("name", ["a_page_that_was_moved_stays", "nobody_gets_a_page_more_than_its_part"])
def test_false_claim_is_printed_as_it_is_refuted(name: str) -> None:
    found = refute(REGISTER["claim"][name])
    assert found is not None
    assert "".join(f"    {line}\n" for line in found.lines()) in README


def test_rule_shown_is_the_rule() -> None:
    """The rule printed in README is the text of the rule."""
    shown = re.search(r"```python\n(.+?)```", README, re.S)
    assert shown is not None
    assert shown[1] == inspect.getsource(REGISTER["rule"]["compare"].function)


def test_the_program_with_the_memory_manager_runs() -> None:
    (program,) = [one for one in re.findall(r"```python\n(.*?)```", README, re.S) if "model.optimized" in one]
    exec(program, {})


TRACE = """
{"pagelaw": 1, "system": "toy", "machine": {"vms": [{"name": "A", "pages": 4}, {"name": "B", "pages": 4}], "frames": 6, "slots": 8}}
{"do": "power_on", "vm": "A"}
{"do": "write", "vm": "A", "page": 0, "word": 0, "value": 7, "saw": [{"vm": "A", "page": 0, "frame": "f1"}]}
{"do": "power_on", "vm": "B"}
{"do": "write", "vm": "B", "page": 0, "word": 0, "value": 7, "saw": [{"vm": "B", "page": 0, "frame": "f2"}]}
{"do": "scan", "vm": "A", "page": 0, "got": "not shared"}
{"do": "scan", "vm": "B", "page": 0, "got": "shared", "saw": [{"vm": "B", "page": 0, "frame": "f1"}]}
{"do": "read", "vm": "B", "page": 0, "word": 0, "got": 7}
{"do": "write", "vm": "B", "page": 0, "word": 0, "value": 9, "saw": [{"vm": "B", "page": 0, "frame": "f1"}]}
"""  # noqa: E501


def test_the_trace_is_judged_as_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.jsonl").write_text(TRACE.lstrip(), encoding="utf-8")
    assert main(["judge", "trace.jsonl"]) == 1
    told, _, _ = capsys.readouterr().out.partition("  exercised:")
    assert "".join(f"    {line}\n" for line in told.splitlines()) in README
    assert "".join(f"    {line}\n" for line in TRACE.splitlines()[1:4]) in README
