"""What a function rests on: the functions of the specification that it calls, the fields that it may read. By name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import isfunction
from types import CodeType
from typing import Any

import pagelaw.spec
from pagelaw.spec.language import Measure
from pagelaw.spec.machine import Machine

from ..reference.beside import asked

SPEC = pagelaw.spec.__name__


@cache
def functions_behind(function: Callable[..., Any]) -> tuple[Any, ...]:
    """A function with all functions and measures of the specification that it may call, directly or not."""
    found: dict[int, Any] = {}
    ahead: list[Any] = [function]
    while ahead:
        one = ahead.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        if isinstance(one, Measure):
            ahead.append(one.weight)
            continue
        plain = asked(one)
        called = [plain.__globals__.get(name) for name in sorted(names_in(plain.__code__))]
        ahead += [one for one in called if isinstance(one, Measure) or (isfunction(one) and is_of_spec(one))]
    return tuple(found.values())


@cache
def fields_behind(function: Callable[..., Any]) -> frozenset[str]:
    """The fields of the machine that a function may read, itself or through what it calls."""
    found: set[str] = set()
    for one in functions_behind(function):
        if isinstance(one, Measure):
            found.add(one.over)
        else:
            found |= names_in(asked(one).__code__) & Machine.shapes().keys()
    return frozenset(found)


def names_behind(function: Callable[..., Any]) -> frozenset[str]:
    """Chapter and name, "sharing.merge", of all that a function may call, itself too."""
    texts = [asked(one.weight if isinstance(one, Measure) else one) for one in functions_behind(function)]
    return frozenset(f"{text.__module__.rpartition('.')[2]}.{text.__name__}" for text in texts)


def forget() -> None:
    """A mutant may have been switched on or off: what was found out about functions no longer holds."""
    functions_behind.cache_clear()
    fields_behind.cache_clear()


def is_of_spec(function: Callable[..., Any]) -> bool:
    """Whether a function is one of the specification's."""
    return function.__module__.startswith(SPEC)


def names_in(code: CodeType) -> set[str]:
    """All names that a function's code looks up, those in its inner functions too."""
    inner = [names_in(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inner)
