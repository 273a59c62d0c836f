"""The mutants as data: read, checked against the text of the rules, and looked up."""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
import tomllib
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

import attrs

from pagelaw import spec

CONTROL = "NULL"
"""The mutant that changes nothing."""

MECHANISMS = ("sharing", "translation", "paging", "balloon", "devices", "frames_and_power", "policy")


class Certainty(Enum):
    """How well the fault of the real system is known."""

    READ = "the fix, advisory or issue was read"
    TITLE = "the title was read; the rest is from memory"
    MEMORY = "from memory, not checked"
    INVENTED = "invented: no public history"


class Faulty(Exception):
    """A mutant is unknown, or its entry is wrong."""


@attrs.frozen
class Change:
    """A part of one function's text, and what stands in its place."""

    function: str
    """Chapter and name: "sharing.merge"."""
    old: str
    new: str

    @property
    def module(self) -> str:
        """The module that holds the function."""
        return f"{spec.__name__}.{self.function.split('.')[0]}"

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.split(".")[1]


@attrs.frozen
class Mutant:
    """A fault, and the change that brings it into the specification."""

    identifier: str
    title: str
    system: str
    """The system that had the fault."""
    year: int
    """When it was fixed or told; 0 if it is invented."""
    reference: str
    certainty: Certainty
    refused_by: str
    """The property that is expected to fail."""
    shown_by: str
    """What it fails on: a rule, an operation told in one piece, "theorem" or "law"."""
    mechanism: str
    changes: tuple[Change, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions changed, each once, in the order given."""
        return tuple(dict.fromkeys(change.function for change in self.changes))


@attrs.frozen
class Later:
    """A fault that the specification cannot express yet."""

    identifier: str
    title: str
    why: str


# Looking up.


def names() -> tuple[str, ...]:
    """The identifiers of all mutants, the control apart."""
    return tuple(gallery())


def get(identifier: str) -> Mutant:
    """A mutant; the control too, and two mutants at once as `ID+ID`."""
    if identifier == CONTROL:
        return control()
    if "+" in identifier:
        return _both(*map(get, identifier.split("+", 1)))
    found = gallery().get(identifier)
    if found is None and "/" in identifier:
        from .systematic import systematic  # which is made from the texts, by what stands here

        found = systematic().get(identifier)
    if found is None:
        raise Faulty(f"there is no mutant {identifier}{_hint(identifier)}")
    return found


def _both(one: Mutant, other: Mutant) -> Mutant:
    """Two mutants at once."""
    identifier = f"{one.identifier}+{other.identifier}"
    return attrs.evolve(one, identifier=identifier, changes=(*one.changes, *other.changes))


def _hint(identifier: str) -> str:
    waiting = [one for one in later() if one.identifier == identifier]
    if waiting:
        return f" yet: {waiting[0].why}"
    near = difflib.get_close_matches(identifier.upper(), [*names(), CONTROL], cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def table() -> list[tuple[str, str, str, str, str]]:
    """A row for each mutant: identifier, system, year ("" if invented), function changed, title."""
    return [(m.identifier, m.system, str(m.year or ""), m.functions[0], m.title) for m in gallery().values()]


@cache
def gallery() -> dict[str, Mutant]:
    """All mutants by identifier, checked against the specification's text."""
    found: dict[str, Mutant] = {}
    faults: list[str] = []
    for mechanism in MECHANISMS:
        for identifier, entry in _read(f"{mechanism}.toml").items():
            if identifier in found or identifier == CONTROL:
                faults.append(f"{identifier}: listed twice")
            found[identifier] = _mutant(identifier, mechanism, entry)
            faults.extend(f"{identifier}: {fault}" for fault in faults_of(found[identifier]))
    if faults:
        raise Faulty("\n".join(faults))
    return found


@cache
def later() -> tuple[Later, ...]:
    """The faults left for later."""
    return tuple(Later(identifier, **entry) for identifier, entry in _read("later.toml").items())


@cache
def control() -> Mutant:
    """Every function that some mutant changes, taken and put back unchanged."""
    functions = dict.fromkeys(function for mutant in gallery().values() for function in mutant.functions)
    same = [(function, f"def {function.split('.')[1]}(") for function in functions]
    changes = tuple(Change(function, head, head) for function, head in same)
    return Mutant(CONTROL, "Nothing is changed", "", 0, "", Certainty.INVENTED, "", "", "", changes)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__ or "").joinpath(name).read_text(encoding="utf-8"))


def _mutant(identifier: str, mechanism: str, entry: dict[str, Any]) -> Mutant:
    """An entry as a mutant. A further place of the change is an `also` of the entry."""
    try:
        places = [{key: entry.pop(key) for key in ("function", "old", "new")}, *entry.pop("also", [])]
        changes = tuple(Change(**place) for place in places)
        certainty = Certainty[entry.pop("certainty").upper()]
        shown_by = entry.pop("shown_by", changes[0].name)
        return Mutant(identifier, certainty=certainty, mechanism=mechanism, changes=changes, shown_by=shown_by, **entry)
    except (KeyError, TypeError) as problem:
        raise Faulty(f"{identifier}: missing or unknown: {problem}") from problem


# The text of the functions.


def function_named(function: str) -> Callable[..., Any]:
    """The function that stands under a chapter and name now, a `view` with what marks it as one."""
    change = Change(function, "", "")
    found: Callable[..., Any] = getattr(sys.modules[change.module], change.name)
    return found


def changed_text(mutant: Mutant, function: str) -> str:
    """The text of a function with the mutant's changes to it."""
    text = inspect.getsource(function_named(function))
    for change in mutant.changes:
        if change.function == function:
            text = text.replace(change.old, change.new)
    return text


def faults_of(mutant: Mutant) -> Iterator[str]:
    """What is wrong with a mutant, measured by the specification's text."""
    if mutant.certainty is Certainty.INVENTED and mutant.year:
        yield "an invented fault has no year"
    for function in mutant.functions:
        try:
            text = inspect.getsource(function_named(function))
        except (KeyError, AttributeError, TypeError):
            yield f"there is no function {function}"
            continue
        snippets = [change.old for change in mutant.changes if change.function == function]
        unclear = [old for old in snippets if text.count(old) != 1]
        yield from (f"stands {text.count(old)} times in {function}, not once: {old}" for old in unclear)
        if not unclear:
            yield from _faults_of_text(function, text, changed_text(mutant, function))


def _faults_of_text(function: str, before: str, after: str) -> Iterator[str]:
    try:
        body = ast.parse(after).body
    except SyntaxError as problem:
        yield f"{function} does not parse: {problem.msg}, line {problem.lineno}: {problem.text}"
        return
    names_defined = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    if len(body) != 1 or names_defined != [function.split(".")[1]]:
        yield f"{function} is no longer one function of that name"
    elif ast.dump(body[0]) == ast.dump(ast.parse(before).body[0]):
        yield f"{function} is not changed"
