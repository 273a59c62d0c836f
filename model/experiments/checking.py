"""Checking every step of a large machine: what is asked is about the things that the step had to do with.

On a small machine every statement can be asked for all values of its parameters (`runs.checking`). Here there are
hundreds of thousands of pages. A step changes a few fields at a few keys. Asked is each invariant, each statement
about steps, and the refinement of private memory, that reads one of these fields, for all values of its parameters
among the *things in play*: those that the changed keys name, and what was and what is there now. What else is
asked of every step: that the guest sees only steps of private memory, that a step does something, that it refuses
to be done again unless its rule says otherwise, and that a refusal changes nothing.

So a statement is not asked about things that the step neither names nor finds: a fault that shows only there is
found when something next happens to them. Numbers of pages and frames are kept by what each change adds.

How it is asked is written out once for each kind of step (`step_kinds`), and of steps that look the same to all
questions the answer is remembered (`remembering`, which says why that is no less strict).
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

from pagelaw.spec.language import REGISTER, VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from ..reference.beside import Beside, Violation, call_text
from ..reference.choosing import Rule
from ..runs.statements import ERRORS
from .asking import Together, about_fields, statements, with_sums_kept
from .in_play import all_names, by_sort
from .noting import Change, Noted
from .remembering import NOT_FOLLOWED
from .step_kinds import Kind, Pair, kind_of
from .sums import Sums
from .words import words_read

InPlay = dict[type, Any]
"""The things in play, by sort."""


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
        self.asked_of: dict[frozenset[str], list[Together]] = {}
        """By the fields that a step changes: what is asked of it."""
        self._kinds: dict[tuple[Any, ...], Kind | None] = {}
        """How that is asked, by the rule, and the types of its arguments and of what it changes."""
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
        self._settling = {entry.function for entry in REGISTER["rule"].values() if not entry.extra}

    def __call__(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """Do one step; Blocked if the rule refuses, a Violation if it did what it must not."""
        noted, beside = self.noted, self.beside
        try:
            returned = beside.do(rule, arguments, self.plainly(rule))
        except Blocked as refused:
            if noted.changes() or beside.seen:
                raise self._changed_something(rule, arguments, refused) from None
            noted.writes.clear()
            raise
        except (TypeError, *ERRORS) as error:
            told = f"{rule.__name__}{arguments!r} reads what is not there: {error}"
            raise Violation(told, "defined", "a rule is done or refuses") from None
        changes = noted.changes()
        if not changes and not beside.seen and not noted.writes:
            told = f"{call_text(rule, arguments)} is not refused, and does nothing"
            raise Violation(told, "effect", "a step that is not refused does something")
        self.steps += 1
        self._ask(rule, changes, arguments)
        noted.follow(changes)
        self.private.writes.clear()
        self.sums.follow()
        if rule in self._settling:
            self._again(rule, arguments)
        return returned

    def _changed_something(self, rule: Rule, arguments: tuple[Any, ...], refused: Blocked) -> Violation:
        told = f"{call_text(rule, arguments)} refuses ({refused.reason.value}), and yet did something"
        return Violation(told, "refusal", "a refusal changes nothing")

    def _ask(self, rule: Rule, changes: list[Change], arguments: tuple[Any, ...]) -> None:
        """Shift the sums, and ask all there is to ask, in the way that is written out for steps of this kind."""
        kind: list[Any] = [rule]
        for thing in arguments:
            kind.append(thing.__class__)
        for field, key, was, now in changes:
            kind += field, key.__class__, was.__class__, now.__class__
        known = tuple(kind)
        if known not in self._kinds:
            fields = frozenset([change[0] for change in changes])
            about = self.asked_of.get(fields)
            if about is None:
                about = self.asked_of[fields] = about_fields(self.statements, fields)
            all_vms = not fields.isdisjoint(self.common)
            self._kinds[known] = kind_of(changes, arguments, self.noted, self.sums, about, self.pairs, all_vms)
        how = self._kinds[known]
        if how is None:
            self.sums.shift(changes)
            self._ask_each(changes, arguments)
        else:
            how.shift(changes, arguments)
            try:
                asked = how.holds(changes, arguments)
            except ERRORS:
                asked = None
            if asked is None:
                self._ask_each(changes, arguments)
                raise AssertionError(f"after {self.beside.doing}: what was asked together fails, and each alone holds")
            self.asked += asked
        for written, key in self.private.writes:
            if self._pair[written.field].shown(self.machine, key) != written[key]:
                raise self._differs(self._pair[written.field], key)

    def _ask_each(self, changes: list[Change], arguments: tuple[Any, ...]) -> None:
        """The same without what is written out: one statement after the other, up to the first that does not hold."""
        in_play = self._in_play(changes, arguments)
        for together in self.asked_of[frozenset([change[0] for change in changes])]:
            for things in product(*[in_play.get(sort, ()) for sort in together.sorts]):
                self.asked += len(together.statements)
                one = together.first_that_fails(self.noted.before, self.machine, things)
                if one is not None:
                    told = f"after {self.beside.doing}: {one.kind} {one.name}{things!r} does not hold: {one.sentence}"
                    raise Violation(told, one.kind, one.name, things)
        for pair in self.pairs:
            for things in product(*[in_play.get(sort, ()) for sort in pair.sorts]):
                key = things[0] if len(things) == 1 else things
                if pair.shown(self.machine, key) != pair.held[key]:
                    raise self._differs(pair, key)

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

    def _again(self, rule: Rule, arguments: tuple[Any, ...]) -> None:
        """Ask for the step again: it must be refused, and so the machine stays as it is."""
        observer, self.machine.observer = self.machine.observer, None
        try:
            self.plainly(rule)(self.machine, *arguments)
        except Blocked as refused:
            if self.noted.writes:
                raise self._changed_something(rule, arguments, refused) from None
            return
        finally:
            self.machine.observer = observer
        told = f"{call_text(rule, arguments)} is done, and could be done again"
        raise Violation(told, "once", "once done it is not enabled again")


def field_at(name: str, s: Machine, key: Any) -> Any:
    """What a field of the machine holds at a key."""
    return getattr(s, name)[key]


__all__ = ["Checked"]
