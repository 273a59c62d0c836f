"""Why a statement is false: walks through its text and names the part that is false, with its values."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, FunctionType
from typing import Any

import attrs

from pagelaw.spec.language import Ids, State

from .replay import ERRORS, show

DEPTH = 6


@attrs.define
class Text:
    """A function's text, and the names that were known where it returned."""

    function: Callable[..., Any]
    tree: ast.FunctionDef
    names: dict[str, Any]
    returned_at: int

    def value(self, node: ast.expr, **more: Any) -> Any:
        """What a part of the text is worth."""
        code = compile(ast.Expression(node), "<part of a statement>", "eval")
        return eval(code, {**self.function.__globals__, **self.names, **more})  # the specification's own text


def why_false(function: Callable[..., Any], arguments: Sequence[Any], depth: int = 0) -> list[str]:
    """The parts of a statement that are false for these arguments, states first; one a line, innermost last."""
    text = _run(function, arguments)
    if text is None or depth > DEPTH:
        return []
    for node in ast.walk(text.tree):
        if isinstance(node, ast.Return) and node.value is not None:
            last = node.end_lineno or node.lineno
            if node.lineno <= text.returned_at <= last:
                if isinstance(node.value, ast.Constant):
                    return list(_subjects(text, node))
                return _false_part(text, node.value, depth)
    return []


def _run(function: Callable[..., Any], arguments: Sequence[Any]) -> Text | None:
    """Run the function and look at where it returns."""
    plain = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(plain))).body[0]
    except (OSError, SyntaxError):
        return None
    assert isinstance(tree, ast.FunctionDef)
    found: list[tuple[dict[str, Any], int]] = []

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is not plain.__code__:
            return None
        if event == "return":
            found.append((dict(frame.f_locals), frame.f_lineno))
        return watch

    previous = sys.gettrace()
    sys.settrace(watch)
    try:
        plain(*arguments)
    except ERRORS:
        return None
    finally:
        sys.settrace(previous)
    names, line = found[-1]
    return Text(plain, tree, names, line - plain.__code__.co_firstlineno + 1)


def _false_part(text: Text, node: ast.expr, depth: int) -> list[str]:
    source = ast.unparse(node)
    if isinstance(node, ast.BoolOp):
        false = [part for part in node.values if not text.value(part)] if isinstance(node.op, ast.Or) else []
        if isinstance(node.op, ast.And):
            false = [next(part for part in node.values if not text.value(part))]
        return [line for part in false for line in _false_part(text, part, depth)]
    if isinstance(node, ast.Name):
        meant = _meaning(text, node.id)
        if meant is not None:
            return [f"{source} is false:", *_indent(_false_part(text, meant, depth))]
    if isinstance(node, ast.Compare):
        return [f"{source} is false: {_values(text, [node.left, *node.comparators])}"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [f"{ast.unparse(node.operand)} is true: {_values(text, _operands(node.operand))}".rstrip(": ")]
    if isinstance(node, ast.Call):
        return _false_call(text, node, depth)
    return [f"{source} is false"]


def _false_call(text: Text, node: ast.Call, depth: int) -> list[str]:
    source = ast.unparse(node)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "every" and isinstance(node.args[0], ast.Lambda):
        ids, each = text.value(node.func.value), node.args[0]
        name = each.args.args[0].arg
        assert isinstance(ids, Ids)
        for one in ids:
            if not text.value(each.body, **{name: one}):
                inner = Text(text.function, text.tree, {**text.names, name: one}, text.returned_at)
                return [f"for {name} = {show(one)}:", *_indent(_false_part(inner, each.body, depth))]
    called = text.value(node.func)
    values = [text.value(argument) for argument in node.args]
    if inspect.isfunction(called) and values and isinstance(values[0], State):
        return [f"{source} is false:", *_indent(why_false(called, values, depth + 1))]
    return [f"{source} is false: {_values(text, list(node.args))}"]


def _meaning(text: Text, name: str) -> ast.expr | None:
    """What a local name was set to, if it was set once to a truth value."""
    found = [
        node.value
        for node in ast.walk(text.tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
    ]
    return found[0] if len(found) == 1 and text.value(found[0]) is False else None


def _subjects(text: Text, node: ast.Return) -> Iterator[str]:
    """The values that were looked at on the way to a `return False`."""
    for match in ast.walk(text.tree):
        if isinstance(match, ast.Match) and match.lineno < node.lineno:
            try:
                yield f"{ast.unparse(match.subject)} is {show(text.value(match.subject))}"
            except NameError:  # a match inside another case
                continue
        elif isinstance(match, ast.If) and match.lineno < node.lineno <= (match.end_lineno or 0):
            yield f"{ast.unparse(match.test)} is true"


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    return list(node.args) if isinstance(node, ast.Call) else [node]


def _values(text: Text, nodes: list[ast.expr]) -> str:
    """The values of the parts whose text does not say them."""
    told = [(ast.unparse(node), text.value(node)) for node in nodes if not isinstance(node, ast.Constant)]
    return ", ".join(
        f"{source} is {show(value)}"
        for source, value in told
        if not isinstance(value, State | type | FunctionType) and show(value) != source.removesuffix("()")
    )


def _indent(lines: list[str]) -> list[str]:
    return ["  " + line for line in lines]
