"""Where a page's contents are, what a frame is used for, whose data it holds."""

from __future__ import annotations

from ..language import VM, Sum, variant
from .names import MPN, VCPU, Domain, Key, Page, Slot, Transfer


class Backing(Sum):
    """The one authority for a page's contents."""

    __slots__ = ()


@variant
class Untouched(Backing):
    """Nowhere: the page reads as zeros and gets a frame when it is touched (ESX-2-09)."""


@variant
class Mapped(Backing):
    """In this frame."""

    mpn: MPN


@variant
class Swapped(Backing):
    """In this slot of the swap area."""

    slot: Slot


@variant
class Ballooned(Backing):
    """Nowhere: the guest has put the page into its balloon (ESX-3.2-06)."""


# What a frame is used for.


class FrameUse(Sum):
    """A frame is exactly one of these at a time."""

    __slots__ = ()


@variant
class Free(FrameUse):
    """Nobody's. Its old contents are still in it."""


@variant
class Vacated(FrameUse):
    """Nobody's too, but given up by the balloon: it waits for the rest of its block (R-51)."""


@variant
class Zeroing(FrameUse):
    """Being cleared for the first touch of this page; not yet visible to it."""

    page: Page


@variant
class Private(FrameUse):
    """The frame of this page alone."""

    page: Page


@variant
class Shared(FrameUse):
    """Shared copy-on-write by pages of one domain; listed in the table under this key (ESX-4.3-04)."""

    domain: Domain
    key: Key


@variant
class InTransit(FrameUse):
    """In the hands of an operation on this page: being filled, or left behind until the last flush."""

    page: Page


@variant
class Incoming(FrameUse):
    """In the hands of this vCPU's fault handler: a page is read into it from the swap area."""

    cpu: VCPU


@variant
class Bounce(FrameUse):
    """The bounce buffer of this transfer (ESX-7-02)."""

    transfer: Transfer


@variant
class Reserved(FrameUse):
    """Overhead of this VM: frame buffer, pmap, shadow page tables (ESX-6.2-05)."""

    vm: VM


class Tag(Sum):
    """Whose data a frame last held: kept when the frame is freed, so that a leak can be seen."""

    __slots__ = ()


@variant
class Nobodys(Tag):
    """Zeros."""


@variant
class AtBoot(Tag):
    """Whatever was in it when the machine was started."""


@variant
class DataOf(Tag):
    """Data of this VM."""

    vm: VM


@variant
class CommonData(Tag):
    """Data that a shared frame holds for all its sharers."""
