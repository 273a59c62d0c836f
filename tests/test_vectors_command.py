"""`pagelaw vectors`: where it writes and where not, what an interruption leaves, what is said of bad input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pagelaw.model.cli import main, making
from pagelaw.model.oracle.vectors import layout, rules
from pagelaw.model.oracle.vectors.checking import NotAllowed
from pagelaw.proofs.mutants import Faulty


def test_wrong_command_lines_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", str(tmp_path), "--only", "rule"]) == 2
    assert "there is no format 'rule'; did you mean rules" in capsys.readouterr().err
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    assert main(["vectors", str(file)]) == 2
    assert capsys.readouterr().err.startswith("pagelaw: DIR: cannot write to ")
    assert main(["vectors"]) == 2


def test_a_list_of_faults_that_does_not_fit_the_rules_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unfit(*_: Any) -> Iterator[layout.Made]:
        raise Faulty("BA-1: stands 0 times\nBA-2: stands twice")

    monkeypatch.setattr(making, "made", unfit)
    assert main(["vectors", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "pagelaw: BA-1: stands 0 times; BA-2: stands twice\n"


@pytest.mark.parametrize("found", ["", "{", "[]", '{"format": 2, "specification": "9"}', '{"name": "a web page"}'])
def test_a_folder_with_something_else_is_left_alone(
    found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / layout.MANIFEST
    file.write_text(found, encoding="utf-8")
    assert main(["vectors", str(tmp_path), "--only", "scenarios"]) == 2
    assert "is not empty, and is no set of vectors of format 1" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == [layout.MANIFEST]
    assert file.read_text(encoding="utf-8") == found


def few(made: layout.Made) -> Callable[..., Iterator[layout.Made]]:
    """In place of what makes vectors: these, at once."""
    return lambda kinds, say: iter((made,))


def content_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_one_format_is_replaced_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = rules.vectors_of("load"), rules.vectors_of("merge")
    for vectors_of_kind, kind in ((ours, "rules"), (other, "refusals")):
        made = layout.Made(kind, tuple(one for one in vectors_of_kind if one.kind == kind))
        monkeypatch.setattr(making, "made", few(made))
        assert main(["vectors", str(tmp_path)]) == 0
    before = content_of(tmp_path)
    assert {"rules/load.json", "rules/README.md", "refusals/merge.json", layout.MANIFEST} <= before.keys()
    monkeypatch.setattr(making, "made", few(layout.Made("rules", tuple(
        one for one in rules.vectors_of("store") if one.kind == "rules"))))  # fmt: skip
    assert main(["vectors", str(tmp_path)]) == 0
    after = content_of(tmp_path)
    assert before.keys() - after.keys() == {"rules/load.json"}
    assert after.keys() - before.keys() == {"rules/store.json"}
    assert after["refusals/merge.json"] == before["refusals/merge.json"]
    assert json.loads(after[layout.MANIFEST])["rules"]["of"].keys() == {"store"}


def test_an_interruption_leaves_whole_formats_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = layout.Made("rules", tuple(one for one in rules.vectors_of("load") if one.kind == "rules"))
    monkeypatch.setattr(making, "made", few(made))
    assert main(["vectors", str(tmp_path)]) == 0
    before = content_of(tmp_path)

    def interrupted(_: layout.Made) -> dict[str, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(layout, "files_of", interrupted)
    assert main(["vectors", str(tmp_path)]) == 130
    assert content_of(tmp_path) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["README.md", layout.MANIFEST, "rules"]


def test_a_rule_that_does_otherwise_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_allowed(kinds: list[str], say: Any) -> Iterator[layout.Made]:
        raise NotAllowed("rules/merge/done: event 3 is forbidden")
        yield

    monkeypatch.setattr(making, "made", not_allowed)
    assert main(["vectors", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "pagelaw: rules/merge/done: event 3 is forbidden\n"
