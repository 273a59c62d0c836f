"""Checking every step of a large machine: what is asked is about the things that the step had to do with.

On a small machine every statement can be asked for all values of its parameters (`runs.checking`). Here there are
hundreds of thousands of pages. A step changes a few fields at a few keys. Asked is each invariant, each statement
about steps, and the refinement of private memory, that reads one of these fields, for all values of its parameters
among the *things in play*: those that the changed keys name, and what was and what is there now. What else is
asked of every step: that the guest sees only steps of private memory, that a step does something, that it refuses
to be done again unless its rule says otherwise, and that a refusal changes nothing.

So a statement is not asked about things that the step neither names nor finds: a fault that shows only there is
found when something next happens to them. Numbers of pages and frames are kept by what each change adds.

How it is asked is written out once for each kind of step: what it changed (`patterns`), which sums that shifts
(`shifting`), what is in play (`step_kinds`). Of what looks the same to all questions the answer is remembered
(`remembering` says why that is no less strict).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, NoReturn

import attrs

from pagelaw.spec.language import REGISTER, VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from ..reference.beside import Beside, Violation, call_text
from ..reference.choosing import Rule
from ..runs.statements import ERRORS
from .asking import Pair, about_fields, statements, with_sums_kept
from .in_play import all_names, by_sort
from .noting import Change, Noted
from .patterns import Pattern
from .remembered import AskedAgain, AskedTogether
from .remembering import NOT_FOLLOWED
from .server import NOT_DEFINED
from .step_kinds import Kind, Questions
from .sums import Sums
from .words import words_read

InPlay = dict[type, Any]
"""The things in play, by sort."""


@attrs.frozen(eq=False)
class Asked:
    """A rule whose steps are checked."""

    text: Callable[..., Any]
    is_followed: bool
    """Whether all that it finds out can be noted."""
    again: Callable[[tuple[Any, ...]], bool] | None
    """Asks for the step again, given its arguments; None if it may be done again."""
    patterns: dict[tuple[str, ...], Pattern] = attrs.field(factory=dict)
    """How steps are asked, by the fields that they write."""
    remembered: dict[tuple[type, ...], AskedAgain] = attrs.field(factory=dict)
    """What asks for a step again, and remembers, by the types of its arguments."""


class Checked:
    """Does steps of a machine, each checked. It is to be made before the first step."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.noted = Noted(machine)
        self.beside = Beside(machine)
        self.private = Noted(self.beside.private)
        self.sums = Sums(self.noted)
        self.plainly = with_sums_kept(self.sums)
        self.statements = statements(self.plainly)
        self.common = frozenset([*self.noted.single, "target", "life"])
        """Fields that say something about every VM: when one changes all VMs are in play."""
        self._about: dict[frozenset[str], list[AskedTogether]] = {}
        """By the fields that a step changes: what is asked of it."""
        self._rules: dict[Rule, Asked] = {}
        views = {entry.extra: self.plainly(entry.function) for entry in REGISTER["represents"].values()}
        shapes = [shape for shape in PrivateMemory.shapes().values() if not shape.field.is_given]
        self.pairs = [
            Pair(shape.name, shape.keys, getattr(self.beside.private, shape.name),
                 views.get(shape.name) or partial(field_at, shape.name),
                 shape.name not in views or words_read(views[shape.name]).isdisjoint(NOT_FOLLOWED))
            for shape in shapes
        ]  # fmt: skip
        """The fields of private memory."""
        self._pair = {pair.name: pair for pair in self.pairs}
        self.steps = self.asked = 0
        """Steps done, and statements asked of them."""
        self.settling = {entry.function for entry in REGISTER["rule"].values() if not entry.extra}
        """Rules that refuse to do a step again."""

    @property
    def kinds(self) -> list[Kind | None]:
        """The kinds of all steps so far; None for those whose types do not say what is in play."""
        patterns = [pattern for asked in self._rules.values() for pattern in asked.patterns.values()]
        return [kind for pattern in patterns for kind in pattern.kinds]

    def __call__(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """Do one step; Blocked if the rule refuses, a Violation if it did what it must not."""
        noted, beside, asked = self.noted, self.beside, self._rules.get(rule) or self._begin(rule)
        try:
            returned = beside.do(rule, arguments, asked.text)
        except Blocked as refused:
            if noted.changes() or beside.seen:
                raise self._changed_something(rule, arguments, refused) from None
            noted.begin()
            raise
        except NOT_DEFINED as error:
            told = f"{rule.__name__}{arguments!r} reads what is not there: {error}"
            raise Violation(told, "defined", "a rule is done or refuses") from None
        written = noted.written()
        if not written and not beside.seen:
            told = f"{call_text(rule, arguments)} is not refused, and does nothing"
            raise Violation(told, "effect", "a step that is not refused does something")
        self.steps += 1
        pattern = asked.patterns.get(written) or self._pattern(asked, written, len(arguments))
        try:
            self.asked += pattern.ask(arguments, noted.writes.keys)
        except ERRORS:
            self._fails(arguments)
        noted.begin()
        if beside.seen:
            self._compare_private_memory()
        return returned

    def _begin(self, rule: Rule) -> Asked:
        """A rule that was not done before."""
        again = partial(self._again, rule) if rule in self.settling else None
        is_followed = words_read(rule).isdisjoint(NOT_FOLLOWED)
        asked = self._rules[rule] = Asked(self.plainly(rule), is_followed, again)
        return asked

    def _pattern(self, asked: Asked, written: tuple[str, ...], arguments: int) -> Pattern:
        """A step that writes what was not written by this rule before."""
        questions, each = partial(self._questions, asked), partial(self._each, asked)
        pattern = Pattern(written, arguments, self.noted, questions, each, self._fails)
        asked.patterns[written] = pattern
        return pattern

    def _questions(self, asked: Asked, fields: frozenset[str], arguments: tuple[Any, ...]) -> Questions:
        all_vms = not fields.isdisjoint(self.common)
        again = self._asked_again(asked, arguments) if asked.again is not None else None
        return Questions(self.noted, self.sums, self._about_fields(fields), all_vms, again)

    def _about_fields(self, fields: frozenset[str]) -> list[AskedTogether]:
        if fields not in self._about:
            about = about_fields(self.statements, fields, self.pairs)
            self._about[fields] = [AskedTogether(self.noted, together, fields) for together in about]
        return self._about[fields]

    def _asked_again(self, asked: Asked, arguments: tuple[Any, ...]) -> AskedAgain:
        known = tuple(map(type, arguments))
        if known not in asked.remembered:
            assert asked.again is not None
            rule = asked.text if asked.is_followed else None
            asked.remembered[known] = AskedAgain(self.noted, len(arguments), rule, asked.again)
        return asked.remembered[known]

    def _compare_private_memory(self) -> None:
        """What the step did to private memory is what the machine shows."""
        writes = self.private.writes
        for field, key in zip(writes.fields, writes.keys, strict=True):
            pair = self._pair[field]
            if pair.shown(self.machine, key) != pair.held[key]:
                raise self._differs(pair, key)
        self.private.begin()

    def _changed_something(self, rule: Rule, arguments: tuple[Any, ...], refused: Blocked) -> Violation:
        told = f"{call_text(rule, arguments)} refuses ({refused.reason.value}), and yet did something"
        return Violation(told, "refusal", "a refusal changes nothing")

    def _each(self, asked: Asked, arguments: tuple[Any, ...]) -> int:
        """Do all of this for a step whose types do not say what is in play."""
        changes = self.noted.changes()
        self.sums.shift(changes)
        number = self._ask_each(changes, arguments)
        if asked.again is not None:
            asked.again(arguments)
        self.noted.follow(changes)
        self.sums.follow()
        return number

    def _fails(self, arguments: tuple[Any, ...]) -> NoReturn:
        """Say what does not hold of a step of which something does not, when all is asked together."""
        self._ask_each(self.noted.changes(), arguments)
        raise AssertionError(f"after {self.beside.doing}: what was asked together fails, and each alone holds")

    def _ask_each(self, changes: list[Change], arguments: tuple[Any, ...]) -> int:
        """Ask one statement after the other, up to the first that does not hold; how many there are."""
        in_play, asked = self._in_play(changes, arguments), 0
        for about in self._about_fields(frozenset([change[0] for change in changes])):
            for things in product(*[in_play.get(sort, ()) for sort in about.sorts]):
                asked += about.number
                one = about.together.first_that_fails(self.noted.before, self.machine, things)
                if one is not None:
                    told = f"after {self.beside.doing}: {one.kind} {one.name}{things!r} does not hold: {one.sentence}"
                    raise Violation(told, one.kind, one.name, things)
        for pair in self.pairs:
            for things in product(*[in_play.get(sort, ()) for sort in pair.sorts]):
                key = things[0] if len(things) == 1 else things
                if pair.shown(self.machine, key) != pair.held[key]:
                    raise self._differs(pair, key)
        return asked

    def _in_play(self, changes: list[Change], arguments: tuple[Any, ...]) -> InPlay:
        names: list[Any] = list(all_names(arguments))
        for _, key, was, now in changes:
            names += all_names((key, was, now))
        in_play: InPlay = by_sort(names)
        if any(change[0] in self.common for change in changes):
            in_play[VM] = self.machine.ids[VM]
        return in_play

    def _differs(self, pair: Pair, key: Any) -> Violation:
        shows, held = pair.shown(self.machine, key), pair.held[key]
        told = f"{pair.name}[{key!r}] is {shows!r} in the machine, {held!r} in private memory"
        return Violation(f"after {self.beside.doing}: {told}")

    def _again(self, rule: Rule, arguments: tuple[Any, ...]) -> bool:
        """Ask for the step again: it must be refused, and so the machine stays as it is."""
        writes, (observer, self.machine.observer) = len(self.noted.writes.fields), (self.machine.observer, None)
        try:
            self.plainly(rule)(self.machine, *arguments)
        except Blocked as refused:
            if len(self.noted.writes.fields) > writes:
                raise self._changed_something(rule, arguments, refused) from None
            return True
        finally:
            self.machine.observer = observer
        told = f"{call_text(rule, arguments)} is done, and could be done again"
        raise Violation(told, "once", "once done it is not enabled again")


def field_at(name: str, s: Machine, key: Any) -> Any:
    """What a field of the machine holds at a key."""
    return getattr(s, name)[key]


__all__ = ["Checked"]
