"""Counterexamples: the smallest machine on which a step breaks a property, replayed through the rule itself.

A proof that fails says only that there may be something wrong. Here the same
question is asked again on a small instance; its answer is a machine, on which
the rule is run and the property is asked in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Entry
from pagelaw.spec.machine import Machine

from .lifting import Path, Sym
from .obligations import Obligation
from .paste import test_of
from .reasons import why_false
from .replay import Run, describe, false_cases, notable, parameters, refinement_faults, run_rule, show, verdict
from .small import INSTANCES, Sizes, SmallTheory

CHANGES_NOTHING = "a refusal changes nothing"


@attrs.frozen
class Counterexample:
    """A machine, a step (none for a theorem), and the property that is false there."""

    rule: str
    property: str
    kind: str
    entry: Entry | None
    """The invariant or theorem that is false; None if the property is about the rule itself."""
    instance: str
    before: Machine = attrs.field(repr=False)
    arguments: dict[str, Any]
    run: Run | None = attrs.field(repr=False)
    case: tuple[Any, ...]
    faults: tuple[str, ...]
    replayed: bool

    def text(self) -> str:
        """The printout: step, state before, what changed, what is false and why."""
        return "\n".join(self._lines()) + "\n"

    def as_test(self) -> str:
        """The same as a pytest function that runs when pasted into a file."""
        return test_of(self)

    def _lines(self) -> Iterator[str]:
        entry, rule = self.entry, REGISTER["rule"].get(self.rule)
        yield f"{self.rule} breaks: {self.property}" if rule else f"false: {self.property}"
        if entry is not None:
            yield f"  {entry.sentence} ({', '.join(entry.clauses)})"
        if rule is not None:
            values = ", ".join(f"{name} = {show(value)}" for name, value in self.arguments.items())
            yield f"step: {self.rule}({values})"
            yield f"  {rule.sentence} ({', '.join(rule.clauses)})"
        yield "before (all else is as in the initial state):" if rule else "state (all else is as in the initial one):"
        yield from (f"  {line}" for line in notable(self.before))
        if self.run is not None:
            yield "changed:"
            yield from (f"  {describe(f, k)}: {show(old)} -> {show(new)}" for f, k, old, new in self.run.changes)
            yield from self._ending(self.run)
        names = list(parameters(entry.function)) if entry else []
        told = ", ".join(f"{name} = {show(value)}" for name, value in zip(names, self.case, strict=False))
        when = "false afterwards" if self.run else "false"
        yield f"{when} for {told}:" if told else f"{when}:"
        yield from (f"  {fault}" for fault in self.faults)
        yield f"replayed through the rule: {'yes' if self.replayed else 'NO'}" if rule else (
            f"evaluated by the statement itself: {'yes' if self.replayed else 'NO'}"
        )

    def _ending(self, run: Run) -> Iterator[str]:
        if not run.changes:
            yield "  nothing"
        if run.refused is not None:
            yield f"  refused: {run.refused.value}"
        for step, values in run.shown:
            yield f"  the guest sees: {step.__name__}({', '.join(map(show, values))})"
        if run.result is not None:
            yield f"  returned: {show(run.result)}"


STATEMENTS = ("invariant", "theorem", "assumption")


def explain(rule: str, path: int | None, property: str) -> Counterexample | None:
    """A small machine on which the rule, on this path if it can be, breaks the property; None if there is none.

    rule: a rule's name; "theorem", or "reading" for a statement that cannot be asked. property: as in the
    obligation's name, or a kind of obligation.
    """
    for name, members in INSTANCES.items():
        found = explain_on(name, members, rule, path, property)
        if found is not None:
            return found
    return None


def explain_on(instance: str, members: Sizes, rule: str, path: int | None, property: str) -> Counterexample | None:
    """The same on one instance."""
    theory = SmallTheory(members)
    arguments, questions = questions_about(theory, rule, property)
    spurious: Counterexample | None = None
    for asked in questions.values():
        of_path = [one for one in asked if one.path == path]
        for some in (of_path, asked):
            state = theory.refute(some, arguments) if some else None
            if state is not None:
                found = confirm(instance, some[0], *state)
                if found.replayed:
                    return found
                spurious = found
    return spurious


def questions_about(
    theory: SmallTheory, rule: str, property: str
) -> tuple[dict[str, Sym], dict[str, list[Obligation]]]:
    """A rule's arguments, and its obligations for a property, or for all properties of a kind, by property."""
    arguments: dict[str, Sym] = {}
    if rule in REGISTER["rule"]:
        entry = REGISTER["rule"][rule]
        arguments, paths = theory.paths(entry)
        found = [one for path in paths for one in obligations_of(theory, entry, path)]
    else:
        found = [one for one in theory.general_obligations() if one.rule == rule]
    by_property: dict[str, list[Obligation]] = {}
    for one in found:
        if property in (one.property, one.kind):
            by_property.setdefault(one.property, []).append(one)
    return arguments, by_property


def obligations_of(theory: SmallTheory, entry: Entry, path: Path) -> Iterator[Obligation]:
    """The obligations of one path; of one that refuses after it has written, that it does not exist."""
    if path.refused is not None and path.state.written:
        yield Obligation(entry.name, CHANGES_NOTHING, "refusal", path.index, tuple(path.conditions), theory.false)
        return
    yield from theory.path_obligations(entry, path, theory.granted)


def confirm(instance: str, obligation: Obligation, machine: Machine, values: dict[str, Any]) -> Counterexample:
    """Run the rule on the machine and ask for the property."""
    rule = REGISTER["rule"].get(obligation.rule)
    run = run_rule(machine, rule.function, list(values.values())) if rule else None
    name = obligation.property.split(":")[0] if obligation.rule == "reading" else obligation.property
    statement = next((REGISTER[kind][name] for kind in STATEMENTS if name in REGISTER[kind]), None)
    case: tuple[Any, ...] = ()
    if statement is not None and (run is None or run.error is None):
        state = run.after if run else machine
        cases = false_cases(state, statement)
        if obligation.rule == "reading":
            cases = [one for one in cases if isinstance(verdict(state, statement.function, one), str)]
        case = next(iter(cases), ())
        answer = verdict(state, statement.function, case) if cases else True
        replayed = bool(cases) and (run is None or run.refused is None)
        faults = [answer] if isinstance(answer, str) else why_false(state, statement.function, case) if cases else []
    else:
        assert run is not None
        faults = refinement_faults(run)
        replayed = bool(faults)
    return Counterexample(
        obligation.rule, name, obligation.kind, statement, instance, machine, values, run, case, tuple(faults), replayed
    )


__all__ = ["CHANGES_NOTHING", "Counterexample", "explain", "obligations_of"]
