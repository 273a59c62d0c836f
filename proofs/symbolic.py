"""Symbolic values, maps and states: what rules are run on to be proved.

Each wraps a term of the solver and its type. A truth value asked for its
truth, and a sum asked for its variant, forks the run in progress.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import z3

from pagelaw.spec.language import VM, Contents, Owned, State, Value, Word, variants_of
from pagelaw.spec.language.state import Shape

from .tracing import CannotLift

if TYPE_CHECKING:
    from .lifting import Lift


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

    def is_variant(self, cls: type) -> bool:
        """The answer to `isinstance` and to a `match` pattern: only sums have variants."""
        raise CannotLift(f"a {self.kind.__name__} can never be a {cls.__name__}")

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


class SymNumber(Sym):
    """A number. Together with a rational one, a whole one counts as rational."""

    __slots__ = ()

    def _both(self, other: Any) -> tuple[Any, Any, type]:
        kind = self.lift.kind_of(self, other)
        return self.lift.term(self, kind), self.lift.term(other, kind), kind

    def _combined(self, combine: Callable[[Any, Any], Any], other: Any) -> Any:
        one, two, kind = self._both(other)
        return self.lift.wrap(combine(one, two), kind)

    def _compared(self, compare: Callable[[Any, Any], Any], other: Any) -> Any:
        one, two, _ = self._both(other)
        return SymBool(self.lift, compare(one, two), bool)

    def __eq__(self, other: object) -> Any:
        one, two, _ = self._both(other)
        return SymBool(self.lift, z3.BoolVal(True) if one.eq(two) else one == two, bool)

    def __ne__(self, other: object) -> Any:
        one, two, _ = self._both(other)
        return SymBool(self.lift, z3.BoolVal(False) if one.eq(two) else z3.Not(one == two), bool)

    def __add__(self, other: Any) -> Any:
        return self._combined(operator.add, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._combined(operator.sub, other)

    def __rsub__(self, other: Any) -> Any:
        return self._combined(lambda one, two: two - one, other)

    def __mul__(self, other: Any) -> Any:
        return self._combined(operator.mul, other)

    __rmul__ = __mul__

    def __lt__(self, other: Any) -> Any:
        return self._compared(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._compared(operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return self._compared(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._compared(operator.ge, other)


class SymInt(SymNumber):
    """A whole number."""

    __slots__ = ()


class SymFraction(SymNumber):
    """A rational number; to the solver it is a real one."""

    __slots__ = ()


class SymId(Sym):
    """An identifier."""

    __slots__ = ()

    @property
    def vm(self) -> Any:
        """The VM it belongs to."""
        if not issubclass(self.kind, Owned):
            raise CannotLift(f"a {self.kind.__name__} belongs to no VM")
        return self.lift.wrap(self.lift.encoding.owner(self.kind)(self.term), VM)


class SymContents(Sym):
    """The contents of a page."""

    __slots__ = ()

    def word(self, word: Any) -> Any:
        """One word of it."""
        return self.lift.wrap(self.lift.encoding.word_of(self.term, self.lift.term(word, Word)), Value)

    def with_word(self, word: Any, value: Any) -> Any:
        """The same page with one word changed."""
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
    """All identifiers of a sort, those of one VM, or those at which a map holds a value."""

    def __init__(self, lift: Lift, kind: type, vm: Any | None = None,
                 holding: tuple[SymMap, Any] | None = None) -> None:
        self.lift, self.kind, self.vm, self.holding = lift, kind, vm, holding

    def generic(self) -> tuple[SymId, Any]:
        """Any one of them, and the condition that it belongs here."""
        one = SymId(self.lift, self.lift.encoding.fresh(self.kind, self.kind.__name__.lower()), self.kind)
        if self.holding is not None:
            held, value = self.holding
            return one, held.read([one.term]) == value
        if self.vm is None:
            return one, z3.BoolVal(True)
        return one, (one.vm == self.vm).term

    def ask(self, one: SymId, belongs: Any, holds: Callable[[Any], Any]) -> Any:
        """The term for `holds(one)`, which must be defined for each that belongs here."""
        body, demands = self.lift.merge(lambda: holds(one), bool)
        for conditions, requirement, what in demands:
            needed = z3.Implies(z3.And(belongs, *conditions), requirement)
            self.lift.tracer.demand(self.lift.encoding.quantify(True, [one.term], [self.kind], needed), what)
        return body

    def _body(self, holds: Callable[[Any], Any], forall: bool) -> Any:
        one, belongs = self.generic()
        body = self.ask(one, belongs, holds)
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
        self.is_forgotten = False

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
        self.owner.must_be_writable()
        keys, new = self._keys(key), self.lift.term(value, self.shape.value)
        old = self.read(keys)

        def applies(at: Sequence[Any]) -> Any:
            return z3.And([a == k for a, k in zip(at, keys, strict=True) if not a.eq(k)] or [z3.BoolVal(True)])

        self.updates.append(Update(applies, lambda at: new, (keys, old, new)))
        self.owner.version = object()

    def write_each(self, ids: SymIds, key: Callable[[Any], Any], value: Any, where: Any = None) -> None:
        """A bulk write; `where` is worked out now, on the state before it."""
        if self.shape.field.is_given:
            raise CannotLift(f"{self.shape.name} is a parameter and cannot be written")
        if self.lift.measured(self.shape.name):
            raise CannotLift(f"a bulk write to {self.shape.name}, which a measure adds up")
        self.owner.must_be_writable()
        one, belongs = ids.generic()
        condition = ids.ask(one, belongs, where) if where else z3.BoolVal(True)
        keys, new = self._keys_of(one, key), self.lift.term(value, self.shape.value)
        position = next((i for i, k in enumerate(keys) if k.eq(one.term)), None)
        if position is None:
            raise CannotLift("the key of a bulk write must be the identifier, alone or beside others")

        def applies(at: Sequence[Any]) -> Any:
            beside = [a == k for i, (a, k) in enumerate(zip(at, keys, strict=True)) if i != position]
            return z3.substitute(z3.And([*beside, z3.And(belongs, condition)]), (one.term, at[position]))

        self.updates.append(Update(applies, lambda at: new, None))
        self.owner.version = object()

    def _keys_of(self, one: SymId, key: Callable[[Any], Any]) -> list[Any]:
        """The keys of a bulk write for any one identifier: a form that does not depend on which one it is."""
        tracer = self.lift.tracer
        asked = len(tracer.taken), len(tracer.defined)
        keys = self._keys(key(one))
        if asked != (len(tracer.taken), len(tracer.defined)):
            raise CannotLift("the key of a bulk write depends on a question")
        return keys

    def clone(self, owner: SymState) -> SymMap:
        """The same map as part of another state."""
        twin = SymMap(self.lift, self.shape, self.base, owner)
        twin.updates, twin.is_forgotten = list(self.updates), self.is_forgotten
        return twin

    def __contains__(self, key: Any) -> bool:
        raise CannotLift("`in` on a map: every key has a value")

    def __iter__(self) -> Any:
        raise CannotLift("a loop over a map")

    def __len__(self) -> int:
        raise CannotLift("the length of a map")


class SymState:
    """A state whose fields are symbolic."""

    fields: dict[str, Any]
    shapes_by_name: dict[str, Shape]
    engine: Lift
    version: object
    label: str
    """What comes before the names of its sums, where there are two machines."""
    depth: int
    events: list[tuple[Callable[..., Any], tuple[Any, ...]]]

    def __init__(self, lift: Lift, state: type[State], base: Callable[[Shape], Callable[..., Any]]) -> None:
        made = {
            shape.name: SymMap(lift, shape, base(shape), self) if shape.keys else lift.wrap(base(shape)(), shape.value)
            for shape in state.shapes().values()
        }
        self.__dict__.update(made, fields=made, shapes_by_name=state.shapes(), engine=lift)
        self.__dict__.update(version="base", label="", depth=lift.asking, events=[])

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("version", "label", "returned"):
            self.__dict__[name] = value
            return
        shape = self.shapes_by_name.get(name)
        if shape is None or shape.keys or shape.field.is_given:
            raise CannotLift(f"s.{name} cannot be assigned")
        self.must_be_writable()
        self.__dict__[name] = self.fields[name] = self.engine.wrap(self.engine.term(value, shape.value), shape.value)
        self.version = object()

    def must_be_writable(self) -> None:
        """Refuse an effect inside a question: it would outlive the one path of the question that has it."""
        if self.engine.asking != self.depth:
            raise CannotLift("a question writes, or shows the guest a step")

    def clone(self) -> SymState:
        """A state of its own with the same values."""
        twin = object.__new__(SymState)
        twin.__dict__.update(self.__dict__, events=[], depth=self.engine.asking)
        fields = {n: held.clone(twin) if isinstance(held, SymMap) else held for n, held in self.fields.items()}
        twin.__dict__.update(fields, fields=fields)
        return twin

    def forget(self, field: str) -> None:
        """The field may hold anything from now on."""
        shape, number = self.shapes_by_name[field], next(self.engine.encoding.later)
        held = SymMap(self.engine, shape, self.engine.encoding.function(shape, f"later.{number}."), self)
        held.is_forgotten = True
        self.__dict__[field] = self.fields[field] = held
        self.version = object()

    def each(self, sort: type, vm: Any | None = None, to: Any | None = None) -> SymIds:
        """All identifiers of a sort, or of one VM. Those that do not lead to `to` are asked as well."""
        if vm is not None and not issubclass(sort, Owned):
            raise CannotLift(f"a {sort.__name__} belongs to no VM")
        return SymIds(self.engine, sort, vm)

    def those(self, sort: type, held: SymMap, value: Any) -> SymIds:
        """All identifiers of a sort at which a map holds a value."""
        if held.shape.keys != (sort,):
            raise CannotLift(f"{held.shape.name} does not have a {sort.__name__} as its key")
        return SymIds(self.engine, sort, holding=(held, self.engine.term(value, held.shape.value)))

    def observer(self, step: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Remember what the rule says the guest sees."""
        self.must_be_writable()
        self.events.append((step, arguments))

    @property
    def written(self) -> bool:
        """Whether anything was written."""
        return self.version != "base"
