"""The state that rules read and change: total maps and single values.

    class Machine(State):
        pmap: Map[Page, Backing] = starts_as(Untouched())
        minimum: Map[VM, int] = given()

`starts_as` says what a field holds in the initial state, for every key.
`given` fields are parameters: nothing ever writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args, get_origin, get_type_hints

from .identifiers import VM, Identifier, Owned

K = TypeVar("K")
V = TypeVar("V")
I = TypeVar("I", bound=Identifier)  # noqa: E741


class Map(dict[K, V], Generic[K, V]):
    """A total map: every key has a value. Read and written with `[...]`, several keys with a comma."""

    __slots__ = ("_otherwise",)

    def __init__(self, otherwise: Callable[[K], V], entries: Iterable[tuple[K, V]] = ()) -> None:
        super().__init__(entries)
        self._otherwise = otherwise

    def __missing__(self, key: K) -> V:
        value = self[key] = self._otherwise(key)
        return value

    def write_each(
        self,
        ids: Ids[I],
        key: Callable[[I], K],
        value: V,
        where: Callable[[I], bool] = lambda one: True,
    ) -> None:
        """Write `value` at `key(one)` for every `one` of `ids` for which `where` holds.

        `where` sees the state before any of these writes.
        """
        for chosen in [one for one in ids if where(one)]:
            self[key(chosen)] = value

    def copy(self) -> Map[K, V]:
        """A map of its own with the same values."""
        return Map(self._otherwise, self.items())


class Ids(tuple[I, ...], Generic[I]):
    """All identifiers of one sort, or all that belong to one VM."""

    __slots__ = ()

    def every(self, holds: Callable[[I], bool]) -> bool:
        """Whether `holds` is true of each of them."""
        return all(map(holds, self))

    def some(self, holds: Callable[[I], bool]) -> bool:
        """Whether `holds` is true of at least one."""
        return any(map(holds, self))


class Field:
    """How a field of the state begins: the same value for every key, or a given parameter."""

    __slots__ = ("is_given", "value")

    def __init__(self, value: Any, is_given: bool) -> None:
        self.value, self.is_given = value, is_given


def starts_as(value: Any) -> Any:
    """A field that rules may write; in the initial state it is `value` for every key.

    A field named in place of a value (`starts_as("total_frames")`) starts equal to that field.
    """
    return Field(value, is_given=False)


def given() -> Any:
    """A field that nothing writes: a parameter of the machine."""
    return Field(None, is_given=True)


class Shape:
    """The type of one field: its key sorts (none for a single value) and its value's type."""

    __slots__ = ("field", "keys", "name", "value")

    def __init__(self, name: str, hint: Any, field: Field) -> None:
        self.name, self.field = name, field
        if get_origin(hint) is Map:
            key, self.value = get_args(hint)
            self.keys: tuple[type, ...] = get_args(key) if get_origin(key) is tuple else (key,)
        else:
            self.keys, self.value = (), hint


class State:
    """The base of state classes."""

    _fields: ClassVar[dict[str, Field]] = {}
    _shapes: ClassVar[dict[str, Shape] | None] = None
    symbolic: ClassVar[bool] = False
    ids: dict[type, Ids[Any]]
    observer: Callable[[Callable[..., Any], tuple[Any, ...]], None] | None

    def __init_subclass__(cls) -> None:
        cls._fields = {k: v for k, v in vars(cls).items() if isinstance(v, Field)}
        for name in cls._fields:
            delattr(cls, name)
        cls._shapes = None

    @classmethod
    def shapes(cls) -> dict[str, Shape]:
        """The fields by name, in the order written."""
        if cls._shapes is None:
            hints = get_type_hints(cls)
            cls._shapes = {name: Shape(name, hints[name], field) for name, field in cls._fields.items()}
        return cls._shapes

    @classmethod
    def start(cls, ids: dict[type, Iterable[Any]], **parameters: Any) -> Self:
        """The initial state of a machine with these identifiers.

        ids: for each identifier sort all its members. parameters: for each
        given field a value, or for a map a function of its key(s).
        """
        state = cls.__new__(cls)
        state.ids = {sort: Ids(members) for sort, members in ids.items()}
        state.observer = None
        state._per_vm = {}
        for shape in cls.shapes().values():
            if shape.field.is_given and shape.name not in parameters:
                raise TypeError(f"parameter {shape.name} is missing")
            value = parameters[shape.name] if shape.field.is_given else shape.field.value
            if isinstance(value, str):
                value = parameters[value]
            if not shape.keys:
                held = value
            elif isinstance(value, Map) and not shape.field.is_given:
                held = Map(value._otherwise)
            elif not shape.field.is_given:
                held = Map(lambda key, value=value: value)
            else:
                held = value if isinstance(value, Map) else Map(value)
            setattr(state, shape.name, held)
        return state

    _per_vm: dict[tuple[type, VM], Ids[Any]]

    def each(self, sort: type[I], vm: VM | None = None) -> Ids[I]:
        """All identifiers of a sort; with `vm`, those that belong to it."""
        if vm is None:
            return self.ids[sort]
        found = self._per_vm.get((sort, vm))
        if found is None:
            members = (one for one in self.ids[sort] if isinstance(one, Owned) and one.vm is vm)
            found = self._per_vm[sort, vm] = Ids(members)
        return found

    def copy(self) -> Self:
        """A state of its own with the same values (parameters are shared, nothing writes them)."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        for shape in self.shapes().values():
            if shape.keys and not shape.field.is_given:
                twin.__dict__[shape.name] = self.__dict__[shape.name].copy()
        return twin

    def written(self) -> dict[str, Any]:
        """Every value that differs from the initial one, by field and key: equal states give equal answers."""
        changed: dict[str, Any] = {}
        for shape in self.shapes().values():
            held = getattr(self, shape.name)
            if shape.field.is_given:
                continue
            if shape.keys:
                start = shape.field.value
                changed[shape.name] = {key: value for key, value in held.items() if value != start}
            else:
                changed[shape.name] = held
        return changed
