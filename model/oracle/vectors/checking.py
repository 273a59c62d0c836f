"""Every vector is judged when it is made: what it says must be allowed, and what a fault tells must be forbidden."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs

from pagelaw.spec.vocabulary import MPN, Slot, Transfer

from ..judge import ALLOWED, FORBIDDEN, MALFORMED, Judge
from .values import load_state

Line = dict[str, Any]
OUTCOME = ("got", "refused", "saw")
"""What a vector of a step says of it, as an event of a trace does."""


class NotAllowed(Exception):
    """What a vector says is not what the rules do."""


@attrs.frozen
class Verdict:
    """What the judge finds."""

    verdict: str
    event: int | None = None
    """The event that is forbidden or cannot be read, from 0."""
    why: str = ""


def events_in(content: Line) -> list[Line]:
    """The events of a vector: its own, or those before its step and the step with what it comes to."""
    if "events" in content:
        return list(content["events"])
    last = content["step"] | {name: content[name] for name in OUTCOME if name in content}
    return [*content.get("run", ()), last]


def judged(content: Line, events: Iterable[Line]) -> Verdict:
    """Events on the machine of a vector, from power-on; from its printed state if no run leads there."""
    judge = Judge()
    judge.line(json.dumps(content["header"]).encode())
    if judge.verdict == ALLOWED and "run" not in content and "before" in content:
        begin_at(judge, content["before"])
    for number, event in enumerate(events):
        judge.line(json.dumps(event).encode())
        if judge.verdict == MALFORMED:
            return Verdict(MALFORMED, number, str(judge.malformed))
        if judge.verdict != ALLOWED:
            return Verdict(judge.verdict, number, str(judge.violations[0].reasons))
    return Verdict(judge.verdict)


def begin_at(judge: Judge, before: Line) -> None:
    """The judge begins at a state, in which everything is called as vectors call it."""
    (c,) = judge.candidates
    load_state(c.machine, before)
    c.frames.fix(map(repr, c.machine.ids[MPN]), c.machine.ids[MPN])
    c.slots.fix(map(repr, c.machine.ids[Slot]), c.machine.ids[Slot])
    c.transfers |= {repr(transfer): transfer for transfer in c.machine.ids[Transfer]}


def check(name: str, content: Line) -> None:
    """NotAllowed if the judge does not allow what a vector says, or allows what it says of a fault."""
    events = events_in(content)
    found = judged(content, events)
    if found.verdict != ALLOWED:
        raise NotAllowed(f"{name}: event {found.event} is {found.verdict}: {found.why}")
    wrong = content.get("wrong")
    if wrong is not None:
        told = judged(content, [*events[: wrong["event"]], wrong["tells"]])
        if (told.verdict, told.event) != (FORBIDDEN, wrong["event"]):
            raise NotAllowed(f"{name}: what the fault tells is {told.verdict}: event {told.event}: {told.why}")
