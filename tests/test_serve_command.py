"""`pagelaw serve`: what a file may say, what it prints, and what it says to a file with a mistake."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from pagelaw.model.cli import main
from pagelaw.model.cli.serve import EPILOG
from pagelaw.model.experiments.planning import OF_STEP, Mistake, read
from pagelaw.model.experiments.run import Run

SCALE = Fraction(1, 16)

GOOD = """\
memory = 64
seconds = 200
tax_rate = "3/4"

[[vm]]
name = "busy"
size = 48
minimum = 16
shares = 100
overhead = 2
[[vm.does]]
what = "driver"
[[vm.does]]
what = "read"
megabytes = 16
from = "system"
[[vm.does]]
what = "use"
megabytes = 40
from = "files"
until = 200
work_us = 300

[[vm]]
name = "idle"
size = 48
minimum = 16
shares = 100
overhead = 2
[[vm.does]]
what = "driver"
[[vm.does]]
what = "zero"
[[vm.does]]
what = "write"
megabytes = 30
[[vm.does]]
what = "end"
megabytes = 10
[[vm.does]]
what = "idle"
until = 200
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "machine.toml"
    path.write_text(GOOD)
    return path


def test_a_file_is_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table with a line for each of twenty moments; the same each time, and with each step checked."""
    assert main(["serve", str(file), "--json", str(file.parent / "table.json")]) == 0
    first = capsys.readouterr().out
    assert len(first.splitlines()) == 21
    assert "busy: has / is to have / uses" in first.splitlines()[0]
    assert main(["serve", str(file), "--check"]) == 0
    assert capsys.readouterr().out == first
    kept = json.loads((file.parent / "table.json").read_text())
    assert (kept["vms"], len(kept["notes"]), kept["scale"]) == (["busy", "idle"], 20, "1/16")


def test_all_that_a_guest_can_do_is_done(file: Path) -> None:
    assert {what for what in OF_STEP if f'"{what}"' in GOOD} == set(OF_STEP)
    run = Run(read(file, SCALE)).run()
    assert min(run.guests[1].used, run.server.done["inflate"], run.server.done["install_cleared"]) > 0


def test_the_example_of_the_help_can_be_run(tmp_path: Path) -> None:
    example = EPILOG.split("a file:\n")[1].split("\n\nexamples")[0]
    path = tmp_path / "example.toml"
    path.write_text(example)
    assert read(path, SCALE).guests[0].name == "mail"


MISTAKES = [
    ("memory = 64", "memory = 0", 1, "memory: 0 is not a whole number from 1"),
    ("memory = 64", "memory = 64.0", 1, "memory: 64.0 is not a whole number"),
    ("memory = 64", "memory = true", 1, "memory: True is not a whole number"),
    ("memory = 64", "memory = nan", 1, "memory: nan is not a whole number"),
    ("memory = 64", 'memory = "64"', 1, "memory: '64' is not a whole number"),
    ("memory = 64", "memory = 30", 1, "30 is too little: the server has 0, and the minimums and overheads are 36"),
    ("memory = 64", "memory = 999999999", 1, "more than 4000000 pages"),
    ("memory = 64\n", "", 1, "memory: it is missing"),
    ("memory = 64", "memory = 64\nmemry = 1", 2, "memry: there is no such field here; did you mean memory?"),
    ("memory = 64", "memory = = 64", 1, "it is not TOML"),
    ('"3/4"', '"1/1"', 3, "tax_rate: '1/1' is not a fraction at least 0 and below 1"),
    ('"3/4"', "0.75", 3, "tax_rate: 0.75 is not a fraction"),
    ('"3/4"', '"1/0"', 3, "tax_rate: '1/0' is not a fraction"),
    ('"3/4"', "-1", 3, "tax_rate: -1 is not a fraction"),
    ('name = "idle"', 'name = "busy"', 25, "name: 'busy' is the name of another VM"),
    ('name = "idle"', "name = 3", 25, "name: 3 is not a text"),
    ('"idle"\nsize = 48\nminimum = 16', '"idle"\nsize = 48\nminimum = 49', 27, "minimum: 49 is more than the size, 48"),
    ("minimum = 16\nshares = 100", "minimum = 16\nshares = 0", 9, "shares: 0 is not a whole number from 1"),
    ("minimum = 16\nshares = 100", "minimum = 16\nshares = -5", 9, "shares: -5 is not a whole number from 1"),
    ("minimum = 16\nshares = 100", "minimum = 16", 5, "shares: it is missing"),
    ('what = "zero"', 'what = "zeros"', 33, "what: 'zeros' is none of zero, driver"),
    ('what = "zero"', 'way = "zero"', 32, "what: it is missing"),
    ("megabytes = 30", "megabytes = 30\nuntil = 7", 37, "until: there is no such field here"),
    ('from = "files"', 'from = "disk"', 20, "from: 'disk' is none of system, files, program"),
    ("megabytes = 40", "megabytes = 1e3", 19, "megabytes: 1000.0 is not a whole number"),
]


@pytest.mark.parametrize(("good", "bad", "line", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_place(
    good: str, bad: str, line: int, told: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line, field, what it holds, and what it may hold; exit code 2, and nothing is written."""
    assert good in GOOD
    file.write_text(GOOD.replace(good, bad, 1))
    assert main(["serve", str(file), "--json", str(file.parent / "table.json")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"pagelaw: {file}:{line}: ")
    assert told in said
    assert len(said.splitlines()) == 1
    assert not (file.parent / "table.json").exists()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, told in (("none", "No such file"), ("binary", "not text in UTF-8"), ("", "Is a directory")):
        with pytest.raises(Mistake, match=told):
            read(tmp_path / name, SCALE)


def test_a_file_without_vms(file: Path) -> None:
    file.write_text("memory = 64\nseconds = 9\nvm = []\n")
    with pytest.raises(Mistake, match=r"machine\.toml:3: vm: it must be at least one table"):
        read(file, SCALE)
