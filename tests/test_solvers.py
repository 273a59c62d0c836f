"""A solver's answer counts as a proof only if it is one; and the text of an obligation says what its terms say."""

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from itertools import product
from typing import Any

import pytest
import z3

from pagelaw.proofs import by_cvc5, solvers
from pagelaw.proofs.by_z3 import Z3, Needs
from pagelaw.proofs.groups import groups, obligations_of
from pagelaw.proofs.obligations import Obligation, Theory
from pagelaw.proofs.smtlib import Writer, assertion
from pagelaw.proofs.solvers import Answer, SolverMissing, Verdict, agreed

RULE = "start_driver"
X: Any = z3.Int("x")
Y: Any = z3.Int("y")
Z: Any = z3.Int("z")
P: Any = z3.Bool("p")
BRACKETED = (z3.Z3_OP_ADD, z3.Z3_OP_AND, z3.Z3_OP_OR)
"""Operations of which the printer leaves out brackets that change nothing."""
CUBES = X * X * X + Y * Y * Y + Z * Z * Z != 114
"""Nobody knows whether this is true of all whole numbers."""


def obligation(goal: Any, *hypotheses: Any) -> Obligation:
    return Obligation("rule", "property", "lemma", 0, hypotheses, goal)


def by_z3(asked: Obligation, limit: float = 5.0, needs: Needs | None = None) -> Answer:
    (answer,) = Z3(needs or Needs(), limit).prove([asked])
    return answer


def by_cvc5_text(asked: Obligation, limit: float = 5.0) -> Answer:
    return by_cvc5.ask(Writer().text(asked), limit)


both = pytest.mark.parametrize("ask", [by_z3, by_cvc5_text])
Ask = Callable[..., Answer]


@both
def test_a_true_goal_is_proved(ask: Ask) -> None:
    assert ask(obligation(X > 0, X > Y, Y > 0)).verdict is Verdict.PROVED


@both
def test_a_false_goal_fails(ask: Ask) -> None:
    answer = ask(obligation(X > 1, X > 0))
    assert (answer.verdict, answer.reason) == (Verdict.FAILED, f"refuted by {answer.solver}")


@both
def test_no_answer_in_time_is_no_proof(ask: Ask) -> None:
    answer = ask(obligation(CUBES), 0.05)
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.reason


def test_z3_is_never_asked_for_a_proof_it_cannot_state() -> None:
    answer = by_z3(obligation(X))  # a goal has to be true or false
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.reason.startswith("z3: ")


def test_z3_goes_on_after_an_error() -> None:
    asked = [obligation(X), obligation(X > 0, X > 1), obligation(X > 2, X > 1)]
    answers = list(Z3(Needs(), 5.0).prove(asked))
    assert [one.verdict for one in answers] == [Verdict.UNKNOWN, Verdict.PROVED, Verdict.FAILED]


@pytest.mark.parametrize("text", ["(assert (= x 1))", "(set-logic ALL)", ""])
def test_text_that_cvc5_cannot_read_is_no_proof(text: str) -> None:
    assert by_cvc5.ask(text, 1.0).verdict is Verdict.UNKNOWN


def test_what_other_paths_needed_is_not_believed() -> None:
    """The hints name a contradiction, but this obligation does not assume it."""
    wrong = z3.BoolVal(False)
    needs = Needs([wrong], {"property": wrong})
    asked = obligation(X > 1, X > 0)
    needs.learn(asked, [wrong])
    assert by_z3(asked, needs=needs).verdict is Verdict.FAILED
    assert needs.shorter(asked).hypotheses == asked.hypotheses


def test_needs_are_learnt_from_what_was_used() -> None:
    general = [X - i > 0 for i in range(20)]
    asked = obligation(z3.And(X > 7, X > 11), *general, P)
    needs = Needs(general)
    assert by_z3(asked, needs=needs).verdict is Verdict.PROVED
    short = needs.shorter(asked)
    assert len(short.hypotheses) < 5
    assert set(short.hypotheses) < set(asked.hypotheses)
    assert by_z3(short).verdict is Verdict.PROVED


@pytest.mark.parametrize(("one", "other"), list(product(Verdict, Verdict)))
def test_two_solvers_prove_only_together(one: Verdict, other: Verdict) -> None:
    answer = agreed([Answer("z3", one, "a reason", 1.0), Answer("cvc5", other, "another", 2.0)])
    assert (answer.verdict is Verdict.PROVED) == (one is other is Verdict.PROVED)
    assert (answer.verdict is Verdict.FAILED) == (Verdict.FAILED in (one, other))
    assert answer.reason.startswith("the solvers disagree") == ({one, other} == {Verdict.PROVED, Verdict.FAILED})
    assert answer.seconds == 3.0


def test_a_missing_solver_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(solvers, "package_version", missing)
    with pytest.raises(SolverMissing, match=r"cvc5 is not installed: pip install 'pagelaw\[cvc5\]'"):
        solvers.provenance("cvc5")


# The text of an obligation.


@pytest.fixture(scope="module")
def theory() -> Theory:
    return Theory()


def texts(theory: Theory, group: str) -> list[str]:
    writer = Writer()
    return [writer.text(one) for one in obligations_of(theory, group)]


@pytest.mark.parametrize("group", [RULE, *(pytest.param(g, marks=pytest.mark.deep) for g in groups() if g != RULE)])
def test_text_read_back_is_the_same_obligation(theory: Theory, group: str) -> None:
    writer = Writer()
    checked: set[int] = set()
    for one in list(obligations_of(theory, group)):  # all at once: the number of a term that is gone is given again
        back = list(z3.parse_smt2_string(writer.text(one)))
        assert len(back) == len(one.hypotheses) + 1
        for read, meant in zip(back, (*one.hypotheses, z3.Not(one.goal)), strict=True):
            assert meant.get_id() in checked or same(read, meant), one.name
        checked.update(term.get_id() for term in one.hypotheses)


def test_text_does_not_depend_on_what_was_built_before(theory: Theory) -> None:
    first = texts(theory, RULE)
    texts(theory, "merge")
    assert texts(theory, RULE) == first
    assert texts(Theory(), RULE) == first


def test_text_does_not_depend_on_other_theories_in_the_process() -> None:
    theory = Theory()
    before = texts(theory, "merge")
    others = [Theory() for _ in range(4)]
    assert texts(others[-1], "merge") == texts(theory, "merge") == before


def test_text_is_unsat_for_both_solvers(theory: Theory) -> None:
    for text in texts(theory, RULE)[:3]:
        solver = z3.Solver()
        solver.from_string(text)
        assert solver.check() == z3.unsat
        assert by_cvc5.ask(text, 5.0).verdict is Verdict.PROVED


def test_a_name_of_the_printer_is_refused() -> None:
    with pytest.raises(ValueError, match="longer name"):
        assertion(z3.Int("a!1") > 0)
    bound = z3.Int("a!7")
    with pytest.raises(ValueError, match="longer name"):
        assertion(z3.ForAll([bound], bound > X))


def same(one: Any, other: Any) -> bool:
    """Whether two terms are the same but for the names of bound variables and the bracketing of sums."""
    if one.eq(other):
        return True
    if z3.is_quantifier(one):
        if not z3.is_quantifier(other) or one.is_forall() != other.is_forall():
            return False
        sorts = [[t.var_sort(i) for i in range(t.num_vars())] for t in (one, other)]
        return sorts[0] == sorts[1] and same(one.body(), other.body())
    if not (z3.is_app(one) and z3.is_app(other)) or one.decl().kind() != other.decl().kind():
        return False
    if one.decl().kind() == z3.Z3_OP_UNINTERPRETED and not one.decl().eq(other.decl()):
        return False
    ours, theirs = list(parts(one)), list(parts(other))
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def parts(term: Any) -> Iterator[Any]:
    for child in term.children():
        if term.decl().kind() in BRACKETED and z3.is_app(child) and child.decl().eq(term.decl()):
            yield from parts(child)
        else:
            yield child
