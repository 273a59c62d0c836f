"""How fast traces are judged, beside `json.loads` on the same lines in the same run, and what memory a long one takes.

pytest tests/benchmarks/test_oracle_speed.py -m deep -s
"""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from itertools import islice
from random import Random
from time import process_time

import pytest

from pagelaw.model.oracle.judge import Judge

VMS, PAGES = ("A", "B", "C", "D"), 64
GOAL = 5
"""The judge takes at most so many times as long as json.loads (yardsticks)."""


def lines(seed: int) -> Iterator[bytes]:
    """A trace without end: four VMs write and read 64 pages each; the frame of each page is seen; now and then a page
    is scanned or paged out. No two pages are ever equal."""
    random, frames, words = Random(seed), dict[tuple[str, int], str](), dict[tuple[str, int, int], int]()
    vms = [{"name": name, "pages": PAGES} for name in VMS]
    yield json.dumps({"pagelaw": 1, "machine": {"vms": vms, "frames": 300, "slots": 300, "words": 2}}).encode()
    for name in VMS:
        yield json.dumps({"do": "power_on", "vm": name}).encode()
    for number in range(len(VMS) * PAGES):
        vm, page = VMS[number % len(VMS)], number // len(VMS)
        words[vm, page, 0] = number + 1
        yield json.dumps({"do": "write", "vm": vm, "page": page, "word": 0, "value": number + 1}).encode()
    while True:
        vm, page, word = random.choice(VMS), random.randrange(PAGES), random.randrange(2)
        event: dict[str, object] = {"vm": vm, "page": page}
        chosen = random.random()
        if (vm, page) in frames and chosen < 0.02:
            event |= {"do": "scan", "got": "not shared"}
        elif (vm, page) in frames and chosen < 0.022:
            event |= {"do": "page_out", "saw": [{"vm": vm, "page": page, "is": "swapped"}]}
            del frames[vm, page]
        else:
            frame = frames.setdefault((vm, page), f"f{random.getrandbits(32)}")
            event["saw"] = [{"vm": vm, "page": page, "frame": frame}]
            if chosen < 0.5:
                words[vm, page, word] = value = random.getrandbits(32)
                event |= {"do": "write", "word": word, "value": value}
            else:
                event |= {"do": "read", "word": word, "got": words.get((vm, page, word), 0)}
        yield json.dumps(event).encode()


@pytest.mark.deep
def test_judging_takes_at_most_five_times_as_long_as_reading() -> None:
    """In turns, so that a noisy machine is noisy for both."""
    judge, trace = Judge(), lines(1)
    for line in islice(trace, 5_000):
        judge.line(line)
    reading = judging = 0.0
    count = 0
    for _ in range(20):
        chunk = list(islice(trace, 10_000))
        started = process_time()
        for line in chunk:
            json.loads(line)
        between = process_time()
        for line in chunk:
            judge.line(line)
        judging += process_time() - between
        reading += between - started
        count += len(chunk)
    assert judge.verdict == "allowed"
    print(f"\n{count / judging:,.0f} events a second, {judging / reading:.2f} times json.loads")
    assert judging <= GOAL * reading


@pytest.mark.deep
def test_a_million_events_take_no_more_memory_than_a_tenth_of_them() -> None:
    judge, trace, peaks = Judge(), lines(2), []
    for _ in range(10):
        for line in islice(trace, 100_000):
            judge.line(line)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(
        f"\n{judge.lines:,} lines, {judge.verdict}; largest after each 100,000: {[peak // 1024 for peak in peaks]} MiB"
    )
    assert judge.verdict == "allowed"
    assert peaks[-1] - peaks[1] < 4096
