"""Values of the specification and states of the machine as JSON, and back.

Values are written as in the steps of a trace: a page is a list of its VM's name and its number, a frame, slot or
transfer is its name, a variant is its name or a list of that and its fields. A state is an object: for each field that
is not as it is at power-on its value, or for a map a list of pairs of key and value.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from pagelaw.spec.language import VM, Contents, Identifier, Map, Owned, Sum, Value
from pagelaw.spec.language.state import Shape
from pagelaw.spec.language.variants import variants_of
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, Slot, Transfer

from ...reference.beside import field_sorts
from ..stepwise import written

State = dict[str, Any]
"""A state, or what changed, as JSON."""
FIELDS: dict[str, Shape] = {name: shape for name, shape in Machine.shapes().items() if not shape.field.is_given}
"""The fields that rules write."""
NAMED = (MPN, Slot, Transfer)


class Names(dict[VM, str]):
    """VMs are called by their letters."""

    def __missing__(self, vm: VM) -> str:
        return repr(vm)


NAMES = Names()


def to_json(value: Any) -> Any:
    """A value."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else str(value)
    return written(value, NAMES)  # type: ignore[arg-type]


def key_json(key: Any) -> Any:
    """A key of a map; of one with several keys a list of them."""
    return [to_json(part) for part in key] if isinstance(key, tuple) else to_json(key)


def from_json(given: Any, sort: Any) -> Any:
    """The value of this sort."""
    if sort in (int, bool):
        return sort(given)
    if sort is Fraction:
        return Fraction(given)
    if sort is VM:
        return VM(int(given[2:]) if given.startswith("VM") else ord(given) - ord("A"))
    if sort is Contents:
        return Contents(tuple(map(Value, given)))
    if issubclass(sort, Owned):
        return sort(from_json(given[0], VM), given[1])
    if sort in NAMED:
        return sort(int(given[1:]))
    if issubclass(sort, Identifier):
        return sort(given)
    assert issubclass(sort, Sum)
    name, fields = (given[0], given[1:]) if isinstance(given, list) else (given, [])
    leaf: Any = next(one for one in variants_of(sort) if one.__name__ == name)
    return leaf(*map(from_json, fields, field_sorts(leaf)))


def key_from_json(given: Any, shape: Shape) -> Any:
    """A key of a field."""
    if len(shape.keys) == 1:
        return from_json(given, shape.keys[0])
    return tuple(map(from_json, given, shape.keys))


# States.


def at_power_on(s: Machine, shape: Shape) -> Any:
    """What a field that is no map holds in the initial state."""
    value = shape.field.value
    return getattr(s, value) if isinstance(value, str) else value


def state_json(s: Machine) -> State:
    """All that is not as in the initial state."""
    made: State = {}
    for name, held in s.written().items():
        shape = FIELDS[name]
        if shape.keys:
            if held:
                made[name] = pairs(s, shape, held)
        elif held != at_power_on(s, shape):
            made[name] = to_json(held)
    return made


def changes_json(before: Machine, after: Machine) -> State:
    """All that is not as it was, as it is now."""
    made: State = {}
    for name, shape in FIELDS.items():
        was, now = getattr(before, name), getattr(after, name)
        if not shape.keys:
            if was != now:
                made[name] = to_json(now)
            continue
        changed = {key: now[key] for key in {**was, **now} if was[key] != now[key]}
        if changed:
            made[name] = pairs(after, shape, changed)
    return made


def pairs(s: Machine, shape: Shape, held: dict[Any, Any]) -> list[list[Any]]:
    """Entries of a map, in the order of its keys."""
    return [[key_json(key), to_json(held[key])] for key in sorted(held, key=order_of)]


def order_of(key: Any) -> Any:
    """Where a key stands among others of its field."""
    parts = key if isinstance(key, tuple) else (key,)
    return [place for part in parts for place in places_of(part)]


def places_of(part: Any) -> Iterator[int]:
    """The numbers by which an identifier is told from others of its sort."""
    if isinstance(part, Owned):
        yield part.vm.number
    yield part.number


def load_state(s: Machine, state: State) -> None:
    """Bring a machine, as it is, to what a state says."""
    for name, given in state.items():
        shape = FIELDS[name]
        if not shape.keys:
            setattr(s, name, from_json(given, shape.value))
            continue
        held: Map[Any, Any] = getattr(s, name)
        for key, value in given:
            held[key_from_json(key, shape)] = from_json(value, shape.value)
