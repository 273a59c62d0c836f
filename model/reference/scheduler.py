"""A seeded scheduler: actors take turns at random, one step at a time, in any order.

The same seed on the same machine gives the same run: nothing depends on the
order of a set or on a hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import Enum
from random import Random
from typing import Any

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.machine import Machine

from .actors import Actors
from .choosing import Proposal, Rule

TURNS = {"access": 40, "page": 18, "flush": 9, "device": 12, "vm": 3, "change_names": 5, "wild": 2}
"""How often each actor has its turn; the names are methods of Actors."""

MakeActors = Callable[[Machine, Random], Actors]
"""Makes the actors of a machine, with a source of chance."""

Do = Callable[[Rule, tuple[Any, ...]], Any]
"""Does one step: called with a rule and its arguments, raises Blocked if the rule refuses."""


class Scheduler:
    """Random steps of one machine, counted."""

    def __init__(
        self, machine: Machine, seed: int, turns: Mapping[str, int] = TURNS, actors: MakeActors = Actors
    ) -> None:
        self.machine, self.random = machine, Random(seed)
        self.actors = actors(machine, self.random)
        self.turns: list[Callable[[], Proposal]] = [
            getattr(self.actors, name) for name, share in turns.items() for _ in range(share)
        ]
        self.done: Counter[Rule] = Counter()
        """How often each rule was done."""
        self.refused: Counter[tuple[Rule, Enum]] = Counter()
        """How often each rule was refused, for each reason."""

    def run(self, steps: int, do: Do | None = None) -> None:
        """Do so many steps; what is refused does not count. With `do`, each is handed to it to be done."""
        machine, turns, random, done = self.machine, self.turns, self.random.random, self.done
        count, left = len(turns), steps
        while left > 0:
            rule, arguments = turns[int(random() * count)]()
            try:
                if do is None:
                    rule(machine, *arguments)
                else:
                    do(rule, arguments)
            except Blocked as refused:
                self.refused[rule, refused.reason] += 1
            else:
                done[rule] += 1
                left -= 1

    def never_done(self) -> list[str]:
        """The names of the rules that were never done."""
        done = {rule.__name__ for rule in self.done}
        return [name for name in REGISTER["rule"] if name not in done]

    def reach(self) -> str:
        """A table: each rule, how often it was done, and how often it was refused for which reason."""
        lines = []
        for name in REGISTER["rule"]:
            done = sum(n for rule, n in self.done.items() if rule.__name__ == name)
            reasons = [f"{why.name} {n}" for (rule, why), n in self.refused.items() if rule.__name__ == name]
            lines.append(f"{name:26}{done:8}  {', '.join(sorted(reasons))}".rstrip())
        return "\n".join(lines)
