"""The events that most of a trace consists of, judged at once: reads and writes through a translation that is there.

Nothing is decided here that the judge would not decide in the same way: the same rule is run, and what was seen is
compared with the same state. Whatever is not plainly allowed (a line that is not quite as it should be, a translation
that has to be filled, something seen that is not known yet) is left for the judge as if it had not been looked at.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, json

from pagelaw.spec import translation
from pagelaw.spec.language import Blocked, Value
from pagelaw.spec.vocabulary import VCPU, Cached, HintFrame, Mapped, Page, VPage

from .candidate import PLAIN, Candidate
from .event_fields import MOST
from .events import Events
from .naming import Name

Way = tuple[VCPU, VPage]
"""By which vCPU a page is reached, and through which virtual page."""


class Seen(Struct, forbid_unknown_fields=True, gc=False):
    """Something seen, if it is of a kind that is looked at here: the frame of a page, or how many are free."""

    vm: Name | UnsetType = UNSET
    page: int | UnsetType = UNSET
    frame: Name | UnsetType = UNSET
    words: list[int] | UnsetType = UNSET
    free_frames: int | UnsetType = UNSET


class Access(Struct, forbid_unknown_fields=True, gc=False, tag_field="do"):
    """What both have."""

    vm: Name
    page: int
    word: int
    cpu: int | UnsetType = UNSET
    saw: list[Seen] | UnsetType = UNSET


class Write(Access, tag="write", kw_only=True):
    """A vCPU writes a word."""

    value: int


class Read(Access, tag="read"):
    """A vCPU reads one."""

    got: int | UnsetType = UNSET


class Hot:
    """Judges such lines for one candidate."""

    def __init__(self, events: Events, c: Candidate) -> None:
        self.c, self.decode = c, json.Decoder(Write | Read).decode
        s = self.machine = c.machine
        self.load, self.store = PLAIN(translation.load), PLAIN(translation.store)
        self.tlb, self.unsynced, self.hints, self.pmap, self.named = s.tlb, s.unsynced, s.hint, s.pmap, c.frames.named
        self.places = {
            name: {number: (page, (c.cpus(page.vm)[0], c.window(page))) for number, page in pages.items()}
            for name, pages in events.pages.items()
        }
        """By the name of a VM and the number of a page: the page, and by which vCPU and where it is reached."""
        self.words, self.cpus, self.changes = events.words, events.cpus, c.log.changes
        self.reads = self.writes = 0
        """How often each of the two rules was done here."""

    def line(self, line: bytes) -> bool:
        """Whether the line was such an event, and is allowed: then it is done."""
        try:
            made = self.decode(line)
            page, way = self.places[made.vm][made.page]
            word = self.words[made.word]
            if made.cpu is not UNSET:
                way = self.cpus[made.vm][made.cpu], way[1]
        except Exception:  # whatever is wrong with it, the judge says
            return False
        entry = self.tlb[way]
        if type(entry) is not Cached or entry.page is not page or self.unsynced[way]:
            return False
        keys = keys_of(made)
        if made.saw is not UNSET:
            for one in made.saw:
                there = self.is_seen(one, made, page)
                if not there:
                    return False
                keys += there
        if line.count(b":") != keys:  # a key is there twice, or a name has a colon
            return False
        cpu, virtual = way
        try:
            if type(made) is Read:
                held = self.load(self.machine, cpu, virtual, word).number
                plainly = made.got is UNSET or made.got == held
                self.reads += plainly
                return plainly
            assert type(made) is Write
            if not entry.dirty or page in self.c.unsure or not 0 <= made.value <= MOST:
                return False
            self.store(self.machine, cpu, virtual, word, Value(made.value))
        except Blocked:
            return False
        if type(self.hints[page]) is HintFrame and page not in self.c.doubtful:
            self.c.note_stale_hint(page)
        self.changes.clear()
        self.writes += 1
        return True

    def is_seen(self, one: Seen, made: Access, accessed: Page) -> int:
        """How many keys an observation has if it is plainly so once the access is made; 0 if it is not, or is of
        another kind."""
        if one.free_frames is not UNSET:
            return 1 if one == Seen(free_frames=self.machine.free_frames) else 0
        places = self.places.get(one.vm) if one.vm is not UNSET else None
        found = places.get(one.page) if places is not None and one.page is not UNSET else None
        if found is None:
            return 0
        page = found[0]
        backing = self.pmap[page]
        if type(backing) is not Mapped or self.named.get(backing.mpn) != one.frame:
            return 0
        if page in self.c.unsettled or page in self.c.elsewhere:
            return 0
        if one.words is UNSET:
            return 3
        held = [known.number for known in self.machine.contents[backing.mpn].words]
        if type(made) is Write and page is accessed:
            held[made.word] = made.value
        return 4 if one.words == held else 0


def keys_of(made: Access) -> int:
    """How many keys an event has, without those of what was seen."""
    keys = 4 if type(made) is Read and made.got is UNSET else 5
    return keys + (made.cpu is not UNSET) + (made.saw is not UNSET)
