"""Traces in files: read as a stream, also gzipped and from standard input, several at once."""

from __future__ import annotations

import gzip
import signal
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import IO

import attrs

from .events import LONGEST_LINE
from .header import Header
from .judge import MALFORMED, Judge, Violation

Told = Callable[[str, int], None]
PROGRESS_EVERY = 20_000
"""Lines between two reports of progress."""


@attrs.frozen
class Judged:
    """What was found of one trace."""

    name: str
    verdict: str
    """allowed, forbidden, undetermined, malformed; unreadable if the file cannot be read."""
    lines: int
    events: int
    """Events that were explained."""
    header: Header | None = None
    violations: tuple[Violation, ...] = ()
    problem: tuple[int, int | None, str] | None = None
    """Of a malformed trace: the line, the column, what is wrong."""
    most: int = 1
    """The greatest number of states kept at a time."""
    given_up_at: int = 0
    exercised: dict[str, int] = attrs.field(factory=dict)
    refusals: dict[str, int] = attrs.field(factory=dict)
    freedoms: dict[str, int] = attrs.field(factory=dict)


def judge_files(
    names: Sequence[str], goes_on: bool = False, jobs: int = 1, told: Told | None = None
) -> Iterator[Judged]:
    """Each of the traces, in order; on several processes if that is asked for."""
    if min(jobs, len(names)) == 1:
        for name in names:
            yield judge_file(name, goes_on, told)
        return
    with ProcessPoolExecutor(min(jobs, len(names)), get_context("spawn"), begin_as_one_of_a_pool) as pool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until a process has begun, as below
        given = {name: pool.submit(judge_file, name, goes_on) for name in names if name != "-"}
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for name in names:  # standard input is that of this process
            yield given[name].result() if name in given else judge_file(name, goes_on, told)


def begin_as_one_of_a_pool() -> None:
    """An interrupt ends the process without a word: what is to be said of it the parent says."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def judge_file(name: str, goes_on: bool = False, told: Told | None = None) -> Judged:
    """The trace in a file; `-` is standard input."""
    try:
        if name == "-":
            return judge_stream(sys.stdin.buffer, name, goes_on, told)
        with Path(name).open("rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            return judge_stream(gzip.GzipFile(fileobj=file) if packed else file, name, goes_on, told)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Judged(name, "unreadable", 0, 0, problem=(0, None, f"cannot be read: {what}"))


def judge_stream(stream: IO[bytes], name: str, goes_on: bool = False, told: Told | None = None) -> Judged:
    """A trace that is read line by line."""
    judge = Judge(goes_on)
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            judge.too_long()
        elif line.strip() or judge.events is None:
            judge.line(line)
        else:
            judge.lines += 1
        if judge.is_over:
            break
        if told is not None and judge.lines % PROGRESS_EVERY == 0:
            told(name, judge.lines)
    judge.end()
    return judged(judge, name)


def judged(judge: Judge, name: str) -> Judged:
    """What a judge has found."""
    problem = judge.malformed if judge.verdict == MALFORMED else None
    return Judged(
        name, judge.verdict, judge.lines, judge.done, judge.header, tuple(judge.violations), problem, judge.most,
        judge.given_up_at, dict(judge.exercised), dict(judge.refusals), dict(judge.freedoms),
    )  # fmt: skip
