"""The words that say what a function is: a rule, an invariant, a theorem, a choice.

None of them changes what the function does when it is called. They enter it
in a register under its name, with the clauses of the paper (ESX-...) and the
readings (R-..) that it rests on.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from fractions import Fraction
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, cast

import attrs

from .state import State

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=State)


class Blocked(Exception):
    """A rule was asked for when it is not allowed, for the reason that it is made with. Nothing was changed."""

    @property
    def reason(self) -> Enum:
        """Why. It is read less often than made, which so needs no Python."""
        reason: Enum = self.args[0]
        return reason


def require(holds: bool, reason: Enum) -> None:
    """Go on only if `holds`; otherwise refuse for the named reason."""
    if not holds:
        raise Blocked(reason)


def refuse(reason: Enum) -> NoReturn:
    """Refuse for the named reason."""
    raise Blocked(reason)


def pick(holds: bool, yes: R, no: R) -> R:
    """`yes` if `holds`, else `no`: a choice between two values, both worked out."""
    ask = getattr(holds, "pick", None)
    if ask is not None:
        return cast(R, ask(yes, no))
    return yes if holds else no


def ratio(above: Fraction | int, below: Fraction | int) -> Fraction:
    """`above` divided by `below`, exactly; it is an error if `below` is 0, and that it never is has to be proved."""
    engine = getattr(below, "engine", None) or getattr(above, "engine", None)
    if engine is not None:
        return cast(Fraction, engine.ratio(above, below))
    return Fraction(above, below)


def visible(s: State, step: Callable[P, R], *arguments: Any) -> None:
    """Say that this step of the machine is, to the guest, `step` of private memory.

    A rule that never says so must change nothing that a guest can see.
    """
    if s.observer is not None:
        s.observer(step, arguments)


def enabled(rule: Callable[..., Any], s: State, *arguments: Any) -> bool:
    """Whether a rule would not refuse these arguments in this state."""
    return leaves(rule, s, *arguments, so_that=lambda after: True)


def gets_done(rule: Callable[..., Any], s: State, *arguments: Any) -> bool:
    """Whether a rule would not refuse these arguments, and would once it was done: it settles what it is for."""
    return leaves(rule, s, *arguments, so_that=lambda after: not enabled(rule, after, *arguments))


def leaves(rule: Callable[..., Any], s: S, *arguments: Any, so_that: Callable[[S], bool]) -> bool:
    """Whether a rule would not refuse these arguments, and what it would leave is as asked for."""
    engine = getattr(s, "engine", None)
    if engine is not None:
        return cast(bool, engine.enabled(rule, s, arguments, so_that))
    trial = s.copy()
    trial.observer = None
    try:
        rule(trial, *arguments)
    except Blocked:
        return False
    return so_that(trial)


def meanwhile(s: State, fields: tuple[str, ...], act: Callable[[], None]) -> None:
    """Let others act: steps that write only the named fields.

    Run on maps, they act. Read symbolically, those fields may hold anything
    afterwards, so what is shown holds whatever the others did to them.
    """
    engine = getattr(s, "engine", None)
    if engine is None:
        act()
    else:
        engine.forget(s, fields)


class Grade(Enum):
    """How free a choice is."""

    PAPER_PERMITS = "the paper leaves it open in so many words"
    PAPER_SILENT = "the paper says nothing"
    OUR_READING = "a numbered reading fixes what is admissible"
    PAPER_DIFFERS = "the paper says otherwise, and real systems do so all the same"


@attrs.frozen
class Entry:
    """One function of the specification: its kind, name, clause ids and text."""

    kind: str
    name: str
    function: Callable[..., Any]
    clauses: tuple[str, ...]
    extra: Any = None

    @property
    def chapter(self) -> str:
        """The chapter of the specification that holds it."""
        return self.function.__module__.rsplit(".", 1)[-1]

    @property
    def sentence(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]


KINDS = ("rule", "assumption", "invariant", "theorem", "choice", "measure", "view", "step", "represents",
    "operation", "transition", "law", "claim")

REGISTER: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}


def _enter(kind: str, function: Callable[..., Any], clauses: tuple[str, ...], extra: Any = None) -> None:
    name = function.__name__
    if name in REGISTER[kind] and REGISTER[kind][name].function.__module__ != function.__module__:
        raise TypeError(f"two chapters have a {kind} named {name}")
    REGISTER[kind][name] = Entry(kind, name, function, clauses, extra)


def rule(*clauses: str, again: str = "") -> Callable[[F], F]:
    """One atomic step. Its arguments are free: whatever they are, it refuses or keeps every invariant.

    A step that is done has settled what it is for: asked for again it
    refuses, unless `again` says why it may be done once more.
    """

    def mark(function: F) -> F:
        _enter("rule", function, clauses, again)
        return function

    return mark


def view(function: Callable[P, R]) -> Callable[P, R]:
    """A question about the state: reads, never writes, never refuses."""

    def ask(s: Any, *arguments: Any) -> Any:
        engine = getattr(s, "engine", None)
        return function(s, *arguments) if engine is None else engine.view(function, (s, *arguments))  # type: ignore[call-arg]

    ask.__name__, ask.__doc__, ask.__module__ = function.__name__, function.__doc__, function.__module__
    ask.__wrapped__ = function  # type: ignore[attr-defined]
    _enter("view", ask, ())
    return cast(Callable[P, R], ask)


def _question(kind: str, clauses: tuple[str, ...], extra: Any = None) -> Callable[[F], F]:
    def mark(function: F) -> F:
        asked = view(function)
        del REGISTER["view"][function.__name__]
        _enter(kind, asked, clauses, extra)
        return cast(F, asked)

    return mark


def assumption(*clauses: str) -> Callable[[F], F]:
    """True of every machine that the specification speaks of: says something about parameters only."""
    return _question("assumption", clauses)


def invariant(*clauses: str) -> Callable[[F], F]:
    """True in every reachable state, for all values of its parameters; every rule keeps it."""
    return _question("invariant", clauses)


def theorem(*clauses: str) -> Callable[[F], F]:
    """Follows from the invariants alone."""
    return _question("theorem", clauses)


@attrs.frozen
class Abstract:
    """A question of which a law knows only the facts named here, and not its text."""

    view: Callable[..., Any]
    facts: tuple[Callable[..., Any], ...]


def law(*clauses: str, about: Abstract | None = None) -> Callable[[F], F]:
    """True of any one or two machines with the same identifiers, and for all values of the other parameters.

    Each machine satisfies the assumptions and the invariants; what they have in common the law says itself, but
    for the parameters that nothing changes while a server runs (those that are not `configured`).
    about: what is all that the law rests on of some question; the facts are laws themselves.
    """
    return _question("law", clauses, about)


def false_claim(*clauses: str, vms: int = 2) -> Callable[[F], F]:
    """What one might believe of one or two machines and is false: the checker finds some of so many VMs to show it."""
    return _question("claim", clauses, vms)


def transition(*clauses: str) -> Callable[[F], F]:
    """True of every step: of the state before it and the state after it, for all values of the other parameters."""
    return _question("transition", clauses)


def represents(field: str) -> Callable[[F], F]:
    """What a field of private memory is, read off the machine."""
    return _question("represents", (), field)


def choice(grade: Grade, *clauses: str) -> Callable[[F], F]:
    """Which options a rule may take where the paper leaves one open: the admissibility of an argument."""
    return _question("choice", clauses, grade)


def step(*clauses: str) -> Callable[[F], F]:
    """One step of private memory, the specification that the machine refines."""

    def mark(function: F) -> F:
        _enter("step", function, clauses)
        return function

    return mark


@attrs.frozen
class Steps:
    """The steps of an operation as a row of rules, and the fields that need not be as its telling in one piece says."""

    run: Callable[..., None]
    left_out: tuple[str, ...]


def at_once(steps: Callable[P, None], *clauses: str, left_out: tuple[str, ...] = ()) -> Callable[[F], F]:
    """What an operation is in one step, as the paper tells it; `steps` is the same as a row of rules.

    Run without interruption, and if none of them refuses, the steps leave
    what this function leaves, but for the fields that are left out.
    """

    def mark(function: F) -> F:
        _enter("operation", function, clauses, Steps(steps, left_out))
        return function

    return mark


class Measure(Generic[P]):
    """A sum over one map of the state: `weight` of each entry, never negative, added up.

    Nothing stores it. Concretely it is added up when asked for; in a proof
    every write to the map shifts it by the weight after less the weight
    before, a fact proved by induction in the same run.
    """

    def __init__(self, over: str, weight: Callable[..., int]) -> None:
        self.over, self.weight = over, weight
        self.__name__, self.__doc__, self.__module__ = weight.__name__, weight.__doc__, weight.__module__

    def __call__(self, s: State, *parameters: Any) -> int:
        engine = getattr(s, "engine", None)
        if engine is not None:
            return cast(int, engine.measure(self, s, parameters))
        entries: Any = getattr(s, self.over)
        keys: Any = s.each(s.shapes()[self.over].keys[0])
        return sum([self.weight(s, entries[key], key, *parameters) for key in keys])


def measure(over: str) -> Callable[[Callable[..., int]], Measure[Any]]:
    """A sum over the map named `over`; the function gives the weight of one entry.

    The function's arguments are the state, of which it may read parameters
    only, the entry's value and key, and the measure's own parameters.
    """

    def mark(function: Callable[..., int]) -> Measure[Any]:
        made: Measure[Any] = Measure(over, function)
        _enter("measure", made, ())
        return made

    return mark
