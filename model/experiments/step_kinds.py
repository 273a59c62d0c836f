"""What is asked of steps of one kind, written out as one function.

Steps are of one kind if their arguments, and what they change, are of the same types: the same rule most often does
steps of few kinds. Of a kind it is known which things are in play, but for which of them are the same, and so which
sums are shifted, which statements are about them, and where private memory is to be compared. The function does all
of that without looking for it; and before that it is looked whether the step is like one of which all held (see
`remembering`). What does not hold, if something does not, is found without any of this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import attrs

from pagelaw.spec.language import VM, Identifier, Sum
from pagelaw.spec.machine import Machine

from .asking import Together
from .in_play import all_names, by_sort, field_names, places_of
from .noting import Change, Noted
from .remembering import Note, NotedMap, NotedState, NotFollowed
from .sums import Kept, Sums
from .text import Text

Ask = Callable[[list[Change], tuple[Any, ...]], int | None]
"""Asks of a step: how many statements hold, or None if that is not known."""

FIRST_LOOK = 4
"""Steps of a kind that are asked in full before the first look; for each further look it takes twice as many."""
MOST_LOOKS = 8


@attrs.frozen
class Pair:
    """A field of private memory: the sorts of its keys, what it holds, and what the machine shows."""

    name: str
    sorts: tuple[type, ...]
    held: Any
    shown: Callable[[Any, Any], Any]
    is_followed: bool
    """Whether what it takes to show it can be noted."""


Pairs = list[Pair]


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


class Kind:
    """How steps of one kind are asked."""

    def __init__(self, changes: list[Change], arguments: tuple[Any, ...], noted: Noted[Machine], sums: Sums,
                 about: list[Together], pairs: Pairs, all_vms: bool) -> None:  # fmt: skip
        self.noted, self.sums, self.pairs, self.all_vms = noted, sums, pairs, all_vms
        self.changed = frozenset([change[0] for change in changes])
        self.places = {name: places_in(name, thing) or [] for name, thing in _named(changes, arguments)}
        self.sorts = {sort for places in self.places.values() for _, sort in places} | ({VM} if all_vms else set())
        self.about = [together for together in about if set(together.sorts) <= self.sorts]
        self.shift = self._shift(changes, arguments)
        """Shifts the sums."""
        self.ask = self._ask(changes, arguments)
        """Asks everything."""
        self.looks: list[Ask] = []
        """Whether it looks like a step of which all held."""
        self.missed = 0
        """Steps that looked like none of these."""

    def holds(self, changes: list[Change], arguments: tuple[Any, ...]) -> int | None:
        """How many statements hold of a step, worked out or remembered; None if something does not hold."""
        looks = self.looks
        for number, look in enumerate(looks):
            asked = look(changes, arguments)
            if asked is not None:
                if number:
                    looks[number - 1 : number + 1] = looks[number], looks[number - 1]
                return asked
        asked = self.ask(changes, arguments)
        if asked is not None and len(looks) < MOST_LOOKS:
            self.missed += 1
            if self.missed >= FIRST_LOOK << len(looks):
                self.missed = 0
                looks.append(self._look(changes, arguments, asked))
        return asked

    def _begin(self, changes: list[Change], arguments: tuple[Any, ...]) -> Text:
        """A text that gives names to arguments and changes."""
        text = Text(now=self.noted.now, before=self.noted.before, fromkeys=dict.fromkeys, shifted=self.sums.shifted)
        if arguments:
            text.add(0, "".join(f"a{number}, " for number in range(len(arguments))) + "= arguments")
        if changes:
            each = "".join(f"(_, k{number}, w{number}, n{number}), " for number in range(len(changes)))
            text.add(0, f"{each}= changes")
        return text

    def _shift(self, changes: list[Change], arguments: tuple[Any, ...]) -> Callable[..., None]:
        text = self._begin(changes, arguments)
        for number, (field, key, was, now) in enumerate(changes):
            for name, value, sign in ((f"w{number}", was, "-"), (f"n{number}", now, "+")):
                places = self.places[f"k{number}"] + self.places[name]
                for kept in self.sums.over.get(field, ()):
                    always = _weight_of_all(kept, self.noted.now, key, value, [sort for _, sort in places])
                    if always != 0:
                        _write_shift(text, kept, f"{name}, k{number}", places, sign, always)
        text.add(0, "return None")
        return text.function("changes, arguments")

    def _ask(self, changes: list[Change], arguments: tuple[Any, ...]) -> Ask:
        text = self._begin(changes, arguments)
        found: dict[type, list[str]] = {sort: [] for sort in self.sorts}
        for places in self.places.values():
            for place, sort in places:
                found[sort].append(place)
        if self.all_vms:
            found[VM] = [f"*{text.name(self.noted.now.ids[VM], 'vms')}"]
        for sort, of_sort in found.items():
            one = len(of_sort) == 1
            text.add(0, f"of_{sort.__name__} = " + (f"({of_sort[0]},)" if one else f"fromkeys(({', '.join(of_sort)}))"))
        text.add(0, "count = 0")
        for together in self.about:
            hold = text.name(together.all_hold, "hold")
            depth, things = _write_loops(text, together.sorts)
            text.add(depth, f"if not {hold}(before, now{''.join(f', {thing}' for thing in things)}): return None")
            text.add(depth, f"count += {len(together.statements)}")
        for pair in self.pairs:
            if set(pair.sorts) <= self.sorts:
                shows, holds = text.name(pair.shown, "shown"), text.name(pair.held, "held")
                depth, things = _write_loops(text, pair.sorts)
                key = things[0] if len(things) == 1 else f"({', '.join(things)})"
                text.add(depth, f"if {shows}(now, {key}) != {holds}[{key}]: return None")
        text.add(0, "return count")
        return text.function("changes, arguments")

    def _look(self, changes: list[Change], arguments: tuple[Any, ...], asked: int) -> Ask:
        """Ask once more, with a note of all that is found out."""
        text = self._begin(changes, arguments)
        note, vms = Note(text), self.noted.now.ids[VM]
        in_play: dict[type, Any] = by_sort(all_names([thing for _, thing in _named(changes, arguments)]))
        for name, thing in _named(changes, arguments):
            of = [place for place, _ in self.places[name]]
            for place, named in zip(of, all_names((thing,)), strict=True):
                if place.removesuffix(".vm") not in of or not place.endswith(".vm"):  # whose it is comes with it
                    note.thing(named, place)
        if self.all_vms:
            others = [vm for vm in vms if vm not in note.names]
            besides = "".join(f" and vm is not {note.names[vm]}" for vm in vms if vm in note.names)
            text.add(0, f"others = [vm for vm in {text.name(vms, 'vms')} if True{besides}]")
            note.require(f"len(others) == {len(others)}")
            for number, vm in enumerate(others):
                note.thing(vm, f"others[{number}]")
            in_play[VM] = vms
        now = NotedState(note, self.noted.now, "now")
        before = NotedState(note, self.noted.before, "before", now, self.changed)
        for together in self.about:
            for things in product(*[in_play[sort] for sort in together.sorts]):
                for one in together.statements:
                    states = (now,) if one.kind == "invariant" else (before, now)
                    if not (one.is_followed and _is_followed(one.holds, *states, *things)):
                        states_text = "now" if one.kind == "invariant" else "before, now"
                        about = "".join(f", {note.names[thing]}" for thing in things)
                        note.require(f"{text.name(one.holds, 'hold')}({states_text}{about})")
        for pair in self.pairs:
            held = NotedMap(note, pair.held)
            for things in product(*[in_play.get(sort, ()) for sort in pair.sorts]):
                key = things[0] if len(things) == 1 else things
                same = partial(_is_shown, pair, held, now, key)
                if not (pair.is_followed and _is_followed(same)):
                    shows = f"{text.name(pair.shown, 'shown')}(now, {note.called(key)})"
                    note.require(f"{shows} == {text.name(pair.held, 'held')}[{note.called(key)}]")
        text.add(0, f"return {asked}")
        return text.function("changes, arguments")


def _is_shown(pair: Pair, held: NotedMap, now: NotedState, key: Any) -> bool:
    return bool(pair.shown(now, key) == held[key])


def _is_followed(question: Callable[..., Any], *arguments: Any) -> bool:
    """Whether a question holds and all that it finds out was noted."""
    try:
        return bool(question(*arguments))
    except (NotFollowed, TypeError):
        return False


def _named(changes: list[Change], arguments: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """What arguments and changes are called in texts."""
    named = [(f"a{number}", thing) for number, thing in enumerate(arguments)]
    for number, (_, key, was, now) in enumerate(changes):
        named += [(f"k{number}", key), (f"w{number}", was), (f"n{number}", now)]
    return named


def kind_of(
    changes: list[Change], arguments: tuple[Any, ...], noted: Noted[Machine], sums: Sums,
    about: list[Together], pairs: Pairs, all_vms: bool,
) -> Kind | None:  # fmt: skip
    """The kind of this step; None if its types do not say what is in play."""
    if any(places_in(name, thing) is None for name, thing in _named(changes, arguments)):
        return None
    return Kind(changes, arguments, noted, sums, about, pairs, all_vms)


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
        note.thing(name, "a place")
    found, state = len(note.text.lines), NotedState(note, s, "now")
    weights = [0]
    for parameters in product(*(names.get(sort, ()) for sort in kept.sorts)):
        try:
            weights = [kept.weigh(state, value, key, *parameters)]
        except (NotFollowed, TypeError):
            return None
    return int(weights[0]) if len(note.text.lines) == found and isinstance(weights[0], int) else None


def _write_shift(
    text: Text, kept: Kept, entry: str, places: list[tuple[str, type]], sign: str, always: int | None
) -> None:
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
    text.add(depth, f"weight = {weigh}(now, {entry}{parameters})" if always is None else f"weight = {always}")
    text.add(depth, "if weight:")
    text.add(depth + 1, f"{total}[of] = {total}.get(of, 0) {sign} weight")
    text.add(depth + 1, f"shifted.append(({name}, of))")


def _write_loops(text: Text, sorts: tuple[type, ...]) -> tuple[int, list[str]]:
    """Go through all things of these sorts: how deep that is, and the names of the things."""
    things = [f"thing{number}" for number in range(len(sorts))]
    for depth, (thing, sort) in enumerate(zip(things, sorts, strict=True)):
        text.add(depth, f"for {thing} in of_{sort.__name__}:")
    return len(sorts), things


__all__ = ["Kind", "Pair", "kind_of"]
