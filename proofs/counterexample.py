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

from .foundations import initial_obligations
from .lifting import Sym, arguments_of
from .obligations import Obligation
from .paste import test_of
from .reasons import why_false
from .replay import (
    FAULTS_OF_A_STEP,
    Run,
    describe,
    false_cases,
    initial,
    notable,
    operation_faults,
    parameters,
    private_memory_faults,
    refinement_faults,
    run_rule,
    show,
    verdict,
)
from .small import INSTANCES, Sizes, SmallTheory
from .uninterrupted import obligations_of_operation

STATEMENTS = ("invariant", "transition", "theorem", "assumption")


@attrs.frozen
class Counterexample:
    """A machine, a step (none for a theorem), and the property that is false there."""

    rule: str
    """A rule or operation; or "theorem", "no step", "reading" or "initial state"."""
    property: str
    kind: str
    statement: Entry | None
    """The invariant, transition or theorem that is false; None if the property is about the rule itself."""
    instance: str
    before: Machine = attrs.field(repr=False)
    arguments: dict[str, Any]
    run: Run | None = attrs.field(repr=False)
    case: tuple[Any, ...]
    """The statement's arguments for which it is false."""
    faults: tuple[str, ...]
    """What is false, and why."""

    def replayed(self) -> bool:
        """Whether Python itself, running the rule, finds the property false."""
        return bool(self.faults)

    def text(self) -> str:
        """The printout: step, state before, what changed, what is false and why."""
        return "\n".join(self._lines()) + "\n"

    def as_test(self) -> str:
        """The same as a pytest function that runs when pasted into a file."""
        return test_of(self)

    def step(self) -> Entry | None:
        """The rule or operation that is run."""
        return REGISTER["rule"].get(self.rule) or REGISTER["operation"].get(self.rule)

    def _lines(self) -> Iterator[str]:
        statement, step = self.statement, self.step()
        yield f"{self.rule} breaks: {self.property}" if step else f"{self.rule}, false: {self.property}"
        if statement is not None:
            yield f"  {statement.sentence} ({', '.join(statement.clauses)})"
        if step is not None:
            values = ", ".join(f"{name} = {show(value)}" for name, value in self.arguments.items())
            yield f"step: {self.rule}({values})"
            yield f"  {step.sentence} ({', '.join(step.clauses)})"
        yield f"{'before' if step else 'state'} (all else is as in the initial state):"
        yield from (f"  {line}" for line in notable(self.before))
        if self.run is not None:
            yield "changed:"
            yield from self._effects(self.run)
        yield f"{'false afterwards' if self.run else 'false'}{self._for_which()}:"
        yield from (f"  {fault}" for fault in self.faults)
        how = "replayed through the rule" if step else "asked of this state in Python"
        yield f"{how}: {'yes' if self.replayed() else 'NO'}"

    def _effects(self, run: Run) -> Iterator[str]:
        yield from (f"  {describe(f, k)}: {show(old)} -> {show(new)}" for f, k, old, new in run.changes)
        if not run.changes:
            yield "  nothing"
        if run.refused is not None:
            yield f"  refused: {run.refused.value}"
        for step, values in run.shown:
            yield f"  the guest sees: {step.__name__}({', '.join(map(show, values))})"
        if run.result is not None:
            yield f"  returned: {show(run.result)}"

    def _for_which(self) -> str:
        names = list(parameters(self.statement.function)) if self.statement else []
        told = [f"{name} = {show(value)}" for name, value in zip(names, self.case, strict=False)]
        return f" for {', '.join(told)}" if told else ""


def explain(rule: str, path: int | None, property: str) -> Counterexample | None:
    """A small machine on which the rule, on this path if it can be, breaks the property; None if there is none.

    rule: a rule's name; "theorem"; "no step" for a statement about every step that is false where nothing changes; or
    "reading" for a statement that cannot be asked. property: as in the obligation's name, or a kind of obligation.
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
                if found.replayed():
                    return found
                spurious = found
    return spurious


def questions_about(
    theory: SmallTheory, rule: str, property: str
) -> tuple[dict[str, Sym], dict[str, list[Obligation]]]:
    """A rule's arguments, and its obligations for a property, or for all properties of a kind, by property."""
    arguments: dict[str, Sym] = {}
    found: list[Obligation] = []
    if rule in REGISTER["rule"]:
        entry = REGISTER["rule"][rule]
        arguments, paths = theory.paths(entry)
        found = [one for path in paths for one in theory.path_obligations(entry, arguments, path, theory.granted)]
    elif rule in REGISTER["operation"]:
        entry = REGISTER["operation"][rule]
        arguments = arguments_of(theory.lift, entry.function)
        found = list(obligations_of_operation(theory, entry, arguments))
    elif rule == "initial state":
        found = list(initial_obligations(theory))
    else:
        found = [one for one in theory.general_obligations() if one.rule == rule]
    by_property: dict[str, list[Obligation]] = {}
    for one in found:
        if property in (one.property, one.kind):
            by_property.setdefault(one.property, []).append(one)
    return arguments, by_property


def confirm(instance: str, obligation: Obligation, machine: Machine, values: dict[str, Any]) -> Counterexample:
    """Run the rule on the machine and ask for the property."""
    rule = REGISTER["rule"].get(obligation.rule) or REGISTER["operation"].get(obligation.rule)
    if obligation.rule == "initial state":
        machine = initial(machine)
    run = run_rule(machine, rule.function, list(values.values())) if rule else None
    name = obligation.property.split(":")[0] if obligation.rule == "reading" else obligation.property
    statement = next((REGISTER[kind][name] for kind in STATEMENTS if name in REGISTER[kind]), None)
    case: tuple[Any, ...] = ()
    if statement is None:
        faults = _faults(obligation, machine, values, run)
    else:
        before, after = (machine, machine) if run is None else (run.before, run.after)
        states = [before, after] if statement.kind == "transition" else [after]
        case, faults = _false_case(statement, states, errors_only=obligation.rule == "reading")
        if run is not None and (run.refused is not None or run.error is not None):
            faults = []
    return Counterexample(
        obligation.rule, name, obligation.kind, statement, instance, machine, values, run, case, tuple(faults)
    )


def _faults(obligation: Obligation, machine: Machine, values: dict[str, Any], run: Run | None) -> list[str]:
    """What is wrong with a step apart from statements about states."""
    if obligation.kind == "operation":
        return operation_faults(machine, obligation.rule, list(values.values()))
    if run is None:
        return private_memory_faults(machine)
    return FAULTS_OF_A_STEP.get(obligation.kind, refinement_faults)(run)


def _false_case(statement: Entry, states: list[Machine], errors_only: bool) -> tuple[tuple[Any, ...], list[str]]:
    """The first arguments for which a statement is false, and why."""
    for case in false_cases(statement, *states):
        answer = verdict(statement.function, states, case)
        if isinstance(answer, str):
            return case, [answer]
        if not errors_only:
            return case, why_false(statement.function, [*states, *case]) or ["it is false"]
    return (), []


__all__ = ["Counterexample", "confirm", "explain"]
