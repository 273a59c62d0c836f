"""Vectors of scenarios: each case as a trace with what must be seen, and the numbers that its source publishes."""

from __future__ import annotations

from typing import Any

from pagelaw.spec.paper import cited_in

from ..scenarios.register import Scenario, case_name, scenarios_in_order
from ..scenarios.scene import Expected, Scene
from .demanded import demanded_by
from .layout import Vector

MOST_EVENTS = 200
"""Events of a case that is written; of each scenario the shortest one is written however long it is."""
TOO_LONG = f"it has more than {MOST_EVENTS} events, and is a shorter case at another size; the tests of pagelaw play it"


def vectors() -> tuple[tuple[Vector, ...], dict[str, str]]:
    """One for each case that is not too long; those that are, and why they have none."""
    made, without = list[Vector](), dict[str, str]()
    for one in scenarios_in_order():
        scenes = [(case, one.played(case)) for case in one.cases]
        shortest = min(scene.done for _, scene in scenes)
        for case, scene in scenes:
            if scene.done <= max(MOST_EVENTS, shortest):
                made.append(vector_of(one, case, scene))
            else:
                without[f"scenarios/{one.id}/{case_name(case)}"] = TOO_LONG
    return tuple(made), without


def vector_of(scenario: Scenario, case: dict[str, Any], scene: Scene) -> Vector:
    """One case."""
    clauses = list(dict.fromkeys(one for expected in scene.expected for one in cited_in(expected.rule)))
    left_out = {"left_out": scenario.left_out} if scenario.left_out else {}
    return Vector(f"scenarios/{scenario.id}/{case_name(case)}", {
        "scenario": scenario.id, "case": case, "told": scenario.sentence,
        "source": scenario.source, **left_out, "clauses": clauses, "demanded_by": demanded_by(clauses),
        "header": scene.lines[0], "events": scene.lines[1:], "expected": [told(one) for one in scene.expected],
    })  # fmt: skip


def told(one: Expected) -> dict[str, Any]:
    """What is expected at some place."""
    ours = {"ours": one.ours, "why_ours": one.why_ours} if one.ours is not None else {}
    return {"after": one.after, "what": one.what, "published": one.published, **ours, "rule": one.rule}
