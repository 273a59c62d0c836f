"""Which path a step takes through the text of its rule: the lines run in the rule and in what it calls.

A path is named after how it ends and the arms that it takes, so a name says
what happened and stays the same when lines move:

    leave_old_frame done [Leaving(old); let_go: isinstance(s.frame[mpn], Shared); drop_reference: not left == 0]

Lines of questions (views, invariants) do not count: they are part of a condition, not of what is done.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from types import FrameType, FunctionType, TracebackType
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER

Line = tuple[str, int]
"""A function's name, and a line that was run in it."""


@attrs.define
class Text:
    """What is needed of a function's text in order to name the paths through it. Lines are lines of its file."""

    arms: dict[int, list[tuple[str, int]]] = attrs.field(factory=dict)
    """At the line of an `if` or `match`: its arms, each with the first line that is run if it is taken."""
    statements: dict[int, ast.stmt] = attrs.field(factory=dict)
    """The statement that a line belongs to."""


@cache
def texts() -> dict[tuple[str, str], Text]:
    """The text of every function that acts (rules and what they call), by its file and name."""
    modules = {entry.function.__module__ for entry in REGISTER["rule"].values()}
    modules |= {f.__module__ for name in modules for f in vars(sys.modules[name]).values() if _acts(f)}
    found = {}
    for module in sorted(modules):
        for function in filter(_acts, vars(sys.modules[module]).values()):
            if function.__module__ == module:
                found[function.__code__.co_filename, function.__name__] = text_of(function)
    return found


def _acts(thing: object) -> bool:
    """Whether this is a function of a chapter that is not a question: those stand in a wrapper from elsewhere."""
    if not isinstance(thing, FunctionType) or not thing.__module__.startswith("pagelaw.spec."):
        return False
    chapter, private = sys.modules[thing.__module__], thing.__module__.endswith(".private_memory")
    return thing.__code__.co_filename == chapter.__file__ and ".language" not in thing.__module__ and not private


def text_of(function: Callable[..., Any]) -> Text:
    """Read a function's source."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.increment_lineno(ast.parse("".join(lines)), first - 1)
    text = Text()
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            text.arms[node.lineno] = [(ast.unparse(node.test), node.body[0].lineno)]
        elif isinstance(node, ast.Match):
            text.arms[node.lineno] = [(_pattern(case), case.body[0].lineno) for case in node.cases]
        elif isinstance(node, ast.Expr):
            text.statements.update(dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node))
    return text


def _pattern(case: ast.match_case) -> str:
    told = ast.unparse(case.pattern) + (f" if {ast.unparse(case.guard)}" if case.guard else "")
    return "anything else" if told == "_" else told


class Recorder:
    """Notes the lines that are run while it is entered. One recorder can be entered again and again."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._is_first = True
        self._texts = texts()
        self._names: dict[tuple[str, tuple[Line, ...], Enum | None], str] = {}
        self._in_text = {name: text for (_, name), text in self._texts.items()}
        if len(self._in_text) != len(self._texts):
            raise TypeError("two functions that act have one name")

    def __enter__(self) -> Recorder:
        self.lines.clear()
        self._is_first = True
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        caller = frame.f_back
        if not self._acts(frame) or not (self._is_first or (caller is not None and self._acts(caller))):
            return None  # a question, or what a question calls
        self._is_first = False
        return self._in_function

    def _acts(self, frame: FrameType) -> bool:
        return (frame.f_code.co_filename, frame.f_code.co_name) in self._texts

    def _in_function(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.lines.append((frame.f_code.co_name, frame.f_lineno))
        return self._in_function

    def path(self, rule: str, refused: Enum | None) -> str:
        """The name of the path that was taken last, by a rule that was refused for this reason or was done."""
        key = (rule, tuple(self.lines), refused)
        if key not in self._names:
            self._names[key] = self._name(*key)
        return self._names[key]

    @property
    def same_names(self) -> list[str]:
        """Names that more than one path bears: there should be none."""
        names = list(self._names.values())
        return sorted({name for name in names if names.count(name) > 1})

    def _name(self, rule: str, lines: tuple[Line, ...], refused: Enum | None) -> str:
        arms = list(dict.fromkeys(("" if where == rule else f"{where}: ") + arm for where, arm in self._arms(lines)))
        told = f"{rule} done"
        if refused is not None:
            told = f"{rule} refuses {refused.name}"
            asked = self._required(*lines[-1])
            arms += [f"asks {asked}"] if asked else []
        return told + (f" [{'; '.join(arms)}]" if arms else "")

    def _arms(self, lines: tuple[Line, ...]) -> Iterator[tuple[str, str]]:
        """Which arm each `if` and `match` took, in the order in which they were asked."""
        run = set(lines)
        for where, line in dict.fromkeys(lines):
            arms = self._in_text[where].arms.get(line)
            if arms:
                taken = [arm for arm, first in arms if (where, first) in run]  # several, if called several times
                yield from ((where, arm) for arm in taken or [f"not {arms[-1][0]}"])

    def _required(self, where: str, line: int) -> str | None:
        """The condition of the `require` at a line."""
        statement = self._in_text[where].statements.get(line)
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "require":
            return ast.unparse(call.args[0])
        return None
