"""The small machines that are explored: how large, how they begin, what may happen in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Blocked, Sum, variants_of
from pagelaw.spec.machine import Machine

from ..reference.beside import call_text, field_sorts, parameter_names, parameter_sorts
from ..reference.setup import Sizes, machine

Action = Callable[..., Any]
"""A rule, or a row of rules run without interruption: a function of a machine and its arguments."""
Step = tuple[Action, tuple[Any, ...]]


class CannotBegin(Exception):
    """A machine does not come to where its exploration begins."""


@attrs.frozen(kw_only=True)
class Small:
    """A machine small enough to see every state of it."""

    name: str
    about: str
    """What it is for, in a sentence."""
    sizes: Sizes
    actions: tuple[str, ...]
    """Names of rules, or of rows of rules."""
    rows: Mapping[str, Action] = attrs.field(factory=dict)
    begin: Callable[[Machine], Iterator[Step]]
    """The steps from the initial state to the one where the exploration begins."""
    forgets: bool = False
    """Whether what is in frames and slots that nobody uses, and whose data it is, is left out: so that there are
    fewer states. Nothing that is asked of tags is asked then."""
    within: Callable[[Machine], bool] | None = None
    """Which states are gone on from, where there is no end of them: the steps out of these are asked about too."""
    states: int = 0
    """How many states it has, those that differ in names only counted once; 0 if that is not known."""
    only: Mapping[str, Callable[[Machine], Sequence[Any]]] = attrs.field(factory=dict)
    """The values that a parameter takes, by "action.parameter" or by the parameter's name, where not all are tried."""

    def machine(self) -> Machine:
        """It, where the exploration begins."""
        made = machine(self.sizes)
        action, arguments = machine, (self.sizes,)  # type: Action, tuple[Any, ...]
        try:
            for action, arguments in self.begin(made):
                action(made, *arguments)
        except Exception as error:  # a mutant's rules, or sizes that do not suffice
            told = error.reason.value if isinstance(error, Blocked) else f"{type(error).__name__}: {error}"
            raise CannotBegin(f"{self.name} cannot begin: {call_text(action, arguments)}: {told}") from error
        return made

    def functions(self) -> list[Action]:
        """The actions, as they are now: a mutant's, if one is switched on."""
        return [self.rows[name] if name in self.rows else REGISTER["rule"][name].function for name in self.actions]

    def instances(self, made: Machine) -> Iterator[Step]:
        """Every action with all arguments that are tried."""
        for function in self.functions():
            name = function.__name__
            domains = [
                self._domain(made, f"{name}.{parameter}", parameter, sort)
                for parameter, sort in zip(parameter_names(function), parameter_sorts(function), strict=True)
            ]
            for arguments in product(*domains):
                yield function, arguments

    def size(self, made: Machine) -> int:
        """How many actions and statements there are to ask of a state, each with all its arguments."""
        choices = [
            [len(self._domain(made, f"{function.__name__}.{parameter}", parameter, sort))
             for parameter, sort in zip(parameter_names(function), parameter_sorts(function), strict=True)]
            for function in self.functions()
        ]  # fmt: skip
        for kind in ("invariant", "theorem", "transition"):
            for entry in REGISTER[kind].values():
                choices.append([len(made.ids[sort]) for sort in parameter_sorts(entry.function) if sort in made.ids])
        return sum(map(prod, choices))

    def _domain(self, made: Machine, full: str, parameter: str, sort: type) -> Sequence[Any]:
        chosen = self.only.get(full) or self.only.get(parameter)
        return chosen(made) if chosen is not None else everything(made, sort)


def everything(made: Machine, sort: type) -> list[Any]:
    """All values of a sort."""
    if sort is bool:
        return [False, True]
    if sort is int:
        return list(range(max(made.maximum[vm] for vm in made.ids[next(iter(made.ids))]) + 1))
    if issubclass(sort, Sum):
        return [leaf(*fields) for leaf in variants_of(sort)
                for fields in product(*[everything(made, field) for field in field_sorts(leaf)])]  # fmt: skip
    return list(made.ids[sort])


def sizes_text(sizes: Sizes) -> str:
    """Sizes as they are read: those that a machine of this kind has."""
    names = [field.name for field in attrs.fields(Sizes)]
    shown = [name for name in names if name in ALWAYS_TOLD or getattr(sizes, name) != getattr(Sizes(), name)]
    return ", ".join(f"{name} {getattr(sizes, name)}" for name in shown)


ALWAYS_TOLD = ("vms", "pages", "vcpus", "frames", "slots", "transfers")
