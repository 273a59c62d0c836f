"""Answers remembered by what they rest on.

A function of the state reads some entries, one after the other, and then
answers. The next state that agrees with it in these entries gets the same
answer, so the function is not run again: its reads are a path in a tree, at
the end of which the answer stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

Work = Callable[[bytes], tuple[Sequence[int], Any]]
"""Runs the function on a packed state: the places that it read, in order, and its answer."""


class Memo:
    """The answers of one function so far. An answer is anything but a list or None."""

    __slots__ = ("known", "root", "work")
    names = None
    """Under which other names the state is looked up: see `twins`."""

    def __init__(self, work: Work) -> None:
        self.work, self.root = work, None  # type: Work, Any
        self.known = 0
        """Answers worked out."""

    def __call__(self, packed: bytes) -> Any:
        """The answer for this state."""
        node = self.root
        try:
            while node.__class__ is list:
                node = node[1][packed[node[0]]]
        except KeyError:
            return self._learn(packed)
        return self._learn(packed) if node is None else node

    def own(self, answer: Any) -> Any:
        """An answer is the function's own."""
        return answer

    def _learn(self, packed: bytes) -> Any:
        places, answer = self.work(packed)
        self.known += 1
        if not places:
            self.root = answer
            return answer
        if self.root is None:
            self.root = [places[0], {}]
        node = self.root
        for here, following in pairwise(places):
            assert node[0] == here, "what is read next depends on nothing but what was read before"
            ahead = node[1].get(packed[here])
            if ahead is None:
                ahead = node[1][packed[here]] = [following, {}]
            node = ahead
        assert node[0] == places[-1]
        node[1][packed[places[-1]]] = answer
        return answer
