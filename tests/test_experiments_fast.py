"""What makes runs of the server fast changes nothing: the same rules, seen by nobody who needs more."""

from __future__ import annotations

import gc
from fractions import Fraction
from types import FunctionType
from typing import Any

import attrs
import pytest

from pagelaw.model.experiments.figures import eight
from pagelaw.model.experiments.figures.figure import How
from pagelaw.model.experiments.prices import DEPENDS_ON
from pagelaw.model.experiments.run import Run
from pagelaw.model.experiments.server import NOT_DRAWN, Server
from pagelaw.model.experiments.words import fields_read
from pagelaw.model.reference.beside import asked
from pagelaw.model.reference.plainly import Plainly
from pagelaw.spec import balloon, paging, shares
from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.vocabulary import Mapped


@pytest.fixture(scope="module")
def short_run() -> Run:
    return Run(attrs.evolve(eight.plan(How(scale=Fraction(1, 128))), seconds=420)).run()


def test_what_is_run_is_the_text_of_each_rule() -> None:
    """The very code, constants and names; and no wrapper is left in anything that it can call."""
    plainly = Plainly()
    for entry in REGISTER["rule"].values():
        made = plainly(entry.function)
        assert isinstance(made, FunctionType)
        assert made.__code__ == entry.function.__code__
        for name in made.__code__.co_names:
            called = made.__globals__.get(name)
            assert asked(called) is called if called is not None else True, name


def test_a_fault_of_a_question_is_a_fault_of_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rule calls is what its chapter calls so now."""

    def called() -> Any:
        return Plainly()(paging.pick_for_paging).__globals__["may_be_victim"].__code__

    assert called() == asked(paging.may_be_victim).__code__
    monkeypatch.setattr(paging, "may_be_victim", balloon.is_going_to_balloon)
    assert called() == asked(balloon.is_going_to_balloon).__code__


def test_pages_that_are_used_unnoticed_are_in_memory_and_not_sampled(short_run: Run) -> None:
    """Whatever a guest holds and the server would not notice: it has a frame, and was not drawn."""
    server, s = short_run.server, short_run.server.machine
    unnoticed = [page for guest in short_run.guests for page in guest.held.values() if page not in server.noticed]
    assert len(unnoticed) > 500
    assert sum(server.paged_out.values()) > 100
    assert all(type(s.pmap[page]) is Mapped and s.sampled[page] is NOT_DRAWN for page in unnoticed)


def test_prices_are_worked_out_from_what_they_depend_on() -> None:
    """Nothing else can change a price, and each of these makes it be worked out anew."""
    assert fields_read(shares.price_of) == set(DEPENDS_ON)
    server = Server(eight.plan(How(scale=Fraction(1, 256))).machine())
    s, vm = server.machine, server.machine.ids[VM][0]

    def agrees() -> Fraction:
        told = shares.price_of(s, vm, 100)
        assert told == server.price_of(s, vm, 100) == server.price_of(s, vm, 100)
        return told

    s.estimate[vm] = Fraction(1, 3)
    told = {agrees()}
    s.estimate[vm] = Fraction(1, 4)
    told.add(agrees())
    s.tax_rate = Fraction(1, 2)
    told.add(agrees())
    s.maximum[vm] += 50
    told.add(agrees())
    s.shares[vm] += 1
    told.add(agrees())
    assert len(told) == 5


def test_a_run_makes_no_cycles() -> None:
    """So that nothing is lost by not looking for them while it goes on."""
    run = Run(attrs.evolve(eight.plan(How(scale=Fraction(1, 256))), seconds=60))
    gc.collect()
    run.run()
    assert gc.isenabled()
    assert gc.collect() < run.server.steps / 1000
