"""`pagelaw figures`: what it writes, that it is the same each time, and what it says to wrong input."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pagelaw.model.cli import main
from pagelaw.model.experiments.figures import seven
from pagelaw.model.experiments.figures.figure import How
from pagelaw.spec.language import VM


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    assert main(["figures", str(folder), "--only", "6", "--scale", "1/256"]) == 0
    return folder


def test_three_files_are_written(written: Path) -> None:
    """A picture, the numbers for a reader, and the numbers for a program; nothing else is left."""
    assert sorted(path.name for path in written.iterdir()) == ["figure-6.json", "figure-6.svg", "figure-6.txt"]
    assert ElementTree.parse(written / "figure-6.svg").getroot().tag.endswith("svg")
    numbers = json.loads((written / "figure-6.json").read_text())
    assert (numbers["number"], numbers["scale"]) == (6, "1/256")
    assert {"what", "ours", "paper", "sure", "why"} == set(numbers["compared"][0])
    assert "a spike: the guest zeroes freed pages (text)" in (written / "figure-6.txt").read_text()


def test_the_same_again(written: Path, tmp_path: Path) -> None:
    """The same seed and scale give the same files, byte for byte."""
    assert main(["figures", str(tmp_path), "--only", "6", "--scale", "1/256"]) == 0
    for path in written.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A file that is a link is written through."""
    (tmp_path / "elsewhere.txt").write_text("old")
    (tmp_path / "figure-6.txt").symlink_to(tmp_path / "elsewhere.txt")
    assert main(["figures", str(tmp_path), "--only", "6", "--scale", "1/256"]) == 0
    assert (tmp_path / "figure-6.txt").is_symlink()
    assert (tmp_path / "elsewhere.txt").read_text().startswith("Figure 6")


@pytest.mark.parametrize("scale", ["0", "2", "1/3", "-1/16", "nan", "x", "1/0"])
def test_a_scale_that_cannot_be(scale: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figures", str(tmp_path), f"--scale={scale}"]) == 2
    assert f"{scale!r} is not a fraction n/256 above 0 and at most 1" in capsys.readouterr().err


def test_a_figure_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figures", str(tmp_path), "--only", "2"]) == 2
    assert "there is no figure '2'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["figures", str(tmp_path / "file"), "--only", "6"]) == 2
    assert "DIR: cannot write to" in capsys.readouterr().err


def test_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to install it, before anything is run or written."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["figures", str(tmp_path / "new")]) == 2
    assert "pip install 'pagelaw[figures]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half-written is left."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pagelaw.model.cli.figures.Telling.__call__", interrupt)
    assert main(["figures", str(tmp_path), "--only", "6", "--scale", "1/256"]) == 130
    assert list(tmp_path.iterdir()) == []


def test_the_scale_is_of_every_size() -> None:
    """A machine of half the scale has half of the frames and pages."""
    half, whole = (seven.plan(How(scale=Fraction(1, of))).machine() for of in (64, 32))
    assert whole.total_frames == 2 * half.total_frames
    assert [whole.maximum[vm] for vm in whole.ids[VM]] == [2048, 2048]
