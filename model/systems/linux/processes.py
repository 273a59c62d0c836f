"""A VM is a child process with a private anonymous mapping, which does on it what a guest would.

It is forked from the program that runs, is told what to do over a pair of pipes, and ends with that program,
however that ends.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import signal
import struct
import sys
from typing import NoReturn

from ...oracle.program import Broken, die_with_parent

PAGE = 4096
PRESENT, IN_SWAP = 1 << 63, 1 << 62
"""In an entry of a pagemap: the page has a frame; it is in the swap area."""
FRAME = (1 << 55) - 1
"""Which frame; or, from bit 5 on, which slot."""
HUGE = 2 << 20
"""Bytes of a huge page: a VM's pages begin where one could."""
COLLAPSE, PAGEOUT, COLD = 25, 21, 20
"""Requests to madvise that the module mmap has no names for."""
SECONDS = 10.0
"""How long a VM may take to answer."""
REQUEST = struct.Struct("=BIIQ")
"""What is asked for, a page, how many or which byte of it, a value."""
ANSWER = struct.Struct("=qQ")
"""0 or the number of the error, and a value."""
READ, WRITE, ADVISE, REMAKE, WHERE = range(5)


class VM:
    """One child process, and its mapping seen from outside. It has to be ended also if it could not start."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.pid = 0
        self._open: list[int] = []

    def start(self) -> None:
        """The process is forked. No signal comes between that and the note of what is to be ended."""
        sys.stdout.flush()
        sys.stderr.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            asks, self._asks = os.pipe()
            self._answers, answers = os.pipe()
            self.pid = os.fork()
            if self.pid == 0:
                run(self.pages, asks, answers)
            os.close(asks)
            os.close(answers)
            self._open += [self._asks, self._answers]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.first = self.ask(WHERE)
        """The address of its first page."""
        self._pagemap, self._memory = self._file("pagemap"), self._file("mem")

    def _file(self, name: str) -> int:
        """A file that the kernel has of the process."""
        self._open.append(os.open(f"/proc/{self.pid}/{name}", os.O_RDONLY))
        return self._open[-1]

    def ask(self, what: int, page: int = 0, more: int = 0, value: int = 0) -> int:
        """What the VM answers. OSError, if its kernel refuses; Broken, if it does not answer."""
        try:
            os.write(self._asks, REQUEST.pack(what, page, more, value))
            ready, _, _ = select.select([self._answers], [], [], SECONDS)
            answer = os.read(self._answers, ANSWER.size) if ready else b""
        except OSError as error:
            raise Broken("crashed", f"the process of a VM has ended: {error.strerror}") from None
        if not ready:
            raise Broken("hung", f"the process of a VM does not answer within {SECONDS:g} s")
        if len(answer) != ANSWER.size:
            raise Broken("crashed", "the process of a VM has ended")
        error_number, made = ANSWER.unpack(answer)
        if error_number:
            raise OSError(error_number, os.strerror(error_number))
        return int(made)

    def read(self, page: int, at: int) -> int:
        """Eight bytes of a page, as the VM reads them."""
        return self.ask(READ, page, at)

    def write(self, page: int, at: int, value: int) -> None:
        """The VM writes eight bytes."""
        self.ask(WRITE, page, at, value)

    def advise(self, page: int, count: int, advice: int) -> None:
        """The VM asks its kernel to do something with so many pages (madvise)."""
        self.ask(ADVISE, page, count, advice)

    def remake(self, zeros: int) -> None:
        """Its pages move to a huge page, which is then split: their frames lie side by side.

        Pages that had neither frame nor slot have none afterwards. zeros: the frame of zeros.
        """
        self.ask(REMAKE, value=zeros)

    def pagemap(self) -> memoryview:
        """What the kernel says of each page, 64 bits each."""
        return memoryview(os.pread(self._pagemap, 8 * self.pages, self.first // PAGE * 8)).cast("Q")

    def held(self, page: int, at: int) -> int:
        """Eight bytes of a page that has a frame, as seen from outside: that changes nothing."""
        return int.from_bytes(os.pread(self._memory, 8, self.first + page * PAGE + at), sys.byteorder)

    def end(self) -> None:
        """The process is ended, with all that it has."""
        for file in self._open:
            os.close(file)
        self._open = []
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def run(pages: int, asks: int, answers: int) -> NoReturn:
    """The child: it answers until nobody asks any more. It never returns into the program that it was forked from."""
    try:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        guest = Guest(pages)
        while request := os.read(asks, REQUEST.size):
            try:
                answer = ANSWER.pack(0, guest.do(*REQUEST.unpack(request)))
            except OSError as error:
                answer = ANSWER.pack(error.errno, 0)
            os.write(answers, answer)
    finally:
        os._exit(0)


class Guest:
    """What runs in a child: a mapping, and what is done with it."""

    def __init__(self, pages: int) -> None:
        room = -(-pages * PAGE // HUGE) * HUGE
        self.memory = mmap.mmap(-1, room + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.memory.madvise(mmap.MADV_NOHUGEPAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.start = -address % HUGE
        self.first, self.pages, self.room = address + self.start, pages, room
        self.memory.madvise(mmap.MADV_MERGEABLE)
        self.pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)

    def do(self, what: int, page: int, more: int, value: int) -> int:
        """What is asked for; a value. OSError, if the kernel refuses."""
        at = self.start + page * PAGE
        if what == READ:
            return int.from_bytes(self.memory[at + more : at + more + 8], sys.byteorder)
        if what == WRITE:
            self.memory[at + more : at + more + 8] = value.to_bytes(8, sys.byteorder)
        elif what == ADVISE:
            self.memory.madvise(value, at, more * PAGE)
        elif what == REMAKE:
            self.remake(value)
        return self.first if what == WHERE else 0

    def entries(self) -> memoryview:
        """What the kernel says of each page."""
        return memoryview(os.pread(self.pagemap, 8 * self.pages, self.first // PAGE * 8)).cast("Q")

    def remake(self, zeros: int) -> None:
        """The kernel copies all pages to a huge page; what it added is given back, and the huge page is split.

        It does not copy shared pages: all get frames of their own first. In a split, pages that hold zeros get the
        frame of zeros: they are written, so that each has its own.
        """
        before, used = self.entries(), self.pages * PAGE
        self.memory.madvise(mmap.MADV_UNMERGEABLE)
        self.memory.madvise(mmap.MADV_MERGEABLE)
        self.memory.madvise(mmap.MADV_HUGEPAGE, self.start, self.room)
        try:
            self.memory.madvise(COLLAPSE, self.start, self.room)
        finally:
            self.memory.madvise(mmap.MADV_NOHUGEPAGE, self.start, self.room)
            if used < self.room:
                self.memory.madvise(mmap.MADV_DONTNEED, self.start + used, self.room - used)
            for page, entry in enumerate(before):
                if not entry & (PRESENT | IN_SWAP):
                    self.memory.madvise(mmap.MADV_DONTNEED, self.start + page * PAGE, PAGE)
        self.memory.madvise(COLD, self.start, used)
        for page, entry in enumerate(self.entries()):
            if entry & PRESENT and entry & FRAME == zeros:
                self.memory[self.start + page * PAGE] = 0
