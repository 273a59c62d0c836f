"""Figure 5: what sharing saves on three servers in production, as far as contents that are made up can say."""

from __future__ import annotations

from fractions import Fraction

import attrs

from ..run import GuestPlan, Note, Plan
from ..workloads import FILES, DriverStarts, InTurn, Reading, Workload, Zeroing, common, own
from .figure import Compared, Figure, How, Line, Panel, hundredths, told

MINUTES = 60
SCAN = (500, 2000)
"""Ten times R-49's rates: what takes hours there is to be seen in one."""


@attrs.frozen
class Site:
    """One line of the paper's table, in megabytes."""

    name: str
    vms: int
    total: int
    shared: int
    reclaimed: int
    zero: int
    sure: str


SITES = (
    Site("A, 10 Windows NT", 10, 2048, 880, 673, 0, "memory-high; reclaimed notes"),
    Site("B, 9 Linux", 9, 1846, 539, 345, 70, "memory-high; reclaimed, zero pages notes"),
    Site("C, 5 Linux", 5, 1658, 165, 120, 25, "memory-high; reclaimed, zero pages notes"),
)
"""How many of A's pages are zeros is not known: none are made here."""

ABOUT = f"""\
Three machines with 10, 9 and 5 VMs. The paper's are servers in production, whose contents nobody has: what is
shared there cannot be a result here. The contents are made from the paper's own columns: its zero pages, as many
other pages as it shares, each held by as many as (shared - zero) / (shared - reclaimed) says, the rest different.
What is measured is how much of that random scanning finds within {MINUTES} minutes at ten times the rates of
R-49."""


def plan(how: How, site: Site) -> Plan:
    """The run of one site."""
    size = site.total // site.vms

    def workload(number: int) -> Workload:
        each = Fraction(1, site.vms)
        zero, alike = sizes.pages(site.zero * each), sizes.pages((site.shared - site.zero) * each)
        different = max(1, sizes.pages(site.shared - site.reclaimed))

        def holds(block: int) -> int:
            return common(((block - FILES) * site.vms + number) % different)

        rest = range(FILES + alike, FILES + sizes.pages(size) - zero)
        return InTurn(DriverStarts(), Zeroing(pages=zero), Reading(range(FILES, FILES + alike), holds),
                      Reading(rest, own(number)))  # fmt: skip

    sizes = Plan(guests=(), memory=site.total * 3 // 2, seconds=MINUTES * 60, scale=how.scale, seed=how.seed, scan=SCAN,
                 every=60)  # fmt: skip
    guests = tuple(
        GuestPlan(name=str(number), size=size, minimum=size // 2, shares=100,
                  workload=lambda number=number: workload(number))  # type: ignore[misc]
        for number in range(site.vms)
    )  # fmt: skip
    return attrs.evolve(sizes, guests=guests)


def replay(how: How) -> Figure:
    """Three runs."""
    steps = 0
    lines, compared = [], []
    for site in SITES:
        run = how.run(plan(how, site))
        steps += run.server.steps
        shared, saved, zero = (
            hundredths(pages, how.scale)
            for pages in (run.server.pages_sharing(), run.server.pages_saved(), run.server.zero_pages_saved())
        )
        lines.append(line(site, run.notes, how.scale))
        whole = site.total // site.vms * site.vms
        compared.append(Compared(
            what=f"{site.name}: shared, reclaimed, zero pages",
            ours=f"{told(shared)} ({told(round(Fraction(shared * 100, whole)), ' %')}), "
                 f"{told(saved)} ({told(round(Fraction(saved * 100, whole)), ' %')}), {told(zero)}",
            paper=f"{site.shared} MB, {site.reclaimed} MB, {f'{site.zero} MB' if site.zero else 'not known'}",
            sure=site.sure,
            why="the contents are made so that this can be found; what is missing was not scanned often enough",
        ))  # fmt: skip
    return Figure(
        number=5, title="Three servers: what sharing saves", about=ABOUT,
        panels=(Panel(title="reclaimed, as scanning goes on", across="minutes", up="MB", lines=lines),),
        compared=compared, scale=how.scale, seed=how.seed, steps=steps, checked=how.checking is not None,
    )  # fmt: skip


def line(site: Site, notes: list[Note], scale: Fraction) -> Line:
    """What is saved, minute by minute."""
    return Line(site.name, [note.second for note in notes], [hundredths(note.saved, scale) for note in notes])
