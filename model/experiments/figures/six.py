"""Figure 6: the estimate of active memory follows a program that touches more or less of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..run import GuestPlan, Note, Plan
from ..server import chance
from ..workloads import PROGRAM, SYSTEM, Ending, InTurn, Making, Until, Using, Workload, Zeroing, own
from .figure import Compared, Figure, How, Line, Panel, told

SIZE, BACKGROUND = 320, 15
PHASES = ((10, 0), (20, 50), (30, 150), (40, 250), (50, 100), (60, 0))
"""Until which minute how many megabytes are touched, beside the background."""
US = 80
"""Microseconds of work on each page that the program touches."""
ZEROED = 4
"""Minutes after the program's end until the guest zeroes what was freed."""

ABOUT = f"""\
One VM of {SIZE} MB (ours) on a machine with room for it. In the background {BACKGROUND} MB are in use (the
paper's: 10 to 20). A program touches 50, 150, 250 and 100 MB (the paper's: 50 to 250; the order and times are
ours), ten minutes each, and ends; {ZEROED} minutes later the guest zeroes what was freed, once. Samples of 100
pages in 30 s are the paper's, the gains of the averages, 1/8 and 1/2, are R-35's. What is called active are the
megabytes that the program and the background use."""


def plan(how: How) -> Plan:
    """The run."""

    def workload() -> Workload:
        steps: list[Workload] = []
        had = 0
        for minute, megabytes in PHASES:
            pages, before = sizes.pages(megabytes), sizes.pages(had)
            steps.append(Making(range(PROGRAM + before, PROGRAM + pages), own(0), once=True))
            steps.append(Ending(range(PROGRAM + pages, PROGRAM + before)))
            background = (range(SYSTEM, SYSTEM + sizes.pages(BACKGROUND)), 10)
            touched = range(PROGRAM, PROGRAM + pages) if megabytes else background[0]
            using = Using(touched, own(0), chance(how.seed, f"phase {minute}"), us=US if megabytes else 1_000,
                          also=(background,) if megabytes else ())  # fmt: skip
            if megabytes == 0 and had:  # some time later the freed pages are zeroed
                steps += [Until((minute - 10 + ZEROED) * 60, using), Zeroing(us=200, pages=before)]
            steps.append(Until(minute * 60, using))
            had = megabytes
        return InTurn(*steps)

    sizes = Plan(
        guests=(GuestPlan(name="toucher", size=SIZE, minimum=160, shares=100, workload=workload),),
        memory=512, seconds=PHASES[-1][0] * 60, scale=how.scale, seed=how.seed, scan=(0, 0), every=5,
    )  # fmt: skip
    return sizes


def active(second: int) -> int:
    """Hundredths of a megabyte that are in use."""
    megabytes = next((megabytes for minute, megabytes in PHASES if second <= minute * 60), 0)
    return (megabytes + BACKGROUND) * 100


def replay(how: How) -> Figure:
    """Run it, and say how fast the estimate follows."""
    run = how.run(plan(how))
    notes = run.notes
    at = [note.second for note in notes]

    def of_size(name: str, note: Note) -> int:
        average: Fraction = getattr(note, name)[0]
        return round(average * SIZE * 100)

    lines = [Line("in use", at, [active(second) for second in at], True)]
    kept = (("estimate", "estimate"), ("fast average", "fast"), ("slow average", "slow"))
    lines += [Line(label, at, [of_size(name, note) for note in notes]) for label, name in kept]
    greatest = all(note.estimate[0] >= max(note.slow[0], note.fast[0]) for note in notes)
    up = seconds_until(notes, 30, lambda found, now: found >= now * Fraction(9, 10))
    down = seconds_until(notes, 40, lambda found, now: found <= now * Fraction(11, 10))
    zeroed = (50 + ZEROED) * 60
    spike = max(of_size("estimate", note) for note in notes if zeroed < note.second <= zeroed + 120)
    before = next(of_size("estimate", note) for note in notes if note.second >= zeroed)
    return Figure(
        number=6, title="Active memory, as it is estimated", about=ABOUT,
        panels=(Panel(title="a program that touches 50, 150, 250, 100 MB", across="minutes", up="MB", lines=lines),),
        compared=(
            Compared(what="the estimate is never below the averages", ours="so" if greatest else "not so",
                     paper="it is the greatest of three", sure="notes"),
            Compared(what="from 150 to 250 MB: seconds until the estimate is at 90 % of what is in use", ours=up,
                     paper="rises quickly", sure="notes",
                     why="a sample that is running counts at half its weight, so it takes a period or two"),
            Compared(what="from 250 to 100 MB: seconds until it is within 10 % of what is in use", ours=down,
                     paper="falls slowly", sure="notes", why="the slow average has a gain of 1/8 of a period of 30 s"),
            Compared(what="before the freed pages are zeroed, and at the most within two minutes after",
                     ours=f"{told(before)}, {told(spike)}", paper="a spike: the guest zeroes freed pages", sure="text",
                     why="the program ended at 100 MB; when the guest zeroes is ours"),
        ),
        scale=how.scale, seed=how.seed, steps=run.server.steps, checked=how.checking is not None,
    )  # fmt: skip


def seconds_until(notes: list[Note], minute: int, there: Callable[[int, Fraction], bool]) -> str:
    """How long after a minute something is so of the estimate and what is in use, in hundredths."""
    for note in notes:
        if minute * 60 < note.second <= (minute + 10) * 60:
            found, now = round(note.estimate[0] * SIZE * 100), active(note.second)
            if there(found, Fraction(now)):
                return str(note.second - minute * 60)
    return "not in ten minutes"
