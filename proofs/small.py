"""Small machines: a handful of identifiers of each sort, on which a solver's model is a state that can be run.

On a small instance every quantifier is written out and every measure is a real
sum, so no counting fact is needed and no model is spurious.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import product
from random import Random
from typing import Any

import z3

from pagelaw.spec.language import VM, Contents, Identifier, Map, Sum, Value, Word, variants_of
from pagelaw.spec.language.state import Shape
from pagelaw.spec.machine import SIZES, Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Block, Domain, Key, Page, Running, ShortKey, Slot, Transfer, VPage

from .encoding import Encoding
from .obligations import Obligation, Theory
from .replay import LEAST

Sizes = dict[type, Sequence[Identifier]]
State = tuple[Machine, dict[str, Any]]

LIMIT_MS = 20_000
WISH_WORK = 1_000_000
"""z3's resource limit for a wish: the same answer on every machine."""
ROOMY_COUNT_FIELD = 65_535


def sizes(
    pages: tuple[int, int] = (1, 1),
    virtual: tuple[int, int] = (1, 1),
    vcpus: tuple[int, int] = (2, 1),
    frames: int = 3,
    slots: int = 1,
    transfers: int = 1,
    short_keys: int = 1,
    domains: int = 1,
    more_vms: int = 0,
) -> Sizes:
    """The identifiers of an instance of two VMs, A and B; pages, virtual pages and vCPUs of each. More have none."""
    vms = [VM(number) for number in range(2 + more_vms)]

    def owned(kind: type, numbers: tuple[int, int]) -> list[Identifier]:
        return [kind(vm, n) for vm, number in zip(vms, numbers, strict=False) for n in range(number)]

    def plain(kind: type, number: int) -> list[Identifier]:
        return [kind(n) for n in range(number)]

    return {
        VM: vms,
        Page: owned(Page, pages), VPage: owned(VPage, virtual), VCPU: owned(VCPU, vcpus),
        MPN: plain(MPN, frames), Slot: plain(Slot, slots), Transfer: plain(Transfer, transfers),
        Key: plain(Key, 2), ShortKey: plain(ShortKey, short_keys), Domain: plain(Domain, domains),
        Block: plain(Block, 2),
        Word: plain(Word, 2), Value: plain(Value, 2),
    }


INSTANCES: dict[str, Sizes] = {
    "tiny": sizes(),
    "standard": sizes(pages=(2, 1), virtual=(2, 1), frames=4, slots=2, transfers=2, short_keys=2, domains=2),
}
"""The instances, in the order in which they are tried."""

EIGHTHS = [z3.Q(number, 8) for number in range(9)]
"""What given fractions are tried with, where a solver thinks of numbers that no machine holds."""


class SmallTheory(Theory):
    """The specification on a small instance, with a solver that knows the invariants."""

    def __init__(self, members: Sizes) -> None:
        super().__init__(Encoding(members))
        self.members = members
        self.measures = []  # every sum is written out, so there is nothing to assume of it
        for kind in (*members, Contents):
            self.encoding.sort(kind)
        self.granted = self.hypotheses
        self.false = z3.BoolVal(False)
        self.solver = self.solver_of(self.granted)

    @property
    def hypotheses(self) -> list[Any]:
        """The invariants, and that the sizes which the machine knows are those of the instance."""
        return [*super().hypotheses, *self._exact_sizes()]

    def _exact_sizes(self) -> list[Any]:
        exact = []
        for name, counted in SIZES.items():
            owners = self.members[VM] if Machine.shapes()[name].keys else [None]
            for owner in owners:
                number = sum(owner in (None, getattr(one, "vm", None)) for one in self.members[counted])
                held = self.functions[name](*[self.encoding.constant(owner)] if owner else [])
                exact.append(held == number)
        return exact

    @staticmethod
    def solver_of(granted: list[Any]) -> Any:
        """A solver that knows these."""
        solver = z3.Solver()
        solver.set("smt.relevancy", 0)
        solver.set("timeout", LIMIT_MS)
        solver.set("ctrl_c", False)  # an interrupt is for the program, not for one query
        solver.add(granted)
        return solver

    def refute(self, obligations: Sequence[Obligation], arguments: dict[str, Any]) -> State | None:
        """A machine, as plain as can be, and arguments for which the goal of one of the obligations is false."""
        wrong = self.wrong(obligations)
        if obligations[0].rule in ("reading", "initial state"):  # asked of all states, not only of allowed ones
            assumed = [one.closed for one in self.assumptions]
            self.solver = self.solver_of([*assumed, *self.encoding.facts_of_the_instance(), *self._exact_sizes()])
        model = self.model(wrong)
        return None if model is None else self.decode(self.simplest(model, [wrong], arguments), arguments)

    def wrong(self, obligations: Sequence[Obligation]) -> Any:
        """That one of the goals is false although its hypotheses hold; those granted here are left out."""
        granted = {term.get_id() for term in self.granted}
        ways = []
        for one in obligations:
            conditions = [term for term in one.hypotheses if term.get_id() not in granted]
            ways.append(z3.And(*conditions, z3.Not(one.goal)))
        return z3.Or(ways)

    def model(self, *conditions: Any) -> Any:
        """A model of the invariants and these conditions in which every number is rational; None if none was found."""
        found = self._any_model(*conditions)
        if found is not None and not self._is_rational(found):
            given = [term for shape, _, term in self.entries if shape.value is Fraction and shape.field.is_given]
            found = self._any_model(*conditions, *(z3.Or([term == some for some in EIGHTHS]) for term in given))
            if found is not None and not self._is_rational(found):
                return None
        return found

    def _any_model(self, *conditions: Any) -> Any:
        answer = self.solver.check(*conditions)
        if answer == z3.unknown:
            raise TimeoutError(f"the solver gave up on a small instance: {self.solver.reason_unknown()}")
        return self.solver.model() if answer == z3.sat else None

    def _is_rational(self, model: Any) -> bool:
        values = (model.eval(term, model_completion=True) for shape, _, term in self.entries if shape.value is Fraction)
        return all(z3.is_rational_value(value) for value in values)

    @cached_property
    def entries(self) -> list[tuple[Shape, tuple[Any, ...], Any]]:
        """Every field and key of the machine's state, with the term for its value before the step."""
        return [
            (shape, keys, self.functions[shape.name](*[self.encoding.constant(key) for key in keys]))
            for shape in Machine.shapes().values()
            for keys in product(*[self.keys(kind) for kind in shape.keys])
        ]

    def keys(self, kind: type) -> list[Any]:
        """The members of a sort."""
        return self.encoding.members(kind)

    def decode(self, model: Any, arguments: dict[str, Any]) -> State:
        """The machine and the arguments that a model describes."""
        return self.machine_in(model, self.entries), {n: self.read(model, a.term, a.kind) for n, a in arguments.items()}

    def machine_in(self, model: Any, entries: Sequence[tuple[Shape, tuple[Any, ...], Any]]) -> Machine:
        """The machine that a model describes by the terms for its entries."""
        given: dict[str, Any] = {}
        held: dict[str, Any] = {}
        for shape, keys, term in entries:
            value = self.encoding.value(model.eval(term, model_completion=True), shape.value)
            place = given if shape.field.is_given else held
            if shape.keys:
                place.setdefault(shape.name, {})[keys if len(keys) > 1 else keys[0]] = value
            else:
                place[shape.name] = value
        parameters = {n: Map(v.__getitem__, v.items()) if isinstance(v, dict) else v for n, v in given.items()}
        machine = Machine.start({kind: list(members) for kind, members in self.members.items()}, **parameters)
        for name, value in held.items():
            if isinstance(value, dict):
                getattr(machine, name).update(value)
            else:
                setattr(machine, name, value)
        return machine

    def read(self, model: Any, term: Any, kind: type) -> Any:
        """The value of a term in a model."""
        return self.encoding.value(model.eval(term, model_completion=True), kind)

    def random_wish(self, term: Any, kind: type, chance: Random) -> Any:
        """A condition that a term has one of its values, or is of one of its variants, by chance."""
        if issubclass(kind, Sum):
            return self.encoding.tester(chance.choice(variants_of(kind)))(term)
        if kind is Fraction:
            return term == self.encoding.constant(Fraction(chance.randrange(3), 2))
        if kind in (int, bool):
            return term == self.encoding.constant(kind(chance.randrange(3 if kind is int else 2)))
        return term == self.encoding.constant(chance.choice(self.keys(kind)))

    # making a state easy to read

    def simplest(self, model: Any, conditions: Sequence[Any], arguments: dict[str, Any]) -> Any:
        """Another model of the conditions, in which as much as possible is as in the initial state."""
        kept = list(conditions)
        for wishes in self._wishes(arguments):
            model = self._grant(wishes, kept, model)
        return model

    def _wishes(self, arguments: dict[str, Any]) -> Iterator[list[Any]]:
        entries = self.entries[::-1]  # what has to be in use is then what has the lowest numbers
        entries.sort(key=lambda entry: not entry[0].field.is_given)
        named = [a for a in arguments.values() if issubclass(a.kind, Identifier)]
        yield [a.term == self.encoding.terms(a.kind)[0] for a in named]
        yield [term == self.plain(shape) for shape, _, term in entries]
        yield [term == self.encoding.constant(Running()) for shape, _, term in entries if shape.name == "life"]
        numbers = [term for shape, _, term in entries
                   if shape.value in (int, Fraction) and shape.name not in ("count_top", *LEAST)]
        for number in (1, 2):
            yield [term == number for term in numbers]

    def granted_in(self, wishes: list[Any], kept: list[Any], model: Any) -> Any:
        """A model in which as many wishes as can be are granted, as far as the solver sees quickly; they are kept."""
        self.solver.set("rlimit", WISH_WORK)
        try:
            return self._grant(wishes, kept, model)
        except TimeoutError:
            return model
        finally:
            self.solver.set("rlimit", 0)

    def _grant(self, wishes: list[Any], kept: list[Any], model: Any) -> Any:
        """Grant as many wishes as can be granted together, halving where some cannot."""
        open_wishes = [w for w in wishes if not z3.is_true(model.eval(w, model_completion=True))]
        if not open_wishes:
            kept.extend(wishes)
            return model
        found = self.model(*kept, *wishes)
        if found is not None:
            kept.extend(wishes)
            return found
        if len(wishes) == 1:
            return model
        middle = len(wishes) // 2
        return self._grant(wishes[middle:], kept, self._grant(wishes[:middle], kept, model))

    def plain(self, shape: Shape) -> Any:
        """The term for the value of a field that calls for no attention: the initial one, or the first there is."""
        start = shape.field.value
        if shape.value is Contents:
            return self.encoding.constant(self.keys(Contents)[0])
        if isinstance(start, str):
            return self.functions[start]()
        if not shape.field.is_given:
            return self.encoding.constant(start)
        if shape.name == "count_top":
            return self.encoding.constant(ROOMY_COUNT_FIELD)
        if shape.value in (int, bool, Fraction):
            return self.encoding.constant(LEAST.get(shape.name, shape.value(0)))
        assert not issubclass(shape.value, Sum)
        return self.encoding.constant(self.keys(shape.value)[0])


__all__ = ["INSTANCES", "SmallTheory", "sizes"]
