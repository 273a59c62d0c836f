"""Many runs of one implementation, until one is not allowed; that one is made as short as it can be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import attrs

from ..reference.shortening import shortened
from .capabilities import Capabilities, capabilities
from .driving import Drawing, Failure, Implementation, Run, Unsupported
from .fields import Malformed
from .program import SECONDS, Broken, Program
from .scene import Event

TRIES, SLOW_TRIES = 400, 25
"""Attempts at a shorter run; fewer, if each takes the time in which a program should have answered."""
MOST_SENT = 12_000
"""Operations sent in all attempts."""


class Restarted:
    """A program that is started anew when it was lost, so that a run can always begin."""

    def __init__(self, command: Sequence[str], seconds: float = SECONDS) -> None:
        self.command, self.seconds = command, seconds
        self._program: Program | None = None
        self.started = 0
        self.said: dict[str, Any] = {}
        self.lost = ""

    @property
    def errors(self) -> str:
        """What the program wrote to standard error."""
        return self._program.errors if self._program is not None else self.lost

    def start(self) -> dict[str, Any]:
        """The program runs; what it says of itself."""
        if self._program is None:
            self.started += 1
            self._program = Program(self.command, self.seconds)
            try:
                self.said = self._program.start()
            except Broken:
                self.end()
                raise
        return self.said

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """A new machine. Started first, if need be."""
        self.start()
        return self._ask(lambda program: program.reset(machine))

    def do(self, event: Event) -> dict[str, Any]:
        """One operation."""
        return self._ask(lambda program: program.do(event))

    def _ask(self, ask: Callable[[Program], dict[str, Any]]) -> dict[str, Any]:
        assert self._program is not None
        try:
            return ask(self._program)
        except Broken:
            self.end()
            raise

    def stop(self) -> None:
        """It is asked to end."""
        if self._program is not None:
            try:
                self._program.stop()
            finally:
                self.end()

    def end(self) -> None:
        """It is ended."""
        if self._program is not None:
            self.lost = self._program.errors
            self._program.end()
            self._program = None


@attrs.define
class Conformed:
    """What many runs came to."""

    able: Capabilities | None = None
    verdict: str = "allowed"
    """allowed; forbidden, undetermined, crashed, hung, garbled: of the run that failed; cannot be started; unsupported:
    nothing that it can do was ever done."""
    told: str = ""
    runs: int = 0
    events: int = 0
    seed: int = 0
    """Of the run that failed."""
    failure: Failure | None = None
    first: Failure | None = None
    """As it was before it was made shorter."""
    is_shortest: bool = True
    """Whether nothing more could be left out; else attempts at that were given up."""
    rules: Counter[str] = attrs.field(factory=Counter)
    refusals: Counter[str] = attrs.field(factory=Counter)
    done: Counter[str] = attrs.field(factory=Counter)
    unsupported: Counter[str] = attrs.field(factory=Counter)
    machines: Counter[str] = attrs.field(factory=Counter)
    """Runs on each kind of machine."""
    unsupported_machines: Counter[str] = attrs.field(factory=Counter)
    """Runs that there were not, as the implementation cannot be such a machine."""
    errors: str = ""


def conform(
    implementation: Any, runs: int, steps: int, seed: int, told: Callable[[Conformed], None] | None = None
) -> Conformed:
    """Drive an implementation that has `start`, `reset`, `do` and `stop`."""
    found = Conformed()
    try:
        found.able = capabilities(implementation.start())
        for number in range(runs):
            able = found.able.of_run(number)
            try:
                failure = one_run(implementation, able, found, steps * able.longer, seed + number)
            except Unsupported:
                found.unsupported_machines[able.what] += 1
                continue
            found.runs += 1
            found.machines[able.what] += 1
            if told is not None:
                told(found)
            if failure is not None:
                found.verdict, found.told, found.seed, found.first = failure.how, failure.told, seed + number, failure
                found.failure, found.is_shortest = shorter(implementation, able, failure)
                found.errors = found.failure.errors
                return found
        implementation.stop()
    except Broken as broken:
        found.verdict, found.told, found.errors = broken.how, str(broken), implementation.errors
    except Malformed as wrong:
        found.verdict, found.told, found.errors = "garbled", str(wrong), implementation.errors
    if found.verdict == "allowed" and not found.rules:
        found.verdict, found.told = "unsupported", "it did none of the operations that it says it can do"
        if not found.runs:
            found.told = "it can be none of the machines"
    return found


def one_run(
    implementation: Implementation, able: Capabilities, found: Conformed, steps: int, seed: int
) -> Failure | None:
    """A run of so many operations."""
    run = Run(implementation, able)
    drawing = Drawing(run, Random(seed), turn=seed)
    failure = None
    for event in drawing.beginning():
        failure = failure or run.do(event)
    while failure is None and len(run.events) + sum(run.unsupported.values()) < steps:
        failure = run.do(drawing.next())
    found.events += len(run.events)
    found.done.update(event["do"] for event in run.events)
    found.unsupported += run.unsupported
    found.rules.update(run.judge.exercised)
    found.refusals.update(run.judge.refusals)
    return failure


def replay(implementation: Implementation, able: Capabilities, events: Sequence[Event]) -> Failure | None:
    """These events from a reset on; what is wrong, if something is."""
    run = Run(implementation, able)
    for event in events:
        failure = run.do(event)
        if failure is not None:
            return failure
    return None


def shorter(implementation: Implementation, able: Capabilities, failure: Failure) -> tuple[Failure, bool]:
    """The shortest run found that fails in the same way; whether it is one of which no single event can be left out."""
    kept, left, sent = failure, SLOW_TRIES if failure.how == "hung" else TRIES, 0

    def attempt(events: Sequence[Any]) -> list[Any] | None:
        nonlocal kept, left, sent
        left, sent = left - 1, sent + len(events)
        if left < 0 or sent > MOST_SENT:
            return None
        try:
            again = replay(implementation, able, events)
        except Broken:
            return None
        if again is None or again.kind != failure.kind:
            return None
        kept = again
        return list(again.events)

    shortened(failure.events, attempt)  # type: ignore[arg-type]
    return kept, left >= 0 and sent <= MOST_SENT


def as_test(command: Sequence[str], failure: Failure) -> Iterator[str]:
    """A failure as a pytest test, whose Hypothesis example it is: the operations in any other number and order, too."""
    yield from (
        '"""A run that is not allowed, as `pagelaw conform` found it."""', "", "import json", "",
        "from hypothesis import example, given, settings", "from hypothesis import strategies as st", "",
        "from pagelaw.model.oracle.capabilities import Capabilities, capabilities",
        "from pagelaw.model.oracle.conforming import Restarted, replay", "", f"COMMAND = {list(command)!r}",
        f"HEADER = json.loads({failure.lines[0]!r})", "EVENTS = [",
    )  # fmt: skip
    yield from (f"    {event!r}," for event in failure.events)
    yield from (
        "]", "", "", "@given(st.lists(st.sampled_from(EVENTS), max_size=len(EVENTS)))", "@example(EVENTS)",
        "@settings(max_examples=20, deadline=None)", "def test_what_was_not_allowed(events) -> None:",
        "    program = Restarted(COMMAND)", "    try:", "        able = capabilities(program.start())",
        "        failure = replay(program, Capabilities(able.operations, HEADER), events)", "    finally:",
        "        program.end()", "    assert failure is None, failure",
    )  # fmt: skip


def events_of(lines: Sequence[str]) -> list[Event]:
    """What was sent, of a trace: without its header, and without what was answered."""
    answers = {"got", "refused", "took", "saw", "seq", "begin"}
    return [{name: value for name, value in json.loads(line).items() if name not in answers} for line in lines[1:]]
