"""Content-based page sharing (section 4).

A scan hashes a page. If a shared frame with that key is listed, the page may
come to share it: find, write-protect, wait until nobody can write, compare in
full, merge, wait again, free the redundant frame. Otherwise, if another page
has left a hint under the key and still hashes to it, that page is first made
a shared frame of one user. Otherwise the page leaves a hint itself and is not
write-protected. A write to a shared page gives the writer a copy of its own.
"""

from __future__ import annotations

from .frames import (
    add_reference,
    drop_reference,
    forget_shared_frame,
    is_free,
    is_kept_for_devices,
    reference_count,
    take_frame,
)
from .language import (
    Contents,
    Grade,
    choice,
    enabled,
    refuse,
    require,
    rule,
    theorem,
    transition,
    view,
)
from .listing import has_no_room, is_full
from .machine import Machine
from .operations import frame_is_private, is_for
from .reclamation import is_blocked
from .refusals import Refused
from .translation import flushed, revoke
from .vocabulary import (
    MPN,
    Alone,
    CommonData,
    Copied,
    DataOf,
    Domain,
    Found,
    HintFrame,
    Idle,
    InTransit,
    Key,
    Leaving,
    Mapped,
    Marking,
    NoHint,
    Page,
    Private,
    Protecting,
    Quiet,
    Running,
    Same,
    Shared,
    SharedFrame,
    Still,
    Transfer,
)

# Scanning.


@choice(Grade.PAPER_PERMITS, "ESX-4.2-16", "ESX-4.3-18")
def may_be_scanned(s: Machine, page: Page) -> bool:
    """Any page of a running VM that has a frame of its own and no operation may be scanned, at any time."""
    return s.life[page.vm] == Running() and s.operation[page] == Idle() and frame_is_private(s, page)


@view
def contents_of(s: Machine, page: Page) -> Contents:
    """What a mapped page holds."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.contents[mpn]
    return s.zero


@view
def key_of(s: Machine, page: Page) -> Key:
    """The key of what a page holds now (ESX-4.2-03)."""
    return s.hash_of[contents_of(s, page)]


@view
def has_hint(s: Machine, page: Page, key: Key, domain: Domain) -> bool:
    """Whether a page of this domain left a hint whose stored part agrees with the key."""
    return s.hint[page] == HintFrame(s.short[key]) and s.domain[page.vm] == domain


@rule("ESX-4.2-01", "ESX-4.2-02", "ESX-4.2-03", "ESX-4.3-01", "ESX-4.3-13", "R-15", "R-54")
def scan_finds_shared_frame(s: Machine, page: Page) -> None:
    """The key is that of a shared frame; the operation takes a reference, so that the frame stays."""
    require(may_be_scanned(s, page), Refused.NOT_PRIVATE)
    match s.table[s.domain[page.vm], key_of(s, page)]:
        case SharedFrame(target):
            require(not is_full(s, target), Refused.FRAME_IS_FULL)
            s.operation[page] = Found(target)
            add_reference(s, target)
        case _:
            refuse(Refused.NO_MATCH)


@view
def is_match(s: Machine, page: Page, other: Page) -> bool:
    """Whether the other page's hint has the key, and it still hashes to it: in full, not only in the part stored."""
    domain, key = s.domain[page.vm], key_of(s, page)
    return page != other and has_hint(s, other, key, domain) and may_be_scanned(s, other) and key_of(s, other) == key


@rule("ESX-4.2-12", "ESX-4.2-14", "ESX-4.2-15", "ESX-4.3-06", "R-15", "R-17", "R-20")
def scan_finds_hint(s: Machine, page: Page, other: Page) -> None:
    """Another page's hint agrees, and it still hashes to the same key: it is to become a shared frame.

    Nobody has compared the two yet. Once the other page's frame is listed as
    shared, this page is scanned again, and compared with it.
    """
    require(may_be_scanned(s, page), Refused.NOT_PRIVATE)
    require(page != other, Refused.SAME_PAGE)
    require(has_no_room(s, s.domain[page.vm], key_of(s, page)), Refused.MATCH_FIRST)
    require(is_match(s, page, other), Refused.NOT_A_HINT)
    s.operation[other] = Marking()
    revoke(s, other)


@view
def hint_is_fresh(s: Machine, page: Page) -> bool:
    """Whether a page that left a hint still has a frame of its own, and still hashes to what the hint has stored."""
    return frame_is_private(s, page) and s.hint[page] == HintFrame(s.short[key_of(s, page)])


@rule("ESX-4.2-12", "ESX-4.2-13", "R-16", "R-20")
def remove_stale_hint(s: Machine, page: Page) -> None:
    """A hint whose page hashes to something else now, or has no frame of its own, is removed."""
    require(s.hint[page] != NoHint(), Refused.NOT_A_HINT)
    require(not hint_is_fresh(s, page), Refused.MATCH_FIRST)
    s.hint[page] = NoHint()


@view
def nothing_matches(s: Machine, page: Page) -> bool:
    """Whether neither a shared frame that takes another user nor another page that left a hint has the page's key."""
    key = key_of(s, page)
    hinted = s.those(Page, s.hint, HintFrame(s.short[key])).some(lambda other: is_match(s, page, other))
    return has_no_room(s, s.domain[page.vm], key) and not hinted


@view
def is_pinned(s: Machine, page: Page) -> bool:
    """Whether a device reads or writes a mapped page's frame."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.pins[mpn] > 0
    return False


@view
def cannot_be_shared_now(s: Machine, page: Page) -> bool:
    """Whether nothing matches the page, or a transfer stands in the way: its own, or one on each match's frame."""
    key = key_of(s, page)
    matched = s.those(Page, s.hint, HintFrame(s.short[key])).some(
        lambda other: is_match(s, page, other) and not is_pinned(s, other)
    )
    waits = is_pinned(s, page) or s.each(Transfer).some(lambda t: is_for(s.transfer[t], page))
    return waits or (has_no_room(s, s.domain[page.vm], key) and not matched)


@rule("ESX-4.2-10", "ESX-4.2-11", "ESX-4.3-05", "ESX-4.3-06", "R-19", "R-20")
def scan_leaves_hint(s: Machine, page: Page) -> None:
    """Nothing matches the page: it leaves a hint in place of any older one. It stays writable."""
    require(may_be_scanned(s, page), Refused.NOT_PRIVATE)
    require(nothing_matches(s, page), Refused.MATCH_FIRST)
    hint = HintFrame(s.short[key_of(s, page)])
    require(s.hint[page] != hint, Refused.HINT_PRESENT)
    s.hint[page] = hint


@rule("ESX-4.3-20", "R-13", "R-24")
def scan_before_paging_misses(s: Machine, page: Page) -> None:
    """The same before a page-out: it counts as an attempt to share; as the page leaves, it enters no hint.

    It counts also if none can be made now, as a transfer is under way (R-24).
    """
    require(may_be_scanned(s, page), Refused.NOT_PRIVATE)
    require(cannot_be_shared_now(s, page), Refused.MATCH_FIRST)
    require(not s.attempted[page], Refused.ALREADY_TRIED)
    s.attempted[page] = True


# A hinted page becomes a shared frame.


@rule("ESX-4.2-15", "ESX-4.3-04", "ESX-4.3-13", "R-24", "R-54")
def mark_shared(s: Machine, page: Page) -> None:
    """Nobody can write the hinted page any more: its frame is entered as shared, with one user.

    A full one that is listed under the same key gives way.
    """
    match s.pmap[page]:
        case Mapped(mpn):
            require(s.operation[page] == Marking(), Refused.WRONG_STAGE)
            require(flushed(s, page), Refused.FLUSH_PENDING)
            require(s.pins[mpn] == 0, Refused.PINNED)
            domain, key = s.domain[page.vm], key_of(s, page)
            require(has_no_room(s, domain, key), Refused.KEY_TAKEN)
            s.frame[mpn] = Shared(domain, key)
            s.table[domain, key] = SharedFrame(mpn)
            s.tag[mpn] = CommonData()
            s.hint[page] = NoHint()
            s.operation[page] = Idle()
        case _:
            refuse(Refused.NOT_MAPPED)


# A page comes to share a frame.


@rule("ESX-4.2-06", "R-24")
def protect(s: Machine, page: Page) -> None:
    """From now on no translation that allows writing is made; those there are go as each holder flushes."""
    match s.operation[page]:
        case Found(target):
            s.operation[page] = Protecting(target)
            revoke(s, page)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("R-24", "R-03")
def await_flushes(s: Machine, page: Page) -> None:
    """Every vCPU and the devices have flushed: nobody can write the page through an old translation."""
    match s.operation[page]:
        case Protecting(target):
            require(flushed(s, page), Refused.FLUSH_PENDING)
            s.operation[page] = Quiet(target)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("R-24")
def check_pins(s: Machine, page: Page) -> None:
    """Only now can it be checked that no transfer is under way, as none can start any more."""
    match s.operation[page]:
        case Quiet(target):
            match s.pmap[page]:
                case Mapped(mpn):
                    require(s.pins[mpn] == 0, Refused.PINNED)
                    s.operation[page] = Alone(target)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-4.2-04", "ESX-4.2-05", "ESX-4.3-14", "R-18")
def compare(s: Machine, page: Page) -> None:
    """The two pages are compared in full. After a false match the page is left as it was (R-18)."""
    match s.operation[page]:
        case Alone(target):
            if contents_of(s, page) == s.contents[target]:
                s.operation[page] = Same(target)
            else:
                s.operation[page] = Idle()
                s.attempted[page] = True
                drop_reference(s, target)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-4.2-06", "ESX-4.2-07", "ESX-4.2-15")
def merge(s: Machine, page: Page) -> None:
    """The page shares the frame from now on. Its own frame may still be read until all have flushed again."""
    match s.operation[page]:
        case Same(target):
            match s.pmap[page]:
                case Mapped(old):
                    s.pmap[page] = Mapped(target)
                    s.frame[old] = InTransit(page)
                    s.operation[page] = Leaving(old)
                    s.attempted[page] = False
                    revoke(s, page)
        case _:
            refuse(Refused.WRONG_STAGE)


# A page gets a frame of its own again: copy-on-write, and the last steps of every move.


@rule("ESX-4.2-08", "R-02", "R-22", "ESX-6.3-10")
def break_sharing(s: Machine, page: Page, new: MPN) -> None:
    """A write to a shared page faults: a frame is taken for the writer's copy."""
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    require(not is_blocked(s, page.vm), Refused.VM_BLOCKED)
    match s.pmap[page]:
        case Mapped(mpn):
            require(isinstance(s.frame[mpn], Shared), Refused.NOT_SHARED)
            require(is_free(s, new), Refused.NO_FREE_FRAME)
            require(not is_kept_for_devices(s, new), Refused.KEPT_FOR_DEVICES)
            take_frame(s, new, InTransit(page))
            s.operation[page] = Still(new)
        case _:
            refuse(Refused.NOT_MAPPED)


@rule("ESX-4.2-08", "ESX-7-04")
def copy(s: Machine, page: Page) -> None:
    """Nobody can write the page, so it can be copied."""
    match s.operation[page]:
        case Still(new):
            s.contents[new] = contents_of(s, page)
            s.tag[new] = DataOf(page.vm)
            s.operation[page] = Copied(new)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-2-08", "ESX-4.2-08", "ESX-4.2-09", "ESX-7-05", "R-45")
def install_copy(s: Machine, page: Page) -> None:
    """The page has the new frame. Until all have flushed the old, nobody may write: else two would differ."""
    match s.operation[page]:
        case Copied(new):
            match s.pmap[page]:
                case Mapped(old):
                    if s.frame[old] == Private(page):
                        s.frame[old] = InTransit(page)
                    s.pmap[page] = Mapped(new)
                    s.frame[new] = Private(page)
                    s.operation[page] = Leaving(old)
                    s.copies[page] = 0
                    s.attempted[page] = False
                    revoke(s, page)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("R-22", "ESX-4.2-08")
def take_over_frame(s: Machine, page: Page) -> None:
    """The write is by the last user of the frame, counting operations and transfers: it keeps the frame."""
    require(s.take_over, Refused.NOT_IN_USE_BY_READING)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    match s.pmap[page]:
        case Mapped(mpn):
            require(isinstance(s.frame[mpn], Shared), Refused.NOT_SHARED)
            require(reference_count(s, mpn) == 1, Refused.LAST_USER_ONLY)
            forget_shared_frame(s, mpn)
            s.frame[mpn] = Private(page)
            s.tag[mpn] = DataOf(page.vm)
        case _:
            refuse(Refused.NOT_MAPPED)


# What every step keeps.


@transition("R-22")
def taken_over_only_if_that_is_done(before: Machine, after: Machine, mpn: MPN) -> bool:
    """A shared frame becomes a page's own only where the last sharer's write takes it over."""
    shared = isinstance(before.frame[mpn], Shared) and isinstance(after.frame[mpn], Private)
    return not shared or before.take_over


@transition("ESX-4.3-20", "R-13", "R-24")
def an_attempt_was_made(before: Machine, after: Machine, page: Page) -> bool:
    """A page counts as tried only if nothing matched it, a transfer was in the way, or a comparison has just failed."""
    tried = after.attempted[page] and not before.attempted[page]
    failed = isinstance(before.operation[page], Alone) and after.operation[page] == Idle()
    return not tried or failed or (may_be_scanned(before, page) and cannot_be_shared_now(before, page))


@transition("ESX-4.3-20", "R-13")
def an_attempt_is_for_one_frame(before: Machine, after: Machine, page: Page) -> bool:
    """A page that gets a frame, or another one, does not count as tried."""
    gets = isinstance(after.pmap[page], Mapped) and after.pmap[page] != before.pmap[page]
    return not gets or not after.attempted[page]


@transition("ESX-4.2-12", "ESX-4.2-14", "R-15")
def marked_only_for_an_equal_key(before: Machine, after: Machine, page: Page) -> bool:
    """A page begins to become a shared frame only if its hint still agrees, and no frame takes others with its key."""
    marked = after.operation[page] == Marking() and before.operation[page] != Marking()
    key = key_of(before, page)
    fresh = before.hint[page] == HintFrame(before.short[key]) and before.life[page.vm] == Running()
    return not marked or (fresh and has_no_room(before, before.domain[page.vm], key))


@transition("ESX-4.2-10", "ESX-4.2-11", "ESX-4.3-05")
def a_hint_is_of_what_the_page_holds(before: Machine, after: Machine, page: Page) -> bool:
    """A hint newly left is of the page's key, nothing matches the page, and it stays writable."""
    left = after.hint[page] != before.hint[page] and after.hint[page] != NoHint()
    right = after.hint[page] == HintFrame(before.short[key_of(before, page)]) and may_be_scanned(after, page)
    return not left or (right and nothing_matches(before, page))


@transition("ESX-4.2-13", "R-20")
def a_live_hint_is_not_lost(before: Machine, after: Machine, page: Page) -> bool:
    """A hint goes when it is stale, is replaced, or its page comes to share a frame."""
    gone = before.hint[page] != NoHint() and after.hint[page] == NoHint()
    live = frame_is_private(before, page) and before.hint[page] == HintFrame(before.short[key_of(before, page)])
    return not (gone and live) or not frame_is_private(after, page)


@transition("ESX-4.2-03", "ESX-4.3-13")
def share_is_tried_with_the_listed_frame(before: Machine, after: Machine, page: Page) -> bool:
    """A page is held against the frame that the table lists under its key, in its own domain, if that has room."""
    match after.operation[page]:
        case Found(target):
            if before.operation[page] == Idle():
                listed = before.table[before.domain[page.vm], key_of(before, page)] == SharedFrame(target)
                return listed and before.life[page.vm] == Running() and not is_full(before, target)
    return True


# What follows.


@theorem("ESX-4.2-03", "ESX-4.3-13", "R-54", "R-55")
def a_frame_with_room_is_found(s: Machine, page: Page, target: MPN) -> bool:
    """A page that may be scanned finds the frame listed under its key, if that has room for a user beside transfers."""
    listed = s.table[s.domain[page.vm], key_of(s, page)] == SharedFrame(target) and may_be_scanned(s, page)
    room = s.most_sharers == 0 or reference_count(s, target) - s.pins[target] < s.most_sharers
    apart = s.zero_apart and s.contents[target] == s.zero
    return not (listed and (room or apart)) or enabled(scan_finds_shared_frame, s, page)


@theorem("ESX-4.2-12", "ESX-4.2-13", "R-16", "R-20")
def a_stale_hint_can_go(s: Machine, page: Page) -> bool:
    """A hint can be removed if its page hashes to something else by now, or has no frame of its own any more."""
    match s.hint[page]:
        case HintFrame(key):
            stale = not frame_is_private(s, page) or s.short[key_of(s, page)] != key
            return not stale or enabled(remove_stale_hint, s, page)
    return True


@theorem("ESX-4.2-03", "ESX-4.2-12")
def what_a_scan_can_find_matches(s: Machine, page: Page, other: Page) -> bool:
    """A page of which it is said that nothing matches it finds no shared frame, and no other page by its hint."""
    finds = enabled(scan_finds_shared_frame, s, page) or enabled(scan_finds_hint, s, page, other)
    return not (finds and nothing_matches(s, page))


@theorem("ESX-4.2-12", "ESX-4.2-14", "R-15")
def a_page_is_marked_for_its_match(s: Machine, page: Page, other: Page) -> bool:
    """A hinted page begins to become a shared frame only for another page that may be scanned and has its key."""
    equal = s.domain[page.vm] == s.domain[other.vm] and key_of(s, page) == key_of(s, other)
    return (equal and page != other and may_be_scanned(s, page)) or not enabled(scan_finds_hint, s, page, other)
