"""Operations under way: begun in one line of a trace and ended in another, with steps anywhere in between.

What is left of one is read off the state: the stage of its page says which step comes next. So a candidate with
operations under way stands for all that they may have done so far, and `reachable` gives each of those states. An
operation that does not concern a page is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from pagelaw.spec import balloon, devices, operations, paging, remapping, sharing, translation, zeroing
from pagelaw.spec.language import Blocked, enabled
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.vocabulary import (
    VCPU,
    Alone,
    Ballooned,
    Cleared,
    Clearing,
    ComingIn,
    Copied,
    ForBalloon,
    Found,
    Idle,
    Leaving,
    Mapped,
    Marking,
    Moving,
    NoFill,
    Operation,
    Page,
    Protecting,
    Quiet,
    Reading,
    Same,
    SlotHeld,
    Still,
    Swapped,
    Unmapped,
    Unmapping,
    Writing,
    Written,
)

from ..reference.choosing import Proposal, Rule
from .candidate import Candidate
from .choices import Ways
from .naming import Name
from .operations import Operation as Named
from .states import States

MAY_GIVE_UP = frozenset(("scan", "page_out", "unshare", "migrate", "remap", "make_room"))
"""Operations of the server: it may abandon them until they have had their effect. What is told of one is that it was
refused; of a scan, that nothing is shared."""
IN_PARTS = frozenset(("power_on", "power_off", "start_driver"))
"""Operations on a whole VM: one step here, though an implementation does them frame by frame and page by page."""
MOST_WAYS = 64
"""Combinations of choices tried for one step of an operation under way."""
MOST_STATES = 96
"""States looked at for one event."""


@attrs.frozen
class Pending:
    """An operation under way, as far as it has come in one candidate."""

    operation: Named
    arguments: tuple[Any, ...]
    took: dict[str, Name] = attrs.field(factory=dict)
    started: bool = False
    """Whether it has taken a step."""
    finished: bool = False
    returned: Any = None
    """What its last step returned."""
    partner: Page | None = None
    """The page that a scan is first to make a shared frame."""
    rules: tuple[str, ...] = ()
    """The steps that it has taken."""
    refusals: frozenset[str] = frozenset()
    """The reasons for which it may have been refused in some state since it began."""
    gave_up: bool = False
    is_undone: bool = False
    """Whether it has given up, or has only reset a driver so far: nothing is changed that may not if it is refused."""

    @property
    def page(self) -> Page | None:
        """The page that it is about."""
        return next((one for one in self.arguments if isinstance(one, Page)), None)

    @property
    def may_say_so(self) -> bool:
        """Whether what it answers says that it gave up: that nothing is shared. Else it has to be told as refused."""
        return self.operation.answers == "outcome"

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for operations that have come equally far."""
        at = self.started, self.finished, self.gave_up, self.is_undone
        return self.operation.name, self.arguments, at, self.returned, self.partner, self.rules[-1:]


NEXT: dict[type, Rule] = {
    Clearing: zeroing.clear, Cleared: zeroing.install_cleared, Found: sharing.protect,
    Protecting: sharing.await_flushes,
    Quiet: sharing.check_pins, Alone: sharing.compare, Same: sharing.merge, Leaving: operations.leave_old_frame,
    Marking: sharing.mark_shared, Moving: remapping.finish_protecting_move, Still: sharing.copy,
    Copied: sharing.install_copy, Unmapping: operations.finish_unmapping, Writing: paging.finish_write,
    Written: paging.commit_page_out,
}  # fmt: skip
"""The step that follows a stage, all flushes done."""


def go_on(c: Candidate, page: Page, stage: Operation) -> Proposal:
    """The next step of the operation on a page."""
    s = c.machine
    for cpu in s.each(VCPU, page.vm):
        if s.owed[cpu, page]:
            return translation.flush, (cpu, page)
    if s.device_owed[page]:
        return translation.flush_devices, (page,)
    if isinstance(stage, Unmapped):
        if stage.why == ForBalloon():
            return balloon.release_to_balloon, (page,)
        return paging.reserve_slot, (page, c.slot_for(page))
    if isinstance(stage, SlotHeld):
        return paging.start_write, (page, s.slot_contents[stage.slot])
    if isinstance(stage, ComingIn):
        done = not isinstance(s.fetch[stage.cpu], Reading)
        return (paging.install_page_in if done else paging.finish_read), (stage.cpu,)
    return NEXT[type(stage)], (page,)


def next_step(c: Candidate, pending: Pending) -> Proposal | None:
    """What an operation under way does next; nothing, if there is nothing left to do."""
    s = c.machine
    for page in (pending.partner, pending.page):
        if page is not None and pending.started and s.operation[page] != Idle():
            return go_on(c, page, s.operation[page])
    for cpu in pending.arguments:
        if isinstance(cpu, VCPU) and pending.started and s.fill[cpu] != NoFill():
            return (translation.install_fill if enabled(translation.install_fill, s, cpu) else translation.drop_fill), (
                cpu,
            )
    steps = iter(pending.operation.steps(c, *pending.arguments))
    step = next(steps, None)
    if step is not None and step[0] is devices.fill_device_entry and pending.rules[-1:] == (step[0].__name__,):
        return next(steps)  # it was looked up already
    return step


def has_left(c: Candidate, page: Page, rule: Rule) -> bool:
    """Whether a page has left its old frame."""
    return rule is operations.leave_old_frame


STARTS = (devices.start_inbound, devices.start_outbound, devices.start_bounce_in, devices.start_bounce_out)
ENDS: dict[str, Callable[[Candidate, Page, Rule], bool]] = {
    "read": lambda c, page, rule: rule is translation.load,
    "write": lambda c, page, rule: rule is translation.store,
    "touch": lambda c, page, rule: isinstance(c.machine.pmap[page], Mapped),
    "page_in": lambda c, page, rule: isinstance(c.machine.pmap[page], Mapped),
    "inflate": lambda c, page, rule: c.machine.pmap[page] == Ballooned(),
    "deflate": lambda c, page, rule: rule is balloon.deflate,
    "page_out": lambda c, page, rule: (
        isinstance(c.machine.pmap[page], Swapped) or not frame_is_private(c.machine, page)
    ),
    "start_transfer": lambda c, page, rule: rule in STARTS,
    "scan": lambda c, page, rule: rule in (sharing.scan_leaves_hint, operations.leave_old_frame, sharing.compare),
}
"""Whether an operation is over after a step that leaves its page without one; others are when their page was moved."""


def advanced(c: Candidate, name: Name, gives_up: bool, ways: Ways) -> Iterator[Candidate]:
    """Copies of the candidate in which an operation under way has taken its next step, or has given up: one for each
    choice that was not observed; none if it cannot."""
    pending = c.pending[name]
    for decisions in ways:
        twin = c.copy()
        twin.begin(pending.took, {}, decisions)
        page, over = pending.page, True
        try:
            if page is None:
                twin.run(pending.operation.steps(twin, *pending.arguments))
            elif gives_up:
                twin.do(operations.abandon, (page,))
            else:
                over = take_steps(twin, pending, page)
        except Blocked:
            ways.had(twin.options)
            continue
        ways.had(twin.options)
        twin.pending[name] = after(twin, pending, over, gives_up)
        yield twin


def after(twin: Candidate, pending: Pending, over: bool, gives_up: bool) -> Pending:
    """The operation after these steps."""
    partner = next((given[1] for rule, given, _ in twin.steps if rule is sharing.scan_finds_hint), pending.partner)
    rules = (*pending.rules, *(rule.__name__ for rule, _, _ in twin.steps))
    returned = twin.returned
    if over and pending.operation.answers == "outcome":
        returned = "shared" if "merge" in rules else "not shared"
    return attrs.evolve(
        pending, started=True, finished=over, returned=returned, partner=partner, rules=rules,
        gave_up=gives_up,
        is_undone=rules[-1:] == RESET if not gives_up else LASTS not in rules or not pending.may_say_so,
    )  # fmt: skip


LASTS = sharing.mark_shared.__name__
"""The one step before an operation's effect that an abandonment does not take back: the hinted page's frame is listed
as shared by then. All that other steps had, `abandon` gives back. A page-out that tries to share first may leave that,
as it has no other way to say that it gave up."""

RESET = (balloon.reset_driver.__name__,)
"""The last step with which the exchange of a driver after a pop begins, also if it is refused then."""


QUIET: frozenset[Rule] = frozenset((
    translation.flush, translation.flush_devices, translation.guest_changes_table, translation.guest_invalidates,
    translation.read_for_fill, translation.install_fill, translation.drop_fill, translation.load_tlb,
    translation.set_dirty, translation.evict_shadow, zeroing.clear, sharing.scan_finds_shared_frame,
    sharing.await_flushes, sharing.check_pins, sharing.copy, operations.finish_unmapping, paging.start_write,
    paging.finish_write, paging.finish_read, paging.set_swap_target,
))  # fmt: skip
"""Steps after which nobody else is hindered, or sees anything, that was not before: the next one is taken at once."""


FILLS = 3
"""How often an access may fill a translation before others do something: while a page may not be written, no fill is of
use for writing it."""


BY_OTHERS = frozenset(("read", "write", "touch", "page_in", "start_transfer"))
"""Operations whose last step is not one of the page, but of a vCPU or a transfer."""


def take_steps(c: Candidate, pending: Pending, page: Page) -> bool:
    """The next steps of an operation, up to the first that others could notice; whether it is over."""
    over = False
    while not over:
        begun = attrs.evolve(pending, started=pending.started or bool(c.steps))
        step = next_step(c, begun)
        if step is None:
            return True
        try:
            c.do(*step)
        except Blocked:
            c.steps.pop()
            if not c.steps:
                raise
            return False
        over = c.machine.operation[page] == Idle() and is_over(c, pending, page, step)
        if step[0] not in QUIET or sum(rule is step[0] for rule, _, _ in c.steps) > FILLS:
            break
    return over


def is_over(c: Candidate, pending: Pending, page: Page, step: Proposal) -> bool:
    """Whether the operation has done what it is for."""
    rule, arguments = step
    if arguments[0] is not page and pending.operation.name not in BY_OTHERS:
        return False  # a step for the hinted page, or a flush
    ends = ENDS.get(pending.operation.name, has_left)
    return ends(c, page, rule)


def reachable(candidates: Iterable[Candidate], most: int = MOST_STATES) -> tuple[list[Candidate], bool]:
    """The candidates and all that they may have become by steps of operations under way; whether these are all."""
    are_all, found, waiting = True, States(), []
    for c in candidates:
        are_all &= note_refusals(c)
        if found.add(c):
            waiting.append(c)
    while waiting:
        one = waiting.pop()
        for name, pending in one.pending.items():
            if pending.finished:
                continue
            for gives_up in (False, True) if pending.operation.name in MAY_GIVE_UP and pending.started else (False,):
                ways = Ways(MOST_WAYS)
                for twin in advanced(one, name, gives_up, ways):
                    are_all &= note_refusals(twin)
                    if found.add(twin):
                        waiting.append(twin)
                are_all &= ways.are_all
                if len(found) > most:
                    return found.all()[:most], False
    return found.all(), are_all


def note_refusals(c: Candidate) -> bool:
    """What stands in the way of each operation under way in this state: it may be refused for that, now or later.
    Whether that is all.

    An implementation looks at some time between the line in which an operation begins and the one in which it ends, and
    says what it saw in the latter. So what it may have seen is gathered in each state on the way, and is part of the
    candidate; states of one machine are kept apart only if neither has gathered all that the other has. To look back
    from the end instead would ask for all states of all lines since.
    """
    are_all = True
    for name, pending in c.pending.items():
        if not pending.finished:
            ways = Ways(MOST_WAYS)
            c.pending[name] = attrs.evolve(pending, refusals=pending.refusals | refusals(c, pending, ways))
            are_all &= ways.are_all
    return are_all


def refusals(c: Candidate, pending: Pending, ways: Ways) -> frozenset[str]:
    """The reasons for which an operation may be refused in this state: before its first step, or where it waits."""
    found: set[str] = set()
    transfers = c.transfers
    for decisions in ways:
        c.begin(pending.took, {}, decisions)
        c.transfers = transfers.copy()
        step = next_step(c, pending) if pending.started and pending.page is not None else None
        steps = pending.operation.steps(c, *pending.arguments) if not pending.started else [step] if step else []
        found.update(c.run(steps, ask=True))
        c.log.take_back()
        ways.had(c.options)
    c.transfers = transfers
    return frozenset(found)
