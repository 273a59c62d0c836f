"""How changes shift sums, written out for all changes of the same types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import attrs

from pagelaw.spec.language import Identifier, Sum
from pagelaw.spec.machine import Machine

from .in_play import all_names, by_sort, field_names
from .noted_state import NotedState
from .noting import Change
from .remembering import Note, NotFollowed
from .sums import Kept, Sums
from .text import Text

Places = list[tuple[str, type]]
"""Where there are names, as text, and of which sorts."""


@attrs.frozen
class Entry:
    """An entry as it was or is, and its key, as texts."""

    value: str
    key: str
    sign: str
    weight: int | None
    """What every entry of these types weighs; None if that depends on more."""


@attrs.frozen
class Shift:
    """A sum is shifted by what entries weigh, for all values of its parameters that they name."""

    kept: Kept
    ways: tuple[str, ...]
    """By what it is found for the values of its parameters, as text."""
    entries: list[Entry]

    @property
    def always(self) -> int | None:
        """By how much it is shifted; None if that depends on more than types."""
        weights = [one.weight if one.sign == "+" or one.weight is None else -one.weight for one in self.entries]
        return None if None in weights else sum(weight for weight in weights if weight)

    def write(self, text: Text) -> None:
        """The sum as it is now."""
        total, depth = text.name(self.kept.now, "total"), self._write_ways(text)
        if self.always is not None:
            text.add(depth, f"{total}[of] += {self.always}")
            return
        weigh, given = text.name(self.kept.weigh, "weigh"), "of" if len(self.kept.sorts) == 1 else "*of"
        weights = [
            f"{one.sign} {f'{weigh}(now, {one.value}, {one.key}, {given})' if one.weight is None else one.weight}"
            for one in self.entries
        ]
        text.add(depth, f"weight = {' '.join(weights)}")
        text.add(depth, "if weight:")
        text.add(depth + 1, f"{total}[of] += weight")

    def write_follow(self, text: Text) -> None:
        """The sum before the next step is the sum now."""
        total, was, depth = text.name(self.kept.now, "total"), text.name(self.kept.was, "was"), self._write_ways(text)
        text.add(depth, f"if of in {total}: {was}[of] = {total}[of]")

    def _write_ways(self, text: Text) -> int:
        one = len(self.ways) == 1
        text.add(0, f"of = {self.ways[0]}" if one else f"for of in {{{', '.join(self.ways)}}}:")
        return 0 if one else 1


def shifts(changes: Iterable[tuple[int, Change]], places: dict[str, Places], sums: Sums, s: Machine) -> list[Shift]:
    """The sums that changes shift, those of known types by nothing left out."""
    found: dict[tuple[Kept, tuple[str, ...]], Shift] = {}
    for number, (field, key, was, now) in changes:
        for letter, value, sign in (("w", was, "-"), ("n", now, "+")):
            name, at = f"{letter}{number}", places[f"k{number}"] + places[f"{letter}{number}"]
            for kept in sums.over.get(field, ()):
                ways = tuple(_ways(kept, at))
                weight = _weight_of_all(kept, s, key, value, [sort for _, sort in at])
                if ways and weight != 0:
                    shift = found.setdefault((kept, ways), Shift(kept, ways, []))
                    shift.entries.append(Entry(name, f"k{number}" if key is not None else "None", sign, weight))
    return [shift for shift in found.values() if shift.always != 0]


def _ways(kept: Kept, places: Places) -> Iterator[str]:
    for way in product(*([place for place, of in places if of is sort] for sort in kept.sorts)):
        yield way[0] if len(way) == 1 else f"({''.join(f'{place}, ' for place in way)})"


def _weight_of_all(kept: Kept, s: Machine, key: Any, value: Any, sorts: list[type]) -> int | None:
    """What every entry weighs that is of the same types as this one; None if that depends on more.

    No two things named by such an entry are of one sort, so none can be the same as another.
    """
    parts = [getattr(value, name) for name in field_names(type(value))]
    by_types = isinstance(value, Sum) and all(isinstance(part, Identifier) for part in parts)
    if len(set(sorts)) < len(sorts) or not by_types or not kept.is_followed:
        return None
    note, names = Note(Text()), by_sort(all_names((key, value)))
    for name in all_names((key, value)):
        note.thing(name, f"place{len(note.names)}")
    found, state = len(note.found), NotedState(note, s, "now")
    weights = [0]
    for parameters in product(*(names.get(sort, ()) for sort in kept.sorts)):
        try:
            weights = [kept.weigh(state, value, key, *parameters)]
        except (NotFollowed, TypeError):
            return None
    return int(weights[0]) if len(note.found) == found and isinstance(weights[0], int) else None


__all__ = ["Places", "Shift", "shifts"]
