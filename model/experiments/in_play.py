"""The things that a step had to do with: what keys and values name, by sort."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from pagelaw.spec.language import VM, Contents, Identifier, Sum
from pagelaw.spec.language.identifiers import Owned
from pagelaw.spec.language.variants import variants_of

from ..reference.beside import field_sorts


@cache
def places_of(kind: Any) -> dict[str, type] | None:
    """Where in things of a type there are identifiers, as text after the thing, and of which sorts.

    None if that depends on more than the type.
    """
    if issubclass(kind, Identifier):
        return {"": kind, ".vm": VM} if issubclass(kind, Owned) else {"": kind}
    if kind is tuple:
        return None
    found: dict[str, type] = {}
    for name, sort in zip(field_names(kind), field_sorts(kind) if field_names(kind) else (), strict=True):
        if type.__subclasscheck__(Sum, sort) and not any(map(field_names, variants_of(sort))):
            continue
        if not (isinstance(sort, type) and issubclass(sort, Identifier | int | Contents)):
            return None
        if issubclass(sort, Identifier):
            found[name] = sort
            if issubclass(sort, Owned):
                found[f"{name}.vm"] = VM
    return found


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of a variant; of other types none that are of interest."""
    return getattr(kind, "__match_args__", ()) if type.__subclasscheck__(Sum, kind) else ()


def all_names(things: Iterable[Any]) -> tuple[Identifier, ...]:
    """The identifiers that things name, themselves if they are some, and whose they are; some may occur twice."""
    found: tuple[Identifier, ...] = ()
    for thing in things:
        if isinstance(thing, Owned):
            found += (thing, thing.vm)
        elif isinstance(thing, Identifier):
            found += (thing,)
        elif isinstance(thing, tuple):
            found += all_names(thing)
        elif isinstance(thing, Sum):
            found += all_names(getattr(thing, name) for name in field_names(type(thing)))
    return found


def by_sort(names: Iterable[Identifier]) -> dict[type, list[Identifier]]:
    """Each once, in the order of their first occurrence."""
    found: dict[type, list[Identifier]] = {}
    for one in dict.fromkeys(names):
        kind = type(one)
        if kind in found:
            found[kind].append(one)
        else:
            found[kind] = [one]
    return found


__all__ = ["all_names", "by_sort", "places_of"]
