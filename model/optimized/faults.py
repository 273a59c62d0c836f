"""Faults of the memory manager: one change of its text each, to be found by the comparison with the specification."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from .compiling import IS_COMPILED, PLAIN

PACKAGE = __package__


@attrs.frozen
class Fault:
    """A change of the text of one function."""

    identifier: str
    title: str
    module: str
    old: str
    new: str

    def text(self) -> str:
        """The file with the change."""
        source = Path(str(self.of().__file__)).read_text(encoding="utf-8")
        times = source.count(self.old)
        if times != 1:
            raise ValueError(f"{self.identifier}: its text is in {self.module} {times} times, not once")
        return source.replace(self.old, self.new)

    def of(self) -> ModuleType:
        """The module that it is in."""
        return import_module(f"{PACKAGE}.{self.module}")

    def path(self) -> list[str]:
        """The name of the function, after that of its class if it has one."""
        source = Path(str(self.of().__file__)).read_text(encoding="utf-8")
        line = source[: source.index(self.old)].count("\n") + 1 + self.old.startswith("\n")
        names: list[str] = []
        within: list[ast.stmt] = ast.parse(source).body
        while True:
            inside = [
                one for one in within
                if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.lineno <= line <= (one.end_lineno or 0)
            ]  # fmt: skip
            if not inside:
                return names
            names.append(inside[0].name)
            within = inside[0].body


@cache
def faults() -> dict[str, Fault]:
    """All of them, by identifier."""
    told = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: Fault(name, one["title"], one["module"], one["old"], one["new"]) for name, one in told.items()}


@contextmanager
def switched_on(fault: Fault) -> Iterator[None]:
    """The manager has the fault meanwhile. Only functions that run as they are written can be changed."""
    if IS_COMPILED:
        raise RuntimeError(f"faults are put into functions that run as they are written: set {PLAIN}=1")
    module, path = fault.of(), fault.path()
    changed: dict[str, Any] = {**vars(module)}
    exec(compile(fault.text(), str(module.__file__), "exec"), changed)
    put_back: list[tuple[Any, str, Any]] = []
    if len(path) > 1:
        owner = getattr(module, path[0])
        put_back.append((owner, path[1], vars(owner)[path[1]]))
        setattr(owner, path[1], vars(changed[path[0]])[path[1]])
    else:
        original = getattr(module, path[0])
        for name, one in list(sys.modules.items()):
            if name.startswith(f"{PACKAGE}.") and vars(one).get(path[0]) is original:
                put_back.append((one, path[0], original))
                setattr(one, path[0], changed[path[0]])
    try:
        yield
    finally:
        for owner, attribute, before in put_back:
            setattr(owner, attribute, before)
