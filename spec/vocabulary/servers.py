"""Swap area, sharing, balloon, power and reclamation."""

from __future__ import annotations

from ..language import Sum, variant
from .names import MPN, ShortKey, Slot


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
    """It takes part. The server does not see its list of pages, and relies on the annotations alone."""


@variant
class MustReset(Driver):
    """The balloon was popped or the guest reset: the next exchange clears the driver's state (ESX-3.2-11)."""


class Sample(Sum):
    """Whether a page is in the sample of its VM's period (ESX-5.3-04)."""

    __slots__ = ()


@variant
class NotDrawn(Sample):
    """It is not."""


@variant
class Drawn(Sample):
    """It is, and was or was not touched since."""

    touched: bool


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


class Reclamation(Sum):
    """How scarce memory is, as the server sees it (ESX-6.3-04)."""

    __slots__ = ()


@variant
class High(Reclamation):
    """Enough is free: nothing is reclaimed."""


@variant
class Soft(Reclamation):
    """Balloons are inflated."""


@variant
class Hard(Reclamation):
    """Pages are moved to the swap area."""


@variant
class Low(Reclamation):
    """They still are, and VMs above their targets get no memory."""
