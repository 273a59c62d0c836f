"""The measures of a machine, kept: each sum is shifted by what changed entries weigh, before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from pagelaw.spec.language import REGISTER, VM, Measure, State

from ..reference.beside import parameter_sorts
from ..reference.plainly import Plainly
from .in_play import all_names, by_sort
from .noted_state import NotedState
from .noting import Change, Noted
from .remembering import NOT_FOLLOWED
from .words import words_read

Parameters = tuple[Any, ...]


class Total(dict[Any, int]):
    """A sum by its parameters: by the only one, if there is one, and else by all of them as a tuple."""

    def __missing__(self, of: Any) -> int:
        return 0


class Kept:
    """A measure of a machine and of the machine before its last step, each known; of any other it is added up."""

    def __init__(self, measure: Measure[Any], noted: Noted[Any]) -> None:
        self.measure, self._now, self._before = measure, noted.now, noted.before
        self.sorts: tuple[type, ...] = parameter_sorts(measure.weight)[2:]
        self.weigh: Callable[..., int] = Plainly()(measure.weight)
        self.is_followed = words_read(measure).isdisjoint(NOT_FOLLOWED)
        """Whether what a weight depends on can be noted."""
        self.now, self._has_one = Total(), len(self.sorts) == 1
        if all(sort is VM for sort in self.sorts):  # of other things nothing counts before anything was done
            ids = noted.now.ids
            for one in product(*(ids[sort] for sort in self.sorts)):
                self.now[self.of(one)] = measure(noted.now, *one)
        self.was = Total(self.now)

    def of(self, parameters: Parameters) -> Any:
        """By what the sum is found for these values of its parameters."""
        return parameters[0] if self._has_one else parameters

    def parameters(self, of: Any) -> Parameters:
        """The values of its parameters for which a sum is found by this."""
        return (of,) if self._has_one else of

    def __call__(self, s: State, *parameters: Any) -> Any:
        if s is self._now:
            return self.now[parameters[0] if self._has_one else parameters]
        if s is self._before:
            return self.was[parameters[0] if self._has_one else parameters]
        if isinstance(s, NotedState):
            return s.sum(self.measure.over, self.now, self.was, self.of(parameters))
        return self.measure(s, *parameters)


class Sums:
    """All measures of one machine."""

    def __init__(self, noted: Noted[Any]) -> None:
        self._state = noted.now
        self.all = [Kept(entry.function, noted) for entry in REGISTER["measure"].values()]  # type: ignore[arg-type]
        self.over: dict[str, list[Kept]] = {}
        """By field."""
        for kept in self.all:
            self.over.setdefault(kept.measure.over, []).append(kept)
        self.shifted: list[tuple[Kept, Any]] = []
        """The sums that the step has shifted, and for which values of their parameters."""

    def shift(self, changes: Iterable[Change]) -> None:
        """Add what a step has changed."""
        for field, key, was, now in changes:
            for kept in self.over.get(field, ()):
                for value, sign in ((was, -1), (now, 1)):
                    names = by_sort(all_names((key, value)))
                    for parameters in product(*(names.get(sort, ()) for sort in kept.sorts)):
                        weight = kept.weigh(self._state, value, key, *parameters)
                        if weight:
                            of = kept.of(parameters)
                            kept.now[of] += sign * weight
                            self.shifted.append((kept, of))

    def follow(self) -> None:
        """The step is over: what was before the next one is what is now."""
        for kept, of in self.shifted:
            kept.was[of] = kept.now[of]
        self.shifted.clear()


__all__ = ["Kept", "Sums"]
