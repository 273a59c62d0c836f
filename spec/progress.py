"""Progress: whatever is under way can go on.

Every operation can be ended by the server alone, or else waits for something
that can happen: a flush that was asked for can be done, a transfer under way
can end. Once that has happened, the step that waited for it is enabled.
"""

from __future__ import annotations

from .balloon import (
    balloon_is_done,
    block_is_given_up,
    decline_offer,
    deflate,
    inflate,
    pages_ballooned,
    reclaim_vacated,
    set_balloon_target,
)
from .devices import end_inbound, end_outbound
from .language import VM, enabled, gets_done, leaves, theorem, view
from .machine import Machine
from .operations import abandon, finish_unmapping, frame_is_private, leave_old_frame
from .paging import (
    drop_page_in,
    fail_read,
    fail_write,
    finish_read,
    finish_write,
    install_page_in,
    may_be_victim,
    may_lose_a_page,
    pages_resident,
    pages_swapped,
    pages_untouched,
    pick_for_paging,
    set_swap_target,
    start_write,
)
from .power import power_vm_on, reap
from .remapping import finish_protecting_move, move_at_will
from .sharing import (
    await_flushes,
    check_pins,
    compare,
    copy,
    install_copy,
    may_be_scanned,
    merge,
    protect,
    scan_before_paging_misses,
    scan_finds_hint,
    scan_finds_shared_frame,
)
from .translation import flush, flush_devices, flushed
from .vocabulary import (
    MPN,
    VCPU,
    Alone,
    BounceIn,
    BounceOut,
    Cleared,
    Clearing,
    ComingIn,
    Copied,
    DeviceTransfer,
    Dying,
    ForBalloon,
    Found,
    Free,
    GivingUp,
    Idle,
    Inbound,
    Leaving,
    Low,
    Mapped,
    Marking,
    Moving,
    Off,
    Operation,
    Outbound,
    Page,
    Protecting,
    Quiet,
    ReadIn,
    Reading,
    Ready,
    Running,
    Same,
    SlotHeld,
    Still,
    Transfer,
    UnderWay,
    Unmapped,
    Unmapping,
    Untouched,
    Vacated,
    Writing,
    Written,
)
from .zeroing import clear, install_cleared, touch


@theorem("R-02", "ESX-3.2-09")
def every_operation_can_be_ended(s: Machine, page: Page) -> bool:
    """Every operation can be ended: undone, with its disk transfer, or, past its effect, once all have flushed."""
    match s.operation[page]:
        case Idle():
            return True
        case Leaving():
            return gets_done(leave_old_frame, s, page) or not flushed(s, page)
        case GivingUp(why):
            if why == ForBalloon():
                return gets_done(decline_offer, s, page)
        case ComingIn(cpu):
            if isinstance(s.fetch[cpu], Reading):
                return gets_done(fail_read, s, cpu) and gets_done(finish_read, s, cpu)
        case Writing():
            return gets_done(fail_write, s, page) and gets_done(finish_write, s, page)
    return gets_done(abandon, s, page)


@theorem("ESX-3.3-02", "R-44")
def every_page_in_can_end(s: Machine, cpu: VCPU) -> bool:
    """A fault handler in the middle of a page-in can end it, abandoned or not: no frame stays with it for ever."""
    match s.fetch[cpu]:
        case Reading():
            return gets_done(finish_read, s, cpu) and gets_done(fail_read, s, cpu)
        case ReadIn():
            return gets_done(drop_page_in, s, cpu)
    return True


@theorem("ESX-2-06", "R-03")
def every_flush_can_be_done(s: Machine, cpu: VCPU, page: Page) -> bool:
    """A vCPU that owes a flush can do it, and so can the devices: nothing waits for ever for a flush."""
    by_cpu = not s.owed[cpu, page] or gets_done(flush, s, cpu, page)
    return by_cpu and (not s.device_owed[page] or gets_done(flush_devices, s, page))


@theorem("ESX-7-02", "R-48")
def every_transfer_can_end(s: Machine, transfer: Transfer) -> bool:
    """A transfer under way can end: nothing waits for ever for a pin."""
    match s.transfer[transfer]:
        case Inbound() | BounceIn():
            return gets_done(end_inbound, s, transfer)
        case Outbound() | BounceOut():
            return gets_done(end_outbound, s, transfer)
    return True


@view
def nothing_to_wait_for(s: Machine, page: Page) -> bool:
    """Whether all have flushed, and no transfer is under way: for a page that is to leave, else on the page's frame."""
    match s.operation[page]:
        case Unmapping():
            others = s.each(Transfer).every(lambda transfer: is_none_or_for_another(s.transfer[transfer], page))
            return flushed(s, page) and others
    match s.pmap[page]:
        case Mapped(mpn):
            return flushed(s, page) and s.pins[mpn] == 0
    return flushed(s, page)


@view
def is_none_or_for_another(transfer: DeviceTransfer, page: Page) -> bool:
    """Whether a transfer is not under way, or for a page other than this one."""
    match transfer:
        case UnderWay(served, _):
            return served != page
    return True


@theorem("R-24", "ESX-2-09", "ESX-3.3-04", "ESX-4.2-07", "ESX-7-04", "R-05", "R-12")
def every_wait_ends(s: Machine, page: Page) -> bool:
    """With nothing left to wait for, the next step gets done, if it needs no free slot, key or page above min."""
    if not nothing_to_wait_for(s, page):
        return True
    match s.operation[page]:
        case Clearing():
            return gets_done(clear, s, page)
        case Cleared():
            return gets_done(install_cleared, s, page)
        case ComingIn(cpu):
            if isinstance(s.fetch[cpu], Reading):
                return gets_done(finish_read, s, cpu)
            return gets_done(install_page_in, s, cpu)
        case Found():
            return gets_done(protect, s, page)
        case Protecting():
            return gets_done(await_flushes, s, page)
        case Quiet():
            return gets_done(check_pins, s, page)
        case Alone():
            return gets_done(compare, s, page)
        case Same():
            return gets_done(merge, s, page)
        case Moving():
            return gets_done(finish_protecting_move, s, page)
        case Still():
            return gets_done(copy, s, page)
        case Copied():
            return gets_done(install_copy, s, page)
        case Leaving():
            return gets_done(leave_old_frame, s, page)
        case Unmapping():
            return gets_done(finish_unmapping, s, page)
        case SlotHeld():
            return gets_done(start_write, s, page, s.zero)
        case Writing():
            return gets_done(finish_write, s, page)
    return waits_for_nothing_of_its_own(s.operation[page])


@view
def waits_for_nothing_of_its_own(operation: Operation) -> bool:
    """Whether a stage has no next step that can always be done: it needs a free slot, a key, or a page above min."""
    match operation:
        case Idle() | Marking() | Unmapped() | Written():
            return True
    return False


@theorem("R-44")
def every_page_of_a_dying_vm_can_go(s: Machine, page: Page) -> bool:
    """A page of a dying VM that still has anything, and no operation, can be reaped."""
    gone = s.pmap[page] == Untouched() or s.operation[page] != Idle()
    return s.life[page.vm] != Dying() or gone or gets_done(reap, s, page)


@theorem("ESX-3.2-02", "ESX-3.2-15", "R-56")
def a_balloon_that_is_not_done_can_grow(s: Machine, vm: VM) -> bool:
    """A ready driver below its target, that is not done, has a page to put in, if no operation is under way."""
    idle = s.each(Page, vm).every(lambda page: s.operation[page] == Idle())
    ready = s.life[vm] == Running() and s.driver[vm] == Ready() and s.balloon_size[vm] < s.balloon_target[vm]
    without_frame = pages_swapped(s, vm) + pages_untouched(s, vm) > 0
    more_than_minimum = pages_resident(s, vm) > 0 and s.resident[vm] > s.minimum[vm]
    grows = s.each(Page, vm).some(lambda page: enabled(inflate, s, page))
    return not (ready and idle) or balloon_is_done(s, vm) or ((without_frame or more_than_minimum) and grows)


@theorem("ESX-3.2-08", "R-56")
def a_balloon_that_is_too_large_can_shrink(s: Machine, vm: VM) -> bool:
    """A ready driver beyond its target is not done, and has a page to take out."""
    larger = s.balloon_size[vm] > s.balloon_target[vm]
    shrinks = pages_ballooned(s, vm) > 0 and s.each(Page, vm).some(lambda page: enabled(deflate, s, page))
    ready = s.life[vm] == Running() and s.driver[vm] == Ready()
    return not larger or (not balloon_is_done(s, vm) and (shrinks or not ready))


@theorem("R-51")
def every_block_given_up_gets_free(s: Machine, mpn: MPN) -> bool:
    """A frame that waits for the rest of its block can be freed once nobody uses the block any more."""
    waits = s.frame[mpn] == Vacated() and block_is_given_up(s, mpn)
    return not waits or gets_done(reclaim_vacated, s, mpn)


@theorem("ESX-4.3-20", "R-13", "R-18", "R-24")
def every_scan_ends(s: Machine, page: Page) -> bool:
    """A page that may be scanned, and was not tried yet, has a match that no device delays, or can count as tried."""
    match s.operation[page]:
        case Alone():
            return leaves(compare, s, page, so_that=lambda after: is_settled(after, page))
    if s.attempted[page] or not may_be_scanned(s, page) or enabled(scan_finds_shared_frame, s, page):
        return True
    matched = s.each(Page).some(lambda other: enabled(scan_finds_hint, s, page, other) and no_device_is_on(s, other))
    return matched or enabled(scan_before_paging_misses, s, page)


@view
def is_settled(s: Machine, page: Page) -> bool:
    """Whether a comparison has found the page equal, or counts as an attempt to share it."""
    return s.attempted[page] or isinstance(s.operation[page], Same)


@theorem("ESX-4.3-20", "R-13", "R-24")
def an_attempt_that_can_be_made_is_made(s: Machine, page: Page, other: Page) -> bool:
    """A page that no device delays counts as tried only if it finds no frame, and no hint of one that none delays."""
    finds = enabled(scan_finds_shared_frame, s, page)
    hinted = enabled(scan_finds_hint, s, page, other) and no_device_is_on(s, other)
    free = no_device_is_on(s, page) and s.each(Transfer).every(lambda t: is_none_or_for_another(s.transfer[t], page))
    return not (free and (finds or hinted)) or not enabled(scan_before_paging_misses, s, page)


@theorem("ESX-4.3-20", "R-13", "R-24")
def an_attempt_that_waits_counts(s: Machine, page: Page, t: Transfer) -> bool:
    """A page whose frame a device uses, or for which a transfer is under way, counts as tried without a comparison."""
    waits = not no_device_is_on(s, page) or not is_none_or_for_another(s.transfer[t], page)
    untried = may_be_scanned(s, page) and not s.attempted[page]
    return not (waits and untried) or enabled(scan_before_paging_misses, s, page)


@view
def no_device_is_on(s: Machine, page: Page) -> bool:
    """Whether the frame that a page has, if it has one, is in no transfer."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.pins[mpn] == 0
    return True


# What is in order is not refused.


@theorem("ESX-6.2-01", "ESX-6.2-02", "ESX-6.2-03", "ESX-6.2-04")
def a_vm_that_fits_is_admitted(s: Machine, vm: VM) -> bool:
    """A VM that is off can start if what it reserves of memory and of swap space is unreserved, to the last page."""
    memory = s.reserved_memory + s.minimum[vm] + s.overhead[vm]
    swap = s.reserved_swap + s.maximum[vm] - s.minimum[vm]
    fits = memory <= s.total_frames and swap <= s.total_slots
    return s.life[vm] != Off() or not fits or gets_done(power_vm_on, s, vm)


@theorem("R-09", "ESX-3.3-03")
def every_level_can_be_asked_for(s: Machine, vm: VM) -> bool:
    """Of a running VM nothing at all, and all that it has, can be asked for, by the balloon and by paging."""
    everything = s.maximum[vm]
    no_balloon = leaves(set_balloon_target, s, vm, 0, so_that=lambda after: after.balloon_target[vm] == 0)
    no_paging = leaves(set_swap_target, s, vm, 0, so_that=lambda after: after.swap_target[vm] == 0)
    balloon = leaves(
        set_balloon_target, s, vm, everything, so_that=lambda after: after.balloon_target[vm] == everything
    )
    paging = leaves(set_swap_target, s, vm, everything, so_that=lambda after: after.swap_target[vm] == everything)
    return s.life[vm] != Running() or (no_balloon and no_paging and balloon and paging)


@theorem("ESX-3.3-02", "ESX-3.3-06", "R-13")
def a_page_to_spare_can_be_paged_out(s: Machine, page: Page) -> bool:
    """A page that may be paged out can be picked, without an attempt to share it where that need not come first."""
    ready = s.life[page.vm] == Running() and s.operation[page] == Idle() and may_be_victim(s, page)
    first = s.share_first and frame_is_private(s, page) and not s.attempted[page]
    return not (ready and may_lose_a_page(s, page.vm)) or first or gets_done(pick_for_paging, s, page)


@theorem("ESX-2-08", "R-52", "R-53")
def a_page_can_be_moved_to_any_frame_not_kept_for_devices(s: Machine, page: Page, mpn: MPN) -> bool:
    """Where the server's own reasons count, a page with a frame of its own can move to any free one but the last low.

    The page must have no operation under way, and its VM must run.
    """
    ready = s.life[page.vm] == Running() and s.operation[page] == Idle() and frame_is_private(s, page)
    spare = not s.low[mpn] or s.low_in_use < s.low_for_all
    return not (s.migrate and ready and spare and s.frame[mpn] == Free()) or gets_done(move_at_will, s, page, mpn)


@theorem("ESX-2-09", "ESX-7-06", "R-52", "R-41")
def a_page_gets_any_frame_not_kept_for_devices(s: Machine, page: Page, mpn: MPN) -> bool:
    """An untouched page gets any free frame but the last of low memory, unless its VM is blocked."""
    ready = s.pmap[page] == Untouched() and s.operation[page] == Idle() and s.life[page.vm] == Running()
    spare = not s.low[mpn] or s.low_in_use < s.low_for_all
    blocked = s.reclamation == Low() and s.resident[page.vm] > s.target[page.vm]
    return not (ready and spare and s.frame[mpn] == Free()) or blocked or gets_done(touch, s, page, mpn)
