"""Checking every step of a large machine: what is asked is about the things that the step had to do with.

On a small machine every statement can be asked for all values of its parameters (`runs.checking`). Here there are
hundreds of thousands of pages. A step changes a few fields at a few keys. Asked is each invariant, each statement
about steps, and the refinement of private memory, that reads one of these fields, for all values of its parameters
among the *things in play*: those that the changed keys name, and what was and what is there now. What else is
asked of every step: that the guest sees only steps of private memory, that a step does something, that it refuses
to be done again unless its rule says otherwise, and that a refusal changes nothing.

So a statement is not asked about things that the step neither names nor finds: a fault that shows only there is
found when something next happens to them. Numbers of pages and frames are kept by what each change adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from types import CodeType
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, VM, Blocked, Identifier, Map, Measure, State, Sum, leaves
from pagelaw.spec.language.identifiers import Owned
from pagelaw.spec.language.state import Ids, Indexed
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from ..reference.beside import Beside, Violation, asked, call_text, parameter_sorts
from ..reference.choosing import Rule
from ..runs.statements import ERRORS
from ..runs.watching import Trial

Key = Any


class Noting(Map[Any, Any]):
    """A map that notes what it held at the keys that are written."""

    __slots__ = ("old",)

    def __init__(self, held: Map[Any, Any]) -> None:
        super().__init__(held.otherwise, held.items())
        self.old: dict[Key, Any] = {}

    def __setitem__(self, key: Key, value: Any) -> None:
        if key not in self.old:
            self.old[key] = dict.get(self, key, None) if key in self else self.otherwise(key)
        dict.__setitem__(self, key, value)

    def __missing__(self, key: Key) -> Any:
        return self.otherwise(key)


class NotingIndexed(Indexed[Any, Any]):
    """The same for a map that knows at which keys it holds a value."""

    __slots__ = ("old",)

    def __init__(self, held: Indexed[Any, Any]) -> None:
        self.old: dict[Key, Any] = {}
        super().__init__(held.otherwise, held.items())
        self.old.clear()

    def __setitem__(self, key: Key, value: Any) -> None:
        if key not in self.old:
            self.old[key] = self[key]
        super().__setitem__(key, value)


class Past(Map[Any, Any]):
    """A map as it was before the step."""

    __slots__ = ("now",)

    def __init__(self, now: Noting | NotingIndexed) -> None:
        super().__init__(now.otherwise)
        self.now = now

    def __getitem__(self, key: Key) -> Any:
        old = self.now.old
        return old[key] if key in old else self.now[key]


class Seen(State):
    """A machine for those who ask: its own maps, or these as they were, and sums that are kept."""

    engine: Any

    def __init__(self, state: State, values: dict[str, Any], sums: Sums, before: bool) -> None:
        self.__dict__.update(
            ids=state.ids, _per_vm=state._per_vm, observer=None, shapes=state.shapes, engine=self, _values=values
        )
        self._sums, self._before = sums, before
        for name, shape in state.shapes().items():
            held = getattr(state, name)
            if shape.keys:
                self.__dict__[name] = Past(held) if before and not shape.field.is_given else held
            elif shape.field.is_given:
                self._values[name] = held

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__["_values"]
        if name not in values:
            raise AttributeError(name)
        return values[name]

    def those(self, sort: type[Any], held: Map[Any, Any], value: Any) -> Ids[Any]:
        """All identifiers at which a map holds a value; of a map as it was, those of now but for what changed."""
        now = held.now if isinstance(held, Past) else None
        if not isinstance(now, NotingIndexed) or now.holds_unwritten(value):
            return super().those(sort, held, value)
        kept = [key for key in now.keys_of.get(value, ()) if key not in now.old]
        return Ids(kept + [key for key, was in now.old.items() if was == value])

    def copy(self) -> Any:
        """A copy on which rules can be tried."""
        return Trial(self)

    def measure(self, measure: Measure[Any], _: State, parameters: tuple[Any, ...]) -> int:
        """A sum, as it is kept."""
        return self._sums.value(measure, parameters, self._before)

    def view(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A view is its text."""
        return function(*arguments)

    def enabled(self, rule: Callable[..., Any], _: State, given: tuple[Any, ...], so_that: Callable[..., bool]) -> bool:
        """Whether a rule would be done, and would leave what is asked for."""
        return leaves(rule, self.copy(), *given, so_that=so_that)


class Sums:
    """The measures: each sum is shifted by what changed entries weigh, before and after."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._now: dict[tuple[Measure[Any], tuple[Any, ...]], int] = {}
        self._shifted: dict[tuple[Measure[Any], tuple[Any, ...]], int] = {}
        self._over: dict[str, list[tuple[Measure[Any], tuple[type, ...]]]] = {}
        for entry in REGISTER["measure"].values():
            measure: Measure[Any] = entry.function  # type: ignore[assignment]  # it stands for the function
            sorts = parameter_sorts(measure.weight)[2:]
            self._over.setdefault(measure.over, []).append((measure, sorts))
            if all(sort is VM for sort in sorts):  # of other things nothing counts before anything was done
                for parameters in product(*(state.ids[sort] for sort in sorts)):
                    self._now[measure, parameters] = measure(state, *parameters)

    def value(self, measure: Measure[Any], parameters: tuple[Any, ...], before: bool) -> int:
        """A sum now, or before the last step."""
        now = self._now.get((measure, parameters), 0)
        return now - self._shifted.get((measure, parameters), 0) if before else now

    def shift(self, changed: Iterable[tuple[str, Key, Any, Any]]) -> None:
        """A step is over: add what it changed."""
        shifted = self._shifted
        shifted.clear()
        for field, key, was, now in changed:
            for measure, sorts in self._over.get(field, ()):
                weigh = measure.weight
                for value, sign in ((was, -1), (now, 1)):
                    for parameters in product(*(among(sort, key, value) for sort in sorts)) if sorts else ((),):
                        weight = weigh(self._state, value, key, *parameters)
                        if weight:
                            shifted[measure, parameters] = shifted.get((measure, parameters), 0) + sign * weight
        for name, by in shifted.items():
            self._now[name] = self._now.get(name, 0) + by


def among(sort: type, *things: Any) -> set[Any]:
    """The identifiers of one sort that these things name."""
    found: dict[type, set[Any]] = {}
    for thing in things:
        gather(thing, found)
    return found.get(sort, set())


def gather(thing: Any, found: dict[type, set[Any]]) -> None:
    """Add the identifiers that a key or value names, and whose they are, by sort."""
    kind = type(thing)
    parts = PARTS.get(kind)
    if parts is None:
        parts = PARTS[kind] = parts_of(kind)
    if parts is NAME or parts is OWNED:
        if kind not in found:
            found[kind] = set()
        found[kind].add(thing)
        if parts is OWNED:
            if VM not in found:
                found[VM] = set()
            found[VM].add(thing.vm)
    elif kind is tuple:
        for part in thing:
            gather(part, found)
    else:
        for name in parts:
            gather(getattr(thing, name), found)


NAME, OWNED = ("an identifier",), ("an identifier of a VM's",)
PARTS: dict[type, tuple[str, ...]] = {}
"""By type: the fields of a variant, or that it is an identifier."""


def parts_of(kind: type) -> tuple[str, ...]:
    """What there is to gather in things of a type."""
    if issubclass(kind, Owned):
        return OWNED
    if issubclass(kind, Identifier):
        return NAME
    return tuple(getattr(kind, "__match_args__", ())) if type.__subclasscheck__(Sum, kind) else ()


# Which fields a statement reads.


def fields_read(function: Callable[..., Any]) -> frozenset[str]:
    """The fields of the machine that a statement names, itself or in what it calls: those that it can read."""
    found: set[str] = set()
    todo, done = [asked(function)], set()
    names = set(Machine.shapes())
    while todo:
        one = todo.pop()
        if isinstance(one, Measure):
            found.add(one.over)
            one = one.weight
        code = getattr(one, "__code__", None)
        if code is None or one in done:
            continue
        done.add(one)
        for word in words_of(code):
            if word in names:
                found.add(word)
            called = one.__globals__.get(word)
            if isinstance(called, Measure) or callable(called):
                todo.append(asked(called))
    return frozenset(found)


def words_of(code: CodeType) -> Iterator[str]:
    """All names in a function, and in those inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from words_of(constant)


@attrs.frozen(eq=False)
class Statement:
    """Something that is asked of a state, or of two that follow each other."""

    kind: str
    name: str
    sentence: str
    function: Callable[..., Any]
    sorts: tuple[type, ...]
    fields: frozenset[str]


def statements() -> list[Statement]:
    """The invariants and the statements about steps."""
    found = []
    for kind, states in (("invariant", 1), ("transition", 2)):
        for entry in REGISTER[kind].values():
            sorts = parameter_sorts(entry.function)[states - 1 :]
            function = asked(entry.function)
            found.append(Statement(kind, entry.name, entry.sentence, function, sorts, fields_read(entry.function)))
    return found


# Doing steps.


class Checked:
    """Does steps of a machine, each checked. It is to be made before the first step."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.maps = noted(machine)
        self.beside = Beside(machine)
        self.private = noted(self.beside.private)
        self.all_maps = (*self.maps.values(), *self.private.values())
        self.sums = Sums(machine)
        self.single = [shape.name for shape in machine.shapes().values() if not shape.keys and not shape.field.is_given]
        self._values: dict[str, Any] = {name: getattr(machine, name) for name in self.single}
        self._past: dict[str, Any] = dict(self._values)
        self.now = Seen(machine, self._values, self.sums, before=False)
        self.before = Seen(machine, self._past, self.sums, before=True)
        self.statements = statements()
        self.common = frozenset([*self.single, "target", "life"])
        """Fields that say something about every VM: when one changes all VMs are in play."""
        self.by_fields: dict[frozenset[str], list[Statement]] = {}
        views = {entry.extra: asked(entry.function) for entry in REGISTER["represents"].values()}
        self.pairs = [
            (name, PrivateMemory.shapes()[name].keys, held,
             partial(views[name], self.now) if name in views else self.maps[name].__getitem__)
            for name, held in self.private.items()
        ]  # fmt: skip
        """The fields of private memory: the sorts of their keys, what they hold, and what the machine shows."""
        self.steps = self.asked = 0
        """Steps done, and statements asked of them."""
        self._settling = {entry.function for entry in REGISTER["rule"].values() if not entry.extra}

    def __call__(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        """Do one step; Blocked if the rule refuses, a Violation if it did what it must not."""
        self._forget()
        try:
            returned = self.beside.do(rule, arguments)
        except Blocked as refused:
            if self._changes() or self.beside.seen:
                told = f"{call_text(rule, arguments)} refuses ({refused.reason.value}), and yet did something"
                raise Violation(told, "refusal", "a refusal changes nothing") from None
            raise
        changes = self._changes()
        if not changes and not self.beside.seen and not any(held.old for held in self.maps.values()):
            told = f"{call_text(rule, arguments)} is not refused, and does nothing"
            raise Violation(told, "effect", "a step that is not refused does something")
        self.steps += 1
        self.sums.shift(changes)
        self._ask(changes, arguments)
        if rule in self._settling:
            self._again(rule, arguments)
        return returned

    def _forget(self) -> None:
        for held in self.all_maps:
            if held.old:
                held.old.clear()
        self._past.update(self._values)

    def _changes(self) -> list[tuple[str, Key, Any, Any]]:
        """What was written and is not as it was: field, key, what was there, what is."""
        changes = [
            (name, key, was, held[key]) for name, held in self.maps.items() if held.old
            for key, was in held.old.items() if held[key] != was
        ]  # fmt: skip
        for name in self.single:
            now = getattr(self.machine, name)
            if now != self._past[name]:
                self._values[name] = now
                changes.append((name, None, self._past[name], now))
        return changes

    def _ask(self, changes: list[tuple[str, Key, Any, Any]], arguments: tuple[Any, ...]) -> None:
        found: dict[type, set[Any]] = {}
        gather(arguments, found)
        for _, key, was, now in changes:
            gather(key, found)
            gather(was, found)
            gather(now, found)
        in_play: dict[type, tuple[Any, ...]] = {sort: tuple(things) for sort, things in found.items()}
        fields = frozenset(change[0] for change in changes)
        about = self.by_fields.get(fields)
        if about is None:
            about = self.by_fields[fields] = [one for one in self.statements if one.fields & fields]
        in_play[VM] = in_play.get(VM, ()) if fields.isdisjoint(self.common) else self.machine.ids[VM]
        for one in about:
            sorts = one.sorts
            if len(sorts) == 1:
                for thing in in_play.get(sorts[0], ()):
                    self._one(one, (thing,))
            else:
                for things in product(*(in_play.get(sort, ()) for sort in sorts)):
                    self._one(one, things)
        self._refines(in_play)

    def _one(self, one: Statement, arguments: tuple[Any, ...]) -> None:
        self.asked += 1
        states = (self.now,) if one.kind == "invariant" else (self.before, self.now)
        try:
            holds = one.function(*states, *arguments)
        except ERRORS:
            holds = False
        if not holds:
            told = f"after {self.beside.doing}: {one.kind} {one.name}{arguments!r} does not hold: {one.sentence}"
            raise Violation(told, one.kind, one.name, arguments)

    def _refines(self, in_play: dict[type, tuple[Any, ...]]) -> None:
        """Private memory, read off the machine, is what it became, of all that is in play or changed there."""
        for name, sorts, held, shown in self.pairs:
            keys = in_play.get(sorts[0], ()) if len(sorts) == 1 else product(*(in_play.get(sort, ()) for sort in sorts))
            for key in (*keys, *held.old):
                shows = shown(key)
                if shows != held[key]:
                    told = f"{name}[{key!r}] is {shows!r} in the machine, {held[key]!r} in private memory"
                    raise Violation(f"after {self.beside.doing}: {told}")

    def _again(self, rule: Rule, arguments: tuple[Any, ...]) -> None:
        """Ask for the step again: it must be refused, and so the machine stays as it is."""
        observer, self.machine.observer = self.machine.observer, None
        try:
            rule(self.machine, *arguments)
        except Blocked:
            return
        finally:
            self.machine.observer = observer
        told = f"{call_text(rule, arguments)} is done, and could be done again"
        raise Violation(told, "once", "once done it is not enabled again")


def noted(state: State) -> dict[str, Noting | NotingIndexed]:
    """The written maps of a state, each put in place of what it was, so that it notes what is written."""
    found: dict[str, Noting | NotingIndexed] = {}
    for name, shape in state.shapes().items():
        if shape.keys and not shape.field.is_given:
            held = getattr(state, name)
            found[name] = NotingIndexed(held) if isinstance(held, Indexed) else Noting(held)
            setattr(state, name, found[name])
    return found


__all__ = ["Checked", "fields_read"]
