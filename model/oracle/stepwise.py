"""Single steps in a trace: {"step": "merge", "page": ["A", 3]}. Arguments have the rule's own names.

A page, virtual page or vCPU is a list of its VM's name and its number; a frame or slot is the implementation's name
for it; a variant is its name, or a list of its name and its fields.
"""

from __future__ import annotations

from typing import Any

from pagelaw.spec.language import REGISTER, VM, Contents, Owned, Sum, Value, Word
from pagelaw.spec.language.variants import variants_of
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Page, Slot, Transfer, VPage

from ..reference.beside import asked, field_sorts, parameter_names, parameter_sorts
from .candidate import Candidate
from .fields import Malformed, is_name, shown
from .naming import Name
from .operations import Operation, Steps


class Taken:
    """A name of the implementation's: of a frame, a slot, a transfer."""

    __slots__ = ("name", "sort")

    def __init__(self, sort: type, name: Name) -> None:
        self.sort, self.name = sort, name

    def stands_for(self, c: Candidate) -> Any:
        """What it is in this candidate."""
        if self.sort is MPN:
            return c.frame(self.name)
        return c.slot(self.name, forgets=False) if self.sort is Slot else c.transfer_for(self.name, starts=True)


class StepReader:
    """Reads steps into operations of one step."""

    def __init__(self, vms: dict[Name, VM], machine: Machine) -> None:
        self.vms = vms
        self.owned: dict[Any, dict[tuple[VM, int], Any]] = {
            sort: {(one.vm, one.number): one for one in machine.ids[sort]} for sort in (Page, VPage, VCPU)
        }
        self.words = len(machine.ids[Word])

    def read(self, made: dict[str, Any]) -> tuple[Operation, tuple[Any, ...], dict[str, Any]]:
        """The step as an operation, its arguments, and the fields that are not arguments."""
        name = made["step"]
        if type(name) is not str or name not in REGISTER["rule"]:
            raise Malformed(f"step is {shown(name)}, and is the name of no rule")
        rule = REGISTER["rule"][name].function
        names, sorts = parameter_names(rule), parameter_sorts(rule)
        for parameter in names:
            if parameter not in made:
                raise Malformed(
                    f"the step {name} lacks its argument {parameter!r}; its arguments are {', '.join(names)}"
                )
        values = tuple(self.value(made[one], sort, one) for one, sort in zip(names, sorts, strict=True))
        rest = {one: value for one, value in made.items() if one != "step" and one not in names}

        def steps(c: Candidate, *arguments: Any) -> Steps:
            return ((rule, tuple(resolved(one, c) for one in arguments)),)

        steps.__doc__ = rule.__doc__
        returns = "value" if asked(rule).__annotations__["return"] in ("Value", Value) else ""
        return Operation(name, steps, dict(zip(names, sorts, strict=True)), returns), values, rest

    def value(self, given: Any, sort: Any, path: str) -> Any:
        """An argument of this sort."""
        if sort is VM:
            return self._vm(given, path)
        if sort in self.owned:
            return self._owned(given, sort, path)
        if sort in (MPN, Slot, Transfer):
            if not is_name(given):
                raise Malformed(f"{path} is {shown(given)}, and should be a name")
            return Taken(sort, given)
        if sort is Contents:
            if type(given) is not list or len(given) != self.words:
                raise Malformed(f"{path} is {shown(given)}, and should be a list of {self.words} words")
            return Contents(tuple(self.value(one, Value, path) for one in given))
        if isinstance(sort, type) and issubclass(sort, Sum):
            return self._variant(given, sort, path)
        least, most = (-(2**63) if sort is int else 0), (self.words - 1 if sort is Word else 2**64 - 1)
        if type(given) is not int or not least <= given <= most:
            raise Malformed(f"{path} is {shown(given)}, and should be a whole number from {least} to {most}")
        return given if sort is int else sort(given)

    def _vm(self, given: Any, path: str) -> VM:
        if not is_name(given) or given not in self.vms:
            raise Malformed(f"{path} is {shown(given)}, and the VMs are {', '.join(map(repr, self.vms))}")
        return self.vms[given]

    def _owned(self, given: Any, sort: type, path: str) -> Owned:
        if type(given) is not list or len(given) != 2 or type(given[1]) is not int:
            raise Malformed(f'{path} is {shown(given)}, and should be a list of a VM and a number: ["A", 3]')
        found: Owned | None = self.owned[sort].get((self._vm(given[0], path), given[1]))
        if found is None:
            raise Malformed(f"{path} is {shown(given)}, and the VM has no {sort.__name__} of this number")
        return found

    def _variant(self, given: Any, sort: type, path: str) -> Any:
        name, fields = (given[0], given[1:]) if type(given) is list and given else (given, [])
        kinds = {one.__name__: one for one in variants_of(sort)}
        if type(name) is not str or name not in kinds:
            raise Malformed(f"{path} is {shown(given)}, and should be one of {', '.join(kinds)}")
        sorts = field_sorts(kinds[name])
        if len(sorts) != len(fields):
            raise Malformed(f"{path} is {shown(given)}, and {name} has {len(sorts)} fields")
        return kinds[name](*(self.value(one, due, path) for one, due in zip(fields, sorts, strict=True)))


def resolved(value: Any, c: Candidate) -> Any:
    """An argument, with a name of the implementation's replaced by what it stands for."""
    return value.stands_for(c) if isinstance(value, Taken) else value


def written(value: Any, vms: dict[VM, Name]) -> Any:
    """A value of the specification as it is written in a step."""
    if isinstance(value, VM):
        return vms[value]
    if isinstance(value, Owned):
        return [vms[value.vm], value.number]
    if isinstance(value, Contents):
        return [one.number for one in value.words]
    if isinstance(value, MPN | Slot | Transfer):
        return repr(value)
    if isinstance(value, Sum):
        fields = [written(getattr(value, name), vms) for name in getattr(value, "__match_args__", ())]
        return [type(value).__name__, *fields] if fields else type(value).__name__
    return value if isinstance(value, int) else value.number
