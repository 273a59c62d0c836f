"""What is told of states: what an event changed, what it answers, and which of several states explain the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pagelaw.spec.translation import is_dirty

from ..reference.printing import value_text
from .candidate import INNER, Candidate


def answer(c: Candidate, kind: str, arguments: tuple[Any, ...]) -> Any:
    """What the operation that was just done answers."""
    if kind == "value":
        return c.returned.number
    names = {rule.__name__ for rule, _, _ in c.steps}
    return "shared" if "merge" in names else "not shared"


def changes(c: Candidate) -> tuple[str, ...]:
    """What the event changed, field by field."""
    told = []
    for name, key, before, after in c.log.written():
        if name in INNER and not c.by_steps:
            continue
        named = "" if key is None else "[" + (", ".join(map(repr, key)) if isinstance(key, tuple) else repr(key)) + "]"
        told.append(f"{name}{named}: {value_text(before)} -> {value_text(after)}")
    return tuple(map(c.in_their_names, told))


def fingerprint(c: Candidate) -> Any:
    """Equal for states that explain the same, with equal names, but for what operations may have been refused for."""
    held = tuple(
        frozenset(value.items()) if isinstance(value, dict) else value
        for value in c.machine.written(but=() if c.by_steps else INNER).values()
    )
    dirty = () if c.by_steps else frozenset(page for page in c.machine.kept if is_dirty(c.machine, page))
    under_way = tuple((name, *one.key) for name, one in c.pending.items())
    not_known = tuple(map(frozenset, (c.doubtful, c.unsettled, c.elsewhere, c.unsure)))
    return held, dirty, frozenset(c.frames.of.items()), frozenset(c.slots.of.items()), not_known, under_way


class States:
    """States of which none explains no more than another: the same machine, and no more reasons to have refused."""

    def __init__(self, states: Iterable[Candidate] = ()) -> None:
        self._alike: dict[Any, list[Candidate]] = {}
        for one in states:
            self.add(one)

    def add(self, c: Candidate) -> bool:
        """One more; whether it explains something that none before it did."""
        alike = self._alike.setdefault(fingerprint(c), [])
        if any(covers(other, c) for other in alike):
            return False
        alike[:] = [other for other in alike if not covers(c, other)]
        alike.append(c)
        return True

    def all(self) -> list[Candidate]:
        """All of them."""
        return [one for alike in self._alike.values() for one in alike]

    def __len__(self) -> int:
        return sum(map(len, self._alike.values()))


def covers(one: Candidate, other: Candidate) -> bool:
    """Whether each operation under way may have been refused for all that it may have been in the other state."""
    return all(one.pending[name].refusals >= pending.refusals for name, pending in other.pending.items())


def different(candidates: list[Candidate]) -> list[Candidate]:
    """One of each state."""
    return candidates if len(candidates) < 2 else States(candidates).all()
