"""Every path of every rule, reached from the initial state by a run that is printed.

    python -m pagelaw.model.reference.reaching                  # a table: rule, path, length of the run
    python -m pagelaw.model.reference.reaching --path merge     # the runs themselves

Random runs on several small machines, under all readings, until every path that is
expected was taken; then each run is shortened: steps are left out as long as
its last step still takes the path. The expected paths are listed in
`paths.txt`, which is held against the lifting of the rules by the tests.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from math import inf
from pathlib import Path as File
from time import process_time
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.machine import Machine

from .actors import Actors
from .beside import parameter_sorts
from .choosing import Proposal, Rule
from .paths import Recorder
from .printing import WIDTH, PrintedRun
from .scheduler import TURNS, Scheduler
from .setup import Sizes, machine
from .shortening import shortened

EXPECTED = File(__file__).with_name("paths.txt")

SMALL = Sizes(pages=2, virtual_pages=2, vcpus=1, frames=6, low_frames=3, slots=4, transfers=2, minimum=0, values=2)
MACHINES = (
    SMALL,
    attrs.evolve(SMALL, keep_slot=True, swap_shared=True, pages=3, frames=7, block=2),
    attrs.evolve(SMALL, take_over=True, displace=True, low_frames=2, remap_after=0, pages=3, block=3),
    attrs.evolve(SMALL, hash_bits=0, count_top=1, slots=6, pages=3),
    attrs.evolve(SMALL, keep_slot=True, swap_shared=True, take_over=True, displace=True, hash_bits=1, short_bits=1,
                 remap_after=0, count_top=1, pages=3, frames=7, slots=6, transfers=3),
    attrs.evolve(SMALL, minimum=1, vcpus=2, domains=2, vms=3, slots=2, frames=5, overhead=1, low_reserve=1),
    attrs.evolve(SMALL, minimum=2, overhead=2, frames=7, displace=True, low_frames=1),
    attrs.evolve(SMALL, vms=1, swap_shared=True, values=1, words=1, frames=7, low_frames=6, transfers=3, slots=6),
    attrs.evolve(SMALL, vms=1, swap_shared=True, values=1, words=1, keep_slot=True, pages=3, slots=6, block=2,
                 low_reserve=2),
    attrs.evolve(SMALL, migrate=True, share_first=False, swap_shared=True, low_reserve=1),
    attrs.evolve(SMALL, vms=1, pages=4, values=1, words=1, slots=6, most_sharers=2),
)  # fmt: skip
"""Each reading on and off, few frames and many, false matches, full counts, blocks, a reserve of low memory."""

MOODS: tuple[dict[str, int], ...] = (
    TURNS,
    {**TURNS, "access": 15, "page": 30, "device": 30},
    {**TURNS, "access": 10, "page": 40, "vm": 10},
)
"""How often each actor has its turn, in one run after the other."""

STEPS = 600
"""Steps of a run."""
PROBES = 25
"""How often, beside the turns, a rule with paths not yet reached is tried with any arguments."""
AGAIN = 2
"""How often other runs are looked for in place of long ones."""


def expected_paths() -> list[str]:
    """The paths listed in `paths.txt`."""
    lines = EXPECTED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@attrs.frozen
class Run:
    """Steps from the initial state of a machine; the last of them takes the path of this name."""

    path: str
    sizes: Sizes
    steps: tuple[Proposal, ...]

    def text(self) -> str:
        """The machine, and every step with what it changed."""
        default = Sizes()
        names = [field.name for field in attrs.fields(Sizes)]
        own = {name: getattr(self.sizes, name) for name in names if getattr(self.sizes, name) != getattr(default, name)}
        printed = PrintedRun(machine(self.sizes))
        for rule, arguments in self.steps:
            try:
                printed(rule, arguments)
            except Blocked:
                continue  # the last step may be a refusal: it is printed as one
        sizes = ", ".join(f"{name}={value}" for name, value in own.items())
        told = textwrap.wrap(f"  on a machine of Sizes({sizes})", WIDTH, subsequent_indent=" " * 6)
        return "\n".join([self.path, *told, printed.text(), ""])


class Replay:
    """Does given steps on a fresh machine, and says which path the last one takes."""

    def __init__(self, sizes: Sizes, recorder: Recorder) -> None:
        self.sizes, self.recorder = sizes, recorder
        self._start = machine(sizes)

    def __call__(self, path: str, steps: Sequence[Proposal]) -> list[Proposal] | None:
        """The steps that are done (refused ones are skipped), if the last step takes the path; else None."""
        if not steps:
            return None
        s = self._start.copy()
        done: list[Proposal] = []
        for rule, arguments in steps[:-1]:
            try:
                rule(s, *arguments)
            except Blocked:
                continue
            done.append((rule, arguments))
        taken = path_taken(self.recorder, s, *steps[-1])[0]
        return [*done, steps[-1]] if taken == path else None

    def shortened(self, path: str, steps: Sequence[Proposal]) -> tuple[Proposal, ...]:
        """A run with the same end from which no single step can be left out."""
        return shortened(steps, partial(self, path))


def path_taken(recorder: Recorder, s: Machine, rule: Rule, arguments: tuple[Any, ...]) -> tuple[str, Blocked | None]:
    """Do a step; the path it took, and the refusal if it was one."""
    try:
        with recorder:
            rule(s, *arguments)
    except Blocked as refused:
        return recorder.path(rule.__name__, refused.reason), refused
    return recorder.path(rule.__name__, None), None


class Reaching:
    """Looks for a run to every path that is expected."""

    def __init__(
        self, expected: Iterable[str], machines: Sequence[Sizes] = MACHINES, moods: Sequence[dict[str, int]] = MOODS
    ) -> None:
        self.expected, self.machines, self.moods = list(expected), machines, moods
        self.runs: dict[str, Run] = {}
        self.recorder = Recorder()
        self.steps = 0
        """Steps done in all."""
        self._left: dict[str, set[str]] = {}
        for path in self.expected:
            self._left.setdefault(path.split(" ", 1)[0], set()).add(path)

    @property
    def missing(self) -> list[str]:
        """The expected paths without a run so far."""
        return [path for path in self.expected if path not in self.runs]

    @property
    def unexpected(self) -> list[str]:
        """The paths found that are not expected. Rules are watched only while they have expected paths left."""
        return [path for path in self.runs if path not in set(self.expected)]

    def search(self, seed: int, seconds: float = inf, rounds: int | None = None) -> None:
        """Random runs on each machine in turn, until nothing is missing or the time (of the processor) is over."""
        started = process_time()
        for number in count() if rounds is None else range(rounds):
            for sizes in self.machines:
                if not self._left or process_time() - started > seconds:
                    return
                self.random_run(sizes, seed + number, self.moods[number % len(self.moods)])

    def shorten(self) -> None:
        """Shorten every run that was found."""
        replays: dict[Sizes, Replay] = {}
        for path, run in self.runs.items():
            if run.sizes not in replays:
                replays[run.sizes] = Replay(run.sizes, self.recorder)
            self.runs[path] = attrs.evolve(run, steps=replays[run.sizes].shortened(path, run.steps))

    def look_again(self, seed: int, rounds: int = 20, longer_than: int = 25) -> None:
        """Look for other runs to the paths whose runs are long, and keep the shorter ones."""
        long = [path for path, run in self.runs.items() if len(run.steps) > longer_than]
        again = Reaching(long, self.machines, self.moods)
        again.search(seed, rounds=rounds)
        again.shorten()
        self.steps += again.steps
        for path in long:
            if path in again.runs and len(again.runs[path].steps) < len(self.runs[path].steps):
                self.runs[path] = again.runs[path]

    def random_run(self, sizes: Sizes, seed: int, turns: dict[str, int] = TURNS, steps: int = STEPS) -> None:
        """One random run; the first time that it takes a path is remembered, if no shorter run is known."""
        scheduler = Scheduler(machine(sizes), seed, turns)
        actors = Actors(scheduler.machine, scheduler.random)
        scheduler.turns += [lambda: self._probe(actors)] * PROBES
        done: list[Proposal] = []

        def do(rule: Rule, arguments: tuple[Any, ...]) -> None:
            if rule.__name__ in self._left:
                path, refused = path_taken(self.recorder, scheduler.machine, rule, arguments)
                self._note(path, sizes, done, (rule, arguments))
                if refused is not None:
                    raise refused
            else:
                rule(scheduler.machine, *arguments)
            done.append((rule, arguments))

        scheduler.run(steps, do)
        self.steps += steps

    def _probe(self, actors: Actors) -> Proposal:
        """A rule with paths left, with any arguments."""
        if not self._left:
            return actors.wild()
        rule = REGISTER["rule"][actors.any_of(list(self._left))].function
        return rule, tuple(map(actors.anything, parameter_sorts(rule)))

    def _note(self, path: str, sizes: Sizes, before: Sequence[Proposal], last: Proposal) -> None:
        known = self.runs.get(path)
        if known is None or len(known.steps) > len(before) + 1:
            self.runs[path] = Run(path, sizes, (*before, last))
        left = self._left[last[0].__name__]
        left.discard(path)
        if not left:
            del self._left[last[0].__name__]


def table(reaching: Reaching) -> str:
    """Each expected path with the length of the run that reaches it; then what is missing or not expected."""
    lines = []
    for path in reaching.expected:
        rule, told = path.split(" ", 1)
        run = reaching.runs.get(path)
        lines.append(f"{rule:26}{len(run.steps) if run else 'NOT REACHED':>4}  {told}")
    lines += [f"NOT EXPECTED: {path}" for path in reaching.unexpected]
    return "\n".join(lines)


def summary(reaching: Reaching) -> str:
    """The figures of a search."""
    lengths = sorted(len(run.steps) for run in reaching.runs.values())
    told = f"{len(reaching.expected)} paths expected, {len(reaching.expected) - len(reaching.missing)} reached"
    if lengths:
        told += f"; runs of {lengths[0]} to {lengths[-1]} steps, half of them of at most {lengths[len(lengths) // 2]}"
    return f"{told}; {reaching.steps} random steps, {process_time():.0f} s of processor time"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every expected path was reached and no other, 1 if not, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pagelaw.model.reference.reaching",
        description="Reach every path of every rule from the initial state.",
    )
    parser.add_argument("--path", metavar="TEXT", help="print the runs to the paths whose names contain this")
    parser.add_argument("--seed", type=int, default=1, help="where the random runs begin (default 1)")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time for the search (default 60)")
    options = parser.parse_args(arguments)
    expected = [path for path in expected_paths() if options.path is None or options.path in path]
    if not expected:
        print(f"{parser.prog}: no path has {options.path!r} in its name", file=sys.stderr)
        return 2
    reaching = Reaching(expected)
    reaching.search(options.seed, options.seconds)
    if options.path is not None:
        reaching.runs = {path: run for path, run in reaching.runs.items() if path in set(expected)}
    reaching.shorten()
    for number in range(1, AGAIN + 1):
        reaching.look_again(options.seed + 1000 * number)
    if options.path is None:
        print(table(reaching))
    else:
        print("\n".join(reaching.runs[path].text() for path in expected if path in reaching.runs))
        print("".join(f"NOT REACHED: {path}\n" for path in reaching.missing), end="")
    print(summary(reaching))
    return 1 if reaching.missing or reaching.unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
