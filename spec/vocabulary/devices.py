"""Device transfers."""

from __future__ import annotations

from ..language import Contents, Sum, Value, Word, variant
from .names import MPN, Page


class Moved(Sum):
    """Which word a device has put into a bounce buffer."""

    __slots__ = ()


@variant
class NothingMoved(Moved):
    """None yet."""


@variant
class OneWord(Moved):
    """This one. `value`: what the device wrote there."""

    word: Word
    value: Value


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
