"""A failing run as a test that runs when pasted, and as a picture."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from pagelaw.model.runs.failure import Failure
from pagelaw.model.runs.hunting import hunt
from pagelaw.model.runs.picture import WIDTH, picture
from pagelaw.proofs import mutants

SHOWN = ("TL-4", "SYN-23", "ORD-25", "SW-4")
"""Invariants, a transition, what holds of every step."""


@pytest.fixture(scope="module", params=SHOWN)
def failure(request: pytest.FixtureRequest) -> Failure:
    with mutants.apply(request.param):
        found = hunt(request.param, steps=150_000, seed=1)
        assert found is not None
        return found.failure


def pasted(text: str) -> Any:
    """The test function of a text."""
    names: dict[str, Any] = {}
    exec(compile(text, "pasted", "exec"), names)
    (name,) = [name for name in names if name.startswith("test_")]
    return names[name]


def test_the_test_fails_with_the_fault_and_not_without(failure: Failure) -> None:
    test = pasted(failure.as_test())
    with pytest.raises(AssertionError):
        test()
    pasted(attrs.evolve(failure, mutant=None).as_test())()


def test_the_text_fits_its_lines(failure: Failure) -> None:
    with mutants.apply(str(failure.mutant)):
        told = picture(failure)
    assert max(map(len, told.splitlines())) <= WIDTH
    assert max(map(len, failure.as_test().splitlines())) <= 120


def test_the_picture_tells_every_step_and_what_is_false(failure: Failure) -> None:
    with mutants.apply(str(failure.mutant)):
        lines = picture(failure).splitlines()
    numbers = [line.split()[0] for line in lines if line[:4].strip().isdigit()]
    assert numbers == [str(number) for number in range(1, len(failure.steps) + 1)]
    assert "step" in next(line for line in lines if line.startswith("step"))
    assert any(line.startswith("false now") and failure.name in line for line in lines)
    told = " ".join(" ".join(lines).split())
    assert all(clause in told for clause in failure.clauses)


def test_it_can_be_saved_and_run(tmp_path: Path) -> None:
    with mutants.apply("SH-7"):
        found = hunt("SH-7", steps=5000, seed=1)
    assert found is not None
    text = found.failure.as_test()
    (tmp_path / "test_saved.py").write_text(text)
    assert 'with apply("SH-7"):' in text
    assert "count_is_number_of_users(s, m" in text
