"""Spin on the common problem: how many states, in what time. The peer that our explorer is measured against.

    python tests/benchmarks/spin_peer.py --pages 2
    python tests/benchmarks/spin_peer.py --pages 2 --zones --hints

The model is `spin/common.pml`. Spin writes a C program, gcc compiles it, and that visits every state breadth first
and exactly: all states stored, none by a hash alone, no partial order reduction.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs

MODEL = Path(__file__).parent / "spin" / "common.pml"
NOT_NEEDED = "-DSAFETY", "-DNOREDUCE", "-DNOCLAIM", "-DNOFAIR", "-DNOBOUNDCHECK"
"""What the model has no use for: acceptance cycles, partial orders, claims, fairness, checks of array bounds."""
TOOLS = "spin", "gcc"


class CannotCount(Exception):
    """Spin did not count to the end: a tool is missing, memory or time ran out, or the model has an error."""


@attrs.frozen(kw_only=True)
class Problem:
    """Which of the common problems: two VMs with so many pages each."""

    pages: int = 2
    frames: int = 4
    slots: int = 2
    zones: bool = False
    """Whether half the frames are in high memory, every page is hot, and pages move."""
    hints: bool = False
    """Whether hints stay, and go stale; otherwise one is left just before it is found."""
    garbage: bool = False
    """Whether what is in free frames and slots, and whose it was, tells states apart."""

    def defines(self) -> list[str]:
        """What the model is told."""
        names = {"pages": "P"}
        return [f"-D{names.get(name, name.upper())}={int(value)}" for name, value in attrs.asdict(self).items()]


@attrs.frozen(kw_only=True)
class Counted:
    """What Spin found."""

    states: int
    transitions: int
    """Operations done in all states, as Spin counts them: to come to the initial state is one."""
    depth: int
    seconds: float
    """Processor time of the search."""
    elapsed: float
    """Time of the search by the clock."""
    build_seconds: float
    """Time of spin and gcc by the clock."""
    megabytes: float


def missing() -> str | None:
    """What to do if a tool is not there, in one line."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not found: apt-get install {' '.join(absent)}" if absent else None


def count(problem: Problem, memory_limit: int = 8_000, time_limit: float = 600, collapse: bool = False) -> Counted:
    """Build and run Spin, within so many megabytes and seconds; with `collapse` in less memory and more time."""
    if reason := missing():
        raise CannotCount(reason)
    with tempfile.TemporaryDirectory(prefix="spin-") as folder:
        began = time.perf_counter()
        run(["spin", "-a", *problem.defines(), str(MODEL)], folder, time_limit)
        program = Path(folder, "pan.c")
        program.write_text(program.read_text().replace("%9.8g", "%9.0f"))  # a count to its last digit
        options = ["-DBFS", f"-DMEMLIM={memory_limit}", *["-DCOLLAPSE"] * collapse]
        run(["gcc", "-O2", *NOT_NEEDED, *options, "-o", "pan", "pan.c"], folder, time_limit)
        built, used = time.perf_counter() - began, processor_time()
        said = run(["./pan", "-n"], folder, time_limit)
        return found_in(said, processor_time() - used, built)


def run(command: list[str], folder: str, time_limit: float) -> str:
    """What a command says; if it fails or takes too long, its last lines are the reason."""
    try:
        done = subprocess.run(
            command, cwd=folder, timeout=time_limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except subprocess.TimeoutExpired as late:
        raise CannotCount(f"{command[0]}: not done in {time_limit:.0f} s") from late
    if done.returncode != 0:
        raise CannotCount(f"{command[0]} failed:\n" + "\n".join(done.stdout.splitlines()[-10:]))
    return done.stdout


def processor_time() -> float:
    """Of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
SAID = {
    "depth": rf"depth reached {NUMBER}",
    "errors": rf"errors: {NUMBER}",
    "states": rf"{NUMBER} states, stored",
    "transitions": rf"{NUMBER} transitions \(= stored\+matched\)",
    "megabytes": rf"{NUMBER}\s+total actual memory usage",
    "elapsed": rf"elapsed time {NUMBER} seconds",
}


def found_in(said: str, seconds: float, build_seconds: float) -> Counted:
    """The figures in what the search says, provided that it came to its end without an error."""
    found = {name: re.search(pattern, said) for name, pattern in SAID.items()}
    absent = [name for name, match in found.items() if match is None]
    figures = {name: match[1] for name, match in found.items() if match is not None}
    if absent or figures["errors"] != "0" or "Search not completed" in said:
        raise CannotCount(f"no full search, no {absent}:\n" + "\n".join(said.splitlines()[-25:]))
    return Counted(
        states=int(figures["states"]),
        transitions=int(figures["transitions"]),
        depth=int(figures["depth"]),
        seconds=round(seconds, 2),
        elapsed=float(figures["elapsed"]),
        build_seconds=round(build_seconds, 2),
        megabytes=float(figures["megabytes"]),
    )


def main() -> int:
    """Count, and print what was found."""
    asked = argparse.ArgumentParser(description="Every state of the common problem, by Spin.")
    for name in ("pages", "frames", "slots"):
        asked.add_argument(f"--{name}", type=int, default=getattr(Problem(), name))
    for name in ("zones", "hints", "garbage", "collapse"):
        asked.add_argument(f"--{name}", action="store_true")
    asked.add_argument("--memory-limit", type=int, default=8_000, help="megabytes")
    asked.add_argument("--time-limit", type=float, default=600, help="seconds")
    given = vars(asked.parse_args())
    limits = {name: given.pop(name) for name in ("memory_limit", "time_limit", "collapse")}
    try:
        found = count(Problem(**given), **limits)
    except CannotCount as reason:
        print(reason, file=sys.stderr)
        return 2
    print(", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in attrs.asdict(found).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
