"""Systematic mutants: made from the text of the specification itself, one small change each.

- `RULE/guard-N`: a refusal, or one conjunct of what is required, is left out; in the rules, in what they call,
  and in the questions that they ask.
- `RULE/effect-N`: a write to the state, or a call of a helper that writes, is left out.
- `order/FIRST-SECOND`: two steps of an operation are done in the other order (see `orders`).
- `STATEMENT/weaker-N`: an invariant or transition says one thing less.
- `FUNCTION/bound-N`: `<` becomes `<=` and so on; `FUNCTION/constant-N`: a number of the policy is one more, or less.

The numbers follow the text from top to bottom. `python -m pagelaw.proofs.mutants`
lists all mutants, and the orders that cannot be exchanged, each with the reason.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import attrs

from pagelaw import spec
from pagelaw.spec.language import REGISTER

from .editing import Text, weakenings
from .gallery import Certainty, Change, Mutant
from .orders import exchanges
from .switch import called_by, nothing_is_switched_on

KINDS = ("guard", "effect", "order", "weaker", "bound", "constant")
POLICY = ("shares", "reclamation", "reclaiming", "estimators")
"""The chapters whose numbers are policy."""
BOUNDS: dict[type[ast.cmpop], ast.cmpop] = {ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt()}


@cache
def systematic() -> dict[str, Mutant]:
    """All systematic mutants by identifier, in the order of the specification."""
    nothing_is_switched_on()
    numbers: Counter[tuple[str, str]] = Counter()
    found: dict[str, Mutant] = {}
    for function, kind, title, change in _changes():
        name = change.name
        numbers[name, kind] += 1
        found[f"{name}/{kind}-{numbers[name, kind]}"] = _mutant(kind, function, title, (change,))
    for one in exchanges():
        if one.changes:
            found[f"order/{one.first}-{one.second}"] = _mutant("order", one.first, one.title, one.changes)
    return {identifier: attrs.evolve(mutant, identifier=identifier) for identifier, mutant in found.items()}


def kind_of(identifier: str) -> str:
    """The kind of a systematic mutant."""
    what, _, rest = identifier.partition("/")
    return "order" if what == "order" else rest.partition("-")[0]


def _mutant(kind: str, shown_by: str, title: str, changes: tuple[Change, ...]) -> Mutant:
    return Mutant("", title, "", 0, "made from the text", Certainty.INVENTED, "", shown_by, kind, changes)


def _changes() -> Iterator[tuple[str, str, str, Change]]:
    """Every change of one function: function, kind, what it is, the change."""
    for function in functions_behind_rules():
        text = Text(function)
        kinds = (("guard", _guards), ("effect", _effects), ("bound", _bounds))
        for kind, changes in kinds:
            for title, change in changes(text):
                yield change.name, kind, title, change
    for function in statements():
        for title, change in _weaker(Text(function)):
            yield change.name, "weaker", title, change
    for function in functions_of_policy():
        for title, change in _constants(Text(function)):
            yield change.name, "constant", title, change


# Which functions.


def functions_behind_rules() -> list[str]:
    """Every rule, and every function that rules call or ask, in the order of the specification."""
    found: set[Callable[..., Any]] = set()
    for entry in REGISTER["rule"].values():
        found |= called_by(entry.function)
    return _in_order(found)


def statements() -> list[str]:
    """Every invariant and transition."""
    entries = [*REGISTER["invariant"].values(), *REGISTER["transition"].values()]
    return _in_order({entry.function for entry in entries})


def functions_of_policy() -> list[str]:
    """Every function of the chapters on policy that is not a statement."""
    kinds = ("invariant", "transition", "theorem", "assumption")
    stated = {entry.function for kind in kinds for entry in REGISTER[kind].values()}
    modules = [sys.modules[f"{spec.__name__}.{name}"] for name in POLICY if f"{spec.__name__}.{name}" in sys.modules]
    own: set[Callable[..., Any]] = {
        f
        for module in modules
        for f in vars(module).values()
        if inspect.isfunction(f) and f.__module__ == module.__name__
    }
    return _in_order(own - stated)


def _in_order(functions: set[Callable[..., Any]]) -> list[str]:
    chapters = list(dict.fromkeys(entry.chapter for named in REGISTER.values() for entry in named.values()))
    chapters.sort(key=lambda chapter: list(spec.__all__).index(chapter) if chapter in spec.__all__ else -1)

    def place(function: Callable[..., Any]) -> tuple[int, int]:
        chapter = function.__module__.rpartition(".")[2]
        return chapters.index(chapter), inspect.getsourcelines(function)[1]

    ordered = sorted(functions, key=place)
    return [f"{function.__module__.rpartition('.')[2]}.{function.__name__}" for function in ordered]


# Which changes.


def _guards(text: Text) -> Iterator[tuple[str, Change]]:
    """Left out: each conjunct of a `require`, each arm that refuses; of a question, each conjunct of an answer."""
    for node in _within(text):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Name(id="require"), args=[condition, *_])):
                changes = weakenings(text, condition)
                for number, change in enumerate(changes, 1):
                    yield f"not required, part {number}: {text.segment(condition)}", change
                if not changes:
                    yield f"not required: {text.segment(condition)}", text.drop(node)
            case ast.Expr(value=ast.Call(func=ast.Name(id="refuse"))):
                yield f"not refused: {text.segment(node)}", text.drop(node)
            case ast.Return(value=ast.expr() as value) if returns_truth(text):
                for number, change in enumerate(weakenings(text, value), 1):
                    yield f"not asked, part {number}: {text.segment(value)}", change


def _effects(text: Text) -> Iterator[tuple[str, Change]]:
    """Left out: each write, and each call of something that writes or that the guest sees."""
    for node in _within(text):
        if is_effect(node):
            assert isinstance(node, ast.stmt)
            yield f"not done: {' '.join(text.segment(node).split())}", text.drop(node)


def is_effect(node: ast.AST) -> bool:
    """Whether a statement writes the state, or calls something that may."""
    match node:
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
            while isinstance(target, ast.Subscript | ast.Attribute):
                target = target.value
                if isinstance(target, ast.Name) and target.id == "s":
                    return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="write_each"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(), args=[ast.Name(id="s"), *_])):
            return True
    return False


def _weaker(text: Text) -> Iterator[tuple[str, Change]]:
    """Left out: each conjunct of an answer; an answer that has no parts is yes."""
    for node in _within(text):
        if isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "True":
            changes = weakenings(text, node.value)
            for number, change in enumerate(changes, 1):
                yield f"not said, part {number}: {text.segment(node.value)}", change
            if not changes:
                yield f"not said: {text.segment(node.value)}", text.put(node.value, "True")


def _bounds(text: Text) -> Iterator[tuple[str, Change]]:
    """Each comparison of numbers includes its bound if it did not, and does not if it did."""
    for node in _within(text):
        if isinstance(node, ast.Compare):
            for i, op in enumerate(node.ops):
                if type(op) in BOUNDS:
                    ops = [BOUNDS[type(op)] if i == j else other for j, other in enumerate(node.ops)]
                    other = ast.unparse(ast.Compare(node.left, ops, node.comparators))
                    yield f"{other} in place of {text.segment(node)}", text.put(node, other)


def _constants(text: Text) -> Iterator[tuple[str, Change]]:
    """Each number is one more, and one less."""
    for node in _within(text):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            for number in (node.value + 1, node.value - 1):
                yield f"{number} in place of {node.value}", text.put(node, f"({number})" if number < 0 else str(number))


def _within(text: Text) -> Iterator[ast.AST]:
    """Everything in a function's body, from top to bottom."""
    nodes = [node for statement in text.tree.body for node in ast.walk(statement)]
    placed = [node for node in nodes if isinstance(node, ast.stmt | ast.expr)]
    yield from sorted(placed, key=lambda node: (node.lineno, node.col_offset))


def returns_truth(text: Text) -> bool:
    """Whether a function answers yes or no."""
    return isinstance(text.tree.returns, ast.Name) and text.tree.returns.id == "bool"
