"""A machine to try steps on: it reads what another holds, and keeps what is written to itself.

trial = Trial(machine)
twin = trial.begin()       # as the machine is now
...                        # rules, run on the twin; the machine is as it was
"""

from __future__ import annotations

from copy import copy
from typing import Any, TypeVar

from pagelaw.spec.language import Map
from pagelaw.spec.machine import Machine

from .journal import MAPS, NUMBERS, numbers_of

K = TypeVar("K")
V = TypeVar("V")


class Over(Map[K, V]):
    """A map that holds what was written to it; everything else is as in the one under it."""

    __slots__ = ("__missing__",)

    def __init__(self, under: Map[K, V]) -> None:
        super().__init__(under.otherwise)
        self.__missing__ = under.__getitem__  # type: ignore[assignment, method-assign]  # asked so without Python


class Trial:
    """A machine's twin, to try steps on. It is of use from `begin` until the machine is changed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._twin = copy(machine)
        self._maps: list[Over[Any, Any]] = [Over(getattr(machine, name)) for name in MAPS]
        self._twin.__dict__.update(zip(MAPS, self._maps, strict=True))
        self._twin.observer = None

    def begin(self, is_written: bool = True) -> Machine:
        """The twin, as the machine is now.

        is_written: whether a step has been done on it since; one that was refused writes nothing.
        """
        if is_written:
            for over in self._maps:
                over.clear()
        numbers, twin = numbers_of(self._machine.__dict__), self._twin
        if numbers_of(twin.__dict__) != numbers:
            twin.__dict__.update(zip(NUMBERS, numbers, strict=True))
        return twin
