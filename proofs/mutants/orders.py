"""Two steps of an operation in the other order: made by exchanging the stages that they start from and leave.

A step goes from the stage that it matches or requires to the stage that it
writes. If FIRST goes from A to B and SECOND from B to C, then exchanged SECOND
goes from A to B and FIRST from B to C. That needs three stages that hold the
same things; where they do not, the exchange makes no sense, and is listed
with that as the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import attrs

from pagelaw.spec import vocabulary
from pagelaw.spec.language import REGISTER
from pagelaw.spec.machine import Machine

from .editing import Text
from .gallery import Change

STAGES = ("operation", "fill", "transfer", "fetch")
"""The fields that hold the stage of something done in steps, those of them that there are."""


@attrs.frozen
class Exchange:
    """Two steps of which the second starts from what the first leaves."""

    first: str
    second: str
    title: str
    """How they are exchanged, or why they cannot be."""
    changes: tuple[Change, ...]
    """None if they cannot be."""


@attrs.frozen
class Step:
    """A rule as a step: where its text asks for a stage and where it writes one, each by the stage's name."""

    rule: str
    text: Text
    starts: dict[str, list[ast.expr]]
    leaves: dict[str, list[ast.expr]]


@cache
def exchanges() -> tuple[Exchange, ...]:
    """Every two adjacent steps, in the order of the specification."""
    return tuple(one for field in STAGES if field in Machine.shapes() for one in _of_field(field))


def _of_field(field: str) -> Iterator[Exchange]:
    resting = type(Machine.shapes()[field].field.value).__name__
    steps = [_step(f"{entry.chapter}.{entry.name}", field) for entry in REGISTER["rule"].values()]
    for first in steps:
        for second in steps:
            between = [stage for stage in first.leaves if stage != resting and stage in second.starts]
            if first is not second and between:
                yield _exchange(first, second, between, resting)


def _exchange(first: Step, second: Step, between: list[str], resting: str) -> Exchange:
    begin = list(first.starts)
    end = [stage for stage in second.leaves if stage != resting] or list(second.leaves)
    for what, stages in (("begins at", begin), ("leaves", between), ("ends at", end)):
        if len(stages) != 1:
            reason = f"the pair {what} {' or '.join(stages) or 'a stage that another function asks for or writes'}"
            return Exchange(first.rule, second.rule, reason, ())
    (a,), (b,), (c,) = begin, between, end
    if not _holds(a) == _holds(b) == _holds(c):
        told = ", ".join(f"{stage} holds {_holds(stage) or 'nothing'}" for stage in (a, b, c))
        return Exchange(first.rule, second.rule, f"the stages hold different things: {told}", ())
    changes = (
        second.text.put_all([(place, a) for place in second.starts[b]] + [(place, b) for place in second.leaves[c]]),
        first.text.put_all([(place, b) for place in first.starts[a]] + [(place, c) for place in first.leaves[b]]),
    )
    return Exchange(first.rule, second.rule, f"{second.rule} goes from {a} to {b}, then {first.rule} to {c}", changes)


def _holds(stage: str) -> str:
    variant = getattr(vocabulary, stage)
    return ", ".join(getattr(field.type, "__name__", str(field.type)) for field in attrs.fields(variant))


def _step(function: str, field: str) -> Step:
    text = Text(function)
    starts: dict[str, list[ast.expr]] = {}
    leaves: dict[str, list[ast.expr]] = {}
    for node in ast.walk(text.tree):
        match node:
            case ast.Match(subject=subject, cases=cases) if _is_stage(subject, field):
                for pattern in (part for case in cases for part in _alternatives(case.pattern)):
                    starts.setdefault(ast.unparse(pattern.cls), []).append(pattern.cls)
            case ast.Call(func=ast.Name(id="require"), args=[condition, *_]):
                for name in _stages_required(condition, field):
                    starts.setdefault(name.id, []).append(name)
            case ast.Assign(targets=[target], value=ast.Call(func=ast.Name() as name)) if _is_stage(target, field):
                leaves.setdefault(name.id, []).append(name)
    return Step(function.partition(".")[2], text, starts, leaves)


def _is_stage(node: ast.expr, field: str) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node.value) == f"s.{field}"


def _alternatives(pattern: ast.pattern) -> list[ast.MatchClass]:
    """The classes of a pattern."""
    if isinstance(pattern, ast.MatchOr):
        return [one for part in pattern.patterns for one in _alternatives(part)]
    return [pattern] if isinstance(pattern, ast.MatchClass) else []


def _stages_required(condition: ast.expr, field: str) -> Iterator[ast.Name]:
    """The stages in `s.operation[page] == Stage(...)`, alone or in a conjunction."""
    match condition:
        case ast.BoolOp(op=ast.And(), values=values):
            for value in values:
                yield from _stages_required(value, field)
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Call(func=ast.Name() as name)]):
            if _is_stage(left, field):
                yield name
