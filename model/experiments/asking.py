"""What there is to ask of a step: invariants and statements about steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pagelaw.spec import shares
from pagelaw.spec.language import REGISTER, Blocked, leaves, ratio
from pagelaw.spec.machine import Machine

from ..reference.beside import parameter_sorts
from ..reference.plainly import Plainly
from ..runs.statements import ERRORS
from ..runs.watching import Trial
from .noted_state import NotedState
from .prices import DEPENDS_ON, Prices
from .remembering import NOT_FOLLOWED, quotient
from .sums import Sums
from .words import fields_read, words_read

OF_OTHERS = ("each", "ids", "those", "copy", "written")
"""With which a faulty text could look at another VM than the one whose price it is to work out."""


@attrs.frozen(eq=False)
class Statement:
    """Something that is asked of a state, or of two that follow each other."""

    kind: str
    name: str
    sentence: str
    holds: Callable[..., Any]
    sorts: tuple[type, ...]
    fields: frozenset[str]
    is_followed: bool
    """Whether what it finds out can be noted."""


def statements(plainly: Plainly) -> list[Statement]:
    """The invariants and the statements about steps, as they are asked of plain maps."""
    return [
        Statement(kind, entry.name, entry.sentence, plainly(entry.function),
                  parameter_sorts(entry.function)[states - 1 :], fields_read(entry.function),
                  words_read(entry.function).isdisjoint(NOT_FOLLOWED))
        for kind, states in (("invariant", 1), ("transition", 2))
        for entry in REGISTER[kind].values()
    ]  # fmt: skip


@attrs.frozen(eq=False)
class Pair:
    """A field of private memory: the sorts of its keys, what it holds, and what the machine shows."""

    name: str
    sorts: tuple[type, ...]
    held: Any
    shown: Callable[[Any, Any], Any]
    is_followed: bool
    """Whether what it takes to show it can be noted."""


@attrs.frozen(eq=False)
class Together:
    """Statements about things of the same sorts, and fields of private memory with such keys, asked together."""

    sorts: tuple[type, ...]
    statements: tuple[Statement, ...]
    pairs: tuple[Pair, ...]
    all_hold: Callable[..., bool]
    """Whether all of them hold, of the machine before the step, the machine now, and the things."""

    @classmethod
    def of(cls, sorts: tuple[type, ...], found: list[Statement], pairs: list[Pair]) -> Together:
        """Made as a text, so that nothing but the statements themselves takes time."""
        parts = [f"thing{number}" for number in range(len(sorts))]
        things, names, asks = "".join(f", {part}" for part in parts), {}, []
        for one in found:
            names[one.name] = one.holds
            asks.append(f"{one.name}({'' if one.kind == 'invariant' else 'before, '}now{things})")
        for pair in pairs:
            key = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
            names |= {f"shown_{pair.name}": pair.shown, f"held_{pair.name}": pair.held}
            asks.append(f"shown_{pair.name}(now, {key}) == held_{pair.name}[{key}]")
        all_hold = eval(f"lambda before, now{things}: {' and '.join(asks)}", names)
        return cls(sorts, tuple(found), tuple(pairs), all_hold)

    def first_that_fails(self, before: Machine, now: Machine, things: tuple[Any, ...]) -> Statement | None:
        """The first statement that does not hold; one that reads what is not there does not."""
        for one in self.statements:
            try:
                holds = one.holds(*((now,) if one.kind == "invariant" else (before, now)), *things)
            except ERRORS:
                holds = False
            if not holds:
                return one
        return None


def about_fields(statements: list[Statement], fields: frozenset[str], pairs: list[Pair]) -> list[Together]:
    """All statements that can read one of these fields, and all fields of private memory."""
    found: dict[tuple[type, ...], tuple[list[Statement], list[Pair]]] = {}
    for one in statements:
        if one.fields & fields:
            found.setdefault(one.sorts, ([], []))[0].append(one)
    for pair in pairs:
        found.setdefault(pair.sorts, ([], []))[1].append(pair)
    return [Together.of(sorts, *about) for sorts, about in found.items()]


def with_sums_kept(sums: Sums) -> Plainly:
    """Functions of the specification for which sums are kept, and rules tried on what copies nothing."""
    plainly = Plainly()
    for kept in sums.all:
        plainly.let(kept.measure, kept)
    if fields_read(shares.price_of) <= set(DEPENDS_ON) and words_read(shares.price_of).isdisjoint(OF_OTHERS):
        plainly.let(shares.price_of, PricesAsked(Plainly()(shares.price_of)))
    plainly.let(leaves, leaves_on_trial)
    plainly.let(ratio, quotient)
    return plainly


class PricesAsked(Prices):
    """The same for questions, of which a note may be made."""

    def __call__(self, s: Any, vm: Any, pages: Any) -> Any:
        """What so many pages of a VM would cost for each of its shares."""
        return s.work_out(self, vm, pages) if isinstance(s, NotedState) else super().__call__(s, vm, pages)


def leaves_on_trial(
    rule: Callable[..., Any], s: Machine, *arguments: Any, so_that: Callable[[Machine], bool]
) -> bool:
    """As `leaves`, with a copy that takes from the machine what is not written."""
    trial: Any = Trial(s)
    try:
        rule(trial, *arguments)
    except Blocked:
        return False
    return so_that(trial)


__all__ = ["Pair", "Statement", "Together", "about_fields", "statements", "with_sums_kept"]
