"""The memory manager's speed, compiled, each figure a ratio of two things measured in one run.

    pytest tests/benchmarks/test_optimized_speed.py -m deep -s
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pagelaw.model.optimized.hunting import SHAPES, batch

from ..test_optimized_beside import Beside

pytestmark = pytest.mark.deep
SCRIPT = Path(__file__).with_name("optimized_scan.py")


def measured(what: str, bits: int) -> Any:
    """What the script finds, in a process of its own."""
    pytest.importorskip("numba", reason="numba is not there: nothing is compiled")
    environment = {**os.environ, "PAGELAW_PLAIN": ""}
    command = [sys.executable, str(SCRIPT), what, str(bits)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    print(f"\n{done.stdout.strip()}")
    return json.loads(done.stdout)[what]


def test_pages_by_number_are_scanned_forty_times_as_fast_as_by_the_reference() -> None:
    assert measured("numbers", 18)["times"] >= 40


def test_hashing_real_bytes_takes_little_more_than_reading_them() -> None:
    found = measured("bytes", 15)
    print(f"hash stage: {found['of the limit']:.2f} of the read bandwidth")
    if isinstance(found["ksmd"], str):
        print(f"no comparison with ksmd: {found['ksmd']}")
    else:
        assert found["times what it has done with"] >= 5
    assert found["of the limit"] >= 0.6  # the goal is 0.8; how much a busy machine takes of it is not ours


def test_a_page_takes_twenty_two_bytes_however_many_there_are() -> None:
    for size in measured("growth", 22):
        assert size["bytes a page"] < 22.2


def test_a_batch_is_several_times_as_fast_as_step_by_step() -> None:
    """Operations compared in a second of processor time, both in this run."""
    for seed, shape in enumerate(SHAPES):  # what is made, or compiled, when it is first called
        batch(shape, seed)
    started, operations = time.process_time(), 0
    for seed in range(64):
        operations += batch(SHAPES[seed % len(SHAPES)], seed)[0]["operations"]
    batched = operations / (time.process_time() - started)
    count = [0]

    class Counted(Beside):
        def check_invariants(self, *arguments: Any) -> None:
            count[0] += 1
            super().check_invariants(*arguments)

    case = Counted.TestCase
    case.settings = Beside.TestCase.settings
    started = time.process_time()
    case("runTest").runTest()
    stepwise = count[0] / (time.process_time() - started)
    print(f"\nbatched {batched:,.0f} operations a second, step by step {stepwise:,.0f}: {batched / stepwise:.1f} times")
    assert batched >= 8 * stepwise
