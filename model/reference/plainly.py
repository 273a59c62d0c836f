"""The specification's functions as they are run on plain maps: nothing between them that only a prover needs.

A question of the specification (`view`, `invariant`) is called through a wrapper that asks the state for an engine
first, and a choice (`pick`) or a quotient asks what it is of for one. On plain maps there is none. `Plainly` gives of
a function the same compiled text, with namespaces in which those names mean the text behind the wrapper. So it is the
one text of the rule that is run, and what it calls is the one text of that.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from pagelaw import spec
from pagelaw.spec.language import REGISTER, Fraction, Measure, pick, ratio

from .beside import asked

R = TypeVar("R")
Function = Callable[..., Any]
RULES = frozenset(entry.function for entry in REGISTER["rule"].values())


def either(holds: bool, yes: R, no: R) -> R:
    """What `pick` gives where the condition is true or false."""
    return yes if holds else no


class Plainly:
    """Functions of the specification, each as it is when it is first asked for; what it calls is taken with it."""

    def __init__(self) -> None:
        self._made: dict[Function, Function] = {pick: either, ratio: Fraction}
        self._namespaces: dict[int, dict[str, Any]] = {}

    def let(self, function: Function, other: Function) -> None:
        """Before anything is asked for: the other stands for a function, or a measure, wherever that is called."""
        assert not self._namespaces
        self._made[asked(function)] = other

    def __call__(self, function: Function) -> Function:
        """The same text, to be run on plain maps."""
        if function in self._made:
            return self._made[function]
        text = asked(function)
        if text not in self._made:
            assert isinstance(text, FunctionType)
            code, names = text.__code__.replace(), self._namespace(text.__globals__)  # code remembers what it looked up
            self._made[text] = FunctionType(code, names, text.__name__, text.__defaults__, text.__closure__)
        return self._made[text]

    def _namespace(self, names: dict[str, Any]) -> dict[str, Any]:
        """The names of a chapter, those of functions of the specification for the text alone."""
        plain = self._namespaces.get(id(names))
        if plain is None:
            plain = self._namespaces[id(names)] = {}
            for name, value in list(names.items()):
                plain[name] = self._stands_for(value)
        return plain

    def _stands_for(self, value: Any) -> Any:
        if isinstance(value, FunctionType) and is_of_spec(value.__module__):
            return self(value)
        return self._made.get(value, value) if isinstance(value, Measure) else value


class Texts(dict[Function, Function]):
    """What `Plainly` makes of each function, looked up fast."""

    def __init__(self, plainly: Plainly) -> None:
        super().__init__()
        self._plainly = plainly

    def __missing__(self, function: Function) -> Function:
        text = self[function] = self._plainly(function)
        return text


class PlainSteps(Plainly):
    """Operations run so: functions of these modules, which ask the state of the specification what comes next, and
    give its rules as steps. The rules that they give are the rules themselves."""

    def __init__(self, *modules: str) -> None:
        super().__init__()
        self.modules = modules

    def _stands_for(self, value: Any) -> Any:
        if isinstance(value, ModuleType) and (value.__name__ in self.modules or is_of_spec(value.__name__)):
            return PlainModule(self, value)
        if isinstance(value, FunctionType) and value in RULES:
            return value
        if isinstance(value, FunctionType) and value.__module__ in self.modules:
            return self(value)
        return super()._stands_for(value)


class PlainModule:
    """A module by another name: what is asked of it is run as it is."""

    def __init__(self, plainly: PlainSteps, module: ModuleType) -> None:
        self._plainly, self._module = plainly, module

    def __getattr__(self, name: str) -> Any:
        value = self._plainly._stands_for(getattr(self._module, name))
        setattr(self, name, value)
        return value


def is_of_spec(module: str) -> bool:
    """Whether a module is one of the specification or of its language."""
    return module.startswith(f"{spec.__name__}.")


__all__ = ["PlainSteps", "Plainly", "Texts"]
