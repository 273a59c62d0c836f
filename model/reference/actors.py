"""What the guests' vCPUs would do next; and anybody, anything."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from pagelaw.spec import translation
from pagelaw.spec.language import REGISTER, VM, Sum, variants_of
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import VCPU, Cached, Filling, GuestEntry, Mapped, Names, NotPresent, Page, Shared, VPage

from .beside import field_sorts, parameter_sorts
from .choosing import IDLE, RUNNING, Proposal, Rule
from .server import Server


class Actors(Server):
    """All actors of one machine."""

    def __init__(self, machine: Machine, random: Random) -> None:
        super().__init__(machine, random)
        self.rules = [entry.function for entry in REGISTER["rule"].values()]

    def access(self) -> Proposal:
        """A vCPU reads or writes through a virtual page, or does what is missing for that."""
        return self.access_at(*self.any_of(self.places))

    def access_at(self, cpu: VCPU, virtual: VPage) -> Proposal:
        """A vCPU reads or writes through this virtual page, or does what is missing for that."""
        s = self.machine
        if s.life[cpu.vm] is not RUNNING:
            return self.power(cpu.vm)
        entry = s.tlb[cpu, virtual]
        if type(entry) is Cached:
            chosen = self.random()
            if chosen < 0.4:
                return translation.load, (cpu, virtual, self.any_of(self.words))
            if entry.writable and entry.dirty:
                return translation.store, (cpu, virtual, self.any_of(self.words), self.any_of(self.values))
            if chosen < 0.45:
                return translation.evict_tlb, (cpu, virtual)
            if not entry.writable and s.operation[entry.page] is IDLE and type(s.frame[entry.mpn]) is Shared:
                return self.write_shared(entry.page, entry.mpn)
        shadow = s.shadow[virtual]
        if type(shadow) is Cached:
            if shadow.writable and self.chance(0.6):
                return translation.set_dirty, (cpu, virtual)
            if self.chance(0.1):
                return translation.evict_shadow, (virtual,)
            return translation.load_tlb, (cpu, virtual)
        return self.fault(cpu, virtual)

    def fault(self, cpu: VCPU, virtual: VPage) -> Proposal:
        """A vCPU found no shadow entry: it fills one, or the page must be brought in first."""
        s = self.machine
        filling = s.fill[cpu]
        if type(filling) is Filling:
            current = s.generation[filling.page] == filling.generation
            return (translation.install_fill if current and self.chance(0.95) else translation.drop_fill), (cpu,)
        named = s.guest_table[virtual]
        if type(named) is not Names:
            return translation.guest_changes_table, (virtual, Names(self.any_of(self.nameable(virtual.vm))))
        page = named.page
        readable = s.operation[page] is IDLE or translation.may_read(s, page)
        if type(s.pmap[page]) is Mapped and (readable or self.chance(0.05)):
            return translation.read_for_fill, (cpu, virtual)
        return self.go_on(page)

    def nameable(self, vm: VM) -> Sequence[Page]:
        """The pages that a guest lets its virtual pages name."""
        return self.pages_of[vm]

    def change_names(self) -> Proposal:
        """A guest changes a virtual page, or invalidates it after a change."""
        cpu, virtual = self.any_of(self.places)
        if self.machine.unsynced[cpu, virtual]:
            return translation.guest_invalidates, (cpu, virtual)
        if self.machine.life[cpu.vm] is not RUNNING:
            return self.power(cpu.vm)
        entry: GuestEntry = NotPresent() if self.chance(0.2) else Names(self.any_of(self.nameable(cpu.vm)))
        return translation.guest_changes_table, (virtual, entry)

    def wild(self) -> Proposal:
        """Any rule with any arguments: so that everything is refused too, for every reason."""
        rule = self.any_of(self.rules)
        return rule, tuple(map(self.anything, parameter_sorts(rule)))

    def anything(self, sort: type) -> Any:
        """Any value of a sort."""
        if sort is int:
            return int(self.random() * 8) - 1
        if issubclass(sort, Sum):
            made = self.any_of(variants_of(sort))
            return made(*map(self.anything, field_sorts(made)))
        return self.any_of(self.machine.ids[sort])

    def complete(self, rule: Rule, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, and any for parameters that nobody here knows of: a fault can add one to a rule."""
        sorts = parameter_sorts(rule)[len(arguments) :]
        return (*arguments, *map(self.anything, sorts)) if sorts else arguments
