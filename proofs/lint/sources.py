"""The chapters of the specification as syntax trees: their functions, and what each name in them means."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from pagelaw import spec
from pagelaw.spec import language
from pagelaw.spec.language import State
from pagelaw.spec.language.state import Shape

ACTIONS = ("rule", "step", "at_once")
"""Words that mark what may write, and may refuse before it has written."""
QUESTIONS = ("view", "assumption", "invariant", "theorem", "transition", "choice", "represents", "measure",
             "law", "false_claim")
"""Words that mark what neither writes nor refuses."""


@attrs.frozen
class Finding:
    """Something in the specification that is not among the allowed constructs."""

    file: str
    line: int
    construct: str
    instead: str
    """What to write instead."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.construct}; {self.instead}"


@attrs.frozen
class Reference:
    """A name that means a function of a chapter."""

    chapter: str
    name: str


@attrs.define(eq=False)
class Function:
    """A function of a chapter."""

    chapter: Chapter
    node: ast.FunctionDef
    kind: str
    """The word that it is marked with; `helper` without one, `steps` for a row of rules."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter and the class that its annotation names (None if it names none)."""
        arguments = self.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return {one.arg: self.chapter.named(one.annotation) for one in every}

    @property
    def states(self) -> dict[str, dict[str, Shape]]:
        """The parameters that are states, with the fields of each."""
        found = {name: kind for name, kind in self.parameters.items() if isinstance(kind, type)}
        return {name: kind.shapes() for name, kind in found.items() if issubclass(kind, State)}


@attrs.define(eq=False)
class Chapter:
    """One file of the specification."""

    name: str
    file: str
    tree: ast.Module
    scope: dict[str, Any] = attrs.field(factory=dict)
    """What every name means that is imported or defined: a reference, a class or word, a plain value."""
    functions: dict[str, Function] = attrs.field(factory=dict)

    def named(self, node: ast.expr | None) -> Any:
        """What a bare name means here (None for everything else)."""
        if not isinstance(node, ast.Name):
            return None
        return {"int": int, "bool": bool}.get(node.id, self.scope.get(node.id))


class Sources:
    """All chapters, and others read as if they stood beside them."""

    def __init__(self, beside: Mapping[str, str] | None = None) -> None:
        self.chapters = {name: self._parsed(name, file, text) for name, (file, text) in _files().items()}
        for name, text in (beside or {}).items():
            self.chapters[name] = self._parsed(name, name, text)
        for chapter in self.chapters.values():
            self._fill(chapter)
        for chapter in self.chapters.values():
            self._mark_steps(chapter)

    @staticmethod
    def _parsed(name: str, file: str, text: str) -> Chapter:
        return Chapter(name, file, _tree(text))

    def _fill(self, chapter: Chapter) -> None:
        for node in chapter.tree.body:
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
                for alias in node.names:
                    chapter.scope[alias.asname or alias.name] = self._imported(node.module, alias.name)
            elif isinstance(node, ast.FunctionDef):
                chapter.scope[node.name] = Reference(chapter.name, node.name)
            elif isinstance(node, ast.ClassDef):
                chapter.scope[node.name] = _living(chapter.name, node.name)
        for node in chapter.tree.body:
            if isinstance(node, ast.FunctionDef):
                chapter.functions[node.name] = Function(chapter, node, self._kind(chapter, node))

    def _imported(self, module: str, name: str) -> Any:
        chapter = self.chapters.get(module)
        if chapter and any(isinstance(n, ast.FunctionDef) and n.name == name for n in chapter.tree.body):
            return Reference(module, name)
        return _living(module, name)

    @staticmethod
    def _kind(chapter: Chapter, node: ast.FunctionDef) -> str:
        for decorator in node.decorator_list:
            word = decorator.func if isinstance(decorator, ast.Call) else decorator
            meaning = chapter.named(word)
            for kind in (*ACTIONS, *QUESTIONS):
                if meaning is getattr(language, kind):
                    return kind
        return "helper"

    def _mark_steps(self, chapter: Chapter) -> None:
        for node in chapter.tree.body:
            if isinstance(node, ast.FunctionDef) and chapter.functions[node.name].kind == "at_once":
                (decorator,) = node.decorator_list
                assert isinstance(decorator, ast.Call)
                steps = self.function(chapter.named(decorator.args[0]))
                if steps:
                    steps.kind = "steps"

    def function(self, meaning: Any) -> Function | None:
        """The function that a name means, if it means one."""
        if isinstance(meaning, Reference):
            return self.chapters[meaning.chapter].functions.get(meaning.name)
        return None


@cache
def _files() -> dict[str, tuple[str, str]]:
    """File and text of every chapter."""
    folder = Path(spec.__path__[0])
    paths = sorted(path for path in folder.glob("*.py") if path.stem != "__init__")
    return {path.stem: (f"spec/{path.name}", path.read_text(encoding="utf-8")) for path in paths}


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def _living(module: str, name: str) -> Any:
    """The class, word or value itself (None if there is none)."""
    try:
        return getattr(import_module(f"{spec.__name__}.{module}"), name, None)
    except ImportError:
        return None
