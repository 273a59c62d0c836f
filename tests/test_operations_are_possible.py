"""What is proved of an operation in one piece is proved of something: its steps can all be done."""

import pytest
import z3

from pagelaw.proofs.small import INSTANCES, SmallTheory
from pagelaw.proofs.uninterrupted import operation_obligations
from pagelaw.spec import at_once
from pagelaw.spec.language import REGISTER, require
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import Idle, Page


def possible(theory: SmallTheory) -> set[str]:
    """The operations of which some way through all steps has a state to start from."""
    found: set[str] = set()
    asked: set[tuple[str, int]] = set()
    for one in operation_obligations(theory):
        if one.rule in found or (one.rule, one.path) in asked:
            continue
        asked.add((one.rule, one.path))
        solver = z3.Solver()
        solver.add(*one.hypotheses)
        if solver.check() == z3.sat:
            found.add(one.rule)
    return found


def test_every_operation_can_be_done() -> None:
    assert possible(SmallTheory(INSTANCES["standard"])) == set(REGISTER["operation"])


def test_an_operation_that_is_never_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a step whose work is left out, the obligations hold for want of a state: that is seen here."""
    def pick_nothing(s: Machine, page: Page) -> None:
        require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)

    monkeypatch.setattr(at_once, "pick_for_paging", pick_nothing)
    assert "page_out" not in possible(SmallTheory(INSTANCES["tiny"]))
