"""A verdict as text and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.profiles import PROFILES

from .files import Judged
from .judge import Violation
from .reasons import Reason

WIDTH = 110
MOST_SHOWN = 5
"""States whose reasons are shown."""
HIDDEN = ("page", "settled_by", "may_be_older")
"""Fields of a reason that only the judge asks for."""


def text(judged: Judged) -> Iterator[str]:
    """All that is to be said of one trace."""
    told = f"{judged.name}: {judged.verdict}"
    if judged.problem is not None:
        line, column, what = judged.problem
        place = f"{judged.name}:{line}" + (f":{column}" if column else "") if line else judged.name
        yield f"{place}: {judged.verdict}: {what}"
        return
    header = judged.header
    assert header is not None
    yield f"{told}: {judged.events:,} events of {header.system or 'a system without a name'}, profile {header.profile}"
    for violation in judged.violations:
        yield from violation_text(violation, judged)
    yield from exercised_text(judged)


def violation_text(violation: Violation, judged: Judged) -> Iterator[str]:
    """What is not allowed, in which line, and what was allowed there."""
    yield f"  line {violation.line}: {short(violation.event)}"
    if len(judged.violations) == 1:
        yield f"    the {violation.line - 1} lines before it are allowed"
    if violation.settled_by:
        yield from wrapped(f"cannot be said. It would be settled by {violation.settled_by}")
    for reason in violation.reasons[:MOST_SHOWN]:
        yield from reason_text(reason, judged)
    if len(violation.reasons) > MOST_SHOWN:
        yield f"    and {len(violation.reasons) - MOST_SHOWN} more states that do not explain it"


def reason_text(reason: Reason, judged: Judged | None = None) -> Iterator[str]:
    """Why one state does not explain it."""
    yield from wrapped(named(reason.told, judged))
    if reason.allowed:
        yield from wrapped(f"allowed here is only {named(' or '.join(reason.allowed), judged)}")
    if reason.conjunct:
        yield f"    false: {reason.conjunct}"
    for one in reason.since:
        yield from wrapped(f"  {one}")
    if reason.rule:
        yield from wrapped(f"{reason.rule}: {reason.sentence}")
    if reason.clauses:
        yield f"    ({', '.join(reason.clauses)})"
    if reason.changed:
        yield "    what it changes, by the rules:"
        for one in reason.changed:
            yield f"      {named(one, judged)}"


def exercised_text(judged: Judged) -> Iterator[str]:
    """What the trace exercised."""
    rules, refusals = len(judged.exercised), len(judged.refusals)
    yield (f"  exercised: {rules} of {len(REGISTER['rule'])} rules, {refusals} reasons to refuse; "
           f"at most {judged.most} state{'s' if judged.most > 1 else ''} explained it")  # fmt: skip
    if judged.header is not None:
        options = judged.header.options
        taken = [f"{name} ({judged.freedoms[name]})" for name in options if judged.freedoms.get(name)]
        free = [name for name, value in options.items() if value != PROFILES["esx"][name]]
        untaken = [name for name in free if not judged.freedoms.get(name)]
        yield from wrapped(
            f"beyond the paper: {', '.join(f'{name} = {told_value(options[name])}' for name in free) or 'none'}"
        )
        yield f"  freedoms taken: {', '.join(taken) or 'none'}; declared and not taken: {', '.join(untaken) or 'none'}"


def told_value(value: bool | int) -> str:
    """The value of an option."""
    return ("yes" if value else "no") if type(value) is bool else str(value)


def named(told: str, judged: Judged | None) -> str:
    """A text with the VMs' names as the trace has them."""
    header = judged.header if judged is not None else None
    if header is None:
        return told
    names = {repr(VM(number)): str(name) for number, name in enumerate(header.names)}
    if all(one == other for one, other in names.items()):
        return told
    return re.sub(r"\b([A-Z]|VM\d+)(?=\.(?:p|v|cpu)\d|\b)", lambda found: names.get(found[0], found[0]), told)


def wrapped(told: str) -> list[str]:
    """A text, indented."""
    return textwrap.wrap(told, WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)


def short(event: str) -> str:
    """A line of a trace, not all of it if it is long."""
    return event if len(event) <= 200 else f"{event[:197]}..."


def as_json(judged: Judged) -> dict[str, Any]:
    """The same for programs."""
    made: dict[str, Any] = {"trace": judged.name, "verdict": judged.verdict, "lines": judged.lines,
                            "events": judged.events}  # fmt: skip
    if judged.problem is not None:
        line, column, what = judged.problem
        return made | {"line": line, "column": column, "problem": what}
    assert judged.header is not None
    violations = [
        {"line": one.line, "event": one.event, "settled_by": one.settled_by or None, "reasons": [
            attrs.asdict(reason, filter=lambda field, value: field.name not in HIDDEN and bool(value))
            for reason in one.reasons
        ]} for one in judged.violations
    ]  # fmt: skip
    return made | {
        "system": judged.header.system, "profile": judged.header.profile, "options": judged.header.options,
        "violations": violations, "most_states": judged.most, "bound_met_at": judged.given_up_at or None,
        "rules": dict(sorted(judged.exercised.items())), "refusals": dict(sorted(judged.refusals.items())),
        "freedoms": dict(sorted(judged.freedoms.items())),
    }  # fmt: skip
