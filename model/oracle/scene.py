"""What an implementation has in the midst of a run, as the judge knows it, and events that speak of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, BounceIn, Inbound, Mapped, NoTransfer, Page, Running, Shared, Swapped

if TYPE_CHECKING:
    from .driving import Run

Event = dict[str, Any]
MANY_WORDS = 3
"""With more words than these the first and the last of a page are written more often than others."""
WITH_CPU = ("read", "write", "touch", "page_in")
"""Operations of which a vCPU can be named."""


def values(largest: int) -> tuple[tuple[int, ...], ...]:
    """What is written in a run: few values, so that pages come to be equal. Small ones; of two that differ
    in their highest bit only; the largest that a word can hold."""
    highest = 1 << (largest.bit_length() - 1)
    other = highest if highest < largest else 1
    return (0, 0, 1, 1, 2), (0, 0, 1, 1, min(highest | 1, largest)), (0, 0, largest, largest, other)


class Scene:
    """A run, and what is drawn for it."""

    def __init__(self, run: Run, random: Random) -> None:
        self.run, self.random = run, random
        self.able = frozenset(run.able.operations)
        header = run.judge.header
        assert header is not None
        self.vms = header.names
        self.words: int = header.sizes.get("words", 1)
        self.vcpus: int = header.sizes.get("vcpus", 1)
        self.most_transfers: int = header.sizes.get("transfers", 8)
        self.has_high_memory = "low" in header.sizes
        self.displaces, self.migrates = bool(header.options["displace"]), bool(header.options["migrate"])
        self.sets = values(run.able.largest)
        self.values: tuple[int, ...] = ()
        """Those of this run, chosen when it begins."""

    @property
    def s(self) -> Machine:
        """Where things are by now: in one of the states that explain the run."""
        return self.run.judge.candidates[0].machine

    # What is there.

    def running(self) -> list[VM]:
        """The VMs that run."""
        return [vm for vm in self.s.ids[VM] if self.s.life[vm] == Running()]

    def pages(self, *vms: VM) -> Sequence[Page]:
        """All pages of these VMs."""
        return [page for vm in vms for page in self.s.each(Page, vm)]

    def has_few_frames(self) -> bool:
        """Whether all frames come to be in use soon."""
        return len(self.s.ids[MPN]) <= len(self.s.ids[Page])

    def some_vm(self) -> VM | None:
        """One that runs; None if there is none."""
        running = self.running()
        return self.random.choice(running) if running else None

    def some_pages(self, number: int, fits: Callable[[Page], bool] = lambda _: True) -> list[Page]:
        """So many pages of running VMs, or fewer if there are not as many. The last of a VM is no rare one."""
        found = [page for page in self.pages(*self.running()) if fits(page)]
        self.random.shuffle(found)
        if self.random.random() < 0.3:
            found.sort(key=lambda page: page.number + 1 < len(self.s.each(Page, page.vm)))
        return found[:number]

    def is_shared(self, page: Page) -> bool:
        """Whether a page's frame is a shared one."""
        at = self.s.pmap[page]
        return isinstance(at, Mapped) and isinstance(self.s.frame[at.mpn], Shared)

    def holds(self, page: Page) -> list[int]:
        """The words of a page; zeros, if it has neither frame nor slot."""
        match self.s.pmap[page]:
            case Mapped(mpn):
                return [word.number for word in self.s.contents[mpn].words]
            case Swapped(slot):
                return [word.number for word in self.s.slot_contents[slot].words]
        return [0] * self.words

    def under_way(self, writes: bool | None = None) -> list[str]:
        """The names of the transfers that are; of those that write a page only, or that read one, if it is said."""
        transfers = {str(name): self.s.transfer[one] for name, one in self.run.judge.candidates[0].transfers.items()}
        return [name for name, one in transfers.items() if one != NoTransfer()
                and writes in (None, isinstance(one, Inbound | BounceIn))]  # fmt: skip

    def names_left(self) -> list[str]:
        """Names for as many transfers as may begin."""
        used = self.under_way()
        return [name for name in map("t{}".format, range(self.most_transfers)) if name not in used]

    # What is to be done.

    def of_vm(self, do: str, vm: VM, **more: Any) -> Event:
        """An operation on a VM."""
        return {"do": do, "vm": self.vms[vm.number]} | more

    def of(self, do: str, page: Page, **more: Any) -> Event:
        """An operation on a page."""
        event = self.of_vm(do, page.vm, page=page.number) | more
        if self.vcpus > 1 and do in WITH_CPU:
            event["cpu"] = self.random.randrange(self.vcpus)
        return event

    def word(self) -> int:
        """One of a page's words."""
        if self.words > MANY_WORDS and self.random.random() < 0.7:
            return self.random.choice((0, self.words - 1))
        return self.random.randrange(self.words)

    def read(self, page: Page, word: int | None = None) -> Event:
        """A word of a page is read: that one, or any."""
        return self.of("read", page, word=self.word() if word is None else word)

    def write(self, page: Page, word: int | None = None, value: int | None = None) -> Event:
        """A word of a page is written: that one, or any; with that value, or one of those that are written often."""
        return self.of("write", page, word=self.word() if word is None else word,
                       value=self.random.choice(self.values) if value is None else value)  # fmt: skip

    def any_value(self) -> int:
        """Any that a word can hold."""
        return self.random.randint(0, self.run.able.largest)

    def other_value(self, than: int) -> int:
        """Another value."""
        return self.random.choice([value for value in {*self.values, 0, 1} if value != than])

    def alike(self, page: Page, to: Page) -> Iterator[Event]:
        """A page comes to hold what another does; both have frames."""
        for one in (page, to):
            if "read" in self.able and not isinstance(self.s.pmap[one], Mapped):
                yield self.read(one)
        for word in range(self.words):
            value = self.holds(to)[word]
            if self.holds(page)[word] != value:
                yield self.write(page, word, value)

    def leaves(self, page: Page) -> Event:
        """A page goes from its frame, in one of the ways that there are."""
        return self.of(self.random.choice([name for name in ("inflate", "page_out") if name in self.able]), page)
