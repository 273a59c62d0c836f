"""Identifiers: the names of things that the rules only compare.

An identifier has no arithmetic and no order. Two identifiers are the same
thing or they are not, so a proof about them holds for any number of things.
Each is interned: asking twice for `MPN(3)` gives the same object.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any, ClassVar, Self


class Identifier:
    """The base of all identifier sorts. `number` tells one from another when printed."""

    __slots__ = ("number",)
    number: int
    letter: ClassVar[str] = "i"
    _known: ClassVar[dict[Any, Any]]
    """All of one sort, by what tells them apart."""

    def __init_subclass__(cls) -> None:
        cls._known = {}

    def __new__(cls, number: int) -> Self:
        known: Self | None = cls._known.get(number)
        if known is None:
            known = cls._known[number] = object.__new__(cls)
            known.number = number
        return known

    def __repr__(self) -> str:
        return f"{self.letter}{self.number}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.number,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class VM(Identifier):
    """A virtual machine."""

    __slots__ = ()

    def __repr__(self) -> str:
        return chr(ord("A") + self.number) if self.number < 26 else f"VM{self.number}"


class Owned(Identifier):
    """Something that belongs to one VM for ever; `vm` says to which."""

    __slots__ = ("vm",)
    vm: VM

    def __new__(cls, vm: VM, number: int) -> Self:
        known: Self | None = cls._known.get((vm, number))
        if known is None:
            known = cls._known[vm, number] = object.__new__(cls)
            known.vm, known.number = vm, number
        return known

    def __repr__(self) -> str:
        return f"{self.vm!r}.{self.letter}{self.number}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.vm, self.number)


class Contents:
    """What a whole page holds: one value a word. Compared in full by `==`."""

    __slots__ = ("words",)
    words: tuple[Identifier, ...]
    _known: ClassVar[dict[tuple[Identifier, ...], Contents]] = {}

    def __new__(cls, words: tuple[Identifier, ...]) -> Contents:
        known = cls._known.get(words)
        if known is None:
            known = cls._known[words] = object.__new__(cls)
            known.words = words
        return known

    def word(self, word: Word) -> Value:
        """The value at one word of the page."""
        value = self.words[word.number]
        assert isinstance(value, Value)
        return value

    def with_word(self, word: Word, value: Value) -> Contents:
        """The same page with one word changed."""
        words: list[Identifier] = [*self.words]
        words[word.number] = value
        return Contents(tuple(words))

    def __repr__(self) -> str:
        return "[" + " ".join(map(repr, self.words)) + "]"

    def __reduce__(self) -> tuple[Any, ...]:
        return Contents, (self.words,)


class Word(Identifier):
    """The place of a word inside a page. A page has at least two words."""

    __slots__ = ()
    letter = "w"


class Value(Identifier):
    """What one word holds."""

    __slots__ = ()
    letter = "x"


def remembered(*sorts: type[Identifier]) -> int:
    """How many contents and identifiers of these sorts are remembered, whether anybody holds them or not."""
    return len(Contents._known) + sum(len(sort._known) for sort in sorts)


def forget_unused(*sorts: type[Identifier]) -> None:
    """Contents, and identifiers of these sorts, that nobody holds are not remembered any more: else a run that writes
    ever new values would hold them all."""
    for known in (Contents._known, *(sort._known for sort in sorts)):
        for key in list(known):
            if getrefcount(known[key]) <= 2:  # the memory of it, and the question
                del known[key]
