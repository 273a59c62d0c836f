"""How many operations a second are compared with the specification, in batches and step by step; figures as JSON.

    python -m tests.benchmarks.optimized_beside 3

So many rounds of both, in turn, after one of each that is not counted: there what is used is made, or compiled.
Processor time counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from pagelaw.model.optimized.compiling import IS_COMPILED
from pagelaw.model.optimized.hunting import SHAPES, batch

from ..test_optimized_beside import Beside, TestStepwise

EACH = 2
"""Batches for each shape in a round."""


def in_batches() -> int:
    """How many operations."""
    return sum(batch(SHAPES[seed % len(SHAPES)], seed)[0]["operations"] for seed in range(EACH * len(SHAPES)))


def step_by_step() -> int:
    """How many, each drawn by Hypothesis, and all that is kept compared after it."""
    count = 0

    class Counted(Beside):
        def check_invariants(self, *arguments: Any) -> None:
            nonlocal count
            count += 1
            super().check_invariants(*arguments)

    case = Counted.TestCase
    case.settings = TestStepwise.settings
    case("runTest").runTest()
    return count


def measured(rounds: int) -> dict[str, float]:
    """Operations in a second of processor time."""
    ways: dict[str, Callable[[], int]] = {"in batches": in_batches, "step by step": step_by_step}
    operations, seconds = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0.0)
    for counted in [False] + [True] * rounds:
        for name, way in ways.items():
            started = time.process_time()
            done = way()
            operations[name] += counted * done
            seconds[name] += counted * (time.process_time() - started)
    found = {name: operations[name] / seconds[name] for name in ways}
    return found | {"times": found["in batches"] / found["step by step"]}


if __name__ == "__main__":
    print(json.dumps({"compiled": IS_COMPILED, **measured(int(sys.argv[1]))}))
