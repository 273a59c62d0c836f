"""Asking a step once more, with a note of all that is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

from pagelaw.spec.language import VM, Blocked

from .in_play import all_names, by_sort
from .noted_state import NotedMap, NotedState
from .remembering import Finding, Note, NotFollowed
from .step_kinds import Changes, Given, Kind, Pair, named


def note_of(kind: Kind, changes: Changes, arguments: Given) -> list[Finding]:
    """What all questions find out of a step of this kind of which all holds; what is not followed is to be asked."""
    return Following(kind, changes, arguments).note.found


class Following:
    """One step of a kind."""

    def __init__(self, kind: Kind, changes: Changes, arguments: Given) -> None:
        self.kind, noted = kind, kind.questions.noted
        self.note = Note(kind.text)
        self.in_play: dict[type, Any] = by_sort(all_names([thing for _, thing in named(changes, arguments)]))
        self._name_things(changes, arguments)
        self.now = NotedState(self.note, noted.now, "now")
        fields = frozenset([change[0] for change in changes.values()])
        self.before = NotedState(self.note, noted.before, "before", self.now, fields)
        for number, (field, key, _, _) in changes.items():
            self.now.know(field, key, f"n{number}")
            self.before.know(field, key, f"w{number}")
        self._ask_statements()
        for pair in kind.pairs:
            self._ask_pair(pair)
        if kind.questions.again is not None and not self._is_refused(arguments):
            self.note.require(f"{self.note.text.name(kind.questions.again, 'again')}({kind.arguments})")

    def _name_things(self, changes: Changes, arguments: Given) -> None:
        """Give names to all that is in play: first to what the step names."""
        for name, thing in named(changes, arguments):
            places = [place for place, _ in self.kind.places[name]]
            for place, one in zip(places, all_names((thing,)), strict=True):
                if place.removesuffix(".vm") not in places or not place.endswith(".vm"):  # whose it is comes with it
                    self.note.thing(one, place)
        if self.kind.questions.all_vms:
            self._name_vms()

    def _name_vms(self) -> None:
        note, vms = self.note, self.kind.questions.noted.now.ids[VM]
        others = [vm for vm in vms if vm not in note.names]
        besides = " and ".join([f"vm is not {note.names[vm]}" for vm in vms if vm in note.names] or ["True"])
        note.found.append(("others", f"[vm for vm in {note.text.name(vms, 'vms')} if {besides}]"))
        note.require(f"len(others) == {len(others)}")
        for number, vm in enumerate(others):
            note.thing(vm, f"others[{number}]")
        self.in_play[VM] = [thing for thing in note.names if type(thing) is VM]  # as a look finds them

    def _things(self, sorts: tuple[type, ...]) -> Iterator[Given]:
        return product(*[self.in_play[sort] for sort in sorts])

    def _ask_statements(self) -> None:
        note = self.note
        for together in self.kind.about:
            for things in self._things(together.sorts):
                for one in together.statements:
                    states = {"now": self.now} if one.kind == "invariant" else {"before": self.before, "now": self.now}
                    if not (one.is_followed and holds(partial(one.holds, *states.values(), *things))):
                        told = ", ".join([*states, *map(note.called, things)])
                        note.require(f"{note.text.name(one.holds, 'hold')}({told})")

    def _ask_pair(self, pair: Pair) -> None:
        note, held = self.note, NotedMap(self.note, pair.held)
        for things in self._things(pair.sorts):
            key = things[0] if len(things) == 1 else things
            if not (pair.is_followed and holds(partial(_is_shown, pair, held, self.now, key))):
                shows = f"{note.text.name(pair.shown, 'shown')}(now, {note.called(key)})"
                note.require(f"{shows} == {note.text.name(pair.held, 'held')}[{note.called(key)}]")

    def _is_refused(self, arguments: Given) -> bool:
        """Whether the rule refuses to do the step again, and what it finds out before it does can be noted."""
        rule = self.kind.questions.rule
        if rule is None:
            return False
        given = [self.note.value(thing, f"a{number}", of_known_type=True) for number, thing in enumerate(arguments)]
        try:
            rule(self.now, *given)
        except Blocked:
            return True
        except (NotFollowed, TypeError, AttributeError):
            pass
        return False


def _is_shown(pair: Pair, held: NotedMap, now: NotedState, key: Any) -> bool:
    return bool(pair.shown(now, key) == held[key])


def holds(question: Callable[[], Any]) -> bool:
    """Whether a question holds and all that it finds out was noted."""
    try:
        return bool(question())
    except (NotFollowed, TypeError):
        return False


__all__ = ["note_of"]
