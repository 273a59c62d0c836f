"""Every state of a small machine, breadth first: so a run that leads to a violation is a shortest one."""

from __future__ import annotations

import resource
from array import array
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Identifier
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, Slot

from ..reference.beside import asked, call_text
from ..reference.paths import Recorder
from . import behind
from .acting import Acting, Between, Outcome, Views, written
from .asking import Asking
from .behind import fields_behind
from .machines import CannotBegin, Small, Step
from .memo import Memo
from .packing import Layout, Moved, TooManyValues, fields_that_tell_apart
from .symmetry import Groups, Name, Symmetry
from .together import Together
from .twins import Twin, Twins
from .watched import Log, Watched

INTERRUPTED = "interrupted"
BYTES = 2000
"""Memory that an action or a statement needs for each choice of its arguments, about, before any state is seen."""
EVERY = 512
"""States between two looks at the memory, and two reports."""


@attrs.frozen(kw_only=True)
class Violation:
    """A step that is not allowed, or a state in which a statement is false, with the shortest run that leads there."""

    property: str
    told: str
    run: tuple[Step, ...]
    """From where the exploration began; the last step is the one that does it."""


@attrs.define(kw_only=True)
class Explored:
    """What was seen."""

    machine: str
    states: int = 0
    """States seen, each standing for all that differ from it in names only."""
    represented: int = 0
    """States that these stand for."""
    transitions: int = 0
    depth: int = 0
    """Steps from the beginning to the farthest state."""
    frontier: int = 0
    """States seen of which the steps were not tried."""
    seconds: float = 0.0
    megabytes: float = 0.0
    done: Counter[str] = attrs.field(factory=Counter)
    """How often each action was done."""
    paths: set[str] = attrs.field(factory=set)
    """The paths of rules that were taken, refusals too."""
    beyond: int = 0
    """States that were seen, and not gone on from as they lie beyond the bound of the machine."""
    left_out: set[str] = attrs.field(factory=set)
    """Rows that could not be tried, as a mutant's rules take other arguments than they are called with."""
    violation: Violation | None = None
    stopped: str = ""
    """Why it ended before everything was seen; "" if it did not."""
    levels: list[int] = attrs.field(factory=list)
    """New states at each depth."""

    def forecast(self) -> str:
        """What the growth from depth to depth says of how many states there are."""
        if len(self.levels) < 3 or not self.levels[-2]:
            return "too early to tell how many states there are"
        growth = self.levels[-1] / self.levels[-2]
        if growth >= 1:
            return f"still growing by {growth:.2f} at each depth: many times what was seen"
        rest = self.frontier * growth / (1 - growth)
        return f"falling by {growth:.2f} at each depth: perhaps {self.states + int(rest):,} states in all"

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        found = {field.name: getattr(self, field.name) for field in attrs.fields(Explored)}
        found.update(done=dict(sorted(self.done.items())), paths=sorted(self.paths), violation=None,
                     left_out=sorted(self.left_out), seconds=round(self.seconds, 3),
                     megabytes=round(self.megabytes))  # fmt: skip
        if self.violation is not None:
            found["violation"] = {
                "property": self.violation.property, "told": self.violation.told,
                "run": [call_text(action, arguments) for action, arguments in self.violation.run],
            }  # fmt: skip
        return found

    @property
    def complete(self) -> bool:
        """Whether every state was seen."""
        return not self.stopped and self.violation is None


Progress = Callable[[Explored], None]


def explore(small: Small, *, symmetric: bool = True, megabytes: float = 2048.0, seconds: float = float("inf"),
            watch_paths: bool = True, kinds: tuple[str, ...] = ("invariant", "theorem"),
            progress: Progress | None = None) -> Explored:  # fmt: skip
    """See every state, as long as the memory and the time suffice."""
    began = perf_counter()
    behind.forget()
    try:
        start = small.machine()
    except CannotBegin as told:
        return Explored(machine=small.name, stopped=str(told))
    asked_of_each = small.size(start)
    if asked_of_each * BYTES > megabytes * 1e6:
        large = f"too large to explore: {asked_of_each:,} actions and statements, with all their arguments"
        return Explored(machine=small.name, stopped=f"{large}, need about {asked_of_each * BYTES / 1e6:,.0f} MB")
    if small.forgets:
        for mpn in start.ids[MPN]:
            start.contents[mpn] = start.zero
        for slot in start.ids[Slot]:
            start.slot_contents[slot] = start.zero
    fields = fields_that_tell_apart(start) - ({"tag"} if small.forgets else set())
    try:
        while True:
            search = Search(small, start, fields, symmetric, watch_paths, kinds)
            try:
                return search.run(began, megabytes, seconds, progress)
            except Moved as moved:
                fields |= moved.fields
    except KeyboardInterrupt:  # while a search was set up
        return Explored(machine=small.name, stopped=INTERRUPTED)


class Search:
    """One exploration, with the fields that are known to change."""

    def __init__(self, small: Small, start: Machine, fields: set[str], symmetric: bool, watch_paths: bool,
                 kinds: tuple[str, ...]) -> None:  # fmt: skip
        self.small = small
        ignored = {"tag"} if small.forgets else set()
        if "fill" not in fields and not generation_is_told(fields):
            ignored.add("generation")
        self.layout = Layout(start, fields, ignored, small.forgets)
        self.symmetry = Symmetry(self.layout, [chosen(start) for chosen in small.only.values()])
        self.symmetric = symmetric
        self.namer: Callable[[bytes], Name] = self.symmetry.name if symmetric else lambda packed: (packed, 1, ())
        recorder = Recorder() if watch_paths else None
        self.steps = list(small.instances(start))
        self.views, self.between = Views(self.layout), Between(self.layout)
        both = Watched.over(self.layout), Watched.over(self.layout)
        self.acting = [Acting(self.layout, self.views, both, recorder, *step) for step in self.steps]
        twins = Twins(self.symmetry.exchange, self.symmetry.graphs, self.views)
        self.memos: list[Memo | Twin] = twins.memos(self.steps, self.acting) if symmetric else [*map(Memo, self.acting)]
        self.together = Together(self.memos, self._met)
        self.named = [self._renamed_in(arguments) for _, arguments in self.steps]
        self.spared_by: dict[Groups, frozenset[int]] = {}
        self.asking = Asking(self.layout, kinds)
        self.is_within: Callable[[bytes], bool] = (
            Memo(self._within) if small.within is not None else lambda packed: True
        )
        self.found = Explored(machine=small.name)
        self.number: dict[bytes, int] = {}
        self.states: list[bytes] = []
        self.spared: list[frozenset[int]] = []
        """Of each state the actions that need not be tried."""
        self.parent, self.by = array("l"), array("l")

    def _renamed_in(self, arguments: tuple[Any, ...]) -> tuple[int, ...]:
        """The identifiers among the arguments that could be others."""
        number_of = self.layout.number_of
        return tuple(number_of[one] for one in arguments if isinstance(one, Identifier) and one in number_of)

    def _within(self, packed: bytes) -> tuple[list[int], bool]:
        log, within = Log(), self.small.within
        return log.places, within is None or within(Watched.over(self.layout).on(packed, log))

    def beginnings(self) -> list[Name]:
        """Where the search begins."""
        return [self.namer(self.layout.start)]

    def run(self, began: float, megabytes: float, seconds: float, progress: Progress | None) -> Explored:
        """Breadth first, level by level."""
        found = self.found
        try:
            self._search(began, megabytes, seconds, progress)
        except KeyboardInterrupt:
            found.stopped = INTERRUPTED
        except TooManyValues as told:
            found.stopped = f"too large to explore: {told}"
        found.states = len(self.states)
        found.seconds = perf_counter() - began
        found.megabytes = memory()
        return found

    def _search(self, began: float, megabytes: float, seconds: float, progress: Progress | None) -> None:
        found, states = self.found, self.states
        question = self.asking.false(self.layout.start)
        if question is not None:
            self._violated(-1, -1, question.told())
            return
        for first in self.beginnings():
            self._enter(first, -1, -1)
        level_end, at = len(states), 0
        while at < len(states) and found.violation is None:
            if at == level_end:
                found.levels.append(level_end - sum(found.levels))
                found.depth += 1
                level_end = len(states)
            if at % EVERY == 0 or perf_counter() - began > seconds:
                found.states, found.frontier = len(states), len(states) - at
                found.seconds, found.megabytes = perf_counter() - began, memory()
                if progress is not None:
                    progress(found)
                if found.megabytes > megabytes:
                    found.stopped = f"the bound of {megabytes:,.0f} MB is reached"
                    return
                if found.seconds > seconds:
                    found.stopped = f"the {seconds:g} seconds are over"
                    return
            if self.is_within(states[at]):
                self._expand(at)
            else:
                found.beyond += 1
            at += 1
            found.frontier = len(states) - at
        found.levels.append(len(states) - sum(found.levels))

    def _expand(self, at: int) -> None:
        packed, number, found = self.states[at], self.number, self.found
        private = self.views(packed)
        for action, outcome in self.together(packed, self.spared[at]):
            if outcome.left_out:
                found.left_out.add(self.steps[action][0].__name__)
                continue
            found.transitions += 1
            found.done[self.steps[action][0].__name__] += 1
            if outcome.path:
                found.paths.add(outcome.path)
            after = outcome.after(packed)
            wrong = self._wrong(action, packed, after, private, outcome)
            if wrong:
                self._violated(at, action, wrong)
                return
            if not outcome.writes:
                continue
            name = self.namer(after)
            if name[0] not in number:
                question = self.asking.false(after, outcome.changed)
                if question is not None:
                    self._violated(at, action, question.told())
                    return
                self._enter(name, at, action)

    def _met(self, outcome: Outcome) -> None:
        if outcome.path:
            self.found.paths.add(outcome.path)

    def _spared_by(self, groups: Groups) -> frozenset[int]:
        """The actions that need not be tried in a state, as others of them lead to the same but for names."""
        found = self.spared_by.get(groups)
        if found is None:
            exchanged = {one: members[0] for members, _ in groups for one in members[1:]}
            idle = {one: members[0] for members, is_idle in groups for one in members[1:] if is_idle}
            found = self.spared_by[groups] = frozenset(
                action for action, named in enumerate(self.named)
                if (named and named[0] in exchanged) or any(one in idle and idle[one] not in named for one in named)
            )  # fmt: skip
        return found

    def _wrong(self, action: int, packed: bytes, after: bytes, private: list[Any], outcome: Outcome) -> str:
        """What is wrong with a step, "" if nothing; the state that it leaves is another question."""
        if outcome.problem:
            return outcome.problem
        if outcome.private or outcome.changed & self.views.fields:
            told = self.views.difference(private, self.views(after), outcome)
            if told:
                return f"refinement: {told}"
        if self.acting[action].once and self.memos[action](after).refused is None:
            return f"again: {call_text(*self.steps[action])} is enabled again once it is done"
        if self.acting[action].is_rule and outcome.changed:
            return self.between.false(packed, written(packed, outcome.unsettled), outcome.changed)
        return ""

    def _enter(self, name: Name, parent: int, action: int) -> None:
        packed, ways, groups = name
        self.spared.append(self._spared_by(groups))
        self.number[packed] = len(self.states)
        self.states.append(packed)
        self.parent.append(parent)
        self.by.append(action)
        self.found.represented += self.symmetry.orbit(ways) if self.symmetric else 1

    # the run that leads to a violation

    def _violated(self, parent: int, action: int, told: str) -> None:
        run: list[Step] = []
        if action >= 0:
            run, here = self._run_to(parent)
            last, told = self._last(here, action)
            run.append(last)
        name = told.split(" ", 1)[0].rstrip(":")
        self.found.violation = Violation(property=name, told=told, run=tuple(run))

    def _run_to(self, parent: int) -> tuple[list[Step], bytes]:
        """The steps to a state, and that state. The names in it are those of one run from the beginning."""
        chain: list[int] = []
        at = parent
        while at > 0:
            chain.append(at)
            at = self.parent[at]
        steps: list[Step] = []
        here = self.layout.start
        for target in reversed(chain):
            here = self._follow(here, self.by[target], self.states[target], steps)
        return steps, here

    def _follow(self, here: bytes, action: int, target: bytes, steps: list[Step]) -> bytes:
        """The step by the same action that leads to the target, but for names."""
        function = self.steps[action][0]
        for number, (other, arguments) in enumerate(self.steps):
            if other is function:
                outcome: Outcome = self.memos[number](here)
                if outcome.refused is None and not outcome.left_out and self.namer(outcome.after(here))[0] == target:
                    steps.append((function, arguments))
                    return outcome.after(here)
        raise AssertionError("a step that was found is found again under other names")

    def _last(self, here: bytes, action: int) -> tuple[Step, str]:
        """The last step: one by the same action after which something is wrong; and what."""
        function = self.steps[action][0]
        for number, (other, arguments) in enumerate(self.steps):
            outcome = self.memos[number](here) if other is function else None
            if outcome is not None and outcome.refused is None and not outcome.left_out:
                after = outcome.after(here)
                told = self._wrong(number, here, after, self.views(here), outcome)
                question = self.asking.false(after)
                if told or question is not None:
                    return (function, arguments), told or question.told()  # type: ignore[union-attr]
        raise AssertionError("a violation that was found is found again under other names")


def generation_is_told(fields: set[str]) -> bool:
    """Whether a statement about steps, not only a fill, looks at how often a page was revoked."""
    told = [fields_behind(asked(entry.function)) for entry in REGISTER["transition"].values()]
    return any("generation" in read and (read - {"generation"}) & fields for read in told)


def memory() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
