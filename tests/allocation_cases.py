"""Machines that are to be divided, at random, and the rule itself, run on them page by page."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import attrs

from pagelaw.model.optimized.allocation import Client, Exact
from pagelaw.model.reference.beside import check_everything
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.power import power_vm_on
from pagelaw.spec.refusals import Refused
from pagelaw.spec.shares import demand, revoke_page

TAXES: tuple[Exact, ...] = (0, Fraction(1, 3), Fraction(1, 2), Fraction(3, 4), Fraction(9, 10), Fraction(997, 1009))


@attrs.frozen
class Case:
    """What is to be divided, and among whom."""

    clients: list[Client]
    tax_rate: Exact
    pages: int


def random_case(random: Random, most_vms: int, most_pages: int) -> Case:
    """Any pages between the sums of the bounds; shares often so few, and estimates so round, that prices are equal."""
    widest = random.choice((1, 2, 3, 12, 1000))
    clients = []
    for _ in range(random.randint(1, most_vms)):
        minimum, maximum = sorted((random.choice((0, random.randint(0, most_pages))), random.randint(1, most_pages)))
        part = random.choice((0, 1, Fraction(1, 2), Fraction(random.randint(0, 97), 97)))
        clients.append(Client(random.randint(1, widest), minimum, maximum, part * maximum))
    least, most = sum(one.minimum for one in clients), sum(one.maximum for one in clients)
    return Case(clients, random.choice(TAXES), random.randint(least, most))


def by_the_rule(case: Case) -> list[int]:
    """All VMs are powered on and demand their maximum; then `revoke_page` until nothing is left to take."""
    s = the_machine(case)
    vms = s.ids[VM]
    for vm in vms:
        power_vm_on(s, vm)
        s.estimate[vm] = Fraction(case.clients[vm.number].active) / s.maximum[vm]
    for vm in vms:
        while s.target[vm] < s.maximum[vm]:
            demand(s, vm)
    check_everything(s, "invariant")
    while s.to_take:
        revoke_from_the_first(s)
    check_everything(s, "invariant")
    return [s.target[vm] for vm in vms]


def the_machine(case: Case) -> Machine:
    """A machine with a frame for each page to be had and these VMs, none of them on."""
    maximums = tuple(one.maximum for one in case.clients)
    return machine(
        Sizes(
            vms=len(case.clients), pages=maximums, minimum=tuple(one.minimum for one in case.clients), overhead=0,
            shares=tuple(one.shares for one in case.clients), tax_rate=Fraction(case.tax_rate),
            frames=case.pages, low_frames=0, slots=sum(maximums),
            vcpus=1, virtual_pages=1, transfers=1, words=1, sample_size=1,
        )
    )  # fmt: skip


def revoke_from_the_first(s: Machine) -> None:
    """A page of the first VM that the rule lets one be taken from (R-28: runs pick the lowest id)."""
    for vm in s.ids[VM]:
        try:
            revoke_page(s, vm)
        except Blocked as blocked:
            if blocked.reason not in (Refused.AT_MINIMUM, Refused.OTHERS_FIRST):
                raise
        else:
            return
    raise AssertionError("pages are to be taken, and nobody can lose one")
