"""Laws about targets: proved, true when asked in Python, and refused when they say too much; and what is false."""

import inspect
from fractions import Fraction
from typing import Any

import attrs
import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from pagelaw import spec  # noqa: F401  (fills the register)
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.proofs.by_z3 import Z3, Needs
from pagelaw.proofs.claims import refute
from pagelaw.proofs.laws import Machines, law_obligations, number_of_machines
from pagelaw.proofs.obligations import Theory
from pagelaw.proofs.solvers import Verdict
from pagelaw.spec import entitlement
from pagelaw.spec.language import REGISTER, VM, Entry
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import Running

LAWS = list(REGISTER["law"].values())
FRACTIONS = st.builds(Fraction, st.integers(0, 4), st.just(4))
ids = pytest.mark.parametrize("entry", LAWS, ids=[law.name for law in LAWS])


@st.composite
def servers(draw: st.DrawFn) -> Machine:
    """A machine of three running VMs whose targets are anything that the invariants about targets allow."""
    shares = tuple(draw(st.integers(1, 3)) for _ in range(3))
    tax = draw(st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(3, 4)]))
    s = machine(Sizes(vms=3, pages=4, frames=20, shares=shares, tax_rate=tax, minimum=0, overhead=0))
    for vm in s.each(VM):
        s.life[vm] = Running()
        s.target[vm], s.estimate[vm] = draw(st.integers(0, 4)), draw(FRACTIONS)
        s.slow[vm] = s.fast[vm] = draw(FRACTIONS)
        s.drawn[vm] = s.sample_size[vm]
        s.touched[vm] = draw(st.integers(0, 2))
    s.to_take = draw(st.integers(0, 2))
    s.spare = 0
    return s


def arguments(entry: Entry, draw: st.DataObject) -> list[Any]:
    """Machines and values for a law; the second machine is often like the first, as laws compare like with like."""
    first = draw.draw(servers())
    machines = [first]
    if number_of_machines(entry) == 2:
        machines.append(draw.draw(servers()))
        if draw.draw(st.integers(0, 3)):
            machines[1].tax_rate, machines[1].shares = first.tax_rate, first.shares
            for vm in first.each(VM):
                machines[1].estimate[vm] = first.estimate[vm]
    names = list(inspect.signature(inspect.unwrap(entry.function)).parameters.values())[len(machines) :]
    kinds = {"VM": st.sampled_from(list(first.each(VM))), "int": st.integers(0, 5), "Fraction": FRACTIONS}
    return [*machines, *(draw.draw(kinds[name.annotation]) for name in names)]


@ids
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_law_holds_when_asked_in_python(entry: Entry, data: st.DataObject) -> None:
    assert entry.function(*arguments(entry, data))


@pytest.mark.parametrize("entry", REGISTER["claim"].values(), ids=list(REGISTER["claim"]))
def test_a_false_claim_is_refuted_by_machines_on_which_python_finds_it_false(entry: Entry) -> None:
    found = refute(entry)
    assert found is not None
    assert found.is_false()


def test_a_law_is_not_refuted() -> None:
    """The search that refutes claims finds nothing against something true."""
    assert refute(REGISTER["law"]["minimums_are_fair"]) is None


def test_the_facts_about_something_abstract_are_laws() -> None:
    assert all(fact.__name__ in REGISTER["law"] for fact in entitlement.PRICES.facts)
    known = [REGISTER["law"][fact.__name__] for fact in entitlement.PRICES.facts]
    assert all(entry.extra is None for entry in known), "a fact that rests on facts could rest on itself"


def test_what_laws_rest_on_does_not_contradict_itself() -> None:
    """From the invariants of two machines, the facts about prices and the sums nothing false is proved."""
    theory = Theory()
    asked = [attrs.evolve(one, goal=z3.BoolVal(False)) for one in law_obligations(theory) if one.kind == "law"]
    assert len(asked) == len(LAWS)
    answers = Z3(Needs.of(theory), 2.0, 300_000).prove(asked)
    assert [one.property for one, told in zip(asked, answers, strict=True) if told.verdict is Verdict.PROVED] == []


def test_whatever_a_law_demands_to_be_asked_is_an_obligation() -> None:
    """By its text: the number of a term that is gone may be that of another."""
    theory = Theory()
    due = {
        (entry.name, z3.And(*conditions, z3.Not(need)).sexpr())
        for entry in LAWS for conditions, need, _ in Machines(theory).statement(entry).defined
    }  # fmt: skip
    made = [one for one in law_obligations(theory) if one.kind == "defined"]
    assert len(made) == len(due) > 100
