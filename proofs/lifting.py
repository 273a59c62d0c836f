"""Running a rule on symbolic values: every path of it, each with its condition and what it leaves.

The rule's own Python runs. A symbolic truth value asked for its truth forks:
the rule is run again from the start, once for each way the question can go.
A `view` is run the same way, but its paths are merged into one term.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any, get_type_hints

import attrs
import z3

from pagelaw.spec.language import Blocked, Contents, Identifier, Measure, Sum, sum_of, variants_of
from pagelaw.spec.language.variants import SumMeta

from .encoding import Encoding
from .symbolic import Sym, SymBool, SymContents, SymFraction, SymId, SymInt, SymMap, SymState, SymSum
from .tracing import CannotLift, Tracer

__all__ = ["CannotLift", "Lift", "Path", "Sym", "SymMap", "SymState", "Tracer", "arguments_of", "paths_of"]


class Lift:
    """Runs functions of the specification on symbolic values of one encoding."""

    def __init__(self, encoding: Encoding, measures: Sequence[Measure[Any]] = ()) -> None:
        self.encoding = encoding
        self._measures = list(measures)
        self._stack: list[Tracer] = []
        self._views: dict[Any, Any] = {}
        self.abstract: set[str] = set()
        """The questions whose text is hidden: two are the same if their text says the same, and no more is known."""
        self._hidden: dict[tuple[str, int], Any] = {}
        self.asking = 0  # how many questions are being worked out, one inside the other
        self.measure_functions: dict[str, Any] = {}

    # values

    @property
    def tracer(self) -> Tracer:
        """The run in progress."""
        return self._stack[-1]

    def wrap(self, term: Any, kind: type) -> Any:
        """A symbolic value for a term."""
        if kind is bool:
            return SymBool(self, term, bool)
        if kind is int:
            return SymInt(self, term, int)
        if kind is Fraction:
            return SymFraction(self, term, Fraction)
        if kind is Contents:
            return SymContents(self, term, kind)
        if issubclass(kind, Identifier):
            return SymId(self, term, kind)
        return SymSum(self, term, sum_of(kind) if kind not in Sum.__subclasses__() else kind)

    def term(self, value: Any, kind: type) -> Any:
        """The term for a value, symbolic or concrete. A whole number stands for a rational one where one belongs."""
        if kind is Fraction and type(value) is int:
            value = Fraction(value)
        if isinstance(value, Sym):
            if kind is Fraction and value.kind is int:
                return z3.ToReal(value.term)
            if value.term.sort() != self.encoding.sort(kind):
                raise CannotLift(f"a {value.kind.__name__} stands where a {kind.__name__} belongs")
            return value.term
        try:
            term = self.encoding.constant(value)
        except (TypeError, KeyError) as error:
            raise CannotLift(f"{value!r} stands where a {kind.__name__} belongs") from error
        if term.sort() != self.encoding.sort(kind):
            raise CannotLift(f"{value!r} stands where a {kind.__name__} belongs")
        return term

    def kind_of(self, *values: Any) -> type:
        """The type that values have in common."""
        kinds = [value.kind if isinstance(value, Sym) else type(value) for value in values]
        if Fraction in kinds:
            return Fraction
        known = [value.kind for value in values if isinstance(value, Sym)]
        return known[0] if known else sum_of(kinds[0]) if issubclass(kinds[0], Sum) else kinds[0]

    def ratio(self, above: Any, below: Any) -> Any:
        """A quotient of numbers, as a rational one; demands that the divisor is not 0."""
        one, other = self.term(above, Fraction), self.term(below, Fraction)
        if not (z3.is_rational_value(other) and other.numerator_as_long()):
            self.tracer.demand(other != 0, "a ratio to what may be 0")
        return self.wrap(one / other, Fraction)

    def construct(self, cls: type, arguments: tuple[Any, ...]) -> Any:
        """A variant with symbolic fields (None if no field is symbolic)."""
        if not any(isinstance(a, Sym) for a in arguments):
            return None
        if variants_of(cls) != (cls,):
            raise CannotLift(f"{cls.__name__} stands for several variants; build one of them")
        hints = self.encoding.hints(cls)
        terms = [self.term(a, hints[f.name]) for a, f in zip(arguments, attrs.fields(cls), strict=True)]
        return SymSum(self, self.encoding.constructor(cls)(*terms), sum_of(cls))

    def built(self, term: Any, leaves: tuple[type, ...]) -> type | None:
        """The variant that a term visibly builds, if it does."""
        if z3.is_app(term) and term.decl().kind() == z3.Z3_OP_DT_CONSTRUCTOR:
            name = term.decl().name()
            return next(leaf for leaf in leaves if leaf.__name__ == name)
        return None

    def is_one_of(self, term: Any, leaves: Sequence[type]) -> Any:
        """The term for: is one of these variants."""
        return z3.Or([self.encoding.tester(leaf)(term) for leaf in leaves])

    def read_field(self, value: SymSum, field: str) -> Any:
        """A field, through the variants that the value can be here; demands that it is one of them."""
        everything = variants_of(value.kind)
        having = tuple(leaf for leaf in everything if any(f.name == field for f in attrs.fields(leaf)))
        if not having:
            raise CannotLift(f"no variant of {value.kind.__name__} has a field {field}")
        built = self.built(value.term, everything)
        possible = (built,) if built else self.tracer.possible.get(value.term.get_id(), (None, everything))[1]
        here = [leaf for leaf in possible if leaf in having] or list(having)
        if not set(possible) <= set(having):
            self.tracer.demand(self.is_one_of(value.term, having), f".{field} of a {value.kind.__name__}")
        kind = self.encoding.hints(here[0])[field]
        if built:
            index = [f.name for f in attrs.fields(built)].index(field)
            return self.wrap(value.term.arg(index), kind)
        term = self.encoding.accessor(here[-1], field)(value.term)
        for leaf in reversed(here[:-1]):
            term = z3.If(self.encoding.tester(leaf)(value.term), self.encoding.accessor(leaf, field)(value.term), term)
        return self.wrap(term, kind)

    def settle(self, question: Any) -> Any:
        """A condition, made true or false where this path has already answered it."""
        if self._stack:
            known = self.tracer.truth.get(question.get_id())
            if known is not None:
                return z3.BoolVal(known[1])
        return z3.simplify(question) if z3.is_and(question) and question.num_args() == 1 else question

    # running

    def paths(self, run: Callable[[Tracer], Any]) -> Generator[tuple[Tracer, Any], None, None]:
        """Run once for each way the questions can go, depth first; gives each run's tracer and result."""
        decisions: list[bool] = []
        previous, SumMeta.lift = SumMeta.lift, self.construct
        try:
            while True:
                tracer = Tracer(self, decisions)
                self._stack.append(tracer)
                try:
                    result = run(tracer)
                finally:
                    self._stack.pop()
                yield tracer, result
                while decisions and not decisions[-1]:
                    decisions.pop()
                if not decisions:
                    return
                decisions[-1] = False
        finally:
            SumMeta.lift = previous

    def merge(self, run: Callable[[], Any], kind: type | None = None) -> tuple[Any, list[Any]]:
        """All paths of something pure as one term, and what must hold for it to be defined."""
        leaves: list[tuple[list[tuple[Any, bool]], Any]] = []
        demands: list[Any] = []
        results = []
        self.asking += 1
        try:
            for tracer, result in self.paths(lambda _: run()):
                results.append((tracer.taken, result))
                demands.extend(tracer.defined)
        except Blocked as blocked:
            raise CannotLift(f"a question refuses ({blocked.reason.name})") from blocked
        finally:
            self.asking -= 1
        if kind is None:
            kind = self.kind_of(*[r for _, r in results])
        for taken, result in results:
            leaves.append((taken, self.term(result, kind)))
        return self._tree(leaves, 0), demands

    def _tree(self, leaves: list[tuple[list[tuple[Any, bool]], Any]], depth: int) -> Any:
        if len(leaves) == 1 and len(leaves[0][0]) == depth:
            return leaves[0][1]
        question = leaves[0][0][depth][0]
        yes = self._tree([leaf for leaf in leaves if leaf[0][depth][1]], depth + 1)
        no = self._tree([leaf for leaf in leaves if not leaf[0][depth][1]], depth + 1)
        if yes.eq(no):
            return yes
        if yes.sort() == z3.BoolSort():
            if z3.is_true(yes):
                return question if z3.is_false(no) else z3.Or(question, no)
            if z3.is_false(yes):
                return z3.Not(question) if z3.is_true(no) else z3.And(z3.Not(question), no)
            if z3.is_false(no):
                return z3.And(question, yes)
            if z3.is_true(no):
                return z3.Implies(question, yes)
        return z3.If(question, yes, no)

    def known_views(self, views: dict[Any, Any] | None = None) -> dict[Any, Any]:
        """The questions worked out so far; given some, know only those."""
        if views is not None:
            self._views = dict(views)
        return dict(self._views)

    def view(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A question about the state as one term; the same question of the same state is worked out once."""
        def shown(value: Any) -> Any:
            if isinstance(value, SymState):
                return (id(value.shapes_by_name), value.version)
            return value.term.get_id() if isinstance(value, Sym) else value

        if function.__name__ in self.abstract:
            return self._hide(function, arguments)
        key = (function, *map(shown, arguments))
        known = self._views.get(key)
        if known is None:
            returns = types_in(function)["return"]
            term, demands = self.merge(lambda: function(*arguments), returns)
            known = self._views[key] = (term, demands, returns, arguments)
        term, demands, returns, _ = known
        if self._stack:
            before = self.tracer.conditions
            self.tracer.defined.extend(([*before, *conditions], need, what) for conditions, need, what in demands)
        return self.wrap(term, returns)

    def _hide(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A question as a function of which nothing is known; what it reads of the state makes it this function."""
        hints = types_in(function)
        names = list(inspect.signature(function).parameters)[1:]
        kinds, sorts = [hints[n] for n in names], [self.encoding.sort(hints[n]) for n in names]
        places = [z3.Const(f"{function.__name__}.{n}", sort) for n, sort in zip(names, sorts, strict=True)]
        self.abstract.discard(function.__name__)
        try:
            whole = [self.wrap(place, kind) for place, kind in zip(places, kinds, strict=True)]
            text, _ = self.merge(lambda: function(arguments[0], *whole), hints["return"])
        finally:
            self.abstract.add(function.__name__)
        key = (function.__name__, text.get_id())
        if key not in self._hidden:
            made = z3.Function(f"{function.__name__}!{len(self._hidden)}", *sorts, self.encoding.sort(hints["return"]))
            self._hidden[key] = (made, text)  # the text is kept, and so its number
        made, _ = self._hidden[key]
        given = [self.term(one, kind) for one, kind in zip(arguments[1:], kinds, strict=True)]
        return self.wrap(made(*given), hints["return"])

    def enabled(self, rule: Callable[..., Any], state: SymState, arguments: tuple[Any, ...],
                so_that: Callable[[SymState], Any]) -> Any:
        """Whether the rule would not refuse, and leave what is as asked for, as one term."""
        term, demands = self.attempt(rule, state, arguments, so_that)
        before = self.tracer.conditions
        self.tracer.defined.extend(([*before, *conditions], need, what) for conditions, need, what in demands)
        return self.wrap(term, bool)

    def attempt(self, rule: Callable[..., Any], state: SymState, arguments: Sequence[Any],
                so_that: Callable[[SymState], Any] = lambda after: True) -> tuple[Any, list[Any]]:
        """The same as a term, and what must hold for it to be defined."""

        def run() -> Any:
            trial = state.clone()  # it may write: on a state of its own
            try:
                rule(trial, *arguments)
            except Blocked:
                return False
            return so_that(trial)

        return self.merge(run, bool)

    def forget(self, state: SymState, fields: Sequence[str]) -> None:
        """Let fields hold anything; see `meanwhile` in the language of rules."""
        for field in fields:
            state.forget(field)

    # measures

    def measured(self, name: str) -> bool:
        """Whether some measure adds up this map."""
        return any(m.over == name for m in self._measures)

    def weight(self, measure: Measure[Any], s: SymState, value: Any, key: Any, parameters: Sequence[Any]) -> Any:
        """The weight of one entry, as a term."""
        shape = s.fields[measure.over].shape
        wrapped = self.wrap(value, shape.value), self.wrap(key, shape.keys[0])
        hints = self.parameter_kinds(measure)
        named = [self.wrap(p, kind) for p, kind in zip(parameters, hints, strict=True)]

        def number() -> Any:
            result = measure.weight(s, *wrapped, *named)
            if isinstance(result, SymBool):
                return result.pick(1, 0)
            return int(result) if isinstance(result, bool) else result

        term, demands = self.merge(number, int)
        if demands:
            raise CannotLift(f"the weight {measure.__name__} reads a field that its entry need not have")
        return term

    def parameter_kinds(self, measure: Measure[Any]) -> list[type]:
        """The types of a measure's own parameters."""
        return list(types_in(measure.weight).values())[3:-1]

    def measure_function(self, measure: Measure[Any], label: str = "") -> Any:
        """The uninterpreted function that the measure is before a step; of the other of two machines by its label."""
        name = f"{label}sum.{measure.__name__}"
        if name not in self.measure_functions:
            sorts = [self.encoding.sort(k) for k in self.parameter_kinds(measure)]
            self.measure_functions[name] = z3.Function(name, *sorts, z3.IntSort())
        return self.measure_functions[name]

    def measure(self, measure: Measure[Any], s: SymState, parameters: Sequence[Any]) -> Any:
        """The measure's value in a state: its value before, shifted by every write since."""
        kinds = self.parameter_kinds(measure)
        terms = [self.term(p, k) for p, k in zip(parameters, kinds, strict=True)]
        return self.wrap(self.measure_term(measure, s, terms), int)

    def measure_term(self, measure: Measure[Any], s: SymState, terms: Sequence[Any]) -> Any:
        """The same, on terms. On a small instance it is added up."""
        held = s.fields[measure.over]
        if self.encoding.sizes is not None:
            members = self.encoding.terms(held.shape.keys[0])
            return z3.Sum([self.weight(measure, s, held.read([one]), one, terms) for one in members])
        if held.is_forgotten or s.version == "after":
            raise CannotLift(f"{measure.__name__} of a state that is not known by its writes")
        return self.shifted(measure, s, terms, self.measure_function(measure, s.label)(*terms))

    def shifted(self, measure: Measure[Any], s: SymState, terms: Sequence[Any], total: Any) -> Any:
        """A measure's value before, shifted by every write to its map since."""
        for update in s.fields[measure.over].updates:
            assert update.point is not None
            (key,), old, new = update.point
            before = self.weight(measure, s, old, key, terms)
            after = self.weight(measure, s, new, key, terms)
            total = total + after - before
        return total


@attrs.define
class Path:
    """One way through a rule: its condition, how it ended, and the state it left."""

    index: int
    conditions: list[Any]
    refused: Enum | None
    result: Any
    state: Any
    defined: list[tuple[list[Any], Any, str]]
    event: tuple[Callable[..., Any], tuple[Any, ...]] | None
    unseen: Enum | None
    seen: Any
    private: Any
    outcomes: list[tuple[str, Any, bool]] = attrs.field(factory=list)
    """Which way each question went: the line that asked, the question, the answer."""


@cache
def types_in(function: Callable[..., Any]) -> dict[str, Any]:
    """The types in a function's signature, looked up once."""
    return get_type_hints(function)


def arguments_of(lift: Lift, function: Callable[..., Any], states: int = 1) -> dict[str, Any]:
    """A symbolic value for every parameter of a rule or invariant after the state, or both states."""
    hints = types_in(inspect.unwrap(function))
    names = list(inspect.signature(function.__wrapped__ if hasattr(function, "__wrapped__") else function).parameters)
    return {n: lift.wrap(lift.encoding.fresh(hints[n], n), hints[n]) for n in names[states:]}


def paths_of(lift: Lift, function: Callable[..., Any], fresh_state: Callable[[], SymState],
             private: Callable[[], SymState], arguments: dict[str, Any]) -> list[Path]:
    """Every path of a rule, each followed by the step of private memory that it claims to be."""
    found: list[Path] = []

    def run(tracer: Tracer) -> Path:
        s, memory = fresh_state(), private()
        path = Path(len(found), [], None, None, s, tracer.defined, None, None, None, memory)
        try:
            path.result = function(s, *arguments.values())
        except Blocked as blocked:
            path.refused = blocked.reason
            return path
        if len(s.events) > 1:
            raise CannotLift(f"{function.__name__} shows the guest more than one step")
        if s.events:
            path.event = s.events[0]
            step, shown = path.event
            try:
                path.seen = step(memory, *shown)
            except Blocked as blocked:
                path.unseen = blocked.reason
        return path

    for tracer, path in lift.paths(run):
        path.conditions = tracer.conditions
        path.outcomes = [(line, *taken) for line, taken in zip(tracer.places, tracer.taken, strict=True)]
        found.append(path)
    return found
