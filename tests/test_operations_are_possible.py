"""What is proved of an operation in one piece is proved of something: the check demands that its steps can be done."""

import pytest

from pagelaw.proofs import uninterrupted
from pagelaw.proofs.small import INSTANCES
from pagelaw.proofs.tracing import CannotLift
from pagelaw.proofs.uninterrupted import demand_possible
from pagelaw.spec import at_once
from pagelaw.spec.language import REGISTER, require
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import Idle, Page


def test_every_operation_can_be_done() -> None:
    demand_possible(REGISTER["operation"])


def test_an_operation_that_is_never_done_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a step whose work is left out, the obligations hold for want of a state: that is seen."""

    def pick_nothing(s: Machine, page: Page) -> None:
        require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)

    monkeypatch.setattr(at_once, "pick_for_paging", pick_nothing)
    monkeypatch.setattr(uninterrupted, "INSTANCES", {"tiny": INSTANCES["tiny"]})
    some = {name: REGISTER["operation"][name] for name in ("first_touch", "page_out")}
    with pytest.raises(CannotLift, match="the steps of page_out can never all be done"):
        demand_possible(some)
