"""Functions that are written out while the program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Text:
    """A function as it is written."""

    def __init__(self, **names: Any) -> None:
        self.lines: list[str] = []
        self.names = names
        self._called: dict[int, str] = {}

    def name(self, value: Any, like: str) -> str:
        """A name for a value, always the same for the same object."""
        name = self._called.get(id(value))
        if name is None:
            name = self._called[id(value)] = f"{like}{len(self.names)}"
            self.names[name] = value
        return name

    def add(self, depth: int, line: str) -> None:
        """One line."""
        self.lines.append(" " * (depth + 1) + line)

    def taken(self) -> list[str]:
        """The lines, which are taken out."""
        lines, self.lines = self.lines, []
        return lines

    def function(self, head: str) -> Callable[..., Any]:
        """The function; its lines are taken out."""
        exec("\n".join([f"def written({head}):", *self.taken()]), self.names)
        made: Callable[..., Any] = self.names["written"]
        return made


__all__ = ["Text"]
