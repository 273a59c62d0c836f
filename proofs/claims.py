"""What one might believe and is false: small machines that show it, found by the solver and asked again in Python.

Of the machines only what targets rest on is looked at: the VMs, what is
configured, and the invariants about targets. How many pages, frames and slots
have a name does not matter here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any

import attrs
import z3

from pagelaw.spec.language import REGISTER, VM, Entry
from pagelaw.spec.language.state import Shape
from pagelaw.spec.machine import Machine
from pagelaw.spec.shares import active_pages, price
from pagelaw.spec.vocabulary import Off, Running

from .laws import Machines, number_of_machines
from .lifting import SymState, arguments_of
from .replay import show, verdict
from .small import SmallTheory, sizes

ABOUT_TARGETS = ("targets_are_within_bounds", "targets_add_up", "what_is_set_aside_is_not_reserved",
                 "nothing_is_spare_while_pages_are_to_be_taken", "reservations_add_up", "estimates_are_fractions")
"""The invariants that such a machine has to satisfy."""
WISHES: tuple[tuple[str, Any], ...] = (
    ("estimate", Fraction(0)), ("estimate", Fraction(1)), ("target", 1), ("target", 2), ("to_take", 0),
)
"""What the machines should look like, as far as they can, one field after the other."""

Place = tuple[Shape, tuple[Any, ...], Any]
"""A field and a key of a machine, and the term for what it holds there."""


@attrs.frozen
class Refuted:
    """A claim, the machines that refute it, and for which values."""

    claim: Entry
    machines: tuple[Machine, ...]
    values: dict[str, Any]

    def is_false(self) -> bool:
        """Whether Python itself finds it false there, and what the machines have to satisfy true."""
        entries = [*REGISTER["assumption"].values(), *(REGISTER["invariant"][name] for name in ABOUT_TARGETS)]
        asked = ((entry, s, case) for s in self.machines for entry in entries for case in _cases(s, entry))
        allowed = all(verdict(entry.function, [s], case) is True for entry, s, case in asked)
        return allowed and verdict(self.claim.function, self.machines, list(self.values.values())) is False

    def lines(self) -> Iterator[str]:
        """The printout."""
        yield f"{self.claim.name}: {self.claim.sentence}"
        names = list(inspect.signature(inspect.unwrap(self.claim.function)).parameters)
        for name, s in zip(names, self.machines, strict=False):
            yield f"  {name}: tax {s.tax_rate}" + (f", {s.to_take} pages to take" if s.to_take else "")
            for vm in s.each(VM):
                if s.life[vm] != Off():
                    bounds = f"minimum {s.minimum[vm]}, size {s.maximum[vm]}"
                    uses = f"uses {active_pages(s, vm)}, price {price(s, vm)}"
                    yield f"    VM {show(vm)}: shares {s.shares[vm]}, target {s.target[vm]} ({bounds}), {uses}"
        told = ", ".join(f"{name} = {show(value)}" for name, value in self.values.items())
        yield f"  false for {told}: {'asked in Python' if self.is_false() else 'NOT SO in Python'}"


class ClaimTheory(SmallTheory):
    """Two small machines of which only what targets rest on is known."""

    @property
    def hypotheses(self) -> list[Any]:
        """The assumptions, and the invariants about targets."""
        named = [self.invariants[name].closed for name in ABOUT_TARGETS]
        return [one.closed for one in self.assumptions] + named + self.encoding.facts_of_the_instance()

    @cached_property
    def machines(self) -> Machines:
        """Both machines."""
        return Machines(self)

    def states(self, number: int) -> list[SymState]:
        """One machine, or both."""
        return [self.machines.first(), self.machines.second()][:number]

    def entries_of(self, number: int) -> list[Place]:
        """The entries of the first machine, or of the second."""
        if number == 0:
            return self.entries
        own = {**self.functions, **self.machines.others}
        keyed = ((shape, keys) for shape, keys, _ in self.entries)
        return [(shape, keys, own[shape.name](*map(self.encoding.constant, keys))) for shape, keys in keyed]


def refute(entry: Entry) -> Refuted | None:
    """Machines that refute a claim, or a law that is false; None if none were found."""
    number = number_of_machines(entry)
    theory = ClaimTheory(sizes(pages=(1, 1), more_vms=max((entry.extra if isinstance(entry.extra, int) else 2) - 2, 0)))
    states = theory.states(number)
    arguments = arguments_of(theory.lift, entry.function, number)
    asked = inspect.unwrap(entry.function)
    term, _ = theory.lift.merge(lambda: asked(*states, *arguments.values()), bool)
    wanted = [z3.Not(term)]
    if number == 2:
        wanted += [theory.machines.of_second(one) for one in theory.hypotheses]
    every = [one for state in range(number) for one in theory.entries_of(state)]
    model = None
    for conditions in _plain_parameters(theory, every):
        model = theory.model(*wanted, *conditions)
        if model is not None:
            wanted += conditions
            break
    model = model or theory.model(*wanted)
    if model is None:
        return None
    for name, plain in WISHES:
        wishes = [term == theory.encoding.constant(plain) for shape, _, term in every if shape.name == name]
        model = theory.granted_in(wishes, wanted, model)
    machines = tuple(theory.machine_in(model, theory.entries_of(state)) for state in range(number))
    found = Refuted(entry, machines, {n: theory.read(model, a.term, a.kind) for n, a in arguments.items()})
    return found if found.is_false() else None


def _plain_parameters(theory: ClaimTheory, entries: Sequence[Place]) -> Iterator[list[Any]]:
    """Parameters that make a machine easy to read, and what is asked of it easy to answer: plain ones first."""
    terms = {name: [term for shape, _, term in entries if shape.name == name] for name in Machine.shapes()}
    fixed = [term == number for name, number in (("minimum", 0), ("maximum", 4)) for term in terms[name]]
    fixed += [z3.Or(term == 0, term == 1) for term in terms["estimate"]]
    fixed += [term == theory.encoding.constant(Running()) for term in terms["life"]]
    vms = len(theory.members[VM])
    for shares in sorted(product((1, 2, 4), repeat=vms), key=lambda one: (sum(one), one)):
        for tax in (Fraction(3, 4), Fraction(0)):
            taxed = [term == theory.encoding.constant(tax) for term in terms["tax_rate"]]
            yield [*fixed, *taxed, *(term == shares[i % vms] for i, term in enumerate(terms["shares"]))]


def _cases(s: Machine, entry: Entry) -> Iterator[tuple[Any, ...]]:
    names = list(inspect.signature(inspect.unwrap(entry.function)).parameters)[1:]
    yield from ([(vm,) for vm in s.each(VM)] if names else [()])


__all__ = ["Refuted", "refute"]
