"""`pagelaw runs`: generated runs of the reference model, every step checked."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import attrs

from . import reading
from .reading import BadInput

if TYPE_CHECKING:
    from pagelaw.model.runs.failure import Failure
    from pagelaw.model.runs.reach import Reach

DESCRIPTION = """\
Do random steps on small machines, with private memory beside the machine, and
check each: that guests see nothing but private memory, every invariant, every
statement about steps; at the end of each run the theorems, and every operation
in steps against its telling in one piece. Several machines and moods (slow
flushes, one busy page, equal pages ...) take turns. The same seed gives the
same runs. A violation is made as short as it can be and shown as a picture.
"""

EPILOG = """\
two modes:
  batched    (the default) thousands of steps from one seed; after each step those
             questions are asked that read what it changed; paths are counted in
             some runs, which are watched line by line and not checked
  --stepwise a Hypothesis state machine: every choice is drawn and shrunk, and
             everything is asked after each step

examples:
  pagelaw runs                            a minute on all machines, then the table
  pagelaw runs --seconds 600 --seed 7     longer, and other runs
  pagelaw runs --mutant SH-1              a fault of a real system: until it is found
  pagelaw runs --mutant SH-1 --save-tests found/
  pagelaw runs --stepwise --mutant TL-3   the same, found and shrunk by Hypothesis

exit codes: 0 nothing was violated, and every rule, path and refusal was reached;
1 a violation; 2 bad input; 3 no violation, but not everything was reached in the
time; 130 interrupted. With --mutant 0 says that the fault was not found.
"""

SECONDS = 60.0
TOLD_EVERY = 10.0
"""Seconds between two lines of progress."""
NAMED = 12
"""Things never reached that are named one by one."""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "runs",
        help="do random steps and check each",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds", metavar="S", type=reading.seconds, default=SECONDS, help="processor time to spend (default: 60)"
    )
    parser.add_argument("--seed", metavar="N", type=reading.number, default=0, help="where the runs begin (default: 0)")
    parser.add_argument("--stepwise", action="store_true", help="let Hypothesis draw and shrink every choice")
    parser.add_argument("--mutant", metavar="ID", help="switch on a known fault, and stop when it is found")
    parser.add_argument("--paths", action="store_true", help="print how often each path was taken, too")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--save-tests", metavar="DIR", help="write what violates something there, as a test")
    parser.set_defaults(run=run)


@attrs.define
class Covered:
    """What the runs of one command did so far."""

    reach: Reach
    steps: int = 0
    runs: int = 0
    seconds: float = 0.0
    """Processor time of the checked runs."""
    failure: Failure | None = None

    @property
    def rate(self) -> float:
        """Checked steps a second."""
        return self.steps / self.seconds if self.seconds else 0.0

    def told(self) -> str:
        """The figures in one line."""
        return f"{self.steps:,} checked steps in {self.runs:,} runs, {self.rate:,.0f} steps a second"


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    results, tests = reading.file("--json", arguments.json), reading.folder("--save-tests", arguments.save_tests)
    with ExitStack() as stack:
        if arguments.mutant is not None:
            _switch_on(arguments.mutant, stack)
        from pagelaw.model.runs.reach import Reach

        covered = Covered(Reach())
        started = told = process_time()
        interrupted = False
        try:
            for _ in _stepwise(arguments, covered) if arguments.stepwise else _batched(arguments, covered):
                if covered.failure is not None:
                    break
                if process_time() - told > TOLD_EVERY:
                    told = process_time()
                    print(f"{told - started:4.0f} s  {covered.told()}, {_missing(covered.reach)}", flush=True)
        except KeyboardInterrupt:
            interrupted = True
        seconds = process_time() - started
        if covered.failure is not None:
            _show(covered.failure, tests, arguments.stepwise)
        elif arguments.mutant is None or interrupted:
            _table(covered.reach, arguments.paths)
        _summary(arguments, covered, seconds, interrupted)
        if results is not None:
            _write_json(results, arguments, covered, seconds)
    if interrupted:
        return 130
    if covered.failure is not None:
        return 1
    return 3 if covered.reach.missing() and arguments.mutant is None else 0


def _switch_on(mutant: str, stack: ExitStack) -> None:
    from pagelaw.proofs import mutants

    try:
        names = [*mutants.names(), mutants.CONTROL]
    except mutants.Faulty as error:  # the list does not fit the rules
        raise BadInput(f"--mutant: {'; '.join(str(error).splitlines())}") from None
    stack.enter_context(mutants.apply(reading.known("mutant", mutant, names)))


def _batched(arguments: argparse.Namespace, covered: Covered) -> Iterator[None]:
    from pagelaw.model.runs.batched import Batch

    batch = Batch(arguments.seed, surveys=arguments.mutant is None, mutant=arguments.mutant)
    covered.reach = batch.reach
    for failure in batch.run(arguments.seconds):
        covered.steps, covered.runs, covered.seconds = batch.steps, batch.runs, batch.checking_seconds
        covered.failure = failure and failure.minimal()
        yield


def _stepwise(arguments: argparse.Namespace, covered: Covered) -> Iterator[None]:
    try:
        from pagelaw.model.runs.stepwise import Tally, run_stepwise
    except ModuleNotFoundError as error:
        raise BadInput(f"--stepwise: {error}; install it: pip install 'pagelaw[runs]'") from None
    from pagelaw.model.runs.hunting import EXAMPLES

    tally, started = Tally(), process_time()
    for number in count():
        if process_time() - started > arguments.seconds:
            return
        seed = arguments.seed * 1_000_003 + number
        covered.failure = run_stepwise(seed, EXAMPLES, tally, mutant=arguments.mutant)
        covered.steps, covered.runs, covered.seconds = tally.steps, tally.runs, process_time() - started
        covered.reach.done.clear()
        covered.reach.refused.clear()
        covered.reach.add(tally)
        yield


def _missing(reach: Reach) -> str:
    counts = (
        (len(reach.missing_rules()), "rules"), (len(reach.missing_refusals()), "refusals"),
        (len(reach.missing_paths()), "paths"),
    )  # fmt: skip
    told = ", ".join(f"{number} {what}" for number, what in counts if number)
    return f"not reached: {told}" if told else "everything reached"


def _table(reach: Reach, paths: bool) -> None:
    print(f"\n{reach.table()}")
    if paths:
        print(f"\n{reach.path_table()}")
    missing = reach.missing()
    if missing:
        print("\nnever reached:")
        print("\n".join(f"  {one}" for one in missing[:NAMED]))
        if len(missing) > NAMED:
            print(f"  ... and {len(missing) - NAMED} more")
    print()


def _show(failure: Failure, tests: Path | None, stepwise: bool) -> None:
    from pagelaw.model.runs.picture import picture

    print(f"{failure.broken} is violated\n\n{picture(failure)}\n")
    if tests is None:
        return
    mutant = f"{failure.mutant}_" if failure.mutant else ""
    path = tests / re.sub(r"\W+", "_", f"test_run_{mutant}{failure.name}_{'stepwise' if stepwise else 'batched'}")
    path = path.with_suffix(".py")
    try:
        path.write_text(failure.as_test(), encoding="utf-8")
    except OSError as error:
        print(f"pagelaw: cannot write {path}: {error.strerror}", file=sys.stderr)
    else:
        print(f"saved as {path}\n")


def _summary(arguments: argparse.Namespace, covered: Covered, seconds: float, interrupted: bool) -> None:
    mode = "stepwise" if arguments.stepwise else "batched"
    told = f"{mode}, seed {arguments.seed}: {covered.told()}, {seconds:.1f} s of processor time"
    if covered.failure is not None:
        told += f"; {covered.failure.broken} violated, shown by {len(covered.failure.steps)} steps"
    elif arguments.mutant is not None:
        told += f"; {arguments.mutant} was not found"
    else:
        told += f"; nothing violated, {_missing(covered.reach)}"
    print(told + ("; interrupted" if interrupted else ""))


def _write_json(path: Path, arguments: argparse.Namespace, covered: Covered, seconds: float) -> None:
    failure = covered.failure
    found = failure and {
        "property": failure.broken,
        "kind": failure.kind,
        "told": failure.told,
        "steps": len(failure.steps),
        "test": failure.as_test(),
    }
    summary = {
        "mode": "stepwise" if arguments.stepwise else "batched",
        "seed": arguments.seed,
        "mutant": arguments.mutant,
        "steps": covered.steps,
        "runs": covered.runs,
        "seconds": round(seconds, 3),
        "rate": round(covered.rate),
        "violation": found,
    }
    text = json.dumps({"summary": summary, "reach": covered.reach.as_json()}, indent=1)
    reading.replace(path, text + "\n")
