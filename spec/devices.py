"""Devices (section 7): transfers, and the bounce buffers that some of them need.

A device transfer pins a frame from its start to its end. Devices reach only
low memory: for a page in a high frame the data goes through a bounce buffer,
which costs a copy. Pages that cost too many are moved: see `remapping`.
"""

from __future__ import annotations

from .frames import add_reference, drop_reference, is_free, lose_reference, return_frame, use_frame
from .language import (
    Contents,
    Value,
    Word,
    enabled,
    invariant,
    leaves,
    refuse,
    require,
    rule,
    theorem,
    transition,
    view,
    visible,
)
from .machine import Machine
from .private_memory import receive, receive_and_stop, send, start_receiving, start_sending, stop_transfer
from .refusals import Refused
from .translation import count_touch, may_write
from .vocabulary import (
    MPN,
    Bounce,
    BounceIn,
    BounceOut,
    DataOf,
    DeviceCached,
    Idle,
    Inbound,
    Mapped,
    Nobodys,
    NothingMoved,
    NoTransfer,
    Off,
    OneWord,
    Outbound,
    Page,
    Private,
    Running,
    Shared,
    Transfer,
    UnderWay,
)

# Translations for devices.


@rule("ESX-7-03", "ESX-2-06", "R-34", again="each I/O looks its page up")
def fill_device_entry(s: Machine, page: Page) -> None:
    """The server looks a page up for I/O that the guest has ordered, and caches the translation."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    match s.pmap[page]:
        case Mapped(mpn):
            s.device_entry[page] = DeviceCached(mpn, may_write(s, page, mpn))
            count_touch(s, page)
        case _:
            refuse(Refused.NOT_MAPPED)


# Transfers to and from low frames.


@rule("ESX-7-01", "ESX-7-02")
def start_inbound(s: Machine, transfer: Transfer, page: Page) -> None:
    """A device is told to write a page, by its frame, which is pinned."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.transfer[transfer] == NoTransfer(), Refused.TRANSFER_IN_PROGRESS)
    match s.device_entry[page]:
        case DeviceCached(mpn, writable):
            require(writable, Refused.NOT_PRIVATE)
            require(s.low[mpn], Refused.NOT_LOW)
            s.transfer[transfer] = Inbound(page, mpn)
            pin(s, mpn)
            visible(s, start_receiving, transfer, page)
        case _:
            refuse(Refused.NO_TRANSLATION)


@rule("ESX-7-01", "ESX-7-02")
def start_outbound(s: Machine, transfer: Transfer, page: Page) -> None:
    """A device is told to read a page, by its frame, which is pinned."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.transfer[transfer] == NoTransfer(), Refused.TRANSFER_IN_PROGRESS)
    match s.device_entry[page]:
        case DeviceCached(mpn, _):
            require(s.low[mpn], Refused.NOT_LOW)
            s.transfer[transfer] = Outbound(page, mpn, s.contents[mpn])
            pin(s, mpn)
            visible(s, start_sending, transfer, page)
        case _:
            refuse(Refused.NO_TRANSLATION)


def pin(s: Machine, mpn: MPN) -> None:
    """A transfer uses the frame."""
    s.pins[mpn] += 1
    add_reference(s, mpn)


def unpin(s: Machine, transfer: Transfer, mpn: MPN) -> None:
    """The transfer is over, and no longer uses the frame. A shared frame that all have left is freed now."""
    s.transfer[transfer] = NoTransfer()
    s.pins[mpn] -= 1
    if isinstance(s.frame[mpn], Shared):
        drop_reference(s, mpn)
    else:
        lose_reference(s, mpn)


def unpin_own(s: Machine, transfer: Transfer, mpn: MPN) -> None:
    """The same for a transfer that brought data, to a frame that its page still has for itself."""
    s.transfer[transfer] = NoTransfer()
    s.pins[mpn] -= 1
    lose_reference(s, mpn)


# Transfers through a bounce buffer.


@rule("ESX-7-01", "ESX-7-02", "ESX-7-03")
def start_bounce_in(s: Machine, transfer: Transfer, page: Page, buffer: MPN) -> None:
    """The page is in high memory: the device is told to write a cleared low frame in its place."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.transfer[transfer] == NoTransfer(), Refused.TRANSFER_IN_PROGRESS)
    match s.device_entry[page]:
        case DeviceCached(mpn, writable):
            require(writable, Refused.NOT_PRIVATE)
            take_buffer(s, transfer, mpn, buffer)
            s.contents[buffer] = s.zero
            s.tag[buffer] = Nobodys()
            s.transfer[transfer] = BounceIn(page, mpn, buffer, NothingMoved())
            s.copies[page] += 1
            pin(s, mpn)
            visible(s, start_receiving, transfer, page)
        case _:
            refuse(Refused.NO_TRANSLATION)


@rule("ESX-7-01", "ESX-7-02", "ESX-7-03")
def start_bounce_out(s: Machine, transfer: Transfer, page: Page, buffer: MPN) -> None:
    """The page is in high memory: it is copied to a low frame, which the device is told to read."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.transfer[transfer] == NoTransfer(), Refused.TRANSFER_IN_PROGRESS)
    match s.device_entry[page]:
        case DeviceCached(mpn, _):
            take_buffer(s, transfer, mpn, buffer)
            s.contents[buffer] = s.contents[mpn]
            s.tag[buffer] = DataOf(page.vm)
            s.transfer[transfer] = BounceOut(page, mpn, buffer, s.contents[mpn])
            s.copies[page] += 1
            pin(s, mpn)
            visible(s, start_sending, transfer, page)
        case _:
            refuse(Refused.NO_TRANSLATION)


def take_buffer(s: Machine, transfer: Transfer, mpn: MPN, buffer: MPN) -> None:
    """A free low frame becomes the bounce buffer for a page in a high one."""
    require(not s.low[mpn], Refused.NOT_HIGH)
    require(is_free(s, buffer), Refused.NO_FREE_FRAME)
    require(s.low[buffer], Refused.NOT_LOW)
    use_frame(s, buffer, Bounce(transfer))


# Data moves, transfers end.


@rule("ESX-7-02", again="a device writes a word of a frame as often as it likes")
def device_writes(s: Machine, transfer: Transfer, word: Word, value: Value) -> None:
    """The device writes one word: of the page's frame, or of the bounce buffer."""
    match s.transfer[transfer]:
        case Inbound(page, mpn):
            s.contents[mpn] = s.contents[mpn].with_word(word, value)
            s.dirty[page] = True
            visible(s, receive, transfer, page, word, value)
        case BounceIn(page, mpn, buffer, NothingMoved()):
            s.contents[buffer] = s.contents[buffer].with_word(word, value)
            s.tag[buffer] = DataOf(page.vm)
            s.transfer[transfer] = BounceIn(page, mpn, buffer, OneWord(word, value))
        case _:
            refuse(Refused.NO_TRANSFER)


@rule("ESX-7-02", again="a device reads as often as it likes")
def device_reads(s: Machine, transfer: Transfer, word: Word) -> Value:
    """The device reads one word: of the page's frame, or of the bounce buffer."""
    match s.transfer[transfer]:
        case Outbound(page, mpn, _):
            visible(s, send, transfer, page, word, s.contents[mpn].word(word))
            return s.contents[mpn].word(word)
        case BounceOut(page, _, buffer, _):
            visible(s, send, transfer, page, word, s.contents[buffer].word(word))
            return s.contents[buffer].word(word)
        case _:
            refuse(Refused.NO_TRANSFER)


@rule("ESX-7-02")
def end_inbound(s: Machine, transfer: Transfer) -> None:
    """The device has written what it had to. From a bounce buffer just the word that it wrote reaches the page."""
    match s.transfer[transfer]:
        case Inbound(_, mpn):
            unpin_own(s, transfer, mpn)
            visible(s, stop_transfer, transfer)
        case BounceIn(_, mpn, buffer, NothingMoved()):
            unpin_own(s, transfer, mpn)
            return_frame(s, buffer)
            visible(s, stop_transfer, transfer)
        case BounceIn(page, mpn, buffer, OneWord(word, value)):
            arrived = s.contents[buffer].word(word)
            s.contents[mpn] = s.contents[mpn].with_word(word, arrived)
            s.dirty[page] = True
            unpin_own(s, transfer, mpn)
            return_frame(s, buffer)
            visible(s, receive_and_stop, transfer, page, word, value)
        case _:
            refuse(Refused.NO_TRANSFER)


@rule("ESX-7-02")
def end_outbound(s: Machine, transfer: Transfer) -> None:
    """The device has read what it had to."""
    match s.transfer[transfer]:
        case Outbound(_, mpn, _):
            unpin(s, transfer, mpn)
            visible(s, stop_transfer, transfer)
        case BounceOut(_, mpn, buffer, _):
            unpin(s, transfer, mpn)
            return_frame(s, buffer)
            visible(s, stop_transfer, transfer)
        case _:
            refuse(Refused.NO_TRANSFER)


# What always holds.


@invariant("ESX-7-02", "ESX-7-05")
def frame_written_by_device_is_its_pages(s: Machine, transfer: Transfer) -> bool:
    """The frame that a transfer brings data to is its page's own."""
    match s.transfer[transfer]:
        case Inbound(page, mpn) | BounceIn(page, mpn, _, _):
            return s.frame[mpn] == Private(page)
    return True


@invariant("ESX-7-02", "ESX-7-05")
def frame_read_by_device_is_its_pages(s: Machine, transfer: Transfer) -> bool:
    """The frame that a device is to get data from is its page's own, or shared and as it was at the start."""
    match s.transfer[transfer]:
        case Outbound(page, mpn, snapshot) | BounceOut(page, mpn, _, snapshot):
            return s.frame[mpn] == Private(page) or is_shared_and_holds(s, mpn, snapshot)
    return True


@view
def is_shared_and_holds(s: Machine, mpn: MPN, contents: Contents) -> bool:
    """Whether a frame is shared and holds this."""
    return isinstance(s.frame[mpn], Shared) and s.contents[mpn] == contents


@invariant("ESX-7-02")
def buffer_read_by_device_is_a_copy(s: Machine, transfer: Transfer) -> bool:
    """A bounce buffer that a device reads holds what the page held at the start."""
    match s.transfer[transfer]:
        case BounceOut(_, _, buffer, snapshot):
            return s.contents[buffer] == snapshot
    return True


@invariant("ESX-7-02", "ESX-7-05")
def buffer_written_by_device_holds_what_it_wrote(s: Machine, transfer: Transfer) -> bool:
    """The word that a device has put into a bounce buffer is there until the transfer ends."""
    match s.transfer[transfer]:
        case BounceIn(_, _, buffer, OneWord(word, value)):
            return s.contents[buffer].word(word) == value
    return True


@theorem("R-44", "ESX-7-02")
def transfer_is_for_a_vm_that_is_on(s: Machine, transfer: Transfer) -> bool:
    """A VM with a transfer under way is not off."""
    match s.transfer[transfer]:
        case UnderWay(page, _):
            return s.life[page.vm] != Off()
    return True


@invariant("ESX-7-01")
def devices_reach_low_frames_only(s: Machine, transfer: Transfer) -> bool:
    """A page's frame that a device itself reads or writes is in low memory."""
    match s.transfer[transfer]:
        case Inbound(_, mpn) | Outbound(_, mpn, _):
            return s.low[mpn]
    return True


@invariant("ESX-7-01", "ESX-7-02")
def bounce_buffers_are_low_frames(s: Machine, transfer: Transfer) -> bool:
    """A transfer through a bounce buffer has one of its own, in low memory, for a page's frame in high memory."""
    match s.transfer[transfer]:
        case BounceIn(_, mpn, buffer, _) | BounceOut(_, mpn, buffer, _):
            return s.low[buffer] and s.frame[buffer] == Bounce(transfer) and not s.low[mpn]
    return True


@invariant("ESX-7-02")
def bounce_buffer_is_in_use(s: Machine, mpn: MPN) -> bool:
    """A bounce buffer belongs to a transfer under way, and holds only data of its VM."""
    match s.frame[mpn]:
        case Bounce(transfer):
            match s.transfer[transfer]:
                case BounceIn(page, _, buffer, _) | BounceOut(page, _, buffer, _):
                    return buffer == mpn and (s.tag[mpn] == DataOf(page.vm) or s.tag[mpn] == Nobodys())
            return False
    return True


@theorem("ESX-7-05", "ESX-2-11")
def device_writes_own_page(s: Machine, transfer: Transfer, page: Page) -> bool:
    """A frame that a device writes backs no page but the transfer's."""
    match s.transfer[transfer]:
        case Inbound(owner, mpn):
            return s.pmap[page] != Mapped(mpn) or page == owner
    return True


@theorem("ESX-7-03")
def a_look_up_leaves_a_translation(s: Machine, page: Page) -> bool:
    """Once the server has looked a page up for I/O, devices can reach it, and write it if a vCPU could."""
    match s.pmap[page]:
        case Mapped(mpn):
            entry = DeviceCached(mpn, may_write(s, page, mpn))
            found = leaves(fill_device_entry, s, page, so_that=lambda after: after.device_entry[page] == entry)
            return found or not enabled(fill_device_entry, s, page)
    return not enabled(fill_device_entry, s, page)


# What every step keeps.


@transition("ESX-7-04", "R-45")
def copies_are_counted(before: Machine, after: Machine, page: Page) -> bool:
    """The count of copies grows one by one, and starts again only as the page gets another frame."""
    return after.copies[page] in (before.copies[page], before.copies[page] + 1) or after.pmap[page] != before.pmap[page]


@transition("ESX-7-02", "ESX-7-03")
def a_bounce_is_counted(before: Machine, after: Machine, transfer: Transfer) -> bool:
    """Every transfer that begins with a bounce buffer counts as a copy of its page."""
    match after.transfer[transfer]:
        case BounceIn(page, _, _, _) | BounceOut(page, _, _, _):
            begun = before.transfer[transfer] == NoTransfer()
            return not begun or after.copies[page] == before.copies[page] + 1
    return True


@transition("ESX-7-02", "ESX-7-05")
def what_a_device_writes_is_noted(before: Machine, after: Machine, transfer: Transfer) -> bool:
    """When the bounce buffer of an inbound transfer changes, the transfer notes which word it now has to deliver."""
    match before.transfer[transfer]:
        case BounceIn(_, _, buffer, _):
            same = after.contents[buffer] == before.contents[buffer]
            return same or after.transfer[transfer] != before.transfer[transfer]
    return True


@transition("ESX-7-03")
def device_entries_are_made_for_running_vms(before: Machine, after: Machine, page: Page) -> bool:
    """Devices get a new translation of a page only while its VM runs."""
    made = after.device_entry[page] != before.device_entry[page] and isinstance(after.device_entry[page], DeviceCached)
    return not made or before.life[page.vm] == Running()
