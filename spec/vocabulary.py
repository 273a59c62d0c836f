"""The things that the specification speaks of: identifiers, and values that are one of several things.

Read it as the list of words. What each field of the server's state holds is
in `machine`.
"""

from __future__ import annotations

from .language import VM, Contents, Identifier, Owned, Sum, Word, variant


class Page(Owned):
    """A page of a VM's "physical" memory: a VM and a PPN (ESX-2-02)."""

    __slots__ = ()
    letter = "p"


class VPage(Owned):
    """A virtual page of a guest, in one of its address spaces."""

    __slots__ = ()
    letter = "v"


class VCPU(Owned):
    """A virtual processor of a VM."""

    __slots__ = ()
    letter = "cpu"


class MPN(Identifier):
    """A frame: a page of machine memory (ESX-2-01)."""

    __slots__ = ()
    letter = "m"


class Slot(Identifier):
    """A page-sized place in the swap area."""

    __slots__ = ()
    letter = "k"


class Transfer(Identifier):
    """One device transfer that may be under way."""

    __slots__ = ()
    letter = "t"


class Key(Identifier):
    """A hash of a page's contents (ESX-4.2-03). Different contents may have the same key."""

    __slots__ = ()
    letter = "h"


class ShortKey(Identifier):
    """The part of a key that a hint frame stores (ESX-4.3-05)."""

    __slots__ = ()
    letter = "s"


class Domain(Identifier):
    """A sharing domain: pages are shared only within one (the salt of later systems)."""

    __slots__ = ()
    letter = "d"


# Where the contents of a page are.


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


# What is being done to a page.


class Reason(Sum):
    """Why a page is being unmapped."""

    __slots__ = ()


@variant
class ForBalloon(Reason):
    """Its guest has offered it to the balloon."""


@variant
class ForPaging(Reason):
    """The swap daemon has picked it."""


@variant
class ForPowerOff(Reason):
    """Its VM is being powered off."""


class Operation(Sum):
    """The stage of the operation that has a page, named after what is true in it. At most one a page."""

    __slots__ = ()


@variant
class Idle(Operation):
    """None."""


@variant
class Bringing(Operation):
    """A frame is made ready for a page that has none."""

    mpn: MPN


@variant
class Clearing(Bringing):
    """First touch: the frame still holds anything."""


@variant
class Cleared(Bringing):
    """First touch: the frame holds zeros."""


@variant
class Reading(Bringing):
    """Page-in: the frame still holds anything."""


@variant
class ReadIn(Bringing):
    """Page-in: the frame holds what the slot holds."""


@variant
class Sharing(Operation):
    """The page may come to share this frame, which the operation holds so that it cannot go away."""

    target: MPN


@variant
class Found(Sharing):
    """The keys agree. The page may still be written."""


@variant
class Protecting(Sharing):
    """Write-protected; a writable translation may still be cached somewhere."""


@variant
class Quiet(Sharing):
    """No vCPU can write the page, and no new transfer can start on it."""


@variant
class Alone(Sharing):
    """Nor is a device transfer under way on it."""


@variant
class Same(Sharing):
    """And the contents are equal, compared in full."""


@variant
class Marking(Operation):
    """A hinted page is write-protected on its way to becoming a shared frame."""


@variant
class Copying(Operation):
    """The page gets this other frame."""

    new: MPN


@variant
class Moving(Copying):
    """Write-protected; a writable translation may still be cached somewhere."""


@variant
class Still(Copying):
    """Nobody can write the page."""


@variant
class Copied(Copying):
    """And the new frame holds the same."""


@variant
class Leaving(Operation):
    """The page has another frame now; this old one may still be read by vCPUs that owe a flush."""

    old: MPN


@variant
class GivingUp(Operation):
    """The page is unmapped; its frame still holds its contents."""

    why: Reason


@variant
class Unmapping(GivingUp):
    """A translation may still be cached somewhere."""


@variant
class Unmapped(GivingUp):
    """Nobody can reach the page: no vCPU, no transfer."""


@variant
class PagingOut(Operation):
    """The same, and this slot is reserved for it."""

    slot: Slot


@variant
class SlotHeld(PagingOut):
    """Nothing is written yet."""


@variant
class Writing(PagingOut):
    """The write to disk is under way; the slot holds anything."""


@variant
class Written(PagingOut):
    """The slot holds what the frame holds."""


# Translations.


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


# Device transfers.


class Moved(Sum):
    """Which word a device has put into a bounce buffer."""

    __slots__ = ()


@variant
class NothingMoved(Moved):
    """None yet."""


@variant
class OneWord(Moved):
    """This one."""

    word: Word


class DeviceTransfer(Sum):
    """A transfer, from start to end. It pins the frame it was started on."""

    __slots__ = ()


@variant
class NoTransfer(DeviceTransfer):
    """Not under way."""


@variant
class UnderWay(DeviceTransfer):
    """Between a device and this page, in this frame."""

    page: Page
    mpn: MPN


@variant
class Inbound(UnderWay):
    """The device writes the frame."""


@variant
class Outbound(UnderWay):
    """The device reads the frame. `snapshot`: what the page held at the start."""

    snapshot: Contents


@variant
class BounceIn(UnderWay):
    """The device writes a bounce buffer, from which the word it wrote is copied at the end."""

    buffer: MPN
    moved: Moved


@variant
class BounceOut(UnderWay):
    """The device reads a bounce buffer, filled from the page at the start."""

    buffer: MPN
    snapshot: Contents


# Swap, sharing, balloon, power.


class Kept(Sum):
    """Whether a copy of a resident page's contents is still in the swap area."""

    __slots__ = ()


@variant
class NothingKept(Kept):
    """It is not."""


@variant
class KeptSlot(Kept):
    """It is, in this slot."""

    slot: Slot


class Hint(Sum):
    """Whether a page is in the hash table as a hint (ESX-4.2-10)."""

    __slots__ = ()


@variant
class NoHint(Hint):
    """It is not."""


@variant
class HintFrame(Hint):
    """It is, under this truncated hash. The page may have changed since."""

    key: ShortKey


class TableEntry(Sum):
    """What the hash table lists under a key, hints apart."""

    __slots__ = ()


@variant
class NoEntry(TableEntry):
    """No shared frame."""


@variant
class SharedFrame(TableEntry):
    """This shared frame."""

    mpn: MPN


class Driver(Sum):
    """The balloon driver of a guest as the server knows it (ESX-3.2-15)."""

    __slots__ = ()


@variant
class NoDriver(Driver):
    """Absent, disabled, or not yet started."""


@variant
class Ready(Driver):
    """It takes part; its list of pages agrees with the annotations."""


@variant
class MustReset(Driver):
    """The balloon was popped or the guest reset: the next exchange clears the driver's state (ESX-3.2-11)."""


class Life(Sum):
    """Whether a VM runs."""

    __slots__ = ()


@variant
class Off(Life):
    """Powered off: it holds nothing."""


@variant
class Running(Life):
    """Powered on."""


@variant
class Dying(Life):
    """Being powered off, page by page."""
