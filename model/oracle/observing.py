"""Whether a candidate's state is what was seen: each observation is compared with what the specification keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fractions import Fraction
from typing import Any

import attrs

from pagelaw.spec import coherence, frames
from pagelaw.spec.balloon import balloon_is_done, has_pages_for_balloon
from pagelaw.spec.language import REGISTER, Contents, Value, Word
from pagelaw.spec.listing import is_apart
from pagelaw.spec.reports import frames_shared, pages_saved
from pagelaw.spec.translation import is_dirty
from pagelaw.spec.vocabulary import (
    MPN,
    Backing,
    Ballooned,
    Cached,
    Mapped,
    Page,
    Private,
    Running,
    Shared,
    Slot,
    Swapped,
    Untouched,
)

from .candidate import PLAIN, Candidate
from .naming import Name, as_told

memory_of, reference_count = PLAIN(coherence.memory_of), PLAIN(frames.reference_count)


@attrs.frozen
class Mismatch:
    """Something was seen that a candidate's state does not allow."""

    what: str
    """What it is of: "page A.p3", "free frames"."""
    saw: str
    allowed: str
    """All that is allowed there."""
    clauses: tuple[str, ...]
    told: str = ""
    """Which statement of the specification it would break, if one can be named."""
    page: Page | None = None
    field: str = ""
    """The field of the state that says otherwise, and its key; without one, any of it."""
    key: Any = None


def mismatches(c: Candidate, saw: list[dict[str, Any]]) -> Iterator[Mismatch]:
    """What was seen and is not so; names that are new are bound to what they are seen for."""
    for one in saw:
        if "page" in one:
            yield from of_page(c, one)
    rest = [one for one in saw if "page" not in one]
    if not rest:
        return
    for one in rest:
        if "slot" in one:  # before free slots, for which only copies in other slots may be forgotten
            yield from of_slot(c, one)
    named = [c.slots.find(one["slot"]) for one in rest if "users" in one and "slot" in one]
    slots = [slot for slot in named if slot is not None]
    for one in rest:
        if "virtual" in one:
            yield from of_translation(c, one)
        elif "vm" in one:
            yield from of_vm(c, one)
        elif "frame" in one:
            yield from of_frame(c, one)
        elif "slot" not in one:
            yield from of_all(c, one, slots)


# Pages.


def of_page(c: Candidate, one: dict[str, Any]) -> Iterator[Mismatch]:
    """Where a page is, and what it holds."""
    page, backing = one["page"], c.machine.pmap[one["page"]]
    if "frame" in one and not (isinstance(backing, Mapped) and bound(c, c.frames, one["frame"], backing.mpn)):
        yield in_other_frame(c, page, one["frame"], backing)
    if "slot" in one and not (isinstance(backing, Swapped) and bound(c, c.slots, one["slot"], backing.slot)):
        yield Mismatch(f"page {page!r}", f"in slot {as_told(one['slot'])}", where(c, backing),
                       ("ESX-2-04", "ESX-3.3-05"), page=page, field="pmap", key=page)  # fmt: skip
    if "is" in one and not isinstance(backing, KINDS[one["is"]]):
        yield Mismatch(f"page {page!r}", one["is"], where(c, backing), ("ESX-2-04",), page=page, field="pmap", key=page)
    if "dirty" in one and one["dirty"] != is_dirty(c.machine, page):
        told = f"whether page {page!r} is dirty"
        yield Mismatch(told, str(one["dirty"]), str(not one["dirty"]), ("R-10",), page=page, field="dirty", key=page)
    if "words" in one and (wrong := of_words(c, page, one["words"])) is not None:
        yield wrong


KINDS: dict[str, tuple[type, ...]] = {
    "resident": (Mapped,), "swapped": (Swapped,), "ballooned": (Ballooned,), "untouched": (Untouched,),
    "absent": (Ballooned, Untouched),
}  # fmt: skip


def bound(c: Candidate, names: Any, name: Name, one: MPN | Slot) -> bool:
    """Whether the name stands for this, or can from now on: neither is known otherwise."""
    known = names.named.get(one)
    if known == name and names.of.get(name) is one:
        return True
    if known is not None or not names.may_be(name, one):
        return False
    both = names is c.frames and 0 < len(c.low) < len(c.machine.ids[MPN])
    if both and isinstance(one, MPN) and c.machine.low[one] != (name in c.low):
        return False
    names.bind(name, one)
    return True


def in_other_frame(c: Candidate, page: Page, name: Name, backing: Backing) -> Mismatch:
    """A page was seen in a frame where it cannot be."""
    clauses: tuple[str, ...] = ("ESX-2-04",)
    told = ""
    holder = c.frames.find(name)
    if holder is not None:
        use = c.machine.frame[holder]
        if isinstance(use, Private) and use.page != page:
            clauses = ("ESX-2-11", "ESX-4.2-06")
            if memory_of(c.machine, use.page) != memory_of(c.machine, page):
                clauses = ("ESX-4.2-04", "ESX-4.2-05", *clauses)
            told = f"frame {as_told(name)} is page {use.page!r}'s own; two pages are on one frame only if it is shared"
        elif isinstance(use, Shared):
            clauses = ("ESX-4.2-04", "ESX-4.2-06", "ESX-4.2-08")
            what = held(c.machine.contents[holder])
            told = f"frame {as_told(name)} is shared and holds {what}, page {page!r} is not on it"
    return Mismatch(f"page {page!r}", f"in frame {as_told(name)}", where(c, backing), clauses, told, page, "pmap", page)


def where(c: Candidate, backing: Backing) -> str:
    """Where a page is, in the implementation's names."""
    match backing:
        case Mapped(mpn):
            name = c.frames.name(mpn)
            return f"in frame {as_told(name)}" if name is not None else "in a frame that was not seen yet"
        case Swapped(slot):
            name = c.slots.name(slot)
            return f"in slot {as_told(name)}" if name is not None else "in a slot that was not seen yet"
        case Ballooned():
            return "in the balloon: no frame, no slot"
    return "untouched: no frame, no slot"


def held(contents: Contents) -> str:
    """What a page holds, as it is told."""
    return "[" + " ".join(str(value.number) for value in contents.words) + "]"


def of_words(c: Candidate, page: Page, words: list[int | None]) -> Mismatch | None:
    """What was seen of its words; null for a word that was not."""
    due = memory_of(c.machine, page).words
    if words == [value.number for value in due]:
        return None
    for at, (seen, value) in enumerate(zip(words, due, strict=False)):
        if seen is not None and seen != value.number:
            backing = c.machine.pmap[page]
            key = backing.mpn if isinstance(backing, Mapped) else None
            return Mismatch(f"word {at} of page {page!r}", str(seen), str(value.number), ("ESX-2-09", "ESX-2-11"),
                            "a page holds what its VM last wrote (private memory)", page, "contents", key)  # fmt: skip
    return None


def of_translation(c: Candidate, one: dict[str, Any]) -> Iterator[Mismatch]:
    """An entry of a TLB or shadow table, in traces of single steps: operations fill them as they need them."""
    if not c.by_steps:
        return
    s, virtual, cpu = c.machine, one["virtual"], one["cpu"]
    entry = s.shadow[virtual] if cpu is None else s.tlb[cpu, virtual]
    due: dict[str, Any] = {"leads_to": None}
    if isinstance(entry, Cached):
        bits = {"writable": entry.writable, "accessed": entry.accessed, "dirty": entry.dirty}
        due = {"leads_to": entry.page.number, **bits}
    field, key = ("shadow", virtual) if cpu is None else ("tlb", (cpu, virtual))
    for name, value in due.items():
        if name in one and one[name] != value:
            what = f"{name} of the {'shadow' if cpu is None else 'TLB'} entry of {virtual!r}"
            yield Mismatch(what, str(one[name]), str(value), ("ESX-2-05", "ESX-2-06"), field=field, key=key)


# VMs, frames, counts.


def of_vm(c: Candidate, one: dict[str, Any]) -> Iterator[Mismatch]:
    """Its counts, and whether it runs."""
    s, vm = c.machine, one["vm"]
    counts = {"resident": (s.resident, "ESX-5.1-01"), "swapped": (s.swapped, "ESX-3.3-03"),
              "ballooned": (s.balloon_size, "ESX-3.2-06")}  # fmt: skip
    for name, (field, clause) in counts.items():
        if name in one and one[name] != field[vm]:
            yield Mismatch(f"{name} pages of {vm!r}", str(one[name]), str(field[vm]), (clause,))
    policy = {"touched": (s.touched[vm], "ESX-5.3-06"), "target": (s.target[vm], "ESX-6-01"),
              "estimate": (str(s.estimate[vm]), "ESX-5.3-12")}  # fmt: skip
    for name, (due, clause) in policy.items():
        if name in one and one[name] != due and (name != "estimate" or Fraction(one[name]) != s.estimate[vm]):
            yield Mismatch(f"{name} of {vm!r}", str(one[name]), str(due), (clause,), field=name, key=vm)
    if one.get("balloon_done") and s.balloon_size[vm] < s.balloon_target[vm] and has_pages_for_balloon(s, vm):
        c.freedoms += ["balloon_short"] if s.balloon_short else []
    if one.get("balloon_done") and not balloon_is_done(s, vm):
        told = f"{s.balloon_size[vm]} pages in the balloon, {s.balloon_target[vm]} asked for"
        yield Mismatch(f"whether the balloon of {vm!r} is done", "True", f"False: {told}", ("ESX-3.2-02", "R-56"))
    runs = s.life[vm] == Running()
    if "runs" in one and one["runs"] != runs:
        yield Mismatch(f"whether {vm!r} runs", str(one["runs"]), str(runs), ("ESX-6.2-01",))


def of_frame(c: Candidate, one: dict[str, Any]) -> Iterator[Mismatch]:
    """How many use it, and as what."""
    name, mpn = as_told(one["frame"]), c.frames.find(one["frame"])
    if mpn is None:
        is_free = one.get("users") == 0 and "is" not in one
        if not is_free and not any(fits(c, one, mpn) for mpn in c.frames_unnamed()):
            yield Mismatch(f"frame {name}", "in use", "free: no page is known to have it", ("ESX-2-09",))
        return
    count, shared = reference_count(c.machine, mpn), isinstance(c.machine.frame[mpn], Shared)
    if "users" in one and one["users"] != count:
        yield Mismatch(
            f"users of frame {name}", str(one["users"]), str(count), ("ESX-4.3-10",), field="count_field", key=mpn
        )
    if "is" in one and (one["is"] == "shared") != shared:
        yield Mismatch(
            f"frame {name}", one["is"], "shared" if shared else "private", ("ESX-4.2-06",), field="frame", key=mpn
        )


def fits(c: Candidate, one: dict[str, Any], mpn: MPN) -> bool:
    """Whether a frame is used as was seen of one."""
    count, kind = reference_count(c.machine, mpn), "shared" if isinstance(c.machine.frame[mpn], Shared) else "private"
    return bool(one.get("users", count) == count and one.get("is", kind) == kind)


def of_slot(c: Candidate, one: dict[str, Any]) -> Iterator[Mismatch]:
    """How many use it, and what it holds."""
    name, slot = one["slot"], c.slots.find(one["slot"])
    if slot is None:
        if one.get("users") != 0 and not any(fits_slot(c, one, slot) for slot in c.slots_unnamed()):
            yield Mismatch(f"slot {as_told(name)}", "in use", "free: no page is known to have it", ("ESX-3.3-05",))
        return
    due = c.machine.slot_contents[slot]
    if "users" in one:
        yield from of_slot_users(c, name, slot, one["users"])
    for at, (seen, value) in enumerate(zip(one.get("words", ()), due.words, strict=False)):
        if seen is not None and seen != value.number:
            yield Mismatch(f"word {at} of slot {as_told(name)}", str(seen), str(value.number), ("ESX-3.3-04",),
                           field="slot_contents", key=slot)  # fmt: skip
            return


def fits_slot(c: Candidate, one: dict[str, Any], slot: Slot) -> bool:
    """Whether a slot is used as was seen of one, and may be the one of that name."""
    least, most = users_of_slot(c, slot)
    due = zip(one.get("words", ()), c.machine.slot_contents[slot].words, strict=False)
    holds = all(seen in (None, value.number) for seen, value in due)
    return holds and least <= one.get("users", most) <= most and c.slots.may_be(one["slot"], slot)


def users_of_slot(c: Candidate, slot: Slot) -> tuple[int, int]:
    """How many use a slot: without the copies in it that nobody needs, and with them."""
    most = c.machine.slot_count[slot]
    return most - sum(at is slot for at, _, _ in c.copies()), most


def of_slot_users(c: Candidate, name: Name, slot: Slot, users: int) -> Iterator[Mismatch]:
    """How many use a slot: copies in it that nobody needs may be gone."""
    least, most = users_of_slot(c, slot)
    if least <= users <= most:
        c.forget_copies_beyond(slot, users)
        return
    clauses = said("invariant", "slot_count_is_number_of_users")
    yield Mismatch(f"users of slot {as_told(name)}", str(users), str(most) if least == most else f"{least} to {most}",
                   clauses, field="slot_count", key=slot)  # fmt: skip


def of_all(c: Candidate, one: dict[str, Any], slots: Collection[Slot]) -> Iterator[Mismatch]:
    """Counts of the whole machine. slots: those whose users were seen, too."""
    s = c.machine
    state = type(s.reclamation).__name__.lower()
    if one.get("state", state) != state:
        yield Mismatch("reclamation state", one["state"], state, ("ESX-6.3-04",))
    c.forget_copies_until(one.get("free_slots", 0), slots)
    due = {"free_frames": s.free_frames, "free_slots": s.free_slots}
    if "shared" in one or "saved" in one:
        if s.zero_apart and any(isinstance(s.frame[mpn], Shared) and is_apart(s, mpn) for mpn in s.ids[MPN]):
            c.freedoms.append("zero_apart")
        due |= {"shared": frames_shared(s), "saved": pages_saved(s)}
    fields = {"free_frames": "frame", "free_slots": "slot_count", "shared": "frame", "saved": "count_field"}
    statements = {"free_frames": "frames_add_up", "free_slots": "free_slots_counted"}
    for name, number in due.items():
        if name in one and one[name] != number:
            clauses = said("invariant", statements.get(name, ""), "count_is_number_of_users")
            yield Mismatch(name.replace("_", " "), str(one[name]), str(number), clauses, field=fields[name])


def said(kind: str, *names: str) -> tuple[str, ...]:
    """The clauses that statements of the specification rest on."""
    return tuple(dict.fromkeys(clause for name in names if name for clause in REGISTER[kind][name].clauses))


def reset_to(c: Candidate, saw: list[dict[str, Any]]) -> None:
    """Go on from what was seen, though it is not allowed: a page's own frame holds what it was seen to hold, and the
    frame that it has is known by the name that it was seen under. What pages share stays as it is."""
    s = c.machine
    for one in saw:
        backing = s.pmap[one["page"]] if "page" in one else None
        if isinstance(backing, Mapped) and s.frame[backing.mpn] == Private(one["page"]):
            for at, value in enumerate(one.get("words", ())):
                if value is not None:
                    s.contents[backing.mpn] = s.contents[backing.mpn].with_word(s.ids[Word][at], Value(value))
        if isinstance(backing, Mapped) and "frame" in one:
            c.frames.bind(one["frame"], backing.mpn)
        if isinstance(backing, Swapped) and "slot" in one:
            c.slots.bind(one["slot"], backing.slot)
