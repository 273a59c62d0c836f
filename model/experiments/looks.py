"""What was found out each time that all held: a tree, written out as one function.

What is found out is found out in an order that depends on nothing but what was found before. So two notes say the same
up to a condition that holds in one case and not in the other, and there the tree branches: whichever way a case takes
through it, each condition is looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .remembering import Finding
from .text import Text

Tree = dict[Finding, Any]
"""What is found out first, and the tree of what is found out then."""


class Looks:
    """A tree of notes, and the function that is made of it. What is done first, and last if one fits, is in texts."""

    def __init__(self, text: Text, first: Iterable[str] = (), last: Iterable[str] = (" return True",)) -> None:
        self.text, self.number = text, 0
        self.first, self.last = list(first), list(last)
        self._tree: Tree = {}

    def add(self, found: list[Finding]) -> None:
        """One more note of a case in which all held; not if it does not fit to those before."""
        self.number += 1
        tree = self._tree
        for finding in found:
            if not _fits(tree, finding):
                return
            tree = tree.setdefault(finding, {})

    def function(self, head: str) -> Callable[..., Any]:
        """Goes through the tree; None where no note fits."""
        text = self.text
        text.lines += self.first
        if self.number:
            text.add(0, "while True:")
            self._write(1, self._tree)
            text.lines += self.last
        else:
            text.add(0, "return None")
        return text.function(head)

    def _write(self, depth: int, tree: Tree) -> None:
        """A branch is left to others where one of its conditions does not hold; the last goes on as it is."""
        text = self.text
        while tree:
            *branches, ((name, told), rest) = sorted(tree.items(), key=_gives_a_name)
            for (_, condition), below in branches:
                text.add(depth, f"if {condition}:")
                self._write(depth + 1, below)
            text.add(depth, f"{name} = {told}" if name else f"if not ({told}): return None")
            tree = rest
        text.add(depth, "break")


def _fits(tree: Tree, finding: Finding) -> bool:
    """Of the ways that a tree goes on at most one is not a condition."""
    return finding in tree or not (finding[0] and any(name for name, _ in tree))


def _gives_a_name(branch: tuple[Finding, Any]) -> bool:
    return bool(branch[0][0])


__all__ = ["Looks"]
