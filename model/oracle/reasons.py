"""Why something is forbidden: which condition of which rule is false, and what was allowed instead."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from inspect import getsource
from types import TracebackType
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Blocked

from ..reference.beside import asked
from ..reference.printing import step_text
from .candidate import Candidate
from .observing import Mismatch

Rule = Callable[..., Any]


@attrs.frozen
class Reason:
    """Why one candidate explains the trace no further."""

    told: str
    """What was done or seen, and why that cannot be."""
    allowed: tuple[str, ...]
    """What is allowed here, and nothing else."""
    clauses: tuple[str, ...]
    rule: str = ""
    sentence: str = ""
    """What the rule says."""
    conjunct: str = ""
    """The condition that is false, as it is written, and where."""
    changed: tuple[str, ...] = ()
    """What the operation changes, as the specification has it."""
    page: Any = None
    settled_by: str = ""
    """What would have to be seen to say whether it can be after all."""


def conjunct(trace: TracebackType | None) -> str:
    """The condition that was false, as it is written, with its place."""
    where = None
    while trace is not None:
        if trace.tb_frame.f_code.co_name not in ("require", "refuse") and "/spec/" in trace.tb_frame.f_code.co_filename:
            where = trace
        trace = trace.tb_next
    if where is None:
        return ""
    file = where.tb_frame.f_code.co_filename
    line = linecache.getline(file, where.tb_lineno).strip()
    place = f"spec/{file.rpartition('/spec/')[2]}:{where.tb_lineno}"
    try:
        call = ast.parse(line).body[0]
        assert isinstance(call, ast.Expr) and isinstance(call.value, ast.Call)
        named = getattr(call.value.func, "id", "")
        if named == "require":
            return f"{ast.unparse(call.value.args[0])} ({place})"
    except (SyntaxError, AssertionError, IndexError):
        pass
    return f"no case fits ({place})"


def clauses_of(rule: Rule) -> tuple[str, ...]:
    """The clauses and readings that a rule cites."""
    return REGISTER["rule"][rule.__name__].clauses


def sentence_of(rule: Rule) -> str:
    """What a rule says, in a sentence."""
    return REGISTER["rule"][rule.__name__].sentence


def is_refused(c: Candidate, refused: Blocked, named: str) -> Reason:
    """The implementation did what the specification refuses. Asked before anything else is done."""
    rule, arguments, _ = c.steps[-1]
    told = f"was done, and {step_text(rule, arguments)} is refused: {refused.reason.value}"
    return Reason(told, (f"a refusal: {refused.reason.name}",), clauses_of(rule), rule.__name__, sentence_of(rule),
                  conjunct(refused.__traceback__))  # fmt: skip


def is_not_refused(c: Candidate, reason: str | bool, changed: tuple[str, ...]) -> Reason:
    """The implementation refused what the specification does not refuse."""
    told = "was refused" + (f" ({reason})" if reason is not True else "") + ", and nothing forbids it"
    rules = [rule for rule, _, _ in c.steps]
    asks = next((rule for rule in rules if f"Refused.{reason})" in getsource(asked(rule))), None)
    if asks is None:
        return Reason(told, ("that it is done",), tuple(dict.fromkeys(one for rule in rules for one in clauses_of(rule))),
                      changed=changed)  # fmt: skip
    return Reason(told, ("that it is done",), clauses_of(asks), asks.__name__, sentence_of(asks), changed=changed)


def has_other_reason(c: Candidate, reason: str, allowed: tuple[str, ...], refused: Blocked) -> Reason:
    """It refused for a reason that does not hold."""
    rule = c.steps[-1][0]
    return Reason(f"was refused for {reason}, which is not so", tuple(f"a refusal: {one}" for one in allowed),
                  clauses_of(rule), rule.__name__, sentence_of(rule), conjunct(refused.__traceback__))  # fmt: skip


def answers_otherwise(c: Candidate, got: Any, due: Any) -> Reason:
    """It answered something else."""
    rule = c.steps[-1][0] if c.steps else None
    if rule is None:
        return Reason(f"answered {got}", (str(due),), ())
    return Reason(f"answered {got}", (str(due),), clauses_of(rule), rule.__name__, sentence_of(rule))


def is_not_so(c: Candidate, wrong: Mismatch, changed: tuple[str, ...]) -> Reason:
    """Something was seen that the state does not allow; the step of this event that made it so is named."""
    maker = None
    at = len(c.log.changes)
    for rule, _, before in reversed(c.steps):
        for held, key, _ in c.log.changes[before:at]:
            if wrong.field and held is getattr(c.machine, wrong.field, None) and key == wrong.key:
                maker = rule
        at = before
        if maker is not None:
            break
    told = f"{wrong.what} was seen {wrong.saw}" + (f": {wrong.told}" if wrong.told else "")
    if maker is None:
        return Reason(told, (wrong.allowed,), wrong.clauses, changed=changed, page=wrong.page)
    clauses = tuple(dict.fromkeys((*clauses_of(maker), *wrong.clauses)))
    return Reason(told, (wrong.allowed,), clauses, maker.__name__, sentence_of(maker), changed=changed, page=wrong.page)


