"""Vectors of known faults: the shortest run that shows one, done by the specification as it is, and where they part.

The run is found, and done under the fault, while the fault is switched on (`search`); what must be seen is worked out
when it is off again (`vector_of`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Entry
from pagelaw.spec.machine import Machine

from ...explorer.machines import Small, Step
from ...explorer.search import explore
from ...reference.choosing import Rule
from ...reference.setup import Sizes
from ..judge import FORBIDDEN
from .beyond import Switch, WayOn, as_told
from .checking import judged
from .demanded import clauses_of_step, demanded_by
from .headers import header_line, machine_of
from .layout import Vector
from .values import changes_json
from .watching import Event, NamedStep, Watching, contradict, key_of


@attrs.frozen(kw_only=True)
class Fault:
    """A known fault, as the gallery tells it."""

    id: str
    title: str
    source: str
    """The system that had it, and where that is told; or that it is invented."""


@attrs.frozen
class Done:
    """A step that was done or tried."""

    event: Event
    """As it is told, with what is seen anew after it; {"fails": ...} if the faulty rule makes no sense there."""
    outcome: Event
    """What it comes to: what it answers, why it is refused, all that it changes."""
    seen: Sequence[Event] = ()
    """All that is seen after it."""


@attrs.frozen(kw_only=True)
class Shown:
    """A run that shows a fault, and what came of each of its steps under the fault."""

    machine: str
    sizes: Sizes
    property: str
    """What is false at the end of it."""
    told: str
    steps: tuple[NamedStep, ...]
    """From power-on."""
    shortest: int
    """How many of them lead to the violation; the others only make something of it seen from outside."""
    done: tuple[Done, ...]
    """The steps under the fault; fewer, if a rule fails."""


def zeroed(small: Small) -> Small:
    """The machine as a header tells it: zeros in its frames and slots at power-on, no more low frames than frames."""
    low = min(small.sizes.low_frames, small.sizes.frames)
    return attrs.evolve(small, sizes=attrs.evolve(small.sizes, garbage=None, low_frames=low))


def search(machines: Iterator[Small]) -> Shown | None:
    """The shortest run to a violation on the next of these machines that shows one, while a fault is switched on."""
    for small in map(zeroed, machines):
        found = explore(small, watch_paths=False)
        if found.stopped and not found.stopped.startswith(f"{small.name} cannot begin"):
            raise RuntimeError(f"{small.name}: {found.stopped}")
        if found.violation is not None:
            steps = list(steps_of(small, found.violation.run))
            done = done_by(machine_of(header_line(small.sizes)), steps)
            return Shown(machine=small.name, sizes=small.sizes, property=found.violation.property,
                         told=found.violation.told, steps=tuple(steps), shortest=len(steps),
                         done=tuple(done))  # fmt: skip
    return None


def steps_of(small: Small, run: Sequence[Step]) -> Iterator[NamedStep]:
    """The steps by which an exploration begins, and those of a run, each row of steps as what it consists of."""
    s = machine_of(header_line(small.sizes))
    for action, arguments in (*small.begin(s), *run):
        yield from rules_called(s, action, arguments)


def rules_called(s: Machine, action: Rule, arguments: tuple[Any, ...]) -> list[NamedStep]:
    """The rules that an action comes to on this machine, in order; the last one may fail."""
    codes: dict[CodeType, str] = {entry.function.__code__: name for name, entry in REGISTER["rule"].items()}
    called: list[NamedStep] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        name = codes.get(frame.f_code) if event == "call" else None
        if name is not None and frame.f_locals.get(frame.f_code.co_varnames[0]) is s:
            names = frame.f_code.co_varnames[1 : frame.f_code.co_argcount]
            called.append((name, tuple(frame.f_locals[one] for one in names)))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action(s, *arguments)
    except Exception:  # what a faulty rule does may make no sense; the run ends with it
        pass
    finally:
        sys.setprofile(before)
    return called


def done_by(s: Machine, steps: Sequence[NamedStep]) -> Iterator[Done]:
    """What each step comes to, as the rules are now."""
    watching = Watching(s)
    for step in steps:
        before = s.copy()
        try:
            event = watching.do(step)
        except Exception as error:  # what a faulty rule does may make no sense
            failed = {"fails": type(error).__name__}
            yield Done(failed, failed)
            return
        told: Event = {name: event[name] for name in ("got", "refused") if name in event}
        came = told if "refused" in told else told | {"after": changes_json(before, s)}
        yield Done(event, came, tuple(watching.seen))


def seen(shown: Shown, fault: Switch) -> Shown:
    """The run, and the way on from it to something that is seen from outside, if nothing in it is and there is one.

    fault: switches it on; now it is off.
    """
    line = header_line(shown.sizes)
    right, wrong = machine_of(line), machine_of(line)
    due = tuple(done_by(right, shown.steps))
    content: dict[str, Any] = {"header": line, "events": [done.event for done in due]}
    if any("fails" in done.event for done in shown.done) or wrong_event(content, due, shown.done) is not None:
        return shown
    with fault():
        list(done_by(wrong, shown.steps))
    steps = (*shown.steps, *WayOn(line, content["events"], right, wrong, fault).found())
    with fault():
        done = tuple(done_by(machine_of(line), steps))
    return attrs.evolve(shown, steps=steps, done=done)


# The vector.


def vector_of(fault: Fault, shown: Shown) -> Vector:
    """The run, done right."""
    line = header_line(shown.sizes)
    right = tuple(done_by(machine_of(line), shown.steps))
    clauses = clauses_of(shown)
    content = {
        "fault": fault.id, "told": fault.title, "source": fault.source,
        "breaks": shown.property, "false": shown.told, "clauses": clauses, "demanded_by": demanded_by(clauses),
        "machine": shown.machine, "header": line, "shortest": shown.shortest, "events": [done.event for done in right],
        "differs": difference(right, shown.done),
    }  # fmt: skip
    return Vector(f"faults/{fault.id}", content | {"wrong": wrong_event(content, right, shown.done)})


def difference(right: Sequence[Done], wrong: Sequence[Done]) -> Event | None:
    """The first step after which the fault leaves something else; None if only what is said of states is wrong."""
    for number, (due, found) in enumerate(zip(right, wrong, strict=False)):
        if found.outcome != due.outcome:
            return {"event": number, "right": due.outcome, "fault": found.outcome}
    return None


def wrong_event(content: dict[str, Any], right: Sequence[Done], wrong: Sequence[Done]) -> Event | None:
    """The first event that a program with the fault tells otherwise; None if there is none, or the judge allows it."""
    for number, (due, found) in enumerate(zip(right, wrong, strict=False)):
        if "fails" in found.event:
            return None
        if contradict(due.event | {"saw": due.seen}, found.event | {"saw": found.seen}):
            tells = as_told(due.event, found.event | seen_of_both(due.event, found))
            told = judged(content, [*content["events"][:number], tells])
            return {"event": number, "tells": tells} if (told.verdict, told.event) == (FORBIDDEN, number) else None
    return None


def seen_of_both(due: Event, found: Done) -> Event:
    """What is seen under the fault of all of which something new is seen, with the fault or without."""
    if "refused" in found.event:
        return {}
    new = [*due.get("saw", ()), *found.event.get("saw", ())]
    wanted = [key_of(one) for one in new]
    names = {name for one in new if not key_of(one) for name in one}
    saw = [one if key_of(one) else {name: one[name] for name in one if name in names}
           for one in found.seen if key_of(one) in wanted]  # fmt: skip
    return {"saw": saw} if saw else {}


def clauses_of(shown: Shown) -> list[str]:
    """The ids of what is false at the end of a run; of its last step, if that has no name of its own."""
    for kind in ("invariant", "theorem", "transition", "operation"):
        if shown.property in REGISTER[kind]:
            return list(REGISTER[kind][shown.property].clauses)
    last: Entry = REGISTER["rule"][shown.steps[shown.shortest - 1][0]]
    return clauses_of_step(last)
