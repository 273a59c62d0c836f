"""Scenarios of other projects: what each comes to is what its source says, or what ours is said to be and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pagelaw.model.experiments.checking import Checked
from pagelaw.model.oracle.header import header
from pagelaw.model.oracle.judge import ALLOWED, Judge
from pagelaw.model.oracle.scenarios.register import Scenario, all_cases, case_name, scenarios
from pagelaw.model.oracle.scenarios.scene import Line, Scene, Unexpected
from pagelaw.model.systems.optimized import Optimized
from pagelaw.spec.paper import cited_in, known_ids

ALL = {"share": 15, "cow": 14, "swap": 7, "balloon": 11, "alloc": 7}
"""How many scenarios there are of each kind."""
LARGE = 150
"""Pages, or children's megabytes, from which on a case is played in deep tests only."""


def marked() -> list[Any]:
    """All cases, the large ones for deep tests."""
    return [
        pytest.param(one, case, id=f"{one.id}-{case_name(case)}", marks=pytest.mark.deep if is_large(case) else ())
        for one, case in all_cases()
    ]


def is_large(case: dict[str, Any]) -> bool:
    """Whether a case takes seconds."""
    return int(case.get("pages", 0)) * int(case.get("groups", 1)) > LARGE


@pytest.mark.parametrize(("scenario", "case"), marked())
def test_a_scenario_comes_to_what_is_expected(scenario: Scenario, case: dict[str, Any]) -> None:
    scene = scenario.played(case)
    assert scene.expected
    for one in scene.expected:
        assert one.found == one.due, one
    every_step_is_allowed(scene)


def every_step_is_allowed(scene: Scene) -> None:
    """All general properties are asked of each step: private memory, isolation, conservation, one authority a page."""
    machine = header(scene.lines[0]).machine()
    checked = Checked(machine)
    for rule, arguments in scene.steps:
        checked(rule, arguments)
    assert checked.asked or not scene.steps
    assert machine.written() == scene.s.written()


def test_every_scenario_is_there() -> None:
    every = {f"{kind}-{number:02d}" for kind, count in ALL.items() for number in range(1, count + 1)}
    assert scenarios().keys() == every


@pytest.mark.parametrize("name", scenarios())
def test_a_scenario_says_where_it_is_from_and_why_ours_differs(name: str) -> None:
    one = scenarios()[name]
    assert one.source
    assert one.sentence.endswith((".", ":"))
    small = next(case for case in one.cases if not is_large(case))
    for expected in one.played(small).expected:
        cited = cited_in(expected.rule + expected.why_ours)
        assert cited
        assert set(cited) <= known_ids()
        assert (expected.ours is None) == (expected.why_ours == "")
        assert expected.published is not None or expected.ours is not None
        assert expected.ours is None or expected.ours != expected.published


def test_a_scenario_that_does_not_come_to_what_it_should_is_noticed() -> None:
    """What is done must be done, what is refused must be refused."""
    scene = Scene()
    scene.begin({"A": 1, "B": 1})
    scene.on("A")
    with pytest.raises(Unexpected, match="VM_NOT_RUNNING"):
        scene.write("B", 0, 1)
    with pytest.raises(Unexpected, match="is not refused"):
        scene.refused("touch", "A", 0)
    with pytest.raises(Unexpected, match="is not refused"):
        scene.refused_step("power_vm_on", vm="B")


# The same on another program.


class OnManager:
    """The memory manager does the operations of a scenario; what it does is judged."""

    def __init__(self, header_line: Line) -> None:
        self.manager, self.judge = Optimized(), Judge()
        self.manager.reset(header_line["machine"])
        self.sizes = {vm["name"]: vm["pages"] for vm in header_line["machine"]["vms"]}
        self.judge.line(json.dumps(header_line).encode())

    def do(self, event: Line) -> Line:
        """One operation: what it comes to."""
        made = event | self.manager.do(event)
        self.judge.line(json.dumps(made).encode())
        assert self.judge.verdict == ALLOWED, (made, self.judge.malformed, self.judge.violations)
        return made

    def decide(self, event: Line) -> None:
        """What policy has to have decided before: the manager keeps to that, a scenario does not tell of it."""
        if event["do"] in ("inflate", "deflate"):
            self.do({"do": "start_driver", "vm": event["vm"]})
            self.do({"do": "set_balloon_target", "vm": event["vm"], "pages": self.sizes[event["vm"]]})
        if event["do"] == "page_out":
            self.do({"do": "set_swap_target", "vm": event["vm"], "pages": self.sizes[event["vm"]]})


def is_for_manager(scene: Scene) -> bool:
    """Whether a scenario is of operations that the manager has, on a machine as it knows it."""
    first, able = scene.lines[0], Optimized().operations.keys()
    plain = "options" not in first and "low" not in first["machine"] and first["machine"].get("vcpus", 1) == 1
    one_domain = not any(vm.get("domain") for vm in first["machine"]["vms"])
    known = all(line.get("do", "read") in able and "step" not in line for line in scene.lines[1:])
    return plain and one_domain and known


def on_manager(scene: Scene) -> None:
    """Each operation comes to what the scenario says."""
    driven = OnManager(scene.lines[0])
    for line in (line for line in scene.lines[1:] if "do" in line):
        event = {name: value for name, value in line.items() if name not in ("got", "saw", "refused")}
        if line.get("refused") not in ("NO_DRIVER", "TARGET_REACHED"):  # else policy is what is in the way
            driven.decide(event)
        made = driven.do(event)
        assert made.get("got") == line.get("got"), line
        assert made.get("refused") == line.get("refused"), line


def test_the_memory_manager_comes_to_the_same() -> None:
    """In all scenarios of operations that it has."""
    done = set()
    for scenario, case in all_cases():
        scene = scenario.played(case) if not is_large(case) else None
        if scene is not None and is_for_manager(scene):
            on_manager(scene)
            done.add(scenario.id)
    assert done >= {"share-01", "share-02", "share-03", "share-07", "share-15", "cow-01", "cow-11", "swap-01",
                    "swap-02", "swap-03", "swap-04", "swap-05", "balloon-01", "balloon-02", "balloon-04", "balloon-05",
                    "balloon-07", "balloon-08", "balloon-09", "balloon-10"}, sorted(done)  # fmt: skip
