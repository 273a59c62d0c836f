"""Vectors of guards that compare numbers: a step next to the bound, where it is done and where it is refused."""

from __future__ import annotations

import re
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.profiles import OPTIONS

from ...reference.reaching import SMALL
from ...reference.setup import Sizes, machine
from .headers import header_line, machine_of
from .layout import Vector
from .rules import about_step, step_in
from .values import key_json, load_state, state_json, to_json

LIKE = attrs.evolve(
    SMALL, pages=(2, 1), virtual_pages=1, frames=4, low_frames=2, slots=2, transfers=1, overhead=0, hash_bits=1,
    short_bits=1, shares=(1, 2), garbage=None,
)  # fmt: skip
"""What there is in the machines that the solver is asked for; it chooses all parameters that are numbers."""
ALIKE = ("count_top", "remap_after", "high_threshold", "soft_threshold",
         "hard_threshold", "low_threshold", "margin", *OPTIONS)  # fmt: skip
"""Parameters that are sizes of the same name."""


def like() -> Machine:
    """A machine in whose kind bounds are looked for."""
    return machine(LIKE)


def sizes_of(s: Machine) -> Sizes:
    """The sizes of a machine that was found."""
    vms = s.ids[VM]

    def each(held: Any) -> tuple[int, ...]:
        return tuple(held[vm] for vm in vms)

    return attrs.evolve(
        LIKE, minimum=each(s.minimum), overhead=each(s.overhead),
        low_reserve=LIKE.low_frames - s.low_for_all, **{name: getattr(s, name) for name in ALIKE},
    )  # fmt: skip


def vector_of(
    rule: str, reason: str, guard: str, bound: str, place: str, distance: int | None, found: Machine, arguments: Any
) -> Vector:
    """The vector of one side of a bound. place: which bound of the rule with this reason, and which side."""
    line = header_line(sizes_of(found))
    before = machine_of(line)
    load_state(before, state_json(found))
    same_parameters(found, before)
    by = {} if distance is None else {"left_less_right": distance}
    asked = re.sub(r"^require\((.*), Refused\.\w+\)$", r"\1", guard)
    more = {"guard": asked, "reason": reason, "compares": bound, **by}
    content = about_step(rule, line, asked, more)
    step = (REGISTER["rule"][rule].function, tuple(arguments))
    return Vector(f"boundaries/{rule}/{place}", content | step_in(before, step))


def same_parameters(found: Machine, made: Machine) -> None:
    """The machine of the header is the one that was found: it is an error if it is not."""
    things = like().ids
    for name, shape in found.shapes().items():
        one, other = getattr(found, name), getattr(made, name)
        if not shape.field.is_given:
            continue
        for key in things[shape.keys[0]] if shape.keys else ():
            assert one[key] == other[key], f"{name}[{key_json(key)}]: {to_json(one[key])}, {to_json(other[key])}"
        assert shape.keys or one == other, f"{name}: {one}, {other}"
