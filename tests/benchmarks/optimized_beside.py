"""How many operations a second are compared with the specification, in batches and step by step; figures as JSON.

    python -m tests.benchmarks.optimized_beside 3

So many rounds of both, in turn, after one of each that is not counted: there what is used is made, or compiled.
Processor time counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pagelaw.model.optimized.compiling import IS_COMPILED
from pagelaw.model.optimized.hunting import SHAPES, batch
from pagelaw.model.optimized.shapes import Shape

from ..test_optimized_beside import LARGER, TestStepwise, beside

BATCHES = 36
"""In a round."""


def in_batches(shapes: Sequence[Shape]) -> int:
    """How many operations, the shapes in turn."""
    return sum(batch(shapes[seed % len(shapes)], seed)[0]["operations"] for seed in range(BATCHES))


def step_by_step(shapes: Sequence[Shape]) -> int:
    """How many, each drawn by Hypothesis, and all that is kept compared after it."""
    count = 0

    class Counted(beside(shapes)):  # type: ignore[misc]  # a class that is made
        def check_invariants(self, *arguments: Any) -> None:
            nonlocal count
            count += 1
            super().check_invariants(*arguments)

    case = Counted.TestCase
    case.settings = TestStepwise.settings
    case("runTest").runTest()
    return count


def measured(shapes: Sequence[Shape], rounds: int) -> dict[str, float]:
    """Operations in a second of processor time."""
    ways: dict[str, Callable[[Sequence[Shape]], int]] = {"in batches": in_batches, "step by step": step_by_step}
    operations, seconds = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0.0)
    for counted in [False] + [True] * rounds:
        for name, way in ways.items():
            started = time.process_time()
            done = way(shapes)
            operations[name] += counted * done
            seconds[name] += counted * (time.process_time() - started)
    found = {name: operations[name] / seconds[name] for name in ways}
    return found | {"times": found["in batches"] / found["step by step"]}


if __name__ == "__main__":
    larger = {f"four VMs of {pages} pages": (shape,) for pages, shape in LARGER.items()}
    machines = {"the small machines": SHAPES, **larger}
    found = {name: measured(shapes, int(sys.argv[1])) for name, shapes in machines.items()}
    print(json.dumps({"compiled": IS_COMPILED, **found}))
