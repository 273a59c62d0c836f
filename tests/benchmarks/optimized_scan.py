"""How fast the memory manager scans, compiled, beside what there is to compare it with; figures as JSON.

    python tests/benchmarks/optimized_scan.py numbers 18    pages known by a number, and the reference's scan
    python tests/benchmarks/optimized_scan.py bytes 15      real bytes: hash stage and scan, and the Linux kernel's ksmd
    python tests/benchmarks/optimized_scan.py growth 28     from 2^16 pages on: speed, and bytes a page
    python tests/benchmarks/optimized_scan.py growth 28 growth.svg    the same, and a picture of it

Processor time counts. A tenth of the pages are zero; half of the rest are as some other page is.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np

from pagelaw.model.experiments.server import Server
from pagelaw.model.optimized.compiling import IS_COMPILED
from pagelaw.model.optimized.memory import Machine
from pagelaw.model.optimized.sharing import Memory
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec.language import VM, Contents, Value
from pagelaw.spec.vocabulary import MPN, Mapped, Page, Private, Running

KSM = Path("/sys/kernel/mm/ksm")
BATCH = 1 << 16
KSMD_AT_ONCE = 1 << 10
"""It stops only after so many pages."""
ROUNDS = 3


def numbers(pages: int, first: int = 0, count: int | None = None) -> Any:
    """What is in so many pages of all, as numbers: 0 in a tenth of them; of the rest about half are as another one."""
    random = np.random.default_rng((1, first))
    drawn = random.integers(1, pages, pages if count is None else count, dtype=np.uint64)
    drawn[random.random(len(drawn)) < 0.1] = 0
    return drawn


def filled(pages: int, by_number: bool) -> Memory:
    """Four VMs, all of whose pages have been written."""
    each = pages // 4
    machine = Machine(pages=(each,) * 4, frames=pages, slots=0, minimum=(each,) * 4, by_number=by_number)
    memory = Memory(machine)
    for vm in range(4):
        memory.power_on(vm)
        for first in range(0, each, 4096):
            part = numbers(pages, vm * each + first, min(4096, each - first))
            memory.write_pages(vm, first, part if by_number else rows(part))
    return memory


def contents(pages: int) -> Any:
    """What is in all of them, as `filled` writes it."""
    each = pages // 4
    parts = [numbers(pages, vm * each + first, min(4096, each - first))
             for vm in range(4) for first in range(0, each, 4096)]  # fmt: skip
    return np.concatenate(parts)


def rows(part: Any) -> Any:
    """Real pages: the number over and over; the page of number 0 is zeros."""
    return np.repeat(part, 512)


def scanned(memory: Memory, pages: int) -> float:
    """Processor seconds of a scan of every page: of batches at random, each in the pmap's order, as the scanner's are.

    A batch is of every so-many-th page, so that it has some of any part of memory.
    """
    random, took = np.random.default_rng(2), 0.0
    steps = max(1, pages // BATCH)
    for first in random.permutation(steps):
        order = np.arange(first, pages, steps)
        started = time.process_time()
        memory.scan_all(order)
        took += time.process_time() - started
    return took


def rate(pages: int, by_number: bool) -> float:
    """Pages scanned in a second: the best of some rounds. What is compiled first does not count."""
    scanned(filled(1 << 12, by_number), 1 << 12)
    return max(pages / scanned(filled(pages, by_number), pages) for _ in range(ROUNDS))


def reference_rate(pages: int, sample: int = 4000) -> float:
    """The reference's scan of the same contents, of some of as many pages."""
    each = pages // 4
    made = machine(Sizes(
        vms=4, pages=each, vcpus=1, virtual_pages=1, frames=pages, low_frames=pages, slots=4 * each, transfers=1,
        words=1, values=2, hash_bits=None, short_bits=40, minimum=0, overhead=0, count_top=65_535,
    ))  # fmt: skip
    for vm in made.ids[VM]:
        made.life[vm] = Running()
        made.resident[vm] = each
    for page, mpn, number in zip(made.ids[Page], made.ids[MPN], contents(pages).tolist(), strict=True):
        made.pmap[page], made.frame[mpn], made.count_field[mpn] = Mapped(mpn), Private(page), 1
        made.contents[mpn] = Contents((Value(number),))
    made.free_frames, made.low_in_use = 0, pages
    server = Server(made)
    chosen = Random(3).sample(made.ids[Page], sample)
    started = time.process_time()
    for page in chosen:
        server.scan(page)
    return sample / (time.process_time() - started)


def best(function: Any, *arguments: Any) -> float:
    """The fewest processor seconds of several."""
    found = []
    for _ in range(5):
        started = time.process_time()
        function(*arguments)
        found.append(time.process_time() - started)
    return min(found)


def ksmd_rates(pages: int) -> tuple[float, float] | str:
    """What the kernel's ksmd does in a second of its processor time with the same contents; or why not.

    How many pages it looks at; and how many it has done with: it has to look twice before it shares what it finds,
    so that is when it has been through all of them twice.
    """
    if os.geteuid() != 0 or not (KSM / "run").exists():
        return "needs root and a kernel with KSM"
    ksmd = next((one for one in Path("/proc").glob("[0-9]*") if (one / "comm").read_text().strip() == "ksmd"), None)
    if ksmd is None or (KSM / "run").read_text().strip() != "0":
        return "ksmd is not there, or in use"
    names = ("pages_to_scan", "sleep_millisecs", "smart_scan")
    before = {name: (KSM / name).read_text() for name in names if (KSM / name).exists()}
    area = mmap.mmap(-1, pages * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        np.frombuffer(area, np.uint64)[:] = np.repeat(contents(pages), 512)
        area.madvise(mmap.MADV_MERGEABLE)
        for name, value in {"pages_to_scan": str(KSMD_AT_ONCE), "sleep_millisecs": "0", "smart_scan": "0"}.items():
            if name in before:
                (KSM / name).write_text(value)
        scans, ticks, seen = (int((KSM / "full_scans").read_text()), ticks_of(ksmd), pages_seen())
        (KSM / "run").write_text("1")
        deadline = time.monotonic() + 120
        while int((KSM / "full_scans").read_text()) < scans + 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        (KSM / "run").write_text("0")
        used = (ticks_of(ksmd) - ticks) / os.sysconf("SC_CLK_TCK")
        return (pages_seen() - seen or 2 * pages) / used, pages / used
    finally:
        (KSM / "run").write_text("2")  # what was merged is apart again
        (KSM / "run").write_text("0")
        for name, value in before.items():
            (KSM / name).write_text(value)


def ticks_of(process: Path) -> int:
    """Its processor time, in the kernel's ticks."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def pages_seen() -> int:
    """How many pages ksmd has looked at, if the kernel says so."""
    counter = KSM / "pages_scanned"
    return int(counter.read_text()) if counter.exists() else 0


def of_numbers(bits: int) -> dict[str, Any]:
    """Against the reference."""
    ours, theirs = rate(1 << bits, by_number=True), reference_rate(1 << bits)
    return {"pages": 1 << bits, "scan": ours, "reference": theirs, "times": ours / theirs}


def of_bytes(bits: int) -> dict[str, Any]:
    """Against the bandwidth of memory, and against ksmd."""
    pages = 1 << bits
    memory = filled(pages, by_number=False)
    frames = np.arange(pages)
    memory.keys.hashing.of_all(frames[:100])
    read, hashed = best(memory.state.words.sum), best(memory.keys.hashing.of_all, frames)
    del memory
    found: dict[str, Any] = {
        "pages": pages, "read": pages / read, "hash": pages / hashed, "of the limit": read / hashed,
    }  # fmt: skip
    found["scan"] = rate(pages, by_number=False)
    found["ksmd"] = rates = ksmd_rates(pages)
    if isinstance(rates, tuple):
        found["times what it looks at"], found["times what it has done with"] = (found["scan"] / one for one in rates)
    return found


def growth(bits: int) -> list[dict[str, Any]]:
    """From 2^16 pages on, each four times as large."""
    scanned(filled(1 << 12, by_number=True), 1 << 12)
    found = []
    for size in [*range(16, bits, 2), bits]:
        memory = filled(1 << size, by_number=True)
        took = scanned(memory, 1 << size)
        found.append({
            "bits": size, "scan": (1 << size) / took, "bytes a page": memory.bytes_kept() / (1 << size),
            "peak GiB": getrusage(RUSAGE_SELF).ru_maxrss / (1 << 20),
        })  # fmt: skip
        del memory
    return found


def picture(sizes: list[dict[str, Any]], path: str) -> None:
    """The curve: pages scanned in a second, and bytes a page, over the number of pages."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    bits = [size["bits"] for size in sizes]
    left.plot(bits, [size["scan"] / 1e6 for size in sizes], "o-", color="tab:blue", label="scan")
    right.plot(bits, [size["bytes a page"] for size in sizes], "s--", color="tab:orange", label="kept")
    left.set(xlabel="pages (power of two)", ylabel="million pages scanned a second", ylim=(0, None), xticks=bits)
    right.set(ylabel="bytes kept for a page", ylim=(0, 24))
    figure.legend(loc="lower left", bbox_to_anchor=(0.1, 0.15))
    figure.savefig(path)


if __name__ == "__main__":
    what, of_bits = sys.argv[1], int(sys.argv[2])
    told: Any = {"numbers": of_numbers, "bytes": of_bytes, "growth": growth}[what](of_bits)
    print(json.dumps({"compiled": IS_COMPILED, what: told}))
    if len(sys.argv) > 3:
        picture(told, sys.argv[3])
