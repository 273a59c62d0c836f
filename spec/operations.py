"""Operations in steps: what is true at each stage, the steps that several operations have in common.

An operation is a sequence of steps, because in a real system vCPUs, devices
and other operations run in between. Its stage is the value of `operation`
for its page. The invariants here say what each stage promises; every step of
every actor keeps them, so an operation may rely on what it found earlier.
"""

from __future__ import annotations

from .frames import drop_reference, drop_slot, let_go, return_frame, transfers_on
from .language import invariant, refuse, require, rule, theorem, view
from .machine import Machine
from .refusals import Refused
from .translation import flushed
from .vocabulary import (
    MPN,
    VCPU,
    Alone,
    Bringing,
    Cleared,
    Clearing,
    ComingIn,
    CommonData,
    Copied,
    Copying,
    DataOf,
    DeviceTransfer,
    Fetching,
    ForBalloon,
    GivingUp,
    Idle,
    Incoming,
    InTransit,
    Leaving,
    Mapped,
    Marking,
    Moving,
    Nobodys,
    Page,
    PagingOut,
    Private,
    ReadIn,
    Reading,
    Same,
    Shared,
    Sharing,
    SlotHeld,
    Still,
    Swapped,
    Transfer,
    UnderWay,
    Unmapped,
    Unmapping,
    Untouched,
    Written,
    Zeroing,
)

# Steps in common.


@rule("ESX-2-06", "R-03", "R-05", "R-12")
def finish_unmapping(s: Machine, page: Page) -> None:
    """All flushes are done and no transfer is under way for the page: nobody can reach it.

    What a device reads for another page in the same frame does not matter: that transfer keeps the frame.
    """
    match s.operation[page]:
        case Unmapping(why):
            require(flushed(s, page), Refused.FLUSH_PENDING)
            require(s.each(Transfer).every(lambda t: not is_for(s.transfer[t], page)), Refused.PINNED)
            s.operation[page] = Unmapped(why)
        case _:
            refuse(Refused.WRONG_STAGE)


def is_for(transfer: DeviceTransfer, page: Page) -> bool:
    """Whether a transfer is under way for this page, in whichever frame that was when it began."""
    match transfer:
        case UnderWay(served, _):
            return served == page
    return False


@rule("ESX-2-06", "R-03", "ESX-4.2-07")
def leave_old_frame(s: Machine, page: Page) -> None:
    """All flushes are done: the frame that the page had before is let go, and the operation is over."""
    match s.operation[page]:
        case Leaving(old):
            require(flushed(s, page), Refused.FLUSH_PENDING)
            s.operation[page] = Idle()
            let_go(s, old)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("R-03", "ESX-3.3-04")
def abandon(s: Machine, page: Page) -> None:
    """An operation gives up, from any stage before its effect; what it holds goes back.

    A disk transfer under way is not stopped: it ends by being finished or by
    failing (see `paging`). What a page-in has read stays with its vCPU, which
    finds out that nobody wants it. How an offer to the balloon is declined: see `balloon`.
    """
    match s.operation[page]:
        case Clearing(new) | Cleared(new) | Copying(new):
            return_frame(s, new)
        case ComingIn(cpu):
            require(not isinstance(s.fetch[cpu], Reading), Refused.READ_IN_PROGRESS)
        case Sharing(target):
            drop_reference(s, target)
        case SlotHeld(slot) | Written(slot):
            drop_slot(s, slot)
        case GivingUp(why):
            require(why != ForBalloon(), Refused.WRONG_STAGE)
        case Marking():
            pass
        case _:
            refuse(Refused.WRONG_STAGE)
    s.operation[page] = Idle()


# What each stage promises.


@view
def frame_is_private(s: Machine, page: Page) -> bool:
    """Whether the page's contents are in a frame of its own."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.frame[mpn] == Private(page)
    return False


@view
def frame_is_still(s: Machine, page: Page) -> bool:
    """Whether no transfer is under way on the page's frame, if it is its own."""
    match s.pmap[page]:
        case Mapped(mpn):
            return transfers_on(s, mpn) == 0 or isinstance(s.frame[mpn], Shared)
    return False


@view
def in_hand(s: Machine, page: Page, mpn: MPN) -> bool:
    """Whether a frame is in transit for this page."""
    return s.frame[mpn] == InTransit(page)


@invariant("ESX-2-09", "ESX-3.3-02")
def stage_fits_backing(s: Machine, page: Page) -> bool:
    """Each stage says where the page's contents are: an operation that brings a frame finds the page without one."""
    match s.operation[page]:
        case Clearing() | Cleared():
            return s.pmap[page] == Untouched()
        case ComingIn(cpu):
            match s.fetch[cpu]:
                case Fetching(fetched, slot, _):
                    return fetched == page and s.pmap[page] == Swapped(slot)
            return False
        case Sharing() | Marking() | Moving():
            return frame_is_private(s, page)
        case Copying() | Leaving() | GivingUp() | PagingOut():
            return isinstance(s.pmap[page], Mapped)
    return True


@invariant("ESX-2-10", "ESX-4.2-06", "ESX-7-04")
def stage_fits_frame_held(s: Machine, page: Page) -> bool:
    """Each stage says what the frame in the operation's hands is used for."""
    match s.operation[page]:
        case Clearing(new) | Cleared(new):
            return s.frame[new] == Zeroing(page)
        case Copying(new):
            return in_hand(s, page, new)
        case Sharing(target):
            match s.frame[target]:
                case Shared(domain, _):
                    return domain == s.domain[page.vm]
            return False
        case Leaving(old):
            return in_hand(s, page, old) or isinstance(s.frame[old], Shared)
    return True


@invariant("R-24", "R-48")
def no_transfer_after_pin_check(s: Machine, page: Page) -> bool:
    """From its pin check until it ends, an operation's page has no transfer on its own frame."""
    match s.operation[page]:
        case Alone() | Same() | Still() | Copied() | Leaving() | Unmapped() | PagingOut():
            return frame_is_still(s, page)
    return True


@invariant("R-05", "R-12", "ESX-7-02")
def a_page_with_a_transfer_has_not_left(s: Machine, transfer: Transfer) -> bool:
    """A page with a transfer under way has a frame, and no operation has put it out of reach to take that away."""
    match s.transfer[transfer]:
        case UnderWay(page, _):
            match s.operation[page]:
                case Unmapped() | PagingOut():
                    return False
            return isinstance(s.pmap[page], Mapped)
    return True


@invariant("ESX-2-10", "ESX-4.2-05", "ESX-3.3-04")
def what_was_done_still_holds(s: Machine, page: Page) -> bool:
    """What was cleared, read, compared, copied or written out is still equal until the operation ends."""
    match s.operation[page]:
        case Cleared(new):
            return s.contents[new] == s.zero and s.tag[new] == Nobodys()
        case ComingIn(cpu):
            match s.fetch[cpu]:
                case ReadIn(_, slot, new):
                    return s.contents[new] == s.slot_contents[slot] and s.tag[new] == DataOf(page.vm)
        case Same(other) | Copied(other) | Leaving(other):
            match s.pmap[page]:
                case Mapped(mpn):
                    return s.contents[mpn] == s.contents[other]
        case Written(slot):
            match s.pmap[page]:
                case Mapped(mpn):
                    return s.contents[mpn] == s.slot_contents[slot]
    return True


@invariant("ESX-2-11")
def copy_is_tagged(s: Machine, page: Page) -> bool:
    """A finished copy is marked as data of the page's VM."""
    match s.operation[page]:
        case Copied(new):
            return s.tag[new] == DataOf(page.vm)
    return True


# Frames and pages.


@invariant("ESX-2-04", "ESX-4.2-06")
def mapped_frame_is_own_or_shared(s: Machine, page: Page) -> bool:
    """A page's frame is its own, or shared within the domain of its VM."""
    match s.pmap[page]:
        case Mapped(mpn):
            match s.frame[mpn]:
                case Private(owner):
                    return owner == page
                case Shared(domain, _):
                    return domain == s.domain[page.vm]
            return False
    return True


@invariant("ESX-2-04")
def private_frame_backs_its_page(s: Machine, mpn: MPN) -> bool:
    """A private frame holds the contents of its page."""
    match s.frame[mpn]:
        case Private(page):
            return s.pmap[page] == Mapped(mpn)
    return True


@invariant("ESX-3.3-02", "ESX-2-11")
def page_in_fits_its_frame(s: Machine, cpu: VCPU) -> bool:
    """A vCPU brings in pages of its own VM, into a frame it holds; while it reads, that is the page's operation."""
    match s.fetch[cpu]:
        case Fetching(page, _, new):
            marked = s.operation[page] == ComingIn(cpu) or isinstance(s.fetch[cpu], ReadIn)
            return page.vm == cpu.vm and s.frame[new] == Incoming(cpu) and marked
    return True


@invariant("ESX-2-11")
def frame_in_hand_is_held(s: Machine, mpn: MPN) -> bool:
    """A frame being cleared or in transit is in the hands of the operation on its page, or of a page-in."""
    match s.frame[mpn]:
        case Zeroing(page) | InTransit(page):
            match s.operation[page]:
                case Bringing(held) | Copying(held) | Leaving(held):
                    return held == mpn
            return False
        case Incoming(cpu):
            match s.fetch[cpu]:
                case Fetching(_, _, held):
                    return held == mpn
            return False
    return True


@invariant("ESX-2-11")
def visible_frame_holds_no_foreign_data(s: Machine, mpn: MPN) -> bool:
    """No leak: a page's own frame holds data of its VM, a shared one what all its sharers hold."""
    match s.frame[mpn]:
        case Private(page):
            return s.tag[mpn] == DataOf(page.vm)
        case Shared():
            return s.tag[mpn] == CommonData()
    return True


# What follows.


@theorem("ESX-2-11", "ESX-4.2-06")
def isolation(s: Machine, page: Page, other: Page, mpn: MPN) -> bool:
    """Two pages are on one frame only if it is shared."""
    together = s.pmap[page] == Mapped(mpn) and s.pmap[other] == Mapped(mpn)
    return page == other or not together or isinstance(s.frame[mpn], Shared)


@theorem("ESX-4.2-01", "ESX-4.2-06")
def no_sharing_across_domains(s: Machine, page: Page, other: Page, mpn: MPN) -> bool:
    """Pages on one frame belong to VMs of one sharing domain."""
    together = s.pmap[page] == Mapped(mpn) and s.pmap[other] == Mapped(mpn)
    return not together or s.domain[page.vm] == s.domain[other.vm]
