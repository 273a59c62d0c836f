"""The machine of a vector, as the header of a trace: in it all VMs are off, and frames and slots hold zeros."""

from __future__ import annotations

from functools import cache
from typing import Any

from pagelaw.spec.language import VM, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.profiles import OPTIONS, PROFILES
from pagelaw.spec.vocabulary import MPN, VCPU, Page, Slot, Transfer, VPage

from ...reference.setup import Sizes
from ..fields import Malformed
from ..header import header
from ..stepping import header_of
from .values import key_json, to_json

NEEDED = ("vms", "frames", "hash_bits", "short_bits")
"""Sizes that every header has."""
THINGS = (VM, Page, VPage, VCPU, MPN, Slot, Transfer, Word)
OF_VMS = ("minimum", "overhead", "shares", "domain")


@cache
def header_line(sizes: Sizes) -> dict[str, Any]:
    """The shortest header of a machine of these sizes."""
    made = header_of(sizes, tuple(OPTIONS))
    del made["system"]
    wanted = parameters(machine_of(made))
    made["options"] = {name: value for name, value in made["options"].items() if value != PROFILES["esx"][name]}
    if not made["options"]:
        del made["options"]
    for name in [name for name in made["machine"] if name not in NEEDED]:
        without = made | {"machine": {one: value for one, value in made["machine"].items() if one != name}}
        if not (name == "frame_names" and needs_names(sizes)) and makes(without, wanted):
            made = without
    return without_defaults_of_vms(made, wanted)


def needs_names(sizes: Sizes) -> bool:
    """Whether it matters which frame is which."""
    return sizes.block > 1 or sizes.low_frames < sizes.frames


def without_defaults_of_vms(made: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The same, its VMs without what need not be said of them."""
    for name in OF_VMS:
        vms = [{one: value for one, value in vm.items() if one != name} for vm in made["machine"]["vms"]]
        without = made | {"machine": made["machine"] | {"vms": vms}}
        if makes(without, wanted):
            made = without
    return made


def makes(line: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a header speaks of a machine with these parameters."""
    try:
        return parameters(machine_of(line)) == wanted
    except Malformed:  # of the thresholds some alone are not in order
        return False


def machine_of(line: dict[str, Any]) -> Machine:
    """The machine that a header speaks of, in its initial state."""
    return header(line).machine()


def parameters(s: Machine) -> dict[str, Any]:
    """All parameters of a machine, as JSON, and what there is in it."""
    made: dict[str, Any] = {sort.__name__: list(map(to_json, s.ids[sort])) for sort in THINGS}
    for name, shape in s.shapes().items():
        if not shape.field.is_given:
            continue
        held = getattr(s, name)
        if shape.keys:
            made[name] = [[key_json(key), to_json(held[key])] for key in s.ids[shape.keys[0]]]
        else:
            made[name] = to_json(held)
    return made
