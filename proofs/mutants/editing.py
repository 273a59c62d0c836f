"""Changing a function's text at one place: what stands there, and what is to stand there instead."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from functools import cached_property

import attrs

from .gallery import Change, function_named


class Unclear(Exception):
    """A change cannot be told by a part of the text that stands there once."""


@attrs.define(slots=False)
class Text:
    """One function's text and its tree."""

    function: str
    """Chapter and name: "sharing.merge"."""

    @cached_property
    def source(self) -> str:
        """The text, decorators first."""
        return inspect.getsource(function_named(self.function))

    @cached_property
    def tree(self) -> ast.FunctionDef:
        """The tree of the text."""
        (found,) = ast.parse(self.source).body
        assert isinstance(found, ast.FunctionDef)
        return found

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def segment(self, node: ast.AST) -> str:
        """The text of a part."""
        return self.source[slice(*self._place(node))]

    def _place(self, node: ast.AST) -> tuple[int, int]:
        lines = self.source.splitlines(keepends=True)

        def offset(line: int, column: int) -> int:  # columns are counted in bytes
            return self._starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

        assert isinstance(node, ast.stmt | ast.expr | ast.pattern)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)

    def put(self, node: ast.AST, text: str) -> Change:
        """Another text in the place of an expression or pattern."""
        return self.put_all([(node, text)])

    def put_all(self, edits: Sequence[tuple[ast.AST, str]]) -> Change:
        """The same at several places, as one change."""
        places = sorted((*self._place(node), text) for node, text in edits)
        start, end = places[0][0], places[-1][1]
        parts, at = [], start
        for first, last, text in places:
            parts += [self.source[at:first], text]
            at = last
        return self._change(start, end, "".join(parts))

    def drop(self, statement: ast.stmt) -> Change:
        """A statement taken out; `pass` in its place if its block has no other."""
        start, end = self._place(statement)
        if len(self._block_of(statement)) == 1:
            return self._change(start, end, "pass")
        first, last = self._line_of(start), self._line_of(end - 1)
        return self._change(self._starts[first], self._starts[last + 1], "")

    def _block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        for node in ast.walk(self.tree):
            for name in ("body", "orelse"):
                block = getattr(node, name, None)
                if isinstance(block, list) and statement in block:
                    return block
        raise Unclear(f"{self.function}: a statement of no block")

    def _line_of(self, offset: int) -> int:
        return next(line for line, start in enumerate(self._starts[1:]) if offset < start)

    def _change(self, start: int, end: int, text: str) -> Change:
        """The change, with as many whole lines around it as are needed to find the place."""
        before, after = self._line_of(start), self._line_of(max(start, end - 1))
        upwards = True
        while True:
            first, last = self._starts[before], self._starts[after + 1]
            old = self.source[first:last]
            if self.source.count(old) == 1:
                return Change(self.function, old, self.source[first:start] + text + self.source[end:last])
            if before == 0 and after + 2 == len(self._starts):
                raise Unclear(f"{self.function}: {old}")
            if (upwards and before > 0) or after + 2 == len(self._starts):
                before -= 1
            else:
                after += 1
            upwards = not upwards


def weakenings(text: Text, condition: ast.expr) -> list[Change]:
    """A condition without one of its conjuncts, in every way; none if it has only one.

    A conjunct may stand in a local name that is used once, or beside an `or`.
    """
    match condition:
        case ast.BoolOp(op=ast.And(), values=values):
            found = []
            for value in values:
                rest = ast.BoolOp(ast.And(), [one for one in values if one is not value])
                left = ast.unparse(rest if len(rest.values) > 1 else rest.values[0])
                found += weakenings(text, value) or [text.put(condition, left)]
            return found
        case ast.Compare(left=low, ops=[first, second], comparators=[middle, high]):
            halves = ast.Compare(middle, [second], [high]), ast.Compare(low, [first], [middle])
            return [text.put(condition, ast.unparse(half)) for half in halves]
        case ast.BoolOp(op=ast.Or(), values=values):
            return [change for value in values for change in weakenings(text, value)]
        case ast.Name(id=name):
            assigned = _assigned_for_one_use(text, name)
            return [] if assigned is None else weakenings(text, assigned)
    return []


def _assigned_for_one_use(text: Text, name: str) -> ast.expr | None:
    """What is assigned to a local name that is used just once."""
    nodes = list(ast.walk(text.tree))
    uses = [node for node in nodes if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)]
    values = [node.value for node in nodes if isinstance(node, ast.Assign) and _is_named(node.targets, name)]
    return values[0] if len(values) == len(uses) == 1 else None


def _is_named(targets: list[ast.expr], name: str) -> bool:
    return len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id == name
