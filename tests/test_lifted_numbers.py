"""Exact rationals: the same function on maps and on symbolic values, whole numbers among them."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import z3

from pagelaw.proofs.by_cvc5 import ask
from pagelaw.proofs.encoding import Encoding
from pagelaw.proofs.lifting import CannotLift, Lift, Path, SymState, arguments_of, paths_of
from pagelaw.proofs.obligations import Obligation
from pagelaw.proofs.paste import Writer
from pagelaw.proofs.replay import show
from pagelaw.proofs.small import INSTANCES, SmallTheory
from pagelaw.proofs.smtlib import Writer as SmtWriter
from pagelaw.proofs.solvers import Verdict
from pagelaw.spec.language import VM, Map, State, given, pick, ratio, starts_as

THIRD = Fraction(1, 3)


class Purse(State):
    """Whole numbers and rationals, as parameters and as fields."""

    rate: Fraction = given()
    pages: Map[VM, int] = starts_as(3)
    share: Map[VM, Fraction] = starts_as(THIRD)
    best: Fraction = starts_as(Fraction(0))


SIZES: dict[type, Any] = {VM: [VM(0), VM(1)]}


def lifted(function: Callable[..., Any], encoding: Encoding | None = None) -> tuple[Lift, Any, list[Path]]:
    """A function on symbolic values: the lifting, its arguments, its paths."""
    lift = Lift(encoding or Encoding())

    def state() -> SymState:
        return SymState(lift, Purse, lambda shape: lift.encoding.function(shape))

    arguments = arguments_of(lift, function)
    return lift, arguments, paths_of(lift, function, state, state, arguments)


def on_maps(rate: Fraction) -> Purse:
    return Purse.start(SIZES, rate=rate)


def sums(s: Purse, vm: VM) -> None:
    s.share[vm] = 2 * s.share[vm] + s.pages[vm] - s.rate * s.pages[vm]


def differences_and_products(s: Purse, vm: VM) -> None:
    s.share[vm] = (1 - s.rate) * (s.pages[vm] - s.share[vm]) * 2 - 1


def quotients(s: Purse, vm: VM) -> None:
    s.share[vm] = ratio(s.pages[vm], 1 + s.pages[vm]) + ratio(1, 3) + ratio(s.share[vm], 7)


def choices(s: Purse, vm: VM) -> None:
    s.share[vm] = pick(s.share[vm] < s.pages[vm], s.share[vm], ratio(s.pages[vm], 2))


def whole_numbers_where_rationals_belong(s: Purse, vm: VM) -> None:
    s.share[vm] = s.pages[vm]  # type: ignore[assignment]
    s.best = 1  # type: ignore[assignment]


def orders(s: Purse, vm: VM) -> None:
    less, equal = s.share[vm] < s.pages[vm], s.pages[vm] == s.share[vm]
    if less and s.share[vm] <= 1 and not equal and s.share[vm] != s.pages[vm] and s.pages[vm] >= s.rate:
        s.best = s.share[vm]
    if 2 > s.rate > 1:
        s.best += s.rate


FUNCTIONS = [sums, differences_and_products, quotients, choices, whole_numbers_where_rationals_belong, orders]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("pages", [0, 1, 5])
@pytest.mark.parametrize("rate", [Fraction(0), Fraction(3, 4), Fraction(3, 2)])
def test_lifted_and_run_agree(function: Callable[..., Any], pages: int, rate: Fraction) -> None:
    encoding = Encoding(SIZES)
    _, arguments, paths = lifted(function, encoding)
    fields = {name: encoding.function(shape) for name, shape in Purse.shapes().items()}
    vm = encoding.constant(VM(1))
    known = z3.And(
        arguments["vm"].term == vm, fields["rate"]() == encoding.constant(rate), fields["pages"](vm) == pages,
        fields["share"](vm) == encoding.constant(THIRD), fields["best"]() == 0,
    )
    s = on_maps(rate)
    s.pages[VM(1)] = pages
    function(s, VM(1))
    taken = 0
    for path in paths:
        solver = z3.Solver()
        if solver.check(known, *path.conditions) == z3.sat:
            taken += 1
            model = solver.model()
            share = model.eval(path.state.fields["share"].read([vm]), model_completion=True)
            best = model.eval(path.state.fields["best"].term, model_completion=True)
            assert encoding.value(share, Fraction) == s.share[VM(1)]
            assert encoding.value(best, Fraction) == s.best
            needed = [z3.Implies(z3.And(c), need) for c, need, _ in path.defined]
            assert solver.check(known, z3.Not(z3.And(needed))) == z3.unsat
    assert taken == 1


def test_a_ratio_is_exact_and_never_of_floats() -> None:
    assert ratio(1, 3) == THIRD
    assert ratio(THIRD, Fraction(1, 6)) == 2
    assert isinstance(ratio(4, 2), Fraction)
    with pytest.raises(ZeroDivisionError):
        ratio(1, 0)


def test_a_divisor_must_be_proved_not_to_be_zero() -> None:
    def divides(s: Purse, vm: VM) -> None:
        s.best = ratio(s.pages[vm], 1 - s.rate)

    lift, _, (path,) = lifted(divides)
    ((_, need, what),) = path.defined
    assert what == "a ratio to what may be 0"
    rate = lift.encoding.function(Purse.shapes()["rate"])()
    solver = z3.Solver()
    assert solver.check(z3.Not(need == (rate != 1))) == z3.unsat


def test_a_known_divisor_needs_no_proof() -> None:
    def halves(s: Purse, vm: VM) -> None:
        s.best = ratio(s.pages[vm], 2)

    assert lifted(halves)[2][0].defined == []


def test_a_rational_does_not_stand_where_a_whole_number_belongs() -> None:
    def rounds(s: Purse, vm: VM) -> None:
        s.pages[vm] = s.share[vm]  # type: ignore[assignment]

    with pytest.raises(CannotLift, match="a Fraction stands where a int belongs"):
        lifted(rounds)


def test_a_float_has_no_meaning() -> None:
    def floats(s: Purse, vm: VM) -> None:
        s.best = s.share[vm] * 0.5  # type: ignore[assignment]

    with pytest.raises(CannotLift, match=r"0\.5 stands where a Fraction belongs"):
        lifted(floats)


def test_what_is_not_rational_is_no_value() -> None:
    encoding, x = Encoding(), z3.Real("x")
    solver = z3.Solver()
    solver.add(x * x == 2)
    assert solver.check() == z3.sat
    with pytest.raises(ValueError, match="not a rational number"):
        encoding.value(solver.model()[x], Fraction)


def test_a_small_machine_holds_rationals_only() -> None:
    """Where a solver thinks of the root of a half, a given number is looked for among the eighths; or none is found."""
    theory = SmallTheory(INSTANCES["tiny"])
    gains = {shape.name: term for shape, _, term in theory.entries if shape.value is Fraction}
    slow, fast = gains["slow_gain"], gains["fast_gain"]
    assert theory.model(fast * fast * 2 == 1) is None
    found = theory.model(z3.Or(fast * fast * 2 == 1, slow * 4 == fast))
    assert found is not None
    assert found.eval(slow * 4 == fast)
    machine, _ = theory.decode(found, {})
    assert machine.slow_gain * 4 == machine.fast_gain


def test_rationals_are_shown_and_pasted() -> None:
    assert show(Fraction(3, 4)) == "3/4"
    writer = Writer()
    assert writer.value(Fraction(3, 4)) == "Fraction(3, 4)"
    assert list(writer.import_lines()) == ["from fractions import Fraction"]


def test_a_statement_about_rationals_is_text_that_cvc5_reads() -> None:
    lift, arguments, (path,) = lifted(quotients)
    vm = arguments["vm"].term
    pages = lift.encoding.function(Purse.shapes()["pages"])(vm)
    share = lift.encoding.function(Purse.shapes()["share"])(vm)
    after = path.state.fields["share"].read([vm])
    obligation = Obligation("quotients", "bounded", "invariant", 0, (pages == 3, share == 7), after == z3.Q(25, 12))
    text = SmtWriter().text(obligation)
    assert "Real" in text
    assert ask(text, 10.0).verdict is Verdict.PROVED
