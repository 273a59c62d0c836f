"""The parts of the kernel that a run needs: frame numbers, the scanner (KSM), a swap area, a control group.

Each says in one line why it cannot be used here.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ...oracle.program import Broken
from .keeping import LIBC, CannotRun, Keeper
from .processes import FRAME, PAGE

KSM = Path("/sys/kernel/mm/ksm")
SETTINGS = {
    "advisor_mode": "none", "smart_scan": "0", "use_zero_pages": "0", "max_page_sharing": "",
    "pages_to_scan": "100000", "sleep_millisecs": "0",
}  # fmt: skip
"""With these the scanner compares every page with every other, as fast as it can. How many may share is asked for."""
ANY_NUMBER = 100_000
"""More sharers of a frame than there are pages."""
PASSES = 3
"""A page is shared in the second pass after its last write, if the first had begun before that in the third."""
SECONDS = 10.0
"""How long a scan may take."""
SLOTS = 4096
"""Of the swap file."""
PREFER = 0x8000 | 0x7FFF
"""Of all swap areas this one is filled first (SWAP_FLAG_PREFER)."""
ZERO_PAGE = 24
"""The bit of /proc/kpageflags that marks the frame of zeros."""


def frame_of_zeros() -> int:
    """The frame that all pages share that were only read so far. CannotRun, if frame numbers are hidden."""
    memory = mmap.mmap(-1, 2 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory)) // PAGE * 8
    touched = memory[0]
    memory[PAGE] = touched + 1
    try:
        with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
            read, written = (entry & FRAME for entry in struct.unpack("=QQ", os.pread(pagemap.fileno(), 16, place)))
        if not written:
            raise CannotRun("frame numbers are hidden (needs root, or CAP_SYS_ADMIN)")
        with open("/proc/kpageflags", "rb", buffering=0) as flags:
            is_zero = int.from_bytes(os.pread(flags.fileno(), 8, read * 8), "little") >> ZERO_PAGE & 1
    except OSError as error:
        raise CannotRun(f"{error.filename} cannot be read ({error.strerror}; needs root)") from None
    if not is_zero:
        raise CannotRun("a page that was only read does not have the frame of zeros")
    return int(read)


def ksm_is_free() -> None:
    """CannotRun, if the scanner cannot be used here."""
    run = KSM / "run"
    if not run.exists():
        raise CannotRun("the kernel has no KSM (no /sys/kernel/mm/ksm)")
    if not os.access(run, os.W_OK):
        raise CannotRun("KSM cannot be switched on: /sys/kernel/mm/ksm/run is not writable (needs root)")
    said = run.read_text().strip()
    if said != "0":
        raise CannotRun(f"KSM is in use by someone else (/sys/kernel/mm/ksm/run is {said})")
    for told in Path("/proc").glob("[0-9]*/ksm_stat"):
        with suppress(OSError):  # it has ended meanwhile
            if "ksm_mergeable: yes" in told.read_text():
                who = f"process {told.parent.name}, {(told.parent / 'comm').read_text().strip()}"
                raise CannotRun(f"KSM is in use by someone else ({who}, has memory to share)")
    shared = (KSM / "pages_shared").read_text().strip()
    if shared != "0":
        raise CannotRun(f"KSM is in use by someone else ({shared} frames are shared)")


class Scanner:
    """The kernel's scanner, which stands still but when it is asked to scan."""

    def __init__(self, keeper: Keeper, sharers: int) -> None:
        ksm_is_free()
        for name, value in (SETTINGS | {"max_page_sharing": str(sharers or ANY_NUMBER)}).items():
            if (KSM / name).exists():
                keeper.change(KSM / name, value)
        keeper.will("write", str(KSM / "run"), "0")
        keeper.will("write", str(KSM / "run"), "2")

    def scan(self) -> None:
        """Scan until all that is equal was compared, and stop."""
        (KSM / "run").write_text("1")
        try:
            passes, until = KSM / "full_scans", time.monotonic() + SECONDS
            enough = int(passes.read_text()) + PASSES
            while int(passes.read_text()) < enough:
                if time.monotonic() > until:
                    raise Broken("hung", f"a scan takes longer than {SECONDS:g} s")
                time.sleep(0.0005)
        finally:
            (KSM / "run").write_text("0")

    def unshare(self) -> None:
        """Every page gets a frame of its own."""
        (KSM / "run").write_text("2")
        (KSM / "run").write_text("0")


def swap_area(keeper: Keeper) -> str:
    """Make a swap file and use it; why there is none, if there is none."""
    told = ""
    for folder in dict.fromkeys((tempfile.gettempdir(), "/var/tmp")):
        told = use_swap_file(keeper, folder)
        if not told:
            return ""
    return told


def use_swap_file(keeper: Keeper, folder: str) -> str:
    """Make a swap file there and use it; why not, if that is so."""
    try:
        number, file = tempfile.mkstemp(prefix="pagelaw-swap-", dir=folder)
    except OSError as error:
        return f"no file can be made in {folder} ({error.strerror})"
    keeper.will("delete", file)
    with open(number, "wb") as to:
        header = bytearray(PAGE)
        struct.pack_into("=III", header, 1024, 1, SLOTS - 1, 0)
        header[-10:] = b"SWAPSPACE2"
        to.write(header)
        for _ in range(SLOTS - 1):
            to.write(bytes(PAGE))
        to.flush()
        os.fsync(to.fileno())
    keeper.will("swap off", file)
    if LIBC.swapon(os.fsencode(file), PREFER):
        return f"swapon is refused in {folder} ({os.strerror(ctypes.get_errno())})"
    return ""


class Group:
    """A memory control group of the VMs, so that the kernel can be told to page out all that they have."""

    def __init__(self, keeper: Keeper) -> None:
        self.folder = Path(memory_groups()) / f"pagelaw-{os.getpid()}"
        keeper.will("remove", str(self.folder))
        self.folder.mkdir()
        self.told = self.folder / "memory.force_empty"
        self.text = "0"
        if not self.told.exists():
            self.told, self.text = self.folder / "memory.reclaim", f"{SLOTS * PAGE}"
        if not self.told.exists():
            raise OSError("no way to reclaim")

    def add(self, pid: int) -> None:
        """A process belongs to it: what it touches from now on."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def page_out(self) -> None:
        """All that its processes have is to be paged out: the kernel takes what it will. At first it only looks."""
        for _ in range(2):
            with suppress(BlockingIOError):  # it found less than it was told to take
                self.told.write_text(self.text)


def memory_groups() -> str:
    """Where memory control groups are. OSError, if there are none."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        folder, kind, options = before.split()[4], after.split()[0], after.split()[-1].split(",")
        if kind == "cgroup" and "memory" in options:
            return folder
        if kind == "cgroup2" and "memory" in (Path(folder) / "cgroup.subtree_control").read_text().split():
            return folder
    raise OSError("no memory control groups")
