"""The concrete side: runs a rule on a concrete machine and asks Python whether a property holds there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any, get_type_hints

import attrs

from pagelaw.spec.language import REGISTER, Blocked, Entry, State, Sum
from pagelaw.spec.machine import SIZES, Machine
from pagelaw.spec.private_memory import PrivateMemory
from pagelaw.spec.profiles import PROFILES

Change = tuple[str, tuple[Any, ...], Any, Any]


LEAST: dict[str, Any] = {
    "hard_threshold": 1, "soft_threshold": 2, "high_threshold": 3,
    **PROFILES["esx"], "shares": 1, "sample_size": 1, "slow_gain": Fraction(1, 8), "fast_gain": Fraction(1, 2),
}
"""The plainest values of parameters that cannot all be 0, and of options, which are as in the paper."""

ERRORS = (AttributeError, TypeError, KeyError, AssertionError, ZeroDivisionError)
"""What running a function of the specification raises where it is not defined."""


def told(problem: Exception) -> str:
    """An error as one line."""
    return f"{type(problem).__name__}: {problem}"


@attrs.frozen
class Run:
    """What happened when a rule was run: the states before and after, and how it ended."""

    before: Machine
    after: Machine
    result: Any
    refused: Enum | None
    error: str | None
    shown: list[tuple[Callable[..., Any], tuple[Any, ...]]]
    again: Callable[[], Run]
    """Runs the rule once more, with the same arguments, on what it has left."""

    @property
    def changes(self) -> list[Change]:
        """What is different afterwards: field, key, value before, value after."""
        return differences(self.before, self.after)


def run_rule(state: Machine, rule: Callable[..., Any], arguments: Sequence[Any]) -> Run:
    """Run a rule on a copy of the state."""
    after, shown = state.copy(), []
    after.observer = lambda step, values: shown.append((step, values))
    result, refused, error = None, None, None
    try:
        result = rule(after, *arguments)
    except Blocked as blocked:
        refused = blocked.reason
    except ERRORS as problem:
        error = told(problem)
    after.observer = None
    return Run(state, after, result, refused, error, shown, lambda: run_rule(after, rule, arguments))


def places(state: State) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every field and key of a state."""
    for shape in state.shapes().values():
        for keys in product(*[everything(state, kind) for kind in shape.keys]):
            yield shape.name, keys


def everything(state: State, kind: type) -> Sequence[Any]:
    """All values of a sort that a state knows: its identifiers, or the contents that occur as keys."""
    if kind is bool:
        return (True, False)
    return state.ids.get(kind) or tuple(getattr(state, "hash_of", ()))


def held(state: State, field: str, keys: tuple[Any, ...]) -> Any:
    """The value of a field at a key."""
    value = getattr(state, field)
    if not keys:
        return value
    return value[keys if len(keys) > 1 else keys[0]]


def differences(one: State, other: State) -> list[Change]:
    """Where two states differ."""
    pairs = ((f, k, held(one, f, k), held(other, f, k)) for f, k in places(one) if not one.shapes()[f].field.is_given)
    return [(f, k, old, new) for f, k, old, new in pairs if old != new]


# Properties


@lru_cache(maxsize=1024)
def parameters(function: Callable[..., Any]) -> dict[str, type]:
    """The parameters of a function of the specification that are not states, with their types."""
    plain = inspect.unwrap(function)
    hints = get_type_hints(plain)
    return {name: hints[name] for name in inspect.signature(plain).parameters if not issubclass(hints[name], State)}


def verdict(function: Callable[..., Any], states: Sequence[State], arguments: Sequence[Any]) -> bool | str:
    """Whether a statement holds for these arguments; or the error that asking raised."""
    try:
        return bool(function(*states, *arguments))
    except ERRORS as problem:
        return told(problem)


def false_cases(entry: Entry, *states: State) -> list[tuple[Any, ...]]:
    """The arguments for which a statement is false, or cannot be asked; of one state, or of those around a step."""
    choices = [everything(states[0], kind) for kind in parameters(entry.function).values()]
    return [case for case in product(*choices) if verdict(entry.function, states, case) is not True]


def broken_invariants(state: State) -> list[str]:
    """The names of the invariants and assumptions that a state breaks."""
    entries = [*REGISTER["assumption"].values(), *REGISTER["invariant"].values()]
    return [entry.name for entry in entries if false_cases(entry, state)]


def broken_transitions(run: Run) -> list[str]:
    """The names of the statements about every step that a step breaks."""
    return [entry.name for entry in REGISTER["transition"].values() if false_cases(entry, run.before, run.after)]


def private_memory_of(state: Machine) -> PrivateMemory:
    """What the guests see of a machine."""
    views = {entry.extra: entry.function for entry in REGISTER["represents"].values()}
    shapes = PrivateMemory.shapes()
    memory = PrivateMemory.start(state.ids, **{n: getattr(state, n) for n, s in shapes.items() if s.field.is_given})
    for field, keys in places(memory):
        if shapes[field].field.is_given:
            continue
        value = views[field](state, *keys) if field in views else held(state, field, keys)
        if keys:
            getattr(memory, field)[keys if len(keys) > 1 else keys[0]] = value
        else:
            setattr(memory, field, value)
    return memory


def private_memory_faults(state: Machine) -> list[str]:
    """That what the guests see cannot be read off a machine."""
    try:
        private_memory_of(state)
    except ERRORS as problem:
        return [told(problem)]
    return []


def refinement_faults(run: Run) -> list[str]:
    """Where what the guests see after a step is not what private memory says: one line each."""
    memory, returned = private_memory_of(run.before), None
    if run.error is not None:
        return [f"the rule cannot be run: {run.error}"]
    if run.refused is not None:
        return refusal_faults(run)
    if len(run.shown) > 1:
        return ["the rule shows the guest more than one step"]
    for step, values in run.shown:
        try:
            returned = step(memory, *values)
        except Blocked as blocked:
            return [f"private memory does not allow {step.__name__}: {blocked.reason.value}"]
    faults = [
        f"{describe(field, keys)} is {show(seen)} to the guest, and should be {show(wanted)}"
        for field, keys, wanted, seen in differences(memory, private_memory_of(run.after))
    ]
    if run.result != returned:
        faults.append(f"the value returned is {show(run.result)}, and should be {show(returned)}")
    return faults


def initial(machine: Machine) -> Machine:
    """The initial state of a machine with the same identifiers and parameters."""
    given = {name: getattr(machine, name) for name, shape in Machine.shapes().items() if shape.field.is_given}
    return Machine.start({kind: list(ids) for kind, ids in machine.ids.items()}, **given)


def notable(machine: Machine) -> Iterator[str]:
    """The entries of a state that are not as in the initial state, and the parameters that are not the plainest."""
    for name, shape in Machine.shapes().items():
        value = getattr(machine, name)
        entries = [(keys if isinstance(keys, tuple) else (keys,), v) for keys, v in value.items()] if shape.keys else [
            ((), value)
        ]
        for keys, one in entries:
            if one != ordinary(machine, name, keys):
                yield f"{describe(name, keys)} = {show(one)}"


def refusal_faults(run: Run) -> list[str]:
    """What a rule did although it refused."""
    if run.refused is None:
        return []
    changed = [f"{describe(f, k)} was changed by a rule that refused" for f, k, _, _ in run.changes]
    return changed + [f"the guest was shown {step.__name__} by a rule that refused" for step, _ in run.shown]


def effect_faults(run: Run) -> list[str]:
    """That a rule neither refused nor did anything."""
    idle = run.refused is None and run.error is None and not run.changes and not run.shown
    return ["the rule does not refuse, and does nothing"] if idle else []


def once_faults(run: Run) -> list[str]:
    """That a rule could be done once more, though it does not say why."""
    done = run.refused is None and run.error is None and run.again().refused is None
    return ["the rule does not refuse to be done once more: it has not settled what it is for"] if done else []


FAULTS_OF_A_STEP = {"refusal": refusal_faults, "effect": effect_faults, "once": once_faults}
"""What finds a step's fault in a run, by the kind of obligation that is not proved."""


def operation_faults(state: Machine, name: str, arguments: Sequence[Any]) -> list[str]:
    """Where the steps of an operation, run without interruption, leave something else than the operation in one."""
    entry = REGISTER["operation"][name]
    in_steps, in_one = (run_rule(state, function, arguments) for function in (entry.extra.run, entry.function))
    if in_steps.refused is not None:
        return []
    if in_one.refused is not None:
        return [f"the steps can be done, but the operation in one refuses: {in_one.refused.value}"]
    if in_steps.error or in_one.error:
        return [f"it cannot be run: {in_steps.error or in_one.error}"]
    return [
        f"{describe(field, keys)} is {show(one)} after the steps, {show(other)} in one"
        for field, keys, one, other in differences(in_steps.after, in_one.after)
        if field not in entry.extra.left_out
    ]


def ordinary(machine: Machine, name: str, keys: tuple[Any, ...]) -> Any:
    """What a field holds if nothing calls for attention."""
    shape = Machine.shapes()[name]
    start = shape.field.value
    if isinstance(start, str):
        start = getattr(machine, start)
        return start[keys[0]] if keys else start
    if not shape.field.is_given:
        return start
    if name in (*SIZES, "zero", "frame_at_boot", "slot_at_boot", "count_top"):
        return getattr(machine, name)[keys[0]] if keys else getattr(machine, name)
    return LEAST.get(name, shape.value(0))


def describe(field: str, keys: tuple[Any, ...]) -> str:
    """A field and its key, as in the text of a rule."""
    return f"{field}[{', '.join(map(show, keys))}]" if keys else field


def show(value: Any) -> str:
    """A value as short as it can be written."""
    if isinstance(value, Sum):
        fields = [show(one) for one in fields_of(value)]
        return f"{type(value).__name__}({', '.join(fields)})" if fields else type(value).__name__
    return str(value) if isinstance(value, Fraction) else repr(value)


def fields_of(value: Sum) -> list[Any]:
    """The values of a variant's fields."""
    variant: Any = type(value)
    return [getattr(value, field.name) for field in attrs.fields(variant)]
