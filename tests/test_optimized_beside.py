"""The memory manager beside the specification: the same after every operation, whatever comes in between."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pagelaw.model.optimized.drawing import beginning, drawn
from pagelaw.model.optimized.faults import faults, switched_on
from pagelaw.model.optimized.hunting import CORNERS, SHAPES, batch, hunt, little_in_the_upper_bits, replay
from pagelaw.model.optimized.pairing import Differs, Pair, Shape


def beside(shapes: Sequence[Shape]) -> type[RuleBasedStateMachine]:
    """Any operations on a machine of one of these shapes, one by one: what Hypothesis draws it can leave out."""

    class Beside(RuleBasedStateMachine):
        @initialize(shape=st.sampled_from(shapes), random=st.randoms(use_true_random=False))
        def begin(self, shape: Shape, random: Any) -> None:
            self.pair = Pair(shape)
            for operation in beginning(self.pair, random):
                self.pair.do(*operation)

        @rule(random=st.randoms(use_true_random=False))
        def operate(self, random: Any) -> None:
            self.pair.do(*drawn(self.pair, random))

    return Beside


LARGER = {pages: Shape(pages=(pages,) * 4, frames=3 * pages, slots=4 * pages, minimum=pages // 4, buckets=2)
          for pages in (16, 32)}  # fmt: skip
"""Four VMs of so many pages: what small machines show is shown there too, and chains and counts are longer."""
TestStepwise = beside(SHAPES).TestCase
TestStepwise.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """What 400 batches came to, none of which found a difference."""
    found, fault = hunt(SHAPES, range(400))
    assert fault is None, fault.program()
    return found


@pytest.mark.parametrize("pages", LARGER)
def test_larger_machines_are_the_same_too(pages: int) -> None:
    """Each shares, pages out, and has counts in the overflow table."""
    found, fault = hunt([LARGER[pages]], range(20))
    assert fault is None, fault.program()
    for what in ("merge", "page_out", "start_page_in", "a chain of three", "a count goes into the overflow table"):
        assert found[what] > 0, what


@pytest.mark.parametrize("corner", CORNERS)
def test_every_corner_of_the_data_structures_is_reached(seen: Counter[str], corner: str) -> None:
    assert seen[corner] > 0


def test_every_operation_is_done_and_most_reasons_to_refuse_are_met(seen: Counter[str]) -> None:
    operations = {name.removeprefix("steps_of_") for name in dir(Pair) if name.startswith("steps_of_")}
    assert {name for name in operations if not seen[name]} == set()
    assert sum(" refused: " in name for name in seen) > 60


def test_a_batch_is_the_same_each_time() -> None:
    assert batch(SHAPES[0], 5) == batch(SHAPES[0], 5)


def test_what_differs_is_told_with_the_operation_and_both_values() -> None:
    pair = Pair(Shape())
    pair.do("power_on", 0)
    pair.memory.vms[0].resident = 3
    with pytest.raises(Differs, match=r"after \('read', 0, 0, 0\): resident of A: 4, and it should be 1"):
        pair.do("read", 0, 0, 0)


def test_a_page_that_the_specification_would_refuse_differs() -> None:
    assert replay(Shape(), [("power_on", 0), ("read", 0, 0, 0)]) is None
    pair = Pair(Shape())
    pair.do("power_on", 0)
    pair.memory.vms[1].runs = True
    with pytest.raises(Differs, match="done; the specification refuses: the VM is not running"):
        pair.do("read", 1, 0, 0)


def test_of_two_hinted_pages_the_one_that_was_chosen_is_told_from_the_one_that_came_to_share_next() -> None:
    """In one batch: the frame that is shared in the end was the first one's own."""
    operations: list[tuple[Any, ...]] = [
        ("power_on", 0), ("write", 0, 1, 1, 0), ("write", 0, 3, 0, 2), ("power_on", 1), ("scan", 0, 1, False),
        ("scan_all", (6, 3, 7, 0)), ("read", 1, 0, 0), ("write", 0, 3, 0, 0), ("scan_all", (0, 4, 7, 6, 1)),
    ]  # fmt: skip
    assert replay(Shape(buckets=256, width=26, hashed=little_in_the_upper_bits), operations) is None


def test_of_two_hinted_pages_the_one_that_a_device_has_is_in_the_way() -> None:
    operations: list[tuple[Any, ...]] = [
        ("power_on", 1), ("start_transfer", 2, 1, 2, True), ("write", 1, 0, 0, 0),
        ("scan_all", (7, 4, 6, 3, 1, 5, 0)), ("device_write", 2, 1, 1), ("power_on", 0), ("scan", 1, 2, False),
        ("write", 0, 1, 0, 0), ("write", 1, 2, 1, 0), ("start_share", 0, 1),
    ]  # fmt: skip
    assert replay(Shape(hashed=little_in_the_upper_bits), operations) is None


@pytest.mark.deep
@pytest.mark.parametrize("fault", [None, "IM-4", "IM-5"])
def test_more_zero_pages_than_a_count_field_of_16_bits_holds(fault: str | None) -> None:
    """65,610 users of one frame, one after the other; then so many go and come that the field holds the count again."""
    pages = 65_610
    pair = Pair(Shape(pages=(pages,), frames=pages + 1, slots=0, minimum=pages, count_top=65_535, by_number=True,
                      words=1))  # fmt: skip
    pair.every, pair.watched = pages, False
    written: list[tuple[Any, ...]] = [("write", 0, ppn, 0, 1) for ppn in range(80)]
    again = [one for ppn in range(10) for one in (("write", 0, ppn, 0, 0), ("scan", 0, ppn, False))]
    turns: list[tuple[list[tuple[Any, ...]], int]] = [
        ([("power_on", 0), ("write_pages", 0, 0, ((0,),) * pages), ("scan_all", tuple(range(pages)))], pages),
        ([("start_transfer", number, 0, 100, False) for number in range(3)], pages + 3),
        (written, pages - 77), ([("end_transfer", number) for number in range(3)], pages - 80), (again, pages - 70),
    ]  # fmt: skip
    with (
        switched_on(faults()[fault]) if fault else nullcontext(),
        pytest.raises(Differs) if fault else nullcontext(),
    ):
        for operations, users in turns:
            for operation in operations:
                pair.do(*operation)
            pair.compare(operations[-1])
            assert pair.memory.counts()[1] == (users, min(users, 65_535))
        assert pair.seen["a count goes into the overflow table"] == pair.seen["a count comes out of it"] + 1 == 2


HASH = """
from pagelaw.model.optimized.compiling import IS_COMPILED
from pagelaw.model.optimized.hunting import SHAPES, batch
from hashlib import sha256
print(IS_COMPILED)
seen = [sorted(batch(shape, seed, length=60)[0].items()) for seed, shape in enumerate(SHAPES)]
print(sha256(repr(seen).encode()).hexdigest())
"""


def test_compiled_it_does_the_same() -> None:
    pytest.importorskip("numba", reason="numba is not there: nothing is compiled")
    told = []
    for plain in ("1", ""):
        environment = {**os.environ, "PAGELAW_PLAIN": plain}
        command = [sys.executable, "-c", HASH]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.split())
    assert told[0][0] == "False"
    assert told[1][0] == "True"
    assert told[0][1] == told[1][1]
