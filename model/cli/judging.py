"""A known fault as an implementation: the reference model under it is run at random, and what it does is judged.

This process has the fault, the judge is another one, without it: they know each other by the trace only. If nothing
that random runs do is forbidden, the shortest run to the fault is done and judged, as for the vectors.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from pagelaw.model.explorer.gallery import NOT_SHOWN
from pagelaw.model.oracle.stepping import Stepping, header_of
from pagelaw.model.reference.beside import parameter_sorts
from pagelaw.model.reference.choosing import Rule
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.model.runs.machines import MACHINES
from pagelaw.model.runs.moods import MOODS, Mood, actors_in
from pagelaw.proofs.mutants import Mutant
from pagelaw.spec.language import Blocked
from pagelaw.spec.profiles import OPTIONS

from .killing import Kill
from .making import vector_of_fault

STEPS = 1500
"""Turns of one run."""
RUNS = 14
"""Runs, on each machine in each mood in turn, until the judge forbids something."""
WILD = 25
"""How often, in every other run, any rule with any arguments is tried: a guard that is gone is seen when it is hit."""
STOP_AFTER = 60
"""Seconds that the judge may take for one run."""


def judged_runs(mutant: Mutant) -> Kill:
    """Run after run until one is forbidden; if none is, the shortest run on which the fault is seen from outside."""
    tried = 0
    for number in range(RUNS):
        sizes = MACHINES[number % len(MACHINES)]
        mood = MOODS[(number + number // len(MACHINES)) % len(MOODS)]
        found, lines = judged(lines_of(sizes, mood, number))
        tried += lines - 1
        if found is not None:
            return kill(mutant, found, tried, f"machine {number % len(MACHINES)}")
    if mutant.identifier in NOT_SHOWN:
        return Kill(mutant.identifier, "judge", False, tried=tried, note=NOT_SHOWN[mutant.identifier])
    with ProcessPoolExecutor(1, get_context("spawn")) as without_fault:
        vector = without_fault.submit(vector_of_fault, mutant.identifier).result()
    if vector is None or vector.content["wrong"] is None:
        return Kill(mutant.identifier, "judge", False, tried=tried)
    events, at = vector.content["events"], vector.content["wrong"]["event"]
    return Kill(mutant.identifier, "judge", True, events[at]["step"], at + 1, tried + at + 1,
                note=f"the shortest run, machine {vector.content['machine']}")  # fmt: skip


def kill(mutant: Mutant, found: dict[str, Any], tried: int, note: str) -> Kill:
    """The judge has forbidden something."""
    rule = found["reasons"][0].get("rule", "") if found["reasons"] else ""
    return Kill(mutant.identifier, "judge", True, rule, found["line"] - 1, tried, note=note)


def judged(trace: Iterable[bytes]) -> tuple[dict[str, Any] | None, int]:
    """One run: the violation, if the judge forbids something, and how many lines it has read."""
    with TemporaryDirectory() as folder:
        to = Path(folder) / "judged.json"
        command = [sys.executable, "-m", "pagelaw", "judge", "--json", str(to), "-"]
        judge = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert judge.stdin is not None
        try:
            for line in trace:
                judge.stdin.write(line)
            judge.stdin.close()
        except BrokenPipeError:  # it has seen enough
            pass
        judge.wait(STOP_AFTER)
        (made,) = json.loads(to.read_text(encoding="utf-8"))
    if made["verdict"] not in ("allowed", "forbidden"):
        raise RuntimeError(f"the trace is {made['verdict']}: {made.get('problem')}")
    return (made["violations"][0] if made["violations"] else None), made["lines"]


@cache
def parameters_of(module: str, name: str) -> int:
    """How many arguments a rule has in the file, without the fault."""
    text = Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")
    found = next(one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name == name)
    return len(found.args.args) - 1


class Told:
    """A machine under the fault; what is done on it is told as lines of a trace."""

    def __init__(self, sizes: Sizes, random: Random) -> None:
        self.machine, self.random = machine(sizes), random
        self.stepping = Stepping(self.machine)
        self.waiting: list[dict[str, Any]] = [header_of(sizes, tuple(OPTIONS))]

    def do(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """One step."""
        missing = parameter_sorts(rule)[len(arguments) :]  # the fault leaves a choice that the rule does not leave
        arguments = (*arguments, *(self.random.choice(self.machine.ids[sort]) for sort in missing))
        said = arguments[: parameters_of(rule.__module__, rule.__name__)]
        try:
            returned = rule(self.machine, *arguments)
        except Blocked as refused:
            self.waiting.append(self.stepping.event(rule, said, refused=refused.reason.name))
            raise
        self.waiting.append(self.stepping.event(rule, said, returned))
        return returned

    def lines(self) -> Iterator[bytes]:
        """What was done since."""
        yield from (json.dumps(event).encode() + b"\n" for event in self.waiting)
        self.waiting.clear()


def lines_of(sizes: Sizes, mood: Mood, seed: int) -> Iterator[bytes]:
    """A random run of the model as it is in this process, as a trace. Where the fault makes a rule fail, it ends."""
    told = Told(sizes, Random(seed))
    turns = mood.turns if seed % 2 else {**mood.turns, "wild": WILD}
    scheduler = Scheduler(told.machine, seed, turns, actors_in(mood))
    for _ in range(STEPS):
        yield from told.lines()
        try:
            scheduler.run(1, told.do)
        except Exception:  # what a faulty rule leaves may make no sense to the next one
            return
    yield from told.lines()
