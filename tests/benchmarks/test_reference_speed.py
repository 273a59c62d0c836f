"""How many steps a second the reference model does, choice of step and rule together.

pytest tests/benchmarks/test_reference_speed.py -m deep -s
"""

from typing import Any

import pytest

from pagelaw.model.reference.beside import Checked
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine

SIZES = {
    "small": Sizes(),
    "larger": Sizes(
        vms=4, pages=32, virtual_pages=16, vcpus=4, frames=120, low_frames=30, slots=100, transfers=8, values=3,
        minimum=8,
    ),
}  # fmt: skip
STEPS = 50_000


@pytest.mark.deep
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_steps_per_second(benchmark: Any, sizes: Sizes) -> None:
    scheduler = Scheduler(machine(sizes), seed=1)
    scheduler.run(5_000)
    benchmark.pedantic(scheduler.run, args=(STEPS,), rounds=10)
    rate = STEPS / benchmark.stats.stats.min
    benchmark.extra_info["steps per second"] = round(rate)
    print(f"\n{rate:,.0f} steps a second at best")
    assert sum(scheduler.done.values()) == 5_000 + 10 * STEPS


@pytest.mark.deep
def test_steps_per_second_with_private_memory_and_invariants(benchmark: Any) -> None:
    scheduler = Scheduler(machine(Sizes()), seed=1)
    checked = Checked(scheduler.machine, invariants_every=100, theorems_every=1000)
    benchmark.pedantic(scheduler.run, args=(5_000, checked), rounds=5)
    print(f"\n{5_000 / benchmark.stats.stats.min:,.0f} checked steps a second at best")
    assert checked.steps == 25_000
