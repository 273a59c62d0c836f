"""Laws: what is true of any one or two machines, as obligations.

The second machine has functions of its own for all that rules write and for
the parameters that may be configured; what is known of the first machine is
known of it too. A law about something abstract is asked with that question
hidden: known are the facts it names, each of which is a law.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import z3

from pagelaw.spec.language import REGISTER, VM, Abstract, Entry, Measure
from pagelaw.spec.machine import Machine

from .encoding import functions_in
from .lifting import SymState, arguments_of, types_in
from .obligations import Obligation, Statement, Theory


class Machines:
    """Two machines in one encoding."""

    def __init__(self, theory: Theory) -> None:
        self.theory = theory
        shapes = Machine.shapes().values()
        own = [shape for shape in shapes if not shape.field.is_given or shape.field.configured]
        self.others = {shape.name: theory.encoding.function(shape, "two.") for shape in own}
        self._replaced = [(theory.functions[name], self._body(other)) for name, other in self.others.items()]
        for measure in theory.measures:
            total, other = theory.lift.measure_function(measure), theory.lift.measure_function(measure, "two.")
            self._replaced.append((total, self._body(other)))

    @staticmethod
    def _body(function: Any) -> Any:
        return function(*[z3.Var(i, function.domain(i)) for i in range(function.arity())])

    def first(self) -> SymState:
        """The one machine."""
        return self.theory.machine()

    def second(self) -> SymState:
        """The other."""
        both = {**self.theory.functions, **self.others}
        state = SymState(self.theory.lift, Machine, lambda shape: both[shape.name])
        state.version, state.label = "two", "two."
        return state

    def of_second(self, term: Any) -> Any:
        """What a term about the first machine says of the second."""
        return z3.substitute_funs(term, *self._replaced)

    def statement(self, entry: Entry, swapped: bool = False, alone: int = 0) -> Statement:
        """A law as a term: of the machines in this order or the other; of one alone, of the first or the second."""
        asked, lift = inspect.unwrap(entry.function), self.theory.lift
        states = [self.first(), self.second()]
        states = [states[alone]] if number_of_machines(entry) == 1 else states[::-1] if swapped else states
        arguments = arguments_of(lift, entry.function, len(states))
        term, defined = lift.merge(lambda: asked(*states, *arguments.values()), bool)
        variables, kinds = [a.term for a in arguments.values()], [a.kind for a in arguments.values()]
        closed = self.theory.encoding.quantify(True, variables, kinds, term)
        return Statement(entry, variables, kinds, term, closed, defined)

    def sums(self, term: Any) -> Iterator[Any]:
        """Of sums over VMs that a term takes of both machines: one with a greater entry and no smaller one is greater.

        Proved by induction in the same run, as "a sum with a greater entry and no smaller one is greater".
        """
        theory, names = self.theory, functions_in([term])
        for measure in theory.measures:
            one, two = (theory.lift.measure_function(measure, label) for label in ("", "two."))
            over = Machine.shapes()[measure.over]
            if not {one.name(), two.name()} <= names or one.arity() or over.keys != (VM,):
                continue
            some, other = theory.encoding.fresh(VM, "some"), theory.encoding.fresh(VM, "other")
            for first, second, greater, less in ((self.first(), self.second(), one, two),
                                                 (self.second(), self.first(), two, one)):
                weigh = self._weighed(measure, first, second)
                smaller = theory.encoding.quantify(False, [other], [VM], weigh(other, True))
                whole = z3.Or(z3.Not(weigh(some, False)), greater() > less(), smaller)
                yield theory.encoding.quantify(True, [some], [VM], whole)

    def _weighed(self, measure: Measure[Any], first: SymState, second: SymState) -> Callable[[Any, bool], Any]:
        """Whether an entry of the first machine weighs more than that of the second, or less."""
        def ask(key: Any, less: bool) -> Any:
            weights = [self.theory.lift.weight(measure, s, s.fields[measure.over].read([key]), key, [])
                       for s in (first, second)]
            return weights[0] < weights[1] if less else weights[0] > weights[1]

        return ask

    def facts(self, about: Abstract) -> Iterator[Any]:
        """What is known of something abstract, of each machine and of both in either order."""
        for fact in about.facts:
            entry = REGISTER["law"][fact.__name__]
            if number_of_machines(entry) == 1:
                yield from (self.statement(entry, alone=one).closed for one in (0, 1))
            else:
                yield from (self.statement(entry, swapped=swapped).closed for swapped in (False, True))


def number_of_machines(entry: Entry) -> int:
    """How many machines a law speaks of."""
    return sum(hint is Machine for name, hint in types_in(inspect.unwrap(entry.function)).items() if name != "return")


def law_obligations(theory: Theory) -> Iterator[Obligation]:
    """Every law, and that it can be asked at all."""
    machines = Machines(theory)
    for entry in REGISTER["law"].values():
        both = number_of_machines(entry) == 2
        granted = theory.hypotheses
        assumed = [one.closed for one in theory.assumptions]
        if both:
            granted += [machines.of_second(term) for term in granted]
            assumed += [machines.of_second(term) for term in assumed]
        whole = machines.statement(entry)
        asked = {}
        for conditions, need, what in whole.defined:
            demand = z3.And(*conditions, z3.Not(need))
            asked[demand.get_id()] = (demand, conditions, need, what)  # the demand is kept, and so its number
        for number, (_, conditions, requirement, what) in enumerate(asked.values()):
            yield Obligation("law", f"{entry.name} can be asked: {what} ({number})", "defined", 0,
                             (*assumed, *conditions), requirement)
        if entry.extra is None:
            sums = machines.sums(whole.body)
            yield Obligation("law", entry.name, "law", 0, (*granted, *sums), whole.body)
            continue
        theory.lift.abstract.add(entry.extra.view.__name__)
        try:
            hidden, facts = machines.statement(entry), list(machines.facts(entry.extra))
        finally:
            theory.lift.abstract.clear()
        yield Obligation("law", entry.name, "law", 0, (*granted, *facts), hidden.body)


def configuration_obligations(theory: Theory) -> Iterator[Obligation]:
    """What an administrator configures between two steps leaves every invariant as it was."""
    configured = [s for s in Machine.shapes().values() if s.field.configured]
    others = {shape.name: theory.encoding.function(shape, "configured.") for shape in configured}
    replaced = [(theory.functions[name], Machines._body(other)) for name, other in others.items()]
    assumed = [z3.substitute_funs(one.closed, *replaced) for one in theory.assumptions]
    for name, invariant in theory.invariants.items():
        after = z3.substitute_funs(invariant.body, *replaced)
        yield Obligation("configuration", name, "invariant", 0, (*theory.hypotheses, *assumed), after)


__all__ = ["Machines", "configuration_obligations", "law_obligations", "number_of_machines"]
