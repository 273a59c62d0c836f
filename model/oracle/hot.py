"""The events that most of a trace consists of, judged at once: reads and writes through a translation that is there.

Nothing is decided here that the judge would not decide in the same way: the same rule is run, and what was seen is
compared with the same state. Whatever is not plainly allowed (a line that is not quite as it should be, a translation
that has to be filled, something seen that is not known yet) is left for the judge as if it had not been looked at.
"""

from __future__ import annotations

from typing import Any

from pagelaw.spec import translation
from pagelaw.spec.language import VM, Blocked, Value, Word
from pagelaw.spec.vocabulary import VCPU, Cached, HintFrame, Mapped, Page, VPage

from .candidate import PLAIN, Candidate
from .event_fields import MOST
from .events import DECODE, Events


class Hot:
    """Judges such lines for one candidate."""

    def __init__(self, events: Events, c: Candidate) -> None:
        self.events, self.c, self.decode = events, c, DECODE
        s = self.machine = c.machine
        self.load, self.store = PLAIN(translation.load), PLAIN(translation.store)
        self.tlb, self.unsynced, self.hints, self.pmap, self.named = s.tlb, s.unsynced, s.hint, s.pmap, c.frames.named
        self.places = {
            name: {number: (page, c.window(page)) for number, page in pages.items()}
            for name, pages in events.pages.items()
        }
        """By the name of a VM and the number of a page: the page, and the virtual page through which it is reached."""
        self.words = events.words
        self.first = {vm: c.cpus(vm)[0] for vm in s.ids[VM]}
        self.reads = self.writes = 0
        """How often each of the two rules was done here."""

    def line(self, line: bytes) -> bool:
        """Whether the line was such an event, and is allowed: then it is done."""
        try:
            made = self.decode(line)
            name = made["do"]
            if name == "write":
                value = made["value"]
                if type(value) is not int or not 0 <= value <= MOST:
                    return False
                fields = 5
            elif name == "read":
                fields, value = 4 + ("got" in made), 0
            else:
                return False
            number, at = made["page"], made["word"]
            if type(number) is not int or type(at) is not int:
                return False
            place = self.places[made["vm"]]
            (page, virtual), word = place[number], self.words[at]
            by = self.first[page.vm]
            if "cpu" in made:
                if type(made["cpu"]) is not int:
                    return False
                fields, by = fields + 1, self.events.cpus[made["vm"]][made["cpu"]]
        except Exception:  # whatever is wrong with it, the judge says
            return False
        saw = made.get("saw")
        if saw is not None:
            fields += 1
        if len(made) != fields or line.count(b'":') != fields + (0 if saw is None else keys_of(saw)):
            return False
        key = by, virtual
        entry = self.tlb[key]
        if type(entry) is not Cached or entry.page is not page or self.unsynced[key]:
            return False
        return self.write(page, key, word, value, entry, saw) if name == "write" else self.read(key, word, made, saw)

    def write(self, page: Page, key: tuple[VCPU, VPage], word: Word, value: int, entry: Cached, saw: Any) -> bool:
        """A vCPU writes a word through its TLB."""
        if not entry.dirty or page in self.c.unsure or (saw is not None and not self.are_seen(saw, page, word, value)):
            return False
        try:
            self.store(self.machine, *key, word, Value(value))
        except Blocked:
            return False
        if type(self.hints[page]) is HintFrame and page not in self.c.doubtful:
            self.c.note_stale_hint(page)
        self.c.log.changes.clear()
        self.writes += 1
        return True

    def read(self, key: tuple[VCPU, VPage], word: Word, made: dict[str, Any], saw: Any) -> bool:
        """A vCPU reads one."""
        try:
            held = self.load(self.machine, *key, word).number
        except Blocked:
            return False
        got = made.get("got", held)
        if got != held or type(got) is not int or (saw is not None and not self.are_seen(saw, None, word, 0)):
            return False
        self.reads += 1
        return True

    def are_seen(self, saw: Any, written: Page | None, word: Word, value: int) -> bool:
        """Whether each observation is so, once the page that is about to be written holds the value."""
        if type(saw) is not list:
            return False
        for one in saw:  # noqa: SIM110  (most of the time is spent here)
            if not self.is_seen(one, written, word, value):
                return False
        return True

    def is_seen(self, one: Any, written: Page | None, word: Word, value: int) -> bool:
        """Whether an observation is of a kind that is looked at here, and plainly so."""
        if "frame" not in one or "page" not in one:
            free = one.get("free_frames")
            return len(one) == 1 and type(free) is int and bool(free == self.machine.free_frames)
        number, frame = one["page"], one["frame"]
        if type(number) is not int or type(frame) not in (str, int):
            return False
        try:
            page = self.places[one["vm"]][number][0]
        except (KeyError, TypeError):
            return False
        backing = self.pmap[page]
        if type(backing) is not Mapped or self.named.get(backing.mpn) != frame:
            return False
        if page in self.c.unsettled or page in self.c.elsewhere:
            return False
        if "words" not in one:
            return len(one) == 3
        words, held = one["words"], [known.number for known in self.machine.contents[backing.mpn].words]
        if page is written:
            held[word.number] = value
        return len(one) == 4 and bool(words == held) and all(type(known) is int for known in words)


def keys_of(saw: Any) -> int:
    """How many keys the observations have together."""
    if type(saw) is not list:
        return -1
    keys = 0
    for one in saw:
        if type(one) is not dict:
            return -1
        keys += len(one)
    return keys
