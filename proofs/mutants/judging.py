"""Judging a systematic mutant: killed by a general property, proved equivalent, or a survivor.

A changed rule is killed by an obligation that is proved of the unchanged
specification and not of the mutant; where there is one, a small machine shows
it, replayed in Python. If all its obligations are proved, the mutant may do
the same as the unchanged rule: that is proved, or else it survives.

A weakened statement breaks no rule. It is killed if something that rested on
it is not proved any more, and a small machine that the weaker statement allows
shows why; or, if nothing rests on it, by another mutant that the full
statement refuses and the weaker one does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import product
from time import perf_counter

import attrs
import z3

from pagelaw.spec.language import REGISTER

from ..counterexample import Counterexample
from ..obligations import Obligation, Theory
from .asking import BRIEF, PATIENT, Control, Side
from .equivalence import (
    BY_OTHERS,
    answer,
    answers_the_same,
    differences,
    follows,
    forget_what_changed,
    only_answers,
    say_the_same,
    unchanged,
)
from .gallery import function_named, gallery, get
from .resting import Resting
from .switch import STATEMENTS, apply, called_by
from .systematic import kind_of, systematic

MOST_SHOWN = 8
"""So many obligations of a group are looked at on small machines."""
MOST_TRIED = 20
"""So many other mutants are tried, to see whether a statement on which nothing rests refuses one."""
UNREADABLE = "can be read as obligations"


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    EQUIVALENT = "equivalent"
    SURVIVOR = "survivor"


@attrs.frozen
class Judgement:
    """The verdict on one mutant."""

    identifier: str
    kind: str
    verdict: Fate
    property: str = ""
    """What it was killed by."""
    rule: str = ""
    """Of what that property is no longer proved."""
    means: tuple[str, ...] = ()
    """z3: not proved any more; small: shown on a small machine and replayed; lifting: cannot be read."""
    seconds: float = 0.0
    note: str = ""
    suspects: tuple[str, ...] = ()
    """The properties that cheap attempts do not prove: where to look for what else would refuse it."""


@attrs.define
class Found:
    """The first obligation that a mutant fails, and what else was not proved at once."""

    obligation: Obligation | None = None
    shown: Counterexample | None = None
    suspects: list[str] = attrs.field(factory=list)
    unreadable: str = ""


class Judge:
    """Judges mutants one after another."""

    def __init__(self, resting: Resting) -> None:
        self.resting = resting
        self.control = Control()
        self.control.learn(["lemmas"])  # lifted now, while nothing is switched on

    def judge(self, identifier: str, others: Mapping[str, Judgement] | None = None) -> Judgement:
        """The verdict on a mutant. others: verdicts on changed rules, where a statement's worth is looked for."""
        started = perf_counter()
        weaker = kind_of(identifier) == "weaker"
        verdict = self._statement(identifier, others or {}) if weaker else self._rules(identifier)
        return attrs.evolve(verdict, seconds=round(perf_counter() - started, 2))

    # changed rules

    def _rules(self, identifier: str) -> Judgement:
        reach = Reach.of(identifier)
        suspects: list[str] = []
        for groups in (reach.rules, self._beyond(reach)):
            self.control.learn(groups)
            with apply(identifier):
                side = self.control.beside(bool(reach.statements))
                for group in groups:
                    found = self._group(side, group, reach)
                    suspects += found.suspects
                    if found.unreadable:
                        return _judgement(identifier, Fate.KILLED, UNREADABLE, group, ("lifting",), found.unreadable)
                    if found.obligation is not None:
                        return _killed(identifier, found.obligation, found.shown, suspects)
        same, note = self.same(identifier, reach)
        fate = Fate.EQUIVALENT if same else Fate.SURVIVOR
        return attrs.evolve(_judgement(identifier, fate, note=note), suspects=_once(suspects))

    def _beyond(self, reach: Reach) -> tuple[str, ...]:
        """The groups in which something may fail because of the changed rules or statements."""
        others = dict.fromkeys(REGISTER["rule"]) if reach.statements else {}
        return tuple(name for name in (*others, *reach.beyond) if name not in reach.rules)

    def _group(self, side: Side, group: str, reach: Reach) -> Found:
        try:
            obligations = side.obligations(group)
        except Exception as error:  # whatever a changed text does wrong, it is refused
            return Found(unreadable=f"{type(error).__name__}: {error}")
        if reach.statements and group not in reach.rules:
            rests = {place for name in reach.statements for place in self.resting.get(name, ())}
            asked = [
                one
                for one in obligations
                if not self.control.knows_goal(group, one) or (group, one.rule, one.path, one.property) in rests
            ]
        else:
            asked = [one for one in obligations if not self.control.knows(group, one)]
        return refuted(side, asked)

    def same(self, identifier: str, reach: Reach) -> tuple[bool, str]:
        """Whether the mutant is proved to do the same, and how; or else where it may differ."""
        if self._answers_the_same(identifier):
            return True, "answers the same"
        if not reach.rules and not reach.statements:
            return False, "it changes no rule and no statement"
        theory = self.control.side.theory
        before = unchanged(theory, reach.rules)
        forget_what_changed(theory, [function_named(function) for function in get(identifier).functions])
        with apply(identifier):
            asked = [
                one for rule in reach.rules for one in differences(self.control.side, rule, before[rule], reach.rules)
            ]
            if reach.statements:
                asked += say_the_same(theory, Theory(), reach.statements)
            others = False
            for obligation in asked:
                never = attrs.evolve(obligation, goal=z3.BoolVal(False))
                if obligation.property == BY_OTHERS and self.control.side.proved(never, BRIEF):
                    continue
                if not self.control.side.proved(obligation, BRIEF * 16):
                    return False, f"{obligation.rule} may differ: {obligation.property}"
                others = others or obligation.property == BY_OTHERS
        return True, f"does the same; {BY_OTHERS}" if others else "does the same"

    def _answers_the_same(self, identifier: str) -> bool:
        """Whether what a mutant changes is one function that only answers a question, and answers the same."""
        names, theory = get(identifier).functions, self.control.side.theory
        function = function_named(names[0])
        if len(names) > 1 or not only_answers(function):
            return False
        theory.start_over()
        before = answer(theory, function)
        forget_what_changed(theory, [function])
        with apply(identifier):
            after = answer(theory, function_named(names[0]), before.arguments)
            return self.control.side.proved(answers_the_same(theory, names[0], before, after), BRIEF * 4)

    # weakened statements

    def _statement(self, identifier: str, others: Mapping[str, Judgement]) -> Judgement:
        name = get(identifier).shown_by
        full = self.control.side.theory.invariants.get(name) or self.control.side.theory.transitions[name]
        with apply(identifier):
            side = Side.now(self.control.side.needs)
            obligation = follows(side, name, full.variables, full.body)
            if side.proved(obligation, BRIEF * 4):
                return _judgement(identifier, Fate.EQUIVALENT, note="what is left out follows from the rest")
            rests = self.resting.get(name, frozenset())
            for group in dict.fromkeys(sorted(place[0] for place in rests)):
                places = {place[1:] for place in rests if place[0] == group}
                asked = [one for one in side.obligations(group) if (one.rule, one.path, one.property) in places]
                found = refuted(side, asked)
                if found.obligation is not None:
                    return _killed(identifier, found.obligation, found.shown, [])
        return self._leaf(identifier, name, others)

    def _leaf(self, identifier: str, name: str, others: Mapping[str, Judgement]) -> Judgement:
        """Nothing rests on what was left out: does it refuse anything?"""
        tried = _candidates(name, others)[:MOST_TRIED]
        for patient, other in product((False, True), tried):
            told = self._refuses(identifier, name, other, patient)
            if told is not None:
                return told
        note = f"nothing rests on what is left out, and no mutant tried is refused by it ({name})"
        return _judgement(identifier, Fate.SURVIVOR, note=note)

    def _refuses(self, identifier: str, name: str, other: str, patient: bool) -> Judgement | None:
        """Whether the full statement refuses another mutant and the weaker one does not."""
        reach = Reach.of(other)
        if reach.statements:
            return None
        self.control.learn(reach.rules)
        with apply(other):
            shown = self._shown_by(self.control.side, reach.rules, name, patient)
        if shown is None:
            return None
        with apply(f"{other}+{identifier}"):
            side = Side.now(self.control.side.needs)
            first: Obligation | None = None
            for obligation in (one for rule in reach.rules for one in side.suspicious(side.obligations(rule))):
                if obligation.property == name or first is None:
                    proved = side.proved(obligation, PATIENT if patient else BRIEF * 4)
                    if obligation.property == name and not proved:
                        return None
                    first = first or (None if proved else obligation)
        note = f"it alone refuses {other}" if first is None else f"it refuses {other}, as does {first.property}"
        return _judgement(identifier, Fate.KILLED, name, shown.rule, ("small",), note)

    def _shown_by(self, side: Side, rules: Iterable[str], name: str, patient: bool) -> Counterexample | None:
        for rule in rules:
            asked = [one for one in side.obligations(rule) if one.property == name]
            for obligation in side.suspicious([one for one in asked if not self.control.knows(rule, one)]):
                if not side.proved(obligation, BRIEF):
                    shown = side.shown(obligation, patient)
                    if shown is not None:
                        return shown
        return None


@attrs.frozen
class Reach:
    """What a mutant's changes reach."""

    rules: tuple[str, ...]
    statements: dict[str, str]
    """Statements on which all obligations rest, with their kinds."""
    beyond: tuple[str, ...]
    """The initial state and the theorems, if they are reached, and the operations told in one piece."""

    @classmethod
    def of(cls, identifier: str) -> Reach:
        """Measured while nothing is switched on."""
        changed = {function_named(function) for function in get(identifier).functions}

        def reached(kind: str) -> list[str]:
            found = []
            for name, entry in REGISTER[kind].items():
                behind = called_by(entry.function) | (called_by(entry.extra.run) if kind == "operation" else set())
                if changed & behind:
                    found.append(name)
            return found

        statements = {name: kind for kind in STATEMENTS for name in reached(kind)}
        initial = ["initial state"] if statements else []
        theorems = ["theorems"] if reached("theorem") or statements else []
        return cls(tuple(reached("rule")), statements, (*initial, *theorems, *reached("operation")))


def refuted(side: Side, obligations: Sequence[Obligation]) -> Found:
    """The first obligation that is not proved, best one that a small machine shows to be false."""
    suspicious = side.suspicious(obligations)
    found = Found(suspects=[one.property for one in suspicious])
    unproved: list[Obligation] = []
    for one in suspicious:
        if side.proved(one, BRIEF):
            continue
        unproved.append(one)
        if len(unproved) <= MOST_SHOWN:
            found.shown = side.shown(one)
            if found.shown is not None:
                found.obligation = one
                return found
    found.obligation = next((one for one in unproved if not side.proved(one, PATIENT)), None)
    return found


def _candidates(name: str, others: Mapping[str, Judgement]) -> list[str]:
    """Mutants that a statement may refuse: those of the gallery that it does, those killed by it, others; each time
    those first that little else seems to refuse."""
    listed = [one.identifier for one in gallery().values() if one.refused_by == name]
    rules = [one for one in others.values() if one.kind != "weaker"]
    refused = [one for one in rules if name in (one.property, *one.suspects)]
    few_first = sorted(refused, key=lambda one: (one.property != name, len(one.suspects)))
    return list(dict.fromkeys([*listed, *(one.identifier for one in few_first)]))


def _judgement(
    identifier: str, verdict: Fate, property: str = "", rule: str = "", means: tuple[str, ...] = (), note: str = ""
) -> Judgement:
    return Judgement(identifier, kind_of(identifier), verdict, property, rule, means, 0.0, note)


def _killed(
    identifier: str, obligation: Obligation, shown: Counterexample | None, suspects: Iterable[str]
) -> Judgement:
    means = ("z3", "small") if shown is not None else ("z3",)
    note = f"on the {shown.instance} machine" if shown is not None else "not proved; no small machine found"
    verdict = _judgement(identifier, Fate.KILLED, obligation.property, obligation.rule, means, note)
    return attrs.evolve(verdict, suspects=_once(suspects))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def in_phases(identifiers: Iterable[str]) -> Iterator[list[str]]:
    """Changed rules first: what is known of them helps to judge the statements."""
    everything = [one for one in identifiers if one in systematic()]
    yield [one for one in everything if kind_of(one) != "weaker"]
    yield [one for one in everything if kind_of(one) == "weaker"]
