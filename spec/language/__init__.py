"""The words that rules are written in.

A rule is a plain Python function over a state of total maps. Run on maps it
is the reference model; run on symbolic values, the same function is what is
proved. These are all the words there are; everything else is Python's own
`if`, `match`, `and`, `or`, `not`, `==`, `+`, `-`, `*`, `<`. Numbers are whole (`int`) or
exact rationals (`Fraction`); they are divided by `ratio`, never by `/`.
"""

from fractions import Fraction

from .identifiers import VM, Contents, Identifier, Owned, Value, Word
from .rules import (
    REGISTER,
    Abstract,
    Blocked,
    Entry,
    Grade,
    Measure,
    assumption,
    at_once,
    choice,
    enabled,
    false_claim,
    gets_done,
    invariant,
    law,
    leaves,
    meanwhile,
    measure,
    pick,
    ratio,
    refuse,
    represents,
    require,
    rule,
    step,
    theorem,
    transition,
    view,
    visible,
)
from .state import Ids, Map, State, given, starts_as
from .variants import Sum, sum_of, variant, variants_of

__all__ = [
    "REGISTER",
    "VM",
    "Abstract",
    "Blocked",
    "Contents",
    "Entry",
    "Fraction",
    "Grade",
    "Identifier",
    "Ids",
    "Map",
    "Measure",
    "Owned",
    "State",
    "Sum",
    "Value",
    "Word",
    "assumption",
    "at_once",
    "choice",
    "enabled",
    "false_claim",
    "gets_done",
    "given",
    "invariant",
    "law",
    "leaves",
    "meanwhile",
    "measure",
    "pick",
    "ratio",
    "refuse",
    "represents",
    "require",
    "rule",
    "starts_as",
    "step",
    "sum_of",
    "theorem",
    "transition",
    "variant",
    "variants_of",
    "view",
    "visible",
]
