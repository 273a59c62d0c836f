"""All actions asked of a state at once.

Most actions are refused in most states, and many of them read the same first.
So the first entries of what they read are looked at once for all that read
them: a tree of branches, in which each action goes on by itself from where no
other one reads the same. There its own memory goes on: see `memo`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from operator import itemgetter
from typing import Any

from .acting import Outcome
from .memo import Memo
from .twins import Names, Twin

NUMBER = itemgetter(0)
Node = tuple[int, list[int], "dict[int, Branch]"]
"""A place, the actions that read it next, and where each value that was met there leads."""


class Branch:
    """Some actions that have read the same so far."""

    __slots__ = ("alone", "done", "nodes", "unknown")

    def __init__(self, unknown: list[int]) -> None:
        self.unknown = unknown
        """Those of which it is not known how they go on."""
        self.done: list[tuple[int, Outcome]] = []
        """What comes of those that read no more, if they are not refused."""
        self.nodes: dict[int, Node] = {}
        """The others, by what they read next."""
        self.alone: dict[int, tuple[int, Any, Names | None]] = {}
        """And those that read it alone: with the node of the memory where they go on, and the names there."""


class Together:
    """Asks actions what they do in a state, those aside that are refused."""

    def __init__(self, memos: Sequence[Memo | Twin], met: Callable[[Outcome], None]) -> None:
        self.memos, self.met = memos, met
        """Told of each outcome when it is met for the first time at least, of refusals too."""
        self.root = Branch(list(range(len(memos))))

    def __call__(self, packed: bytes, but: Container[int]) -> list[tuple[int, Outcome]]:
        """What the actions do that are not refused, in the order of their numbers; some are not asked."""
        found: list[tuple[int, Outcome]] = []
        unknown: list[int] = []
        branches = [self.root]
        for branch in branches:  # which grow on the way
            if branch.unknown:
                unknown += branch.unknown
            if branch.done:
                found += branch.done
            for here, actions, ahead in branch.nodes.values():
                following = ahead.get(packed[here])
                if following is None:
                    following = ahead[packed[here]] = Branch(actions.copy())
                branches.append(following)
            for action, node, names in branch.alone.values():
                if action in but:
                    continue
                try:
                    if names is None:
                        while node.__class__ is list:
                            node = node[1][packed[node[0]]]
                    else:
                        place, numbers = names
                        while node.__class__ is list:
                            here = place[node[0]]
                            node = node[1][numbers[here][packed[here]]]
                except KeyError:
                    unknown.append(action)
                else:
                    if node.refused is not None:
                        if node.path:
                            self.met(node)
                    elif node.problem:
                        unknown.append(action)
                    else:
                        found.append((action, self.memos[action].own(node)))
        for action in unknown:
            if action not in but:
                outcome = self._learn(action, packed)
                if outcome.refused is None:
                    found.append((action, outcome))
        if but:
            found = [one for one in found if one[0] not in but]
        found.sort(key=NUMBER)
        return found

    def _learn(self, action: int, packed: bytes) -> Outcome:
        memo, branch = self.memos[action], self.root
        outcome: Outcome = memo(packed)
        self.met(outcome)
        node, names = memo.root, memo.names
        while node.__class__ is list:
            place = node[0] if names is None else names[0][node[0]]
            value = packed[place]
            if action in branch.unknown:
                branch.unknown.remove(action)
                if self._place(action, place, node, branch):
                    return outcome
            elif place in branch.alone:
                return outcome
            _, actions, ahead = branch.nodes[place]
            if value not in ahead:
                ahead[value] = Branch(actions.copy())
            branch = ahead[value]
            node = node[1][value if names is None else names[1][place][value]]
        branch.unknown.remove(action)
        if outcome.refused is None:
            branch.done.append((action, outcome))
        return outcome

    def _place(self, action: int, place: int, node: Any, branch: Branch) -> bool:
        """Put an action where it goes on from a branch; whether it does so alone."""
        if place not in branch.nodes:
            other = branch.alone.pop(place, None)
            if other is None:
                branch.alone[place] = action, node, self.memos[action].names
                return True
            branch.nodes[place] = place, [other[0]], {}
        _, actions, ahead = branch.nodes[place]
        actions.append(action)
        for following in ahead.values():
            following.unknown.append(action)
        return False
