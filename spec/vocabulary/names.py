"""Identifiers: VMs, pages, frames and the like."""

from __future__ import annotations

from ..language import Identifier, Owned


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


class Block(Identifier):
    """A group of frames that the balloon gives up as a whole: the unit in which the server takes memory back (R-51)."""

    __slots__ = ()
    letter = "b"


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
