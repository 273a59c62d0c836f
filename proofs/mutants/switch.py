"""Switching a mutant on and off: the changed function takes the place of the one there is, everywhere."""

from __future__ import annotations
import __future__

import difflib
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import pagelaw
from pagelaw import spec
from pagelaw.spec import vocabulary
from pagelaw.spec.language import REGISTER, Entry

from ..groups import groups
from .gallery import Faulty, Mutant, changed_text, function_named, get

STATEMENTS = ("assumption", "invariant", "represents", "transition")
"""The kinds of statement on which the obligations of every rule rest."""
OWN_GROUPS = {"theorem": "theorems", "law": "laws", "operation": "operations"}
"""The groups that hold all obligations of one kind of entry."""

_on: list[str] = []
_NOTHING = object()

Place = tuple[dict[str, Any], str, Any]
"""A namespace, a name in it, and what it meant before: `_NOTHING` if nothing."""


def nothing_is_switched_on() -> None:
    """Refuse to go on while a mutant is: what is read now would be the mutant's text."""
    if _on:
        raise Faulty(f"{_on[0]} is switched on already; one mutant at a time")


@contextmanager
def apply(identifier: str) -> Iterator[Mutant]:
    """While this is open, the specification is the mutant's, for the whole process.

    Whatever was lifted or looked up in the register before still has the
    functions that were there before; build theories and models inside.
    """
    mutant = get(identifier)
    nothing_is_switched_on()
    texts = {function: changed_text(mutant, function) for function in mutant.functions}
    entries = {kind: dict(named) for kind, named in REGISTER.items()}
    places: list[Place] = []
    _on.append(identifier)
    try:
        for function, text in texts.items():
            _replace(mutant, function, text, places)
        yield mutant
    finally:
        for namespace, name, value in reversed(places):
            if value is _NOTHING:
                del namespace[name]
            else:
                namespace[name] = value
        for kind, named in entries.items():
            REGISTER[kind].clear()
            REGISTER[kind].update(named)
        for function in texts:
            linecache.cache.pop(_file_name(mutant, function), None)
        _on.clear()


def _replace(mutant: Mutant, function: str, text: str, places: list[Place]) -> None:
    """Run a function's changed text in its own module, and let every name for the old function mean the new one."""
    old = function_named(function)
    module = inspect.getmodule(old)
    assert module is not None
    name = function.split(".")[1]
    _, first_line = inspect.getsourcelines(old)
    file_name, padded = _file_name(mutant, function), "\n" * (first_line - 1) + text
    linecache.cache[file_name] = (len(padded), None, padded.splitlines(keepends=True), file_name)
    code = compile(padded, file_name, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    for word in _words_missing(code, module.__dict__):
        places.append((module.__dict__, word, _NOTHING))
        module.__dict__[word] = getattr(vocabulary, word)
    places.append((module.__dict__, name, old))
    exec(code, module.__dict__)  # the specification's own text, changed
    new = module.__dict__[name]
    for namespace in _namespaces():
        for alias in [alias for alias, value in namespace.items() if value is old]:
            places.append((namespace, alias, old))
            namespace[alias] = new


def _words_missing(code: CodeType, namespace: dict[str, Any]) -> list[str]:
    """The words of the vocabulary that a changed text uses and its chapter does not import."""
    return sorted(word for word in names_in(code) if word not in namespace and word in vocabulary.__all__)


def _file_name(mutant: Mutant, function: str) -> str:
    return f"<{function} in {mutant.identifier}>"


def _namespaces() -> list[dict[str, Any]]:
    """The names of every loaded module of the package, those of the specification among them."""
    root = pagelaw.__name__
    loaded = [module for name, module in sys.modules.items() if name == root or name.startswith(f"{root}.")]
    return [module.__dict__ for module in loaded]


# What a mutant changes, for a reader and for a proof.


def diff(identifier: str) -> str:
    """The change as a short unified diff of the specification's files."""
    mutant = get(identifier)
    lines: list[str] = []
    for chapter in dict.fromkeys(change.module for change in mutant.changes):
        before = inspect.getsource(sys.modules[chapter])
        after = before
        for function in mutant.functions:
            if inspect.getmodule(function_named(function)) is sys.modules[chapter]:
                after = after.replace(inspect.getsource(function_named(function)), changed_text(mutant, function))
        file = chapter.removeprefix(f"{pagelaw.__name__}.").replace(".", "/") + ".py"
        lines += difflib.unified_diff(before.splitlines(), after.splitlines(), file, file, n=2, lineterm="")
    return "\n".join(lines) + "\n" if lines else ""


def affected(identifier: str) -> tuple[str, ...]:
    """The groups of obligations that a mutant changes, as `proofs.groups` names them.

    A rule is changed through what it calls, and every one through an invariant.
    """
    changed = {function_named(function) for function in get(identifier).functions}

    def reached(kind: str) -> list[str]:
        return [name for name, entry in REGISTER[kind].items() if changed & _texts_behind(entry)]

    if any(reached(kind) for kind in STATEMENTS):
        return tuple(groups())
    own = {group for kind, group in OWN_GROUPS.items() if reached(kind)}
    found = own | set(reached("rule"))
    return tuple(name for name in groups() if name in found)


def _texts_behind(entry: Entry) -> set[Callable[..., Any]]:
    steps = called_by(entry.extra.run) if entry.kind == "operation" else set()
    return called_by(entry.function) | steps


def called_by(function: Callable[..., Any]) -> set[Callable[..., Any]]:
    """A function of the specification and all those that it calls, directly or not."""
    found: set[Callable[..., Any]] = set()
    ahead = [function]
    while ahead:
        one = ahead.pop()
        if one in found:
            continue
        found.add(one)
        plain = inspect.unwrap(one)
        known = [plain.__globals__.get(name) for name in names_in(plain.__code__)]
        ahead.extend(value for value in known if inspect.isfunction(value) and _is_of_a_chapter(value))
    return found


def names_in(code: CodeType) -> set[str]:
    """All names that a function's code looks up, those in its inner functions too."""
    inner = [names_in(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inner)


def _is_of_a_chapter(function: Callable[..., Any]) -> bool:
    package, _, chapter = function.__module__.rpartition(".")
    return package == spec.__name__ and chapter != "private_memory"
