"""`pagelaw explore`: every state of a small machine, and the shortest run to a violation."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from math import log2
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console

from . import reading
from .reading import BadInput

if TYPE_CHECKING:
    from pagelaw.model.explorer.machines import Small
    from pagelaw.model.explorer.search import Explored

DESCRIPTION = """\
See every state of a small machine, by the specification's own rules, and ask
everything of each step and each state: refinement of private memory, every
invariant, transition and theorem. States that differ in names only (of
frames, slots, VMs, a VM's pages, transfers ...) are seen once. The search goes
breadth first: a run to a violation is a shortest one.

Without MACHINE the machines are listed; with --mutant and without MACHINE they
are tried one after the other until one shows the fault.
"""

EPILOG = """\
examples:
  pagelaw explore                            the machines there are
  pagelaw explore common                     every state of one of them
  pagelaw explore sharing --mutant TL-1      the shortest run to disaster
  pagelaw explore common --with frames=3     the same machine with three frames

exit codes: 0 every state was seen and all holds; 1 a violation was found; 2 bad
input; 3 the bound of memory or time was reached first; 130 interrupted (what
was seen until then is printed)
"""

INTERRUPTED = "interrupted"
MOST = 1000
"""The greatest size that can be asked for: what comes near it is far beyond any exploration."""
MOST_BITS = 12
"""The greatest page that can be asked for: so many bits of contents."""
SAY_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("explore", help="see every state of a small machine", description=DESCRIPTION,
                                 epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("machine", metavar="MACHINE", nargs="?", help="which machine; without it they are listed")
    parser.add_argument("--mutant", metavar="ID", help="switch this fault on (see pagelaw mutants)")
    parser.add_argument("--with", dest="sizes", metavar="NAME=NUMBER", action="append", default=[],
                        help="another size, such as frames=3; may be given several times")  # fmt: skip
    parser.add_argument("--memory", metavar="MB", type=reading.whole, default=2048,
                        help="stop when the process has had so much memory (default 2048)")  # fmt: skip
    parser.add_argument("--seconds", metavar="S", type=reading.seconds, help="stop after so many seconds")
    parser.add_argument("--no-symmetry", action="store_true", help="see every state by itself, whatever its names are")
    parser.add_argument("--json", metavar="FILE", help="write the figures, and the run if there is one, there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.model.explorer.gallery import MACHINES, machines_for

    to = reading.file("--json", arguments.json)
    if arguments.machine is None and arguments.sizes:
        raise BadInput("--with needs a MACHINE")
    if arguments.machine is None and arguments.mutant is None:
        print("\n".join(listed(MACHINES.values())))
        return 0
    with ExitStack() as stack:
        machines = list(MACHINES.values())
        if arguments.machine is not None:
            machines = [with_sizes(MACHINES[reading.known("machine", arguments.machine, MACHINES)], arguments.sizes)]
        if arguments.mutant is not None:
            from pagelaw.proofs import mutants

            name = reading.known("mutant", arguments.mutant, mutants.names())
            mutant = stack.enter_context(mutants.apply(name))
            machines = machines if arguments.machine is not None else machines_for(mutant.functions)
        found: list[Explored] = []
        for small in machines:
            found.append(see(small, arguments))
            show(small, found[-1])
            if found[-1].violation is not None or found[-1].stopped == INTERRUPTED:
                break
    if to is not None:
        write_json(to, found, arguments.mutant)
    return code_of(found)


def code_of(found: Sequence[Explored]) -> int:
    """The exit code that says what was found."""
    if any(one.violation is not None for one in found):
        return 1
    if any(one.stopped == INTERRUPTED for one in found):
        return 130
    return 3 if any(one.stopped for one in found) else 0


def listed(machines: Iterable[Small]) -> Iterator[str]:
    """A line for each machine."""
    from pagelaw.model.explorer.machines import sizes_text

    rows = [(small.name, small.about, f"{sizes_text(small.sizes)}: {small.states:,} states") for small in machines]
    width = max(len(name) for name, _, _ in rows)
    for name, about, sizes in rows:
        yield f"{name:{width}}  {about}"
        yield f"{'':{width}}  {sizes}"


def with_sizes(small: Small, wanted: Sequence[str]) -> Small:
    """The machine in other sizes."""
    import attrs

    from pagelaw.model.reference.setup import Sizes

    fields = {field.name: field.type for field in attrs.fields(Sizes)}
    given: dict[str, Any] = {}
    for text in wanted:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"--with: {text!r} is not of the form NAME=NUMBER")
        reading.known("size", name, fields)
        if not (value.isascii() and value.isdecimal()) or int(value) > MOST:
            raise BadInput(f"--with: {value!r} is not a whole number from 0 to {MOST}")
        given[name] = bool(int(value)) if fields[name] in (bool, "bool") else int(value)
    sizes = attrs.evolve(small.sizes, **given)
    if sizes.words * log2(max(sizes.values, 1)) > MOST_BITS:
        raise BadInput(f"--with: pages of {sizes.words} words with {sizes.values} values each hold too many contents")
    try:
        changed = attrs.evolve(small, sizes=sizes)
        if given:
            changed.machine()
    except Exception as error:  # a size of 0, a VM that is not admitted, a VM without pages ...
        raise BadInput(f"--with: the machine {small.name} cannot begin with these sizes: {error}") from None
    return changed


def see(small: Small, arguments: argparse.Namespace) -> Explored:
    """Explore, and tell how far it is."""
    from pagelaw.model.explorer.search import explore

    with Telling(small.name) as telling:
        return explore(small, symmetric=not arguments.no_symmetry, megabytes=arguments.memory,
                       seconds=arguments.seconds or float("inf"), watch_paths=arguments.mutant is None,
                       progress=telling)  # fmt: skip


class Telling:
    """Tells how far an exploration is: in one line that changes on a terminal, now and then elsewhere."""

    def __init__(self, name: str) -> None:
        self.name, self.last = name, perf_counter()
        self.console = Console(stderr=True, highlight=False)

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.console.is_terminal:
            self.console.file.write("\r\x1b[K")

    def __call__(self, explored: Explored) -> None:
        told = (f"{self.name}: {explored.states:,} states, depth {explored.depth}, {explored.frontier:,} still to try, "
                f"{explored.seconds:.0f} s, {explored.megabytes:,.0f} MB")  # fmt: skip
        if self.console.is_terminal:
            self.console.file.write(f"\r\x1b[K{told}")
            self.console.file.flush()
        elif perf_counter() - self.last > SAY_EVERY:
            self.last = perf_counter()
            print(told, file=sys.stderr)


def show(small: Small, explored: Explored) -> None:
    """What was seen, and the run to a violation."""
    from pagelaw.model.explorer.machines import sizes_text

    print(f"{small.name}: {small.about}")
    print(f"  {sizes_text(small.sizes)}")
    print(f"  {explored.states:,} states, which stand for {explored.represented:,}; {explored.transitions:,} steps; "
          f"depth {explored.depth}; {explored.seconds:.1f} s, {explored.megabytes:,.0f} MB")  # fmt: skip
    rules = sorted(explored.done)
    never = [name for name in small.actions if not explored.done[name]]
    paths = f", {len(explored.paths)} paths of rules taken" if explored.paths else ""
    print(f"  {len(rules)} of {len(small.actions)} actions done{paths}")
    if explored.beyond:
        print(f"  {explored.beyond:,} states lie beyond the bound of this machine and were not gone on from")
    if explored.left_out:
        print(f"  left out, as the fault's rules take other arguments: {', '.join(sorted(explored.left_out))}")
    if explored.violation is not None:
        show_violation(small, explored)
        return
    if never and explored.complete:
        print(f"  never possible here: {', '.join(never)}")
    if explored.stopped:
        print(f"  STOPPED: {explored.stopped}; {explored.frontier:,} states were seen but not gone on from")
        print(f"  new states at each depth: {' '.join(map(str, explored.levels[-12:]))}, {explored.forecast()}")
    else:
        print("  every state seen: every step is allowed, every statement holds")


def show_violation(small: Small, explored: Explored) -> None:
    """The run that leads to it, step by step, with what each changed."""
    from pagelaw.model.reference.printing import PrintedRun

    violation = explored.violation
    assert violation is not None
    printed = PrintedRun(small.machine())
    failed = ""
    try:
        for action, arguments in violation.run:
            printed(action, arguments)
    except Exception as error:  # the last step of a mutant may fail half-way
        failed = f"  the last step fails: {type(error).__name__}: {error}"
    print(f"\n  a shortest run to a violation, {len(violation.run)} steps after the machine was set up:\n")
    print(printed.text())
    print(f"{failed}\n  {violation.told}" if failed else f"\n  {violation.told}")


def write_json(path: Path, found: Sequence[Explored], mutant: str | None) -> None:
    """The figures of each exploration."""
    text = json.dumps({"mutant": mutant, "explored": [one.as_json() for one in found]}, indent=1)
    reading.replace(path, text + "\n")
