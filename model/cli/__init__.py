"""The `pagelaw` command.

Each command is a module here with a function `add(commands)`, which adds its
parser and sets `run`, a function from the arguments to the exit code. They
import what they need when they run, so that the command starts at once.

Exit codes: 0 all is well, 1 something is wrong with what was examined, 2 bad
input or could not run, 3 undetermined, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import check, conform, explore, figures, judge, mutants, runs, serve, systems, vectors
from .ending import Ended
from .reading import BadInput

COMMANDS = (check, explore, mutants, runs, judge, conform, systems, vectors, figures, serve)

EPILOG = """\
examples:
  pagelaw check                    prove every rule; a second run remembers
  pagelaw check --rule merge       one rule
  pagelaw check --help             all that it can do
  pagelaw explore common           every state of a small machine
  pagelaw mutants                  known faults, which a check must refuse
  pagelaw runs                     random steps of the reference model, each checked
  pagelaw judge TRACE              whether what an implementation did is allowed
  pagelaw conform -- PROGRAM       drive an implementation, and judge it
  pagelaw systems linux            the kernel of this machine, run and judged
  pagelaw vectors DIR              files with which a program in any language can be tested
  pagelaw figures DIR              the paper's experiments, run on the rules and drawn
  pagelaw serve FILE               a server with VMs of your own
"""


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The parser of the whole command."""
    made = Parser(
        prog="pagelaw", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG,
        description="A formally checked, executable reference specification of hypervisor memory management.",
    )
    made.add_argument("--version", action="store_true", help="print the version and stop")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        command.add(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    made = parser()
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (as long as the process lives)
    try:
        arguments = made.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    if arguments.version:
        from pagelaw import __version__

        print(f"pagelaw {__version__}")
        return 0
    if not hasattr(arguments, "run"):
        made.print_help(sys.stderr)
        return 2
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except BadInput as error:
        print(f"pagelaw: {error}", file=sys.stderr)
        return 2
    except SyntaxError as error:  # in a chapter of the specification
        print(f"pagelaw: {error.filename}:{error.lineno}: {error.msg}", file=sys.stderr)
        return 2
    except ImportError as error:
        missing = f"; install it: pip install {error.name}-solver" if error.name == "z3" else ""
        print(f"pagelaw: {error}{missing}", file=sys.stderr)
        return 2
    except Ended as ended:
        print(f"pagelaw: ended by {signal.Signals(ended.number).name}", file=sys.stderr)
        return 128 + ended.number
    except KeyboardInterrupt:
        print("pagelaw: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has seen enough
        forget_output()
        return 141
    except OSError as error:  # a full disk, most likely that of the output
        forget_output()
        what = "cannot write" if error.filename is None else error.filename
        print(f"pagelaw: {what}: {error.strerror or error}", file=sys.stderr)
        return 2


def forget_output() -> None:
    """What is not written yet goes nowhere: else it would be tried again at the end, and fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
