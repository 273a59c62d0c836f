"""A run of the reference model, step by step, as a trace: so any run can be judged, also one under a known fault."""

from __future__ import annotations

from typing import Any

from pagelaw.spec.language import VM, Value
from pagelaw.spec.machine import Machine
from pagelaw.spec.translation import is_dirty
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Ballooned,
    Cached,
    Mapped,
    Page,
    Slot,
    SlotHeld,
    Swapped,
    Translation,
    VPage,
)

from ..reference.beside import parameter_names
from ..reference.choosing import Rule
from ..reference.setup import Sizes, of_vm
from .naming import Name
from .stepwise import written

PLAIN = ("low_reserve", "block", "sample_size", "hash_bits", "short_bits", "high_threshold", "soft_threshold",
         "hard_threshold", "low_threshold", "margin", "words", "vcpus", "virtual_pages", "transfers", "count_top",
         "remap_after", "frames", "slots")  # fmt: skip
"""Sizes that are named alike in a header."""
FRACTIONS = ("tax_rate", "slow_gain", "fast_gain")


def header_of(sizes: Sizes, options: tuple[str, ...]) -> dict[str, Any]:
    """The header of a trace of a machine of these sizes."""
    vms = [
        {"name": repr(VM(n)), "pages": of_vm(sizes.pages, VM(n)), "minimum": of_vm(sizes.minimum, VM(n)),
         "overhead": of_vm(sizes.overhead, VM(n)), "shares": sizes.shares[n % len(sizes.shares)],
         "domain": n % sizes.domains}
        for n in range(sizes.vms)
    ]  # fmt: skip
    made: dict[str, Any] = {name: getattr(sizes, name) for name in PLAIN if getattr(sizes, name) is not None}
    made["transfers"] = max(sizes.transfers, 1)  # a machine without any is told as one that has some and uses none
    made |= {name: str(getattr(sizes, name)) for name in FRACTIONS}
    made |= {"vms": vms, "low": [repr(MPN(n)) for n in range(min(sizes.low_frames, sizes.frames))],
             "frame_names": [repr(MPN(n)) for n in range(sizes.frames)]}  # fmt: skip
    return {"pagelaw": 1, "system": "reference, step by step", "machine": made,
            "options": {name: getattr(sizes, name) for name in options}}  # fmt: skip


class Stepping:
    """Writes down the steps of one machine, and where its pages are after each."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.vms: dict[VM, Name] = {vm: repr(vm) for vm in machine.ids[VM]}

    def event(self, rule: Rule, arguments: tuple[Any, ...], returned: Any = None, refused: str = "") -> dict[str, Any]:
        """A step that was done, or refused."""
        made: dict[str, Any] = {"step": rule.__name__}
        for name, value in zip(parameter_names(rule), arguments, strict=False):
            made[name] = written(value, self.vms)
        if refused:
            return made | {"refused": refused}
        if isinstance(returned, Value):
            made["got"] = returned.number
        return made | {"saw": self.seen()}

    def seen(self) -> list[dict[str, Any]]:
        """All that can be seen of the machine from outside."""
        s = self.machine
        saw = [self.of_page(page) for page in s.ids[Page]]
        for virtual in s.ids[VPage]:
            saw.append(self.of_translation(virtual, s.shadow[virtual], {}))
            for cpu in s.each(VCPU, virtual.vm):
                saw.append(self.of_translation(virtual, s.tlb[cpu, virtual], {"cpu": cpu.number}))
        held = {operation.slot for operation in s.operation.values() if isinstance(operation, SlotHeld)}
        for slot in s.ids[Slot]:
            if s.slot_count[slot] and slot not in held:  # a slot that was only set aside still holds anything
                words = [value.number for value in s.slot_contents[slot].words]
                saw.append({"slot": repr(slot), "users": s.slot_count[slot], "words": words})
        for vm, name in self.vms.items():
            counts = {"resident": s.resident[vm], "swapped": s.swapped[vm], "ballooned": s.balloon_size[vm]}
            policy = {"touched": s.touched[vm], "estimate": str(s.estimate[vm]), "target": s.target[vm]}
            saw.append({"vm": name, **counts, **policy})
        counts = {"free_frames": s.free_frames, "free_slots": s.free_slots}
        return [*saw, counts | {"state": type(s.reclamation).__name__.lower()}]

    def of_translation(self, virtual: VPage, entry: Translation, by: dict[str, int]) -> dict[str, Any]:
        """What an entry of a shadow table or TLB leads to."""
        made = {"vm": self.vms[virtual.vm], "virtual": virtual.number, **by}
        if not isinstance(entry, Cached):
            return made | {"leads_to": None}
        bits = {"writable": entry.writable, "accessed": entry.accessed, "dirty": entry.dirty}
        return made | {"leads_to": entry.page.number, **bits}

    def of_page(self, page: Page) -> dict[str, Any]:
        """Where a page is, and what it holds."""
        s = self.machine
        made: dict[str, Any] = {"vm": self.vms[page.vm], "page": page.number}
        made["dirty"] = is_dirty(s, page)
        match s.pmap[page]:
            case Mapped(mpn):
                return made | {"frame": repr(mpn), "words": [value.number for value in s.contents[mpn].words]}
            case Swapped(slot):
                return made | {"slot": repr(slot)}
            case Ballooned():
                return made | {"is": "ballooned"}
        return made | {"is": "untouched"}
