"""What is asked of steps of one kind, written out as one function.

Steps are of one kind if their arguments, and what they change, are of the same types: the same rule most often does
steps of few kinds. Of a kind it is known which things are in play, but for which of them are the same, and so which
sums are shifted, which statements are about them, and where private memory is to be compared. The function does all
of that without looking for it. What does not hold, if something does not, is found without it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine

from .asking import Together
from .in_play import places_of
from .noting import Change, Noted
from .sums import Kept, Sums

Ask = Callable[[list[Change], tuple[Any, ...]], int | None]
"""Shifts the sums and asks all; how many statements were asked, or None if something does not hold."""
Pairs = list[tuple[str, tuple[type, ...], Any, Callable[[Any], Any]]]
"""Fields of private memory: the sorts of their keys, what they hold, and what the machine shows."""


class Text:
    """A function as it is written."""

    def __init__(self, **names: Any) -> None:
        self.lines: list[str] = []
        self.names = names

    def name(self, value: Any, like: str) -> str:
        """A name for a value."""
        name = f"{like}{len(self.names)}"
        self.names[name] = value
        return name

    def add(self, depth: int, line: str) -> None:
        """One line."""
        self.lines.append(" " * (depth + 1) + line)

    def function(self, head: str) -> Callable[..., Any]:
        """The function."""
        exec("\n".join([f"def ask({head}):", *self.lines]), self.names)
        made: Callable[..., Any] = self.names["ask"]
        return made


def places_in(text: str, thing: Any) -> list[tuple[str, type]] | None:
    """Where in a thing, told by a text, there are names, and of which sorts; None if the type does not say so."""
    if type(thing) is tuple:
        parts = [places_in(f"{text}[{number}]", part) for number, part in enumerate(thing)]
        return None if None in parts else [place for part in parts for place in part or ()]
    kind: Any = type(thing)
    places = places_of(kind)
    if places is None:
        return None
    return [(f"{text}.{place}".replace("..", ".").rstrip("."), sort) for place, sort in places.items()]


def write(
    changes: list[Change], arguments: tuple[Any, ...], noted: Noted[Machine], sums: Sums,
    about: list[Together], pairs: Pairs, all_vms: bool,
) -> Ask | None:  # fmt: skip
    """The function for steps of the kind of this one; None if its types do not say what is in play."""
    named = [(f"a{number}", thing) for number, thing in enumerate(arguments)]
    for number, (_, key, was, now) in enumerate(changes):
        named += [(f"k{number}", key), (f"w{number}", was), (f"n{number}", now)]
    places = {name: places_in(name, thing) for name, thing in named}
    if None in places.values():
        return None
    text = Text(now=noted.now, before=noted.before, fromkeys=dict.fromkeys, shifted=sums.shifted)
    if arguments:
        text.add(0, "".join(f"a{number}, " for number in range(len(arguments))) + "= arguments")
    if changes:
        text.add(0, "".join(f"(_, k{number}, w{number}, n{number}), " for number in range(len(changes))) + "= changes")
    for number, (field, *_) in enumerate(changes):
        key_places = places[f"k{number}"] or []
        for value, sign in ((f"w{number}", "-"), (f"n{number}", "+")):
            for kept in sums.over.get(field, ()):
                _write_shift(text, kept, f"{value}, k{number}", key_places + (places[value] or []), sign)
    found: dict[type, list[str]] = {}
    for one in places.values():
        for place, sort in one or ():
            found.setdefault(sort, []).append(place)
    if all_vms:
        found[VM] = [f"*{text.name(noted.now.ids[VM], 'vms')}"]
    for sort, of_sort in found.items():
        single = len(of_sort) == 1
        text.add(0, f"of_{sort.__name__} = " + (f"({of_sort[0]},)" if single else f"fromkeys(({', '.join(of_sort)}))"))
    _write_questions(text, set(found), about, pairs)
    return text.function("changes, arguments")


def _write_shift(text: Text, kept: Kept, entry: str, places: list[tuple[str, type]], sign: str) -> None:
    """A sum is shifted by what an entry weighs, for all values of its parameters that the entry names."""
    ways = list(product(*([place for place, of in places if of is sort] for sort in kept.sorts)))
    if not ways:
        return
    texts = [f"({''.join(f'{place}, ' for place in way)})" for way in ways]
    weigh, total, name = text.name(kept.weigh, "weigh"), text.name(kept.now, "total"), text.name(kept, "kept")
    depth = 0
    if len(texts) == 1:
        text.add(0, f"of = {texts[0]}")
    else:
        text.add(0, f"for of in {{{', '.join(texts)}}}:")
        depth = 1
    parameters = "".join(f", {place}" for place in ways[0]) if len(texts) == 1 else ", *of"
    text.add(depth, f"weight = {weigh}(now, {entry}{parameters})")
    text.add(depth, "if weight:")
    text.add(depth + 1, f"{total}[of] = {total}.get(of, 0) {sign} weight")
    text.add(depth + 1, f"shifted.append(({name}, of))")


def _write_questions(text: Text, sorts: set[type], about: list[Together], pairs: Pairs) -> None:
    """All statements about things that are in play, and whether private memory is what the machine shows."""
    text.add(0, "count = 0")
    for together in about:
        if set(together.sorts) <= sorts:
            hold = text.name(together.all_hold, "hold")
            depth, things = _write_loops(text, together.sorts)
            text.add(depth, f"if not {hold}(before, now{''.join(f', {thing}' for thing in things)}): return None")
            text.add(depth, f"count += {len(together.statements)}")
    for _, key_sorts, held, shown in pairs:
        if set(key_sorts) <= sorts:
            shows, holds = text.name(shown, "shown"), text.name(held, "held")
            depth, things = _write_loops(text, key_sorts)
            key = things[0] if len(things) == 1 else f"({', '.join(things)})"
            text.add(depth, f"if {shows}({key}) != {holds}[{key}]: return None")
    text.add(0, "return count")


def _write_loops(text: Text, sorts: tuple[type, ...]) -> tuple[int, list[str]]:
    """Go through all things of these sorts: how deep that is, and the names of the things."""
    things = [f"thing{number}" for number in range(len(sorts))]
    for depth, (thing, sort) in enumerate(zip(things, sorts, strict=True)):
        text.add(depth, f"for {thing} in of_{sort.__name__}:")
    return len(sorts), things


__all__ = ["Ask", "Pairs", "write"]
