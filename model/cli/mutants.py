"""`pagelaw mutants`: the known faults that a check can be asked to refuse."""

from __future__ import annotations

import argparse
import json
from typing import Any

from . import reading

DESCRIPTION = """\
List the known faults of real systems, each as a small change of one rule, or
show one of them. `pagelaw check --mutant ID` switches it on; the check must fail.
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("mutants", help="list known faults", description=DESCRIPTION,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("identifier", metavar="ID", nargs="?", help="show this one: what is changed, and why")
    parser.add_argument("--json", metavar="FILE", help="write the list there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.proofs import mutants

    to = reading.file("--json", arguments.json)
    if arguments.identifier:
        mutant = mutants.get(reading.known("mutant", arguments.identifier, mutants.names()))
        print(f"{mutant.identifier}: {mutant.title}")
        print(f"{mutant.system}{f' {mutant.year}' if mutant.year else ''}: {mutant.reference}")
        print(f"refused by: {mutant.refused_by}\n")
        print(mutants.diff(arguments.identifier))
        return 0
    head = ("id", "system", "year", "rule", "fault")
    rows = [head, *mutants.table()]
    if to is not None:
        to.write_text(json.dumps([dict(zip(head, row, strict=True)) for row in rows[1:]], indent=1) + "\n")
    widths = [max(len(str(row[i])) for row in rows) for i in range(4)]
    for row in rows:
        cells = [str(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[4]]))
    return 0
