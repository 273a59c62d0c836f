"""The implementer's guide: its programs are built as it says, and what is said of them is what it shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent / "implementations" / "GUIDE.md"
BLOCK = re.compile(r"```(c|diff|console)\n(.*?)\n```", re.DOTALL)
TITLE = re.compile(r"`(stage\d\.c)`(?: is `(stage\d\.c)` with these changes)?:\n+\Z")


def blocks() -> Iterator[tuple[str, str, str]]:
    """What stands before a block of the guide, its kind, and what is in it."""
    text, end = GUIDE.read_text(encoding="utf-8"), 0
    for found in BLOCK.finditer(text):
        yield text[end : found.start()], found[1], found[2]
        end = found.end()


def changed(text: str, changes: str) -> str:
    """A file with changes: each row of lines that go stands for the lines that come after it."""
    for gone, new in re.findall(r"((?:^- .*\n)+)((?:^\+ .*\n?)+)", changes + "\n", re.MULTILINE):
        before, after = (re.sub(r"^[-+] ", "", lines, flags=re.MULTILINE) for lines in (gone, new))
        assert text.count(before) == 1
        text = text.replace(before, after)
    return text


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) is installed")
def test_every_stage_of_the_guide(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    runs = 0
    for before, kind, body in blocks():
        title = TITLE.search(before)
        if kind != "console":
            assert title is not None
            files[title[1]] = changed(files[title[2]], body) if title[2] else body + "\n"
            (tmp_path / title[1]).write_text(files[title[1]], encoding="utf-8")
            continue
        command, _, shown = body.partition("\n")
        built, _, asked = command.removeprefix("$ ").partition(" && pagelaw ")
        subprocess.run(built.split(), cwd=tmp_path, check=True, capture_output=True)
        done = subprocess.run([sys.executable, "-m", "pagelaw", *asked.split()], cwd=tmp_path, capture_output=True,
                              text=True, timeout=120, check=False)  # fmt: skip
        said = done.stdout.rstrip("\n")
        if shown.startswith("...\n"):
            assert said.endswith(shown[3:])
        elif shown.endswith("\n..."):
            assert said.startswith(shown[:-3])
        else:
            assert said == shown
        runs += 1
    assert (len(files), runs) == (8, 9)
