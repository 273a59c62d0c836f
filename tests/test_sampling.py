"""Sampling (section 5.3): exact given the sample; what is asked of whoever draws it; one test of chance."""

from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import comb, log, sqrt
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from pagelaw.model.experiments.daemons import PERIOD, Sampler
from pagelaw.model.reference.operations import ToTheEnd, first_touch, flush_all, read
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec.estimators import end_period, greatest_average
from pagelaw.spec.language import VM, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.power import power_vm_on
from pagelaw.spec.sampling import end_sample, sample
from pagelaw.spec.translation import guest_changes_table
from pagelaw.spec.vocabulary import VCPU, Names, Page, VPage

A = VM(0)
PAGES, DRAWN, IN_USE = 12, 4, 5
"""A VM small enough to look at every sample: 12 pages, of which 4 are drawn and 5 are in use."""


def server(pages: int = PAGES, drawn: int = DRAWN) -> Machine:
    """A running VM that has touched all its pages."""
    s = machine(Sizes(vms=1, pages=pages, frames=pages + 2, virtual_pages=1, vcpus=1, sample_size=drawn, overhead=0,
                      slots=pages))  # fmt: skip
    power_vm_on(s, A)
    run = ToTheEnd(s)
    for page in s.each(Page, A):
        run(first_touch, page)
    return s


def look(s: Machine, page: Page) -> None:
    """The guest's vCPU reads a word of a page, through its only virtual page."""
    cpu, virtual = s.each(VCPU, A)[0], s.each(VPage, A)[0]
    guest_changes_table(s, virtual, Names(page))
    run = ToTheEnd(s)
    run(flush_all, page)
    run(read, cpu, virtual, Word(0))


@pytest.fixture(scope="module")
def touched_before() -> Machine:
    return server()


def test_over_all_samples_the_count_is_hypergeometric(touched_before: Machine) -> None:
    """Of 12 pages 5 are touched, each twice. Every sample of 4 is drawn once: t is exactly what chance would give."""
    pages = touched_before.each(Page, A)
    counts: Counter[int] = Counter()
    for chosen in combinations(pages, DRAWN):
        s = touched_before.copy()
        for page in chosen:
            sample(s, page)
        for page in pages[:IN_USE]:
            look(s, page)
            look(s, page)
        counts[s.touched[A]] += 1
    expected = {t: comb(IN_USE, t) * comb(PAGES - IN_USE, DRAWN - t) for t in range(DRAWN + 1)}
    assert counts == expected
    assert sum(t * number for t, number in counts.items()) * PAGES == DRAWN * IN_USE * comb(PAGES, DRAWN)


def test_pages_outside_the_sample_do_not_count(touched_before: Machine) -> None:
    s = touched_before.copy()
    pages = s.each(Page, A)
    for page in pages[:DRAWN]:
        sample(s, page)
    for page in pages[DRAWN:]:
        look(s, page)
    assert s.touched[A] == 0


def test_averages_and_their_greatest_are_exact(touched_before: Machine) -> None:
    """Periods with 0, 4 and 2 of 4 touched; slow gain 1/8, fast 1/2, from 1: each number worked out by hand."""
    s = touched_before.copy()
    pages, seen = s.each(Page, A), []
    for touched in (0, 4, 2):
        for page in pages[:DRAWN]:
            sample(s, page)
        for page in pages[:touched]:
            look(s, page)
        end_period(s, A)
        seen.append((s.slow[A], s.fast[A], greatest_average(s, A)))
        for page in pages[:DRAWN]:
            end_sample(s, page)
    F = Fraction
    assert seen == [
        (F(7, 8), F(1, 2), F(7, 8)),
        (F(57, 64), F(3, 4), F(57, 64)),
        (F(431, 512), F(5, 8), F(431, 512)),
    ]


# Whoever draws a sample.


class Drawn(Sampler):
    """The experiments' sampler on a machine of its own, with what it drew in each period."""

    def __init__(self, s: Machine, seed: int) -> None:
        do: Any = lambda rule, arguments: rule(s, *arguments)  # noqa: E731
        super().__init__(SimpleNamespace(machine=s, do=do, noticed=set()), A, Random(seed))  # type: ignore[arg-type]

    def periods(self, number: int, uses: int = 0) -> list[list[Page]]:
        """The samples of so many periods, while the guest touches its first pages."""
        samples = []
        for _ in range(number):
            self.turn(PERIOD)
            samples.append(list(self.drawn))
            for page in self.server.machine.each(Page, A)[:uses]:
                look(self.server.machine, page)
        return samples


def test_a_sample_has_n_pages_none_of_them_twice_and_is_fresh_each_period() -> None:
    samples = Drawn(server(), 1).periods(40)
    assert all(len(drawn) == len(set(drawn)) == DRAWN for drawn in samples)
    assert len({tuple(drawn) for drawn in samples}) > 35, "periods do not repeat their sample"


def test_a_sample_does_not_depend_on_what_is_touched() -> None:
    assert Drawn(server(), 2).periods(10, uses=0) == Drawn(server(), 2).periods(10, uses=PAGES)


FALSE_ALARM = 1e-9
"""How likely it is that a uniform sampler fails the test below, whatever the seed."""


def test_a_sampler_is_uniform_as_far_as_can_be_seen_from_outside() -> None:
    """Over 2,000 periods the first 5 of 12 pages are 5/12 of what is drawn, to within Hoeffding's bound."""
    periods = 2_000
    samples = Drawn(server(), 3).periods(periods)
    used = set(server().each(Page, A)[:IN_USE])
    mean = sum(len(used.intersection(drawn)) for drawn in samples) / (DRAWN * periods)
    assert abs(mean - IN_USE / PAGES) <= sqrt(log(2 / FALSE_ALARM) / (2 * periods))
