"""A machine for questions, of which a note is made of all that they find out about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pagelaw.spec.language import Map, State

from .remembering import Note, NotFollowed, Number


class Unseen:
    """All things of a sort, and what is true of some or each of them: it may be asked, if nothing depends on it."""

    def every(self, holds: Callable[[Any], bool]) -> Unseen:
        """Whether that holds of each is not noted."""
        return self

    some = every

    def __bool__(self) -> bool:
        raise NotFollowed

    def __eq__(self, other: object) -> bool:
        raise NotFollowed

    def __iter__(self) -> Any:
        raise NotFollowed

    def __getattr__(self, name: str) -> Any:
        raise NotFollowed


UNSEEN = Unseen()


class NotedMap(Map[Any, Any]):
    """A map for questions, of which a note is made."""

    __slots__ = ("held", "name", "note")

    def __init__(self, note: Note, held: Map[Any, Any]) -> None:
        super().__init__(held.otherwise)
        self.note, self.held, self.name = note, held, note.text.name(held, "map")

    def __getitem__(self, key: Any) -> Any:
        return self.note.read(self.place(key), lambda: self.held[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotFollowed

    def place(self, key: Any) -> str:
        """Where what it holds at a key is read."""
        return f"{self.name}[{self.note.called(key)}]"


class NotedState(State):
    """A machine for questions, of which a note is made. What the step has not changed is asked of the one now."""

    def __init__(self, note: Note, state: State, name: str, now: NotedState | None = None,
                 changed: frozenset[str] = frozenset()) -> None:  # fmt: skip
        self.__dict__.update(_note=note, _state=state, _name=name, _now=now, _changed=changed)

    def __getattr__(self, name: str) -> Any:
        if name not in self._state.shapes():
            raise NotFollowed
        if self._now is not None and name not in self._changed:
            return getattr(self._now, name)
        held = getattr(self._state, name)
        if isinstance(held, Map):
            found = self.__dict__[name] = NotedMap(self._note, held)
            return found
        return self._note.read(f"{self._name}.{name}", lambda: held)

    def __setattr__(self, name: str, value: Any) -> None:
        """Nothing is written."""
        raise NotFollowed

    def work_out(self, number: Callable[..., Any], *parameters: Any) -> Any:
        """A number that is a function of a state and of things and numbers, and is kept for them."""
        texts = ", ".join(one.text if isinstance(one, Number) else self._note.called(one) for one in parameters)
        values = [one.value if isinstance(one, Number) else one for one in parameters]
        place = f"{self._note.text.name(number, 'number')}({self._name}, {texts})"
        return self._note.read(place, lambda: number(self._state, *values))

    def know(self, field: str, key: Any, name: str) -> None:
        """What a field holds at a key (None for a single value) has this name in the text."""
        self._note.know(f"{self._name}.{field}" if key is None else getattr(self, field).place(key), name)

    def each(self, *_: Any) -> Any:
        """Going through all things of a sort is not followed, if it matters what that finds."""
        return UNSEEN

    those = each  # type: ignore[assignment]  # whatever it is given

    def copy(self) -> Any:
        """Not followed."""
        raise NotFollowed

    def sum(self, over: str, now: dict[Any, int], was: dict[Any, int], of: Any) -> Any:
        """A sum over a field is read, by what it is found."""
        known = now if self._now is None or over not in self._changed else was
        place = f"{self._note.text.name(known, 'sums')}[{self._note.called(of) if of else '()'}]"
        return self._note.read(place, lambda: known[of])


__all__ = ["NotedMap", "NotedState"]
