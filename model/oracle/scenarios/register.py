"""Scenarios by their ids: where each comes from, the sizes that it is played with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import attrs

from .scene import Scene

Play = Callable[..., None]
"""What happens: a function of a scene, and the case's sizes by name."""


@attrs.frozen(kw_only=True)
class Scenario:
    """One scenario."""

    id: str
    source: str
    """The project, file and test that it comes from."""
    play: Play
    cases: tuple[dict[str, Any], ...]
    """The sizes and options that it is played with."""
    left_out: str = ""
    """What of the source's test is not expressed, and why."""

    @property
    def sentence(self) -> str:
        """What happens in it."""
        return " ".join((self.play.__doc__ or "").split())

    def played(self, case: dict[str, Any]) -> Scene:
        """One case, played to the end."""
        scene = Scene()
        self.play(scene, **case)
        return scene


SCENARIOS: dict[str, Scenario] = {}


def scenario(id: str, source: str, left_out: str = "", **values: Sequence[Any]) -> Callable[[Play], Play]:
    """Enter a scenario: it is played with every combination of these values."""

    def enter(play: Play) -> Play:
        cases = tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))
        assert id not in SCENARIOS, id
        SCENARIOS[id] = Scenario(id=id, source=source, play=play, cases=cases, left_out=left_out)
        return play

    return enter


def case_name(case: dict[str, Any]) -> str:
    """A case in a few words that can be the name of a file: `pages-3-across-yes`."""
    said = {True: "yes", False: "no"}
    named = [f"{name}-{said[value] if type(value) is bool else value}" for name, value in case.items()]
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(named)) or "only"


def all_cases() -> Iterator[tuple[Scenario, dict[str, Any]]]:
    """Every case of every scenario, in order of their ids."""
    for one in scenarios_in_order():
        for case in one.cases:
            yield one, case


def scenarios_in_order() -> list[Scenario]:
    """All scenarios in order of their ids."""
    return sorted(scenarios().values(), key=lambda one: (one.id.split("-")[0], int(one.id.split("-")[1])))


def scenarios() -> dict[str, Scenario]:
    """All scenarios by their ids."""
    from . import allocating, ballooning, copying, sharing, swapping  # noqa: F401  (they enter themselves)

    return SCENARIOS
