"""Private memory run beside the machine, and every invariant asked of a state.

A run is checked in two ways. Each visible step of a rule is done on private
memory too, which must allow it and return the same; what private memory is,
read off the machine, must then be what it became. And every invariant and
theorem is evaluated for all values of its parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from inspect import signature
from itertools import product
from typing import Any, get_type_hints

from pagelaw import spec  # noqa: F401  (fills the register)
from pagelaw.spec.language import REGISTER, Blocked, Entry
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory


class Violation(Exception):
    """The machine did what the specification does not allow: which rule, what was due, what was found.

    kind, name, arguments: the statement that does not hold, and for which values.
    """

    def __init__(
        self, told: str, kind: str = "refinement", name: str = "private memory", arguments: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(told)
        self.kind, self.name, self.arguments = kind, name, arguments


def asked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The text of a question (invariant, view), without the wrapper that lets a prover step in."""
    return getattr(function, "__wrapped__", function)


@cache
def parameter_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters of a rule or question, the state aside."""
    return tuple(signature(asked(function)).parameters)[1:]


@cache
def parameter_sorts(function: Callable[..., Any]) -> tuple[type, ...]:
    """Their sorts."""
    hints = get_type_hints(asked(function))
    return tuple(hints[name] for name in parameter_names(function))


@cache
def field_sorts(variant: type) -> tuple[type, ...]:
    """The sorts of the fields of a variant."""
    hints = get_type_hints(variant)
    return tuple(hints[name] for name in getattr(variant, "__match_args__", ()))


def call_text(function: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """A call as it is read: `load(cpu=A.cpu0, virtual=A.v1, word=w0)`."""
    named = zip(parameter_names(function), arguments, strict=True)
    return f"{function.__name__}({', '.join(f'{name}={value!r}' for name, value in named)})"


# Invariants.


def failures(machine: Machine, *kinds: str) -> Iterator[tuple[Entry, tuple[Any, ...]]]:
    """Every statement of these kinds that does not hold, with the arguments for which it does not."""
    for kind in kinds:
        for entry in REGISTER[kind].values():
            holds = asked(entry.function)
            for arguments in product(*(machine.ids[sort] for sort in parameter_sorts(entry.function))):
                if not holds(machine, *arguments):
                    yield entry, arguments


def check_everything(machine: Machine, *kinds: str) -> None:
    """Raise a Violation if an invariant or theorem (or what is named) does not hold of the machine."""
    for entry, arguments in failures(machine, *(kinds or ("invariant", "theorem"))):
        told = f"{entry.kind} {call_text(entry.function, arguments)} does not hold: {entry.sentence}"
        raise Violation(told, entry.kind, entry.name, arguments)


# Private memory.


class Beside:
    """A machine with private memory beside it. `do` does a step in both and compares what is returned."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.private = PrivateMemory.start(machine.ids, zero=machine.zero)
        self.seen: list[Any] = []
        """What the steps of private memory returned that the last step was."""
        self._last: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
        sorts = {name: shape.keys for name, shape in PrivateMemory.shapes().items() if not shape.field.is_given}
        of_field = {entry.extra: asked(entry.function) for entry in REGISTER["represents"].values()}
        self._compared = [
            (name, [key[0] if len(key) == 1 else key for key in product(*map(machine.ids.__getitem__, keys))],
             of_field.get(name)) for name, keys in sorts.items()
        ]  # fmt: skip
        machine.observer = self._observe

    @property
    def doing(self) -> str:
        """The last step."""
        return call_text(*self._last) if self._last else "nothing yet"

    def forget(self) -> None:
        """No step was done yet."""
        self.seen.clear()
        self._last = None

    def _observe(self, step: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """A rule says which step of private memory it is."""
        try:
            self.seen.append(step(self.private, *arguments))
        except Blocked as refused:
            told = f"private memory refuses {call_text(step, arguments)}: {refused.reason.value}"
            raise Violation(f"{self.doing} is a step that guests must not see: {told}") from None

    def do(
        self, rule: Callable[..., Any], arguments: tuple[Any, ...], text: Callable[..., Any] | None = None
    ) -> Any:
        """Do one step; Blocked if the rule refuses, a Violation if the step is not one of private memory.

        text: what is run, if that is not the rule as it is (see `plainly`).
        """
        self.seen.clear()
        self._last = rule, arguments
        returned = (text or rule)(self.machine, *arguments)
        expected = self.seen[0] if self.seen else None
        if len(self.seen) > 1:
            raise Violation(f"{self.doing} is {len(self.seen)} steps of private memory at once")
        if returned != expected:
            raise Violation(f"{self.doing} returned {returned!r}, private memory {expected!r}")
        return returned

    def compare(self) -> None:
        """Raise a Violation if private memory, read off the machine, is not what it became step by step.

        A field that no view represents is the machine's field of the same name.
        """
        for name, keys, view in self._compared:
            held, same = getattr(self.private, name), getattr(self.machine, name, None)
            for key in keys:
                found = view(self.machine, key) if view is not None else same[key]  # type: ignore[index]
                if found != held[key]:
                    told = f"{name}[{key!r}] is {found!r} in the machine, {held[key]!r} in private memory"
                    raise Violation(f"after {self.doing}: {told}")


class Checked:
    """Does steps with private memory beside the machine, and asks every invariant after each so many.

    invariants_every, theorems_every: after how many steps they are asked; 0 for never.
    since: the step from which on anything is asked.
    """

    def __init__(self, machine: Machine, invariants_every: int = 1, theorems_every: int = 1000, since: int = 0) -> None:
        self.machine, self.beside = machine, Beside(machine)
        self.every = {"invariant": invariants_every, "theorem": theorems_every}
        self.steps, self.since = 0, since

    def __call__(self, rule: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        returned = self.beside.do(rule, arguments)
        self.steps += 1
        if self.steps >= self.since:
            self.beside.compare()
            for kind, every in self.every.items():
                if every and self.steps % every == 0:
                    self.check(kind)
        return returned

    def check(self, *kinds: str) -> None:
        """Ask now."""
        try:
            check_everything(self.machine, *kinds)
        except Violation as found:
            told = f"after {self.beside.doing}: {found}"
            raise Violation(told, found.kind, found.name, found.arguments) from None


# Operations.


def check_operations(machine: Machine, name: str | None = None) -> Counter[str]:
    """Run every operation in one piece and in steps, on copies, with all arguments; say how often each went through.

    With `name`, the one of this name.

    Raises a Violation if the two do not leave the same.
    """
    compared: Counter[str] = Counter()
    written = [shape.name for shape in machine.shapes().values() if not shape.field.is_given]
    in_steps = trial_of(machine)
    for entry in REGISTER["operation"].values():
        if name not in (None, entry.name):
            continue
        for arguments in product(*(machine.ids[sort] for sort in parameter_sorts(entry.function))):
            if any(getattr(in_steps, field) != getattr(machine, field) for field in written):
                in_steps = trial_of(machine)
            try:
                entry.extra.run(in_steps, *arguments)
            except Blocked:
                continue
            in_one = trial_of(machine)
            try:
                entry.function(in_one, *arguments)
            except Blocked as refused:
                told = f"done in steps, refused in one piece: {refused.reason.value}"
                raise _differs(entry, arguments, told) from None
            compared[entry.name] += 1
            expected, found = in_one.written(), in_steps.written()
            for field in expected:
                if field not in entry.extra.left_out and expected[field] != found[field]:
                    told = f"{field} is {found[field]!r} after the steps, {expected[field]!r} in one piece"
                    raise _differs(entry, arguments, told)
    return compared


def _differs(entry: Entry, arguments: tuple[Any, ...], told: str) -> Violation:
    return Violation(f"{call_text(entry.function, arguments)}: {told}", "operation", entry.name, arguments)


def trial_of(machine: Machine) -> Machine:
    """A copy that nobody watches."""
    trial = machine.copy()
    trial.observer = None
    return trial
