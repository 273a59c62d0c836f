"""The way on from a run that breaks a property, until something is told from outside that no program may tell.

Every single step is tried first, then random runs; what is found is shortened until no step can be left out. What is
right is done with the fault switched off, the same steps are done again with it switched on: many at a time, as it
takes long to switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import product
from typing import Any

from pagelaw.spec.language import REGISTER, Blocked, Contents
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import Slot, Transfer

from ...explorer.machines import everything
from ...reference.beside import parameter_names, parameter_sorts
from ...reference.choosing import Rule
from ...reference.scheduler import TURNS, Scheduler
from ..judge import FORBIDDEN
from ..stepping import Stepping
from .checking import OUTCOME, judged
from .watching import Event, NamedStep, contradict

Switch = Callable[[], AbstractContextManager[Any]]
"""Switches the fault on, and off again."""
Run = list[NamedStep]
RUNS, STEPS = 300, 60
"""Random runs, and the steps that are done in each."""
TURNS_OF = ({**TURNS, "wild": 60}, TURNS)
"""Mostly what somebody has a reason to do; in between, more often in every other run, any rule with any arguments."""

WITHOUT_SLOTS = {name: share for name, share in TURNS.items() if name != "wild"}
"""On a machine without slots no rule can be drawn that takes one."""


class WayOn:
    """Runs from where a property is broken."""

    def __init__(self, header: Event, events: Sequence[Event], right: Machine, wrong: Machine, fault: Switch) -> None:
        """right, wrong: the machine after these events without the fault, and with it."""
        self.header, self.events = header, list(events)
        self.right, self.wrong, self.fault = right, wrong, fault

    def found(self) -> Run:
        """The steps after which something is told that is forbidden; none, if none were found."""
        for runs in ([[step] for step in every_step(without_last_transfer(self.right))], list(self.random_runs())):
            told = sorted(self.told(runs), key=len)
            first = next((run for run in told if self.is_forbidden(run)), None)
            if first is not None:
                return self.shortened(first)
        return []

    def random_runs(self) -> Iterator[Run]:
        """Steps as they are done without the fault."""
        for seed in range(RUNS):
            run: Run = []
            s = without_last_transfer(self.right)

            def do(rule: Rule, arguments: tuple[Any, ...], run: Run = run, s: Machine = s) -> Any:
                run.append((rule.__name__, arguments))
                return rule(s, *arguments)

            turns = TURNS_OF[seed % 2] if s.ids[Slot] else WITHOUT_SLOTS
            Scheduler(s, seed, turns).run(STEPS, do)
            yield run

    def shortened(self, run: Run) -> Run:
        """A run of which no step can be left out."""
        while True:
            fewer = [[*run[:at], *run[at + 1 :]] for at in range(len(run) - 1)]
            shorter = next((one for one in self.told(fewer) if self.is_forbidden(one)), None)
            if shorter is None:
                return run
            run = shorter

    def told(self, runs: Iterable[Run]) -> Iterator[Run]:
        """Of the runs in which something is told otherwise under the fault, the part until then."""
        wanted = list(runs)
        due = [events_from(self.right, run) for run in wanted]
        with self.fault():
            found = [events_from(self.wrong, run) for run in wanted]
        for run, right, wrong in zip(wanted, due, found, strict=True):
            at = first_difference(right, wrong)
            if at is not None:
                yield run[: at + 1]

    def is_forbidden(self, run: Run) -> bool:
        """Whether the judge forbids what is told under the fault of the last step, and that only."""
        right = events_from(self.right, run)
        with self.fault():
            wrong = events_from(self.wrong, run)
        last = as_told(right[-1], wrong[-1])
        found = judged({"header": self.header}, [*self.events, *right[:-1], last])
        return (found.verdict, found.event) == (FORBIDDEN, len(self.events) + len(run) - 1)


def without_last_transfer(s: Machine) -> Machine:
    """A machine in this state on which the last transfer is never drawn: to the judge it stands for names of none."""
    twin = s.copy()
    transfers = twin.ids[Transfer]
    twin.ids = {**twin.ids, Transfer: type(transfers)(transfers[:-1])}
    return twin


def every_step(s: Machine) -> Iterator[NamedStep]:
    """Every rule with all arguments; those aside that take the contents of a whole page."""
    for name, entry in REGISTER["rule"].items():
        sorts = parameter_sorts(entry.function)
        if Contents not in sorts:
            for arguments in product(*(everything(s, sort) for sort in sorts)):
                yield name, arguments


def events_from(s: Machine, run: Run) -> list[Event]:
    """A run from this state as it is told; it ends early where a rule fails, as a faulty one may."""
    stepping = Stepping(s.copy())
    events: list[Event] = []
    for name, arguments in run:
        rule = REGISTER["rule"][name].function
        given = tuple(arguments)[: len(parameter_names(rule))]
        try:
            events.append(stepping.event(rule, given, rule(stepping.machine, *given)))
        except Blocked as refused:
            events.append(stepping.event(rule, given, refused=refused.reason.name))
        except Exception:  # what a faulty rule does may make no sense
            break
    return events


def first_difference(right: Sequence[Event], wrong: Sequence[Event]) -> int | None:
    """The number of the first event that is told otherwise."""
    for number, (due, found) in enumerate(zip(right, wrong, strict=False)):
        if contradict(due, found):
            return number
    return None


def as_told(due: Event, found: Event) -> Event:
    """What is told of a step under a fault: the arguments are those that the rule has without it."""
    step = {name: given for name, given in due.items() if name not in OUTCOME}
    return step | {name: found[name] for name in OUTCOME if name in found}
