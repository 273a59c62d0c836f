"""Demand paging (section 3.3): the server moves a page to its swap area without asking the guest.

Out: pick, unmap, all flushed and no transfer, reserve a slot, write, and only
when the write is done does the slot become the page's authority. In: a vCPU's
fault handler marks the page as coming in, takes a frame, reads, installs. The
slot is let go in the same step that installs the frame, or kept as a copy
while the page stays clean (R-10). A page-in can be abandoned, the handler then
finds its mark gone: a page that is in the same slot again proves nothing.
"""

from __future__ import annotations

from .balloon import pages_ballooned
from .frames import drop_kept_slot, drop_slot, is_free, is_kept_for_devices, let_go, return_frame, take_frame, take_slot
from .language import (
    VM,
    Contents,
    Grade,
    choice,
    invariant,
    leaves,
    measure,
    pick,
    refuse,
    require,
    rule,
    theorem,
    transition,
    view,
)
from .machine import Machine
from .operations import frame_is_private
from .reclamation import is_blocked
from .refusals import Refused
from .translation import revoke
from .vocabulary import (
    MPN,
    VCPU,
    Backing,
    ComingIn,
    DataOf,
    ForPaging,
    Idle,
    Incoming,
    KeptSlot,
    Mapped,
    NoFetch,
    NothingKept,
    Page,
    PagingOut,
    Private,
    ReadIn,
    Reading,
    Running,
    Shared,
    Slot,
    SlotHeld,
    Swapped,
    Unmapped,
    Unmapping,
    Untouched,
    Writing,
    Written,
)


@rule("ESX-3.3-03", again="a level may be given twice")
def set_swap_target(s: Machine, vm: VM, pages: int) -> None:
    """The policy module gives the swap daemon a level for a VM."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(0 <= pages <= s.maximum[vm], Refused.NOT_A_LEVEL)
    s.swap_target[vm] = pages


# Out.


@choice(Grade.PAPER_PERMITS, "ESX-3.3-06", "R-11")
def may_be_victim(s: Machine, page: Page) -> bool:
    """Any page with a frame of its own; one in a shared frame only if there are none, or under swap_shared."""
    return isinstance(s.pmap[page], Mapped) and (
        frame_is_private(s, page) or s.swap_shared
        or not s.each(Page, page.vm).some(lambda other: frame_is_private(s, other))
    )  # fmt: skip


@view
def may_lose_a_page(s: Machine, vm: VM) -> bool:
    """Whether a VM holds more than its minimum (R-12) and has not reached its level."""
    return s.resident[vm] > s.minimum[vm] and s.swapped[vm] < swap_level(s, vm)


@view
def swap_level(s: Machine, vm: VM) -> int:
    """The level asked for, but no more than the VM has to give up for its target beside what its balloon delivered."""
    left = s.maximum[vm] - s.target[vm] - s.balloon_size[vm]
    return pick(left < s.swap_target[vm], left, s.swap_target[vm])


@view
def is_to_be_shared_first(s: Machine, page: Page) -> bool:
    """Whether an attempt to share the page is still to be made before it leaves: of one with a frame of its own."""
    return s.share_first and frame_is_private(s, page) and not s.attempted[page]


@rule("ESX-3.3-02", "ESX-3.3-03", "ESX-3.3-06", "ESX-4.3-20", "R-12", "R-13")
def pick_for_paging(s: Machine, page: Page) -> None:
    """The swap daemon picks a page, after an attempt to share it if that comes first, and unmaps it."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    require(may_be_victim(s, page), Refused.NOT_PRIVATE)
    require(may_lose_a_page(s, page.vm), Refused.NO_PAGE_TO_TAKE)
    require(not is_to_be_shared_first(s, page), Refused.TRY_SHARING_FIRST)
    s.attempted[page] = False
    s.operation[page] = Unmapping(ForPaging())
    revoke(s, page)


@choice(Grade.PAPER_SILENT, "ESX-3.3-05")
def slot_is_free(s: Machine, slot: Slot) -> bool:
    """Any slot without users may be taken."""
    return s.slot_count[slot] == 0


@rule("ESX-3.3-04", "ESX-3.3-05")
def reserve_slot(s: Machine, page: Page, slot: Slot) -> None:
    """A slot is set aside for the page; an older copy that it kept must have been forgotten first."""
    require(s.operation[page] == Unmapped(ForPaging()), Refused.WRONG_STAGE)
    require(s.kept[page] == NothingKept(), Refused.KEPT_SLOT)
    require(slot_is_free(s, slot), Refused.NO_FREE_SLOT)
    take_slot(s, slot)
    s.operation[page] = SlotHeld(slot)


@rule("ESX-3.3-04")
def start_write(s: Machine, page: Page, halfway: Contents) -> None:
    """The disk write starts; until it is done the slot may hold anything."""
    match s.operation[page]:
        case SlotHeld(slot):
            s.slot_contents[slot] = halfway
            s.operation[page] = Writing(slot)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-3.3-04")
def finish_write(s: Machine, page: Page) -> None:
    """The disk write is done."""
    match s.operation[page]:
        case Writing(slot):
            match s.pmap[page]:
                case Mapped(mpn):
                    s.slot_contents[slot] = s.contents[mpn]
                    s.operation[page] = Written(slot)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-3.3-04")
def fail_write(s: Machine, page: Page) -> None:
    """The disk write failed: the slot goes back; the page is still unmapped, to be tried again or abandoned."""
    match s.operation[page]:
        case Writing(slot):
            drop_slot(s, slot)
            s.operation[page] = Unmapped(ForPaging())
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-3.3-02", "R-11", "R-12", "D-03")
def commit_page_out(s: Machine, page: Page) -> None:
    """The slot becomes the page's authority, and its frame is let go. A shared frame remembers its copy."""
    require(may_lose_a_page(s, page.vm), Refused.NO_PAGE_TO_TAKE)
    match s.operation[page]:
        case Written(slot):
            match s.pmap[page]:
                case Mapped(mpn):
                    if isinstance(s.frame[mpn], Shared) and s.frame_slot[mpn] == NothingKept():
                        s.frame_slot[mpn] = KeptSlot(slot)
                        s.slot_count[slot] += 1
                    leave_for_slot(s, page, mpn, slot)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("R-10", "R-12")
def page_out_clean(s: Machine, page: Page) -> None:
    """A page that is still clean leaves without a write: the copy it kept becomes its authority."""
    require(s.operation[page] == Unmapped(ForPaging()), Refused.WRONG_STAGE)
    require(may_lose_a_page(s, page.vm), Refused.NO_PAGE_TO_TAKE)
    require(not s.dirty[page], Refused.NO_KEPT_SLOT)
    match s.kept[page]:
        case KeptSlot(slot):
            match s.pmap[page]:
                case Mapped(mpn):
                    s.kept[page] = NothingKept()
                    leave_for_slot(s, page, mpn, slot)
        case _:
            refuse(Refused.NO_KEPT_SLOT)


@rule("R-11", "R-12")
def page_out_to_copy(s: Machine, page: Page) -> None:
    """A page in a shared frame that has a copy in the swap area leaves for that slot, which counts it."""
    require(s.operation[page] == Unmapped(ForPaging()), Refused.WRONG_STAGE)
    require(may_lose_a_page(s, page.vm), Refused.NO_PAGE_TO_TAKE)
    match s.pmap[page]:
        case Mapped(mpn):
            match s.frame_slot[mpn]:
                case KeptSlot(slot):
                    s.slot_count[slot] += 1
                    drop_kept_slot(s, page)
                    leave_for_slot(s, page, mpn, slot)
                case _:
                    refuse(Refused.NO_KEPT_SLOT)


def leave_for_slot(s: Machine, page: Page, mpn: MPN, slot: Slot) -> None:
    """The page's contents are in the slot now, and no longer in the frame."""
    s.pmap[page] = Swapped(slot)
    s.resident[page.vm] -= 1
    s.swapped[page.vm] += 1
    s.operation[page] = Idle()
    let_go(s, mpn)


@rule("R-10")
def forget_kept_slot(s: Machine, page: Page) -> None:
    """The older copy of a resident page is dropped, at any time: it is only a copy."""
    require(s.kept[page] != NothingKept(), Refused.NO_KEPT_SLOT)
    drop_kept_slot(s, page)


@rule("R-11")
def forget_copy_of_shared_frame(s: Machine, mpn: MPN) -> None:
    """So is the copy of a shared frame."""
    match s.frame_slot[mpn]:
        case KeptSlot(slot):
            s.frame_slot[mpn] = NothingKept()
            drop_slot(s, slot)
        case _:
            refuse(Refused.NO_KEPT_SLOT)


# In.


@rule("ESX-3.3-02", "R-01", "R-10", "ESX-6.3-10")
def start_page_in(s: Machine, cpu: VCPU, page: Page, new: MPN) -> None:
    """A vCPU touches a page that is in the swap area: a frame is taken and the disk read starts."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(cpu.vm == page.vm, Refused.OTHER_VM)
    require(s.fetch[cpu] == NoFetch(), Refused.FETCH_IN_PROGRESS)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    require(not is_blocked(s, page.vm), Refused.VM_BLOCKED)
    require(is_free(s, new), Refused.NO_FREE_FRAME)
    require(not is_kept_for_devices(s, new), Refused.KEPT_FOR_DEVICES)
    match s.pmap[page]:
        case Swapped(slot):
            take_frame(s, new, Incoming(cpu))
            s.fetch[cpu] = Reading(page, slot, new)
            s.operation[page] = ComingIn(cpu)
        case _:
            refuse(Refused.NOT_SWAPPED)


@rule("ESX-3.3-02")
def finish_read(s: Machine, cpu: VCPU) -> None:
    """The disk read is done: the frame holds what the slot holds."""
    match s.fetch[cpu]:
        case Reading(page, slot, new):
            s.contents[new] = s.slot_contents[slot]
            s.tag[new] = DataOf(page.vm)
            s.fetch[cpu] = ReadIn(page, slot, new)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-3.3-02")
def fail_read(s: Machine, cpu: VCPU) -> None:
    """The disk read failed: the frame goes back, the slot is still the authority."""
    match s.fetch[cpu]:
        case Reading(page, _, new):
            end_page_in(s, cpu, page)
            return_frame(s, new)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-3.3-02", "R-10", "R-57")
def install_page_in(s: Machine, cpu: VCPU) -> None:
    """If the page-in still stands, the page gets the frame and, in the same step, the slot is let go, or kept."""
    match s.fetch[cpu]:
        case ReadIn(page, slot, new):
            require(s.operation[page] == ComingIn(cpu), Refused.FETCH_OUTDATED)
            s.pmap[page] = Mapped(new)
            s.frame[new] = Private(page)
            end_page_in(s, cpu, page)
            s.resident[page.vm] += 1
            s.swapped[page.vm] -= 1
            s.attempted[page] = False
            s.dirty[page] = not s.keep_slot
            if s.keep_slot:
                s.kept[page] = KeptSlot(slot)
            else:
                drop_slot(s, slot)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-3.3-02")
def drop_page_in(s: Machine, cpu: VCPU) -> None:
    """The handler gives up what it has read, as it must if the page-in was abandoned: the frame goes back."""
    match s.fetch[cpu]:
        case ReadIn(page, _, new):
            end_page_in(s, cpu, page)
            return_frame(s, new)
        case _:
            refuse(Refused.WRONG_STAGE)


def end_page_in(s: Machine, cpu: VCPU, page: Page) -> None:
    """The handler is done with a page-in, and so is the page if it was still its operation."""
    s.fetch[cpu] = NoFetch()
    s.operation[page] = pick(s.operation[page] == ComingIn(cpu), Idle(), s.operation[page])


# What always holds.


@measure("pmap")
def pages_resident(s: Machine, backing: Backing, page: Page, vm: VM) -> int:
    """Pages of a VM that have a frame."""
    return pick(isinstance(backing, Mapped) and page.vm == vm, 1, 0)


@measure("pmap")
def pages_swapped(s: Machine, backing: Backing, page: Page, vm: VM) -> int:
    """Pages of a VM that are in the swap area."""
    return pick(isinstance(backing, Swapped) and page.vm == vm, 1, 0)


@measure("pmap")
def pages_untouched(s: Machine, backing: Backing, page: Page, vm: VM) -> int:
    """Pages of a VM that have nothing."""
    return pick(backing == Untouched() and page.vm == vm, 1, 0)


@invariant("R-25", "ESX-3.3-03")
def pages_of_a_vm_are_counted(s: Machine, vm: VM) -> bool:
    """The server's figures for a VM are the numbers of its pages in memory and in the swap area."""
    return s.resident[vm] == pages_resident(s, vm) and s.swapped[vm] == pages_swapped(s, vm)


@invariant("ESX-3-02", "ESX-6.1-02", "D-03")
def pages_of_a_vm_add_up(s: Machine, vm: VM) -> bool:
    """A VM's pages in memory, in the swap area, in the balloon and untouched are its size; so it never exceeds it."""
    somewhere = pages_resident(s, vm) + pages_swapped(s, vm) + pages_ballooned(s, vm)
    return somewhere + pages_untouched(s, vm) == s.maximum[vm]


@invariant("D-03")
def swapped_within_reservation(s: Machine, vm: VM) -> bool:
    """No VM has more pages in the swap area than it has reserved, as none is paged below its minimum."""
    return s.swapped[vm] <= s.maximum[vm] - s.minimum[vm]


@invariant("R-10", "R-05")
def slot_count_is_not_negative(s: Machine, slot: Slot) -> bool:
    """A slot's count is never negative."""
    return s.slot_count[slot] >= 0


@invariant("ESX-3.3-04")
def slot_being_written_is_nobody_elses(s: Machine, page: Page) -> bool:
    """A slot that is being written has the page-out as its only user, and the page keeps no older copy."""
    match s.operation[page]:
        case PagingOut(slot):
            return s.slot_count[slot] == 1 and s.kept[page] == NothingKept()
    return True


@invariant("R-11")
def copy_of_shared_frame_is_exact(s: Machine, mpn: MPN) -> bool:
    """Only a shared frame has a copy in the swap area on its own account, and that copy is exact."""
    match s.frame_slot[mpn]:
        case KeptSlot(slot):
            return isinstance(s.frame[mpn], Shared) and s.slot_contents[slot] == s.contents[mpn]
    return True


# What every step keeps.


@transition("ESX-4.3-20", "R-13", "ESX-3.3-03", "R-12")
def paged_only_after_an_attempt_to_share(before: Machine, after: Machine, page: Page) -> bool:
    """A page is picked for paging above the minimum, below the swap target, and if need be after a try to share it."""
    picked = after.operation[page] == Unmapping(ForPaging()) and before.operation[page] == Idle()
    tried = before.attempted[page] or not frame_is_private(before, page) or not before.share_first
    wanted = before.swapped[page.vm] < before.swap_target[page.vm]
    return not picked or (tried and wanted and before.resident[page.vm] > before.minimum[page.vm])


@transition("ESX-3.3-06", "R-11")
def shared_pages_are_paged_out_last(before: Machine, after: Machine, page: Page) -> bool:
    """A page in a shared frame is picked for paging only if its VM has none of its own, or if that is done at all."""
    picked = after.operation[page] == Unmapping(ForPaging()) and before.operation[page] == Idle()
    own = before.each(Page, page.vm).some(lambda other: frame_is_private(before, other))
    return not picked or frame_is_private(before, page) or before.swap_shared or not own


@transition("R-10")
def a_kept_copy_starts_clean(before: Machine, after: Machine, page: Page) -> bool:
    """A page that comes in and keeps its slot is clean, so that it can leave again without a write."""
    keeps = after.kept[page] != before.kept[page] and after.kept[page] != NothingKept()
    return not keeps or not after.dirty[page]


@transition("ESX-3.3-01", "ESX-6-01", "ESX-6-02")
def nobody_is_paged_below_its_target(before: Machine, after: Machine, vm: VM) -> bool:
    """A page goes to the swap area only while that and the balloon hold fewer pages than the VM has to give up."""
    given_up = before.swapped[vm] + before.balloon_size[vm]
    return after.swapped[vm] <= before.swapped[vm] or given_up < before.maximum[vm] - before.target[vm]


@transition("ESX-4.3-20")
def an_attempt_counts_once(before: Machine, after: Machine, page: Page) -> bool:
    """An attempt to share a page counts for one page-out."""
    picked = after.operation[page] == Unmapping(ForPaging()) and before.operation[page] == Idle()
    return not picked or not after.attempted[page]


@transition("ESX-3.3-02")
def a_page_in_ends_before_the_next(before: Machine, after: Machine, cpu: VCPU) -> bool:
    """A fault handler ends the page-in it is in before it begins another."""
    begun = isinstance(after.fetch[cpu], Reading) and after.fetch[cpu] != before.fetch[cpu]
    return not begun or before.fetch[cpu] == NoFetch()


# What follows.


@theorem("ESX-3.3-04")
def slot_may_hold_anything_while_it_is_written(s: Machine, page: Page, halfway: Contents) -> bool:
    """While a write to disk is under way the slot may hold anything: no rule may count on less."""
    match s.operation[page]:
        case SlotHeld(slot):
            return leaves(start_write, s, page, halfway, so_that=lambda after: after.slot_contents[slot] == halfway)
    return True
