"""What has to be proved, as terms: for every rule, path and property one query.

Every invariant is turned into a term once, over the state before. What it
says of the state after a path is that term with every function replaced by
what the path made of it. A property that a path leaves untouched needs no
query at all, and is recognised by being the same term.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import attrs
import z3

from pagelaw import spec  # noqa: F401  (fills the register)
from pagelaw.spec.language import REGISTER, VM, Contents, Entry, Measure, Value, Word
from pagelaw.spec.language.state import Shape
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from .encoding import Encoding, functions_in
from .lifting import CannotLift, Lift, Path, Sym, SymMap, SymState, arguments_of, paths_of


@attrs.frozen
class Obligation:
    """One query: the hypotheses imply the goal."""

    rule: str
    property: str
    kind: str
    path: int
    hypotheses: tuple[Any, ...] = attrs.field(repr=False)
    goal: Any = attrs.field(repr=False)

    @builtins.property
    def name(self) -> str:
        """A name that tells it from all others."""
        return f"{self.rule}/{self.path}/{self.property}"


@attrs.define
class Statement:
    """An invariant as a term: its parameters, its body over the state before, and itself for all parameters."""

    entry: Entry
    variables: list[Any]
    kinds: list[type]
    body: Any
    closed: Any
    defined: list[tuple[list[Any], Any, str]]


class Theory:
    """The specification in one encoding: the state before, the invariants as terms, the counting facts."""

    def __init__(self, encoding: Encoding | None = None) -> None:
        self.encoding = encoding or Encoding()
        self.measures: list[Measure[Any]] = [e.function for e in REGISTER["measure"].values()]  # type: ignore[misc]
        self.lift = Lift(self.encoding, self.measures)
        self.functions = {n: self.encoding.function(s) for n, s in Machine.shapes().items()}
        self.represents = {e.extra: e for e in REGISTER["represents"].values()}
        self.assumptions = [self.statement(e) for e in REGISTER["assumption"].values()]
        self.invariants = {n: self.statement(e) for n, e in REGISTER["invariant"].items()}
        self.later = {
            n: self.encoding.function(s, "after.") for n, s in Machine.shapes().items() if not s.field.is_given
        }
        self.transitions = {n: self.statement(e) for n, e in REGISTER["transition"].items()}
        self.views_defined: list[tuple[str, Any]] = []
        self.views = self._private_views()
        self.words = self._word_facts()
        self._facts: dict[Measure[Any], list[Any]] = {}
        for measure in self.measures if self.encoding.sizes is None else ():
            self.counting_facts(measure)
        self._begun = self.encoding.names_from(), self.lift.known_views()

    def start_over(self) -> None:
        """As if nothing had been asked yet: what is built next has the same names, whatever was built before."""
        number, views = self._begun
        self.encoding.names_from(number)
        self.lift.known_views(views)

    # states

    def machine(self) -> SymState:
        """The state before a step: anything at all."""
        return SymState(self.lift, Machine, lambda shape: self.functions[shape.name])

    def machine_after(self) -> SymState:
        """The state after a step: anything at all, but for the parameters."""
        both = {**self.functions, **self.later}
        state = SymState(self.lift, Machine, lambda shape: both[shape.name])
        state.version = "after"
        return state

    def private(self) -> SymState:
        """Private memory before a step, read off the machine before it."""

        def base(shape: Shape) -> Any:
            variables, body = self.views[shape.name]
            if not variables:
                return lambda: body
            return lambda *keys: z3.substitute(body, *zip(variables, keys, strict=True))

        return SymState(self.lift, PrivateMemory, base)

    def _private_views(self) -> dict[str, tuple[list[Any], Any]]:
        found: dict[str, tuple[list[Any], Any]] = {}
        for name, shape in PrivateMemory.shapes().items():
            variables = [self.encoding.fresh(k, k.__name__.lower()) for k in shape.keys]
            if name in self.represents:
                wrapped = [self.lift.wrap(v, k) for v, k in zip(variables, shape.keys, strict=True)]
                asked = inspect.unwrap(self.represents[name].function)
                body, defined = self.lift.merge(lambda: asked(self.machine(), *wrapped), shape.value)  # noqa: B023
                self.views_defined.extend((name, demand) for demand in defined)
            else:
                body = self.functions[name](*variables)
            found[name] = (variables, body)
        return found

    def _word_facts(self) -> list[Any]:
        """Reading a word after writing one, and that a page of zeros is one; true of pages as tuples of words."""
        if self.encoding.sizes is not None:
            return []
        kinds = [Contents, Word, Value, Word]
        page, at, value, other = (self.encoding.fresh(k, k.__name__.lower()) for k in kinds)
        changed = self.encoding.with_word(page, at, value)
        read = self.encoding.word_of(changed, other) == z3.If(at == other, value, self.encoding.word_of(page, other))
        return [z3.ForAll([page, at, value, other], read)]

    # statements

    def statement(self, entry: Entry) -> Statement:
        """An invariant, theorem, assumption or transition as a term."""
        asked = inspect.unwrap(entry.function)
        states = [self.machine()] + ([self.machine_after()] if entry.kind == "transition" else [])
        arguments = arguments_of(self.lift, entry.function, len(states))
        term, defined = self.lift.merge(lambda: asked(*states, *arguments.values()), bool)
        variables = [a.term for a in arguments.values()]
        kinds = [a.kind for a in arguments.values()]
        closed = self.encoding.quantify(True, variables, kinds, term)
        return Statement(entry, variables, kinds, term, closed, defined)

    @property
    def hypotheses(self) -> list[Any]:
        """What may be taken for granted before a step."""
        granted = [s.closed for s in self.assumptions] + [s.closed for s in self.invariants.values()]
        return granted + self.encoding.facts_of_the_instance()

    # counting

    def counting_facts(self, measure: Measure[Any]) -> list[Any]:
        """What is true of any sum of weights that are not negative: none, one or two entries never exceed it."""
        if measure not in self._facts:  # made once, and so the names in them stay the same
            self._facts[measure] = self._counting_facts(measure)
        return self._facts[measure]

    def _counting_facts(self, measure: Measure[Any]) -> list[Any]:
        encoding, lift = self.encoding, self.lift
        shape = Machine.shapes()[measure.over]
        kinds = lift.parameter_kinds(measure)
        total = lift.measure_function(measure)
        state = self.machine()
        parameters = [encoding.fresh(k, "p") for k in kinds]
        one, two = encoding.fresh(shape.keys[0], "one"), encoding.fresh(shape.keys[0], "two")
        held = self.functions[measure.over]
        first = lift.weight(measure, state, held(one), one, parameters)
        second = lift.weight(measure, state, held(two), two, parameters)
        whole = total(*parameters)
        key = shape.keys[0]
        return [
            encoding.quantify(True, parameters, kinds, whole >= 0),
            encoding.quantify(True, [*parameters, one], [*kinds, key], whole >= first),
            encoding.quantify(
                True, [*parameters, one, two], [*kinds, key, key],
                z3.Or(one == two, whole >= first + second),
            ),
        ]

    def somewhere(self, measure: Measure[Any]) -> Any:
        """A sum of weights that are not negative is 0, or some entry weighs something."""
        encoding, lift = self.encoding, self.lift
        shape, kinds = Machine.shapes()[measure.over], lift.parameter_kinds(measure)
        parameters = [encoding.fresh(k, "p") for k in kinds]
        one = encoding.fresh(shape.keys[0], "one")
        weight = lift.weight(measure, self.machine(), self.functions[measure.over](one), one, parameters)
        some = encoding.quantify(False, [one], [shape.keys[0]], weight > 0)
        return encoding.quantify(True, parameters, kinds, z3.Or(lift.measure_function(measure)(*parameters) == 0, some))

    def compared(self, measures: Sequence[Measure[Any]]) -> list[Any]:
        """Sums over the same keys, some added and some taken away, are not negative in all unless some entry's are."""
        encoding, lift = self.encoding, self.lift
        key = Machine.shapes()[measures[0].over].keys[0]
        one = encoding.fresh(key, "one")
        weights = [lift.weight(m, self.machine(), self.functions[m.over](one), one, []) for m in measures]
        totals = [lift.measure_function(m)() for m in measures]
        facts = []
        for signs in product((1, -1), repeat=len(measures)):
            entry, whole = (z3.Sum([sign * term for sign, term in zip(signs, terms, strict=True)])
                            for terms in (weights, totals))
            facts.append(z3.Or(whole >= 0, encoding.quantify(False, [one], [key], entry < 0)))
        return facts

    def replacements(self, state: SymState) -> list[tuple[Any, Any]]:
        """What a path made of every function: pairs of a function and its body afterwards."""
        pairs: list[tuple[Any, Any]] = []
        changed: set[str] = set()
        for name, held in state.fields.items():
            shape = Machine.shapes()[name]
            if isinstance(held, SymMap):
                if not held.updates:
                    continue
                variables = [self.encoding.fresh(k, "k") for k in shape.keys]
                body = held.read(variables)
            else:
                variables, body = [], held.term
                if body.eq(self.functions[name]()):
                    continue
            changed.add(name)
            pairs.append((self.functions[name], self._as_body(variables, body)))
        for measure in self.measures:
            if measure.over in changed:
                kinds = self.lift.parameter_kinds(measure)
                variables = [self.encoding.fresh(k, "k") for k in kinds]
                body = self._shifted(measure, state, variables)
                pairs.append((self.lift.measure_function(measure), self._as_body(variables, body)))
        return pairs

    def _shifted(self, measure: Measure[Any], state: SymState, variables: list[Any]) -> Any:
        body: list[Any] = []
        for _ in self.lift.paths(lambda _: body.append(self.lift.measure_term(measure, state, variables))):
            pass
        return body[0]

    @staticmethod
    def _as_body(variables: Sequence[Any], body: Any) -> Any:
        return z3.substitute(body, *[(v, z3.Var(i, v.sort())) for i, v in enumerate(variables)])

    # rules

    def paths(self, entry: Entry) -> tuple[dict[str, Sym], list[Path]]:
        """A rule's arguments and all its paths."""
        arguments = arguments_of(self.lift, entry.function)
        return arguments, paths_of(self.lift, entry.function, self.machine, self.private, arguments)

    def facts_about(self, terms: Sequence[Any], replaced: list[tuple[Any, Any]],
                    conditions: Sequence[Any] = ()) -> list[Any]:
        """Counting facts before and after the step, for the sums that matter.

        Those are the sums in the terms, and those kept for each key of a kind
        of which some field changes. That a sum has an entry is of use to a theorem, and on a path
        where something is known of all entries. Leaving facts out can only make a proof fail.
        """
        if self.encoding.sizes is not None:
            return []
        occurring = functions_in(terms)
        shapes = Machine.shapes()
        keys = {k for function, _ in replaced if function.name() in shapes for k in shapes[function.name()].keys}
        facts: list[Any] = list(self.words) if self.encoding.with_word.name() in occurring else []
        compared: list[Measure[Any]] = []
        questioned = sorts_asked_about(conditions)
        for measure in self.measures:
            asked = self.lift.measure_function(measure).name() in occurring
            kinds = self.lift.parameter_kinds(measure)
            if asked or not replaced or (kinds and keys.issuperset(kinds)):
                before = self.counting_facts(measure)
                facts.extend(before)
                if asked and not replaced:
                    compared.append(measure)
                if asked and (not replaced or self.encoding.sort(shapes[measure.over].keys[0]) in questioned):
                    facts.append(self.somewhere(measure))
                if replaced and asked:
                    after = [z3.substitute_funs(fact, *replaced) for fact in before]
                    facts.extend(new for new, old in zip(after, before, strict=True) if not new.eq(old))
        alike = [m for m in compared if not self.lift.parameter_kinds(m) and shapes[m.over].keys == (VM,)]
        return facts + (self.compared(alike) if len(alike) > 1 else [])

    def obligations(self, entry: Entry) -> Iterator[Obligation]:
        """Everything to be proved about one rule."""
        arguments, paths = self.paths(entry)
        if all(path.refused for path in paths):
            raise CannotLift(f"{entry.name} refuses whatever it is asked")
        granted = self.hypotheses
        conditions = [z3.And(path.conditions) for path in paths]
        yield Obligation(entry.name, "paths cover all cases", "exhaustive", -1, (), z3.Or(conditions))
        for path in paths:
            yield from self.path_obligations(entry, arguments, path, granted)

    def path_obligations(self, entry: Entry, arguments: dict[str, Sym], path: Path,
                         granted: list[Any]) -> Iterator[Obligation]:
        """Everything to be proved about one path of a rule."""
        before = (*granted, *path.conditions)
        for number, (conditions, requirement, what) in enumerate(path.defined):
            yield Obligation(entry.name, f"defined: {what} ({number})", "defined", path.index,
                             (*granted, *conditions), requirement)
        if path.refused is not None:
            if path.state.written or path.state.events:
                yield Obligation(entry.name, f"a refusal ({path.refused.name}) changes nothing", "refusal",
                                 path.index, before, z3.BoolVal(False))
            return
        replaced = self.replacements(path.state)
        if path.unseen is not None:
            facts = self.facts_about(before, replaced)
            yield Obligation(entry.name, f"allowed by private memory ({path.unseen.name})", "refinement",
                             path.index, (*before, *facts), z3.BoolVal(False))
            return
        for name, statement in self.invariants.items():
            after = z3.substitute_funs(statement.body, *replaced) if replaced else statement.body
            if not after.eq(statement.body):
                facts = self.facts_about((after,), replaced, path.conditions)
                yield Obligation(entry.name, name, "invariant", path.index, (*before, *facts), after)
        yield from self._transitions(entry, path, before, replaced)
        yield from self._refinement(entry, path, before, replaced)
        if not (path.state.written or path.event):
            yield Obligation(entry.name, "a step that is not refused does something", "effect", path.index,
                             before, z3.BoolVal(False))
        if not entry.extra:
            again, _ = self.lift.attempt(entry.function, path.state, list(arguments.values()))
            if not z3.is_false(again):
                facts = self.facts_about((again,), replaced)
                yield Obligation(entry.name, "once done it is not enabled again", "once", path.index,
                                 (*before, *facts), z3.Not(again))

    def _transitions(self, entry: Entry, path: Path, before: tuple[Any, ...],
                     replaced: list[tuple[Any, Any]]) -> Iterator[Obligation]:
        bodies = {function.name(): body for function, body in replaced}
        for name, statement in self.transitions.items():
            occurring = functions_in([statement.body])
            if not any(f"after.{field}" in occurring for field in bodies):
                continue
            goal = self._after(statement, bodies)
            facts = self.facts_about((goal,), replaced)
            yield Obligation(entry.name, name, "transition", path.index, (*before, *facts), goal)

    def _after(self, statement: Statement, bodies: Mapping[str, Any]) -> Any:
        """A transition with the state after a step filled in: these bodies, all else unchanged."""
        return z3.substitute_funs(statement.body, *[
            (later, bodies.get(field, self._unchanged(field))) for field, later in self.later.items()
        ])

    def _unchanged(self, field: str) -> Any:
        sorts = [self.encoding.sort(k) for k in Machine.shapes()[field].keys]
        return self.functions[field](*[z3.Var(i, sort) for i, sort in enumerate(sorts)])

    def _refinement(self, entry: Entry, path: Path, before: tuple[Any, ...],
                    replaced: list[tuple[Any, Any]]) -> Iterator[Obligation]:
        for name, (variables, view) in self.views.items():
            after = z3.substitute_funs(view, *replaced) if replaced else view
            held = path.private.fields[name]
            wanted = held.read(variables) if isinstance(held, SymMap) else held.term
            if not after.eq(wanted):
                facts = self.facts_about((after,), replaced)
                yield Obligation(entry.name, f"refines private memory: {name}", "refinement", path.index,
                                 (*before, *facts), after == wanted)
        if path.seen is not None:
            returned = self.lift.term(path.result, path.seen.kind)
            if not returned.eq(path.seen.term):
                yield Obligation(entry.name, "refines private memory: value returned", "refinement", path.index,
                                 before, returned == path.seen.term)
        elif path.result is not None:
            raise CannotLift(f"{entry.name} returns a value that private memory knows nothing of")

    def general_obligations(self) -> Iterator[Obligation]:
        """Theorems from the invariants; that a step that changes nothing keeps every transition, which is why those
        of which it changes no field are not asked of a rule; that reading the statements is always defined."""
        granted = self.hypotheses
        for entry in REGISTER["theorem"].values():
            theorem = self.statement(entry)
            facts = self.facts_about([theorem.body], [])
            yield Obligation("theorem", entry.name, "theorem", 0, (*granted, *facts), theorem.body)
            yield from self._reading(theorem)
        for name, statement in self.transitions.items():
            goal = self._after(statement, {})
            facts = self.facts_about((goal,), [])
            yield Obligation("no step", name, "transition", 0, (*granted, *facts), goal)
        for statement in [*self.assumptions, *self.invariants.values(), *self.transitions.values()]:
            yield from self._reading(statement)
        for number, (name, (conditions, requirement, what)) in enumerate(self.views_defined):
            yield Obligation("reading", f"private memory's {name}: {what} ({number})", "defined", 0,
                             tuple(conditions), requirement)

    def _reading(self, statement: Statement) -> Iterator[Obligation]:
        assumed = [] if statement.entry.kind == "assumption" else [one.closed for one in self.assumptions]
        for number, (conditions, requirement, what) in enumerate(statement.defined):
            yield Obligation("reading", f"{statement.entry.name}: {what} ({number})", "defined", 0,
                             (*assumed, *conditions), requirement)


def sorts_asked_about(conditions: Sequence[Any]) -> set[Any]:
    """The sorts of which the conditions say something for all members."""
    return {one.var_sort(i) for one in conditions if z3.is_quantifier(one) for i in range(one.num_vars())}


__all__ = ["VM", "Obligation", "Statement", "Theory"]
