"""Which identifiers of a machine may be exchanged for which others.

Rules compare identifiers and do nothing else with them. So two may be
exchanged unless the parameters of the machine, or what arguments of actions
are restricted to, tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

from pagelaw.spec.language import VM, Identifier, Owned
from pagelaw.spec.vocabulary import Block

from .packing import Layout, named_in


class Exchange:
    """The identifiers by number, and the classes of those that may take each other's places."""

    def __init__(self, layout: Layout, chosen: Sequence[Sequence[Any]] = ()) -> None:
        self.layout = layout
        self.chosen = chosen
        """The values that parameters of actions are restricted to: what is among them is told from what is not."""
        self.count = len(layout.elements)
        number_of = layout.number_of
        self.owner: list[int] = [number_of[one.vm] if isinstance(one, Owned) else -1 for one in layout.elements]
        self.classes = self._classes()
        """Which identifiers may take each other's places; those of a VM, once for each VM."""
        self.label = [0] * self.count
        """Tells apart what may never be exchanged."""
        labels: dict[Any, int] = {}
        for members in self.classes:
            first = layout.elements[members[0]]
            kind = (type(first).__name__, self._told(first))
            for one in members:
                self.label[one] = labels.setdefault(kind, len(labels))
        self.vms = [one for one, thing in enumerate(layout.elements) if isinstance(thing, VM)]
        self.within = self._within_vm()
        self.of_no_vm = [
            members for members in self.classes
            if len(members) > 1 and self.owner[members[0]] < 0 and members[0] not in self.vms
        ]  # fmt: skip
        """The classes of what belongs to no VM, where there is a choice."""
        self.of_vms = [members for members in self.classes if len(members) > 1 and members[0] in self.vms]
        """Those of VMs."""
        self.group = self._size_of_group()
        """How many ways of renaming there are."""

    def _classes(self) -> list[list[int]]:
        """Identifiers of one sort, of one VM if they belong to one, that the parameters do not tell apart."""
        found: dict[Any, list[int]] = {}
        for number, one in enumerate(self.layout.elements):
            owner = one.vm if isinstance(one, Owned) else None
            found.setdefault((type(one).__name__, owner, self._told(one)), []).append(number)
        return list(found.values())

    def of(self, one: int) -> list[int]:
        """The class of what belongs to no VM, or of a VM."""
        return next(members for members in self.classes if one in members)

    def _told(self, one: Identifier) -> tuple[Any, ...]:
        """What the parameters of the machine, and those of actions, say of an identifier."""
        machine, shapes = self.layout.machine, self.layout.shapes
        beginnings = {shape.field.value for shape in shapes.values() if isinstance(shape.field.value, str)}
        told: list[Any] = []
        for name, shape in shapes.items():
            if shape.field.is_given and shape.keys == (type(one),) and name not in beginnings:
                value = getattr(machine, name)[one]
                if isinstance(value, Block):  # blocks are compared, and stand nowhere in the state
                    alike = [other for other in machine.ids[type(one)] if getattr(machine, name)[other] is value]
                    value = ("alone",) if len(alike) == 1 and len(machine.ids[type(value)]) > 1 else value
                told.append((name, value))
        if isinstance(one, VM):
            own = [each for sort in machine.ids if issubclass(sort, Owned) for each in machine.each(sort, one)]
            told += sorted(repr((type(each).__name__, self._told(each))) for each in own)
        for number, values in enumerate(self.chosen):
            if any(one is value for value in values):
                told.append((number, "chosen"))
            elif any(one in named_in(value) for value in values):
                told.append((number, one))  # as a part of a value: it stays what it is
        return tuple(told)

    def _within_vm(self) -> dict[int, list[list[int]]]:
        """For each VM its classes of identifiers, in one order for all VMs."""
        elements = self.layout.elements
        found: dict[int, list[list[int]]] = {vm: [] for vm in self.vms}
        for members in self.classes:
            if self.owner[members[0]] >= 0:
                found[self.owner[members[0]]].append(members)
        for own in found.values():
            own.sort(key=lambda members: repr((type(elements[members[0]]).__name__, self._told(elements[members[0]]))))
        return found

    def _size_of_group(self) -> int:
        size = 1
        for members in self.classes:
            size *= factorial(len(members))
        return size
