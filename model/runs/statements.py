"""What is asked of every state and of every step: the register's statements, each for all values of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, Map, State
from pagelaw.spec.machine import Machine
from pagelaw.spec.private_memory import PrivateMemory

from ..reference.beside import Violation, asked, call_text, parameter_sorts

REFINEMENT = "refinement"
KINDS = ("invariant", "transition", REFINEMENT)
"""What is asked after each step: the statements of these kinds, and that private memory is what the machine shows."""

OF_STATES = ("invariant", "theorem", REFINEMENT)
"""What can be asked of a state without the step that led to it."""
ASKED = (*KINDS, "theorem")
"""All kinds of questions."""

ERRORS = (AttributeError, KeyError, IndexError, ValueError, AssertionError)
"""What a rule or statement raises if it reads what is not there."""


@attrs.frozen(eq=False)
class Question:
    """One statement for one choice of arguments. Calling `holds` asks it of the states that it is about."""

    kind: str
    name: str
    clauses: tuple[str, ...]
    sentence: str
    arguments: tuple[Any, ...]
    holds: Callable[[], bool]
    told: Callable[[], str]
    """What to say if it does not hold."""

    def answer(self) -> bool:
        """Whether it holds; a statement that reads what is not there does not."""
        try:
            return self.holds()
        except TypeError as error:
            # A fault may give a rule one parameter more: what asks for that rule cannot be asked.
            return "required positional argument" in str(error)
        except ERRORS:
            return False

    def violation(self, doing: str) -> Violation:
        """What to raise if it does not hold after a step."""
        return Violation(f"after {doing}: {self.told()}", self.kind, self.name, self.arguments)


def questions(machine: State, before: State, private: State, kinds: tuple[str, ...] = KINDS) -> Iterator[Question]:
    """All questions about a machine, the machine before its last step, and the private memory beside it."""
    for kind in kinds:
        if kind == REFINEMENT:
            yield from _refinement(machine, private)
            continue
        states = (before, machine) if kind == "transition" else (machine,)
        for entry in REGISTER[kind].values():
            sorts = parameter_sorts(entry.function)[len(states) - 1 :]
            for arguments in product(*(machine.ids[sort] for sort in sorts)):
                holds = partial(asked(entry.function), *states, *arguments)
                told = partial(_told, entry.function, (*states[1:], *arguments), entry.sentence, kind)
                yield Question(kind, entry.name, entry.clauses, entry.sentence, arguments, holds, told)


def _told(function: Callable[..., Any], arguments: tuple[Any, ...], sentence: str, kind: str) -> str:
    said = call_text(function, arguments).replace("after=", "", 1) if kind == "transition" else ""
    return f"{kind} {said or call_text(function, arguments)} does not hold: {sentence}"


def _refinement(machine: State, private: State) -> Iterator[Question]:
    """Private memory, read off the machine, is what it became step by step."""
    views = {entry.extra: asked(entry.function) for entry in REGISTER["represents"].values()}
    for name, shape in PrivateMemory.shapes().items():
        if shape.field.is_given:
            continue
        held: Map[Any, Any] = getattr(private, name)
        shown = partial(views[name], machine) if name in views else getattr(machine, name).__getitem__
        for keys in product(*map(machine.ids.__getitem__, shape.keys)):
            key = keys[0] if len(keys) == 1 else keys
            sentence = "Private memory, read off the machine, is what it became step by step."
            yield Question(
                REFINEMENT,
                name,
                (),
                sentence,
                keys,
                partial(_same, shown, held, key),
                partial(_differs, shown, held, key, name),
            )


def _same(shown: Callable[[Any], Any], held: Map[Any, Any], key: Any) -> bool:
    return bool(shown(key) == held[key])


def _differs(shown: Callable[[Any], Any], held: Map[Any, Any], key: Any, name: str) -> str:
    return f"{name}[{key!r}] is {shown(key)!r} in the machine, {held[key]!r} in private memory"


__all__ = ["ERRORS", "KINDS", "REFINEMENT", "Machine", "Question", "questions"]
