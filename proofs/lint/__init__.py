"""A lint of everything that is lifted: the rules may use only what the lifting can see.

Run on symbolic values, some Python is silently something else: `is` is false,
a pattern with a value in it is skipped, a loop over a set is random. So there
is a list of what may be used, and everything else is a finding, with what to
write instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .constructs import Reader
from .effects import Effects
from .sources import ACTIONS, QUESTIONS, Chapter, Finding, Function, Sources

__all__ = ["Finding", "as_text", "lint", "marked"]

MODULES = ("__future__", "enum")
"""What a chapter may import, besides the chapters and the language."""


def lint(chapters: Mapping[str, str] | None = None) -> list[Finding]:
    """All findings about the specification, or about chapters given by name and text instead."""
    sources = Sources(chapters)
    effects = Effects(sources)
    found: set[Finding] = set()
    for name in chapters or sources.chapters:
        chapter = sources.chapters[name]
        found.update(_outside_functions(chapter))
        for function in chapter.functions.values():
            found.update(effects.findings(function), Reader(function, effects).read())
    return sorted(found, key=lambda one: (one.file, one.line, one.construct))


def as_text(findings: list[Finding]) -> str:
    """One line a finding, and their number."""
    return "\n".join([*map(str, findings), f"{len(findings)} findings"])


def marked() -> set[tuple[str, str]]:
    """Kind and name of every function that the lint takes for a marked one."""
    functions: list[Function] = [f for chapter in Sources().chapters.values() for f in chapter.functions.values()]
    return {(f.kind, f.node.name) for f in functions if f.kind in (*ACTIONS, *QUESTIONS)}


def _outside_functions(chapter: Chapter) -> Iterator[Finding]:
    """A chapter holds imports, classes without methods, functions, and values that no function can name."""
    for node in chapter.tree.body:
        match node:
            case ast.FunctionDef(name=name):
                if node is not chapter.functions[name].node:
                    yield Finding(chapter.file, node.lineno, f"a second {name}", "give it a name of its own")
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.ImportFrom(module=module, level=level) if level == 1 or module in MODULES:
                pass
            case ast.Import() | ast.ImportFrom():
                yield Finding(chapter.file, node.lineno, "an import", "a chapter imports only other chapters")
            case ast.ClassDef(body=body):
                for part in body:
                    if not isinstance(part, ast.Expr | ast.Assign | ast.AnnAssign | ast.Pass):
                        yield Finding(chapter.file, part.lineno, "a method", "write a function of the chapter")
            case ast.Assign(value=ast.Call(func=ast.Name(id="Abstract"), args=[ast.Name(), ast.Tuple(elts=facts)])):
                if not all(isinstance(fact, ast.Name) for fact in facts):
                    yield Finding(chapter.file, node.lineno, "a fact without a name", "name laws of the chapter")
            case ast.Assign(value=value) | ast.AnnAssign(value=value):
                if value is not None and any(isinstance(part, ast.Call) for part in ast.walk(value)):
                    yield Finding(chapter.file, node.lineno, "a value outside the state", "keep it in the state")
            case _:
                yield Finding(chapter.file, node.lineno, "a statement outside functions", "keep it in the state")
