"""`pagelaw judge`: whether what an implementation did is allowed, asked of its traces."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import reading

if TYPE_CHECKING:
    from pagelaw.model.oracle.files import Judged

DESCRIPTION = """\
Judge traces of an implementation: what it did, line by line, is done by the rules of
the specification. A trace is JSON lines, a header and one event a line; its format is
told in `pagelaw judge --format`.
"""

EPILOG = """\
a trace:
  {"pagelaw": 1, "system": "toy", "machine": {"vms": [{"name": "A", "pages": 4}, ...], "frames": 8, "slots": 8}}
  {"do": "power_on", "vm": "A"}
  {"do": "write", "vm": "A", "page": 3, "word": 0, "value": 7, "saw": [{"vm": "A", "page": 3, "frame": "f1"}]}
  {"do": "read", "vm": "A", "page": 3, "word": 0, "got": 7}

verdicts, of each trace:
  allowed         all that it tells can have happened
  forbidden       a line tells what is not allowed: which rule, which condition is false, what was allowed instead
  undetermined    it cannot be said, and what would have to be seen to say it
  malformed       it is no trace: file, line, column, what was expected

exit codes: 0 all allowed; 1 one is forbidden; 2 one is malformed, or cannot be read;
3 one is undetermined, and none of the above; 130 interrupted.
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "judge", help="judge traces of an implementation", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "traces", metavar="TRACE", nargs="*", help="a file of JSON lines, also gzipped; - for standard input"
    )
    parser.add_argument("--continue", dest="goes_on", action="store_true",
                        help="go on after a line that is forbidden, from what was seen")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write all that is found there")
    parser.add_argument(
        "--jobs", metavar="N", type=reading.whole, default=1, help="judge so many traces at a time (default: 1)"
    )
    parser.add_argument("--format", action="store_true", help="print how a trace is written, field by field, and stop")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.model.oracle.files import judge_files
    from pagelaw.model.oracle.report import as_json, text
    from pagelaw.model.oracle.schemas import format_text

    if arguments.format:
        print(format_text())
        return 0
    if not arguments.traces:
        raise reading.BadInput("judge: no trace is named (see pagelaw judge --help)")
    to = reading.file("--json", arguments.json)
    found: list[Judged] = []
    for judged in judge_files(
        arguments.traces, arguments.goes_on, arguments.jobs, Progress() if sys.stderr.isatty() else None
    ):
        found.append(judged)
        print("\n".join(text(judged)), flush=True)
    if to is not None:
        reading.replace(to, json.dumps([as_json(one) for one in found], indent=1) + "\n")
    return exit_code(one.verdict for one in found)


def exit_code(verdicts: Iterator[str]) -> int:
    """The one of the worst verdict."""
    codes = {"allowed": 0, "forbidden": 1, "malformed": 2, "unreadable": 2, "undetermined": 3}
    found = {codes[one] for one in verdicts}
    return next((code for code in (2, 1, 3) if code in found), 0)


class Progress:
    """Lines judged so far, on the terminal."""

    def __call__(self, name: str, lines: int) -> None:
        """So many."""
        print(f"\r{name}: {lines:,} lines", end="", file=sys.stderr, flush=True)
