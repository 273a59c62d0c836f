"""A known fault as an implementation: the reference model under it is run at random, and what it does is judged.

This process has the fault, the judge is another one, without it: they know each other by the trace only.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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

STEPS = 1500
"""Turns of one run."""
RUNS = 56
"""Runs, on each machine in each mood in turn, until the judge forbids something."""
STOP_AFTER = 20
"""Seconds that the judge may take for one run."""


def judged_runs(mutant: Mutant) -> Kill:
    """Run after run until one is forbidden."""
    tried = 0
    for number in range(RUNS):
        sizes = MACHINES[number % len(MACHINES)]
        found, lines = judged_run(sizes, MOODS[(number + number // len(MACHINES)) % len(MOODS)], number)
        tried += lines - 1
        if found is not None:
            rule = found["reasons"][0].get("rule", "") if found["reasons"] else ""
            note = f"machine {number % len(MACHINES)}"
            return Kill(mutant.identifier, "judge", True, rule, found["line"] - 1, tried, note=note)
    return Kill(mutant.identifier, "judge", False, tried=tried)


def judged_run(sizes: Sizes, mood: Mood, seed: int) -> tuple[dict[str, Any] | None, int]:
    """One run: the violation, if the judge forbids something, and how many lines it has read."""
    with TemporaryDirectory() as folder:
        to = Path(folder) / "judged.json"
        command = [sys.executable, "-m", "pagelaw", "judge", "--json", str(to), "-"]
        judge = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert judge.stdin is not None
        try:
            for line in lines_of(sizes, mood, seed):
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


def lines_of(sizes: Sizes, mood: Mood, seed: int) -> Iterator[bytes]:
    """A random run of the model as it is in this process, as a trace. Where the fault makes a rule fail, it ends."""
    yield json.dumps(header_of(sizes, tuple(OPTIONS))).encode() + b"\n"
    made = machine(sizes)
    scheduler, stepping = Scheduler(made, seed, mood.turns, actors_in(mood)), Stepping(made)
    waiting: list[dict[str, Any]] = []

    def do(rule: Rule, arguments: tuple[Any, ...]) -> Any:
        missing = parameter_sorts(rule)[len(arguments) :]  # the fault leaves a choice that the rule does not leave
        arguments = (*arguments, *(scheduler.random.choice(made.ids[sort]) for sort in missing))
        said = arguments[: parameters_of(rule.__module__, rule.__name__)]
        try:
            returned = rule(made, *arguments)
        except Blocked as refused:
            waiting.append(stepping.event(rule, said, refused=refused.reason.name))
            raise
        waiting.append(stepping.event(rule, said, returned))
        return returned

    for _ in range(STEPS):
        try:
            scheduler.run(1, do)
        except Exception:  # what a faulty rule leaves may make no sense to the next one
            return
        yield from (json.dumps(event).encode() + b"\n" for event in waiting)
        waiting.clear()
