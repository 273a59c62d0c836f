"""All obligations, in groups that can be proved apart: one a rule, and six of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from pagelaw.spec.language import REGISTER

from .foundations import (
    assumption_obligations,
    initial_obligations,
    lemma_obligations,
    private_memory_obligations,
    weight_obligations,
)
from .laws import configuration_obligations, law_obligations
from .obligations import Obligation, Theory
from .uninterrupted import operation_obligations

_OWN: dict[str, Callable[[Theory], Iterator[Obligation]]] = {
    "initial state": lambda theory: chain(assumption_obligations(theory), initial_obligations(theory)),
    "private memory": private_memory_obligations,
    "lemmas": lambda theory: chain(weight_obligations(theory), lemma_obligations()),
    "theorems": lambda theory: theory.general_obligations(),
    "laws": lambda theory: chain(law_obligations(theory), configuration_obligations(theory)),
    "operations": operation_obligations,
}


def groups() -> list[str]:
    """The names of all groups: those of their own, then the rules in the order of the specification."""
    return [*_OWN, *REGISTER["rule"]]


def obligations_of(theory: Theory, group: str) -> Iterator[Obligation]:
    """The obligations of one group, in a fixed order, with the same names whatever was asked before."""
    theory.start_over()
    own = _OWN.get(group)
    return own(theory) if own else theory.obligations(REGISTER["rule"][group])
