"""`pagelaw figures`: the paper's experiments, run on the rules and drawn."""

from __future__ import annotations

import argparse
import re
import sys
from fractions import Fraction
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

from . import reading
from .reading import BadInput

if TYPE_CHECKING:
    from pagelaw.model.experiments.run import Run
    from pagelaw.spec.language import Blocked

DESCRIPTION = """\
Replay the paper's experiments: guests with workloads, balloon drivers, the swap
daemon, the page scanner, sampling and the allocator, in virtual time, each of
them acting by the rules of the specification only. For each figure three files
are written into DIR: figure-N.svg, the picture; figure-N.txt, our numbers beside
the paper's, how sure those are and why they differ; figure-N.json, all of it.

The same seed and scale give the same files, byte for byte.
"""

EPILOG = """\
examples:
  pagelaw figures out                        all of them, at a sixteenth of the size
  pagelaw figures out --only 7 --scale 1     one, with every page of the paper's machine
  pagelaw figures out --only 7 --scale 1/64  in a few seconds
  pagelaw figures out --only 7 --check       each step checked: three times as long

exit codes: 0 written; 1 with --check: a step did what the specification does not
allow, or a step that is relied on is refused; 2 bad input, or matplotlib is missing,
or without --check such a refusal, or a rule that is neither done nor refuses; 130
interrupted (figures that were done are there, whole).
"""

PLAIN = re.compile(r"[0-9]{1,4}(/[0-9]{1,4}|\.[0-9]{1,9})?", re.ASCII)
"""How a scale is written; anything longer is none."""
TOLD_EVERY = 10.0
"""Seconds of processor time between two lines of progress."""


def scale(text: str) -> Fraction:
    """How much of the paper's sizes is run: a fraction above 0, at most 1, with which a megabyte is whole pages."""
    try:
        number = Fraction(text) if PLAIN.fullmatch(text) else Fraction(0)
    except (ValueError, ZeroDivisionError):
        number = Fraction(0)
    if not 0 < number <= 1 or (number * 256).denominator != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction n/256 above 0 and at most 1, such as 1/16")
    return number


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "figures", help="replay the paper's experiments and draw them", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="where the files are written; made if it is not there")
    parser.add_argument("--only", metavar="N", action="append", default=[],
                        help="this figure only; may be given several times")  # fmt: skip
    parser.add_argument("--scale", metavar="F", type=scale, default=Fraction(1, 16),
                        help="how much of every size and rate is run (default: 1/16)")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=reading.number, default=0, help="of all chance (default: 0)")
    parser.add_argument("--check", action="store_true",
                        help="check every step: the invariants and statements about steps, of all that it touches, "
                             "and that guests see nothing but private memory")  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    try:
        import matplotlib  # noqa: F401  (found out before anything is run)
    except ImportError:
        raise BadInput("figures are drawn with matplotlib; install it: pip install 'pagelaw[figures]'") from None
    from pagelaw.model.experiments.checking import Checked
    from pagelaw.model.experiments.figures import FIGURES, picture, telling
    from pagelaw.model.experiments.figures.figure import How
    from pagelaw.model.experiments.server import Undefined
    from pagelaw.model.reference.beside import Violation
    from pagelaw.spec.language import Blocked

    known = {str(number): number for number in FIGURES}
    numbers = sorted({known[reading.known("figure", one, known)] for one in arguments.only} or FIGURES)
    folder = reading.folder("DIR", arguments.folder)
    assert folder is not None  # a name was given
    for number in numbers:
        started = process_time()
        checking = Checked if arguments.check else None
        how = How(scale=arguments.scale, seed=arguments.seed, tell=Telling(number), checking=checking)
        try:
            figure = FIGURES[number](how)
        except Violation as found:
            print(f"figure {number}: {found}", file=sys.stderr)
            return 1
        except Blocked as refused:
            print(f"figure {number}: {was_relied_on(refused)}", file=sys.stderr)
            return 1 if arguments.check else 2
        except Undefined as broken:
            print(f"figure {number}: {broken}", file=sys.stderr)
            return 2
        for suffix, text in (("svg", picture.svg(figure)), ("json", telling.as_json(figure)),
                             ("txt", telling.text(figure))):  # fmt: skip
            reading.replace(folder / f"figure-{number}.{suffix}", text)
        print(telling.text(figure))
        seconds = process_time() - started
        print(f"{seconds:.1f} s of processor time, {figure.steps / seconds:,.0f} steps a second; "
              f"{place(folder, number)}\n", file=sys.stderr)  # fmt: skip
    return 0


def was_relied_on(refused: Blocked) -> str:
    """What to say when a rule refuses a step that whoever acts relies on."""
    asked = getattr(refused, "__notes__", ["a step"])[0]
    return f"{asked} is refused ({refused.reason.value}), where whoever asks for it relies on its being done"


def place(folder: Path, number: int) -> str:
    """Where a figure was written."""
    return f"written: {folder / f'figure-{number}'}.svg, .txt, .json"


class Telling:
    """Progress, every few seconds."""

    def __init__(self, number: int) -> None:
        self.number, self.told = number, process_time()

    def __call__(self, run: Run) -> None:
        """A second of the run is over."""
        if process_time() - self.told > TOLD_EVERY:
            self.told = process_time()
            print(f"figure {self.number}: {run.second // 60} of {run.plan.seconds // 60} minutes, "
                  f"{run.server.steps:,} steps", file=sys.stderr, flush=True)  # fmt: skip
