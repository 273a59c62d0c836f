"""Obligations as SMT-LIB 2 text, which any solver can check without this code.

The text of an obligation asks whether its hypotheses and the negation of its
goal can hold together: `unsat` proves it. The text is also how a proof is
remembered, so it depends on nothing but the obligation's terms and names.
Declarations and terms are printed by z3 itself; here they are put in order.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

import attrs
import z3

from .obligations import Obligation

_RESERVED = re.compile(r"\(declare-fun a!\d+ |\(a!\d+ [^()\s]+\)")  # z3 calls shared parts a!1, a!2, ...
_NOTHING = (z3.Ast * 0)()


@attrs.frozen
class Assertion:
    """One term: itself (kept, so that its number stays its own), its text, and the declarations it needs."""

    term: Any = attrs.field(repr=False)
    text: str
    sorts: tuple[str, ...]
    functions: tuple[str, ...]


class Writer:
    """Writes obligations; a term that occurs in many of them is printed once."""

    def __init__(self) -> None:
        self._known: dict[int, Assertion] = {}

    def text(self, obligation: Obligation) -> str:
        """The whole query: `unsat` if and only if the obligation holds."""
        hypotheses = [self._assertion(h) for h in obligation.hypotheses]
        goal = assertion(obligation.goal)
        sorts = dict.fromkeys(line for part in (*hypotheses, goal) for line in part.sorts)
        functions = dict.fromkeys(line for part in (*hypotheses, goal) for line in part.functions)
        granted = (f"(assert {part.text})" for part in hypotheses)
        lines = ("(set-logic ALL)", *sorts, *functions, *granted, f"(assert (not {goal.text}))", "(check-sat)", "")
        return "\n".join(lines)

    def forget(self) -> None:
        """Let go of the terms kept so far."""
        self._known.clear()

    def _assertion(self, term: Any) -> Assertion:
        known = self._known.get(term.get_id())
        if known is None:
            known = self._known[term.get_id()] = assertion(term)
        return known


def assertion(term: Any) -> Assertion:
    """A term as text, with its declarations: each line needs only those before it."""
    export = z3.Z3_benchmark_to_smtlib_string(term.ctx.ref(), "", "", "unknown", "", 0, _NOTHING, term.as_ast())
    declared = [line for line in export.split("\n(assert")[0].splitlines() if line.startswith("(de")]
    functions = tuple(line for line in declared if line.startswith("(declare-fun "))
    sorts = tuple(line for line in declared if line not in functions)
    text = term.sexpr()
    taken = _RESERVED.search("\n".join((*functions, text)))
    if taken:
        raise ValueError(f"a name like a!1 is the solver's own; give the parameter `a` a longer name: {taken.group()}")
    return Assertion(term, text, sorts, functions)


def digest(text: str) -> str:
    """What stands for a text in the memory of proofs."""
    return sha256(text.encode()).hexdigest()


def titled(text: str, title: str) -> str:
    """The text with a title as a comment, for a file."""
    return f"; {title}\n; unsat: proved\n{text}"
