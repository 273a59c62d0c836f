"""What the proofs of the rules rest on, proved in the same run.

- The initial state satisfies every invariant.
- Private memory is what its name says: a read returns the last write.
- The counting facts: sums of weights over a finite list, by induction on the
  list. A measure is such a sum, over all keys of its map.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import z3

from pagelaw.spec.language import VM, Blocked, Measure, Value, Word
from pagelaw.spec.machine import SIZES, Machine
from pagelaw.spec.private_memory import receive
from pagelaw.spec.vocabulary import Page, Transfer

from .obligations import Obligation, Theory


def initial_obligations(theory: Theory) -> Iterator[Obligation]:
    """Every invariant holds of the initial state, whatever the parameters."""
    replaced = _initial_values(theory)
    assumed = tuple(statement.closed for statement in theory.assumptions)
    sizes = tuple(fact for measure in theory.measures for fact in _initial_sums(theory, measure, replaced))
    for name, statement in theory.invariants.items():
        goal = z3.substitute_funs(statement.body, *replaced)
        yield Obligation("initial state", name, "initial", 0, (*assumed, *sizes), goal)


def assumption_obligations(theory: Theory) -> Iterator[Obligation]:
    """The assumptions leave machines to speak of: they hold of a small one, under every reading."""
    numbers = {"total_frames": 4, "total_slots": 4, "count_top": 3, "remap_after": 1,
               "minimum": 1, "maximum": 2, "overhead": 1, "low_for_all": 1, "shares": 1, "sample_size": 2,
               "tax_rate": Fraction(3, 4), "slow_gain": Fraction(1, 8), "fast_gain": Fraction(1, 2),
               "high_threshold": 4, "soft_threshold": 3, "hard_threshold": 2, "low_threshold": 1, "margin": 1,
               "most_sharers": 2}
    replaced = [(theory.functions[name], theory.encoding.constant(number)) for name, number in numbers.items()]
    for statement in theory.assumptions:
        yield Obligation("initial state", f"can be assumed: {statement.entry.name}", "initial", 0, (),
                         z3.substitute_funs(statement.closed, *replaced))


def _initial_values(theory: Theory) -> list[tuple[Any, Any]]:
    pairs: list[tuple[Any, Any]] = []
    for name, shape in Machine.shapes().items():
        if shape.field.is_given:
            continue
        value = shape.field.value
        if isinstance(value, str):
            body = theory.functions[value](*[z3.Var(i, theory.encoding.sort(k)) for i, k in enumerate(shape.keys)])
        else:
            body = theory.encoding.constant(value)
        pairs.append((theory.functions[name], body))
    return pairs


def _initial_sums(theory: Theory, measure: Measure[Any], replaced: list[tuple[Any, Any]]) -> Iterator[Any]:
    """What a measure is in the initial state: nothing if no entry weighs anything, a size if each weighs 1."""
    encoding, lift = theory.encoding, theory.lift
    shape = Machine.shapes()[measure.over]
    kinds, sort = lift.parameter_kinds(measure), shape.keys[0]
    parameters = [encoding.fresh(k, "p") for k in kinds]
    key = encoding.fresh(sort, "key")
    weight = lift.weight(measure, theory.machine(), theory.functions[measure.over](key), key, parameters)
    weight = z3.substitute_funs(weight, *replaced)
    total = lift.measure_function(measure)(*parameters)

    def when(each: Any, sum_is: Any) -> Any:
        every = encoding.quantify(True, [key], [sort], each)
        return encoding.quantify(True, parameters, kinds, z3.Implies(every, total == sum_is))

    yield when(weight == 0, z3.IntVal(0))
    for name, counted in SIZES.items():
        keyed = Machine.shapes()[name].keys
        if counted is not sort:
            continue
        if not keyed:
            yield when(weight == 1, theory.functions[name]())
        elif kinds == [VM]:
            belongs = encoding.owner(sort)(key) == parameters[0]
            yield when(weight == z3.If(belongs, 1, 0), theory.functions[name](parameters[0]))


def private_memory_obligations(theory: Theory) -> Iterator[Obligation]:
    """A word reads as it was last written; writing it changes no other word and no other page."""
    encoding, lift = theory.encoding, theory.lift
    page, other = (lift.wrap(encoding.fresh(Page, n), Page) for n in ("page", "other"))
    word, at = (lift.wrap(encoding.fresh(Word, n), Word) for n in ("word", "at"))
    value = lift.wrap(encoding.fresh(Value, "value"), Value)
    transfer = lift.wrap(encoding.fresh(Transfer, "transfer"), Transfer)

    def run(_: Any) -> tuple[Any, Any]:
        memory: Any = theory.private()
        before = memory.memory[other].word(at).term
        receive(memory, transfer, page, word, value)
        return before, memory.memory[other].word(at).term

    def attempt(tracer: Any) -> tuple[Any, Any] | None:
        try:
            return run(tracer)
        except Blocked:
            return None

    for tracer, result in lift.paths(attempt):
        if result is None:
            continue
        before, after = result
        wanted = z3.If(z3.And(page.term == other.term, word.term == at.term), value.term, before)
        yield Obligation("private memory", "a read returns the last write", "lemma", 0,
                         (*tracer.conditions, *theory.words), after == wanted)
    array = z3.Array("page", z3.IntSort(), z3.IntSort())
    place, elsewhere, new = z3.Ints("place elsewhere new")
    changed = z3.Select(z3.Store(array, place, new), elsewhere)
    yield Obligation("private memory", "a page is a row of words", "lemma", 0, (),
                     changed == z3.If(place == elsewhere, new, z3.Select(array, elsewhere)))


def weight_obligations(theory: Theory) -> Iterator[Obligation]:
    """No measure's weight is negative: what the counting facts need."""
    assumed = tuple(statement.closed for statement in theory.assumptions)
    for measure in theory.measures:
        shape = Machine.shapes()[measure.over]
        parameters = [theory.encoding.fresh(k, "p") for k in theory.lift.parameter_kinds(measure)]
        value, key = theory.encoding.fresh(shape.value, "value"), theory.encoding.fresh(shape.keys[0], "key")
        weight = theory.lift.weight(measure, theory.machine(), value, key, parameters)
        yield Obligation("lemma", f"weight of {measure.__name__} is not negative", "lemma", 0, assumed, weight >= 0)


def lemma_obligations() -> Iterator[Obligation]:
    """The counting facts, by induction on the length of the list that is summed."""
    integers = z3.IntSort()
    weight, other = z3.Function("weight", integers, integers), z3.Function("other", integers, integers)
    total, total_other = z3.Function("sum", integers, integers), z3.Function("sum_other", integers, integers)
    n, i, j, k = z3.Ints("n i j k")
    start = (total(0) == 0, total_other(0) == 0)
    grow = (total(n + 1) == total(n) + weight(n), total_other(n + 1) == total_other(n) + other(n), n >= 0)
    positive = (z3.ForAll([i], weight(i) >= 0),)
    same_but_one = (z3.ForAll([i], z3.Implies(i != k, other(i) == weight(i))), k >= 0)

    def induction(name: str, claim: Any, *given: Any) -> Iterator[Obligation]:
        yield Obligation("lemma", f"{name}: empty list", "lemma", 0, (*start, *given), claim(z3.IntVal(0)))
        yield Obligation("lemma", f"{name}: one entry more", "lemma", 0, (*grow, *given, claim(n)), claim(n + 1))

    yield from induction("a sum is not negative", lambda m: total(m) >= 0, *positive)
    yield from induction(
        "an entry never exceeds the sum",
        lambda m: z3.And(total(m) >= 0, z3.ForAll([i], z3.Implies(z3.And(i >= 0, i < m), total(m) >= weight(i)))),
        *positive)
    yield from induction(
        "nor do two",
        lambda m: z3.And(
            total(m) >= 0,
            z3.ForAll([i], z3.Implies(z3.And(i >= 0, i < m), total(m) >= weight(i))),
            z3.ForAll([i, j], z3.Implies(z3.And(i >= 0, i < j, j < m), total(m) >= weight(i) + weight(j)))),
        *positive)
    yield from induction(
        "a sum that is not 0 has an entry that is not",
        lambda m: z3.And(total(m) >= 0, z3.Or(total(m) == 0, z3.Exists([i], z3.And(i >= 0, i < m, weight(i) > 0)))),
        *positive)
    yield from induction(
        "a write shifts the sum by the weight after less the weight before",
        lambda m: total_other(m) == z3.If(k < m, total(m) + other(k) - weight(k), total(m)), *same_but_one)
    both, of_both = z3.Function("both", integers, integers), z3.Function("sum_both", integers, integers)
    for name, one in (("added", 1), ("taken away", -1)):
        yield from induction(
            f"sums of one list, {name}, are the sum over entries {name}",
            lambda m, one=one: of_both(m) == total(m) + one * total_other(m),
            z3.ForAll([i], both(i) == weight(i) + one * other(i)), of_both(0) == 0,
            of_both(n + 1) == of_both(n) + both(n))
    yield from induction("a sum that is negative has an entry that is",
                         lambda m: z3.Or(total(m) >= 0, z3.Exists([i], z3.And(i >= 0, i < m, weight(i) < 0))))
    def smaller(m: Any) -> Any:
        return z3.Exists([i], z3.And(i >= 0, i < m, weight(i) < other(i)))

    yield from induction(
        "a sum with a greater entry and no smaller one is greater",
        lambda m: z3.And(
            z3.Or(total(m) >= total_other(m), smaller(m)),
            z3.ForAll([j], z3.Implies(z3.And(j >= 0, j < m, weight(j) > other(j)),
                                      z3.Or(total(m) > total_other(m), smaller(m))))))
    yield from induction("equal weights have equal sums", lambda m: total(m) == total_other(m),
                         z3.ForAll([i], weight(i) == other(i)))
    yield from induction("nothing adds up to nothing", lambda m: total(m) == 0, z3.ForAll([i], weight(i) == 0))
    yield from induction("ones add up to the length", lambda m: total(m) == m, z3.ForAll([i], weight(i) == 1))


__all__ = [
    "assumption_obligations",
    "initial_obligations",
    "lemma_obligations",
    "private_memory_obligations",
    "weight_obligations",
]
