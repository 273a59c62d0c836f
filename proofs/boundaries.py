"""The bounds of guards: for each that compares numbers, states on both sides of its bound, found by the solver.

A guard may ask several things; a side is taken where only the comparison decides: had it gone the other way, so would
the guard have. A state is allowed by every invariant, and as plain as can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import z3

from pagelaw.spec.language import Contents, Entry
from pagelaw.spec.machine import Machine

from .lifting import Path, Sym
from .obligations import Theory
from .small import WISH_WORK, SmallTheory

FIXED = ("zero", "frame_at_boot", "slot_at_boot", "low", "block", "domain", "hash_of", "short", "sample_size", "shares",
         "tax_rate", "slow_gain", "fast_gain")  # fmt: skip
"""Parameters that are as those of the machine that is given: the solver chooses the others."""
WORK = 50_000_000
"""z3's resource limit for a state."""
NO_TIMEOUT = 2**32 - 1
DISTANCES: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    z3.Z3_OP_LE: ((0,), (1,)), z3.Z3_OP_LT: ((-1,), (0,)), z3.Z3_OP_GE: ((0,), (-1,)), z3.Z3_OP_GT: ((1,), (0,)),
    z3.Z3_OP_EQ: ((0,), (1, -1)),
}  # fmt: skip
"""By how much the left side exceeds the right one next to the bound, where a comparison is true, and where false."""


@attrs.frozen
class Side:
    """A state next to the bound of a guard."""

    rule: str
    reason: str
    """Why the rule refuses on the other side, or on this one."""
    guard: str
    """The line of the guard, as it is written."""
    place: str
    """Which of the rule's bounds with this reason, and which side of it: `AT_MINIMUM-1-refused`."""
    told: str
    """The comparison."""
    is_refused: bool
    distance: int | None
    """By how much the left side exceeds the right one; None if these are no whole numbers."""
    machine: Machine = attrs.field(repr=False)
    arguments: tuple[Any, ...]


class OnOneMachine(SmallTheory):
    """A small instance of which the parameters that are maps are those of a given machine."""

    def __init__(self, like: Machine) -> None:
        self.like = like
        super().__init__({sort: list(members) for sort, members in like.ids.items() if sort is not Contents})

    def state(self, conditions: Sequence[Any], arguments: dict[str, Sym]) -> tuple[Machine, dict[str, Any]] | None:
        """The plainest state in which the conditions hold; None if none is found with so much work."""
        self._begin(WORK)
        try:
            model = self.model(*conditions)
        except TimeoutError:
            return None
        if model is None:
            return None
        self._begin(WISH_WORK)
        return self.decode(self.simplest(model, conditions, arguments), arguments)

    def _begin(self, work: int) -> None:
        """A solver that has not done anything yet, and is limited by its work: so its answers do not rest on time.

        They do on how terms are numbered, and so on what this process did before: each rule is asked about in one of
        its own, if the answers are to be the same again.
        """
        self.solver = self.solver_of(self.granted)
        self.solver.set("timeout", NO_TIMEOUT)
        self.solver.set("rlimit", work)

    def _grant(self, wishes: list[Any], kept: list[Any], model: Any) -> Any:
        """Grant wishes; those that take too much work are not granted."""
        try:
            return super()._grant(wishes, kept, model)
        except TimeoutError:
            self._begin(WISH_WORK)
            return model

    @property
    def hypotheses(self) -> list[Any]:
        """The invariants, the sizes, and these parameters; numbers that are given are not negative."""
        return [*super().hypotheses, *self._fixed(), *self._numbers()]

    def _fixed(self) -> Iterator[Any]:
        for name in FIXED:
            shape, held = Machine.shapes()[name], getattr(self.like, name)
            keys = self.keys(shape.keys[0]) if shape.keys else [None]
            for key in keys:
                value = self.encoding.constant(held if key is None else held[key])
                yield self.functions[name](*([] if key is None else [self.encoding.constant(key)])) == value

    def _numbers(self) -> Iterator[Any]:
        low = sum(self.like.low[mpn] for mpn in self.keys(Machine.shapes()["low"].keys[0]))
        for name, shape in Machine.shapes().items():
            if shape.field.is_given and shape.value is int and name not in FIXED:
                terms = [term for shape_of, _, term in self.entries if shape_of.name == name]
                yield from (term >= 0 for term in terms)
                yield from (term <= low for term in terms if name == "low_for_all")


def comparisons(question: Any) -> list[Any]:
    """The comparisons of numbers in a question, each once; those that themselves ask for a variant are left out."""
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def look(term: Any) -> None:
        if term.get_id() in seen:
            return
        seen.add(term.get_id())
        compares = z3.is_app(term) and term.decl().kind() in DISTANCES and z3.is_arith(term.arg(0))
        if compares and "(_ is" not in term.sexpr():
            found[term.get_id()] = term
            return
        for part in term.children():
            look(part)

    look(question)
    return list(found.values())


def told(term: Any) -> str:
    """A comparison as it is read: the solver's text, without the numbers that make names unique."""
    text = re.sub(r"!\d+", "", " ".join(str(term).split()))
    return re.sub(r"\b(\w+)\.\d+\.", "", text)


def shape_of(term: Any) -> str:
    """The same for comparisons that differ in the things only of which they speak."""
    return re.sub(r"\b(?:[A-Z]|[A-Z]\.\w+)\b", "_", told(term))


class Bounds:
    """The bounds of a rule's guards, on one small machine."""

    def __init__(self, like: Machine) -> None:
        self.theory = OnOneMachine(like)
        self.missing: list[str] = []
        """Sides of bounds of which no state was found."""

    def has_any(self, entry: Entry) -> bool:
        """Whether a guard of the rule compares numbers."""
        _, paths = self.theory.paths(entry)
        return any(comparisons(path.outcomes[-1][1]) for path in paths if path.refused is not None and path.outcomes)

    def of_rule(self, entry: Entry) -> Iterator[Side]:
        """States on both sides of each bound."""
        arguments, paths = self.theory.paths(entry)
        numbers: dict[str, int] = {}
        seen: set[tuple[str, str]] = set()
        for path in paths:
            if path.refused is None or not path.outcomes:
                continue
            place, question, _ = path.outcomes[-1]
            for atom in comparisons(question):
                if (place, shape_of(atom)) in seen:
                    continue
                seen.add((place, shape_of(atom)))
                sides = list(self._sides(entry, arguments, paths, path, atom))
                if sides:
                    reason = path.refused.name
                    numbers[reason] = numbers.get(reason, 0) + 1
                    yield from named(sides, f"{reason}-{numbers[reason]}")

    def _sides(
        self, entry: Entry, arguments: dict[str, Sym], paths: Sequence[Path], path: Path, atom: Any
    ) -> Iterator[Side]:
        """Both sides of one comparison: where the guard refuses, and where the rule is done."""
        assert path.refused is not None
        place, question, _ = path.outcomes[-1]
        other = z3.substitute(question, (atom, z3.Not(atom)))
        guard = place.partition(": ")[2]
        for is_refused in (True, False):
            ways = [path] if is_refused else [one for one in paths if is_done_after(one, path.outcomes[-1])]
            decisive = z3.Xor(question, other)
            found = False
            for is_true in (True, False):
                for distance in self._distances(atom, is_true):
                    near = [atom if is_true else z3.Not(atom), decisive]
                    if distance is not None:
                        near.append(atom.arg(0) - atom.arg(1) == distance)
                    state = self._state(ways, near, arguments)
                    if state is not None:
                        found = True
                        machine, values = state
                        yield Side(entry.name, path.refused.name, guard, "", told(atom), is_refused, distance, machine,
                                   tuple(values.values()))  # fmt: skip
            if not found:
                self.missing.append(f"{entry.name}: {guard}: {told(atom)}: {'refused' if is_refused else 'done'}")

    @staticmethod
    def _distances(atom: Any, is_true: bool) -> Sequence[int | None]:
        if z3.is_int(atom.arg(0)) and z3.is_int(atom.arg(1)):
            return DISTANCES[atom.decl().kind()][0 if is_true else 1]
        return (None,)

    def _state(self, ways: Sequence[Path], near: list[Any], arguments: dict[str, Sym]) -> Any:
        """The plainest state in which one of these paths is taken next to the bound."""
        for way in ways:
            conditions = [*way.conditions, *near]
            found = self.theory.state(conditions, arguments)
            if found is not None:
                return found
        return None


def named(sides: Sequence[Side], bound: str) -> Iterator[Side]:
    """The sides of a bound, each with its name; where there are two neighbours, what is above and what is below."""
    for side in sides:
        place = f"{bound}-{'refused' if side.is_refused else 'done'}"
        if sum(other.is_refused == side.is_refused for other in sides) > 1:
            place += "-above" if (side.distance or 0) > 0 else "-below"
        yield attrs.evolve(side, place=place)


def is_done_after(path: Path, asked: tuple[str, Any, bool]) -> bool:
    """Whether a path ends with the step done, and a question was asked on it."""
    place, question, _ = asked
    was_asked = any(one[0] == place and one[1].eq(question) for one in path.outcomes)
    return path.refused is None and path.unseen is None and was_asked


__all__ = ["Bounds", "Side", "Theory"]
