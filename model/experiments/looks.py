"""Ways in which steps of a kind looked of which all held: a tree, written out as one function.

What is found out of a step is found out in an order that depends on nothing but what was found before. So two notes
say the same up to a condition that holds of one step and not of the other, and there the tree branches: whichever way
a step takes through it, each condition is looked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .remembering import Finding
from .text import Text

Tree = dict[Finding, Any]
"""What is found out first, and the tree of what is found out then, or at the end how many statements hold."""


class Looks:
    """A tree of notes, and the function that is made of it. What is done before, and after if one fits, is in texts."""

    def __init__(self, text: Text, before: list[str], after: list[str]) -> None:
        self.text, self.number = text, 0
        self.before, self.after = before, after
        self._tree: Tree = {}

    def add(self, found: list[Finding], asked: int) -> None:
        """One more note, of a step of which so many statements hold; not if it does not fit to those before."""
        self.number += 1
        tree: Any = self._tree
        for finding in found[:-1]:
            if not _fits(tree, finding):
                return
            tree = tree.setdefault(finding, {})
        if _fits(tree, found[-1]):
            tree[found[-1]] = asked

    def function(self, head: str) -> Callable[..., Any]:
        """What gives the number of statements that hold; None if a step looks like none of these."""
        text = self.text
        text.lines += self.before
        if self._tree:
            text.add(0, "while True:")
            self._write(1, self._tree)
            text.lines += self.after
            text.add(0, "return asked")
        else:
            text.add(0, "return None")
        return text.function(head)

    def _write(self, depth: int, tree: Any) -> None:
        """A branch is left to others where one of its conditions does not hold; the last goes on as it is."""
        text = self.text
        while isinstance(tree, dict):
            *branches, ((name, told), rest) = sorted(tree.items(), key=_gives_a_name)
            for (_, condition), below in branches:
                text.add(depth, f"if {condition}:")
                self._write(depth + 1, below)
            text.add(depth, f"{name} = {told}" if name else f"if not ({told}): return None")
            tree = rest
        text.add(depth, f"asked = {tree}")
        text.add(depth, "break")


def _fits(tree: Any, finding: Finding) -> bool:
    """Of the ways that a tree goes on at most one is not a condition."""
    return isinstance(tree, dict) and (finding in tree or not (finding[0] and any(name for name, _ in tree)))


def _gives_a_name(branch: tuple[Finding, Any]) -> bool:
    """Of the ways that a tree goes on at most one is not a condition."""
    return bool(branch[0][0])


__all__ = ["Looks"]
