"""Mutants: faults that real systems had, each as a switch of one rule. The checks must refuse every one.

A proof that refuses nothing proves nothing. A mutant is not a second text of a
rule but a small change to the one there is: `apply` makes the change to the
running specification and takes it back. A mutant counts as refused only if one
of the properties fails that hold of every rule, never by a check of its own.

The mutants are listed in the TOML files beside this one, a file a mechanism.
`SH`, `TL`, `SW`, `BA`, `RM`, `PO` and `LK` are faults of real systems, `ORD`
(steps in a wrong order) and `SYN` are invented. `NULL` changes nothing: it is
the control. `later.toml` lists the faults that the specification cannot yet
express, each with the reason.

Beside these there are systematic mutants, made from the text of the rules
itself (see `systematic`): `merge/guard-1`, `merge/effect-3` and so on.
"""

from .gallery import (
    CONTROL,
    Certainty,
    Change,
    Faulty,
    Later,
    Mutant,
    gallery,
    get,
    later,
    names,
    table,
)
from .switch import affected, apply, diff
from .systematic import systematic

__all__ = [
    "CONTROL", "Certainty", "Change", "Faulty", "Later", "Mutant", "affected", "apply", "diff", "gallery", "get",
    "later", "names", "systematic", "table",
]
