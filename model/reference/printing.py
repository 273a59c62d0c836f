"""States and runs as text to be read: plain, at most 110 columns.

    print(state_text(machine))

    printed = PrintedRun(machine)
    Scheduler(machine, seed=1).run(100, printed)      # or any other runner of steps
    print(printed.text())
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM, Blocked, Map, Sum
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Absent,
    Drawn,
    Free,
    Idle,
    Mapped,
    NoDeviceEntry,
    NoFetch,
    NoFill,
    NoHint,
    NothingKept,
    NotPresent,
    NoTransfer,
    Off,
    Page,
    Slot,
    Swapped,
    Transfer,
    VPage,
)

from .beside import parameter_names
from .choosing import Rule

WIDTH = 110


def words_of(name: str) -> str:
    """`InTransit` and `in_transit` as "in transit"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()


def value_text(value: Any) -> str:
    """A value as it is read: `Mapped(m3)` as "mapped m3"; of flags, the names of those that are set."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Fraction):
        return str(value)
    if not isinstance(value, Sum):
        return repr(value)
    parts = [words_of(type(value).__name__)]
    for name in getattr(value, "__match_args__", ()):
        held = getattr(value, name)
        parts.append(value_text(held) if not isinstance(held, bool) else words_of(name) if held else "")
    return " ".join(filter(None, parts))


def table(rows: Iterable[tuple[str, ...]], indent: int = 2) -> list[str]:
    """Rows in aligned columns, each line cut into lines of the width."""
    held = list(rows)
    if not held:
        return []
    widths = [max(map(len, column)) for column in zip(*held, strict=True)]
    lines: list[str] = []
    for row in held:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        lines += textwrap.wrap(" " * indent + line, WIDTH, subsequent_indent=" " * (indent + 6), drop_whitespace=True,
                               replace_whitespace=False, break_on_hyphens=False)  # fmt: skip
    return lines


# A state.


def state_text(s: Machine) -> str:
    """The whole state, without what is empty."""
    lines = [
        f"machine: {s.free_frames} of {s.total_frames} frames free ({value_text(s.reclamation)}), "
        f"{s.free_slots} of {s.total_slots} slots free, "
        f"reserved {s.reserved_memory} pages of memory, {s.reserved_swap} of swap"
    ]
    for vm in s.ids[VM]:
        lines += vm_lines(s, vm)
    lines += section("frames", (frame_row(s, mpn) for mpn in s.ids[MPN]))
    lines += section("slots in use", (slot_row(s, slot) for slot in s.ids[Slot] if s.slot_count[slot]))
    shared = [(f"{domain!r} {key!r}", value_text(entry)) for (domain, key), entry in written(s, "table")]
    lines += section("shared frames listed", sorted(shared))
    transfers = ((repr(t), value_text(s.transfer[t])) for t in s.ids[Transfer] if s.transfer[t] != NoTransfer())
    return "\n".join([*lines, *section("transfers", transfers)])


def section(title: str, rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A title and its rows; nothing without rows."""
    lines = table(rows)
    return [f"{title}:", *lines] if lines else []


def written(s: Machine, field: str) -> list[tuple[Any, Any]]:
    """The entries of a map that are not as they began."""
    held: Map[Any, Any] = getattr(s, field)
    return [(key, value) for key, value in held.items() if value != held.otherwise(key)]


def vm_lines(s: Machine, vm: VM) -> list[str]:
    """A VM: its figures, pages and translations."""
    if s.life[vm] == Off():
        return [f"VM {vm!r}: off"]
    figures = (
        f"VM {vm!r}: {value_text(s.life[vm])}; {s.resident[vm]} of {s.maximum[vm]} pages resident (minimum "
        f"{s.minimum[vm]}), {s.swapped[vm]} swapped (target {s.swap_target[vm]}), {s.balloon_size[vm]} ballooned "
        f"(target {s.balloon_target[vm]}), {value_text(s.driver[vm])}, overhead {s.overhead_held[vm]} of "
        f"{s.overhead[vm]}, touched {s.touched[vm]}"
    )
    lines = textwrap.wrap(figures, WIDTH, subsequent_indent="  ")
    lines += table(page_row(s, page) for page in s.each(Page, vm))
    coming = [cpu for cpu in s.each(VCPU, vm) if s.fetch[cpu] != NoFetch()]
    lines += table((f"page-in by {cpu!r}", value_text(s.fetch[cpu])) for cpu in coming)
    return lines + table(row for virtual in s.each(VPage, vm) for row in virtual_rows(s, virtual))


def page_row(s: Machine, page: Page) -> tuple[str, ...]:
    """A page: where it is, what it holds, what is being done to it, and what else is known of it."""
    backing, holds = s.pmap[page], ""
    if isinstance(backing, Mapped):
        holds = repr(s.contents[backing.mpn])
    elif isinstance(backing, Swapped):
        holds = repr(s.slot_contents[backing.slot])
    operation = "" if s.operation[page] == Idle() else value_text(s.operation[page])
    return repr(page), value_text(backing), holds, operation, ", ".join(marks(s, page))


def marks(s: Machine, page: Page) -> Iterator[str]:
    """What else is known of a page."""
    if s.attempted[page]:
        yield "attempted"
    match s.sampled[page]:
        case Drawn(touched):
            yield "sampled, touched" if touched else "sampled"
    if isinstance(s.pmap[page], Mapped) and not s.dirty[page]:
        yield "clean"
    if s.kept[page] != NothingKept():
        yield value_text(s.kept[page])
    if s.hint[page] != NoHint():
        yield value_text(s.hint[page])
    if s.copies[page]:
        yield f"copied {s.copies[page]} times"
    if s.device_entry[page] != NoDeviceEntry():
        yield value_text(s.device_entry[page])
    owing = [repr(cpu) for cpu in s.each(VCPU, page.vm) if s.owed[cpu, page]]
    owing += ["devices"] if s.device_owed[page] else []
    if owing:
        yield f"flush owed by {' '.join(owing)}"


def virtual_rows(s: Machine, virtual: VPage) -> Iterator[tuple[str, ...]]:
    """A virtual page: the guest's table, the shadow table, each TLB, each fill; what exists of them."""
    if s.guest_table[virtual] != NotPresent():
        yield repr(virtual), "guest's table", value_text(s.guest_table[virtual])
    if s.shadow[virtual] != Absent():
        yield repr(virtual), "shadow table", value_text(s.shadow[virtual])
    for cpu in s.each(VCPU, virtual.vm):
        if s.tlb[cpu, virtual] != Absent():
            yield repr(virtual), f"TLB of {cpu!r}", value_text(s.tlb[cpu, virtual])
        if s.unsynced[cpu, virtual]:
            yield repr(virtual), f"TLB of {cpu!r}", "not yet invalidated"
        filling = s.fill[cpu]
        if filling != NoFill() and getattr(filling, "virtual", None) is virtual:
            yield repr(virtual), f"fill by {cpu!r}", value_text(filling)


def frame_row(s: Machine, mpn: MPN) -> tuple[str, ...]:
    """A frame: which memory, its use, what is in it and whose that is, its users."""
    use, count = s.frame[mpn], reference_count(s, mpn)
    users = f"count {count}" + (" in the overflow table" if s.overflow[mpn] else "") if count else ""
    if s.pins[mpn]:
        users += f", {s.pins[mpn]} pins"
    if s.frame_slot[mpn] != NothingKept():
        users += f", {value_text(s.frame_slot[mpn])}"
    memory = "low" if s.low[mpn] else "high"
    held = f"{s.contents[mpn]!r} {value_text(s.tag[mpn])}"
    return repr(mpn), memory, "free, held" if use == Free() else value_text(use), held, users


def slot_row(s: Machine, slot: Slot) -> tuple[str, ...]:
    """A slot: what is in it and how many use it."""
    return repr(slot), repr(s.slot_contents[slot]), f"count {s.slot_count[slot]}"


# A run.


def actor_of(rule: Rule, arguments: tuple[Any, ...]) -> str:
    """Who does a step: a vCPU, a device, a guest, or the server."""
    for argument in arguments:
        if isinstance(argument, VCPU):
            return repr(argument)
    if rule.__name__.startswith("device_"):
        return "device"
    if rule.__name__.startswith("guest_"):
        return f"guest {getattr(arguments[0], 'vm', arguments[0])!r}"
    return "server"


def step_text(rule: Rule, arguments: tuple[Any, ...]) -> str:
    """A step as it is read: "touch: page A.p1, new m3"; the vCPU that does it is its actor, and not said again."""
    named = zip(parameter_names(rule), arguments, strict=True)
    said = [f"{words_of(name)} {value_text(value)}" for name, value in named if not isinstance(value, VCPU)]
    return words_of(rule.__name__) + (": " + ", ".join(said) if said else "")


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not the same in two snapshots: `pmap[A.p1]: untouched -> mapped m3`."""
    found = []
    for field, held in after.items():
        if not isinstance(held, Map):
            if held != before[field]:
                found.append(f"{field}: {value_text(before[field])} -> {value_text(held)}")
            continue
        for key, value in held.items():
            was = before[field].get(key)
            was = held.otherwise(key) if was is None else was
            if was != value:
                named = ", ".join(map(repr, key)) if isinstance(key, tuple) else repr(key)
                found.append(f"{field}[{named}]: {value_text(was)} -> {value_text(value)}")
    return found


def snapshot(s: Machine) -> dict[str, Any]:
    """What every field that rules write holds now."""
    fields = {shape.name: getattr(s, shape.name) for shape in s.shapes().values() if not shape.field.is_given}
    return {name: held.copy() if isinstance(held, Map) else held for name, held in fields.items()}


class PrintedRun:
    """Does steps and writes down each: who, what, what it returned, what it changed; or why it was refused.

    since: the step from which on anything is written down.
    """

    def __init__(
        self, machine: Machine, do: Callable[[Rule, tuple[Any, ...]], Any] | None = None, since: int = 0
    ) -> None:
        self.machine, self.since = machine, since
        self.lines, self.steps = list[str](), 0
        self._do = do or (lambda rule, arguments: rule(machine, *arguments))

    def __call__(self, rule: Rule, arguments: tuple[Any, ...]) -> Any:
        if self.steps + 1 < self.since:
            returned = self._do(rule, arguments)
            self.steps += 1
            return returned
        before = snapshot(self.machine)
        said = f"{actor_of(rule, arguments):8} {step_text(rule, arguments)}"
        try:
            returned = self._do(rule, arguments)
        except Blocked as refused:
            self._write("", f"{said}  -- refused: {refused.reason.value}")
            raise
        except Exception:
            self._write_step(said, before)
            raise
        self._write_step(said + ("" if returned is None else f"  -> {value_text(returned)}"), before)
        return returned

    def _write_step(self, said: str, before: dict[str, Any]) -> None:
        self.steps += 1
        self._write(str(self.steps), said)
        for change in changes(before, snapshot(self.machine)):
            self._write("", f"           {change}", deeper=2)

    def _write(self, number: str, line: str, deeper: int = 8) -> None:
        indent = " " * (len(line) - len(line.lstrip()) + 7 + deeper)
        self.lines += textwrap.wrap(f"{number:>5}  {line}", WIDTH, subsequent_indent=indent, drop_whitespace=False,
                                    break_on_hyphens=False)  # fmt: skip

    def text(self) -> str:
        """All lines so far."""
        return "\n".join(line.rstrip() for line in self.lines)
