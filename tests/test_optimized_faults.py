"""Faults put into the memory manager are found by the comparison with the specification, each by a short program."""

from collections.abc import Callable

import pytest

from pagelaw.model.optimized.faults import Fault, faults, switched_on
from pagelaw.model.optimized.hunting import SHAPES, hunt, replay


def test_there_are_enough() -> None:
    assert len(faults()) >= 20


NEVER_END = ("IM-34", "IM-37")
"""With these the manager goes round in a chain, and each attempt at a shorter program has to be stopped: deep."""


@pytest.mark.parametrize(
    "fault", [pytest.param(one, id=name, marks=pytest.mark.deep if name in NEVER_END else ())
              for name, one in faults().items()]
)  # fmt: skip
def test_a_fault_is_found_by_a_short_program(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    with switched_on(fault):
        _, found = hunt(SHAPES, range(2000))
        assert found is not None, f"{fault.title}: not found"
        assert len(found.operations) <= 25
        again = replay(found.shape, found.operations)
        assert again is not None
    assert replay(found.shape, found.operations) is None  # it is the fault that differs, not the manager
    record_property("operations", found.done)


def test_nothing_is_left_of_a_fault() -> None:
    with switched_on(faults()["IM-12"]):
        pass
    assert hunt(SHAPES, range(7))[1] is None


def test_the_program_that_shows_a_fault_can_be_read() -> None:
    with switched_on(faults()["IM-4"]):
        _, found = hunt(SHAPES, range(2000))
    assert found is not None
    assert found.program().splitlines() == [
        "pair = Pair(Shape())",
        "pair.do('power_on', 0)",
        "pair.do('start_transfer', 2, 0, 2, False)",
        "pair.do('write', 0, 3, 0, 0)",
        "pair.do('end_transfer', 2)",
        "pair.do('scan_all', (0, 1, 5, 6, 4, 3, 2))",
        "# after ('scan_all', (0, 1, 5, 6, 4, 3, 2)): users of m2: 0, and it should be 2",
    ]
