"""What always holds of translations, and what private memory is, read off the machine.

The shadow table agrees with the pmap at every moment; a TLB entry or a device
entry does too, save while its holder owes a flush and the operation that
asked for it still waits.
"""

from __future__ import annotations

from .language import VM, Contents, invariant, represents, theorem, transition, view
from .machine import Machine
from .translation import awaits_touch, is_dirty, may_cache, may_still_cache
from .vocabulary import (
    MPN,
    VCPU,
    BounceOut,
    Cached,
    Copied,
    DeviceCached,
    Filling,
    ForBalloon,
    Found,
    GivingUp,
    GuestEntry,
    Idle,
    KeptSlot,
    Leaving,
    Life,
    Mapped,
    Marking,
    Moving,
    Names,
    NotPresent,
    Outbound,
    Page,
    Private,
    Protecting,
    Ready,
    Shared,
    Still,
    Swapped,
    Transfer,
    UnderWay,
    Unmapping,
    VPage,
)

# What private memory is, in the machine.


@represents("memory")
def memory_of(s: Machine, page: Page) -> Contents:
    """A page's contents are where its backing says; without one it reads as zeros."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.contents[mpn]
        case Swapped(slot):
            return s.slot_contents[slot]
    return s.zero


@represents("offered")
def is_offered(s: Machine, page: Page) -> bool:
    """A page is offered while it is being unmapped for a balloon that was not popped or reset since."""
    match s.operation[page]:
        case GivingUp(why):
            return why == ForBalloon() and s.driver[page.vm] == Ready()
    return False


@represents("power")
def power_of(s: Machine, vm: VM) -> Life:
    """Whether the VM runs."""
    return s.life[vm]


@represents("names")
def named_by_guest(s: Machine, virtual: VPage) -> GuestEntry:
    """The guest's page table."""
    return s.guest_table[virtual]


@represents("carries")
def carried_by(s: Machine, transfer: Transfer) -> GuestEntry:
    """The page that a transfer is under way for."""
    match s.transfer[transfer]:
        case UnderWay(page, _):
            return Names(page)
    return NotPresent()


@represents("sent_from")
def sent_from(s: Machine, transfer: Transfer) -> Contents:
    """What the page of an outbound transfer held at the start."""
    match s.transfer[transfer]:
        case Outbound(_, _, snapshot) | BounceOut(_, _, _, snapshot):
            return snapshot
    return s.zero


# Shadow tables, fills, TLBs.


@invariant("ESX-2-06")
def shadow_agrees_with_pmap(s: Machine, virtual: VPage) -> bool:
    """A shadow entry leads to the page that the guest names, in its frame, and allows no more than the pmap."""
    match s.shadow[virtual]:
        case Cached(page, mpn, writable, _, dirty):
            right = s.guest_table[virtual] == Names(page) and page.vm == virtual.vm
            return right and may_cache(s, page, mpn, writable) and (writable or not dirty)
    return True


@invariant("ESX-2-06", "R-03")
def tlb_agrees_with_pmap(s: Machine, cpu: VCPU, virtual: VPage) -> bool:
    """So does a TLB entry, unless its vCPU owes a flush and the operation still waits for it."""
    match s.tlb[cpu, virtual]:
        case Cached(page, mpn, writable, _, _):
            stale = s.owed[cpu, page] and may_still_cache(s, page, mpn, writable)
            return may_cache(s, page, mpn, writable) or stale
    return True


@invariant("ESX-2-06")
def tlb_stays_in_its_vm(s: Machine, cpu: VCPU, virtual: VPage) -> bool:
    """A TLB entry belongs to one VM and leads where the guest's table says, or said until invalidated."""
    match s.tlb[cpu, virtual]:
        case Cached(page, _, _, accessed, _):
            named = s.guest_table[virtual] == Names(page) or s.unsynced[cpu, virtual]
            return named and accessed and page.vm == cpu.vm and virtual.vm == cpu.vm
    return True


@invariant("ESX-2-02")
def guest_names_own_pages(s: Machine, virtual: VPage) -> bool:
    """A guest's page table names pages of that guest."""
    match s.guest_table[virtual]:
        case Names(page):
            return page.vm == virtual.vm
    return True


@invariant("ESX-2-06")
def current_fill_is_right(s: Machine, cpu: VCPU) -> bool:
    """A fill whose page was not revoked since would install nothing that the pmap does not allow now."""
    match s.fill[cpu]:
        case Filling(virtual, page, mpn, writable, generation):
            outdated = s.generation[page] > generation
            current = s.generation[page] == generation and may_cache(s, page, mpn, writable)
            return virtual.vm == cpu.vm and (outdated or current)
    return True


# Devices.


@view
def device_may_cache(s: Machine, page: Page, mpn: MPN, writable: bool) -> bool:
    """Whether devices may have a translation to this frame: as a vCPU may, when no pin must be kept out."""
    right = s.pmap[page] == Mapped(mpn) and (not writable or s.frame[mpn] == Private(page))
    match s.operation[page]:
        case Idle() | Found():
            return right
        case Still() | Copied():
            return right and isinstance(s.frame[mpn], Shared)
    return False


@view
def device_may_still_cache(s: Machine, page: Page, mpn: MPN, writable: bool) -> bool:
    """What devices that owe a flush may have from before."""
    match s.operation[page]:
        case Protecting() | Marking() | Moving() | Unmapping():
            return s.pmap[page] == Mapped(mpn) and (not writable or s.frame[mpn] == Private(page))
        case Leaving(old):
            return mpn == old and not writable and isinstance(s.frame[mpn], Shared)
    return False


@invariant("ESX-7-03", "ESX-2-06")
def device_entry_agrees_with_pmap(s: Machine, page: Page) -> bool:
    """A device's translation agrees with the pmap, unless its flush is owed and the operation waits for it."""
    match s.device_entry[page]:
        case DeviceCached(mpn, writable):
            stale = s.device_owed[page] and device_may_still_cache(s, page, mpn, writable)
            return device_may_cache(s, page, mpn, writable) or stale
    return True


# Sampling and dirty bits rest on translations.


@invariant("ESX-5.3-05", "ESX-5.3-06")
def sampled_page_is_not_in_shadow(s: Machine, virtual: VPage) -> bool:
    """A sampled page has no shadow entry, which would hide a touch."""
    match s.shadow[virtual]:
        case Cached(page, _, _, _, _):
            return not awaits_touch(s, page)
    return True


@invariant("ESX-5.3-05", "ESX-5.3-06")
def sampled_page_is_not_in_tlb(s: Machine, cpu: VCPU, virtual: VPage) -> bool:
    """Nor has it a TLB entry, save where a flush is owed."""
    match s.tlb[cpu, virtual]:
        case Cached(page, _, _, _, _):
            return not awaits_touch(s, page) or s.owed[cpu, page]
    return True


@invariant("ESX-5.3-05", "R-34")
def sampled_page_has_no_device_entry(s: Machine, page: Page) -> bool:
    """Nor has it a device translation."""
    return not awaits_touch(s, page) or not isinstance(s.device_entry[page], DeviceCached) or s.device_owed[page]


@invariant("R-10")
def clean_page_equals_its_slot(s: Machine, page: Page) -> bool:
    """While a page is clean, the slot that it keeps holds the same."""
    match s.kept[page]:
        case KeptSlot(slot):
            match s.pmap[page]:
                case Mapped(mpn):
                    return is_dirty(s, page) or s.slot_contents[slot] == s.contents[mpn]
            return False
    return True


@invariant("R-10")
def cached_dirty_bit_is_known(s: Machine, cpu: VCPU, virtual: VPage) -> bool:
    """A TLB entry that may store without telling again leads to a page known as dirty."""
    match s.tlb[cpu, virtual]:
        case Cached(page, _, _, _, dirty):
            return not dirty or is_dirty(s, page)
    return True


@transition("R-10")
def a_page_gets_dirty_by_being_written(before: Machine, after: Machine, page: Page) -> bool:
    """A page that stays in its frame becomes dirty only if a vCPU has marked it, or a device works on the frame."""
    match before.pmap[page]:
        case Mapped(mpn):
            becomes = after.dirty[page] and not before.dirty[page] and after.pmap[page] == Mapped(mpn)
            return not becomes or is_dirty(before, page) or before.pins[mpn] > 0
    return True


# What follows.


@theorem("ESX-2-11", "ESX-4.2-09")
def one_writer_means_one_page(s: Machine, cpu: VCPU, virtual: VPage, other_cpu: VCPU, other: VPage) -> bool:
    """Of two TLB entries to one frame, if one can write, both lead to the same page."""
    match s.tlb[cpu, virtual]:
        case Cached(page, mpn, writable, _, _):
            match s.tlb[other_cpu, other]:
                case Cached(other_page, other_mpn, _, _, _):
                    return not writable or mpn != other_mpn or page == other_page
    return True


@theorem("ESX-4.2-06", "ESX-4.2-08")
def shared_frame_is_written_by_nobody(s: Machine, cpu: VCPU, virtual: VPage, page: Page) -> bool:
    """No shadow, TLB or device entry to a shared frame allows writing."""
    match s.shadow[virtual]:
        case Cached(_, mpn, writable, _, _):
            if writable and isinstance(s.frame[mpn], Shared):
                return False
    match s.tlb[cpu, virtual]:
        case Cached(_, mpn, writable, _, _):
            if writable and isinstance(s.frame[mpn], Shared):
                return False
    match s.device_entry[page]:
        case DeviceCached(mpn, writable):
            return not writable or not isinstance(s.frame[mpn], Shared)
    return True
