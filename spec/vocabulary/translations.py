"""Entries of page tables, TLBs and device caches, and what happens to them."""

from __future__ import annotations

from ..language import Sum, variant
from .names import MPN, VCPU, Page, Slot, VPage


class Translation(Sum):
    """An entry of a shadow page table or of a TLB."""

    __slots__ = ()


@variant
class Absent(Translation):
    """No entry."""


@variant
class Cached(Translation):
    """A virtual page taken directly to a frame (ESX-2-05), with what the entry allows and remembers."""

    page: Page
    mpn: MPN
    writable: bool
    accessed: bool
    dirty: bool


class Extent(Sum):
    """Who is asked to flush a page's translations."""

    __slots__ = ()


@variant
class OneVCPU(Extent):
    """This vCPU."""

    cpu: VCPU


@variant
class AllVCPUs(Extent):
    """Every vCPU of the page's VM."""


@variant
class Devices(Extent):
    """The VM's devices."""


class DeviceTranslation(Sum):
    """An entry of the cache of translations that a VM's devices use (ESX-7-03)."""

    __slots__ = ()


@variant
class NoDeviceEntry(DeviceTranslation):
    """No entry."""


@variant
class DeviceCached(DeviceTranslation):
    """Devices reach the page in this frame."""

    mpn: MPN
    writable: bool


class GuestEntry(Sum):
    """An entry of the guest's own page table."""

    __slots__ = ()


@variant
class NotPresent(GuestEntry):
    """The guest maps nothing here."""


@variant
class Names(GuestEntry):
    """The guest maps this page of its."""

    page: Page


class Fill(Sum):
    """Whether a vCPU's fault handler is between reading the pmap and installing a shadow entry."""

    __slots__ = ()


@variant
class NoFill(Fill):
    """It is not."""


@variant
class Filling(Fill):
    """It is, and this is what it read."""

    virtual: VPage
    page: Page
    mpn: MPN
    writable: bool
    generation: int


class Fetch(Sum):
    """Whether a vCPU's fault handler is in the middle of bringing a page in from the swap area."""

    __slots__ = ()


@variant
class NoFetch(Fetch):
    """It is not."""


@variant
class Fetching(Fetch):
    """It is: this page, from this slot, into this frame."""

    page: Page
    slot: Slot
    new: MPN


@variant
class Reading(Fetching):
    """The disk read is under way: the frame still holds anything."""


@variant
class ReadIn(Fetching):
    """The frame holds what the slot held. The page-in may have been abandoned since."""
