"""Frames, reference counts and slots: how they are taken and given back, and that none is lost.

Every frame is free, vacated, being cleared, private to a page, shared, in
transit, a bounce buffer or overhead of a VM. Its reference count is the number of pages
mapped to it, operations and page-ins that hold it, and transfers that pin it. A count too
large for its field lives in the overflow table (ESX-4.3-10, ESX-4.3-11, R-23).
"""

from __future__ import annotations

from .language import Grade, assumption, choice, invariant, measure, pick, theorem, view
from .machine import Machine
from .vocabulary import (
    MPN,
    VCPU,
    Backing,
    Bounce,
    BounceIn,
    BounceOut,
    Bringing,
    Cached,
    Copying,
    DeviceCached,
    DeviceTransfer,
    DeviceTranslation,
    Fetch,
    Fetching,
    FrameUse,
    Free,
    Inbound,
    Incoming,
    InTransit,
    Kept,
    KeptSlot,
    Leaving,
    Mapped,
    NoEntry,
    NothingKept,
    Operation,
    Outbound,
    Page,
    PagingOut,
    Private,
    Reserved,
    Shared,
    SharedFrame,
    Sharing,
    Slot,
    Swapped,
    Transfer,
    Translation,
    UnderWay,
    Vacated,
    VPage,
    Zeroing,
)

# What follows is asked or done by the rules of all chapters.


@view
def reference_count(s: Machine, mpn: MPN) -> int:
    """How many users a frame has: the count field, or what the overflow table says (R-23)."""
    return pick(s.count_field[mpn] == s.count_top, s.overflow[mpn], s.count_field[mpn])


def set_reference_count(s: Machine, mpn: MPN, count: int) -> None:
    """Store a count: in the field, and from count_top on in the overflow table."""
    s.count_field[mpn] = pick(count < s.count_top, count, s.count_top)
    s.overflow[mpn] = pick(count < s.count_top, 0, count)


@choice(Grade.PAPER_SILENT, "ESX-2-09", "ESX-6.2-08")
def is_free(s: Machine, mpn: MPN) -> bool:
    """Any free frame may be taken."""
    return s.frame[mpn] == Free()


@choice(Grade.OUR_READING, "ESX-7-06", "R-52")
def is_kept_for_devices(s: Machine, mpn: MPN) -> bool:
    """Of low memory the last free frames are kept for devices: no page that does without gets one."""
    return s.low[mpn] and s.low_in_use >= s.low_for_all


def add_reference(s: Machine, mpn: MPN) -> None:
    """One user more."""
    set_reference_count(s, mpn, reference_count(s, mpn) + 1)


def lose_reference(s: Machine, mpn: MPN) -> None:
    """One user less of a frame that has others."""
    set_reference_count(s, mpn, reference_count(s, mpn) - 1)


def drop_reference(s: Machine, mpn: MPN) -> None:
    """One user less of a shared frame; with none left it leaves the table and is free (R-21)."""
    left = reference_count(s, mpn) - 1
    set_reference_count(s, mpn, left)
    if left == 0:
        forget_shared_frame(s, mpn)
        free_frame(s, mpn)


def let_go(s: Machine, mpn: MPN) -> None:
    """Its page no longer uses a frame: one of its own is free again, a shared one has one user less."""
    if isinstance(s.frame[mpn], Shared):
        drop_reference(s, mpn)
    else:
        return_frame(s, mpn)


def take_frame(s: Machine, mpn: MPN, use: FrameUse) -> None:
    """A free frame gets a use, and one user. What is in it stays until somebody overwrites it."""
    use_frame(s, mpn, use)
    set_reference_count(s, mpn, 1)


def return_frame(s: Machine, mpn: MPN) -> None:
    """A frame that was never shared is free again. Its contents stay in it."""
    set_reference_count(s, mpn, 0)
    free_frame(s, mpn)


def use_frame(s: Machine, mpn: MPN, use: FrameUse) -> None:
    """A free frame gets a use."""
    s.frame[mpn] = use
    s.free_frames -= 1
    s.low_in_use += pick(s.low[mpn], 1, 0)


def free_frame(s: Machine, mpn: MPN) -> None:
    """A frame has no use any more."""
    s.frame[mpn] = Free()
    s.free_frames += 1
    s.low_in_use -= pick(s.low[mpn], 1, 0)


def forget_shared_frame(s: Machine, mpn: MPN) -> None:
    """What is kept about a frame because it is shared goes: the entry in the table that lists it, its slot."""
    match s.frame[mpn]:
        case Shared(domain, key):
            listed = s.table[domain, key] == SharedFrame(mpn)
            s.table[domain, key] = pick(listed, NoEntry(), s.table[domain, key])
            match s.frame_slot[mpn]:
                case KeptSlot(slot):
                    drop_slot(s, slot)
                    s.frame_slot[mpn] = NothingKept()


def take_slot(s: Machine, slot: Slot) -> None:
    """A free slot gets its first user."""
    s.slot_count[slot] = 1
    s.free_slots -= 1


def drop_slot(s: Machine, slot: Slot) -> None:
    """One user less of a slot; without users it is free."""
    s.slot_count[slot] -= 1
    s.free_slots += pick(s.slot_count[slot] == 0, 1, 0)


def drop_kept_slot(s: Machine, page: Page) -> None:
    """The page's older copy in the swap area is no longer needed (R-10)."""
    match s.kept[page]:
        case KeptSlot(slot):
            drop_slot(s, slot)
            s.kept[page] = NothingKept()


# What is counted.


@measure("pmap")
def pages_mapped_to(s: Machine, backing: Backing, page: Page, mpn: MPN) -> int:
    """Pages whose contents are in a frame."""
    return pick(backing == Mapped(mpn), 1, 0)


@measure("operation")
def operations_holding(s: Machine, operation: Operation, page: Page, mpn: MPN) -> int:
    """Operations that hold a frame."""
    match operation:
        case Bringing(held) | Sharing(held) | Copying(held) | Leaving(held):
            return pick(held == mpn, 1, 0)
    return 0


@measure("fetch")
def fetches_into(s: Machine, fetch: Fetch, cpu: VCPU, mpn: MPN) -> int:
    """Page-ins that hold a frame."""
    match fetch:
        case Fetching(_, _, held):
            return pick(held == mpn, 1, 0)
    return 0


@measure("transfer")
def transfers_on(s: Machine, transfer: DeviceTransfer, t: Transfer, mpn: MPN) -> int:
    """Transfers that pin a frame."""
    match transfer:
        case UnderWay(_, held):
            return pick(held == mpn, 1, 0)
    return 0


@measure("pmap")
def pages_in_slot(s: Machine, backing: Backing, page: Page, slot: Slot) -> int:
    """Pages whose contents are in a slot."""
    return pick(backing == Swapped(slot), 1, 0)


@measure("operation")
def operations_with_slot(s: Machine, operation: Operation, page: Page, slot: Slot) -> int:
    """Page-outs that have reserved a slot."""
    match operation:
        case PagingOut(held):
            return pick(held == slot, 1, 0)
    return 0


@measure("kept")
def pages_keeping(s: Machine, kept: Kept, page: Page, slot: Slot) -> int:
    """Resident pages that keep a copy in a slot (R-10)."""
    return pick(kept == KeptSlot(slot), 1, 0)


@measure("frame_slot")
def frames_with_copy_in(s: Machine, kept: Kept, mpn: MPN, slot: Slot) -> int:
    """Shared frames with a copy in a slot (R-11)."""
    return pick(kept == KeptSlot(slot), 1, 0)


@measure("slot_count")
def slots_free(s: Machine, count: int, slot: Slot) -> int:
    """Slots without users."""
    return pick(count == 0, 1, 0)


@measure("frame")
def frames_free(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Free frames."""
    return pick(use == Free(), 1, 0)


@measure("frame")
def frames_vacated(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Frames that wait for the rest of their block."""
    return pick(use == Vacated(), 1, 0)


@measure("frame")
def frames_zeroing(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Frames being cleared."""
    return 1 if isinstance(use, Zeroing) else 0


@measure("frame")
def frames_private(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Frames of one page."""
    return 1 if isinstance(use, Private) else 0


@measure("frame")
def frames_shared(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Shared frames."""
    return 1 if isinstance(use, Shared) else 0


@measure("frame")
def frames_in_transit(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Frames in the hands of an operation or a page-in."""
    match use:
        case InTransit() | Incoming():
            return 1
    return 0


@measure("frame")
def frames_bounce(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Bounce buffers."""
    return 1 if isinstance(use, Bounce) else 0


@measure("frame")
def frames_overhead(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Overhead frames of all VMs."""
    return 1 if isinstance(use, Reserved) else 0


# What always holds.


@assumption("ESX-4.3-10")
def count_field_holds_something(s: Machine) -> bool:
    """The count field can hold at least the number 1."""
    return s.count_top >= 1


@assumption("ESX-2-01", "ESX-3.3-02")
def sizes_are_numbers_of_things(s: Machine) -> bool:
    """There are so many frames and slots: a number that is not negative."""
    return s.total_frames >= 0 and s.total_slots >= 0


@invariant("ESX-4.3-08", "ESX-4.3-11", "R-21", "R-23")
def count_is_number_of_users(s: Machine, mpn: MPN) -> bool:
    """A frame's reference count is the number of its pages, its transfers, and the operations and page-ins holding it.

    More than the paper counts: so that a frame in use by either is never freed.
    """
    held = operations_holding(s, mpn) + fetches_into(s, mpn)
    return reference_count(s, mpn) == pages_mapped_to(s, mpn) + held + transfers_on(s, mpn)


@invariant("ESX-4.3-10", "ESX-4.3-11", "R-23")
def overflow_only_for_large_counts(s: Machine, mpn: MPN) -> bool:
    """A count fits its field, or the field is all ones and the overflow table has the count."""
    if s.count_field[mpn] == s.count_top:
        return s.overflow[mpn] >= s.count_top
    return 0 <= s.count_field[mpn] < s.count_top and s.overflow[mpn] == 0


@invariant("ESX-7-02")
def pins_are_transfers(s: Machine, mpn: MPN) -> bool:
    """A frame's pin count is the number of transfers under way on it."""
    return s.pins[mpn] == transfers_on(s, mpn)


@invariant("ESX-2-11")
def use_of_a_frame_fits_its_count(s: Machine, mpn: MPN) -> bool:
    """Unused frames have no user, one in transit has one, a page's own one beside transfers, a shared one some."""
    match s.frame[mpn]:
        case Free() | Vacated() | Bounce() | Reserved():
            return reference_count(s, mpn) == 0
        case Zeroing() | InTransit() | Incoming():
            return reference_count(s, mpn) == 1 and s.pins[mpn] == 0
        case Private():
            return reference_count(s, mpn) == s.pins[mpn] + 1
    return reference_count(s, mpn) >= 1


@invariant("D-04")
def free_frames_counted(s: Machine) -> bool:
    """The free counter is the number of free frames."""
    return s.free_frames == frames_free(s)


@invariant("D-04")
def frames_add_up(s: Machine) -> bool:
    """Free, vacated, being cleared, private, shared, in transit, bounce and overhead frames are all there are."""
    idle = frames_free(s) + frames_vacated(s) + frames_zeroing(s) + frames_in_transit(s)
    in_use = frames_private(s) + frames_shared(s) + frames_bounce(s) + frames_overhead(s)
    return idle + in_use == s.total_frames


@invariant("R-10", "R-11")
def slot_count_is_number_of_users(s: Machine, slot: Slot) -> bool:
    """A slot's count is the number of pages in it, page-outs holding it, and copies kept in it."""
    users = pages_in_slot(s, slot) + operations_with_slot(s, slot)
    return s.slot_count[slot] == users + pages_keeping(s, slot) + frames_with_copy_in(s, slot)


@invariant("ESX-3.3-05")
def free_slots_counted(s: Machine) -> bool:
    """The free-slot counter is the number of slots without users."""
    return s.free_slots == slots_free(s)


@view
def holds(s: Machine, page: Page, mpn: MPN) -> bool:
    """Whether the operation on a page holds this frame."""
    match s.operation[page]:
        case Bringing(held) | Sharing(held) | Copying(held) | Leaving(held):
            return held == mpn
    return False


@view
def fetches(s: Machine, cpu: VCPU, mpn: MPN) -> bool:
    """Whether a vCPU's fault handler holds this frame for a page-in."""
    match s.fetch[cpu]:
        case Fetching(_, _, held):
            return held == mpn
    return False


@view
def leads_to(entry: Translation, mpn: MPN) -> bool:
    """Whether a shadow or TLB entry leads to this frame."""
    match entry:
        case Cached(_, cached, _, _, _):
            return cached == mpn
    return False


@view
def uses(transfer: DeviceTransfer, mpn: MPN) -> bool:
    """Whether a transfer uses this frame, for the page or as a bounce buffer."""
    match transfer:
        case Inbound(_, held) | Outbound(_, held, _):
            return held == mpn
        case BounceIn(_, held, buffer, _) | BounceOut(_, held, buffer, _):
            return mpn in (held, buffer)
    return False


@view
def device_leads_to(entry: DeviceTranslation, mpn: MPN) -> bool:
    """Whether a device entry leads to this frame."""
    match entry:
        case DeviceCached(cached, _):
            return cached == mpn
    return False


@theorem("ESX-2-11", "R-03")
def free_frame_is_not_used(s: Machine, page: Page, cpu: VCPU, mpn: MPN) -> bool:
    """A free or vacated frame is no page's, and no operation or page-in holds it."""
    used = s.pmap[page] == Mapped(mpn) or holds(s, page, mpn) or fetches(s, cpu, mpn)
    return s.frame[mpn] not in (Free(), Vacated()) or not used


@theorem("ESX-2-11", "R-03")
def free_frame_is_not_cached(s: Machine, virtual: VPage, cpu: VCPU, mpn: MPN) -> bool:
    """No shadow or TLB entry leads to a free or vacated frame."""
    cached = leads_to(s.shadow[virtual], mpn) or leads_to(s.tlb[cpu, virtual], mpn)
    return s.frame[mpn] not in (Free(), Vacated()) or not cached


@theorem("ESX-2-11", "R-03", "ESX-7-02")
def free_frame_is_out_of_reach_of_devices(s: Machine, page: Page, t: Transfer, mpn: MPN) -> bool:
    """No transfer uses a free or vacated frame, and no device entry leads to one."""
    reached = uses(s.transfer[t], mpn) or device_leads_to(s.device_entry[page], mpn)
    return s.frame[mpn] not in (Free(), Vacated()) or not reached


@theorem("R-05", "R-10", "R-11")
def free_slot_is_unreachable(s: Machine, page: Page, mpn: MPN, slot: Slot) -> bool:
    """A free slot has no page's contents, no copy, and no operation that means to write it."""
    match s.operation[page]:
        case PagingOut(held):
            if held == slot:
                return s.slot_count[slot] != 0
    copied = s.kept[page] == KeptSlot(slot) or s.frame_slot[mpn] == KeptSlot(slot)
    return s.slot_count[slot] != 0 or not (s.pmap[page] == Swapped(slot) or copied)
