"""Why something is forbidden: which condition of which rule is false, and what was allowed instead."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator
from inspect import getsource
from types import FrameType, TracebackType
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.refusals import Refused

from ..reference.beside import asked
from ..reference.printing import step_text, value_text
from .candidate import Candidate
from .events import Event
from .naming import Name, as_told
from .observing import Mismatch
from .pending import IN_PARTS
from .settling import NoWay

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
    since: tuple[str, ...] = ()
    """What it reads, and which rule made that so."""
    changed: tuple[str, ...] = ()
    """What the operation changes, as the specification has it."""
    page: Any = None
    lasts: bool = False
    """Whether it holds wherever internal operations that nobody saw may have left pages (see `unseen`)."""
    may_be_older: bool = False
    """Whether it may not hold though it was seen where each page is."""
    settled_by: str = ""
    """What would have to be seen to say whether it can be after all."""


@attrs.frozen
class Conjunct:
    """A condition that is false: as it is written, where, and what it reads of the state."""

    told: str
    reads: tuple[tuple[str, Any], ...] = ()
    """Fields and keys."""
    names: frozenset[str] = frozenset()
    """Functions that it calls."""


def conjunct(trace: TracebackType | None) -> Conjunct:
    """The condition for which a rule has refused."""
    where = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name not in ("require", "refuse") and "/spec/" in code.co_filename:
            where = trace
        trace = trace.tb_next
    if where is None:
        return Conjunct("")
    file = where.tb_frame.f_code.co_filename
    place = f"spec/{file.rpartition('/spec/')[2]}:{where.tb_lineno}"
    try:
        call = ast.parse(linecache.getline(file, where.tb_lineno).strip(), mode="eval").body
    except SyntaxError:
        return Conjunct(f"no case fits ({place})")
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "require":
        return Conjunct(f"no case fits ({place})")
    return Conjunct(f"{ast.unparse(call.args[0])} ({place})", tuple(reads(call.args[0], where.tb_frame)),
                    frozenset(one.id for one in ast.walk(call.args[0]) if isinstance(one, ast.Name)))  # fmt: skip


def reads(condition: ast.expr, frame: FrameType) -> Iterator[tuple[str, Any]]:
    """What a condition reads of the state, with the keys worked out: `s.driver[vm]` as ("driver", A).

    Where it asks something of every member of a sort, the keys are of the first of which that is not so.
    """
    bound = {argument.arg for one in ast.walk(condition) if isinstance(one, ast.Lambda) for argument in one.args.args}
    known = {name: value for name, value in {**frame.f_globals, **frame.f_locals}.items() if name not in bound}
    for one in ast.walk(condition):
        if isinstance(one, ast.Call) and getattr(one.func, "attr", "") == "every":
            known |= first_of_which_not(one, known)
    for one in ast.walk(condition):
        if (
            isinstance(one, ast.Subscript)
            and isinstance(one.value, ast.Attribute)
            and getattr(one.value.value, "id", "") == "s"
            and all(name.id in known for name in ast.walk(one.slice) if isinstance(name, ast.Name))
        ):
            yield one.value.attr, worth(one.slice, known)


def first_of_which_not(every: ast.Call, known: dict[str, Any]) -> dict[str, Any]:
    """The first member of a sort of which not holds what is asked of every one, by its name there."""
    each = every.args[0]
    assert isinstance(every.func, ast.Attribute)
    assert isinstance(each, ast.Lambda)
    named = ({each.args.args[0].arg: one} for one in worth(every.func.value, known))
    return next((one for one in named if not worth(each.body, known | one)), {})


def worth(node: ast.expr, known: dict[str, Any]) -> Any:
    """What a part of the specification's own text is worth."""
    return eval(compile(ast.Expression(node), "<part of a condition>", "eval"), known)


def clauses_of(rule: Rule) -> tuple[str, ...]:
    """The clauses and readings that a rule cites."""
    return REGISTER["rule"][rule.__name__].clauses


def sentence_of(rule: Rule) -> str:
    """What a rule says, in a sentence."""
    return REGISTER["rule"][rule.__name__].sentence


def is_refused(c: Candidate, refused: Blocked, named: str) -> Reason:
    """The implementation did what the specification refuses. Asked before anything else is done."""
    rule, arguments, _ = c.steps[-1]
    told = f"was done, and {c.in_their_names(step_text(rule, arguments))} is refused: {refused.reason.value}"
    allowed = (f"a refusal: {refused.reason.name}",)
    if refused.reason is Refused.NO_FREE_FRAME and c.machine.free_frames:
        allowed = ("a frame that is free",)
    if refused.reason is Refused.NO_FREE_SLOT and c.machine.free_slots:
        allowed = ("a slot that is free",)
    return refusing(c, told, allowed, rule, refused)


def is_not_refused(c: Candidate, reason: str | bool, changed: tuple[str, ...]) -> Reason:
    """The implementation refused what the specification does not refuse."""
    told = "was refused" + (f" ({reason})" if reason is not True else "") + ", and nothing forbids it"
    rules = [rule for rule, _, _ in c.steps]
    asks = next((rule for rule in rules if f"Refused.{reason})" in getsource(asked(rule))), None)
    if asks is None:
        clauses = dict.fromkeys(clause for rule in rules for clause in clauses_of(rule))
        return Reason(told, ("that it is done",), tuple(clauses), changed=changed)
    clauses = dict.fromkeys(clause for rule in (asks, *rules) for clause in clauses_of(rule))
    return Reason(told, ("that it is done",), tuple(clauses), asks.__name__, sentence_of(asks), changed=changed)


def has_other_reason(c: Candidate, reason: str, allowed: tuple[str, ...], refused: Blocked) -> Reason:
    """It refused for a reason that does not hold."""
    told = f"was refused for {reason}, which is not so"
    allowed = tuple(f"a refusal: {one}" for one in allowed)
    if refused is c.passed_over:
        return Reason(told, allowed, ("R-24",))
    return refusing(c, told, allowed, c.steps[-1][0], refused)


def takes_nothing(c: Candidate, name: str, took: dict[str, Name], idle: set[str]) -> Reason:
    """It is said that something was taken that the operation does not take here."""
    what = min(idle)
    clauses = dict.fromkeys(clause for rule, _, _ in c.steps for clause in clauses_of(rule))
    return Reason(f"took {what} {as_told(took[what])}, and {name} takes no {what} here", ("that nothing is taken",),
                  tuple(clauses))  # fmt: skip


def refusing(c: Candidate, told: str, allowed: tuple[str, ...], rule: Rule, refused: Blocked) -> Reason:
    """A reason that rests on a rule's refusal: with the condition that is false, and who made it so."""
    found = conjunct(refused.__traceback__)
    clauses = [*clauses_of(rule)]
    for name in sorted(found.names & REGISTER["choice"].keys()):
        clauses += REGISTER["choice"][name].clauses
    since = []
    for field, key in found.reads:
        if (field, key) in c.writers:
            line, writer = c.writers[field, key]
            value = value_text(getattr(c.machine, field)[key])
            since.append(c.in_their_names(f"{field}[{key!r}] is {value}, since line {line}: {writer.__name__}"))
            clauses += clauses_of(writer)
    return Reason(
        told, allowed, tuple(dict.fromkeys(clauses)), rule.__name__, sentence_of(rule), found.told, tuple(since)
    )


def is_not_explained(c: Candidate, no: NoWay) -> Reason:
    """What was seen after a settlement is explained by no internal operations, or by none that were found."""
    if no.refused is None:
        return Reason(str(no), (), no.clauses, settled_by=no.settled_by, lasts=no.lasts)
    rule, arguments, _ = c.steps[-1]
    told = (f"{no}; for that it would take {c.in_their_names(step_text(rule, arguments))}, which is refused: "
            f"{no.refused.reason.value}")  # fmt: skip
    return attrs.evolve(refusing(c, told, (), rule, no.refused), settled_by=no.settled_by)


def answers_otherwise(c: Candidate, got: Any, due: Any) -> Reason:
    """It answered something else."""
    rule = c.steps[-1][0] if c.steps else None
    if rule is None:
        return Reason(f"answered {got}", (str(due),), ())
    is_word = isinstance(due, int)
    clauses = clauses_of(rule) + (PRIVATE_MEMORY if is_word else ())
    return Reason(f"answered {got}", (str(due),), clauses, rule.__name__, sentence_of(rule), lasts=is_word)


PRIVATE_MEMORY = ("ESX-2-09", "ESX-2-11")
"""That a page reads as what its VM last wrote, or as zeros, and as nothing else."""


def is_not_so(c: Candidate, wrong: Mismatch, changed: tuple[str, ...]) -> Reason:
    """Something was seen that the state does not allow; the step of this event that made it so is named."""
    maker, lasts = None, wrong.field == "contents"
    at = len(c.log.changes)
    for rule, _, before in reversed(c.steps):
        for held, key, _ in c.log.changes[before:at]:
            if wrong.field and held is getattr(c.machine, wrong.field, None) and wrong.key in (None, key):
                maker = rule
        at = before
        if maker is not None:
            break
    told = f"{wrong.what} was seen {wrong.saw}" + (f": {wrong.told}" if wrong.told else "")
    if maker is None:
        return Reason(told, (wrong.allowed,), wrong.clauses, changed=changed, page=wrong.page, lasts=lasts)
    rules = {rule.__name__ for rule, _, _ in c.steps}
    shared_first = ("ESX-4.3-20", "R-13") if c.is_paging_out and rules & {"merge"} else ()
    clauses = tuple(dict.fromkeys((*clauses_of(maker), *wrong.clauses, *shared_first)))
    return Reason(told, (wrong.allowed,), clauses, maker.__name__, sentence_of(maker), changed=changed, page=wrong.page,
                  lasts=lasts)  # fmt: skip


def not_seen(reasons: list[Reason], before: Candidate, event: Event, settled_at: int) -> str:
    """What would have to be seen to say whether an event that no state explains is forbidden; "" if it surely is."""
    for reason in reasons:
        if reason.settled_by:
            return reason.settled_by
    if before.left and not all(reason.lasts for reason in reasons):
        page = next((reason.page for reason in reasons if reason.page in before.left), min(before.left, key=repr))
        return (f"where internal operations left page {page!r} was not seen: its frame or slot at the last settlement "
                "before this line")  # fmt: skip
    if any(reason.may_be_older and not reason.lasts for reason in reasons):
        return (f"what internal operations did at line {settled_at} beside moving pages was not seen: whether scans "
                "left hints, whether a page came back to a frame of its own")  # fmt: skip
    for name, pending in before.pending.items():
        if name != event.ends and pending.operation.name in IN_PARTS and not all(
            reason.lasts or (reason.page is not None and reason.page.vm is not pending.arguments[0])
            for reason in reasons
        ):  # fmt: skip
            return (f"what {pending.operation.name} of {pending.arguments[0]!r} had done by then was not seen: a look "
                    "once it has ended")  # fmt: skip
    return ""
