"""`pagelaw conform` and `pagelaw smoke`: a program is driven, and what it does is judged at once."""

from __future__ import annotations

import argparse
import gzip
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import reading
from .ending import ended_by_signals

if TYPE_CHECKING:
    from pagelaw.model.oracle.conforming import Conformed, Restarted

DESCRIPTION = """\
Drive an implementation: random operations are sent to it, drawn from what it has by
then, and what it answers is judged by the rules of the specification. The program
reads JSON lines from its standard input and answers each with one line. It is never
told what is expected.
"""

PROTOCOL = """\
the protocol, a line each way:
  {"cmd": "start", "seq": 0, "pagelaw": 1}
    {"seq": 0, "pagelaw": 1, "system": "toy", "operations": ["power_on", "read", "write"]}
  {"cmd": "reset", "seq": 1, "machine": {"vms": [{"name": "A", "pages": 6}, ...], "frames": 10, ...}}
    {"seq": 1}
  {"cmd": "do", "seq": 2, "do": "read", "vm": "A", "page": 3, "word": 0}
    {"seq": 2, "got": 0, "saw": [{"vm": "A", "page": 3, "frame": "f0"}]}
  {"cmd": "stop", "seq": 3}
    {"seq": 3}
What was read it has to say, with "got". What was scanned, and what can be seen, it may say.
An operation that it refuses it answers with "refused" and the name of the reason (or
true), one that it cannot do with "unsupported": true; so it answers a reset to a machine
that it cannot be (more VMs or pages than it has room for, several vCPUs, low memory,
overhead, sharing domains): those runs are left out, and counted in the report.
The answer to start may also have "profile", "options" (freedoms that it takes, one by one),
"largest" (the largest number that a word of it can hold), "machine" (which sizes it needs):
  {"seq": 0, "pagelaw": 1, "system": "toy", "operations": ["power_on", "read", "write"],
   "profile": "linux", "options": {"take_over": true}, "largest": 4294967295, "machine": {"words": 1}}
"tells" there says of which decisions of policy the operations tell: driver (start_driver,
stop_driver), balloon_target (set_balloon_target), swap_target (set_swap_target). A program
that says "tells": ["swap_target"] pages out only below the level last set, and has to
refuse more (NO_PAGE_TO_TAKE); of one that does not, any level it needs is taken to be set.
`pagelaw judge --format` tells all operations and all that can be seen.
If not more than so many device transfers can be under way at a time, and those are fewer than
8, it needs "machine": {"transfers": 3}, or whatever they are.
tests/implementations has programs to copy.
"""

EXAMPLES = """
examples:
  pagelaw smoke -- ./manager                      does it speak the protocol?
  pagelaw conform -- ./manager
  pagelaw conform --runs 1000 --seed 7 -- ./manager
  pagelaw conform --save found/ -- ./manager      a failure as a trace and as a test
  pagelaw conform --replay found/failure.jsonl -- ./manager

exit codes: 0 all was allowed; 1 forbidden, or the program crashed, hung, or answered
rubbish; 2 bad input, or the program cannot be started; 3 undetermined, or it did none of
the operations; 130 interrupted.
"""

CODES = {"allowed": 0, "forbidden": 1, "crashed": 1, "hung": 1, "garbled": 1, "cannot be started": 2, "undetermined": 3,
         "unsupported": 3}  # fmt: skip


def add(commands: Any) -> None:
    """Add the parsers of both commands."""
    parser = commands.add_parser(
        "conform", help="drive a program and judge what it does", description=DESCRIPTION, epilog=PROTOCOL + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--runs", metavar="N", type=reading.whole, default=100, help="runs, each from a reset on (default: 100)"
    )
    parser.add_argument(
        "--steps", metavar="N", type=reading.whole, default=120, help="operations of a run (default: 120)"
    )
    parser.add_argument("--seed", metavar="N", type=reading.number, default=0, help="where the runs begin (default: 0)")
    parser.add_argument("--save", metavar="DIR", help="write what fails there: failure.jsonl, test_failure.py")
    parser.add_argument("--replay", metavar="FILE", help="send the operations of this trace instead")
    parser.add_argument("--json", metavar="FILE", help="write all that is found there")
    of_both(parser)
    parser.set_defaults(run=run)
    smoke = commands.add_parser(
        "smoke", help="ask a program a few operations whose answers a person can check", epilog=PROTOCOL,
        description="Send a program a few operations, and show each with its answer and what it should mean.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    of_both(smoke)
    smoke.set_defaults(run=run_smoke)


def of_both(parser: argparse.ArgumentParser) -> None:
    """What both take."""
    parser.add_argument("--answer-within", metavar="S", type=reading.seconds, default=5.0,
                        help="seconds that an answer may take (default: 5)")  # fmt: skip
    parser.add_argument("program", metavar="-- PROGRAM", nargs=argparse.REMAINDER, help="the program and its arguments")


def program_of(arguments: argparse.Namespace) -> Restarted:
    """The program that is named."""
    from pagelaw.model.oracle.conforming import Restarted

    command = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not command:
        raise reading.BadInput("no program is named: write it after --, as in pagelaw smoke -- ./manager")
    return Restarted(command, arguments.answer_within)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    with ended_by_signals():
        return run_program(arguments)


def run_program(arguments: argparse.Namespace) -> int:
    """The same, while signals end it as an interrupt does."""
    from pagelaw.model.oracle.conforming import conform

    program = program_of(arguments)
    to, folder = reading.file("--json", arguments.json), reading.folder("--save", arguments.save)
    if arguments.replay is not None:
        return run_replay(arguments, program)
    progress = Progress()
    try:
        found = conform(program, arguments.runs, arguments.steps, arguments.seed, progress)
    except KeyboardInterrupt:
        print(progress.when_interrupted())
        raise
    finally:
        program.end()
    if found.failure is not None and folder is not None:
        save(folder, program.command, found)
    print("\n".join(text(found, program.command, folder)))
    if to is not None:
        reading.replace(to, json.dumps(as_json(found), indent=1) + "\n")
    return CODES[found.verdict]


def run_replay(arguments: argparse.Namespace, program: Restarted) -> int:
    """The operations of a trace, once more."""
    from pagelaw.model.oracle.capabilities import Capabilities, capabilities
    from pagelaw.model.oracle.conforming import events_of, replay
    from pagelaw.model.oracle.driving import Unsupported
    from pagelaw.model.oracle.fields import Malformed
    from pagelaw.model.oracle.program import Broken
    from pagelaw.model.oracle.telling import failure_text

    if arguments.json is not None or arguments.save is not None:
        raise reading.BadInput("--replay goes with neither --json nor --save")
    lines = lines_of(arguments.replay)
    try:
        able = capabilities(program.start())
        able = Capabilities(able.operations, json.loads(lines[0]))
        failure = replay(program, able, events_of(lines))
    except Broken as broken:
        print(f"{broken.how}: {broken}")
        return CODES[broken.how]
    except Malformed as wrong:
        raise reading.BadInput(str(wrong)) from None
    except Unsupported:
        print("unsupported: it cannot be the machine of this trace")
        return CODES["unsupported"]
    finally:
        program.end()
    if failure is None:
        print(f"allowed: the {len(lines) - 1} events of {arguments.replay}")
        return 0
    print("\n".join(failure_text(failure)))
    return CODES[failure.how]


def lines_of(name: str) -> list[str]:
    """The lines of a trace that can be replayed: operations, one after the other."""
    from pagelaw.model.oracle.files import judge_file

    judged = judge_file(name, goes_on=True)
    if judged.problem is not None:
        line, column, what = judged.problem
        place = f"{name}:{line}" + (f":{column}" if column else "") if line else name
        raise reading.BadInput(f"{place}: {what}")
    whole = Path(name).read_bytes()
    whole = gzip.decompress(whole) if whole[:2] == b"\x1f\x8b" else whole
    lines = [line for line in whole.decode().splitlines() if line.strip()]
    for at, event in enumerate(lines[1:], 2):
        made = json.loads(event)
        if "do" not in made or "begin" in made:
            raise reading.BadInput(f"{name}:{at}: this is no operation that can be sent")
    return lines


def run_smoke(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    with ended_by_signals():
        return smoke_program(arguments)


def smoke_program(arguments: argparse.Namespace) -> int:
    """The same, while signals end it as an interrupt does."""
    from pagelaw.model.oracle.capabilities import capabilities
    from pagelaw.model.oracle.driving import Unsupported
    from pagelaw.model.oracle.fields import Malformed
    from pagelaw.model.oracle.program import Broken
    from pagelaw.model.oracle.smoke import smoke
    from pagelaw.model.oracle.telling import failure_text

    program = program_of(arguments)
    done = 0
    try:
        said = program.start()
        able = capabilities(said)
        print(f"start: {json.dumps(said)}")
        for event, meaning, answer, failure in smoke(program, able):
            if answer is None and failure is None:
                print(f"  {json.dumps(event)}\n    not among its operations: {meaning}")
                continue
            print(f"  {json.dumps(event)}\n    {meaning}\n    {json.dumps(answer)}")
            if failure is not None:
                print("\n".join(failure_text(failure)))
                return CODES[failure.how]
            done += 1
        program.stop()
    except Broken as broken:
        print(f"{broken.how}: {broken}")
        show_errors(program.errors)
        return CODES[broken.how]
    except Malformed as wrong:
        print(f"garbled: {wrong}")
        show_errors(program.errors)
        return 1
    except Unsupported:
        print(f"unsupported: it cannot be the machine {json.dumps(able.machine)}")
        return CODES["unsupported"]
    finally:
        program.end()
    print(
        f"{done} operations were answered, and all answers are allowed"
        if done
        else "none of these operations is among its own"
    )
    return 0 if done else 3


def show_errors(errors: str) -> None:
    """What the program wrote to standard error."""
    if errors.strip():
        print("its standard error:\n" + "\n".join(f"  {line}" for line in errors.strip().splitlines()[-20:]))


def text(found: Conformed, command: Sequence[str], folder: Path | None) -> Iterator[str]:
    """All that is to be said."""
    from pagelaw.model.oracle.report import wrapped
    from pagelaw.model.oracle.telling import failure_text

    system = found.able.header.get("system", command[0]) if found.able is not None else command[0]
    profile = found.able.header.get("profile", "esx") if found.able is not None else ""
    yield (
        f"{system}: {found.verdict}"
        + (f": {found.told}" if found.told else "")
        + (f" (profile {profile})" if profile else "")
    )
    seen = f"{len(found.rules)} rules and {len(found.refusals)} reasons to refuse seen"
    yield f"  {found.runs} runs, {found.events:,} operations, {seen}"
    if found.unsupported:
        yield f"  unsupported: {', '.join(f'{name} ({count})' for name, count in sorted(found.unsupported.items()))}"
    if found.unsupported_machines:
        left_out = sorted(found.unsupported_machines.items())
        yield from wrapped(f"machines that it cannot be, with the runs left out: "
                           f"{', '.join(f'{name} ({count})' for name, count in left_out)}")  # fmt: skip
    failure = found.failure
    if failure is None:
        if found.errors.strip():
            yield "its standard error:"
            yield from (f"  {line}" for line in found.errors.strip().splitlines()[-20:])
        return
    assert found.first is not None
    yield f"  the run with seed {found.seed} failed after {len(found.first.events)} operations;"
    short = "as short as it can be" if found.is_shortest else "as short as it became before attempts were given up"
    yield f"  {short}, {len(failure.events)}:"
    yield from (f"    {line}" for line in failure.lines)
    if failure.how in ("crashed", "hung"):
        yield f"    {json.dumps(failure.events[-1])}"
    yield from failure_text(failure)
    if folder is not None:
        yield f"again: pagelaw conform --replay {folder / 'failure.jsonl'} -- {shlex.join(command)}"


def save(folder: Path, command: Sequence[str], found: Conformed) -> None:
    """The failure as a trace and as a test."""
    from pagelaw.model.oracle.conforming import as_test

    assert found.failure is not None
    lines = list(found.failure.lines)
    if len(lines) == len(found.failure.events):  # the last one was not answered
        lines.append(json.dumps(found.failure.events[-1]))
    reading.replace(folder / "failure.jsonl", "\n".join(lines) + "\n")
    reading.replace(folder / "test_failure.py", "\n".join(as_test(command, found.failure)) + "\n")


def as_json(found: Conformed) -> dict[str, Any]:
    """The same for programs."""
    from pagelaw.model.oracle.telling import failure_text

    failure = found.failure
    return {
        "verdict": found.verdict, "told": found.told or None,
        "header": found.able.header if found.able is not None else None,
        "runs": found.runs, "events": found.events, "operations": dict(sorted(found.done.items())),
        "unsupported": dict(sorted(found.unsupported.items())),
        "machines": dict(sorted(found.machines.items())),
        "unsupported_machines": dict(sorted(found.unsupported_machines.items())),
        "rules": dict(sorted(found.rules.items())),
        "refusals": dict(sorted(found.refusals.items())),
        "failure": None if failure is None else {
            "seed": found.seed, "told": list(failure_text(failure)),
            "trace": [json.loads(line) for line in failure.lines],
            "events": list(failure.events),
        },
    }  # fmt: skip


class Progress:
    """Runs so far: on the terminal, and to be told of an interrupted command."""

    found: Conformed | None = None

    def when_interrupted(self) -> str:
        """What there was until then."""
        if self.found is None:
            return "interrupted in the first run"
        if self.found.first is not None:
            return f"interrupted; the run with seed {self.found.seed} had failed ({self.found.verdict})"
        return f"interrupted; {self.found.runs} runs, {self.found.events:,} operations were allowed until then"

    def __call__(self, found: Conformed) -> None:
        """So many."""
        self.found = found
        if sys.stderr.isatty():
            print(f"\r{found.runs} runs, {found.events:,} operations", end="", file=sys.stderr, flush=True)
