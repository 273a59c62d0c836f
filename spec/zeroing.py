"""First touch (section 2): a page gets a frame when it is first touched, and reads as zeros.

The frame is cleared in a step of its own; only then does the page get it, so
that no guest sees what another had in it (ESX-2-10, ESX-2-11).
"""

from __future__ import annotations

from .frames import is_free, is_kept_for_devices, take_frame
from .language import invariant, refuse, require, rule
from .machine import Machine
from .reclamation import is_blocked
from .refusals import Refused
from .vocabulary import (
    MPN,
    Cleared,
    Clearing,
    DataOf,
    Idle,
    Mapped,
    Nobodys,
    Page,
    Private,
    Running,
    Untouched,
    Zeroing,
)


@rule("ESX-2-09", "ESX-2-10", "R-01", "R-02", "ESX-6.3-10")
def touch(s: Machine, page: Page, new: MPN) -> None:
    """An untouched page is touched: a frame is taken for it."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.pmap[page] == Untouched(), Refused.NOT_UNTOUCHED)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    require(not is_blocked(s, page.vm), Refused.VM_BLOCKED)
    require(is_free(s, new), Refused.NO_FREE_FRAME)
    require(not is_kept_for_devices(s, new), Refused.KEPT_FOR_DEVICES)
    take_frame(s, new, Zeroing(page))
    s.operation[page] = Clearing(new)


@rule("ESX-2-10", "ESX-2-11")
def clear(s: Machine, page: Page) -> None:
    """The frame is filled with zeros."""
    match s.operation[page]:
        case Clearing(new):
            s.contents[new] = s.zero
            s.tag[new] = Nobodys()
            s.operation[page] = Cleared(new)
        case _:
            refuse(Refused.WRONG_STAGE)


@rule("ESX-2-09", "ESX-2-10")
def install_cleared(s: Machine, page: Page) -> None:
    """Only now does the page get the frame."""
    match s.operation[page]:
        case Cleared(new):
            s.pmap[page] = Mapped(new)
            s.frame[new] = Private(page)
            s.tag[new] = DataOf(page.vm)
            s.resident[page.vm] += 1
            s.attempted[page] = False
            s.operation[page] = Idle()
        case _:
            refuse(Refused.WRONG_STAGE)


# What always holds.


@invariant("ESX-2-10", "ESX-2-11")
def nobodys_data_is_zeros(s: Machine, mpn: MPN) -> bool:
    """A frame that is marked as nobody's data holds zeros."""
    return s.tag[mpn] != Nobodys() or s.contents[mpn] == s.zero
