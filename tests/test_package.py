"""The package that users install holds every file of the real folders, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import pagelaw
from pagelaw.__main__ import main
from pagelaw.model import cli

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("spec", "model", "proofs")
OWN_FILES = {"__init__.py", "__main__.py", "py.typed"}
"""The files of `.pkg/pagelaw` itself, beside its links to the folders."""


def files_of(folder: Path) -> Iterator[str]:
    """The paths of all files below `folder`, relative to its parent; caches and hidden files left out."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield path.relative_to(folder.parent).as_posix()


SOURCES = {name for folder in FOLDERS for name in files_of(ROOT / folder)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist built from this tree and the wheel built from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return out


def test_the_folders_hold_code_and_data() -> None:
    """Guards the other tests: an empty list would agree with an empty package."""
    assert {f"{folder}/__init__.py" for folder in FOLDERS} <= SOURCES
    assert "spec/paper/clauses.toml" in SOURCES


def test_package_folder_links_to_the_real_folders() -> None:
    package = ROOT / ".pkg" / "pagelaw"
    links = {path.name: path.readlink().as_posix() for path in package.iterdir() if path.is_symlink()}
    assert links == {folder: f"../../{folder}" for folder in FOLDERS}
    assert {path.name for path in package.iterdir() if path.is_file()} == OWN_FILES


def test_sdist_holds_the_real_folders_and_the_tests(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    wanted = SOURCES | {f".pkg/pagelaw/{name}" for name in OWN_FILES} | set(files_of(ROOT / "tests"))
    top = {name for name in names if "/" not in name}
    assert names - top == wanted
    assert {"PKG-INFO", "pyproject.toml", "LICENSE", "CHANGELOG.md"} <= top


def test_wheel_holds_exactly_the_package(built: Path) -> None:
    (archive,) = built.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        names = set(wheel.namelist())
    about = f"pagelaw-{pagelaw.__version__}.dist-info"
    metadata = {
        f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    wanted = {f"pagelaw/{name}" for name in SOURCES | OWN_FILES}
    assert names == wanted | metadata


def test_module_runs_as_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pagelaw", "--help"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "usage: pagelaw" in result.stdout


def test_an_interruption_before_the_command_was_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    assert main() == 130
    assert capsys.readouterr() == ("", "pagelaw: interrupted\n")
