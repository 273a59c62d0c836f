"""How often each rule, each path and each refusal was reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Any, Protocol

import attrs

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.refusals import Refused

from ..reference.beside import parameter_sorts
from ..reference.choosing import Proposal, Rule
from ..reference.paths import Recorder
from ..reference.reaching import expected_paths, path_taken
from ..reference.scheduler import Scheduler
from .moods import Moody


class Counted(Protocol):
    """Whoever counts what was done and refused."""

    done: Counter[Rule]
    refused: Counter[tuple[Rule, Enum]]


@attrs.define
class Reach:
    """Counts over any number of runs. Paths are counted in the runs that are surveyed for them."""

    done: Counter[str] = attrs.field(factory=Counter)
    """How often each rule was done."""
    refused: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    """How often each rule was refused, for each reason."""
    paths: Counter[str] = attrs.field(factory=Counter)
    """How often each path was taken in surveyed runs."""
    surveyed: int = 0
    """Steps and refusals of the surveyed runs."""

    def add(self, scheduler: Counted) -> None:
        """Count what a scheduler, or whoever else counts, did."""
        for rule, times in scheduler.done.items():
            self.done[rule.__name__] += times
        for (rule, reason), times in scheduler.refused.items():
            self.refused[rule.__name__, reason.name] += times

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason for a refusal was reached, by whatever rule."""
        found: Counter[str] = Counter()
        for (_, reason), times in self.refused.items():
            found[reason] += times
        return found

    def missing_rules(self) -> list[str]:
        """The rules that were never done."""
        return [name for name in REGISTER["rule"] if not self.done[name]]

    def missing_refusals(self) -> list[str]:
        """The reasons for which some rule can refuse and none did."""
        found = self.reasons
        return [reason for reason in expected_reasons() if not found[reason]]

    def missing_paths(self) -> list[str]:
        """The expected paths that were never taken."""
        return [path for path in expected_paths() if not self.paths[path]]

    def missing(self) -> list[str]:
        """All that was never reached, in words."""
        return [
            *(f"rule {name} was never done" for name in self.missing_rules()),
            *(f"no rule was refused for {reason}" for reason in self.missing_refusals()),
            *(f"path never taken: {path}" for path in self.missing_paths()),
        ]

    def table(self) -> str:
        """A line for each rule, its refusals and paths; then one for each reason."""
        lines = [f"{'rule':34}{'done':>9}  {'paths':>7}  refused"]
        expected = expected_paths()
        for name in REGISTER["rule"]:
            own = [path for path in expected if path.split(" ", 1)[0] == name]
            paths = f"{sum(self.paths[path] > 0 for path in own)}/{len(own)}"
            reasons = [f"{why} {n}" for (rule, why), n in sorted(self.refused.items()) if rule == name]
            lines.append(f"{name:34}{self.done[name] or 'NEVER':>9}  {paths:>7}  {', '.join(reasons)}".rstrip())
        lines += ["", f"{'refusal':34}{'times':>9}"]
        found = self.reasons
        lines += [f"{reason:34}{found[reason] or 'NEVER':>9}" for reason in expected_reasons()]
        return "\n".join(lines)

    def path_table(self) -> str:
        """A line for each expected path: how often it was taken."""
        return "\n".join(f"{self.paths[path] or 'NEVER':>9}  {path}" for path in expected_paths())

    def as_json(self) -> dict[str, Any]:
        """All counts."""
        return {
            "rules": {name: self.done[name] for name in REGISTER["rule"]},
            "refusals": {reason: self.reasons[reason] for reason in expected_reasons()},
            "paths": {path: self.paths[path] for path in expected_paths()},
            "surveyed": self.surveyed,
            "missing": self.missing(),
        }


def expected_reasons() -> list[str]:
    """The reasons for which some path of some rule refuses."""
    named = {reason for path in expected_paths() for reason in _reason_of(path)}
    return [reason.name for reason in Refused if reason.name in named]


def _reason_of(path: str) -> Iterator[str]:
    words = path.split(" ")
    if len(words) > 2 and words[1] == "refuses":
        yield words[2]


PROBES = 25
"""How often, beside the turns, a rule with paths not yet taken is tried: with fitting arguments, or with any."""


def survey(scheduler: Scheduler, reach: Reach, recorder: Recorder, steps: int) -> None:
    """A run in a mood, in which paths are noted: of the rules with paths not yet taken; when there are none, of all.

    It is not checked, as watching a rule line by line is slow.
    """
    actors, random = scheduler.actors, scheduler.random
    assert isinstance(actors, Moody), "who is in no mood fits no arguments"
    left = list(dict.fromkeys(path.split(" ", 1)[0] for path in reach.missing_paths()))

    def probe() -> Proposal:
        if not left:
            return actors.wild()
        rule = REGISTER["rule"][random.choice(left)].function
        return (
            actors.about(rule) if random.random() < 0.5 else (rule, tuple(map(actors.anything, parameter_sorts(rule))))
        )

    def do(rule: Rule, arguments: tuple[Any, ...]) -> None:
        if left and rule.__name__ not in left:
            rule(scheduler.machine, *arguments)
            return
        path, refused = path_taken(recorder, scheduler.machine, rule, arguments)
        reach.paths[path] += 1
        reach.surveyed += 1
        if refused is not None:
            raise refused

    if left:
        scheduler.turns += [probe] * PROBES
    scheduler.run(steps, do)
    reach.add(scheduler)


__all__ = ["Blocked", "Reach", "expected_reasons", "survey"]
