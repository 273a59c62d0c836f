"""Numbers whose value is not known, for functions that shift and mask: a program's text run on them is what Z3 proves.

`Word` is a machine word: 64 bits without sign, whose shifts lose bits, as with numpy's `uint64`. `Number` is a whole
number of Python: 160 bits with sign, of which none may ever be lost, which is proved at every shift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

WORD, NUMBER = 64, 160
PATIENCE = 60_000
"""Milliseconds for a question."""


class Undetermined(AssertionError):
    """A text asks what does not follow from what is known, nor does its opposite; or the solver gave up."""


def refuted(goal: Any, facts: tuple[Any, ...]) -> Any:
    """A model of the facts in which the goal does not hold; None if there is none, which alone is a proof."""
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", PATIENCE)
    solver.add(*facts, z3.Not(goal))
    found = solver.check()
    if found == z3.unknown:
        raise Undetermined(solver.reason_unknown())
    return None if found == z3.unsat else solver.model()


class Word:
    """64 bits without sign."""

    def __init__(self, term: Any) -> None:
        self.term = z3.BitVecVal(term, WORD) if isinstance(term, int) else term

    def _by(self, count: Word) -> Any:
        """How far to shift: fewer than 64 places, as a processor does not say what more would be."""
        places = z3.simplify(count.term)
        assert z3.is_bv_value(places), "shifted by what is not known"
        assert places.as_long() < WORD, "shifted by a word or more"
        return places

    def __lshift__(self, count: Word) -> Word:
        return Word(self.term << self._by(count))

    def __rshift__(self, count: Word) -> Word:
        return Word(z3.LShR(self.term, self._by(count)))

    def __and__(self, other: Word) -> Word:
        return Word(self.term & other.term)

    def __or__(self, other: Word) -> Word:
        return Word(self.term | other.term)

    def __add__(self, other: Word) -> Word:
        return Word(self.term + other.term)

    def __sub__(self, other: Word) -> Word:
        return Word(self.term - other.term)

    def __invert__(self) -> Word:
        return Word(~self.term)


class Truth:
    """Whether something holds: yes or no if that follows from what is known."""

    def __init__(self, term: Any, facts: tuple[Any, ...]) -> None:
        self.term, self.facts = term, facts

    def __bool__(self) -> bool:
        if refuted(self.term, self.facts) is None:
            return True
        if refuted(z3.Not(self.term), self.facts) is None:
            return False
        raise Undetermined(self.term)


class Number:
    """A whole number of which some facts are known. Where it would need more than 160 bits it is an error."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, term: Any, facts: tuple[Any, ...] = ()) -> None:
        self.term, self.facts = term, facts

    def _other(self, other: Number | int) -> Any:
        if isinstance(other, int):
            assert abs(other) < 1 << NUMBER - 1
            return z3.BitVecVal(other, NUMBER)
        return other.term

    def _with(self, term: Any) -> Number:
        return Number(term, self.facts)

    def __lshift__(self, count: int) -> Number:
        assert 0 <= count < NUMBER
        shifted = self.term << count
        if refuted(shifted >> count == self.term, self.facts) is not None:
            raise Undetermined("a number may need more than 160 bits")
        return self._with(shifted)

    def __rshift__(self, count: int) -> Number:
        assert 0 <= count < NUMBER
        return self._with(self.term >> count)

    def __and__(self, other: Number | int) -> Number:
        return self._with(self.term & self._other(other))

    def __or__(self, other: Number | int) -> Number:
        return self._with(self.term | self._other(other))

    def __add__(self, other: Number | int) -> Number:
        one, two = self.term, self._other(other)
        within = z3.BVAddNoOverflow(one, two, True), z3.BVAddNoUnderflow(one, two)
        if refuted(z3.And(*within), self.facts) is not None:
            raise Undetermined("a number may need more than 160 bits")
        return self._with(one + two)

    __rand__, __ror__, __radd__ = __and__, __or__, __add__

    def _asked(self, ask: Callable[[Any, Any], Any], other: Number | int) -> Truth:
        return Truth(ask(self.term, self._other(other)), self.facts)

    def __lt__(self, other: Number | int) -> Truth:
        return self._asked(lambda one, two: one < two, other)

    def __le__(self, other: Number | int) -> Truth:
        return self._asked(lambda one, two: one <= two, other)

    def __gt__(self, other: Number | int) -> Truth:
        return self._asked(lambda one, two: one > two, other)

    def __ge__(self, other: Number | int) -> Truth:
        return self._asked(lambda one, two: one >= two, other)

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]
        assert isinstance(other, Number | int)
        return self._asked(lambda one, two: one == two, other)
