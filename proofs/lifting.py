"""Running a rule on symbolic values: every path of it, each with its condition and what it leaves.

The rule's own Python runs. A symbolic truth value asked for its truth forks:
the rule is run again from the start, once for each way the question can go.
A `view` is run the same way, but its paths are merged into one term.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, get_type_hints

import attrs
import z3

from pagelaw.spec.language import Blocked, Contents, Identifier, Measure, State, Sum, sum_of, variants_of
from pagelaw.spec.language.state import Shape
from pagelaw.spec.language.variants import SumMeta

from .encoding import Encoding


class CannotLift(Exception):
    """A function of the specification uses something that has no symbolic meaning."""


@attrs.define
class Tracer:
    """One run of one function: which way each question goes, and what was learnt on the way."""

    lift: Lift
    decisions: list[bool]
    taken: list[tuple[Any, bool]] = attrs.field(factory=list)
    truth: dict[int, tuple[Any, bool]] = attrs.field(factory=dict)
    possible: dict[int, tuple[Any, tuple[type, ...]]] = attrs.field(factory=dict)
    defined: list[tuple[list[Any], Any, str]] = attrs.field(factory=list)
    places: list[str] = attrs.field(factory=list)

    @property
    def conditions(self) -> list[Any]:
        """What holds on the path so far."""
        return [c if yes else z3.Not(c) for c, yes in self.taken]

    def decide(self, question: Any) -> bool:
        """The answer on this path to a question; a new question is answered yes first."""
        if z3.is_true(question):
            return True
        if z3.is_false(question):
            return False
        if z3.is_not(question):
            return not self.decide(question.arg(0))
        known = self.truth.get(question.get_id())
        if known is not None:
            return known[1]
        if z3.is_eq(question) and question.arg(0).eq(question.arg(1)):
            return True
        position = len(self.taken)
        if position == len(self.decisions):
            self.decisions.append(True)
        answer = self.decisions[position]
        self.taken.append((question, answer))
        self.places.append(asking_line())
        self.truth[question.get_id()] = (question, answer)
        return answer

    def ask_variant(self, term: Any, leaves: tuple[type, ...], everything: tuple[type, ...]) -> bool:
        """Whether a sum's value is one of these variants."""
        built = self.lift.built(term, everything)
        possible = (built,) if built else self.possible.get(term.get_id(), (term, everything))[1]
        yes = tuple(leaf for leaf in possible if leaf in leaves)
        if not yes or len(yes) == len(possible):
            return bool(yes)
        answer = self.decide(self.lift.is_one_of(term, yes))
        left = yes if answer else tuple(leaf for leaf in possible if leaf not in leaves)
        self.possible[term.get_id()] = (term, left)
        return answer

    def demand(self, requirement: Any, what: str) -> None:
        """Record that the requirement must hold here for the concrete run to be defined."""
        self.defined.append((self.conditions, requirement, what))


def asking_line() -> str:
    """The line of the specification that asks the question now being decided."""
    frame = inspect.currentframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("pagelaw.spec.") and not module.startswith("pagelaw.spec.language"):
            return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        frame = frame.f_back
    return ""


class Sym:
    """A symbolic value: a solver's term and the type it stands for."""

    __slots__ = ("kind", "lift", "term")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, lift: Lift, term: Any, kind: type) -> None:
        self.lift, self.term, self.kind = lift, term, kind

    @property
    def engine(self) -> Lift:
        """Where a `view` of this value is worked out."""
        return self.lift

    def _other(self, other: Any) -> Any:
        return self.lift.term(other, self.kind)

    def __eq__(self, other: object) -> Any:
        theirs = self._other(other)
        if theirs.eq(self.term):
            return SymBool(self.lift, z3.BoolVal(True), bool)
        return SymBool(self.lift, self.term == theirs, bool)

    def __ne__(self, other: object) -> Any:
        theirs = self._other(other)
        if theirs.eq(self.term):
            return SymBool(self.lift, z3.BoolVal(False), bool)
        return SymBool(self.lift, z3.Not(self.term == theirs), bool)

    def __repr__(self) -> str:
        return f"<{self.term}>"

    def __bool__(self) -> bool:
        raise CannotLift(f"a {self.kind.__name__} is used as a truth value; compare it with something")


class SymBool(Sym):
    """A truth value that is not known yet; asked for its truth, it forks."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self.lift.tracer.decide(self.term)

    def pick(self, yes: Any, no: Any) -> Any:
        """`yes` or `no`, without forking."""
        kind = self.lift.kind_of(yes, no)
        return self.lift.wrap(z3.If(self.term, self.lift.term(yes, kind), self.lift.term(no, kind)), kind)


class SymInt(Sym):
    """A whole number."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return SymInt(self.lift, self.term + self._other(other), int)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return SymInt(self.lift, self.term - self._other(other), int)

    def __rsub__(self, other: Any) -> Any:
        return SymInt(self.lift, self._other(other) - self.term, int)

    def __mul__(self, other: Any) -> Any:
        return SymInt(self.lift, self.term * self._other(other), int)

    __rmul__ = __mul__

    def __lt__(self, other: Any) -> Any:
        return SymBool(self.lift, self.term < self._other(other), bool)

    def __le__(self, other: Any) -> Any:
        return SymBool(self.lift, self.term <= self._other(other), bool)

    def __gt__(self, other: Any) -> Any:
        return SymBool(self.lift, self.term > self._other(other), bool)

    def __ge__(self, other: Any) -> Any:
        return SymBool(self.lift, self.term >= self._other(other), bool)


class SymId(Sym):
    """An identifier."""

    __slots__ = ()

    @property
    def vm(self) -> Any:
        """The VM it belongs to."""
        from pagelaw.spec.language import VM

        return self.lift.wrap(self.lift.encoding.owner(self.kind)(self.term), VM)


class SymContents(Sym):
    """The contents of a page."""

    __slots__ = ()

    def word(self, word: Any) -> Any:
        """One word of it."""
        from pagelaw.spec.language import Value, Word

        return self.lift.wrap(self.lift.encoding.word_of(self.term, self.lift.term(word, Word)), Value)

    def with_word(self, word: Any, value: Any) -> Any:
        """The same page with one word changed."""
        from pagelaw.spec.language import Value, Word

        at, new = self.lift.term(word, Word), self.lift.term(value, Value)
        return self.lift.wrap(self.lift.encoding.with_word(self.term, at, new), Contents)


class SymSum(Sym):
    """A value of a sum."""

    __slots__ = ()

    def is_variant(self, cls: type) -> bool:
        """The answer to `isinstance` and to a `match` pattern."""
        if not issubclass(cls, self.kind):
            raise CannotLift(f"a {self.kind.__name__} can never be a {cls.__name__}")
        return self.lift.tracer.ask_variant(self.term, variants_of(cls), variants_of(self.kind))

    def __getattr__(self, field: str) -> Any:
        if field.startswith("__"):
            raise AttributeError(field)
        return self.lift.read_field(self, field)


class SymIds:
    """All identifiers of a sort, or those of one VM."""

    def __init__(self, lift: Lift, kind: type, vm: Any | None) -> None:
        self.lift, self.kind, self.vm = lift, kind, vm

    def generic(self) -> tuple[SymId, Any]:
        """Any one of them, and the condition that it belongs here."""
        one = SymId(self.lift, self.lift.encoding.fresh(self.kind, self.kind.__name__.lower()), self.kind)
        if self.vm is None:
            return one, z3.BoolVal(True)
        return one, (one.vm == self.vm).term

    def _body(self, holds: Callable[[Any], Any], forall: bool) -> Any:
        one, belongs = self.generic()
        body, demands = self.lift.merge(lambda: holds(one), bool)
        for conditions, requirement, what in demands:
            needed = z3.Implies(z3.And(belongs, *conditions), requirement)
            self.lift.tracer.demand(self.lift.encoding.quantify(True, [one.term], [self.kind], needed), what)
        full = z3.Implies(belongs, body) if forall else z3.And(belongs, body)
        term = self.lift.encoding.quantify(forall, [one.term], [self.kind], full)
        return SymBool(self.lift, term, bool)

    def every(self, holds: Callable[[Any], Any]) -> Any:
        """Whether `holds` is true of each."""
        return self._body(holds, True)

    def some(self, holds: Callable[[Any], Any]) -> Any:
        """Whether `holds` is true of one at least."""
        return self._body(holds, False)

    def __iter__(self) -> Any:
        raise CannotLift("a loop over identifiers; use every, some or write_each")


@attrs.define
class Update:
    """One write to a map: where it applies, what it puts there, and for a point write the key and old value."""

    applies: Callable[[Sequence[Any]], Any]
    value: Callable[[Sequence[Any]], Any]
    point: tuple[Sequence[Any], Any, Any] | None


class SymMap:
    """A total map: what it held before, and the writes since."""

    def __init__(self, lift: Lift, shape: Shape, base: Callable[..., Any], owner: SymState) -> None:
        self.lift, self.shape, self.base, self.owner = lift, shape, base, owner
        self.updates: list[Update] = []

    def _keys(self, key: Any) -> list[Any]:
        parts = key if isinstance(key, tuple) else (key,)
        return [self.lift.term(part, kind) for part, kind in zip(parts, self.shape.keys, strict=True)]

    def read(self, keys: Sequence[Any]) -> Any:
        """The term for the value at these keys."""
        layers: list[tuple[Any, Any]] = []
        term = None
        for update in reversed(self.updates):
            applies = self.lift.settle(update.applies(keys))
            if z3.is_true(applies):
                term = update.value(keys)
                break
            if not z3.is_false(applies):
                layers.append((applies, update.value(keys)))
        if term is None:
            term = self.base(*keys)
        for applies, value in reversed(layers):
            term = z3.If(applies, value, term)
        return term

    def __getitem__(self, key: Any) -> Any:
        return self.lift.wrap(self.read(self._keys(key)), self.shape.value)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.shape.field.is_given:
            raise CannotLift(f"{self.shape.name} is a parameter and cannot be written")
        keys, new = self._keys(key), self.lift.term(value, self.shape.value)
        old = self.read(keys)

        def applies(at: Sequence[Any]) -> Any:
            return z3.And([a == k for a, k in zip(at, keys, strict=True) if not a.eq(k)] or [z3.BoolVal(True)])

        self.updates.append(Update(applies, lambda at: new, (keys, old, new)))
        self.owner.version = object()

    def write_each(self, ids: SymIds, key: Callable[[Any], Any], value: Any, where: Any = None) -> None:
        """A bulk write; `where` is worked out now, on the state before it."""
        if self.lift.measured(self.shape.name):
            raise CannotLift(f"a bulk write to {self.shape.name}, which a measure adds up")
        one, belongs = ids.generic()
        condition, demands = self.lift.merge(lambda: where(one) if where else True, bool)
        self.lift.tracer.defined.extend(demands)
        keys, new = self._keys(key(one)), self.lift.term(value, self.shape.value)
        whole = z3.And(belongs, condition)
        position = next(i for i, k in enumerate(keys) if k.eq(one.term))

        def applies(at: Sequence[Any]) -> Any:
            here = z3.substitute(whole, (one.term, at[position]))
            return z3.And([a == k for i, (a, k) in enumerate(zip(at, keys, strict=True)) if i != position] + [here])

        self.updates.append(Update(applies, lambda at: z3.substitute(new, (one.term, at[position])), None))
        self.owner.version = object()

    def __contains__(self, key: Any) -> bool:
        raise CannotLift("`in` on a map: every key has a value")

    def __iter__(self) -> Any:
        raise CannotLift("a loop over a map")

    def __len__(self) -> int:
        raise CannotLift("the length of a map")


class SymState:
    """A state whose fields are symbolic."""

    symbolic = True

    def __init__(self, lift: Lift, state: type[State], base: Callable[[Shape], Callable[..., Any]]) -> None:
        made = {
            shape.name: SymMap(lift, shape, base(shape), self) if shape.keys else lift.wrap(base(shape)(), shape.value)
            for shape in state.shapes().values()
        }
        self.__dict__.update(made, fields=made, shapes_by_name=state.shapes(), engine=lift, version="base", events=[])

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("version", "returned"):
            self.__dict__[name] = value
            return
        shape = self.shapes_by_name.get(name)
        if shape is None or shape.keys or shape.field.is_given:
            raise CannotLift(f"s.{name} cannot be assigned")
        self.__dict__[name] = self.fields[name] = self.engine.wrap(self.engine.term(value, shape.value), shape.value)
        self.version = object()

    def each(self, sort: type, vm: Any | None = None) -> SymIds:
        """All identifiers of a sort, or of one VM."""
        return SymIds(self.engine, sort, vm)

    def observer(self, step: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Remember what the rule says the guest sees."""
        self.events.append((step, arguments))

    @property
    def written(self) -> bool:
        """Whether anything was written."""
        return self.version != "base"


class Lift:
    """Runs functions of the specification on symbolic values of one encoding."""

    def __init__(self, encoding: Encoding, measures: Sequence[Measure[Any]] = ()) -> None:
        self.encoding = encoding
        self._measures = list(measures)
        self._stack: list[Tracer] = []
        self._views: dict[Any, Any] = {}
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
        if kind is Contents:
            return SymContents(self, term, kind)
        if issubclass(kind, Identifier):
            return SymId(self, term, kind)
        return SymSum(self, term, sum_of(kind) if kind not in Sum.__subclasses__() else kind)

    def term(self, value: Any, kind: type) -> Any:
        """The term for a value, symbolic or concrete."""
        if isinstance(value, Sym):
            if value.term.sort() != self.encoding.sort(kind):
                raise CannotLift(f"a {value.kind.__name__} stands where a {kind.__name__} belongs")
            return value.term
        return self.encoding.constant(value)

    def kind_of(self, *values: Any) -> type:
        """The type that values have in common."""
        for value in values:
            if isinstance(value, Sym):
                return value.kind
        first = values[0]
        return sum_of(type(first)) if isinstance(first, Sum) else type(first)

    def construct(self, cls: type, arguments: tuple[Any, ...]) -> Any:
        """A variant with symbolic fields (None if no field is symbolic)."""
        if not any(isinstance(a, Sym) for a in arguments):
            return None
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

    def paths(self, run: Callable[[Tracer], Any]) -> Iterator[tuple[Tracer, Any]]:
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
        for tracer, result in self.paths(lambda _: run()):
            results.append((tracer.taken, result))
            demands.extend(tracer.defined)
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

    def view(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A question about the state as one term; the same question of the same state is worked out once."""
        def shown(value: Any) -> Any:
            if isinstance(value, SymState):
                return (id(value.shapes_by_name), value.version)
            return value.term.get_id() if isinstance(value, Sym) else value

        key = (function, *map(shown, arguments))
        known = self._views.get(key)
        if known is None:
            returns = get_type_hints(function)["return"]
            term, demands = self.merge(lambda: function(*arguments), returns)
            known = self._views[key] = (term, demands, returns, arguments)
        term, demands, returns, _ = known
        if self._stack:
            before = self.tracer.conditions
            self.tracer.defined.extend(([*before, *conditions], need, what) for conditions, need, what in demands)
        return self.wrap(term, returns)

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

        return self.merge(number, int)[0]

    def parameter_kinds(self, measure: Measure[Any]) -> list[type]:
        """The types of a measure's own parameters."""
        return list(get_type_hints(measure.weight).values())[3:-1]

    def measure_function(self, measure: Measure[Any]) -> Any:
        """The uninterpreted function that the measure is before a step."""
        name = measure.__name__
        if name not in self.measure_functions:
            sorts = [self.encoding.sort(k) for k in self.parameter_kinds(measure)]
            self.measure_functions[name] = z3.Function(f"sum.{name}", *sorts, z3.IntSort())
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
        total = self.measure_function(measure)(*terms)
        for update in held.updates:
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


def arguments_of(lift: Lift, function: Callable[..., Any]) -> dict[str, Any]:
    """A symbolic value for every parameter of a rule or invariant after the state."""
    hints = get_type_hints(inspect.unwrap(function))
    names = list(inspect.signature(function.__wrapped__ if hasattr(function, "__wrapped__") else function).parameters)
    return {n: lift.wrap(lift.encoding.fresh(hints[n], n), hints[n]) for n in names[1:]}


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
