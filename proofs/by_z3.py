"""z3, asked in process. A query goes through attempts, from cheap to thorough.

Whatever is proved from some of an obligation's hypotheses is proved from all
of them. So the cheap attempts give z3 a few: those of the path, the property
itself before the step, and what the same property needed on other paths. The
last attempt has them all and decides; only it can say that a goal fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from time import perf_counter
from typing import Any

import attrs
import z3

from .obligations import Obligation, Theory
from .solvers import Answer, Verdict, timed_out

FEW = 60_000
"""z3's resource limit for an attempt with the fewest hypotheses (some milliseconds)."""
MORE = 100_000
"""The limit with those added that the property needed elsewhere."""


@attrs.frozen
class Hypotheses:
    """An obligation's hypotheses: what every rule may assume, and the rest, which tells of this path."""

    granted: dict[int, Any]
    path: dict[int, Any]


class Needs:
    """Which of the general hypotheses a property needed so far: where to begin, never what to believe."""

    def __init__(self, granted: Sequence[Any] = (), itself: Mapping[str, Any] | None = None) -> None:
        self._granted = {term.get_id(): term for term in granted}
        self._needed: dict[str, dict[int, Any]] = defaultdict(dict)
        self._itself = {name: {term.get_id(): term} for name, term in (itself or {}).items()}

    @classmethod
    def of(cls, theory: Theory) -> Needs:
        """For the obligations of a theory."""
        return cls(theory.hypotheses, {name: one.closed for name, one in theory.invariants.items()})

    def split(self, obligation: Obligation) -> Hypotheses:
        """The obligation's hypotheses, parted."""
        granted: dict[int, Any] = {}
        path: dict[int, Any] = {}
        for term in obligation.hypotheses:
            number = term.get_id()
            (granted if number in self._granted else path)[number] = term
        return Hypotheses(granted, path)

    def fewest(self, obligation: Obligation, given: Hypotheses) -> list[Any]:
        """Of the general hypotheses: the property itself."""
        return _both(self._itself.get(obligation.property, {}), given.granted)

    def learnt(self, obligation: Obligation, given: Hypotheses) -> list[Any]:
        """Of the general hypotheses: those that the property needed on other paths."""
        return _both(self._needed[obligation.property], given.granted)

    def learn(self, obligation: Obligation, terms: Sequence[Any]) -> None:
        """Remember what was needed."""
        self._needed[obligation.property].update((term.get_id(), term) for term in terms)

    def learn_from(self, others: Needs) -> None:
        """Remember what was needed elsewhere; terms that are no hypotheses here do no harm."""
        for name, terms in others._needed.items():
            self._needed[name].update(terms)

    def shorter(self, obligation: Obligation) -> Obligation:
        """The same goal, with those hypotheses only that are likely to be needed."""
        given = self.split(obligation)
        likely = (*self.fewest(obligation, given), *self.learnt(obligation, given))
        terms = given.path | {term.get_id(): term for term in likely}
        return attrs.evolve(obligation, hypotheses=tuple(terms.values()))


class Z3:
    """Proves obligations one after another. resources: z3's own measure of work, to give up after as much each time."""

    def __init__(self, needs: Needs, limit: float, resources: int = 0) -> None:
        self.needs, self.limit, self.resources = needs, limit, resources

    def prove(self, obligations: Sequence[Obligation]) -> Iterator[Answer]:
        """Answers for the obligations of one path, in order."""
        if not obligations:
            return
        given = [self.needs.split(obligation) for obligation in obligations]
        common = reduce(lambda one, other: {n: t for n, t in one.items() if n in other}, [g.path for g in given])
        live = _quick_solver()
        live.add(*common.values())
        for obligation, hypotheses in zip(obligations, given, strict=True):
            started = perf_counter()
            try:
                verdict, reason = self._ask(live, common, obligation, hypotheses, started)
            except Exception as error:  # whatever goes wrong, it is not proved
                verdict, reason = Verdict.UNKNOWN, f"z3: {' '.join(str(error).split())[:200]}"
                live = _quick_solver()
                live.add(*common.values())
            yield Answer("z3", verdict, reason, perf_counter() - started)

    def quickly(self, obligations: Sequence[Obligation]) -> list[bool]:
        """Which of the obligations are proved by the cheap attempts with few hypotheses."""
        live, proved = _quick_solver(), []
        for obligation in obligations:
            try:
                proved.append(self._quickly(live, {}, obligation, self.needs.split(obligation)))
            except z3.Z3Exception:  # whatever goes wrong, it is not proved
                live = _quick_solver()
                proved.append(False)
        return proved

    def _ask(self, live: Any, common: dict[int, Any], obligation: Obligation, given: Hypotheses,
             started: float) -> tuple[Verdict, str]:
        if self._quickly(live, common, obligation, given):
            return Verdict.PROVED, ""
        if given.granted and self._and_learn(obligation, given):
            return Verdict.PROVED, ""
        left = max(self.limit - (perf_counter() - started), self.limit / 4)
        return self._thoroughly(obligation, left)

    def _quickly(self, live: Any, common: dict[int, Any], obligation: Obligation, given: Hypotheses) -> bool:
        """With few hypotheses, on a solver that already holds those common to the path."""
        fewest, learnt = self.needs.fewest(obligation, given), self.needs.learnt(obligation, given)
        live.push()
        live.add(*[term for number, term in given.path.items() if number not in common], *fewest)
        live.add(z3.Not(obligation.goal))
        try:
            live.set("rlimit", FEW)
            proved = bool(live.check() == z3.unsat)
            if not proved and learnt:
                live.add(*learnt)
                live.set("rlimit", MORE)
                proved = bool(live.check() == z3.unsat)
            return proved
        finally:
            live.pop()

    def _and_learn(self, obligation: Obligation, given: Hypotheses) -> bool:
        """With all hypotheses, and see which are needed."""
        solver = _quick_solver()
        solver.set("timeout", _milliseconds(self.limit / 2))
        solver.set("rlimit", self.resources)
        solver.add(*given.path.values(), z3.Not(obligation.goal))
        named = {f"general!{i}": term for i, term in enumerate(given.granted.values())}
        for name, term in named.items():
            solver.assert_and_track(term, name)
        if solver.check() != z3.unsat:
            return False
        self.needs.learn(obligation, [named[str(one)] for one in solver.unsat_core()])
        return True

    def _thoroughly(self, obligation: Obligation, seconds: float) -> tuple[Verdict, str]:
        """With all hypotheses, and all that z3 can do."""
        solver = z3.Solver()
        solver.set("timeout", _milliseconds(seconds))
        solver.set("rlimit", self.resources)
        solver.set("ctrl_c", False)
        solver.add(*obligation.hypotheses, z3.Not(obligation.goal))
        answer = solver.check()
        if answer == z3.unsat:
            return Verdict.PROVED, ""
        if answer == z3.sat:
            return Verdict.FAILED, "refuted by z3"
        reason = solver.reason_unknown()
        return Verdict.UNKNOWN, timed_out(self.limit) if reason in ("timeout", "canceled") else f"z3: {reason}"


def _quick_solver() -> Any:
    """Instances by matching only: quick to give up, and no search for models."""
    solver = z3.SimpleSolver()
    solver.set("auto_config", False)
    solver.set("mbqi", False)
    solver.set("case_split", 3)  # halves the time of the hard ones
    solver.set("ctrl_c", False)  # an interrupt is for the program, not for one query
    return solver


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _both(some: Mapping[int, Any], others: Mapping[int, Any]) -> list[Any]:
    return [term for number, term in some.items() if number in others]
