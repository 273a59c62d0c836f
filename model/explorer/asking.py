"""What is asked of every state: invariants and theorems, for all values of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from pagelaw.spec.language import Entry, Measure

from ..reference.beside import asked
from .acting import calls_in_vain, false_statement, instances
from .behind import fields_behind
from .memo import Memo, Work
from .packing import Layout
from .watched import Log, Untold, Watched

HOLDS = "holds"


class Counting:
    """Adds up measures over a packed state: the weight of an entry is worked out once for each value."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.weights: dict[tuple[Any, ...], list[tuple[int, Any, dict[int, int]]]] = {}
        self.constant: dict[tuple[Any, ...], int] = {}
        self.packed = b""
        self.used = False
        """Whether a sum was asked for."""

    def view(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A view is the function itself."""
        return function(*arguments)

    def measure(self, measure: Measure[Any], s: Watched, parameters: tuple[Any, ...]) -> int:
        """A sum over one map of the state."""
        name = (measure.__name__, *parameters)
        if measure.over not in self.layout.at:
            if name not in self.constant:
                self.constant[name] = measure(self.layout.machine, *parameters)
            return self.constant[name]
        self.used = True
        table = self.weights.get(name)
        if table is None:
            places = self.layout.at[measure.over]
            table = self.weights[name] = [(place, key, {}) for key, place in places.items()]
        total, packed = 0, self.packed
        for place, key, known in table:
            number = packed[place]
            weight = known.get(number)
            if weight is None:
                value = self.layout.values[measure.over].values[number]
                weight = known[number] = measure.weight(self.layout.machine, value, key, *parameters)
            total += weight
        return total


@attrs.define
class Question:
    """A statement with values for its parameters."""

    entry: Entry
    arguments: tuple[Any, ...]
    ask: Callable[[bytes], Any]
    fields: frozenset[str]

    def told(self) -> str:
        """That it is false, in words."""
        return false_statement(self.entry, self.arguments)


class Asking:
    """Asks everything of a state. Statements that rest on fields that never change are asked once."""

    def __init__(self, layout: Layout, kinds: Sequence[str] = ("invariant", "theorem")) -> None:
        self.layout = layout
        self.machine = Watched.over(layout)
        for name in layout.ignored - {"generation"}:  # with no fill under way it is as if there was never a revocation
            self.machine.fixed[name].untold = True
        self.counting = Counting(layout)
        self.questions: list[Question] = []
        self.concerned: dict[frozenset[str], list[Question]] = {}
        for kind in kinds:
            for entry, arguments in instances(layout, kind):
                self._enter(entry, arguments)

    def _enter(self, entry: Entry, arguments: tuple[Any, ...]) -> None:
        work = self._work(asked(entry.function), arguments, entry.kind)
        self.counting.used = False
        places, answer = work(self.layout.start)
        if self.counting.used:  # sums rest on whole fields: remembering them would not pay
            self.questions.append(Question(entry, arguments, lambda packed: work(packed)[1], self._fields(entry)))
        elif places or answer != HOLDS:
            self.questions.append(Question(entry, arguments, Memo(work), self._fields(entry)))

    def _fields(self, entry: Entry) -> frozenset[str]:
        if entry.kind == "theorem":  # what it asks of rules rests on whatever these read
            return frozenset(self.layout.fields)
        return fields_behind(asked(entry.function)) & set(self.layout.fields)

    def _work(self, function: Callable[..., Any], arguments: tuple[Any, ...], kind: str) -> Work:
        def work(packed: bytes) -> tuple[Sequence[int], Any]:
            log = Log()
            machine = self.machine.on(packed, log)
            if kind == "invariant":
                machine.engine = self.counting
                self.counting.packed = packed
            try:
                answer = HOLDS if function(machine, *arguments) else "false"
            except Untold:
                answer = HOLDS  # nobody can tell
            except Exception as error:  # a state that no rule should lead to
                answer = HOLDS if calls_in_vain(error) else f"cannot be asked: {type(error).__name__}: {error}"
            finally:
                machine.__dict__.pop("engine", None)
            return log.places, answer

        return work

    def false(self, packed: bytes, changed: frozenset[str] | None = None) -> Question | None:
        """The first statement that does not hold of a state; None if all hold.

        changed: the fields that are not as in a state of which everything is known to hold.
        """
        for question in self.questions if changed is None else self._concerned(changed):
            if question.ask(packed) != HOLDS:
                return question
        return None

    def _concerned(self, changed: frozenset[str]) -> list[Question]:
        found = self.concerned.get(changed)
        if found is None:
            found = self.concerned[changed] = [one for one in self.questions if one.fields & changed]
        return found
