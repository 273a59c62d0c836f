"""Faults put into the memory manager are found by the comparison with the specification, each by a short program."""

from collections.abc import Callable

import pytest

from pagelaw.model.optimized.faults import Fault, faults, switched_on
from pagelaw.model.optimized.hunting import SHAPES, hunt, replay


def test_there_are_enough() -> None:
    assert len(faults()) >= 20


@pytest.mark.parametrize("fault", faults().values(), ids=list(faults()))
def test_a_fault_is_found_by_a_short_program(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    with switched_on(fault):
        _, found = hunt(SHAPES, range(2000))
        assert found is not None, f"{fault.title}: not found"
        assert len(found.operations) <= 14
        again = replay(found.shape, found.operations)
        assert again is not None
    assert replay(found.shape, found.operations) is None  # it is the fault that differs, not the manager
    record_property("operations", found.done)


def test_nothing_is_left_of_a_fault() -> None:
    with switched_on(faults()["IM-12"]):
        pass
    assert hunt(SHAPES, range(7))[1] is None
