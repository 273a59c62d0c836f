"""The operations in one piece, as the paper tells them.

Read these first: each says in a few lines what an operation is for. Each
stands beside the row of steps that carries it out in a server where others
act in between. Run without interruption the two leave the same: proved, save
for translations and what is kept for their sake, where the steps must do more
(revoke, wait) than the paper's telling says.
"""

from __future__ import annotations

from .balloon import annotate, inflate, release_to_balloon, vacate
from .frames import add_reference, drop_slot, let_go, return_frame, take_frame, take_slot
from .language import Contents, Value, Word, at_once, meanwhile, refuse
from .machine import Machine
from .operations import finish_unmapping, leave_old_frame
from .paging import (
    commit_page_out,
    finish_read,
    finish_write,
    install_page_in,
    pick_for_paging,
    reserve_slot,
    start_page_in,
    start_write,
)
from .power import reap, release_at_power_off
from .refusals import Refused
from .remapping import finish_protecting_move, move_to_low
from .sharing import (
    await_flushes,
    break_sharing,
    check_pins,
    compare,
    contents_of,
    copy,
    install_copy,
    key_of,
    mark_shared,
    merge,
    protect,
    scan_finds_hint,
    scan_finds_shared_frame,
)
from .translation import (
    count_touch,
    flush,
    flush_devices,
    install_fill,
    load_tlb,
    may_write,
    read_for_fill,
    set_dirty,
    store,
)
from .vocabulary import (
    MPN,
    VCPU,
    Cached,
    CommonData,
    DataOf,
    KeptSlot,
    Mapped,
    Names,
    NoHint,
    Page,
    Private,
    Shared,
    SharedFrame,
    Slot,
    Swapped,
    Untouched,
    VPage,
)
from .zeroing import clear, install_cleared, touch

TRANSLATIONS = (
    "shadow", "tlb", "owed", "device_entry", "device_owed", "generation", "dirty", "attempted",
)
"""Not compared where pages move: translations, what is kept for them, whether a page is dirty or was tried."""


def all_flush(s: Machine, page: Page) -> None:
    """Every vCPU and the devices do the flush that they were asked for."""

    def act() -> None:
        for cpu in s.each(VCPU, page.vm):
            if s.owed[cpu, page]:
                flush(s, cpu, page)
        if s.device_owed[page]:
            flush_devices(s, page)

    meanwhile(s, ("tlb", "owed", "device_entry", "device_owed"), act)


# A guest reaches a page.


def reach_in_steps(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """Read the guest's table and the pmap, install the shadow entry, load it."""
    read_for_fill(s, cpu, virtual)
    install_fill(s, cpu)
    load_tlb(s, cpu, virtual)


@at_once(reach_in_steps, "ESX-2-05", "ESX-2-06")
def reach(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """A vCPU that misses gets the guest's mapping and the pmap's as one, in the shadow table and in its TLB."""
    match s.guest_table[virtual]:
        case Names(page):
            match s.pmap[page]:
                case Mapped(mpn):
                    entry = Cached(page, mpn, may_write(s, page, mpn), True, False)
                    s.shadow[virtual] = entry
                    s.tlb[cpu, virtual] = entry
                    count_touch(s, page)


def write_in_steps(s: Machine, cpu: VCPU, virtual: VPage, word: Word, value: Value) -> None:
    """Set the dirty bits, store."""
    set_dirty(s, cpu, virtual)
    store(s, cpu, virtual, word, value)


@at_once(write_in_steps, "ESX-2-05")
def first_write(s: Machine, cpu: VCPU, virtual: VPage, word: Word, value: Value) -> None:
    """The first write through an entry is remembered, in the shadow table and in the TLB, and changes one word."""
    match s.shadow[virtual]:
        case Cached(page, mpn, writable, _, _):
            entry = Cached(page, mpn, writable, True, True)
            s.shadow[virtual] = entry
            s.tlb[cpu, virtual] = entry
            s.contents[mpn] = s.contents[mpn].with_word(word, value)


# First touch.


def touch_in_steps(s: Machine, page: Page, new: MPN) -> None:
    """Take a frame, clear it, install it."""
    touch(s, page, new)
    clear(s, page)
    install_cleared(s, page)


@at_once(touch_in_steps, "ESX-2-09", "ESX-2-10", left_out=("attempted",))
def first_touch(s: Machine, page: Page, new: MPN) -> None:
    """An untouched page gets a frame of zeros."""
    take_frame(s, new, Private(page))
    s.contents[new] = s.zero
    s.tag[new] = DataOf(page.vm)
    s.pmap[page] = Mapped(new)
    s.resident[page.vm] += 1


# Sharing.


def share_in_steps(s: Machine, page: Page) -> None:
    """Find, protect, wait, check pins, compare, merge, wait, free."""
    scan_finds_shared_frame(s, page)
    protect(s, page)
    all_flush(s, page)
    await_flushes(s, page)
    check_pins(s, page)
    compare(s, page)
    merge(s, page)
    all_flush(s, page)
    leave_old_frame(s, page)


@at_once(share_in_steps, "ESX-4.2-04", "ESX-4.2-06", "ESX-4.2-07", left_out=TRANSLATIONS)
def share(s: Machine, page: Page) -> None:
    """A page that is equal to a shared frame comes to share it; its own frame is free."""
    match s.table[s.domain[page.vm], key_of(s, page)]:
        case SharedFrame(target):
            match s.pmap[page]:
                case Mapped(old):
                    s.pmap[page] = Mapped(target)
                    add_reference(s, target)
                    return_frame(s, old)
        case _:
            refuse(Refused.NO_MATCH)


def mark_in_steps(s: Machine, page: Page, other: Page) -> None:
    """Find the hint, protect its page, wait, check pins, enter it as shared."""
    scan_finds_hint(s, page, other)
    all_flush(s, other)
    mark_shared(s, other)


@at_once(mark_in_steps, "ESX-4.2-14", "ESX-4.2-15", left_out=TRANSLATIONS)
def make_shared(s: Machine, page: Page, other: Page) -> None:
    """Half of a match with a hint: the hinted page becomes a shared frame of one user. The other half is `share`."""
    match s.pmap[other]:
        case Mapped(mpn):
            domain, key = s.domain[other.vm], key_of(s, other)
            s.hint[other] = NoHint()
            s.frame[mpn] = Shared(domain, key)
            s.table[domain, key] = SharedFrame(mpn)
            s.tag[mpn] = CommonData()


def break_in_steps(s: Machine, page: Page, new: MPN) -> None:
    """Take a frame, copy, install, wait, let the shared frame go."""
    break_sharing(s, page, new)
    copy(s, page)
    install_copy(s, page)
    all_flush(s, page)
    leave_old_frame(s, page)


@at_once(break_in_steps, "ESX-4.2-08", "ESX-4.2-09", left_out=TRANSLATIONS)
def copy_on_write(s: Machine, page: Page, new: MPN) -> None:
    """A page in a shared frame gets a private copy; the other sharers keep theirs."""
    match s.pmap[page]:
        case Mapped(old):
            take_frame(s, new, Private(page))
            s.contents[new] = s.contents[old]
            s.tag[new] = DataOf(page.vm)
            s.pmap[page] = Mapped(new)
            s.copies[page] = 0
            let_go(s, old)


# Ballooning and paging.


def balloon_in_steps(s: Machine, page: Page) -> None:
    """Tell, unmap, wait for flushes and transfers, release."""
    inflate(s, page)
    all_flush(s, page)
    finish_unmapping(s, page)
    release_to_balloon(s, page)


@at_once(balloon_in_steps, "ESX-3.2-05", "ESX-3.2-06", "ESX-3.2-07", left_out=TRANSLATIONS)
def balloon(s: Machine, page: Page) -> None:
    """A page with a frame goes into the balloon: its entry is annotated, its frame released."""
    match s.pmap[page]:
        case Mapped(mpn):
            annotate(s, page)
            s.resident[page.vm] -= 1
            vacate(s, mpn)


def page_out_in_steps(s: Machine, page: Page, slot: Slot, halfway: Contents) -> None:
    """Pick, unmap, wait for flushes and transfers, reserve a slot, write, commit."""
    pick_for_paging(s, page)
    all_flush(s, page)
    finish_unmapping(s, page)
    reserve_slot(s, page, slot)
    start_write(s, page, halfway)
    finish_write(s, page)
    commit_page_out(s, page)


@at_once(page_out_in_steps, "ESX-3.3-02", "R-11", left_out=TRANSLATIONS)
def page_out(s: Machine, page: Page, slot: Slot, halfway: Contents) -> None:
    """A page's contents move to a slot; its frame is let go, and if it is shared remembers the copy."""
    match s.pmap[page]:
        case Mapped(mpn):
            take_slot(s, slot)
            s.slot_contents[slot] = s.contents[mpn]
            if isinstance(s.frame[mpn], Shared) and not isinstance(s.frame_slot[mpn], KeptSlot):
                s.frame_slot[mpn] = KeptSlot(slot)
                s.slot_count[slot] += 1
            s.pmap[page] = Swapped(slot)
            s.resident[page.vm] -= 1
            s.swapped[page.vm] += 1
            let_go(s, mpn)


def page_in_in_steps(s: Machine, cpu: VCPU, page: Page, new: MPN) -> None:
    """Take a frame, read, install."""
    start_page_in(s, cpu, page, new)
    finish_read(s, cpu)
    install_page_in(s, cpu)


@at_once(page_in_in_steps, "ESX-3.3-02", "R-10", left_out=("dirty", "attempted"))
def page_in(s: Machine, cpu: VCPU, page: Page, new: MPN) -> None:
    """For a vCPU, a page's contents move back into a frame; the slot is let go, or kept as a copy."""
    match s.pmap[page]:
        case Swapped(slot):
            take_frame(s, new, Private(page))
            s.contents[new] = s.slot_contents[slot]
            s.tag[new] = DataOf(page.vm)
            s.pmap[page] = Mapped(new)
            s.resident[page.vm] += 1
            s.swapped[page.vm] -= 1
            if s.keep_slot:
                s.kept[page] = KeptSlot(slot)
            else:
                drop_slot(s, slot)


# Moving, powering off.


def move_in_steps(s: Machine, page: Page, new: MPN) -> None:
    """Take a low frame, protect, wait, check pins, copy, install, wait, free the old frame."""
    move_to_low(s, page, new)
    all_flush(s, page)
    finish_protecting_move(s, page)
    copy(s, page)
    install_copy(s, page)
    all_flush(s, page)
    leave_old_frame(s, page)


@at_once(move_in_steps, "ESX-2-08", "ESX-7-04", left_out=TRANSLATIONS)
def move(s: Machine, page: Page, new: MPN) -> None:
    """A page gets another frame with the same contents; the old one is free."""
    take_frame(s, new, Private(page))
    s.contents[new] = contents_of(s, page)
    s.tag[new] = DataOf(page.vm)
    match s.pmap[page]:
        case Mapped(old):
            return_frame(s, old)
    s.pmap[page] = Mapped(new)
    s.copies[page] = 0


def reap_in_steps(s: Machine, page: Page) -> None:
    """Unmap, wait for flushes and transfers, release."""
    reap(s, page)
    all_flush(s, page)
    finish_unmapping(s, page)
    release_at_power_off(s, page)


@at_once(reap_in_steps, "R-44", left_out=TRANSLATIONS)
def take_page_of_dying_vm(s: Machine, page: Page) -> None:
    """A page with a frame, of a VM that is being powered off, is an untouched one; its frame is let go."""
    match s.pmap[page]:
        case Mapped(mpn):
            s.pmap[page] = Untouched()
            s.resident[page.vm] -= 1
            let_go(s, mpn)
