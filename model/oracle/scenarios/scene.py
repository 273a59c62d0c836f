"""One machine on which a scenario is played: each operation is done by the rules, and judged as an event of a trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import attrs

from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.vocabulary import MPN, Ballooned, Mapped, Page, Shared, Swapped

from ...reference.choosing import Proposal
from ..candidate import Candidate
from ..events import Event, Events
from ..header import VERSION, header
from ..judge import ALLOWED, Judge
from ..operations import TransferName
from ..states import answer

Line = dict[str, Any]
Found = int | str | bool


class Unexpected(AssertionError):
    """An operation on which a scenario rests did not come to what it should."""


@attrs.frozen(kw_only=True)
class Expected:
    """What is expected at some place of a scenario, and what was found there."""

    what: str
    after: int
    """How many events there were before."""
    found: Found
    published: Found | None
    """What the source says; None if it says nothing of this size."""
    rule: str
    """The formula for it, and the clauses or readings that it rests on."""
    ours: Found | None = None
    """What the specification says, where the source says something else, or nothing."""
    why_ours: str = ""
    """Why it does, in a sentence."""

    @property
    def due(self) -> Found | None:
        """What has to be found."""
        return self.published if self.ours is None else self.ours


class Scene:
    """A machine, what was done on it, line by line of a trace, and what is expected of it."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        """The trace: its header, and its events with what must be seen."""
        self.expected: list[Expected] = []
        self.steps: list[Proposal] = []
        """Every step that was done, by its rule: done again on another machine they leave the same."""
        self.judge = Judge()
        self._said: dict[str, int] = {}

    def begin(self, vms: Mapping[str, int | Mapping[str, int]], options: Mapping[str, bool | int] | None = None,
              **sizes: Any) -> None:  # fmt: skip
        """A machine with these VMs, all of them on. vms: of each its pages, or all that a trace's header says of it.

        There is a frame for each page and two more, and a slot for each page, if the sizes do not say otherwise.
        """
        sizes_of = {name: {"pages": of} if isinstance(of, int) else of for name, of in vms.items()}
        told: list[Line] = [{"name": name, **of} for name, of in sizes_of.items()]
        pages = sum(vm["pages"] for vm in told)
        machine = {"vms": told, "frames": pages + 2, "slots": pages} | sizes
        line: Line = {"pagelaw": VERSION, "machine": machine} | ({"options": dict(options)} if options else {})
        self.lines.append(line)
        self._judged(line)
        read = header(line)
        self.c = Candidate(read.machine(), read.low)
        self.events = Events(read, self.c.machine)
        self.names = dict(zip(self.c.machine.ids[VM], read.names, strict=True))

    @property
    def s(self) -> Machine:
        """The machine."""
        return self.c.machine

    @property
    def done(self) -> int:
        """Events so far."""
        return len(self.lines) - 1

    # Doing.

    def do(self, operation: str, *given: Any, **more: Any) -> Any:
        """An operation, which must not be refused: what it answers. given: the VM, the page, as far as it has them."""
        made = self._event(operation, given, more)
        if "refused" in made:
            raise Unexpected(f"event {self.done}: {json.dumps(made)}")
        return made.get("got")

    def refused(self, operation: str, *given: Any, **more: Any) -> str:
        """An operation that must be refused, and must change nothing: the name of the reason."""
        before = self.s.written()
        made = self._event(operation, given, more)
        if "refused" not in made or self.s.written() != before:
            raise Unexpected(f"event {self.done} is not refused: {json.dumps(made)}")
        return str(made["refused"])

    def step(self, rule: str, **arguments: Any) -> Any:
        """A single step of the specification, which must not be refused: what it returns."""
        made = self._line({"step": rule, **arguments})
        if "refused" in made:
            raise Unexpected(f"event {self.done}: {json.dumps(made)}")
        return made.get("got")

    def refused_step(self, rule: str, **arguments: Any) -> str:
        """A single step that must be refused: the name of the reason."""
        made = self._line({"step": rule, **arguments})
        if "refused" not in made:
            raise Unexpected(f"event {self.done} is not refused: {json.dumps(made)}")
        return str(made["refused"])

    def look(self, **saw: Any) -> None:
        """Something must be seen here: of a page or a VM if it names one, else of the machine."""
        self._line({"saw": [saw]})

    def _event(self, operation: str, given: tuple[Any, ...], more: dict[str, Any]) -> Line:
        return self._line({"do": operation, **dict(zip(("vm", "page"), given, strict=False)), **more})

    def _line(self, line: Line) -> Line:
        """One event: what came of it is added to the line, which is judged."""
        event = self.events.read(json.dumps(line).encode(), self.done + 2)
        if event.operation is not None:
            line = line | self._answer(event)
        self.lines.append(line)
        self._judged(line)
        return line

    def _answer(self, event: Event) -> Line:
        """Do an operation or step by the rules: the answer, what must be seen then; or why it is refused."""
        c, operation = self.c, event.operation
        assert operation is not None
        c.begin({}, {}, ())
        try:
            c.run(operation.steps(c, *event.arguments))
        except Blocked as refused:
            c.forget_ended_transfers()
            return {"refused": refused.reason.name}
        self.steps += [(rule, arguments) for rule, arguments, _ in c.steps]
        made: Line = {}
        if operation.answers:
            made["got"] = answer(c, operation.answers, event.arguments)
        pages = [one for one in event.arguments if isinstance(one, Page)]
        saw = [self.of_page(page) for page in pages]
        if made.get("got") == "shared":
            saw.append({"frame": saw[0]["frame"], "users": self.users(pages[0])})
        saw += self._counts()
        return made | ({"saw": saw} if saw else {})

    def _counts(self) -> list[Line]:
        """Counts of the machine that are not as they were when they were last said."""
        now = {"free_frames": self.s.free_frames, "free_slots": self.s.free_slots}
        new = {name: number for name, number in now.items() if self._said.get(name) != number}
        self._said = now
        return [new] if new else []

    def _judged(self, line: Line) -> None:
        """The judge, which knows nothing of the machine here, must find the line allowed."""
        self.judge.line(json.dumps(line).encode())
        if self.judge.verdict != ALLOWED:
            told = self.judge.malformed[2] if self.judge.malformed else self.judge.violations[-1].reasons
            raise Unexpected(f"event {self.done}: {json.dumps(line)}: {self.judge.verdict}: {told}")

    # Asking.

    def of_page(self, page: Page) -> Line:
        """Where a page is, and what it holds if that is seen there."""
        made: Line = {"vm": self.names[page.vm], "page": page.number}
        match self.s.pmap[page]:
            case Mapped(mpn):
                words = [value.number for value in self.s.contents[mpn].words]
                return made | {"frame": repr(mpn), "words": words}
            case Swapped(slot):
                return made | {"slot": repr(slot)}
            case Ballooned():
                return made | {"is": "ballooned"}
        return made | {"is": "untouched"}

    def page(self, vm: str, number: int) -> Page:
        """A page."""
        return self.events.pages[vm][number]

    def vm(self, name: str) -> VM:
        """A VM."""
        return self.events.vms[name]

    def users(self, page: Page) -> int:
        """How many use the page's frame: 0 without one."""
        backing = self.s.pmap[page]
        return reference_count(self.s, backing.mpn) if isinstance(backing, Mapped) else 0

    def sharers(self) -> list[int]:
        """Of each frame with at least two pages their number."""
        pages = [backing.mpn for backing in (self.s.pmap[page] for page in self.s.ids[Page])
                 if isinstance(backing, Mapped) and isinstance(self.s.frame[backing.mpn], Shared)]  # fmt: skip
        return [number for mpn in self.s.ids[MPN] if (number := pages.count(mpn)) >= 2]

    @property
    def shared(self) -> int:
        """Frames with at least two pages."""
        return len(self.sharers())

    @property
    def saved(self) -> int:
        """Pages beyond one of each such frame."""
        return sum(number - 1 for number in self.sharers())

    @property
    def in_use(self) -> int:
        """Frames that are not free."""
        return self.s.total_frames - self.s.free_frames

    def has_own_frame(self, vm: str, number: int) -> bool:
        """Whether a page has a frame of its own."""
        return frame_is_private(self.s, self.page(vm, number))

    def resident(self, vm: str) -> int:
        """Pages of a VM that have a frame."""
        return self.s.resident[self.vm(vm)]

    # What is expected.

    def expect(self, what: str, found: Found | Fraction, published: Found | None, rule: str, ours: Found | None = None,
               why: str = "") -> None:  # fmt: skip
        """What was found here, what the source says of it, and by which rule; ours if that is something else."""
        if isinstance(found, Fraction):
            found = int(found) if found.denominator == 1 else str(found)
        self.expected.append(Expected(what=what, after=self.done, found=found, published=published, rule=rule,
                                      ours=ours, why_ours=why))  # fmt: skip

    # The words of the scenarios.

    def on(self, *names: str) -> None:
        """VMs start; all of them if none is named."""
        for name in names or self.names.values():
            self.do("power_on", name)

    def write(self, vm: str, page: int, value: int, word: int = 0, **more: Any) -> None:
        """A guest writes a word."""
        self.do("write", vm, page, word=word, value=value, **more)

    def read(self, vm: str, page: int, word: int = 0, **more: Any) -> int:
        """A guest reads a word."""
        return int(self.do("read", vm, page, word=word, **more))

    def fill(self, vm: str, value: int, pages: Iterable[int]) -> None:
        """Each of these pages holds the value."""
        for page in pages:
            self.write(vm, page, value)

    def scan(self, pages: Iterable[tuple[str, int]]) -> int:
        """These pages are scanned until nothing more can be shared: how many came to share a frame."""
        wanted, shared = list(pages), 0
        while True:
            got = [self.do("scan", *one) for one in wanted if self.has_own_frame(*one)]
            shared += got.count("shared")
            if "shared" not in got:
                return shared

    def unshare(self, pages: Iterable[tuple[str, int]]) -> None:
        """Each of these pages that is in a shared frame gets one of its own."""
        for one in pages:
            if isinstance(self.s.pmap[self.page(*one)], Mapped) and not self.has_own_frame(*one):
                self.do("unshare", *one)

    def clone(self, vm: str, other: str, pages: Iterable[int]) -> None:
        """The other VM's pages come to hold what these do, and share their frames, as after a fork."""
        for page in pages:
            for word in range(len(self.s.zero.words)):
                self.write(other, page, self.read(vm, page, word), word)
            if self.has_own_frame(vm, page):
                self.do("scan", vm, page)
            self.do("scan", other, page)

    def pin(self, name: str, vm: str, page: int, writes: bool = False) -> TransferName:
        """A device begins to read a page, or to write it: it holds the frame."""
        self.do("start_transfer", vm, page, transfer=name, writes=writes)
        return TransferName(name)

    def through(self, name: str, word: int = 0) -> int:
        """What the device reads."""
        return int(self.do("transfer_read", transfer=name, word=word))

    def discard(self, vm: str, pages: Iterable[int]) -> None:
        """The guest gives pages to its balloon: their frames are free, their contents gone."""
        for page in pages:
            self.do("inflate", vm, page)
