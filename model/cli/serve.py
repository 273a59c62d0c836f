"""`pagelaw serve`: a machine with VMs as a file says, run on the rules, told as a table over time."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import attrs

from . import reading
from .figures import scale, was_relied_on
from .reading import BadInput

if TYPE_CHECKING:
    from pagelaw.model.experiments.run import Note, Run

DESCRIPTION = """\
Run a server with VMs of your own: FILE says in TOML how large the machine and its
VMs are, and what each guest does. Balloons, paging, sharing, sampling, the idle
memory tax and the reclamation states act on it by the rules of the specification
only. Printed is a table over time; sizes are in megabytes.
"""

EPILOG = """\
a file:
  memory = 64                 # megabytes of machine memory
  seconds = 600
  tax_rate = "3/4"            # exact: a fraction in quotes, or 0
  [[vm]]
  name = "mail"
  size = 48
  minimum = 24
  shares = 100
  overhead = 2                # 32 if it is not said
  [[vm.does]]
  what = "zero"               # all free memory
  [[vm.does]]
  what = "driver"             # the balloon driver starts
  [[vm.does]]
  what = "read"               # also: write, end, idle
  megabytes = 16
  from = "system"             # the same in all VMs; "files" and "program" are its own
  [[vm.does]]
  what = "use"
  megabytes = 20
  from = "files"
  until = 600                 # seconds since the machine was started

examples:
  pagelaw serve machine.toml
  pagelaw serve machine.toml --scale 1      every page of it
  pagelaw serve machine.toml --check        each step checked: three times as long

exit codes: 0 done; 1 with --check: a step did what the specification does not
allow, or a step that is relied on is refused; 2 bad input, or without --check such
a refusal, or a rule that is neither done nor refuses; 130 interrupted.
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "serve", help="run a server with VMs as a file says", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="the machine, its VMs, and what each guest does")
    parser.add_argument("--scale", metavar="F", type=scale, default=Fraction(1, 16),
                        help="how much of every size and rate is run (default: 1/16)")  # fmt: skip
    parser.add_argument("--check", action="store_true", help="check every step")
    parser.add_argument("--json", metavar="FILE", help="write the table there, in pages of the scaled machine")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.model.experiments.checking import Checked
    from pagelaw.model.experiments.planning import Mistake, read
    from pagelaw.model.experiments.run import Run
    from pagelaw.model.experiments.server import Undefined
    from pagelaw.model.reference.beside import Violation
    from pagelaw.spec.language import Blocked

    to = reading.file("--json", arguments.json)
    try:
        plan = read(Path(arguments.file), arguments.scale)
    except Mistake as mistake:
        raise BadInput(str(mistake)) from None
    started = process_time()
    try:
        done = Run(plan, Checked if arguments.check else None).run()
    except Violation as found:
        print(f"pagelaw: {found}", file=sys.stderr)
        return 1
    except Blocked as refused:
        print(f"pagelaw: {was_relied_on(refused)}", file=sys.stderr)
        return 1 if arguments.check else 2
    except Undefined as broken:
        print(f"pagelaw: {broken}", file=sys.stderr)
        return 2
    print("\n".join(table(done)))
    seconds = process_time() - started
    print(f"{done.server.steps:,} steps of the machine in {seconds:.1f} s of processor time, "
          f"{'each checked' if arguments.check else 'not checked'}", file=sys.stderr)  # fmt: skip
    if to is not None:
        reading.replace(to, as_json(done))
    return 0


def table(done: Run) -> Iterator[str]:
    """A line for each note: of the machine, then of each VM what it has, is to have, and is taken to use."""
    from pagelaw.model.experiments.figures.figure import hundredths, told

    names = [guest.name for guest in done.plan.guests]

    def mb(pages: int | Fraction) -> str:
        return told(hundredths(pages, done.plan.scale), "")

    def row(note: Note) -> list[str]:
        cells = [str(note.second), note.state, mb(note.free), mb(note.saved), mb(sum(note.swapped))]
        for number, vm in enumerate(done.vms):
            active = note.estimate[number] * done.server.machine.maximum[vm]
            cells.append(f"{mb(note.resident[number])} / {mb(note.target[number])} / {mb(active)}")
        return cells

    head = ["second", "state", "free", "shared", "paged", *(f"{name}: has / is to have / uses" for name in names)]
    lines = [head, *map(row, done.notes)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))


def as_json(done: Run) -> str:
    """The notes, in pages; averages as exact fractions."""
    notes = [attrs.asdict(note) for note in done.notes]
    fields = {"scale": str(done.plan.scale), "vms": [guest.name for guest in done.plan.guests],
              "steps": dict(done.server.done), "notes": notes}  # fmt: skip
    return json.dumps(fields, indent=1, default=str) + "\n"
