"""Which names, and so which fields of the machine, a question uses itself or in what it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from pagelaw.spec.language import Measure
from pagelaw.spec.machine import Machine

from ..reference.beside import asked


def fields_read(function: Callable[..., Any]) -> frozenset[str]:
    """The fields of the machine that a statement names, itself or in what it calls: those that it can read."""
    return words_read(function) & Machine.shapes().keys()


def words_read(function: Callable[..., Any]) -> frozenset[str]:
    """All names in a function and in what it calls, and the fields that sums are over."""
    found: set[str] = set()
    todo, done = [asked(function)], set()
    while todo:
        one = todo.pop()
        if isinstance(one, Measure):
            found.add(one.over)
            one = one.weight
        code = getattr(one, "__code__", None)
        if code is None or one in done:
            continue
        done.add(one)
        for word in words_of(code):
            found.add(word)
            called = one.__globals__.get(word)
            if isinstance(called, Measure) or callable(called):
                todo.append(asked(called))
    return frozenset(found)


def words_of(code: CodeType) -> Iterator[str]:
    """All names in a function, and in those inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from words_of(constant)


__all__ = ["fields_read", "words_read"]
