"""Whether the memory manager and the specification's machine are in the same state, field by field.

Frames and slots have the numbers that the manager chose, in both: the specification's rules are told which, and
refuse one that is not free. What a frame holds that no page has is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM as Name
from pagelaw.spec.language import Contents
from pagelaw.spec.machine import Machine as Reference
from pagelaw.spec.translation import is_dirty
from pagelaw.spec.vocabulary import (
    MPN,
    Alone,
    Ballooned,
    Bounce,
    ComingIn,
    Domain,
    Found,
    Free,
    HintFrame,
    Idle,
    Kept,
    KeptSlot,
    Mapped,
    MustReset,
    NoDriver,
    NoEntry,
    NoHint,
    NothingKept,
    Operation,
    Page,
    Private,
    Quiet,
    Ready,
    Running,
    Same,
    Shared,
    SharedFrame,
    ShortKey,
    Slot,
    SlotHeld,
    Swapped,
    Transfer,
    UnderWay,
    Unmapped,
    Unmapping,
    Untouched,
    Written,
)

from .records import hash_in_hint, hash_in_shared, ppn_in_hint, vm_in_hint
from .scanning import has_hint, is_private
from .sharing import Memory
from .state import (
    BALLOONED,
    FREE_FRAME,
    FREE_LOW,
    FREE_LOW_FRAMES,
    FREE_RECORD,
    NOTHING,
    SHARED,
    SWAPPED,
    UNTOUCHED,
    number_of,
)
from .table import count_of, find_shared, frame_of_hint, frame_of_shared, link_of, page_of_hint

STAGES: dict[str, type[Operation]] = {
    "found": Found, "quiet": Quiet, "alone": Alone, "same": Same, "coming in": ComingIn, "unmapping": Unmapping,
    "unmapped": Unmapped, "slot held": SlotHeld, "written": Written,
}  # fmt: skip
DRIVERS = {"none": NoDriver(), "ready": Ready(), "reset": MustReset()}

Difference = tuple[str, Any, Any]
"""What is compared, what the manager has, what the specification has."""


def differences(memory: Memory, reference: Reference, words: tuple[int, ...]) -> Iterator[Difference]:
    """All that is not the same. The words of a page are at these places in its bytes."""
    places = list(enumerate(reference.ids[Page]))
    for place, page in places:
        yield from of_page(memory, reference, place, page, words)
    for number, vm in enumerate(reference.ids[Name]):
        yield from of_vm(memory, reference, number, vm)
    yield from of_frames(memory, reference)
    yield from of_table(memory, reference)
    yield from of_copies(memory, reference, words)
    yield from of_buffers(memory, reference, words)
    yield from of_transfers(memory, reference)
    yield from unless_equal("free slots", len(memory.slots), reference.free_slots)


def unless_equal(what: str, found: Any, due: Any) -> Iterator[Difference]:
    """A difference, if there is one."""
    if found != due:
        yield what, found, due


def reference_slot(reference: Reference, slot: int) -> Any:
    """The specification's name of a slot."""
    return reference.ids[Slot][slot]


def of_page(
    memory: Memory, reference: Reference, place: int, page: Page, words: tuple[int, ...]
) -> Iterator[Difference]:
    """Where a page is, what it holds, its hint, what is being done to it."""
    s, entry = memory.state, int(memory.state.pmap[place])
    kind, number, backing = memory.kind(place), number_of(entry), reference.pmap[page]
    found: tuple[Any, ...]
    if kind == UNTOUCHED:
        found = (Untouched(), None)
    elif kind == BALLOONED:
        found = (Ballooned(), None)
    elif kind == SWAPPED:
        found = (Swapped(reference_slot(reference, number)), None)
    else:
        mpn = reference.ids[MPN][memory.frame(place)]
        found = (Mapped(mpn), kind == SHARED)
    shared = isinstance(reference.frame[backing.mpn], Shared) if isinstance(backing, Mapped) else None
    yield from unless_equal(f"{page!r} is in (frame, shared)", found, (backing, shared))
    if isinstance(backing, Mapped) and is_private(s, place):
        yield from unless_equal(f"{page!r} owns its frame", Private(page), reference.frame[backing.mpn])
    held = contents(memory, place, words)
    if held is not None:
        due = contents_due(reference, page)
        yield from unless_equal(f"what {page!r} holds", held, due)
    hint: Any = NoHint()
    if has_hint(s, place):
        bits = 112 - 3 * int(s.width) - domain_bits(len(reference.ids[Domain]))
        upper = reference.domain[page.vm].number << bits
        hint = HintFrame(short_named(reference, int(hash_in_hint(s.records[number, 0], s.width)) - upper))
        high, low = s.records[number]
        named = int(vm_in_hint(high, low, s.width)), int(ppn_in_hint(low, s.width))
        yield from unless_equal(f"the page that the hint of {page!r} names", named, (page.vm.number, page.number))
    yield from unless_equal(f"hint of {page!r}", hint, reference.hint[page])
    copied = int(memory.copied[place]) if memory.low_frames else 0
    yield from unless_equal(f"copies of {page!r}", copied, reference.copies[page])
    yield from unless_equal(f"whether sharing {page!r} was tried", memory.tried(place), reference.attempted[page])
    stage = memory.stages.get(place)
    due_stage = reference.operation[page]
    yield from unless_equal(f"stage of {page!r}", STAGES[stage[0]] if stage else Idle, type(due_stage))
    if stage and isinstance(due_stage, SlotHeld | Written):
        yield from unless_equal(f"slot held for {page!r}", reference_slot(reference, stage[1]), due_stage.slot)
    if stage and isinstance(due_stage, Found | Quiet | Alone | Same):
        mpn = reference.ids[MPN][int(frame_of_shared(s, stage[1]))]
        yield from unless_equal(f"frame held for {page!r}", mpn, due_stage.target)


def domain_bits(domains: int) -> int:
    """The bits at the upper end of a key that say which of so many domains it is in."""
    return (domains - 1).bit_length()


def short_named(reference: Reference, number: int) -> Any:
    """What a hint stores of a key, by its number."""
    return ShortKey(number) if ShortKey(number) in reference.ids[ShortKey] else number


def contents(memory: Memory, place: int, words: tuple[int, ...]) -> tuple[int, ...] | None:
    """What a page holds, as the specification's words, and bytes beside them that are not zero; nothing for a page
    without a frame or a slot."""
    kind = memory.kind(place)
    if kind in (UNTOUCHED, BALLOONED):
        return None
    held = (memory.slots.words[number_of(memory.state.pmap[place])] if kind == SWAPPED
            else memory.state.words[memory.frame(place)])  # fmt: skip
    return in_words(held, words)


def in_words(held: Any, words: tuple[int, ...]) -> tuple[int, ...]:
    """The same of what is in a frame or a slot."""
    rest, found = bytearray(held.tobytes()), []
    for at in words:
        found.append(int.from_bytes(rest[at : at + 8], "little"))
        rest[at : at + 8] = bytes(8)
    return tuple(found) if rest == bytes(len(rest)) else (*found, *(one for one in rest if one))


def contents_due(reference: Reference, page: Page) -> tuple[int, ...]:
    """The same of the specification's page."""
    match reference.pmap[page]:
        case Mapped(mpn):
            return words_of(reference.contents[mpn])
        case Swapped(slot):
            return words_of(reference.slot_contents[slot])
    return ()


def words_of(held: Contents) -> tuple[int, ...]:
    """The numbers of its values."""
    return tuple(value.number for value in held.words)


def of_vm(memory: Memory, reference: Reference, number: int, name: Name) -> Iterator[Difference]:
    """Its counts, its driver, its reservations."""
    vm = memory.vms[number]
    yield from unless_equal(f"{name!r} runs", vm.runs, reference.life[name] == Running())
    for field in ("resident", "swapped", "balloon_size"):
        yield from unless_equal(f"{field} of {name!r}", getattr(vm, field), getattr(reference, field)[name])
    if vm.runs:
        for field in ("balloon_target", "swap_target", "target"):
            yield from unless_equal(f"{field} of {name!r}", getattr(vm, field), getattr(reference, field)[name])
    yield from unless_equal(f"driver of {name!r}", DRIVERS[vm.driver], reference.driver[name])
    yield from unless_equal(f"overhead of {name!r}", len(vm.held), reference.overhead_held[name])


def of_frames(memory: Memory, reference: Reference) -> Iterator[Difference]:
    """Which frames are free, how many users the shared ones have, and what pins them."""
    s = memory.state
    of_low = memory.low_frames > 0
    for what, which, low in (("free low frames", FREE_LOW, True), ("free frames", FREE_FRAME, not of_low)):
        free, frame = set(), int(s.numbers[which])
        while frame != NOTHING and frame not in free:
            free.add(frame)
            frame = int(s.words[frame, 0])
        due = {mpn.number for mpn in reference.ids[MPN] if reference.frame[mpn] == Free() and reference.low[mpn] == low}
        yield from unless_equal(what, sorted(free), sorted(due) if of_low or which == FREE_FRAME else [])
    due_low = sum(reference.frame[mpn] == Free() and reference.low[mpn] for mpn in reference.ids[MPN])
    yield from unless_equal("number of free low frames", int(s.numbers[FREE_LOW_FRAMES]), due_low if of_low else 0)
    yield from unless_equal("number of free frames", memory.free_frames, reference.free_frames)
    yield from unless_equal("reserved memory", memory.reserved_memory, reference.reserved_memory)
    yield from unless_equal("reserved swap space", memory.reserved_swap, reference.reserved_swap)
    for mpn in reference.ids[MPN]:
        yield from unless_equal(f"transfers on {mpn!r}", memory.pins[mpn.number], reference.pins[mpn])


def of_transfers(memory: Memory, reference: Reference) -> Iterator[Difference]:
    """How many transfers are under way for each page."""
    due = Counter(one.page for t in reference.ids[Transfer] if isinstance(one := reference.transfer[t], UnderWay))
    for place, page in enumerate(reference.ids[Page]):
        yield from unless_equal(f"transfers for {page!r}", memory.under_way[place], due[page])


def of_table(memory: Memory, reference: Reference) -> Iterator[Difference]:
    """What the table lists, with counts in their fields and in the overflow table; that no record is lost."""
    s = memory.state
    listed = {}
    for (domain, key), entry in reference.table.items():
        if entry != NoEntry():
            assert isinstance(entry, SharedFrame)
            listed[domain, key] = entry.mpn
            number = domain.number << (64 - domain_bits(len(reference.ids[Domain]))) | key.number
            record = int(find_shared(s, np.uint64(number)))
            found = int(frame_of_shared(s, record)) if record >= 0 else None
            yield from unless_equal(f"frame that {domain!r} lists under key {key.number:#x}", found, entry.mpn.number)
            if record >= 0:
                count = int(count_of(s, record))
                yield from unless_equal(f"users of {entry.mpn!r}", count, reference_count(reference, entry.mpn))
                bits = int(hash_in_shared(s.records[record, 0], s.width))
                yield from unless_equal("hash stored", bits, number & ((1 << (112 - 2 * int(s.width))) - 1))
    shared = list(chained(memory, s.shared_heads))
    hints = list(chained(memory, s.hint_heads))
    large = sum(reference.overflow[mpn] > 0 for mpn in listed.values())
    yield from unless_equal("entries of the overflow table", int(s.numbers[4]), large)
    yield from unless_equal("shared frames in chains", len(shared), len(listed))
    due = sum(reference.hint[page] != NoHint() for page in reference.ids[Page])
    yield from unless_equal("hints in chains", len(hints), due)
    for record in hints:
        frame = memory.frame(page_of_hint(s, record))
        yield from unless_equal(f"frame of the hint in record {record}", int(frame_of_hint(s, record)), frame)
    free, record = 0, int(s.numbers[FREE_RECORD])
    while record < len(s.records) and free <= len(s.records):
        free, record = free + 1, link_of(s, record)
    yield from unless_equal("free records", free, len(s.records) - len(shared) - len(hints))
    yield from unless_equal("records in use", memory.records_in_use, len(shared) + len(hints))


def of_buffers(memory: Memory, reference: Reference, words: tuple[int, ...]) -> Iterator[Difference]:
    """Which frames are bounce buffers, and what they hold."""
    found = sorted(one.buffer for one in memory.transfers if one.buffer is not None)
    due = [mpn for mpn in reference.ids[MPN] if isinstance(reference.frame[mpn], Bounce)]
    yield from unless_equal("bounce buffers", found, [mpn.number for mpn in due])
    for mpn in due:
        held = in_words(memory.state.words[mpn.number], words)
        yield from unless_equal(f"what the buffer {mpn!r} holds", held, words_of(reference.contents[mpn]))


def of_copies(memory: Memory, reference: Reference, words: tuple[int, ...]) -> Iterator[Difference]:
    """Which slots are in use, which have copies, and that those are as what they are copies of."""
    for slot in memory.slots.free():
        yield from unless_equal(f"users of slot {slot}", 0, reference.slot_count[reference_slot(reference, slot)])
    for slot, users in zip(reference.ids[Slot], memory.slots.users.tolist(), strict=False):  # none are counted, or all
        yield from unless_equal(f"users counted of {slot!r}", users, reference.slot_count[slot])
    for place, page in enumerate(reference.ids[Page]):
        copy = memory.copies.of_page(place)
        yield from unless_equal(f"slot kept by {page!r}", as_kept(reference, copy), reference.kept[page])
        if copy is not None:
            yield from unless_equal(f"{page!r} with a copy is dirty", False, is_dirty(reference, page))
            held = in_words(memory.slots.words[copy], words)
            yield from unless_equal(f"the copy of {page!r}", held, contents_due(reference, page))
    copies = copies_of_frames(memory)
    for mpn in reference.ids[MPN]:
        kept = as_kept(reference, copies.get(mpn.number))
        yield from unless_equal(f"slot with a copy of {mpn!r}", kept, reference.frame_slot[mpn])


def as_kept(reference: Reference, slot: int | None) -> Kept:
    """The specification's word for a slot that has a copy, or none."""
    return NothingKept() if slot is None else KeptSlot(reference_slot(reference, slot))


def copies_of_frames(memory: Memory) -> dict[int, int]:
    """The slots that have copies of shared frames, by frame."""
    if not len(memory.copies.of_frames):
        return {}
    records = chained(memory, memory.state.shared_heads)
    found = {int(frame_of_shared(memory.state, record)): memory.copies.of_frame(record) for record in records}
    return {frame: slot for frame, slot in found.items() if slot is not None}


def chain_lengths(memory: Memory) -> list[int]:
    """How many records each chain of hints has."""
    return [len(list(chained(memory, head))) for head in memory.state.hint_heads.reshape(-1, 1)]


def chained(memory: Memory, heads: Any) -> Iterator[int]:
    """All records of these chains, each once."""
    s, seen = memory.state, set()
    for head in heads.tolist():
        record = head
        while record < len(s.records) and record not in seen:
            seen.add(record)
            yield record
            record = int(link_of(s, record))
