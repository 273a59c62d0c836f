"""Variants: values that are one of several things, each with its own fields.

    class Backing(Sum): ...          # "a backing is one of"
    @variant
    class Mapped(Backing):           # "mapped, to this frame"
        mpn: MPN

A variant is a frozen attrs class, so it is compared by its fields and works
with `match`. A variant that has variants below it stands for all of them
(`case Sharing(target)`); only the lowest ones are ever built.

Read symbolically, "is this one a Mapped?" is a question to the value, not to
its Python class. That is all this module knows of proofs: `SumMeta.lift` and
the method `is_variant` of a value are the two places where a prover steps in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

import attrs


class SumMeta(type):
    """Lets a value answer `isinstance` itself, and makes field-less variants single objects."""

    lift: ClassVar[Callable[[Any, tuple[Any, ...]], Any] | None] = None
    _single: Any

    def __call__(cls, *fields: Any, **named: Any) -> Any:
        if cls._single is not None:
            return cls._single
        lift = SumMeta.lift
        if lift is not None and not named:
            lifted = lift(cls, fields)
            if lifted is not None:
                return lifted
        return super().__call__(*fields, **named)

    def __instancecheck__(cls, value: Any) -> bool:
        ask = getattr(value, "is_variant", None)
        return type.__instancecheck__(cls, value) if ask is None else bool(ask(cls))


class Sum(metaclass=SumMeta):
    """The base of every sum. A direct subclass is one sum; its variants are below it."""

    __slots__ = ()
    _single: ClassVar[Any] = None

    def __init__(self, *fields: object) -> None:
        raise TypeError(f"{type(self).__name__} stands for several variants; build one of them")

    def __reduce__(self) -> tuple[Any, ...]:
        cls: Any = type(self)
        return cls, tuple(getattr(self, field.name) for field in attrs.fields(cls))


_Class = TypeVar("_Class", bound=type)
_made: list[type] = []


@dataclass_transform(frozen_default=True)
def variant(cls: _Class) -> _Class:
    """Make a class one variant of the sum it inherits from."""
    made: Any = attrs.frozen(cls)
    for parent in made.__mro__[1:]:  # a variant with variants below it is never built
        if isinstance(parent, SumMeta):
            parent._single = None
            parent.__init__ = Sum.__init__  # type: ignore[misc]  # all instances are of the lowest variants
    made._single = None
    if not attrs.fields(made):
        made._single = made()
    _made.append(made)
    return made  # type: ignore[no-any-return]


def sum_of(cls: type) -> type:
    """The sum that a variant belongs to."""
    return cls.__mro__[cls.__mro__.index(Sum) - 1]


def variants_of(cls: type) -> tuple[type, ...]:
    """The lowest variants below a sum or a variant, itself if it has none below, in the order written."""
    below = [made for made in _made if cls in made.__mro__]
    return tuple(one for one in below if not any(one in other.__mro__[1:] for other in below))
