"""Moving pages: I/O page remapping (section 7), where a page that was copied too often goes to low memory.

Protect the page, wait until all have flushed and no transfer is under way,
copy, install, wait again, free the old frame. From the copy on a move is what
a copy-on-write break is, with the same steps: see `sharing`. A break needs no
more than these, as nobody can write a shared frame anyhow. A server that
moves pages for reasons of its own, as when it wants frames that lie side by
side, does so in the same steps (R-53).
"""

from __future__ import annotations

from .frames import is_free, is_kept_for_devices, take_frame
from .language import Grade, choice, enabled, invariant, measure, pick, refuse, require, rule, theorem, transition, view
from .machine import Machine
from .operations import frame_is_private
from .refusals import Refused
from .translation import flushed, revoke
from .vocabulary import (
    MPN,
    Bounce,
    FrameUse,
    Free,
    Idle,
    InTransit,
    Mapped,
    Moving,
    Page,
    Private,
    Running,
    Still,
)


@choice(Grade.OUR_READING, "ESX-7-04", "R-45")
def is_hot(s: Machine, page: Page) -> bool:
    """A page is hot once it was copied more often than the threshold."""
    return s.copies[page] > s.remap_after


@view
def is_in_low(s: Machine, page: Page) -> bool:
    """Whether a page's frame is in low memory."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.low[mpn]
    return False


@view
def is_in_high(s: Machine, page: Page) -> bool:
    """Whether it is in high memory."""
    match s.pmap[page]:
        case Mapped(mpn):
            return not s.low[mpn]
    return False


@view
def waits_for_low(s: Machine, page: Page) -> bool:
    """Whether a page is hot, in a frame of its own, and not in low memory."""
    return is_hot(s, page) and frame_is_private(s, page) and not is_in_low(s, page)


@view
def no_low_frame_is_free(s: Machine) -> bool:
    """Whether every low frame is in use."""
    return s.each(MPN).every(lambda mpn: s.frame[mpn] != Free() or not s.low[mpn])


@rule("ESX-2-08", "ESX-7-04", "R-46", "R-48")
def move_to_low(s: Machine, page: Page, new: MPN) -> None:
    """A hot page in a high frame of its own is to move to a free low frame."""
    require(is_hot(s, page), Refused.NOT_HOT)
    require(s.low[new], Refused.NOT_LOW)
    require(not is_in_low(s, page), Refused.SAME_ZONE)
    start_move(s, page, new)


@rule("ESX-7-06", "R-47")
def move_to_high(s: Machine, page: Page, hot: Page, new: MPN) -> None:
    """No low frame is free for a hot page: some other page in low memory makes room."""
    require(s.displace, Refused.NOT_IN_USE_BY_READING)
    require(waits_for_low(s, hot), Refused.NOT_HOT)
    require(no_low_frame_is_free(s), Refused.LOW_FRAME_FREE)
    require(not s.low[new], Refused.NOT_HIGH)
    require(not is_in_high(s, page), Refused.SAME_ZONE)
    start_move(s, page, new)


@rule("ESX-2-08", "R-46", "R-48", "R-53")
def move_at_will(s: Machine, page: Page, new: MPN) -> None:
    """A page with a frame of its own is to move to another, whatever for."""
    require(s.migrate, Refused.NOT_IN_USE_BY_READING)
    require(not is_kept_for_devices(s, new), Refused.KEPT_FOR_DEVICES)
    start_move(s, page, new)


def start_move(s: Machine, page: Page, new: MPN) -> None:
    """Take the frame and write-protect the page."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    require(is_free(s, new), Refused.NO_FREE_FRAME)
    match s.pmap[page]:
        case Mapped(mpn):
            require(s.frame[mpn] == Private(page), Refused.NOT_PRIVATE)
            take_frame(s, new, InTransit(page))
            s.operation[page] = Moving(new)
            revoke(s, page)
        case _:
            refuse(Refused.NOT_MAPPED)


@rule("ESX-7-05", "R-03", "R-48")
def finish_protecting_move(s: Machine, page: Page) -> None:
    """All flushes are done and no transfer is under way: the page is still, and can be copied."""
    match s.operation[page]:
        case Moving(new):
            match s.pmap[page]:
                case Mapped(mpn):
                    require(flushed(s, page), Refused.FLUSH_PENDING)
                    require(s.pins[mpn] == 0, Refused.PINNED)
                    s.operation[page] = Still(new)
        case _:
            refuse(Refused.WRONG_STAGE)


# What always holds.


@measure("frame")
def low_frames_used(s: Machine, use: FrameUse, mpn: MPN) -> int:
    """Low frames that are not free."""
    return pick(s.low[mpn] and use != Free(), 1, 0)


@invariant("ESX-7-06", "R-52")
def low_frames_counted(s: Machine) -> bool:
    """The counter of low frames in use is the number of low frames that are not free."""
    return s.low_in_use == low_frames_used(s)


# What every step keeps.


@transition("ESX-7-04", "R-46")
def only_pages_with_a_frame_of_their_own_move(before: Machine, after: Machine, page: Page) -> bool:
    """A page in a shared frame is not moved: it would cost a frame."""
    begun = isinstance(after.operation[page], Moving) and before.operation[page] == Idle()
    return not begun or frame_is_private(before, page)


@transition("ESX-7-04", "ESX-7-06", "R-45", "R-47", "R-53")
def moved_only_with_a_reason(before: Machine, after: Machine, page: Page) -> bool:
    """Unless a server's own reasons count, a hot page moves from high to low memory, another up only to make room."""
    match after.operation[page]:
        case Moving(new):
            if before.operation[page] == Idle():
                down = before.copies[page] > before.remap_after and before.low[new] and not is_in_low(before, page)
                up = before.displace and is_in_low(before, page) and no_low_frame_is_free(before)
                return down or up or before.migrate
    return True


@transition("ESX-7-06", "R-52")
def last_low_frames_are_for_devices(before: Machine, after: Machine, mpn: MPN) -> bool:
    """Of the low frames kept for devices none is taken but for a bounce buffer or a hot page."""
    taken = before.low[mpn] and before.frame[mpn] == Free() and after.frame[mpn] != Free()
    if not taken or low_frames_used(before) < before.low_for_all:
        return True
    match after.frame[mpn]:
        case Bounce():
            return True
        case InTransit(page):
            return after.operation[page] == Moving(mpn) and is_hot(after, page)
    return False


# What follows.


@theorem("ESX-7-06", "R-47")
def room_is_made_for_a_hot_page(s: Machine, page: Page, hot: Page, new: MPN) -> bool:
    """A page leaves low memory only for one that is hot, has a frame of its own, and is not there yet."""
    waits = is_hot(s, hot) and frame_is_private(s, hot) and not is_in_low(s, hot)
    return waits or not enabled(move_to_high, s, page, hot, new)
