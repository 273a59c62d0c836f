"""`pagelaw mutants`: the kill matrix: which check stops which fault; and the list of the faults."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import implementation, reading

if TYPE_CHECKING:
    from pagelaw.model.optimized.faults import Fault
    from pagelaw.proofs.mutants import Mutant
    from pagelaw.proofs.mutants.judging import Judgement

    from .killing import Kill

DESCRIPTION = """\
Say what every check would refuse: the kill matrix. A mutant is the
specification with one change. The gallery has faults of real systems (and
invented ones, SYN and ORD); each is put to the proofs (z3), to a small
instance whose counterexample is replayed (small), to the explorer, to stepwise
and to batched runs; and, run as an implementation, to the judge of `pagelaw
judge`. The systematic mutants are made from the text of the rules:
every guard, effect, order of steps, conjunct, bound; each is killed by a
property, proved to do the same as the unchanged text, or listed as a survivor.
Faults of the memory manager of model/optimized (IM) are found by running it
beside the specification.

The whole takes hours of processor time. What was worked out is kept in
.pagelaw/, and a run that was interrupted goes on where it was.
"""

EPILOG = """\
examples:
  pagelaw mutants list               every fault: where it is from, what is changed
  pagelaw mutants list SH-1          one of them
  pagelaw mutants SH-1 TL-3          the rows of two
  pagelaw mutants --gallery          the gallery alone
  pagelaw mutants --json kills.json  everything

exit codes: 0 all are killed, proved equivalent, or survivors with a reason;
1 some survive; 2 bad input; 130 interrupted (what was worked out is kept)
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("mutants", help="the kill matrix: which check stops which fault",
                                 description=DESCRIPTION, epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("identifiers", metavar="ID", nargs="*",
                        help="these only; after the word `list` they are shown, not put to the checks")
    parser.add_argument("--gallery", action="store_true", help="the gallery only")
    parser.add_argument("--systematic", action="store_true", help="the systematic mutants only")
    parser.add_argument("--implementation", action="store_true", help="the faults of the memory manager only")
    parser.add_argument("--means", metavar="NAME", action="append", default=[],
                        help="this column of the gallery only; may be given several times")
    parser.add_argument("--jobs", metavar="N", type=reading.whole, help="processes (default: one a processor)")
    parser.add_argument("--fresh", action="store_true", help="work out everything again")
    parser.add_argument("--json", metavar="FILE", help="write everything there, with a summary")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.proofs import mutants

    gallery, systematic, manager = mutants.gallery(), mutants.systematic(), implementation.faults()
    to = reading.file("--json", arguments.json)
    listing = arguments.identifiers[:1] == ["list"]
    wanted = arguments.identifiers[1:] if listing else arguments.identifiers
    for identifier in wanted:
        reading.known("mutant", identifier, [*gallery, *systematic, *manager])
    everything = not (arguments.gallery or arguments.systematic or arguments.implementation)
    asked = [one for one in gallery if (everything or arguments.gallery) and (not wanted or one in wanted)]
    made = [one for one in systematic if (everything or arguments.systematic) and (not wanted or one in wanted)]
    put = [fault for name, fault in manager.items()
           if (everything or arguments.implementation) and (not wanted or name in wanted)]  # fmt: skip
    for identifier in wanted:
        if identifier not in (*asked, *made, *(fault.identifier for fault in put)):
            raise reading.BadInput(f"{identifier} is not among the mutants that the option leaves: name no option")
    if listing:
        return show_list([mutants.get(one) for one in (asked + made if wanted or not everything else asked)], put, to)
    return matrix(arguments, asked, made, put, to)


# The list.


def show_list(chosen: Sequence[Mutant], put: Sequence[Fault], to: Path | None) -> int:
    """Each fault: where it is from, what refuses it, and what is changed."""
    from pagelaw.proofs import mutants

    entries = []
    for mutant in chosen:
        source = f"{mutant.system} {mutant.year}: " if mutant.year else ""
        diff = mutants.diff(mutant.identifier)
        print(f"{mutant.identifier}: {mutant.title}")
        print(f"  {source}{mutant.reference} ({mutant.certainty.value})")
        refused = f"; refused by {mutant.refused_by}" if mutant.refused_by else ""
        print(f"  in {', '.join(mutant.functions)}{refused}")
        print("".join(f"    {line}\n" for line in diff.splitlines()))
        entries.append({
            "id": mutant.identifier, "title": mutant.title, "system": mutant.system, "year": mutant.year,
            "reference": mutant.reference, "certainty": mutant.certainty.value, "functions": list(mutant.functions),
            "refused_by": mutant.refused_by, "diff": diff,
        })  # fmt: skip
    entries += implementation.show(put)
    if to is not None:
        reading.replace(to, json.dumps(entries, indent=1) + "\n")
    return 0


# The matrix.


def matrix(
    arguments: argparse.Namespace, asked: Sequence[str], made: Sequence[str], put: Sequence[Fault], to: Path | None
) -> int:
    """Put every mutant to the checks, and say what stopped it."""
    from pagelaw.proofs import mutants
    from pagelaw.proofs.memory import FOLDER
    from pagelaw.proofs.mutants.matrix import judge_all, unexplained

    from . import killing

    columns = list(dict.fromkeys(reading.known("means", one, killing.COLUMNS) for one in arguments.means))
    columns = columns or list(killing.COLUMNS)
    jobs, folder = arguments.jobs or killing.processors(), Path(FOLDER)
    rows = killing.kill_all(asked, columns, jobs, folder, arguments.fresh, tell_kill)
    judged = judge_all(made, jobs, tell_judgement, None if arguments.fresh else folder) if made else []
    found = implementation.find_all(put)
    summary = summary_of(rows, judged) | {"implementation": implementation.counts(found)}
    if asked:
        show_gallery(mutants.gallery(), rows, columns)
    if made:
        show_systematic(judged)
    if put:
        print_table(implementation.table(found))
    show_summary(summary)
    faults = [fault for fault in unexplained(judged) if judged] if len(made) > 1 else []
    for fault in faults:
        print(f"  {fault}")
    if to is not None:
        write_json(to, summary, rows, judged, found)
    alive = summary["gallery"]["survivors"] or summary["implementation"]["survivors"] or any(fault for fault in faults)
    return 1 if alive else 0


def summary_of(rows: Mapping[str, Mapping[str, Kill]], judged: Sequence[Judgement]) -> dict[str, Any]:
    """How many of each: `gallery` and `systematic`, each total, killed, equivalent, survivors."""
    from pagelaw.proofs.mutants.matrix import summary

    from . import killing

    historical = {name: row for name, row in rows.items() if not name.startswith(("SYN-", "ORD-"))}
    by_means = {
        column: sum(row[column].killed for row in rows.values() if column in row) for column in killing.COLUMNS
        if any(column in row for row in rows.values())
    }  # fmt: skip
    of_history = {column: sum(row[column].killed for row in historical.values()) for column in by_means}
    return {
        "gallery": killing.counts(rows.values()) | {
            "by_means": by_means, "historical": killing.counts(historical.values()) | {"by_means": of_history},
        },
        "systematic": summary(judged),
    }  # fmt: skip


def tell_kill(kill: Kill, done: int, total: int) -> None:
    """One more cell is worked out."""
    what = kill.property if kill.killed else f"not stopped{f' ({kill.note})' if kill.note else ''}"
    print(f"{done}/{total} {kill.mutant} {kill.column}: {what}, {kill.seconds:.1f} s", file=sys.stderr)


def tell_judgement(judgement: Judgement, done: int, total: int) -> None:
    """One more systematic mutant is judged."""
    what = f"{judgement.verdict.value} {judgement.property}".rstrip()
    print(f"{done}/{total} {judgement.identifier}: {what}, {judgement.seconds:.1f} s", file=sys.stderr)


def show_gallery(gallery: Mapping[str, Mutant], rows: Mapping[str, Mapping[str, Kill]], columns: Sequence[str]) -> None:
    """A line for each mutant: what each means found, in steps of the run that shows it and seconds."""
    head = ["mutant", "refused by", *columns]
    lines = [[name, gallery[name].refused_by, *[cell(row[column]) for column in columns]] for name, row in rows.items()]
    print_table([head, *lines])


def cell(kill: Kill) -> str:
    """Steps and seconds; a dot where the mutant was not stopped."""
    if not kill.killed:
        return "failed" if kill.note.startswith("failed") else "."
    return f"{f'{kill.steps} steps ' if kill.steps else ''}{kill.seconds:.0f} s"


def show_systematic(judged: Sequence[Judgement]) -> None:
    """A line for each that is not simply killed, after the numbers of each kind."""
    from pagelaw.proofs.mutants.matrix import accepted, summary

    kinds = summary(judged)["by_kind"]
    counted = [[kind, *map(str, counts.values())] for kind, counts in kinds.items() if counts["total"]]
    print_table([["kind", "total", "killed", "equivalent", "survivors"], *counted])
    reasons = accepted()
    for one in judged:
        if len(judged) < 20 or one.verdict.value == "survivor":
            told = one.property or reasons.get(one.identifier) or one.note
            print(f"{one.identifier}: {one.verdict.value}{f': {told}' if told else ''}")


def show_summary(summary: Mapping[str, Any]) -> None:
    """The numbers, a line for each kind."""
    print()
    for name in ("gallery", "systematic", "implementation"):
        of = summary[name]
        if of["total"]:
            means = ", ".join(f"{column} {number}" for column, number in of.get("by_means", {}).items())
            print(f"{name}: {of['total']} mutants, {of['killed']} killed, {of['equivalent']} equivalent, "
                  f"{of['survivors']} survivors{f'; by {means}' if means else ''}")  # fmt: skip


def print_table(lines: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def write_json(path: Path, summary: Mapping[str, Any], rows: Mapping[str, Mapping[str, Kill]],
               judged: Sequence[Judgement], found: Sequence[Mapping[str, Any]]) -> None:  # fmt: skip
    """Everything."""
    from pagelaw.proofs.mutants.matrix import as_json

    from . import killing

    text = json.dumps({
        "summary": summary, "gallery": {name: killing.as_json(row) for name, row in rows.items()},
        "systematic": {one.identifier: as_json(one) for one in judged},
        "implementation": {row["id"]: dict(row) for row in found},
    }, indent=1)  # fmt: skip
    reading.replace(path, text + "\n")
