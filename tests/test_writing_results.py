"""Where results are written: whole or not at all, through links, into pipes; how a command ends that cannot write."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pagelaw.model.cli import reading

COMMAND = [sys.executable, "-c", "import sys; from pagelaw.model.cli import main; sys.exit(main())"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    link.symlink_to(target)
    for text in ("first", "second"):
        assert reading.file("--json", str(link)) == link
        reading.replace(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_a_file_keeps_its_rights_and_its_neighbours(tmp_path: Path) -> None:
    path, neighbour = tmp_path / "r.json", tmp_path / "r.json.new"
    path.write_text("old")
    path.chmod(0o640)
    neighbour.write_text("mine")
    reading.replace(path, "new")
    assert (path.read_text(), neighbour.read_text()) == ("new", "mine")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_is_no_file_is_written_into_and_stays(tmp_path: Path) -> None:
    null = Path(os.devnull)
    assert reading.file("--json", os.devnull) == null
    reading.replace(null, "gone")
    assert stat.S_ISCHR(null.stat().st_mode)
    with pytest.raises(reading.BadInput, match="Is a directory"):
        reading.file("--json", str(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "mutants", "list", "SH-1"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "pagelaw: cannot write: No space left on device\n"


def test_an_option_that_leaves_nothing_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    from pagelaw.model.cli import main

    assert main(["mutants", "--systematic", "SH-1"]) == 2
    assert "SH-1 is not among the mutants" in capsys.readouterr().err
