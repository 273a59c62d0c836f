"""Scenarios of other projects: what each comes to is what its source says, or what ours is said to be and why."""

from __future__ import annotations

from typing import Any

import pytest

from pagelaw.model.experiments.checking import Checked
from pagelaw.model.oracle.header import header
from pagelaw.model.oracle.scenarios.register import Scenario, all_cases, case_name, scenarios
from pagelaw.model.oracle.scenarios.scene import Scene, Unexpected
from pagelaw.spec.paper import cited_in, known_ids

ALL = {"share": 15, "cow": 14, "swap": 7, "balloon": 11, "alloc": 7}
"""How many scenarios there are of each kind."""
NOT_YET = {
    "share-08": "the greatest number of users of a frame is no option yet",
    "share-09": "a zero frame that does not count as shared is no option yet",
}
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


def test_every_scenario_is_there_or_it_is_said_why_not() -> None:
    every = {f"{kind}-{number:02d}" for kind, count in ALL.items() for number in range(1, count + 1)}
    assert scenarios().keys() | NOT_YET.keys() == every
    assert not scenarios().keys() & NOT_YET.keys()


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
