"""The events that most of a trace consists of, judged at once: reads and writes through a translation that is there.

Nothing is decided here that the judge would not decide in the same way: the same rule is run, and what was seen is
compared with the same state. Whatever is not plainly allowed (a line that is not quite as it should be, a translation
that has to be filled, something seen that is not known yet) is left for the judge as if it had not been looked at.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pagelaw.spec import translation
from pagelaw.spec.language import Blocked, Value
from pagelaw.spec.vocabulary import Cached, HintFrame, Mapped

from .candidate import PLAIN, Candidate
from .events import DECODE, MOST, Events

KEYS = {"read": frozenset(("do", "vm", "page", "word", "got", "cpu", "saw")),
        "write": frozenset(("do", "vm", "page", "word", "value", "cpu", "saw"))}  # fmt: skip


class Hot:
    """Judges such lines for one candidate."""

    def __init__(self, events: Events, c: Candidate) -> None:
        self.events, self.c = events, c
        s = c.machine
        self.load, self.store = PLAIN(translation.load), PLAIN(translation.store)
        self.maps = s, s.tlb, s.unsynced, s.hint
        self.windows = {page: c.window(page) for pages in events.pages.values() for page in pages.values()}
        self.done: Counter[str] = Counter()
        """How often each of the two rules was done here."""

    def line(self, line: bytes) -> bool:
        """Whether the line was such an event, and is allowed: then it is done."""
        try:
            made = DECODE(line)
            name = made["do"]
            if name not in KEYS or not made.keys() <= KEYS[name]:
                return False
            number, at, cpu = made["page"], made["word"], made.get("cpu", 0)
            if type(number) is not int or type(at) is not int or type(cpu) is not int:
                return False
            vm = made["vm"]
            page, word, by = self.events.pages[vm][number], self.events.words[at], self.events.cpus[vm][cpu]
        except Exception:
            return False
        saw = made.get("saw")
        if line.count(b'":') != len(made) + (0 if saw is None else keys_of(saw)):
            return False
        s, tlb, unsynced, hints = self.maps
        virtual = self.windows[page]
        entry = tlb[by, virtual]
        if type(entry) is not Cached or entry.page is not page or unsynced[by, virtual]:
            return False
        if name == "write":
            value = made.get("value")
            if type(value) is not int or not 0 <= value <= MOST or not entry.dirty:
                return False
            if saw is not None and not self.are_seen(saw, page, word, value):
                return False
            try:
                self.store(s, by, virtual, word, Value(value))
            except Blocked:
                return False
            if type(hints[page]) is HintFrame:
                self.c.note_stale_hint(page)
            self.c.log.changes.clear()
        else:
            try:
                held = self.load(s, by, virtual, word).number
            except Blocked:
                return False
            if made.get("got", held) != held or type(made.get("got", 0)) is not int:
                return False
            if saw is not None and not self.are_seen(saw, None, word, 0):
                return False
        self.done[name] += 1
        return True

    def are_seen(self, saw: Any, written: Any, word: Any, value: int) -> bool:
        """Whether each observation is so, once the page that is about to be written holds the value."""
        return type(saw) is list and all(self.is_seen(one, written, word, value) for one in saw)

    def is_seen(self, one: Any, written: Any, word: Any, value: int) -> bool:
        """Whether an observation is of a kind that is looked at here, and plainly so."""
        s = self.c.machine
        keys = one.keys()
        if keys == FREE_FRAMES:
            return type(one["free_frames"]) is int and bool(one["free_frames"] == s.free_frames)
        if not keys <= OF_A_PAGE or type(one.get("page")) is not int or type(one.get("frame")) not in (int, str):
            return False
        try:
            page = self.events.pages[one["vm"]][one["page"]]
        except (KeyError, TypeError):
            return False
        backing = s.pmap[page]
        if type(backing) is not Mapped or self.c.frames.named.get(backing.mpn) != one["frame"]:
            return False
        words = one.get("words")
        if words is None:
            return "words" not in one and page not in self.c.unsettled
        held = [known.number for known in s.contents[backing.mpn].words]
        if page is written:
            held[word.number] = value
        return (
            bool(words == held) and page not in self.c.unsettled and not any(type(known) is not int for known in words)
        )


FREE_FRAMES = frozenset(("free_frames",))
OF_A_PAGE = frozenset(("vm", "page", "frame", "words"))


def keys_of(saw: Any) -> int:
    """How many keys the observations have together."""
    return sum(map(len, saw)) if type(saw) is list and all(type(one) is dict for one in saw) else -1
