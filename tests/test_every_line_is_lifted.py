"""While all rules are lifted, every line of them is run: what the lifting does not see is found here."""

import dis
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from pagelaw import spec
from pagelaw.proofs.laws import Machines
from pagelaw.proofs.lifting import arguments_of
from pagelaw.proofs.lint.sources import Sources
from pagelaw.proofs.obligations import Theory
from pagelaw.spec.language import REGISTER, Blocked, Measure
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import Mapped, Page

RUN_ON_MAPS_ONLY = {"all_flush.<locals>.act"}
"""What others do meanwhile: symbolically, the fields that they write hold anything."""


def codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the lambdas in it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType) and part.co_qualname not in RUN_ON_MAPS_ONLY:
            yield from codes(part)


class Watch:
    """Notes which lines of some functions are not run."""

    def __init__(self, watched: Iterable[Callable[..., Any]]) -> None:
        every = [code for function in watched for code in codes(inspect.unwrap(function).__code__)]
        self.left = {code: {n for _, n in dis.findlinestarts(code) if n} - {code.co_firstlineno} for code in every}

    def __enter__(self) -> "Watch":
        self.before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._in_function if self.left.get(frame.f_code) else None

    def _in_function(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.left[frame.f_code].discard(frame.f_lineno)
        return self._in_function

    @property
    def never(self) -> list[str]:
        """The lines that were not run."""
        return sorted(f"{Path(code.co_filename).name}:{n}" for code, left in self.left.items() for n in left)


def functions() -> Iterator[Callable[..., Any]]:
    """Every function of every chapter."""
    for chapter in Sources().chapters.values():
        module = import_module(f"{spec.__name__}.{chapter.name}")
        for name in chapter.functions:
            found = getattr(module, name)
            yield found.weight if isinstance(found, Measure) else found


def run_all_ways(theory: Theory, function: Callable[..., Any], watch: Watch) -> None:
    """Go every way through a function that may refuse, until all its lines were run."""
    arguments = arguments_of(theory.lift, function).values()

    def run(_: Any) -> None:
        with suppress(Blocked):
            function(theory.machine(), *arguments)

    with closing(theory.lift.paths(run)) as paths:
        for _ in paths:
            if not watch.left[function.__code__]:
                return


@pytest.fixture(scope="module")
def lifted() -> tuple[list[str], set[Enum]]:
    """The lines not run while everything is lifted, and the reasons for which some path refuses."""
    reasons: set[Enum] = set()
    with Watch(functions()) as watch:
        theory = Theory()
        for rule in REGISTER["rule"].values():
            _, paths = theory.paths(rule)
            reasons.update(reason for path in paths for reason in (path.refused, path.unseen) if reason is not None)
        for theorem in REGISTER["theorem"].values():
            theory.statement(theorem)
        machines = Machines(theory)
        for law in (*REGISTER["law"].values(), *REGISTER["claim"].values()):
            machines.statement(law)
        for operation in REGISTER["operation"].values():
            run_all_ways(theory, operation.function, watch)
            run_all_ways(theory, operation.extra.run, watch)
    return watch.never, reasons


def test_every_line_is_run_while_it_is_lifted(lifted: tuple[list[str], set[Enum]]) -> None:
    assert lifted[0] == []


def test_every_reason_is_one_for_which_some_step_refuses(lifted: tuple[list[str], set[Enum]]) -> None:
    assert [reason.name for reason in Refused if reason not in lifted[1]] == []


def overlooked(s: Machine, page: Page) -> int:
    """A question that the lifting does not see, and answers by no."""
    entry = s.pmap[page]
    if type(entry) is Mapped:
        return 1
    return 0


def test_a_line_that_the_lifting_does_not_see_is_found() -> None:
    theory = Theory()
    state: Any = theory.machine()
    page = theory.lift.wrap(theory.encoding.fresh(Page, "page"), Page)
    with Watch([overlooked]) as watch:
        theory.lift.merge(lambda: overlooked(state, page))
    assert watch.never == [f"{Path(__file__).name}:{overlooked.__code__.co_firstlineno + 4}"]
