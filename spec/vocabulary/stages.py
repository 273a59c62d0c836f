"""What is being done to a page: the stages of operations."""

from __future__ import annotations

from ..language import Sum, variant
from .names import MPN, VCPU, Slot


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
class ComingIn(Operation):
    """Page-in, by the fault handler of this vCPU: see its `fetch`."""

    cpu: VCPU


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
