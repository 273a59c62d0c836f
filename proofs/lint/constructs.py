"""Which constructs a traced function may be made of. Everything that is not named here is a finding."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum
from fractions import Fraction
from typing import Any

import attrs

from pagelaw.spec import language
from pagelaw.spec.language import Contents, Identifier, State, Sum, variants_of
from pagelaw.spec.language.state import Shape

from .effects import NOTHING, Effects, parts
from .instead import EXPRESSIONS, INSTEAD, WORDS
from .sources import Finding, Function

OPERATORS = (ast.Add, ast.Sub, ast.Mult)
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
VALUES = (State, Identifier, Sum, Contents, int, bool, Fraction)


@attrs.define
class Reader:
    """Reads one function, and collects what is not allowed in it."""

    function: Function
    effects: Effects
    found: list[Finding] = attrs.field(factory=list)
    local: set[str] = attrs.field(factory=set)
    states: dict[str, dict[str, Shape]] = attrs.field(factory=dict)
    """The states by name: those handed to the function, and one that a rule would leave."""

    def report(self, node: ast.AST, construct: str, instead: str) -> None:
        """Something that is not allowed."""
        line = getattr(node, "lineno", self.function.node.lineno)
        self.found.append(Finding(self.function.chapter.file, line, construct, instead))

    def refuse(self, node: ast.AST, otherwise: str = WORDS) -> None:
        """A construct that is not on the list."""
        name = type(node).__name__
        self.report(node, *INSTEAD.get(name, (name.lower(), otherwise)))

    def meaning(self, node: ast.AST | None) -> Any:
        """What a name that is no local means."""
        if not isinstance(node, ast.Name) or node.id in self.local:
            return None
        return self.function.chapter.named(node)

    def called(self, node: ast.AST) -> Function | None:
        """The function of the specification that a name means."""
        return self.effects.sources.function(self.meaning(node))

    def is_state(self, node: ast.AST) -> bool:
        """Whether it is a state."""
        return isinstance(node, ast.Name) and node.id in self.states

    # the function

    def read(self) -> list[Finding]:
        """All findings about the function's constructs."""
        node, arguments = self.function.node, self.function.node.args
        if len(node.decorator_list) > 1 or (node.decorator_list and self.function.kind in ("helper", "steps")):
            self.report(node, "a decorator of its own", "mark it with one word of the language")
        if arguments.defaults or arguments.kw_defaults or arguments.vararg or arguments.kwarg:
            self.report(node, "a default or a variable number of arguments", "name every argument")
        for name, kind in self.function.parameters.items():
            if not isinstance(kind, type) or not issubclass(kind, VALUES):
                self.report(node, f"the type of {name}", "take a state, identifier, sum, contents, number or bool")
        self.local, self.states = {*self.function.parameters, *_assigned(node)}, self.function.states
        self.block(node.body)
        return self.found

    def block(self, body: list[ast.stmt]) -> None:
        """Statements one after another."""
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """One statement."""
        match node:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                if isinstance(node, ast.Expr) and node is not self.function.node.body[0]:
                    self.report(node, "text", "rules neither print nor log")
            case ast.Expr(value=ast.Call() as call):
                self.call(call, True)
            case ast.Assign(targets=[target], value=value):
                self.assignment(target, value)
            case ast.AugAssign(target=target, op=ast.Add() | ast.Sub(), value=value):
                self.assignment(target, value)
            case ast.If(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.block(body)
                self.block(orelse)
            case ast.Match(subject=subject, cases=cases):
                self.expression(subject)
                for case in cases:
                    self.pattern(case.pattern, False)
                    if case.guard is not None:
                        self.expression(case.guard)
                    self.block(case.body)
            case ast.Return(value=value):
                if value is not None:
                    self.expression(value)
            case ast.FunctionDef(name=name) if name in _acts(self.function.node):
                pass  # run by `meanwhile`, on concrete states only
            case _:
                self.refuse(node)

    def assignment(self, target: ast.expr, value: ast.expr) -> None:
        """A field, a key of a map, a name, or as many names as values."""
        match target, value:
            case ast.Tuple(elts=names), ast.Tuple(elts=values) if len(names) == len(values):
                for name, one in zip(names, values, strict=True):
                    if not isinstance(name, ast.Name):
                        self.report(name, "several fields written at once", "write one at a time")
                    self.expression(one)
                return
            case ast.Name(id=name), _:
                if name in self.states:
                    self.report(target, "another state in place of the one given", "write its fields")
            case (ast.Subscript() | ast.Attribute()), _:
                self.field(target)
            case _:
                self.report(target, "an assignment to something else", "write s.field, s.field[key] or a name")
        self.expression(value)

    # expressions

    def expression(self, node: ast.expr) -> None:
        """A value."""
        match node:
            case ast.Constant(value=bool() | int()):
                pass
            case ast.Constant():
                self.report(node, repr(node.value), "use a truth value, a number or a variant")
            case ast.Name(id=name):
                if self.is_state(node):
                    self.report(node, "the state as a value", "read a field of it, or hand it on as the first argument")
                elif name not in self.local:
                    self.report(node, f"the name {name}", "all that a rule depends on is an argument or in the state")
            case ast.Attribute() | ast.Subscript():
                self.field(node)
            case ast.BoolOp(values=values):
                for value in values:
                    self.expression(value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.expression(operand)
            case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, OPERATORS):
                self.expression(left)
                self.expression(right)
            case ast.BinOp(op=ast.Div()):
                self.report(node, *INSTEAD["Div"])
            case ast.Compare():
                self.comparison(node)
            case ast.IfExp(test=test, body=ast.Constant(value=int()), orelse=ast.Constant(value=int())):
                self.expression(test)
            case ast.IfExp():
                self.report(node, "a conditional expression", "use pick, or an `if` of its own")
            case ast.Call():
                self.call(node, False)
            case _:
                self.refuse(node, EXPRESSIONS)

    def comparison(self, node: ast.Compare) -> None:
        """Equality, order, or membership in values that are written out."""
        self.expression(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                if isinstance(right, ast.Tuple):
                    for value in right.elts:
                        self.expression(value)
                else:
                    self.report(node, "`in` on a map", "every key has a value: compare the value with ==")
                continue
            if not isinstance(operator, COMPARISONS):
                self.report(node, *INSTEAD.get(type(operator).__name__, ("a comparison", EXPRESSIONS)))
            self.expression(right)

    def field(self, node: ast.expr) -> None:
        """A field of a state, with keys if it is a map; the VM of something; a named reason."""
        match node:
            case ast.Attribute(value=ast.Name() as state, attr=name) if self.is_state(state):
                if self.known_field(node, state, name) and self.states[state.id][name].keys:
                    self.report(node, "a map as a value", "read or write it at a key")
            case ast.Subscript(ast.Attribute(ast.Name() as state, attr=name), slice=key) if self.is_state(state):
                if self.known_field(node, state, name) and not self.states[state.id][name].keys:
                    self.report(node, f"s.{name} at a key", "it is a single value")
                self.key(key)
            case ast.Attribute(value=ast.Name() as name) if isinstance(self.meaning(name), type):
                if not issubclass(self.meaning(name), Enum):
                    self.report(node, f"{name.id}.{node.attr}", WORDS)
            case ast.Attribute(value=value, attr="vm"):
                self.expression(value)
            case ast.Attribute(attr=attribute):
                self.report(node, f".{attribute}", "bind the fields of a variant by a pattern")
            case _:
                self.report(node, "an index", "only maps of the state are read at a key")

    def known_field(self, node: ast.expr, state: ast.Name, name: str) -> bool:
        """Whether the state has the field, and it may be read here."""
        shape = self.states[state.id].get(name)
        if shape is None:
            self.report(node, f"s.{name}", "it is no field of the state")
        elif self.function.kind == "measure" and not shape.field.is_given:
            self.report(node, f"a weight that reads s.{name}", "a weight may read its entry, its key and parameters")
        return shape is not None

    def key(self, node: ast.expr) -> None:
        """One key, or several."""
        for one in node.elts if isinstance(node, ast.Tuple) else [node]:
            self.expression(one)

    def lambda_of(self, node: ast.expr, is_key: bool = False) -> None:
        """A question or a key for any one identifier."""
        if not isinstance(node, ast.Lambda) or len(node.args.args) != 1 or node.args.defaults:
            self.report(node, "something else than a lambda of one argument", "write lambda one: ...")
            return
        name, outer = node.args.args[0].arg, set(self.local)
        self.local.add(name)
        (self.key if is_key else self.expression)(node.body)
        self.local = outer

    def state_left(self, state: ast.expr, node: ast.expr) -> None:
        """A question about what a rule would leave of a state."""
        if not isinstance(node, ast.Lambda) or len(node.args.args) != 1 or node.args.defaults:
            self.report(node, "something else than a lambda of one argument", "write lambda after: ...")
            return
        outer, kind = self.states, self.states.get(state.id, {}) if isinstance(state, ast.Name) else {}
        self.states = {**outer, node.args.args[0].arg: kind}
        self.expression(node.body)
        self.states = outer

    # patterns

    def pattern(self, node: ast.pattern, inside: bool) -> None:
        """A variant with its fields bound, several of them, or anything else."""
        match node:
            case ast.MatchAs(pattern=None, name=None):
                pass
            case ast.MatchAs(pattern=None) if inside:
                pass
            case ast.MatchAs():
                self.report(node, "a name for the whole value in a pattern", "name it before the match")
            case ast.MatchOr(patterns=patterns):
                for one in patterns:
                    self.pattern(one, inside)
            case ast.MatchClass(cls=cls, patterns=patterns, kwd_attrs=[]):
                if not self.is_variant(cls):
                    self.report(node, f"{ast.unparse(cls)}() in a pattern", "only variants can be matched")
                for one in patterns:
                    self.pattern(one, True)
            case ast.MatchClass():
                self.report(node, "a field by name in a pattern", "bind all fields in order")
            case _:
                self.refuse(node)

    def is_variant(self, node: ast.expr) -> bool:
        """Whether it names a variant, or a parent of variants."""
        meaning = self.meaning(node)
        return isinstance(meaning, type) and issubclass(meaning, Sum) and meaning not in (Sum, *Sum.__subclasses__())

    # calls

    def call(self, node: ast.Call, alone: bool) -> None:
        """A call; alone on its line if it is there for its effect."""
        keywords = node.keywords and not self.takes_names(node) and self.meaning(node.func) is not language.leaves
        if keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            self.report(node, "an argument by name, or a row of arguments", "give arguments by position")
        if isinstance(node.func, ast.Attribute):
            self.method(node, node.func, alone)
            return
        called = self.called(node.func)
        if called is not None:
            self.call_of_function(node, called, alone)
            return
        meaning = self.meaning(node.func)
        match meaning:
            case language.require | language.refuse if alone:
                self.arguments(node.args)
            case language.visible if alone:
                self.named(node, "step", "show a step of private memory")
            case language.meanwhile if alone:
                if not self.is_state(node.args[0]):
                    self.report(node, "meanwhile on something else than the state", "meanwhile(s, fields, act)")
            case language.pick | language.ratio if not alone:
                self.arguments(node.args)
            case language.enabled | language.gets_done if not alone:
                self.named(node, "rule", "enabled and gets_done ask about a rule")
            case language.leaves if not alone and [word.arg for word in node.keywords] == ["so_that"]:
                self.named(node, "rule", "leaves asks about a rule")
                self.state_left(node.args[1], node.keywords[0].value)
            case type() if issubclass(meaning, Sum):
                self.variant(node, meaning)
            case _ if isinstance(node.func, ast.Name) and node.func.id == "isinstance" and len(node.args) == 2:
                self.expression(node.args[0])
                if not self.is_variant(node.args[1]):
                    self.report(node, "isinstance of something else than a variant", "ask for a variant, or compare")
            case _:
                self.report(node, f"a call of {ast.unparse(node.func)}", WORDS)

    def takes_names(self, node: ast.Call) -> bool:
        """Whether arguments may be named: of helpers, whose calls are traced as they stand."""
        called = self.called(node.func)
        return called is not None and called.kind == "helper"

    def arguments(self, nodes: list[ast.expr], states: bool = False) -> None:
        """Values handed on, among them states where a function takes them."""
        for node in nodes:
            if not (states and self.is_state(node)):
                self.expression(node)

    def named(self, node: ast.Call, kind: str, instead: str) -> None:
        """A word that takes a state and a function by name: visible(s, step, ...), enabled(rule, s, ...)."""
        state, function = node.args[:2] if kind == "step" else node.args[1::-1]
        called = self.called(function)
        if not self.is_state(state) or called is None or called.kind != kind:
            self.report(node, ast.unparse(node.func), instead)
        self.arguments(node.args[2:])

    def variant(self, node: ast.Call, cls: type) -> None:
        """A variant that is built."""
        fields: Any = attrs.fields(cls) if attrs.has(cls) else ()
        if variants_of(cls) != (cls,):
            self.report(node, f"{cls.__name__} built", "it stands for several variants: build one of them")
        elif len(node.args) != len(fields):
            self.report(node, f"{cls.__name__} with {len(node.args)} fields", f"it has {len(fields)}")
        self.arguments(node.args)

    def call_of_function(self, node: ast.Call, called: Function, alone: bool) -> None:
        """A helper, a question or a measure; in a row of steps, rules."""
        effect = self.effects.of(called)
        if called.kind in ("step", "at_once", "steps") or (called.kind == "rule" and self.function.kind != "steps"):
            self.report(node, f"a call of a {called.kind}: {called.node.name}", "call a helper; show steps by visible")
        if self.function.kind == "steps" and called.kind != "rule" and called.node.name != "all_flush":
            self.report(node, f"{called.node.name} among steps", "a row of steps calls rules alone")
        if not alone and effect != NOTHING:
            self.report(node, f"a value of something that {effect.what}", "do it on a line of its own, before")
        if alone and effect == NOTHING:
            self.report(node, f"the answer of {called.node.name} is not used", "leave it out, or require it")
        if self.function.kind == "measure" and any(self.is_state(one) for one in node.args):
            self.report(node, "a weight that hands the state on", "a weight may read its entry, its key and parameters")
        self.arguments([*node.args, *(keyword.value for keyword in node.keywords)], states=True)

    def method(self, node: ast.Call, function: ast.Attribute, alone: bool) -> None:
        """every, some, write_each, word, with_word."""
        match function.attr, node.args:
            case ("every" | "some"), [question] if not alone:
                self.identifiers(function.value)
                self.lambda_of(question)
            case "write_each", [ids, key, value, *where] if alone and len(where) <= 1:
                self.map_of_state(function.value, "a bulk write to something else", "write to a map of the state")
                self.identifiers(ids)
                self.lambda_of(key, is_key=True)
                self.expression(value)
                for question in where:
                    self.lambda_of(question)
            case ("word" | "with_word"), arguments if not alone:
                self.expression(function.value)
                self.arguments(arguments)
            case name, _:
                self.report(node, f"a call of .{name}", WORDS)

    def map_of_state(self, node: ast.expr, otherwise: str, advice: str) -> None:
        """The map that a bulk write goes to, or by which identifiers are found."""
        match node:
            case ast.Attribute(value=ast.Name() as state, attr=name) if self.is_state(state):
                self.known_field(node, state, name)
            case _:
                self.report(node, otherwise, advice)

    def identifiers(self, node: ast.expr) -> None:
        """s.each(Sort), s.each(Sort, vm), s.each(Sort, vm, to), or s.those(Sort, s.field, value)."""
        match node:
            case ast.Call(func=ast.Attribute(value=state, attr="each"), args=[sort, *vm]) if self.is_state(state):
                self.sort_of_identifiers(node, sort)
                self.arguments(vm)
            case ast.Call(
                func=ast.Attribute(value=state, attr="those"), args=[sort, held, value]
            ) if self.is_state(state):
                self.sort_of_identifiers(node, sort)
                self.map_of_state(held, "identifiers by something else", "name a map of the state")
                self.expression(value)
            case _:
                self.report(node, "something else than s.each(...)", "ask s.each(Sort) or s.each(Sort, vm)")

    def sort_of_identifiers(self, node: ast.expr, sort: ast.expr) -> None:
        """The sort that `each` and `those` are asked for."""
        meaning = self.meaning(sort)
        if not isinstance(meaning, type) or not issubclass(meaning, Identifier):
            self.report(node, "each of something else than an identifier", "name a sort of identifiers")


def _assigned(function: ast.FunctionDef) -> Iterator[str]:
    """The names that a function assigns or binds in patterns."""
    for node in parts(function.body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.MatchAs) and node.name:
            yield node.name


def _acts(function: ast.FunctionDef) -> set[str]:
    """The functions inside a function that it gives to `meanwhile`."""
    calls = [node for node in parts(function.body) if isinstance(node, ast.Call) and len(node.args) == 3]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "meanwhile"]
    return {call.args[2].id for call in named if isinstance(call.args[2], ast.Name)}
