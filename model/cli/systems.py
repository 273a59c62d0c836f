"""`pagelaw systems`: systems that can be run and judged here."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from . import reading
from .ending import ended_by_signals

if TYPE_CHECKING:
    from pagelaw.model.systems.listed import System
    from pagelaw.model.systems.running import Ran

DESCRIPTION = """\
List the systems that can be run and judged here, or run one: random operations are
done by it, and what was seen is judged as they go. Among them are the kernel of this
machine and a device of QEMU, which know nothing of pagelaw. Whatever is changed on
the machine for that is put back, also after an interruption.
"""

EPILOG = """\
examples:
  pagelaw systems                                 what can run here, and why the rest cannot
  pagelaw systems linux                           needs root
  pagelaw systems linux --operations 10000 --seed 7 --trace linux.jsonl.gz

exit codes: 0 listed, or all that was done is allowed; 1 forbidden, or the system crashed,
hung, or answered rubbish; 2 bad input, or it cannot run here; 3 undetermined;
130 interrupted.
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "systems", help="run the kernel of this machine, or another system, and judge it", description=DESCRIPTION,
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("system", metavar="SYSTEM", nargs="?", help="the one to run; without it they are listed")
    parser.add_argument("--operations", metavar="N", type=reading.whole, default=1000,
                        help="operations of the run (default: 1000)")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=reading.number, default=0, help="where it begins (default: 0)")
    parser.add_argument("--trace", metavar="FILE", help="write the trace there, gzipped if it ends in .gz")
    parser.add_argument("--json", metavar="FILE", help="write all that is found there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.model.systems.listed import SYSTEMS

    to = reading.file("--json", arguments.json)
    if arguments.system is None:
        return run_list(list(SYSTEMS.values()), to)
    chosen = SYSTEMS[reading.known("system", arguments.system, SYSTEMS)]
    why = chosen.cannot()
    if why:
        raise reading.BadInput(f"{chosen.name} cannot run here: {why}")
    with ended_by_signals():
        return run_one(chosen, arguments, to)


def run_list(systems: list[System], to: Any) -> int:
    """All of them, a line each."""
    found = [{"system": one.name, "told": one.sentence, "cannot": one.cannot() or None} for one in systems]
    for one in found:
        print(f"{one['system']:10} {'can run' if one['cannot'] is None else 'cannot run':10}  {one['told']}")
        if one["cannot"]:
            print(f"{'':22} {one['cannot']}")
    if to is not None:
        reading.replace(to, json.dumps(found, indent=1) + "\n")
    return 0


def run_one(chosen: System, arguments: argparse.Namespace, to: Any) -> int:
    """One of them."""
    from pagelaw.model.oracle.program import Broken
    from pagelaw.model.systems.beside import Beside, JudgeEnded
    from pagelaw.model.systems.linux import CannotRun
    from pagelaw.model.systems.running import ran, save_trace

    from .conform import CODES

    trace = reading.file("--trace", arguments.trace)
    progress = Progress() if sys.stderr.isatty() else None
    try:
        with Beside() if chosen.judged_beside else nullcontext() as judge, chosen.opened() as system:
            found = ran(system, arguments.operations, arguments.seed,
                        lambda run, random: chosen.drawing(system, run, random), progress, judge)  # fmt: skip
    except CannotRun as why:
        raise reading.BadInput(f"{chosen.name} cannot run here: {why}") from None
    except JudgeEnded as why:
        raise reading.BadInput(f"{chosen.name}: {why}") from None
    except Broken as broken:
        print(f"{chosen.name}: {broken.how}: {broken}")
        return CODES[broken.how]
    if trace is not None:
        save_trace(found.run, trace)
    if to is not None:
        reading.replace(to, json.dumps(as_json(found, system), indent=1) + "\n")
    print("\n".join(text(found, system)))
    return CODES[found.verdict]


def text(found: Ran, system: Any) -> Iterator[str]:
    """All that is to be said."""
    from pagelaw.model.oracle.telling import failure_text

    judge, header = found.run.judged, found.run.able.header
    yield f"{header['system']}: {found.verdict} (profile {header.get('profile', 'esx')})"
    own = f" and {found.internal:,} things that it did by itself" if found.internal else ""
    took = f"{found.run.judging:.2f} s ({found.run.judging / max(found.seconds, 1e-9):.0%})"
    judging = (f"of which it waited {took} for the judge, which worked {found.working:.2f} s beside it" if found.working
               else f"of which judging took {took}")  # fmt: skip
    yield f"  {found.operations:,} operations{own} in {found.seconds:.2f} s, {judging}"
    yield f"  {len(judge.exercised)} rules and {len(judge.refusals)} reasons to refuse seen; by the rules there were"
    yield from (f"    {count:9,} {what}" for what, count in found.counts().items() if count)
    if counts := getattr(system, "counts", None):
        yield "  as the system says, there were"
        yield from (f"    {count:9,} {what}" for what, count in sorted(counts.items()))
    yield from (f"  {line}" for line in getattr(system, "without", ()))
    if found.failure is not None:
        yield from failure_text(found.failure)


def as_json(found: Ran, system: Any) -> dict[str, Any]:
    """The same for programs."""
    from pagelaw.model.oracle.telling import failure_text

    return {
        "verdict": found.verdict, "header": found.run.able.header, "operations": found.operations,
        "internal": found.internal, "seconds": round(found.seconds, 3), "judging": round(found.run.judging, 3),
        "judging_beside": round(found.working, 3),
        "happened": found.counts(), "counts": dict(sorted(getattr(system, "counts", {}).items())),
        "without": list(getattr(system, "without", ())), "rules": dict(sorted(found.run.judged.exercised.items())),
        "refusals": dict(sorted(found.run.judged.refusals.items())),
        "unsupported": dict(sorted(found.run.unsupported.items())),
        "failure": None if found.failure is None else list(failure_text(found.failure)),
    }  # fmt: skip


class Progress:
    """Operations so far, on the terminal."""

    def __call__(self, done: int) -> None:
        """So many."""
        print(f"\r{done:,} operations", end="", file=sys.stderr, flush=True)
