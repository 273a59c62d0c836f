"""A guest's own memory management, as simple as it can be: free pages, page replacement, a virtual disk.

A guest keeps *blocks* in its pages: blocks of files, or of memory of programs. It knows which block it used least
recently, and gives that page up when it needs one and none is free (ESX-3.2-03). What it does not know: which of
its pages have a frame.

Time is counted in microseconds of the guest. What a page of memory or of disk costs is ours, not the paper's.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from pagelaw.spec.language import VM
from pagelaw.spec.vocabulary import Page, Untouched

from .server import Server, Waits

MEMORY_US = 50
"""To work with a page that is in memory: 80 MB a second."""
DISK_US = 2_000
"""To bring one from the virtual disk, or to it: 2 MB a second, small files of many clients."""
PAGE_IN_US = 8_000
"""To wait until the server has read a page from its swap area: one after the other, a disk arm's way each."""


class Guest:
    """The operating system of one VM."""

    def __init__(self, server: Server, vm: VM) -> None:
        self.server, self.vm = server, vm
        self.free: deque[Page] = deque(server.machine.each(Page, vm))
        """Pages that the guest has no use for now."""
        self.held: OrderedDict[int, Page] = OrderedDict()
        """The page of each block that is in memory, the least recently used one first."""
        self.unsaved: set[int] = set()
        """Blocks in memory of which the guest's disk has no copy."""
        self.ballooned: list[Page] = []
        """Pages that its balloon driver has allocated."""
        self.has_driver = False
        """Whether its balloon driver has started; while it boots it has none (ESX-3.2-15)."""
        self.now = 0
        """The second of the run that it is."""
        self.budget = 0
        """Microseconds left of its turn."""
        self.used = self.missed = self.written = 0
        """How often a block was used, how often it had to be read for that, and how often one was written to disk."""

    # Pages.

    def allocate(self) -> Page:
        """A page for something new: a free one, or that of the block used least recently, saved if it must be."""
        if self.free:
            return self.free.popleft()
        return self.replace()

    def replace(self) -> Page:
        """Give up the page of the block that was used least recently; Waits if there is none."""
        if not self.held:
            raise Waits
        block, page = next(iter(self.held.items()))
        if block in self.unsaved:
            self.reach(page)
            self.server.write_to_disk(page)
            self.unsaved.discard(block)
            self.budget -= DISK_US
            self.written += 1
        del self.held[block]
        return page

    def reach(self, page: Page) -> None:
        """Work with a page, wherever the server has it; Waits if it gets no frame."""
        before = self.server.paged_in[self.vm]
        self.server.touch(page)
        if self.server.paged_in[self.vm] != before:
            self.budget -= PAGE_IN_US

    # Blocks.

    def use(self, block: int, what: int) -> None:
        """Use a block, which holds this, and read it from disk if it is not in memory."""
        page = self.held.get(block)
        if page is not None:
            self.reach(page)
            self.held.move_to_end(block)
        else:
            page = self.allocate()
            try:
                self.server.read_from_disk(page, what)
            except Waits:
                self.free.appendleft(page)
                raise
            self.held[block] = page
            self.budget -= DISK_US
            self.missed += 1
        self.budget -= MEMORY_US
        self.used += 1

    def use_each(self, blocks: Iterator[int], holds: Callable[[int], int], us: int) -> None:
        """Use one block after the other while there is time, each with so much more work on it."""
        held, noticed, cost = self.held, self.server.noticed, MEMORY_US + us
        get, newest = held.get, held.move_to_end
        while self.budget > 0:
            block = next(blocks)
            page = get(block)
            if page is not None and page not in noticed:
                newest(block)  # the same as `use`, where the server sees nothing
                self.budget -= cost
                self.used += 1
            else:
                self.use(block, holds(block))
                self.budget -= us

    def make(self, block: int, what: int) -> None:
        """A program writes a block of memory: the page that it has, or a new one."""
        page = self.held.get(block) or self.allocate()
        try:
            self.server.write(page, what)
        except Waits:
            if block not in self.held:
                self.free.appendleft(page)
            raise
        self.held[block] = page
        self.held.move_to_end(block)
        self.unsaved.add(block)
        self.budget -= MEMORY_US
        self.used += 1

    def clear(self, page: Page) -> None:
        """Zero a page: one that never had a frame is touched, and so gets one that is zero."""
        s = self.server.machine
        if s.pmap[page] != Untouched() and self.server.holds(page) != 0:
            self.server.write(page, 0)
        else:
            self.reach(page)
        self.budget -= MEMORY_US

    def drop(self, blocks: range) -> None:
        """A program ends: the pages of its blocks are free again."""
        for block in blocks:
            page = self.held.pop(block, None)
            if page is not None:
                self.unsaved.discard(block)
                self.free.append(page)
