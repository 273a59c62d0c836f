"""The judge: what an implementation did, line by line, asked of the rules.

It keeps the states that explain the trace so far, more than one only where a choice was not observed. Each event is
done in each of them, by the rules; a state in which a rule refuses what was done, or which is not what was seen,
explains the trace no more. The trace is forbidden when none is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from pagelaw.spec.language import Blocked, Value
from pagelaw.spec.language.identifiers import forget_unused, remembered
from pagelaw.spec.vocabulary import MPN, HintFrame, Key, Page, ShortKey

from .candidate import Candidate, Windows
from .choices import Ways
from .events import LONGEST_LINE, Event, Events
from .fields import Malformed
from .header import Header, header
from .hot import Hot
from .observing import mismatches, reset_to
from .pending import MOST_STATES, Pending, reachable
from .reasons import (
    Reason,
    answers_otherwise,
    has_other_reason,
    is_not_explained,
    is_not_refused,
    is_not_so,
    is_refused,
    not_seen,
    takes_nothing,
)
from .register import TransferName
from .settling import NoWay, settle
from .states import answer, changes, different
from .unseen import UNSURE, Unseen

MOST_CANDIDATES = 64
"""States that are kept: with more, those beyond are given up, and the verdict may be that nothing can be said."""
LOOK_EVERY, WORTH_IT = 1_024, 4_096
"""Lines after which it is looked how many values are remembered; how many more than were needed are worth a sweep."""

UNNUMBERED = (Value, Key, ShortKey)
"""Sorts of which a trace may name ever new ones."""

ALLOWED, FORBIDDEN, UNDETERMINED, MALFORMED = "allowed", "forbidden", "undetermined", "malformed"


@attrs.frozen
class Violation:
    """An event that no state explains."""

    line: int
    event: str
    """The line itself."""
    reasons: tuple[Reason, ...]
    """One for each state that explained the trace until then."""
    settled_by: str = ""
    """What would have to be seen to say more: then nothing is said."""


class Judge:
    """Judges one trace, line by line."""

    def __init__(self, goes_on: bool = False, by_the_book: bool = False) -> None:
        """goes_on: whether it goes on after a violation. by_the_book: whether every event takes the long way."""
        self.goes_on, self.by_the_book = goes_on, by_the_book
        self.hot: Hot | None = None
        self.header: Header | None = None
        self.events: Events | None = None
        self.candidates: list[Candidate] = []
        self.violations: list[Violation] = []
        self.malformed: tuple[int, int | None, str] | None = None
        self.lines = self.done = 0
        """Lines read; events that were explained."""
        self.needed = 0
        """How many values were held by a state when those that are not were last forgotten."""
        self.most = 1
        """The greatest number of states kept."""
        self.given_up_at = 0
        """The line at which states were given up, as there were too many."""
        self.too_many_for = ""
        """What there would have been fewer states with."""
        self.settled_at = 0
        """The last line at which internal operations may have happened."""
        self.kinds: frozenset[str] = frozenset()
        """The kinds of those that may have happened by now."""
        self.exercised: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.freedoms: Counter[str] = Counter()

    @property
    def verdict(self) -> str:
        """What can be said so far."""
        if self.malformed is not None:
            return MALFORMED
        if any(not one.settled_by for one in self.violations):
            return FORBIDDEN
        return UNDETERMINED if self.violations else ALLOWED

    @property
    def is_over(self) -> bool:
        """Whether no further line matters."""
        return self.malformed is not None or (bool(self.violations) and not self.goes_on)

    # Lines.

    def line(self, line: bytes) -> None:
        """The next line of the trace."""
        self.lines += 1
        if self.lines % LOOK_EVERY == 0:
            self._sweep()
        if self.hot is not None and self.hot.line(line):
            self.done += 1
            return
        try:
            if self.events is None:
                self._begin(line)
            else:
                self.event(self.events.read(line, self.lines), line)
                self._watch()
        except Malformed as wrong:
            self.malformed = self.lines, wrong.column, str(wrong)

    def _sweep(self) -> None:
        """Forget the values that no state holds any more, once they are more than those that are held."""
        if remembered(*UNNUMBERED) > 2 * self.needed + WORTH_IT:
            for c in self.candidates:
                c.sweep()
            forget_unused(*UNNUMBERED)
            self.needed = remembered(*UNNUMBERED)

    def _watch(self) -> None:
        """While one state explains the trace, and nothing is under way, most events are judged at once."""
        c = self.candidates[0]
        alone = len(self.candidates) == 1 and not c.pending and not self.by_the_book
        if self.hot is not None and (not alone or self.hot.c is not c):
            self._count_hot()
            self.hot = None
        if alone and self.hot is None and self.events is not None:
            self.hot = Hot(self.events, c)

    def _count_hot(self) -> None:
        """What was judged at once is counted with the rest."""
        if self.hot is not None:
            self.exercised.update({"load": self.hot.reads} if self.hot.reads else {})
            self.exercised.update({"store": self.hot.writes} if self.hot.writes else {})
            self.hot.reads = self.hot.writes = 0

    def _begin(self, line: bytes) -> None:
        made = Events.object_in(line)
        self.header = header(made)
        machine = self.header.machine()
        self.candidates = [Candidate(machine, self.header.low, self.header.told)]
        if "frame_names" in self.header.sizes:
            self.candidates[0].frames.fix(self.header.sizes["frame_names"], machine.ids[MPN])
        self.events = Events(self.header, machine)
        if not self.by_the_book:
            machine.leading_to = Windows(self.candidates[0])

    def end(self) -> None:
        """The trace ends here."""
        self._count_hot()
        if self.events is None and self.malformed is None:
            self.malformed = max(self.lines, 1), None, "the trace is empty: its first line should be a header"

    def too_long(self) -> None:
        """The next line is longer than a line may be."""
        self.lines += 1
        self.malformed = self.lines, LONGEST_LINE + 1, f"the line is longer than {LONGEST_LINE:,} bytes"

    # Events.

    def event(self, event: Event, line: bytes) -> None:
        """What happened next."""
        before = self.candidates
        if event.begins is not None or event.ends is not None or before[0].pending:
            self._overlapping(event, line)
            return
        if len(before) == 1:
            c = before[0]
            reason = self._attempt(c, event, ())
            if not c.options or (reason is None and not c.are_more and not self.by_the_book):
                if reason is None:
                    self.done += 1
                    self._count(c, event)
                else:
                    self._violated(event, line, [reason], before)
                return
            c.log.take_back()
        self._keep(event, line, [pair for c in before for pair in self._outcomes(c, event, self._attempt)])

    def _keep(self, event: Event, line: bytes, found: list[tuple[Candidate, Reason | None]]) -> None:
        """Go on with those states that explain the event."""
        alive = [c for c, reason in found if reason is None]
        if not alive:
            self._violated(event, line, [reason for _, reason in found if reason is not None], self.candidates)
            return
        self.done += 1
        self._count(alive[0], event)
        self.candidates = different(alive)
        if len(self.candidates) > MOST_CANDIDATES:
            self._gives_up(event, FEWER if self.candidates[0].pending else NAMED)
            del self.candidates[MOST_CANDIDATES:]
        self.most = max(self.most, len(self.candidates))

    def _gives_up(self, event: Event, for_want_of: str) -> None:
        """States are given up: from now on there may be one that explains the trace, and is not kept."""
        if not self.given_up_at:
            self.given_up_at, self.too_many_for = event.number, for_want_of

    def _outcomes(self, c: Candidate, event: Event, attempt: Attempt) -> Iterator[tuple[Candidate, Reason | None]]:
        """The event in a copy of a state for each combination of choices that were not observed."""
        ways = Ways(4 * MOST_CANDIDATES)
        for decisions in ways:
            twin = c.copy()
            reason = attempt(twin, event, decisions)
            ways.had(twin.options)
            yield twin, reason
        if not ways.are_all:
            self._gives_up(event, NAMED)

    def _overlapping(self, event: Event, line: bytes) -> None:
        """An event while operations are under way: each may have taken any number of steps before it."""
        states, are_all = reachable(self.candidates, MOST_STATES)
        if not are_all:
            self._gives_up(event, FEWER)
        if event.begins is not None:
            if event.begins in self.candidates[0].pending:
                raise Malformed(f"begin is {event.begins!r}, and an operation of that name is under way")
            assert event.operation is not None
            begun = Pending(event.operation, event.arguments, event.took)
            for c in states:
                c.pending[event.begins] = begun
            self._keep(event, line, [(c, None) for c in states])
            return
        if event.ends is not None and event.ends not in self.candidates[0].pending:
            raise Malformed(f"end is {event.ends!r}, and no operation of that name is under way")
        attempt = self._attempt if event.ends is None else self._ends
        self._keep(event, line, [pair for c in states for pair in self._outcomes(c, event, attempt)])

    def _ends(self, c: Candidate, event: Event, decisions: tuple[int, ...]) -> Reason | None:
        """Whether an operation that was under way can have ended so, in this state."""
        assert event.ends is not None
        pending: Pending = c.pending.pop(event.ends)
        c.begin({}, {}, decisions)
        name = pending.operation.name
        if event.refused:
            if pending.started and not pending.is_undone:
                return Reason(f"{name} was refused, and has changed something by now", (f"that {name} is done",), ())
            reason = self._was_refused(c, pending, event)
        elif not pending.finished:
            return Reason(f"{name} has ended, and is not done", (f"that {name} goes on, or was refused",), ("R-03",))
        elif pending.gave_up and not pending.may_say_so:
            return Reason(f"{name} gave up, and is told as done", (f"that {name} is told as refused",), ("R-03",))
        else:
            c.returned = pending.returned
            c.note_stale_hints()
            c.free_vacated()
            reason = None
        if reason is None:
            reason = self._seen(c, event)
        due = getattr(pending.returned, "number", pending.returned)
        if reason is None and event.got not in (None, due):
            return answers_otherwise(c, event.got, due)
        if reason is None:
            self.exercised.update(pending.rules)
        return reason

    def _was_refused(self, c: Candidate, pending: Pending, event: Event) -> Reason | None:
        """Whether something stood in the way of an operation at some time since it began."""
        named = event.refused
        for_itself = pending.gave_up and not pending.may_say_so  # for no reason that it could name
        if named in pending.refusals or (named is True and (pending.refusals or for_itself)):
            return None
        reason = self._refused(c, event, pending.operation.steps(c, *pending.arguments), named)
        meanwhile = tuple(f"a refusal: {one}" for one in sorted(pending.refusals))
        return attrs.evolve(reason, allowed=tuple(dict.fromkeys((*reason.allowed, *meanwhile)))) if reason else None

    def _attempt(self, c: Candidate, event: Event, decisions: tuple[int, ...]) -> Reason | None:
        """The event, done in a state; why it cannot be, if it cannot."""
        seen = NOTHING_SEEN
        if event.saw and not event.refused:  # where pages are after a refusal says nothing of what was to be taken
            seen = {one["page"]: one for one in event.saw if "page" in one}
        c.begin(event.took, seen, decisions, not event.refused)
        operation = event.operation
        if event.what == "settle":
            try:
                settle(c, event.saw, event.settles)
            except NoWay as no:
                return self._told(c, event, is_not_explained(c, no), lambda unseen: False)
            self.settled_at, self.kinds = event.number, self.kinds | frozenset(event.settles)
            c.free_vacated()
            c.left_alone()
        elif operation is not None:
            if event.what == "step":
                c.by_steps, c.machine.leading_to = True, None
            steps = operation.steps(c, *event.arguments)
            if event.refused:
                reason = self._refused(c, event, steps, event.refused)
                if reason is not None:
                    return reason
            else:
                try:
                    c.run(steps)
                except Blocked as refused:
                    why = refused.reason
                    return self._told(c, event, is_refused(c, refused, operation.name),
                                      lambda unseen: unseen.is_refused(why))  # fmt: skip
                if TransferName in operation.arguments.values():  # of which page is not said
                    c.note_stale_hints()
                for one in event.arguments:
                    if type(one) is Page and type(c.machine.hint[one]) is HintFrame and one not in c.doubtful:
                        c.note_stale_hint(one)
                c.free_vacated()
                idle = event.took.keys() - c.asked if event.took else None
                if idle:
                    return self._told(c, event, takes_nothing(c, operation.name, event.took, idle),
                                      lambda unseen: not unseen.open)  # fmt: skip
                due = None if event.got is None else answer(c, operation.answers, event.arguments)
                if not self.kinds <= {"migrate"} and operation.name in UNSURE:
                    c.is_unsure(next(one for one in event.arguments if isinstance(one, Page)), operation.name)
                    self.kinds |= UNSURE[operation.name]
                reason = self._seen(c, event)
                if reason is not None:
                    return reason
                if due != event.got:
                    page = event.arguments[0]
                    return self._told(c, event, answers_otherwise(c, event.got, due),
                                      lambda unseen: event.got == "shared" and unseen.is_alone(page))  # fmt: skip
                if len(c.steps) > 1:
                    c.remember_writers(event.number)
                return None
        return self._seen(c, event)

    def _seen(self, c: Candidate, event: Event) -> Reason | None:
        """Whether the state is what was seen."""
        if not event.saw:
            return None
        wrong = list(mismatches(c, event.saw))
        if wrong:
            certain = [one for one in wrong if one.field == "contents"] if self.kinds else []
            first = (certain or wrong)[0]
            return self._told(c, event, is_not_so(c, first, changes(c)),
                              lambda unseen: unseen.contradicts(event.saw), first.field)  # fmt: skip
        if c.unsettled or c.elsewhere:
            c.are_seen(event.saw)
        return None

    def _told(self, c: Candidate, event: Event, reason: Reason, is_certain: Callable[[Unseen], bool],
              field: str = "") -> Reason:  # fmt: skip
        """The reason, and whether internal operations that nobody saw may be why."""
        if not self.kinds:
            return reason
        if c.pending:
            return attrs.evolve(reason, may_be_older=True)
        unseen = Unseen(c, self.kinds)
        name = event.operation.name if event.operation is not None else ""
        return attrs.evolve(reason, lasts=reason.lasts or is_certain(unseen),
                            may_be_older=unseen.may_be_older(name, event.arguments, field))  # fmt: skip

    def _refused(self, c: Candidate, event: Event, steps: Any, named: str | bool) -> Reason | None:
        reasons = c.run(steps, ask=True)
        c.forget_ended_transfers()
        if not reasons:
            return self._told(c, event, is_not_refused(c, named, changes(c)),
                              lambda unseen: unseen.is_not_refused(named))  # fmt: skip
        if named is not True and named not in reasons:
            assert c.refused is not None
            assert isinstance(named, str)
            return self._told(c, event, has_other_reason(c, named, reasons, c.refused),
                              lambda unseen: unseen.is_not_refused(named))  # fmt: skip
        return None

    def _count(self, c: Candidate, event: Event) -> None:
        if event.refused:
            self.refusals[c.refused.reason.name if c.refused is not None else str(event.refused)] += 1
            return
        if c.freedoms:
            self.freedoms.update(c.freedoms)
        self.exercised.update([rule.__name__ for rule, _, _ in c.steps])

    def _violated(self, event: Event, line: bytes, reasons: list[Reason], before: list[Candidate]) -> None:
        settled_by = ""
        if self.given_up_at:
            settled_by = (f"more states explained the trace at line {self.given_up_at} than are kept, and some were "
                          f"given up: {self.too_many_for} from there on")  # fmt: skip
        settled_by = settled_by or not_seen(reasons, before[0], event, self.settled_at)
        told = line.decode(errors="replace").strip()
        self.violations.append(Violation(event.number, told, tuple(dict.fromkeys(reasons)), settled_by))
        if self.goes_on:
            self.candidates = before[:1]
            if event.ends is not None:
                before[0].pending.pop(event.ends, None)
            reset_to(before[0], event.saw)


Attempt = Callable[[Candidate, Event, tuple[int, ...]], Reason | None]
NOTHING_SEEN: dict[Page, dict[str, Any]] = {}
NAMED, FEWER = "naming the frames and slots taken", "fewer operations under way at a time"
"""What would settle what cannot be said as states were given up."""

__all__ = ["ALLOWED", "FORBIDDEN", "LONGEST_LINE", "MALFORMED", "UNDETERMINED", "Judge", "Violation"]
