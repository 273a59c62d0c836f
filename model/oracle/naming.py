"""The implementation's names for frames and slots, which matter only up to renaming."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from ..reference.journal import NOTHING, Change

I = TypeVar("I")  # noqa: E741  (an identifier)
Name = str | int


def as_told(name: Name) -> str:
    """A name in a report: a string that could be taken for a number is in quotes."""
    return repr(name) if isinstance(name, str) and name.removeprefix("-").isdecimal() else str(name)


class Names(Generic[I]):
    """Which name stands for which identifier, as far as is known; a name of something free stands for nothing."""

    def __init__(self, is_free: Callable[[I], bool], note: Callable[[Change], None]) -> None:
        self.is_free, self.note = is_free, note
        self.of: dict[Name, I] = {}
        self.named: dict[I, Name] = {}
        self.are_fixed = False
        """Whether each has one name for ever."""
        self.others: dict[I, frozenset[Name]] = {}
        """What something without a name is not called: names that were in use when it was taken."""

    def copy(self, is_free: Callable[[I], bool], note: Callable[[Change], None]) -> Names[I]:
        """The same names, for a state of its own."""
        twin = Names(is_free, note)
        twin.of, twin.named = self.of.copy(), self.named.copy()
        twin.others, twin.are_fixed = self.others.copy(), self.are_fixed
        return twin

    def find(self, name: Name) -> I | None:
        """What the name stands for, if it is in use and known by that name."""
        one = self.of.get(name)
        return None if one is None or (not self.are_fixed and self.is_free(one)) else one

    def name(self, one: I) -> Name | None:
        """Its name, if it is in use and has one."""
        return None if self.is_free(one) else self.named.get(one)

    def may_be(self, name: Name, one: I) -> bool:
        """Whether something in use that has no name may be what is called so."""
        return self.find(name) is None and one not in self.named and name not in self.others.get(one, ())

    def take_unnamed(self, one: I) -> None:
        """Something free is taken, and nobody says under which name: under none of those in use now."""
        if self.are_fixed:
            return
        self.unbind(one)
        self.note((self.others, one, self.others.get(one, NOTHING)))
        self.others[one] = frozenset(name for name, other in self.of.items() if not self.is_free(other))

    def fix(self, names: Iterable[Name], ones: Iterable[I]) -> None:
        """Each has this name for ever."""
        self.of = dict(zip(names, ones, strict=True))
        self.named = {one: name for name, one in self.of.items()}
        self.are_fixed = True

    def bind(self, name: Name, one: I) -> None:
        """From now on the name stands for this; what else the two were known by was of something free."""
        if self.are_fixed:
            return
        before = self.of.get(name)
        if before is not None:
            self._drop(name, before)
        self.unbind(one)
        self.note((self.of, name, NOTHING))
        self.note((self.named, one, NOTHING))
        self.of[name], self.named[one] = one, name

    def unbind(self, one: I) -> None:
        """It is free, or taken by somebody who does not say under which name."""
        was = self.named.get(one)
        if was is not None:
            self._drop(was, one)

    def _drop(self, name: Name, one: I) -> None:
        self.note((self.of, name, self.of.pop(name)))
        self.note((self.named, one, self.named.pop(one)))


__all__ = ["Name", "Names", "as_told"]
