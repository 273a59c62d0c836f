"""The state that rules read and change: total maps and single values.

    class Machine(State):
        pmap: Map[Page, Backing] = starts_as(Untouched())
        minimum: Map[VM, int] = given()

`starts_as` says what a field holds in the initial state, for every key.
`given` fields are parameters: nothing ever writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args, get_origin, get_type_hints

from .identifiers import VM, Identifier, Owned

K = TypeVar("K")
V = TypeVar("V")
I = TypeVar("I", bound=Identifier)  # noqa: E741


class Always(Generic[V]):
    """A function that gives one value for every key."""

    __slots__ = ("value",)

    def __init__(self, value: V) -> None:
        self.value = value

    def __call__(self, key: Any) -> V:
        return self.value


class Map(dict[K, V], Generic[K, V]):
    """A total map: every key has a value. Read and written with `[...]`, several keys with a comma."""

    __slots__ = ("otherwise",)

    def __init__(self, otherwise: Callable[[K], V], entries: Iterable[tuple[K, V]] = ()) -> None:
        super().__init__(entries)
        self.otherwise = otherwise

    def __missing__(self, key: K) -> V:
        value = self[key] = self.otherwise(key)
        return value

    def write_each(
        self,
        ids: Ids[I],
        key: Callable[[I], K],
        value: V,
        where: Callable[[I], bool] | None = None,
    ) -> None:
        """Write `value` at `key(one)` for every `one` of `ids` for which `where` holds; for all if there is none.

        `where` sees the state before any of these writes.
        """
        for chosen in ids if where is None else [one for one in ids if where(one)]:
            self[key(chosen)] = value

    def copy(self) -> Map[K, V]:
        """A map of its own with the same values."""
        return Map(self.otherwise, self.items())


class Indexed(Map[K, V]):
    """A map that also knows at which keys it holds a value, for fields that are asked for that (`State.those`)."""

    __slots__ = ("keys_of",)

    def __init__(self, otherwise: Callable[[K], V], entries: Iterable[tuple[K, V]] = ()) -> None:
        super().__init__(otherwise)
        self.keys_of: dict[V, dict[K, None]] = {}
        for key, value in entries:
            self[key] = value

    def __missing__(self, key: K) -> V:
        return self.otherwise(key)

    def __setitem__(self, key: K, value: V) -> None:
        if key in self:
            del self.keys_of[super().__getitem__(key)][key]
        super().__setitem__(key, value)
        self.keys_of.setdefault(value, {})[key] = None

    def holds_unwritten(self, value: V) -> bool:
        """Whether keys that were never written may hold this value."""
        return not isinstance(self.otherwise, Always) or bool(self.otherwise.value == value)

    def copy(self) -> Indexed[K, V]:
        """A map of its own with the same values."""
        return Indexed(self.otherwise, self.items())


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

    __slots__ = ("configured", "indexed", "is_given", "value")

    def __init__(self, value: Any, is_given: bool, indexed: bool, configured: bool = False) -> None:
        self.value, self.is_given, self.indexed, self.configured = value, is_given, indexed, configured


def starts_as(value: Any, indexed: bool = False) -> Any:
    """A field that rules may write; in the initial state it is `value` for every key.

    A field named in place of a value (`starts_as("total_frames")`) starts equal to that field. `indexed`: rules
    ask at which keys it holds a value; that only makes the answer quick.
    """
    return Field(value, is_given=False, indexed=indexed)


def given(indexed: bool = False, configured: bool = False) -> Any:
    """A field that no rule writes: a parameter of the machine.

    configured: an administrator may change it between any two steps, within the assumptions. That every invariant
    holds all the same has to be proved.
    """
    return Field(None, is_given=True, indexed=indexed, configured=configured)


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
    engine: Any = None
    """What questions are put to instead, where a state is not made of plain maps."""
    ids: dict[type, Ids[Any]]
    leading_to: Mapping[Any, Ids[Any]] | None = None
    """Where it is known: the identifiers that may lead to this one, for `each`."""
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
    def start(cls, ids: Mapping[type, Iterable[Any]], **parameters: Any) -> Self:
        """The initial state of a machine with these identifiers.

        ids: for each identifier sort all its members. parameters: for each
        given field a value, or for a map a function of its key(s).
        """
        shapes = cls.shapes().values()
        wanted = {shape.name for shape in shapes if shape.field.is_given}
        if wanted != parameters.keys():
            raise TypeError(f"parameters missing or unknown: {sorted(wanted ^ parameters.keys())}")
        state = cls.__new__(cls)
        state.ids = {sort: Ids(members) for sort, members in ids.items()}
        state.observer = None
        state._per_vm = {}
        for shape in shapes:
            if shape.field.is_given:
                setattr(state, shape.name, state._parameter(shape, parameters[shape.name]))
        for shape in shapes:
            if not shape.field.is_given:
                setattr(state, shape.name, state._beginning(shape))
        return state

    def _parameter(self, shape: Shape, value: Any) -> Any:
        """What a given field holds: a value, or a map from a function or another map."""
        if not shape.keys:
            return value
        if shape.field.indexed:
            read = value.__getitem__ if isinstance(value, Map) else value
            return Indexed(read, ((key, read(key)) for key in self.ids[shape.keys[0]]))
        return value if isinstance(value, Map) else Map(value)

    def _beginning(self, shape: Shape) -> Any:
        """What a field that rules may write holds in the initial state."""
        value = shape.field.value
        if isinstance(value, str):
            value = getattr(self, value)
        if not shape.keys:
            return value
        kind = Indexed if shape.field.indexed else Map
        return kind(value.__getitem__ if isinstance(value, Map) else Always(value))

    _per_vm: dict[tuple[type, VM], Ids[Any]]

    def each(self, sort: type[I], vm: VM | None = None, to: Identifier | None = None) -> Ids[I]:
        """All identifiers of a sort; with `vm`, those that belong to it.

        `to`: what is asked of each is false unless it leads to this one; so nobody else has to be asked, where it is
        known who does (`leading_to`).
        """
        if vm is None:
            return self.ids[sort]
        if to is not None and self.leading_to is not None:
            return self.leading_to[to]
        found = self._per_vm.get((sort, vm))
        if found is None:
            if not issubclass(sort, Owned):
                raise TypeError(f"a {sort.__name__} belongs to no VM")
            members = (one for one in self.ids[sort] if one.vm is vm)
            found = self._per_vm[sort, vm] = Ids(members)
        return found

    def those(self, sort: type[I], held: Map[I, V], value: V) -> Ids[I]:
        """All identifiers of a sort at which a map of the state holds this value."""
        if isinstance(held, Indexed) and (value in held.keys_of or not held.holds_unwritten(value)):
            return Ids(held.keys_of.get(value, ()))
        return Ids(one for one in self.ids[sort] if held[one] == value)

    def copy(self) -> Self:
        """A state of its own with the same values (parameters are shared, nothing writes them)."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        for shape in self.shapes().values():
            if shape.keys and not shape.field.is_given:
                twin.__dict__[shape.name] = self.__dict__[shape.name].copy()
        return twin

    def written(self, but: Collection[str] = ()) -> dict[str, Any]:
        """What each written field holds; of a map just the entries that differ from the initial ones.

        Equal states give equal answers, whatever was read of them. but: fields that are left out.
        """
        changed: dict[str, Any] = {}
        for shape in self.shapes().values():
            if shape.field.is_given or shape.name in but:
                continue
            held = getattr(self, shape.name)
            if not shape.keys:
                changed[shape.name] = held
            elif isinstance(held.otherwise, Always):
                first = held.otherwise.value
                changed[shape.name] = {key: value for key, value in held.items() if value != first}
            else:
                changed[shape.name] = {key: value for key, value in held.items() if value != held.otherwise(key)}
        return changed
