"""What a function writes, refuses and shows, and whether it may at that place.

Read off the syntax tree: a call counts with everything that the called
function may do. So a finding may concern a path that can never be taken; a
function without one has no such path.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import attrs

from pagelaw.spec import language

from .sources import QUESTIONS, Finding, Function, Sources


@attrs.frozen
class Summary:
    """Everything that a function may do besides giving back a value."""

    writes: frozenset[str] = frozenset()
    refuses: bool = False
    shows: bool = False

    def __or__(self, other: Summary) -> Summary:
        return Summary(self.writes | other.writes, self.refuses or other.refuses, self.shows or other.shows)

    @property
    def acts(self) -> bool:
        """Whether it leaves a trace."""
        return bool(self.writes) or self.shows

    @property
    def what(self) -> str:
        """In words, for a finding."""
        return "writes" if self.writes else "shows the guest a step" if self.shows else "refuses"


NOTHING = Summary()


class Effects:
    """The effects of all functions of the specification."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._known: dict[Function, Summary] = {}
        self._open: list[Function] = []
        self.recursive: set[Function] = set()

    def of(self, function: Function) -> Summary:
        """What a function may do."""
        if function in self._open:
            self.recursive.add(function)
            return NOTHING
        if function not in self._known:
            self._open.append(function)
            found = NOTHING
            for node in parts(function.node.body):
                found |= self.at(function, node)
            self._open.pop()
            self._known[function] = found
        return self._known[function]

    def at(self, function: Function, node: ast.AST) -> Summary:
        """What one node of a function does by itself, without the nodes below it."""
        if isinstance(node, ast.Raise):
            return Summary(refuses=True)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else node.targets
            fields = [self.field_of(function, target) for outer in targets for target in _places(outer)]
            return Summary(frozenset(field for field in fields if field))
        if isinstance(node, ast.Call):
            return self._called(function, node)
        return NOTHING

    def _called(self, function: Function, node: ast.Call) -> Summary:
        if isinstance(node.func, ast.Attribute):
            field = self.field_of(function, node.func.value)
            return Summary(frozenset([field])) if field and node.func.attr == "write_each" else NOTHING
        meaning = function.chapter.named(node.func)
        if meaning in (language.require, language.refuse):
            return Summary(refuses=True)
        if meaning is language.visible:
            return Summary(shows=True)
        if meaning is language.meanwhile:
            return Summary(frozenset(named_fields(node)))
        called = self.sources.function(meaning)
        return self.of(called) if called else NOTHING

    @staticmethod
    def field_of(function: Function, node: ast.AST) -> str | None:
        """The field of a state that a target or a map is, if it is one."""
        if isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in function.states:
            return node.attr
        return None

    # findings

    def findings(self, function: Function) -> Iterator[Finding]:
        """Every effect of a function that is not allowed where it stands."""
        self.of(function)
        if function in self.recursive:
            yield _finding(function, function.node, "a function that calls itself", "say it without recursion")
        yield from self._given(function)
        yield from self._meanwhile(function)
        if function.kind in QUESTIONS:
            yield from self._none(function, function.node.body, f"the {function.kind}")
        else:
            for node in parts(function.node.body):
                if isinstance(node, ast.Lambda):
                    yield from self._none(function, [node.body], "a lambda")
        if function.kind not in (*QUESTIONS, "steps"):
            found: list[Finding] = []
            self._order(function, function.node.body, False, found)
            yield from found

    def _none(self, function: Function, nodes: Sequence[ast.AST], who: str) -> Iterator[Finding]:
        for node in parts(nodes):
            effect = self.at(function, node)
            if effect != NOTHING:
                yield _finding(function, node, f"{who} {effect.what}", "a question leaves everything as it is")

    def _given(self, function: Function) -> Iterator[Finding]:
        given = {name for shapes in function.states.values() for name, shape in shapes.items() if shape.field.is_given}
        for node in parts(function.node.body):
            if not self._is_plain_call(function, node):
                for field in self.at(function, node).writes & given:
                    yield _finding(function, node, f"the parameter {field} is written", "nothing writes what is given")

    def _is_plain_call(self, function: Function, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and self.sources.function(function.chapter.named(node.func)) is not None

    def _meanwhile(self, function: Function) -> Iterator[Finding]:
        inner = {node.name: node for node in ast.walk(function.node) if isinstance(node, ast.FunctionDef)}
        for node in parts(function.node.body):
            if isinstance(node, ast.Call) and function.chapter.named(node.func) is language.meanwhile:
                act = node.args[2] if len(node.args) == 3 else None
                body = inner[act.id].body if isinstance(act, ast.Name) and act.id in inner else []
                written = NOTHING
                for part in parts(body):
                    written |= self.at(function, part)
                for field in sorted(written.writes - set(named_fields(node))):
                    yield _finding(function, node, f"meanwhile {field} is written too", "name every field written")

    def _order(self, function: Function, body: Sequence[ast.stmt], acted: bool, found: list[Finding]) -> bool | None:
        """Go through statements: whether something may have been done at their end (None if it is not reached)."""
        now: bool | None = acted
        for statement in body:
            if now is None:
                return None
            now = self._after(function, statement, now, found)
        return now

    def _after(self, function: Function, node: ast.stmt, acted: bool, found: list[Finding]) -> bool | None:
        if isinstance(node, ast.If):
            return _either([self._order(function, arm, acted, found) for arm in (node.body, node.orelse)])
        if isinstance(node, ast.Match):
            ends = [self._order(function, case.body, acted, found) for case in node.cases]
            return _either(ends if _catches_all(node.cases[-1]) else [*ends, acted])
        effect = NOTHING
        for part in parts([node]):
            effect |= self.at(function, part)
        if effect.refuses and acted:
            found.append(_finding(function, node, "a refusal after an effect", "refuse first, then write and show"))
        if isinstance(node, ast.Return | ast.Raise) or self._is_refuse(function, node):
            return None
        return acted or effect.acts

    @staticmethod
    def _is_refuse(function: Function, node: ast.stmt) -> bool:
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            return False
        return function.chapter.named(node.value.func) is language.refuse


def parts(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes at and below these, but not inside functions defined there."""
    for node in nodes:
        yield node
        if not isinstance(node, ast.FunctionDef):
            yield from parts(list(ast.iter_child_nodes(node)))


def named_fields(node: ast.Call) -> list[str]:
    """The fields that a call of `meanwhile` names."""
    named = node.args[1].elts if len(node.args) > 1 and isinstance(node.args[1], ast.Tuple) else []
    return [str(one.value) for one in named if isinstance(one, ast.Constant)]


def _places(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _places(part)
    else:
        yield target


def _either(ends: Sequence[bool | None]) -> bool | None:
    reached = [end for end in ends if end is not None]
    return any(reached) if reached else None


def _catches_all(case: ast.match_case) -> bool:
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def _finding(function: Function, node: ast.AST, construct: str, instead: str) -> Finding:
    return Finding(function.chapter.file, getattr(node, "lineno", function.node.lineno), construct, instead)
