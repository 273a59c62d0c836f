"""Asking a step once more, with a note of all that is found out."""

from __future__ import annotations

from itertools import product
from typing import Any

from pagelaw.spec.language import VM

from .in_play import all_names, by_sort
from .noted_state import NotedState
from .remembering import Finding, Note
from .step_kinds import Changes, Given, Kind, named


def note_of(kind: Kind, changes: Changes, arguments: Given) -> list[Finding]:
    """What all questions find out of a step of this kind of which all holds; what is not followed is to be asked."""
    return Following(kind, changes, arguments).note.found


class Following:
    """One step of a kind."""

    def __init__(self, kind: Kind, changes: Changes, arguments: Given) -> None:
        self.kind, noted = kind, kind.questions.noted
        self.note = Note(kind.text)
        self.in_play: dict[type, Any] = by_sort(all_names([thing for _, thing in named(changes, arguments)]))
        self.others: frozenset[VM] = frozenset()
        """VMs that the step does not name."""
        self._name_things(changes, arguments)
        self.now = NotedState(self.note, noted.now, "now")
        fields = frozenset([change[0] for change in changes.values()])
        self.before = NotedState(self.note, noted.before, "before", self.now, fields)
        for number, (field, key, _, _) in changes.items():
            self.now.know(field, key, f"n{number}")
            self.before.know(field, key, f"w{number}")
        self._ask()
        self._ask_again(arguments)

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
        self.others = frozenset(others)
        for number, vm in enumerate(others):
            note.thing(vm, f"others[{number}]")
        self.in_play[VM] = [thing for thing in note.names if type(thing) is VM]  # as a look finds them

    def _ask(self) -> None:
        """Ask all about the things in play. Of VMs that the step does not name it is remembered apart how they look."""
        note, number = self.note, 0
        for asked in self.kind.about:
            for things in product(*[self.in_play[sort] for sort in asked.sorts]):
                number += asked.number
                told = [note.called(thing) for thing in things]
                if self.others.isdisjoint(things):
                    asked.find_out(note, self.before, self.now, list(things), ", ".join(told))
                else:
                    note.require(asked.written(note.text, told))
        note.found.append(("asked", str(number)))

    def _ask_again(self, arguments: Given) -> None:
        again, note = self.kind.questions.again, self.note
        if again is not None:
            given = [note.value(thing, f"a{number}", of_known_type=True) for number, thing in enumerate(arguments)]
            again.find_out(note, self.before, self.now, given, ", ".join(self.kind.arguments))


__all__ = ["note_of"]
