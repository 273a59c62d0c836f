"""How the specification's types look to a solver.

Identifiers are uninterpreted sorts (any number of members) or, on a small
instance, enumerations. Sums are datatypes, maps are uninterpreted functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import count, product
from typing import Any

import attrs
import z3

from pagelaw.spec.language import VM, Contents, Identifier, Owned, Sum, Value, Word, sum_of, variants_of
from pagelaw.spec.language.state import Shape, State

_DECLARED = re.compile(r"^\(declare-fun (\|[^|]*\||\S+) ", re.MULTILINE)
_NOTHING = (z3.Ast * 0)()
_names = count()  # datatypes of one process need names of their own: two of one name silently become one


class Encoding:
    """Sorts, datatypes and functions for one state class.

    sizes: None for any number of identifiers; else, per identifier sort, the
    names of its members on a small instance (owned ones as (vm number, number)).
    """

    def __init__(self, sizes: dict[type, Sequence[Identifier]] | None = None) -> None:
        self.sizes = sizes
        self.serial = next(_names)
        self._sorts: dict[type, z3.SortRef] = {}
        self._members: dict[type, dict[Any, z3.ExprRef]] = {}
        self._named: dict[str, Any] = {}
        self._owner: dict[type, z3.FuncDeclRef] = {}
        self._fresh = count()
        self.later = count()
        self.constructor_of: dict[type, tuple[z3.DatatypeSortRef, int]] = {}

    def sort(self, kind: type) -> z3.SortRef:
        """The solver's sort for a type of the specification."""
        known = self._sorts.get(kind)
        if known is None:
            known = self._sorts[kind] = self._make_sort(kind)
        return known

    def _make_sort(self, kind: type) -> z3.SortRef:
        if kind is int:
            return z3.IntSort()
        if kind is Fraction:
            return z3.RealSort()
        if kind is bool:
            return z3.BoolSort()
        if issubclass(kind, Identifier) or kind is Contents:
            return self._identifier_sort(kind)
        if issubclass(kind, Sum):
            return self.sort(sum_of(kind)) if sum_of(kind) is not kind else self._sum_sort(kind)
        raise TypeError(f"a rule cannot hold values of type {kind.__name__}")

    def _identifier_sort(self, kind: type) -> z3.SortRef:
        if self.sizes is None:
            return z3.DeclareSort(f"{kind.__name__}")
        members = self.members(kind)
        names = [f"{kind.__name__}.{self.serial}.{m!r}" for m in members]
        sort, constants = z3.EnumSort(f"{kind.__name__}.{self.serial}", names)
        self._members[kind] = dict(zip(members, constants, strict=True))
        self._named.update(zip(names, members, strict=True))
        return sort

    def members(self, kind: type) -> list[Any]:
        """The members of a sort on the small instance."""
        assert self.sizes is not None
        if kind is Contents:
            words, values = self.sizes[Word], self.sizes[Value]
            return [Contents(tuple(choice)) for choice in product(values, repeat=len(words))]
        return list(self.sizes[kind])

    def _sum_sort(self, kind: type) -> z3.SortRef:
        leaves = variants_of(kind)
        made = z3.Datatype(kind.__name__ if self.sizes is None else f"{kind.__name__}.{self.serial}")
        for leaf in leaves:
            fields = [(f"{leaf.__name__}.{f.name}", self.sort(self.hints(leaf)[f.name])) for f in attrs.fields(leaf)]
            made.declare(leaf.__name__, *fields)
        sort = made.create()
        for index, leaf in enumerate(leaves):
            self.constructor_of[leaf] = (sort, index)
        return sort

    def hints(self, leaf: type) -> dict[str, type]:
        """The types of a variant's fields."""
        attrs.resolve_types(leaf)
        return {f.name: f.type for f in attrs.fields(leaf)}

    def constructor(self, leaf: type) -> z3.FuncDeclRef:
        """The function that builds a variant."""
        self.sort(sum_of(leaf))
        sort, index = self.constructor_of[leaf]
        return sort.constructor(index)

    def tester(self, leaf: type) -> z3.FuncDeclRef:
        """The question whether a value is this variant."""
        self.sort(sum_of(leaf))
        sort, index = self.constructor_of[leaf]
        return sort.recognizer(index)

    def accessor(self, leaf: type, field: str) -> z3.FuncDeclRef:
        """The function that reads a field of a variant."""
        self.sort(sum_of(leaf))
        sort, index = self.constructor_of[leaf]
        names = [f.name for f in attrs.fields(leaf)]
        return sort.accessor(index, names.index(field))

    def owner(self, kind: type) -> z3.FuncDeclRef:
        """The function from an owned identifier to its VM."""
        if kind not in self._owner:
            self._owner[kind] = z3.Function(f"{kind.__name__}.vm", self.sort(kind), self.sort(VM))
        return self._owner[kind]

    @cached_property
    def word_of(self) -> z3.FuncDeclRef:
        """Reading one word of a page's contents."""
        return z3.Function("word", self.sort(Contents), self.sort(Word), self.sort(Value))

    @cached_property
    def with_word(self) -> z3.FuncDeclRef:
        """Contents with one word changed."""
        return z3.Function("with_word", self.sort(Contents), self.sort(Word), self.sort(Value), self.sort(Contents))

    def function(self, shape: Shape, prefix: str = "") -> z3.FuncDeclRef:
        """The uninterpreted function that a field of the state is."""
        sorts = [self.sort(k) for k in shape.keys]
        return z3.Function(prefix + shape.name, *sorts, self.sort(shape.value))

    def fresh(self, kind: type, name: str) -> z3.ExprRef:
        """A constant of its own."""
        return z3.Const(f"{name}!{next(self._fresh)}", self.sort(kind))

    def names_from(self, numbers: tuple[int, int] | None = None) -> tuple[int, int]:
        """Number the next constants and functions of their own from here on; without numbers, tell where they are."""
        numbers = numbers or (next(self._fresh), next(self.later))
        self._fresh, self.later = map(count, numbers)
        return numbers

    def constant(self, value: Any) -> z3.ExprRef:
        """The term for a concrete value."""
        if isinstance(value, bool):
            return z3.BoolVal(value)
        if isinstance(value, int):
            return z3.IntVal(value)
        if isinstance(value, Fraction):
            return z3.RealVal(str(value))
        if isinstance(value, Sum):
            leaf: Any = type(value)
            return self.constructor(leaf)(*[self.constant(getattr(value, f.name)) for f in attrs.fields(leaf)])
        if self.sizes is None:
            raise TypeError(f"{value!r}: a rule names a particular {type(value).__name__}")
        self.sort(type(value))
        return self._members[type(value)][value]

    def terms(self, kind: type) -> list[z3.ExprRef]:
        """The terms of all values of a kind on the small instance; of numbers there are no end."""
        self.sort(kind)
        if kind is bool:
            return [z3.BoolVal(True), z3.BoolVal(False)]
        if issubclass(kind, Sum):
            parts = {leaf: [self.terms(hint) for hint in self.hints(leaf).values()] for leaf in variants_of(kind)}
            return [self.constructor(leaf)(*some) for leaf in parts for some in product(*parts[leaf])]
        return list(self._members[kind].values())

    def is_finite(self, kind: type) -> bool:
        """Whether a kind has finitely many values on a small instance."""
        if issubclass(kind, Sum):
            return all(self.is_finite(hint) for leaf in variants_of(kind) for hint in self.hints(leaf).values())
        return kind is bool or kind not in (int, Fraction)

    def value(self, term: z3.ExprRef, kind: type) -> Any:
        """The concrete value of a term without variables, on the small instance: `constant` read backwards."""
        if kind is bool:
            return z3.is_true(term)
        if kind is int:
            return term.as_long()
        if kind is Fraction:
            return self._rational(term)
        if issubclass(kind, Sum):
            leaves = variants_of(sum_of(kind))
            leaf = next(one for one in leaves if one.__name__ == term.decl().name())
            fields = zip(self.hints(leaf).values(), term.children(), strict=True)
            return leaf(*[self.value(part, hint) for hint, part in fields])
        return self._named[term.decl().name()]

    @staticmethod
    def _rational(term: z3.ExprRef) -> Fraction:
        if not z3.is_rational_value(term):
            raise ValueError(f"no machine holds {term}: it is not a rational number")
        return Fraction(term.numerator_as_long(), term.denominator_as_long())

    def quantify(self, forall: bool, variables: Sequence[z3.ExprRef], kinds: Sequence[type], body: z3.BoolRef) -> Any:
        """`body` for all (or some) values of the variables; written out on a small instance."""
        if not variables:
            return body
        if self.sizes is None or not all(self.is_finite(kind) for kind in kinds):
            return (z3.ForAll if forall else z3.Exists)(list(variables), body)
        choices = product(*[self.terms(kind) for kind in kinds])
        instances = [z3.substitute(body, *zip(variables, values, strict=True)) for values in choices]
        return (z3.And if forall else z3.Or)(instances)

    def facts_of_the_instance(self) -> list[z3.BoolRef]:
        """On a small instance: who owns what, and what words and contents are."""
        if self.sizes is None:
            return []
        facts: list[Any] = []
        for kind in list(self._sorts):
            if issubclass(kind, Owned):
                for member, term in self._members[kind].items():
                    facts.append(self.owner(kind)(term) == self.constant(member.vm))
        if Contents in self._members:
            self.sort(Word), self.sort(Value)
            for contents, term in self._members[Contents].items():
                for word, at in self._members[Word].items():
                    facts.append(self.word_of(term, at) == self.constant(contents.word(word)))
                    for value, new in self._members[Value].items():
                        changed = self.constant(contents.with_word(word, value))
                        facts.append(self.with_word(term, at, new) == changed)
        return facts


def functions_in(terms: Sequence[Any]) -> set[str]:
    """The names of all declared functions that occur in terms; z3 itself lists them, as it would for a file."""
    names: set[str] = set()
    for term in terms:
        text = z3.Z3_benchmark_to_smtlib_string(term.ctx.ref(), "", "", "unknown", "", 0, _NOTHING, term.as_ast())
        names.update(name.strip("|") for name in _DECLARED.findall(text))
    return names


def key_sorts(state: type[State]) -> set[type]:
    """Every identifier sort that is a key of some field."""
    return {key for shape in state.shapes().values() for key in shape.keys}


Body = Callable[..., Any]
