"""Whether the proofs speak of anything: the invariants have models, every path can be taken, and Python agrees.

A path that no state can take is proved for nothing. Such paths are listed by
name in `dead_paths.txt`. For all others a model is decoded, the rule is run on
it, and everything that the rule leaves is compared with what was lifted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as File
from typing import Any

import attrs
import z3

from pagelaw.spec.language import REGISTER, Entry, Measure
from pagelaw.spec.machine import Machine

from .lifting import Path
from .obligations import Theory
from .replay import (
    Run,
    broken_invariants,
    broken_transitions,
    describe,
    differences,
    held,
    places,
    refinement_faults,
    run_rule,
    show,
)
from .small import INSTANCES, SmallTheory
from .symbolic import SymMap

EXPECTED = File(__file__).with_name("dead_paths.txt")


# Names of paths


def path_names(entry: Entry, paths: list[Path]) -> list[str]:
    """A readable name for every path of a rule: how it ends, the arms it takes, and whatever else tells it apart."""
    found = [f"{entry.name} {_ending(path)}{_bracketed(_arms(entry, path))}" for path in paths]
    for name, often in Counter(found).items():
        if often > 1:
            same = [i for i, one in enumerate(found) if one == name]
            for i, told in zip(same, _told_apart([_answers(entry, paths[i]) for i in same]), strict=True):
                found[i] = name + _bracketed(told)
    return found


def _ending(path: Path) -> str:
    if path.unseen is not None:
        return f"private memory refuses {path.unseen.name}"
    return f"refuses {path.refused.name}" if path.refused else "done"


def _bracketed(parts: list[str]) -> str:
    return f" [{'; '.join(parts)}]" if parts else ""


def _arms(entry: Entry, path: Path) -> list[str]:
    """The `case` and `if` arms that a path takes, and the last `case` that it does not."""
    arms: dict[tuple[str, str], bool] = {}
    for position, (place, _, answer) in enumerate(path.outcomes, 1):
        function, line = _place(entry, place)
        is_last = position == len(path.outcomes) and path.refused is None
        if line.startswith(("if ", "elif ")) or (line.startswith("case ") and (answer or is_last)):
            arms[function, line.split(" ", 1)[1].removesuffix(":")] = answer
    return [f"{function}{arm}" if taken else f"{function}not {arm}" for (function, arm), taken in arms.items()]


def _place(entry: Entry, place: str) -> tuple[str, str]:
    """The function that asked, if it is not the rule itself, and its line."""
    function, _, line = place.partition(": ")
    return ("" if function == entry.name else f"{function}: "), line


def _answers(entry: Entry, path: Path) -> list[str]:
    """Every question of a path with its answer."""
    told = []
    for place, question, answer in path.outcomes:
        function, line = _place(entry, place)
        told.append(f"{function}{line.removesuffix(':')}{_variants_asked(question)}: {'yes' if answer else 'no'}")
    return told


def _variants_asked(question: Any) -> str:
    """The variants that a question is about."""
    parts = question.children() if z3.is_or(question) else [question]
    names = [part.decl().params()[0].name() for part in parts if z3.is_app(part) and part.decl().name() == "is"]
    return f" = {' '.join(names)}" if names else ""


def _told_apart(paths: list[list[str]]) -> list[list[str]]:
    """Of each path's answers, those that not all paths have; a number if there are none."""
    common = set(paths[0]).intersection(*paths[1:])
    told = [[answer for answer in path if answer not in common] for path in paths]
    often = Counter(map(tuple, told))
    return [one if often[tuple(one)] == 1 else [*one, str(i)] for i, one in enumerate(told)]


# Which paths can be taken


@attrs.frozen
class Named:
    """A path of a rule with its name."""

    entry: Entry
    arguments: dict[str, Any]
    name: str
    path: Path


def named_paths(theory: Theory, rules: Callable[[str], bool] = lambda name: True) -> Iterator[Named]:
    """All paths of all rules, save those that private memory refuses: that these are dead is an obligation."""
    for entry in REGISTER["rule"].values():
        if rules(entry.name):
            arguments, paths = theory.paths(entry)
            for name, path in zip(path_names(entry, paths), paths, strict=True):
                if path.unseen is None:
                    yield Named(entry, arguments, name, path)


def dead_paths(rules: Callable[[str], bool] = lambda name: True) -> list[str]:
    """The names of all paths that no state of any instance can take, if the invariants hold in it."""
    dead: list[str] | None = None
    for members in INSTANCES.values():
        theory = SmallTheory(members)
        asked = dead
        dead = [
            one.name
            for one in named_paths(theory, rules)
            if (asked is None or one.name in asked) and theory.model(*one.path.conditions) is None
        ]
    assert dead is not None
    return dead


def expected_dead_paths() -> list[str]:
    """The names in `dead_paths.txt`."""
    lines = EXPECTED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def unproved_dead_paths(names: Sequence[str], limit_ms: int = 20_000) -> list[str]:
    """Those of the named paths of which it is not proved that no machine of any size can take them."""
    theory = Theory()
    granted = theory.hypotheses
    unproved = list(names)
    for one in named_paths(theory):
        if one.name in unproved:
            solver = z3.Solver()
            solver.set("timeout", limit_ms)
            solver.add(*granted, *one.path.conditions, *theory.facts_about(one.path.conditions, []))
            if solver.check() == z3.unsat:
                unproved.remove(one.name)
    return unproved


# Python agrees with what was lifted


def mismatches(theory: SmallTheory, one: Named, model: Any) -> Iterator[str]:
    """Where running the rule on the state of a model does not give what its path says; where an invariant fails."""
    machine, values = theory.decode(model, one.arguments)
    yield from (f"{one.name}: {name} is false before, though assumed" for name in broken_invariants(machine))
    run = run_rule(machine, one.entry.function, list(values.values()))
    yield from (f"{one.name}: {text}" for text in _differs(theory, one.path, model, run))


def _differs(theory: SmallTheory, path: Path, model: Any, run: Run) -> Iterator[str]:
    if run.error is not None:
        yield f"running it raises {run.error}"
        return
    if run.refused != path.refused:
        yield f"lifted it ends with {path.refused}, run with {run.refused}"
        return
    if path.refused is not None:
        yield from (f"{describe(field, keys)} changed by a refusal" for field, keys, _, _ in run.changes)
        return
    wanted = None if path.result is None else theory.read(model, path.result.term, path.result.kind)
    if run.result != wanted:
        yield f"lifted it returns {show(wanted)}, run {show(run.result)}"
    lifted = _state_after(theory, path, model, run.before)
    for field, keys, there, here in differences(lifted, run.after):
        yield f"{describe(field, keys)} is {show(there)} lifted, {show(here)} when run"
    yield from refinement_faults(run)
    yield from (f"{name} is false afterwards" for name in [*broken_invariants(run.after), *broken_transitions(run)])


def _state_after(theory: SmallTheory, path: Path, model: Any, before: Machine) -> Machine:
    """The machine that a path leaves, as it was lifted, in a model."""
    after = before.copy()
    for field, keys in places(before):
        left = path.state.fields[field]
        if not isinstance(left, SymMap):
            setattr(after, field, theory.read(model, left.term, left.kind))
        elif left.updates:
            term = left.read([theory.encoding.constant(key) for key in keys])
            getattr(after, field)[keys if len(keys) > 1 else keys[0]] = theory.read(model, term, left.shape.value)
        else:
            assert held(after, field, keys) == held(before, field, keys)
    return after


def unshifted_sums(theory: SmallTheory, rules: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Where a measure, added up after a path, is not what it was before, shifted by each write to its map."""
    found = []
    for one in named_paths(theory, rules):
        if one.path.refused is None:
            solver = theory.solver_of([*theory.encoding.facts_of_the_instance(), *one.path.conditions])
            wrong = [m.__name__ for m, differs in _shifts(theory, one.path) if solver.check(differs) != z3.unsat]
            found += [f"{one.name}: {name}" for name in wrong]
    return found


def _shifts(theory: SmallTheory, path: Path) -> Iterator[tuple[Measure[Any], Any]]:
    """For every measure that a path changes, that its sum afterwards is not the shifted one."""
    lift = theory.lift
    for entry in REGISTER["measure"].values():
        measure: Any = entry.function
        if path.state.fields[measure.over].updates:
            parameters = [theory.encoding.fresh(kind, "p") for kind in lift.parameter_kinds(measure)]
            before, after = (lift.measure_term(measure, s, parameters) for s in (theory.machine(), path.state))
            yield measure, after != lift.shifted(measure, path.state, parameters, before)


def varied(theory: SmallTheory, one: Named, chance: random.Random, wishes: int = 6) -> Any:
    """A model of a path, pushed in random directions; None if the path is dead."""
    kept = list(one.path.conditions)
    model = theory.model(*kept)
    entries = [entry for entry in theory.entries if entry[0].name != "count_top"]
    for shape, _, term in chance.sample(entries, wishes) if model is not None else []:
        wish = theory.random_wish(term, shape.value, chance)
        found = theory.model(*kept, wish)
        if found is not None:
            model, kept = found, [*kept, wish]
    return model


def validate(
    theory: SmallTheory, states: int = 1, seed: int = 0, rules: Callable[[str], bool] = lambda name: True
) -> tuple[int, list[str]]:
    """Run every path of the rules on some states each; how many states were run, and everything that differs."""
    chance, ran = random.Random(seed), 0
    found: list[str] = []
    for one in named_paths(theory, rules):
        for number in range(states):
            model = varied(theory, one, chance, wishes=6 if number else 0)
            if model is None:
                break
            ran += 1
            found.extend(mismatches(theory, one, model))
    return ran, found


if __name__ == "__main__":
    print("\n".join(dead_paths()))
