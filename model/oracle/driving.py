"""Runs of an implementation: operations are drawn from what it has by now, done, and judged at once.

The judge's state is the live model: which pages have frames, which are shared, in the swap area, in the balloon. Most
operations that are drawn make sense there; some do not, and have to be refused. Now and then several are drawn that
follow from each other (`stories`).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Protocol

import attrs

from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.remapping import waits_for_low
from pagelaw.spec.vocabulary import Ballooned, Mapped, Page, Running, Shared, Swapped, Untouched

from .capabilities import Capabilities
from .fields import Malformed
from .judge import ALLOWED, Judge, Violation
from .operations import OPERATIONS
from .program import Broken
from .scene import Event, Scene
from .stories import STORIES, Story, in_some_order


class Implementation(Protocol):
    """What is driven: a program in another process (`Program`), or an object of a Python program."""

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """A machine of these sizes, with all VMs off; or {"unsupported": true}, if it cannot be such a machine."""

    def do(self, event: Event) -> dict[str, Any]:
        """One operation: what came of it (`got`, `refused`, `took`, `saw`), or {"unsupported": true}."""


class Judging(Protocol):
    """Who judges a run: a `Judge`, or one in another process."""

    def line(self, line: bytes) -> None:
        """The next line of the trace."""

    def end(self) -> None:
        """The trace ends here."""

    @property
    def verdict(self) -> str:
        """What can be said so far."""

    @property
    def malformed(self) -> tuple[int, int | None, str] | None:
        """The line, the column, and what is wrong there."""

    @property
    def violations(self) -> Sequence[Violation]:
        """What is not allowed."""

    @property
    def exercised(self) -> Mapping[str, int]:
        """How often each rule was done."""

    @property
    def refusals(self) -> Mapping[str, int]:
        """How often something was refused, for each reason."""

    @property
    def freedoms(self) -> Mapping[str, int]:
        """How often each declared freedom was taken."""


class Unsupported(Exception):
    """The implementation says that it cannot be a machine of these sizes."""


@attrs.frozen
class Failure:
    """Events after a reset, the last of which is not allowed, or is not answered as it should be."""

    how: str
    """forbidden, undetermined, crashed, hung, garbled."""
    told: str
    events: tuple[Event, ...]
    """What was sent."""
    lines: tuple[str, ...]
    """The trace, with its header."""
    violation: Violation | None = None
    errors: str = ""

    @property
    def kind(self) -> tuple[str, str]:
        """What it has to have in common with a shorter run that shows the same."""
        if self.violation is None or not self.violation.reasons:
            return self.how, ""
        return self.how, self.violation.reasons[0].rule


class Run:
    """One run of an implementation from a reset on. Unsupported, if it cannot be that machine."""

    def __init__(self, implementation: Implementation, able: Capabilities, judge: Judging | None = None) -> None:
        self.implementation, self.able = implementation, able
        self.events: list[Event] = []
        self.judged: Judging = Judge() if judge is None else judge
        """What the judge has found by now."""
        self.lines = [json.dumps(able.header)]
        self.judged.line(self.lines[0].encode())
        if self.judged.malformed:
            raise Malformed(self.judged.malformed[2])
        if implementation.reset(able.machine).get("unsupported") is True:
            raise Unsupported(f"a machine with {able.what}")
        self.unsupported: Counter[str] = Counter()
        self.judging = 0.0
        """Seconds for which the run waited for the judge."""

    @property
    def judge(self) -> Judge:
        """The judge itself, with the states that it keeps, if it is in this process."""
        assert isinstance(self.judged, Judge)
        return self.judged

    def do(self, event: Event) -> Failure | None:
        """One operation; what is wrong, if something is."""
        self.events.append(event)
        try:
            answer = self.implementation.do(event)
        except Broken as broken:
            return self._failure(broken.how, str(broken))
        if answer.get("unsupported") is True:
            self.unsupported[event["do"]] += 1
            self.events.pop()
            return None
        return self.told(event, answer)

    def told(self, event: Event, answer: Event) -> Failure | None:
        """What was done, or happened by itself, and what came of it; what is wrong, if something is."""
        other = answer.keys() - {"got", "refused", "took", "saw"}
        if other:
            told = f"the answer to {event['do']} has the field {min(other)!r}, which an answer does not have"
            return self._failure("garbled", told)
        name = event.get("do", "")
        if name in OPERATIONS and OPERATIONS[name].answers == "value" and not answer.keys() & {"got", "refused"}:
            return self._failure("garbled", f'the answer to {name} has neither "got", the word, nor "refused"')
        line = json.dumps(event | answer)
        self.lines.append(line)
        begun = time.perf_counter()
        self.judged.line(line.encode())
        self.judging += time.perf_counter() - begun
        return self._found()

    def end(self) -> Failure | None:
        """There is no further event; what is wrong, if something is."""
        begun = time.perf_counter()
        self.judged.end()
        self.judging += time.perf_counter() - begun
        return self._found()

    def _found(self) -> Failure | None:
        """What the judge has found, in the last line or in one before it: then what came after that does not count."""
        if self.judged.verdict == ALLOWED:
            return None
        malformed, violations = self.judged.malformed, self.judged.violations
        number = malformed[0] if malformed is not None else violations[0].line
        del self.lines[number:], self.events[number - 1 :]
        if malformed is None:
            return self._failure(self.judged.verdict, "", violations[0])
        event = self.events[-1]
        answer = {name: told for name, told in json.loads(self.lines[-1]).items() if name not in event}
        what = event.get("do", "settle")
        return self._failure("garbled", f"the answer to {what} is {json.dumps(answer)}: {malformed[2]}")

    def _failure(self, how: str, told: str, violation: Violation | None = None) -> Failure:
        errors = getattr(self.implementation, "errors", "")
        return Failure(how, told, tuple(self.events), tuple(self.lines), violation, errors)


# What to do next.

OF_A_PAGE = {
    "write": 10, "read": 6, "scan": 6, "touch": 1, "page_out": 3, "page_in": 1, "inflate": 2, "deflate": 1,
    "unshare": 1, "migrate": 1, "remap": 1, "make_room": 1, "start_transfer": 2,
}  # fmt: skip
"""Operations on a page, with how often they are drawn."""
OF_A_VM = {
    "power_on": 1,
    "power_off": 1,
    "start_driver": 2,
    "stop_driver": 1,
    "set_balloon_target": 3,
    "set_swap_target": 3,
}
OF_A_TRANSFER = {"transfer_write": 2, "transfer_read": 2, "end_transfer": 2}
SENSIBLE = {
    "scan": (Mapped,), "page_out": (Mapped,), "page_in": (Swapped,), "deflate": (Ballooned,), "unshare": (Mapped,),
    "migrate": (Mapped,), "remap": (Mapped,), "make_room": (Mapped,),
}  # fmt: skip
"""Where a page should be for an operation to make sense."""
PHASES: tuple[dict[str, float], ...] = (
    {},
    {"touch": 12, "read": 4, "write": 2, "scan": 0, "page_out": 0, "inflate": 0},  # memory fills
    {"write": 2, "scan": 5},  # pages come to be equal
    {"page_out": 8, "inflate": 2, "scan": 2},  # they leave memory
    {"inflate": 6, "deflate": 6, "set_balloon_target": 0},  # the balloon is at work
    {"start_transfer": 4, "end_transfer": 4, "remap": 12, "make_room": 4},  # devices are at work
    {"power_off": 8, "power_on": 8, "page_out": 2},  # VMs go with what they have in the swap area
)
"""Parts of a run, by how much more often than elsewhere operations are drawn."""
PHASE = 25
"""Operations in each."""


FEW = ("t0", "t1", "t2")
"""Names of transfers outside of stories."""
STORY_BEGINS, STORY_GOES_ON = 0.2, 0.85
"""How likely a story begins, and, while one is told, that the next operation is its next one."""


class Drawing(Scene):
    """Draws operations for one run."""

    def __init__(self, run: Run, random: Random, turn: int | None = None) -> None:
        """turn: which story is told first, of those that can be; any, if it is not said."""
        super().__init__(run, random)
        of_all = OF_A_PAGE | OF_A_VM | OF_A_TRANSFER
        self.names = [name for name in of_all if name in self.able]
        seldom = self.refused_always()
        self.weights = [[of_all[name] * phase.get(name, 1) * (0.2 if name in seldom else 1) for name in self.names]
                        for phase in PHASES]  # fmt: skip
        self.phase = self.drawn = 0
        """In which part it is, and how many operations were drawn that are part of no story."""
        self.last: Page | None = None
        """The page with which something was done last."""
        self.asked: dict[VM, int] = {}
        """How many VMs ran when one that is off was asked to start the last time."""
        self.story: Iterator[Event] = iter(())
        self.turn = turn
        self.untold: list[Story] = []
        """Those that come next, the next one at the end."""
        self.is_told = False
        """Whether the story is not at its end."""
        self.has_stories = any(one.suits(self) for one in STORIES)

    def refused_always(self) -> set[str]:
        """What makes no sense with this machine, and with what the implementation declares."""
        is_refused = {"remap": not self.has_high_memory, "make_room": not (self.has_high_memory and self.displaces),
                      "migrate": not self.migrates}  # fmt: skip
        return {name for name, refused in is_refused.items() if refused}

    def beginning(self) -> list[Event]:
        """VMs are powered on; in a long run each page of theirs is used and scanned, so that all that can share do."""
        on: list[Event] = [{"do": "power_on", "vm": name} for name in self.vms if "power_on" in self.names]
        if self.run.able.longer == 1 or not {"read", "scan"} <= set(self.names):
            return on
        pages = [(vm["name"], page) for vm in self.run.able.machine["vms"] for page in range(vm["pages"])]
        uses: tuple[Event, ...] = ({"do": "read", "word": 0}, {"do": "scan"})
        return on + [{**use, "vm": vm, "page": page} for vm, page in pages for use in uses]

    def next(self) -> Event:
        """The next operation."""
        if not self.values:
            self.values = self.random.choice(self.sets)
        if self.has_stories and self.random.random() < (STORY_GOES_ON if self.is_told else STORY_BEGINS):
            if not self.is_told:
                self.untold = self.untold or in_some_order(self, self.turn)
                self.story = self.untold.pop().tell(self)
            event = next(self.story, None)
            self.is_told = event is not None
            if event is not None:
                return event
        return self.drawn_alone()

    def drawn_alone(self) -> Event:
        """An operation that is part of no story."""
        random, s = self.random, self.s
        if self.drawn % PHASE == 0:
            self.phase = random.randrange(len(PHASES)) if self.drawn else 0
        self.drawn += 1
        name = random.choices(self.names, self.weights[self.phase])[0]
        if name in OF_A_TRANSFER:
            if self.under_way() or "start_transfer" not in self.names or random.random() < 0.1:
                return self.of_a_transfer(name)
            name = "start_transfer"
        for vm in self.running():
            self.asked.pop(vm, None)
        vm = random.choice(s.ids[VM])
        if s.life[vm] != Running():
            if "power_on" in self.names and random.random() < (0.8 if self.may_start(vm) else 0.1):
                return self.of_vm("power_on", vm)
            if random.random() < 0.8:
                vm = self.some_vm() or vm
        if name in OF_A_VM:
            if name == "power_off" and random.random() < 0.5:
                vm = max(s.ids[VM], key=lambda one: s.swapped[one])
            if name in ("power_on", "power_off", "stop_driver") and random.random() < 0.7:
                name = next((other for other in ("write", "read") if other in self.names), name)
            else:
                return self.of_a_vm(name, vm)
        return self.of_a_page(name, vm)

    def may_start(self, vm: VM) -> bool:
        """Whether something has changed since a VM was asked to start; if it was refused it is asked again seldom."""
        running = len(self.running())
        changed, self.asked[vm] = self.asked.get(vm) != running, running
        return changed

    def of_a_vm(self, name: str, vm: VM) -> Event:
        """A VM is powered, its driver started, or a level asked of it."""
        event = self.of_vm(name, vm)
        if name.startswith("set_"):
            event["pages"] = self.random.randint(0, self.s.maximum[vm] + (self.random.random() < 0.05))
        return event

    def of_a_page(self, name: str, vm: VM) -> Event:
        """Something happens to a page; mostly one of which it makes sense."""
        random, s = self.random, self.s
        pages: Sequence[Page] = s.each(Page, vm)
        fits = [page for page in pages if isinstance(s.pmap[page], SENSIBLE.get(name, (object,)))]
        if name == "unshare":
            fits = [page for page in fits if not frame_is_private(s, page)]
        if name == "touch":
            fits = [page for page in fits if isinstance(s.pmap[page], Untouched)]
        if name == "remap":
            fits = [page for page in fits if waits_for_low(s, page)]
        if name in ("write", "start_transfer", "inflate", "page_out") and random.random() < 0.3:
            fits = in_few_hands(s, fits) or fits
        page = random.choice(fits if fits and random.random() < 0.9 else pages)
        if self.last is not None and random.random() < 0.2:  # more with the same page: one thing leads to another
            page = self.last
        self.last = page
        event = self.of(name, page)
        if name in ("read", "write"):
            event["word"] = self.word()
        if name == "write":
            any_at_all = random.random() < 0.02
            event["value"] = random.randint(0, self.run.able.largest) if any_at_all else random.choice(self.values)
        if name == "start_transfer":
            free = [one for one in self.names_left() if one in FEW]
            event["transfer"] = random.choice(free if free and random.random() < 0.9 else FEW)
            event["writes"] = random.random() < 0.5
        return event

    def of_a_transfer(self, name: str) -> Event:
        """A transfer goes on or ends."""
        under_way = self.under_way() if name == "end_transfer" else self.under_way(writes=name == "transfer_write")
        chosen = self.random.choice(under_way if under_way and self.random.random() < 0.9 else self.under_way() or FEW)
        event: Event = {"do": name, "transfer": chosen}
        if name != "end_transfer":
            event["word"] = self.word()
        if name == "transfer_write":
            event["value"] = self.random.choice(self.values)
        return event


def in_few_hands(s: Machine, pages: Sequence[Page]) -> list[Page]:
    """Those whose frame is shared, or a device has it, so that what is done with the page matters to others: of them
    those with the fewest users, that it comes to the last of them."""
    users = {
        page: reference_count(s, at.mpn) for page in pages
        if isinstance(at := s.pmap[page], Mapped) and (isinstance(s.frame[at.mpn], Shared) or s.pins[at.mpn])
    }  # fmt: skip
    return [page for page, count in users.items() if count == min(users.values())]
