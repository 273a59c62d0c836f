"""The memory manager and the specification's machine side by side: every operation is done in both.

    pair = Pair(Shape())
    pair.do("power_on", 0)
    pair.do("write", 0, 3, 1, 2)

The manager goes first. What it refuses the specification must refuse, for the same reason; what it does must be
steps that the specification allows, with the frames, slots and pages that it chose; and then everything that both
keep must be the same. Otherwise: Differs.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

from pagelaw.spec import devices, sharing, translation
from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.vocabulary import Domain, Mapped, NoEntry, NoHint, Page

from ..reference.trying import Trial
from .comparing import chain_lengths, differences
from .compiling import IS_COMPILED
from .devices import Transfer
from .following import PLAIN, REASONS, Differs, Steps, key_of, operations
from .following_all import FollowingAll
from .refusing import BadInput, Refusal, TableFull
from .scanning import FALSE_MATCH, has_hint
from .shapes import Shape, manager_of, reference_of, row_of
from .sharing import Memory
from .state import OVERFLOWING

MAY_DROP_HINTS = frozenset(("scan", "scan_all", "start_share", "merge", "page_out", "commit", "inflate",
                            "power_off", "leave_clean", "leave_to_copy"))  # fmt: skip
"""Operations in which a stale hint may be found, or a page lose its frame."""
hint_is_fresh = PLAIN[sharing.hint_is_fresh]
READS = frozenset((translation.load, devices.device_reads))
WORTH_COUNTING = frozenset(("write", "page_out", "finish_unmapping", "inflate", "compare", "scan", "start_share"))
"""Operations in which there may be something worth counting."""
LEAVING = frozenset(("page_out", "finish_unmapping", "inflate"))
"""Operations by which a page leaves, or is out of reach for that."""
Way = tuple[Callable[..., Any], Callable[..., Steps]]
"""What asks an operation of the manager, and what finds its steps."""
FAILS = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What the manager does when it fails. Refusals are no failures."""
LONGEST = 0.2
"""Seconds of processor time after which an operation does not end; they take a thousandth of it.
What is compiled, when it is first called, takes longer, and is not watched."""


@contextmanager
def ending(name: str, seconds: float = LONGEST) -> Iterator[None]:
    """Differs if what is done meanwhile does not end; not watched but in a program's main thread."""
    watched = current_thread() is main_thread() and not IS_COMPILED
    if not watched or signal.getsignal(signal.SIGVTALRM) not in (signal.SIG_DFL, stop):
        yield
        return
    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    except NeverEnds:
        raise Differs(f"{name} does not end") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class NeverEnds(Exception):
    """An operation took far too long."""


def stop(*_: Any) -> None:
    """The time is over."""
    raise NeverEnds


class Pair(FollowingAll):
    """Both, and how often what was seen happened."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.words_at = shape, shape.places
        self.memory = Memory(manager_of(shape), shape.hashed)
        self.reference = reference_of(shape).copy()
        self.trial = Trial(self.reference)
        self.transfers: dict[int, Transfer] = {}
        self.seen: defaultdict[str, int] = defaultdict(int)
        self.has_tried, self.refused, self.watched = True, False, True
        """Whether each operation is watched, so that one that does not end is found."""
        self.every = 1
        """After how many operations all that both keep is compared."""
        self._ways: dict[str, Way] = {}
        self._keeps_copies = shape.keep_slot or shape.swap_shared
        self._numbers = memoryview(self.memory.state.numbers)
        self._overflowing = 0
        self._written: set[int] = set()
        """Pages that were written after they were found to match."""
        self.pages: list[Page] = list(self.reference.ids[Page])
        self.pages_of = [self.reference.each(Page, vm) for vm in self.reference.ids[VM]]
        self.numbered = [(page.vm.number, page.number) for page in self.pages]
        self.values = (0, 0, *range(shape.values))
        """What is written: zero more often than others."""
        self.places = {page: place for place, page in enumerate(self.pages)}

    # Contents, in both.

    def row(self, words: tuple[int, ...]) -> bytes:
        """The bytes of a page whose words are these."""
        return row_of(self.shape, words)

    def offset(self, word: int) -> int:
        """Where a word is in a page."""
        return self.words_at[word]

    # Doing.

    def do(self, name: str, *arguments: Any) -> Any:
        """An operation in both; the manager's answer. Differs says what is wrong."""
        ask, steps_of = self._ways.get(name) or self._find_ways(name)
        try:
            if self.watched:
                with ending(name):
                    answer = ask(*arguments)
            else:
                answer = ask(*arguments)
        except Refusal as refused:
            reason = refused.reason
            self.seen[f"{name} refused: {reason}"] += 1
            self.refused = True
            if reason == "PINNED" and name in LEAVING and not self._is_pinned(*arguments):
                self.seen["a page waits for its transfer on a frame that it has left"] += 1
            self._is_refused(name, steps_of, arguments, reason)
            answer = None
        except TableFull:
            if self.memory.records_in_use < len(self.memory.state.records):
                raise Differs(f"{name}{arguments}: the table is said to be full, and it is not") from None
            self.seen["TableFull"] += 1
            answer = None
        except BadInput as refused:  # nothing that is drawn is bad
            raise Differs(f"{name}{arguments}: {refused}") from None
        except FAILS as wrong:
            raise Differs(f"{name}{arguments}: the manager fails: {wrong!r}") from wrong
        else:
            self.seen[name] += 1
            if name in WORTH_COUNTING:
                self._note(name, arguments, answer)
            self._follow(name, steps_of, arguments, answer)
        self.refused = False
        if self._keeps_copies:
            for rule, given in self.forgetting():
                self.seen["a copy goes"] += 1
                PLAIN[rule](self.reference, *given)
        if name in MAY_DROP_HINTS:
            self._drop_stale_hints(name)
        self._count_overflowing()
        done = self.seen["operations"] = self.seen["operations"] + 1
        if done % self.every == 0:
            self.compare((name, *arguments))
        return answer

    def _find_ways(self, name: str) -> Way:
        """What asks an operation of the manager, and what finds its steps; they are looked for once."""
        ask = getattr(self, f"ask_{name}", None) or getattr(self.memory, name)
        found = self._ways[name] = (ask, getattr(self, f"steps_of_{name}"))
        return found

    def _count_overflowing(self) -> None:
        """What came into the overflow table, or left it."""
        overflowing = self._numbers[OVERFLOWING]
        if overflowing != self._overflowing:
            came = overflowing > self._overflowing
            self.seen["a count goes into the overflow table" if came else "a count comes out of it"] += 1
            self._overflowing = overflowing

    def compare(self, after: tuple[Any, ...]) -> None:
        """Whether both keep the same."""
        s = self.memory.state
        try:
            for what, found, due in differences(self.memory, self.reference, self.words_at):
                raise Differs(f"after {after}: {what}: {found}, and it should be {due}")
        except FAILS as wrong:
            raise Differs(f"after {after}: what the manager keeps makes no sense: {wrong!r}") from wrong
        self.seen["a chain of three"] += max(chain_lengths(self.memory)) >= 3
        self.seen["a slot has three users"] += bool((self.memory.slots.users >= 3).any())
        self.seen["one record is free"] += len(s.records) - self.memory.records_in_use == 1

    def _is_pinned(self, vm: int, ppn: int) -> bool:
        """Whether a page has a frame that transfers are under way on, before the specification follows."""
        backing = self.reference.pmap[self.page(vm, ppn)]
        return isinstance(backing, Mapped) and self.reference.pins[backing.mpn] > 0

    def _note(self, name: str, arguments: tuple[Any, ...], answer: Any) -> None:
        """What is worth counting, before the specification follows."""
        if name == "write" and self.memory.stages:
            place = self.place(self.page(*arguments[:2]))
            if self.memory.stages.get(place, ("",))[0] == "found":
                self._written.add(place)
        elif name in LEAVING and answer is not False:
            self.seen["a page leaves a frame that a device reads for another"] += self._is_pinned(*arguments)
        elif name == "compare":
            place = self.place(self.page(*arguments))
            self.seen["a page changes between scan and comparison"] += not answer and place in self._written
            self.seen["equal hashes, different bytes"] += not answer and place not in self._written
            self._written.discard(place)
        elif name in ("scan", "start_share"):
            page = self.page(*arguments[:2])
            key, domain = key_of(self.reference, page), self.reference.domain[page.vm]
            self.seen["a hint agrees in part only"] += any(
                key_of(self.reference, other) != key and hint_is_fresh(self.reference, other)
                for other in operations.hinted_alike(self.reference, page)
            )  # fmt: skip
            if self.shape.domains > 1:
                listed = [one for one in self.reference.ids[Domain] if self.reference.table[one, key] != NoEntry()]
                self.seen["listed in another domain only"] += bool(listed) and domain not in listed
                self.seen["listed in two domains"] += len(listed) > 1
            self.seen["equal hashes, different bytes"] += name == "scan" and answer == FALSE_MATCH

    def _is_refused(
        self, name: str, steps_of: Callable[..., Steps], arguments: tuple[Any, ...], reason: str
    ) -> None:
        found = self.refusal(steps_of, None, *arguments)
        if found is None:
            raise Differs(f"{name}{arguments}: refused because {reason}; the specification allows it")
        if found is not REASONS[reason]:
            told = f"refused because {reason}; the specification says {found.name}"
            raise Differs(f"{name}{arguments}: {told}")

    def _follow(self, name: str, steps_of: Callable[..., Steps], arguments: tuple[Any, ...], answer: Any) -> None:
        reference = self.reference
        try:
            for rule, given in steps_of(answer, *arguments):
                returned = PLAIN[rule](reference, *given)
                if returned is not None and rule in READS and returned.number != answer:
                    raise Differs(f"{name}{arguments}: read {answer}, and it should be {returned.number}")
        except Blocked as refused:
            told = f"done; the specification refuses: {refused.reason.value}"
            raise Differs(f"{name}{arguments}: {told}") from None

    def _drop_stale_hints(self, name: str) -> None:
        """Hints that the manager has no more must be stale."""
        hints = self.reference.hint  # what was never written holds none
        none, entries = NoHint(), self.memory.at_hand
        for page in [page for page, hint in hints.items() if hint is not none]:
            if not has_hint(entries, self.places[page]):
                self.seen["stale hint dropped"] += 1
                try:
                    PLAIN[sharing.remove_stale_hint](self.reference, page)
                except Blocked:
                    raise Differs(f"after {name}: the hint of {page!r} is gone, and it was not stale") from None

    # How each is asked of the manager, where that is not its method.

    def ask_read(self, vm: int, ppn: int, word: int) -> int:
        """A word."""
        return int.from_bytes(self.memory.read(vm, ppn, self.offset(word), 8), "little")

    def ask_write(self, vm: int, ppn: int, word: int, value: int) -> None:
        """A word."""
        self.memory.write(vm, ppn, self.offset(word), value.to_bytes(8, "little"))

    def ask_write_pages(self, vm: int, ppn: int, rows: tuple[tuple[int, ...], ...]) -> bool:
        """Given by their words; that it was done."""
        self.memory.write_pages(vm, ppn, b"".join(map(self.row, rows)))
        return True

    def ask_scan_all(self, places: tuple[int, ...]) -> list[int]:
        """Many pages."""
        return self.memory.scan_all(places).tolist()  # type: ignore[no-any-return]

    def ask_start_transfer(self, number: int, vm: int, ppn: int, writes: bool) -> None:
        """Transfers have numbers here."""
        self.memory.running(vm)
        if number in self.transfers:
            raise Refusal("TRANSFER_IN_PROGRESS")
        self.transfers[number] = self.memory.start_transfer(vm, ppn, writes)

    def ask_device_write(self, number: int, word: int, value: int) -> None:
        """A word."""
        if number not in self.transfers:
            raise Refusal("NO_TRANSFER")
        self.memory.device_write(self.transfers[number], self.offset(word), value.to_bytes(8, "little"))

    def ask_device_read(self, number: int, word: int) -> int:
        """A word."""
        if number not in self.transfers:
            raise Refusal("NO_TRANSFER")
        return int.from_bytes(self.memory.device_read(self.transfers[number], self.offset(word), 8), "little")

    def ask_end_transfer(self, number: int) -> None:
        """It is over."""
        if number not in self.transfers:
            raise Refusal("NO_TRANSFER")
        self.memory.end_transfer(self.transfers.pop(number))


__all__ = ["Differs", "Pair", "Shape"]
