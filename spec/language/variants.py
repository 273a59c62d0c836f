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
the method `is_variant` of a value are the two places where a prover steps in;
values are asked from the first time on that `lift` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any, ClassVar, TypeVar, dataclass_transform

import attrs


class _Prover(type):
    """Notices when a prover steps in: from then on values are asked what they are, and before that Python knows."""

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "lift" and value is not None:
            super().__setattr__("__instancecheck__", _value_is_a)


def _value_is_a(cls: type, value: Any) -> bool:
    ask = getattr(value, "is_variant", None)
    return type.__instancecheck__(cls, value) if ask is None else bool(ask(cls))


class SumMeta(type, metaclass=_Prover):
    """Lets a value answer `isinstance` itself. Each variant has one of its own, which builds it fast."""

    lift: ClassVar[Callable[[Any, tuple[Any, ...]], Any] | None] = None
    _single: Any

    def __call__(cls, *fields: Any) -> Any:
        """Of a class that stands for several variants: a prover says so in its own way, Python in `Sum.__init__`."""
        lifted = None if SumMeta.lift is None else SumMeta.lift(cls, fields)
        return super().__call__(*fields) if lifted is None else lifted


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
            parent.__class__ = SumMeta
            parent._single = None
            parent.__init__ = Sum.__init__  # type: ignore[misc]  # all instances are of the lowest variants
    made.__ne__ = object.__ne__  # it asks `==`, as the one made by attrs does, and is faster
    made._single = None
    if attrs.fields(made):
        made.__class__ = builder(made)
    else:
        made.__class__ = SumMeta  # it may come after a parent that was a single object
        made._single = made()
        made.__class__ = giver(made._single)
        made.__eq__ = object.__eq__  # of a single object that is the same
    _made.append(made)
    return made  # type: ignore[no-any-return]


def giver(single: Any) -> type:
    """The metaclass of a variant without fields, which is a single object: called it gives that, without Python."""
    return _Prover(f"{type(single).__name__}Meta", (SumMeta,), {"__call__": repeat(single).__next__})


def builder(cls: type) -> type:
    """The metaclass of a variant with fields: called with their values it does what `__init__` does, which, as the
    variant is frozen, is slow."""
    names = [field.name for field in attrs.fields(cls)]
    space: dict[str, Any] = {"_meta": SumMeta, "_new": object.__new__}
    space |= {f"_put_{name}": getattr(cls, name).__set__ for name in names}
    given = ", ".join(names)
    puts = "".join(f"    _put_{name}(_one, {name})\n" for name in names)
    exec(f"""def __call__(cls, {given}):
    if _meta.lift is not None:
        _lifted = _meta.lift(cls, ({given},))
        if _lifted is not None:
            return _lifted
    _one = _new(cls)
{puts}    return _one
""", space)  # fmt: skip
    return _Prover(f"{cls.__name__}Meta", (SumMeta,), {"__call__": space["__call__"]})



def sum_of(cls: type) -> type:
    """The sum that a variant belongs to."""
    return cls.__mro__[cls.__mro__.index(Sum) - 1]


def variants_of(cls: type) -> tuple[type, ...]:
    """The lowest variants below a sum or a variant, itself if it has none below, in the order written."""
    below = [made for made in _made if cls in made.__mro__]
    return tuple(one for one in below if not any(one in other.__mro__[1:] for other in below))
