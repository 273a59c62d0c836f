"""A run as a picture: a line for each step, a lane for each vCPU, device transfer and page that has a part in it.

    step  A.cpu0   t0        A.p0        B.p1
       9  .        writing   *waiting    .          protect: page A.p0
                                                       operation[A.p0]: found m3 -> protecting m3

The mark `*` is in the lane of who acts, or of the page that the server works on. Lanes of
pages show the stage of the operation on them, those of vCPUs what they are in the middle of.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import VCPU, Idle, Inbound, NoFill, NoTransfer, Outbound, Page, Transfer

from ..reference.beside import Violation, parameter_names
from ..reference.choosing import Proposal, Rule
from ..reference.printing import actor_of, changes, snapshot, step_text, value_text, words_of
from ..reference.setup import machine
from .checking import ERRORS
from .failure import Failure, sizes_text

WIDTH = 116
BESIDE = 64
"""Lanes no wider than this leave room for the steps beside them; else each step stands below its lanes."""

Row = tuple[str, list[str], str, list[str]]


def picture(failure: Failure) -> str:
    """The machine, each step with who did it and what it changed, and what is false at the end."""
    s = machine(failure.sizes)
    lanes = lanes_of(failure.steps)
    rows = [_row(s, str(number), lanes, *step) for number, step in enumerate(failure.steps, 1)]
    head: Row = ("step", [repr(lane) for lane in lanes], "", [])
    widths = [max(len(row[1][at]) for row in (head, *rows)) + 2 for at in range(len(lanes))]
    lines = wrapped(f"on a machine of {sizes_text(failure.sizes)}", "", "    ")
    lines += ["", *_lines(head, widths)]
    for row in rows:
        lines += _lines(row, widths)
    return "\n".join([*lines, "", *ending(failure)])


def ending(failure: Failure) -> list[str]:
    """What does not hold after the last step, with the clauses it rests on."""
    clauses = f" ({', '.join(failure.clauses)})" if failure.clauses else ""
    values = [f"{name} = {value_text(value)}" for name, value in _named(failure)]
    false = f"false now{' for ' + ', '.join(values) if values else ''}: {failure.broken}"
    lines = wrapped(false, "", "    ") + wrapped(f"{failure.sentence}{clauses}", "    ", "    ")
    return (
        lines
        if failure.kind in ("invariant", "theorem", "transition")
        else lines + wrapped(failure.told, "    ", "    ")
    )


def _named(failure: Failure) -> list[tuple[str, Any]]:
    if failure.kind not in ("invariant", "theorem", "transition", "operation"):
        return []
    names = parameter_names(REGISTER[failure.kind][failure.name].function)
    return list(zip(names[-len(failure.arguments) :] if failure.arguments else (), failure.arguments, strict=True))


def lanes_of(steps: Sequence[Proposal]) -> list[Any]:
    """The vCPUs, transfers and pages that the steps name, in this order."""
    named = {one for _, arguments in steps for one in arguments if isinstance(one, VCPU | Transfer | Page)}
    order = (VCPU, Transfer, Page)
    return sorted(
        named, key=lambda one: (order.index(type(one)), getattr(getattr(one, "vm", None), "number", 0), one.number)
    )


def _row(s: Machine, number: str, lanes: Sequence[Any], rule: Rule, arguments: tuple[Any, ...]) -> Row:
    before = snapshot(s)
    said = step_text(rule, arguments)
    try:
        returned = rule(s, *arguments)
        said += "" if returned is None else f"  -> {value_text(returned)}"
    except Blocked as refused:
        said += f"  -- refused: {refused.reason.value}"
    except (*ERRORS, Violation) as error:
        said += f"  -- {type(error).__name__}: {error}"
    actor = next((one for one in arguments if isinstance(one, VCPU | Transfer)), None)
    acting = actor if actor is not None else next((one for one in arguments if isinstance(one, Page)), None)
    cells = [("*" if lane is acting else "") + state_of(s, lane) for lane in lanes]
    if acting is None:
        said = f"{actor_of(rule, arguments)}: {said}"
    return number, [cell or "." for cell in cells], said, changes(before, snapshot(s))


def state_of(s: Machine, lane: Any) -> str:
    """What a vCPU, a transfer or a page is in the middle of; nothing if it is in the middle of nothing."""
    if isinstance(lane, VCPU):
        owes = any(s.owed[lane, page] for page in s.each(Page, lane.vm))
        return " ".join(filter(None, ["fill" if s.fill[lane] != NoFill() else "", "owes flush" if owes else ""]))
    if isinstance(lane, Transfer):
        under_way = s.transfer[lane]
        if under_way == NoTransfer():
            return ""
        told = {Inbound: "writes", Outbound: "reads"}.get(type(under_way), words_of(type(under_way).__name__))
        return f"{told} {getattr(under_way, 'page', '')!r}"
    operation = s.operation[lane]
    return "" if operation == Idle() else words_of(type(operation).__name__)


def _lines(row: Row, widths: Sequence[int]) -> list[str]:
    number, cells, said, changed = row
    lanes = f"{number:>4}  " + "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    indent = " " * (len(lanes) if len(lanes) <= BESIDE else 12)
    lines = [lanes.rstrip()]
    if said and len(lanes) <= BESIDE:
        lines = wrapped(said, lanes, indent + "    ")
    elif said:
        lines += wrapped(said, indent, indent + "    ")
    for change in changed:
        lines += wrapped(change, indent + "  ", indent + "      ")
    return lines


def wrapped(text: str, first: str, then: str) -> list[str]:
    """Text in lines of the width."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False,
                         drop_whitespace=True, break_long_words=False)  # fmt: skip


__all__ = ["ending", "lanes_of", "picture", "state_of"]
