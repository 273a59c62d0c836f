"""Memory virtualization (section 2): who may reach a page, and how that right is withdrawn.

A guest reaches a page through a TLB entry, loaded from the shadow page table,
filled from the guest's page table and the pmap (ESX-2-05, ESX-2-06). To take
a right away, the server *revokes*: it drops the shadow entries, raises the
page's generation, so that a fill in flight comes to nothing, and asks every
vCPU and the devices to flush. Only when all have done so is it safe to rely on
the right being gone (R-03). An absent entry is not a flushed one.
"""

from __future__ import annotations

from .language import (
    Value,
    Word,
    enabled,
    leaves,
    pick,
    refuse,
    require,
    rule,
    theorem,
    transition,
    view,
    visible,
)
from .machine import Machine
from .private_memory import change_table, invalidate, read, write
from .refusals import Refused
from .vocabulary import (
    MPN,
    VCPU,
    Absent,
    AllVCPUs,
    Cached,
    Clearing,
    ComingIn,
    Devices,
    Drawn,
    Extent,
    Filling,
    ForBalloon,
    ForPaging,
    Found,
    GivingUp,
    GuestEntry,
    Idle,
    Leaving,
    Mapped,
    Marking,
    Moving,
    Names,
    NoDeviceEntry,
    NoFill,
    OneVCPU,
    Page,
    PagingOut,
    Private,
    Protecting,
    Running,
    Translation,
    Unmapping,
    VPage,
)

# Who may do what, now.


@view
def may_read(s: Machine, page: Page) -> bool:
    """Whether translations of the page may be made: unless an operation keeps it unmapped."""
    return not isinstance(s.operation[page], GivingUp) and not isinstance(s.operation[page], PagingOut)


@view
def may_write(s: Machine, page: Page, mpn: MPN) -> bool:
    """Whether the page may be written in this frame: its own, and no operation needs it unchanged."""
    idle = s.operation[page] == Idle() or isinstance(s.operation[page], Found)
    return idle and s.frame[mpn] == Private(page)


@view
def may_cache(s: Machine, page: Page, mpn: MPN, writable: bool) -> bool:
    """Whether a translation to this frame agrees with the pmap and allows no more than it (ESX-2-06)."""
    return s.pmap[page] == Mapped(mpn) and may_read(s, page) and (not writable or may_write(s, page, mpn))


@view
def may_still_cache(s: Machine, page: Page, mpn: MPN, writable: bool) -> bool:
    """What a vCPU that owes a flush may have from before the revocation, while the operation waits for it."""
    match s.operation[page]:
        case Protecting() | Marking() | Moving() | Unmapping():
            return s.pmap[page] == Mapped(mpn) and (not writable or s.frame[mpn] == Private(page))
        case Leaving(old):
            return mpn == old and not writable
    return False


@view
def translates(entry: Translation, page: Page) -> bool:
    """Whether an entry of a shadow table or TLB leads to this page."""
    match entry:
        case Cached(cached, _, _, _, _):
            return cached == page
    return False


@view
def shadow_is_dirty(s: Machine, page: Page) -> bool:
    """Whether a shadow entry remembers a write to the page."""
    return s.each(VPage, page.vm, page).some(lambda virtual: dirty_entry(s.shadow[virtual], page))


@view
def dirty_entry(entry: Translation, page: Page) -> bool:
    """Whether an entry leads to this page and is dirty."""
    match entry:
        case Cached(cached, _, _, _, dirty):
            return cached == page and dirty
    return False


@view
def is_dirty(s: Machine, page: Page) -> bool:
    """Whether somebody wrote the page since it was read in."""
    return s.dirty[page] or shadow_is_dirty(s, page)


@view
def flushed(s: Machine, page: Page) -> bool:
    """Whether every vCPU of the VM and its devices have done what was asked of them for this page."""
    return not s.device_owed[page] and s.each(VCPU, page.vm).every(lambda cpu: not s.owed[cpu, page])


def revoke(s: Machine, page: Page) -> None:
    """Withdraw every translation of a page: shadow entries at once, cached ones when their holders flush."""
    s.dirty[page] = is_dirty(s, page)
    s.shadow.write_each(
        s.each(VPage, page.vm, page), lambda virtual: virtual, Absent(),
        lambda virtual: translates(s.shadow[virtual], page),
    )
    ask_to_flush(s, page, AllVCPUs())
    ask_to_flush(s, page, Devices())
    s.generation[page] += 1


def ask_to_flush(s: Machine, page: Page, extent: Extent) -> None:
    """Ask for a flush of a page's translations; the request stays pending until each asked has done it."""
    match extent:
        case OneVCPU(cpu):
            s.owed[cpu, page] = True
        case AllVCPUs():
            s.owed.write_each(s.each(VCPU, page.vm), lambda cpu: (cpu, page), True)
        case Devices():
            s.device_owed[page] = True


@rule("ESX-2-06", again="more requests than needed do no harm")
def request_flush(s: Machine, page: Page, extent: Extent) -> None:
    """The server may ask for a flush at any time; that alone withdraws no right."""
    ask_to_flush(s, page, extent)


# The guest's own page table.


@rule("ESX-2-07", again="a guest writes its table as often as it likes")
def guest_changes_table(s: Machine, virtual: VPage, entry: GuestEntry) -> None:
    """The guest writes an entry of its page table; the server intercepts it and drops the shadow entry."""
    require(s.life[virtual.vm] == Running(), Refused.VM_NOT_RUNNING)
    match entry:
        case Names(page):
            require(page.vm == virtual.vm, Refused.OTHER_VM)
    forget_shadow(s, virtual)
    s.guest_table[virtual] = entry
    s.unsynced.write_each(s.each(VCPU, virtual.vm), lambda cpu: (cpu, virtual), True)
    visible(s, change_table, virtual, entry)


@rule("ESX-2-07", again="a guest invalidates as often as it likes")
def guest_invalidates(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """The guest invalidates a virtual page on one vCPU, which drops that entry only."""
    require(cpu.vm == virtual.vm, Refused.OTHER_VM)
    s.tlb[cpu, virtual] = Absent()
    s.unsynced[cpu, virtual] = False
    visible(s, invalidate, cpu, virtual)


# From the pmap into the shadow page table, from there into a TLB.


@rule("ESX-2-05", "ESX-2-06")
def read_for_fill(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """A vCPU missed in the shadow table; its fault handler reads the guest's table and the pmap."""
    require(s.life[cpu.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(cpu.vm == virtual.vm, Refused.OTHER_VM)
    require(s.fill[cpu] == NoFill(), Refused.FILL_IN_PROGRESS)
    require(s.shadow[virtual] == Absent(), Refused.TRANSLATION_PRESENT)
    match s.guest_table[virtual]:
        case Names(page):
            match s.pmap[page]:
                case Mapped(mpn):
                    require(may_read(s, page), Refused.NOT_READABLE)
                    s.fill[cpu] = Filling(virtual, page, mpn, may_write(s, page, mpn), s.generation[page])
                case _:
                    refuse(Refused.NOT_MAPPED)
        case _:
            refuse(Refused.NO_GUEST_MAPPING)


@rule("ESX-2-06", "ESX-5.3-06")
def install_fill(s: Machine, cpu: VCPU) -> None:
    """The handler checks that nothing was revoked since, and installs the shadow entry in the same step."""
    match s.fill[cpu]:
        case Filling(virtual, page, mpn, writable, generation):
            require(s.life[cpu.vm] == Running(), Refused.VM_NOT_RUNNING)
            current = s.generation[page] == generation and s.guest_table[virtual] == Names(page)
            require(current and s.shadow[virtual] == Absent(), Refused.FILL_OUTDATED)
            s.fill[cpu] = NoFill()
            s.shadow[virtual] = Cached(page, mpn, writable, False, False)
            count_touch(s, page)
        case _:
            refuse(Refused.NO_FILL)


def count_touch(s: Machine, page: Page) -> None:
    """The first touch of a sampled page is counted (ESX-5.3-06)."""
    s.touched[page.vm] += pick(awaits_touch(s, page), 1, 0)
    s.sampled[page] = pick(awaits_touch(s, page), Drawn(True), s.sampled[page])


@view
def awaits_touch(s: Machine, page: Page) -> bool:
    """Whether a page is in the sample and was not touched yet."""
    return s.sampled[page] == Drawn(False)


@rule("ESX-2-06")
def drop_fill(s: Machine, cpu: VCPU) -> None:
    """The handler gives up; the guest's access faults again."""
    require(s.fill[cpu] != NoFill(), Refused.NO_FILL)
    s.fill[cpu] = NoFill()


@rule("ESX-2-05", again="the processor walks as often as it likes")
def load_tlb(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """The processor walks the shadow table and caches the entry."""
    require(s.life[cpu.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(cpu.vm == virtual.vm, Refused.OTHER_VM)
    match s.shadow[virtual]:
        case Cached(page, mpn, writable, _, dirty):
            s.shadow[virtual] = Cached(page, mpn, writable, True, dirty)
            s.tlb[cpu, virtual] = Cached(page, mpn, writable, True, dirty)
        case _:
            refuse(Refused.NO_TRANSLATION)


@rule("ESX-2-05", again="another vCPU, or this one after an eviction, sets a bit that is set")
def set_dirty(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """Before its first store through an entry the processor walks again and sets the dirty bit in both."""
    require(s.life[cpu.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(cpu.vm == virtual.vm, Refused.OTHER_VM)
    match s.shadow[virtual]:
        case Cached(page, mpn, writable, _, _):
            require(writable, Refused.NO_TRANSLATION)
            s.shadow[virtual] = Cached(page, mpn, writable, True, True)
            s.tlb[cpu, virtual] = Cached(page, mpn, writable, True, True)
        case _:
            refuse(Refused.NO_TRANSLATION)


# The guest's accesses.


@rule("ESX-2-05", "ESX-2-08", again="a vCPU reads as often as it likes")
def load(s: Machine, cpu: VCPU, virtual: VPage, word: Word) -> Value:
    """A vCPU reads a word through its TLB."""
    require(s.life[cpu.vm] == Running(), Refused.VM_NOT_RUNNING)
    match s.tlb[cpu, virtual]:
        case Cached(page, mpn, _, _, _):
            visible(s, read, cpu, virtual, page, word)
            return s.contents[mpn].word(word)
        case _:
            refuse(Refused.NO_TRANSLATION)


@rule("ESX-2-05", "ESX-4.2-08", again="a vCPU writes as often as it likes")
def store(s: Machine, cpu: VCPU, virtual: VPage, word: Word, value: Value) -> None:
    """A vCPU writes a word through its TLB, which must allow it and remember it as dirty."""
    require(s.life[cpu.vm] == Running(), Refused.VM_NOT_RUNNING)
    match s.tlb[cpu, virtual]:
        case Cached(page, mpn, writable, _, dirty):
            require(writable and dirty, Refused.NO_TRANSLATION)
            s.contents[mpn] = s.contents[mpn].with_word(word, value)
            visible(s, write, cpu, virtual, page, word, value)
        case _:
            refuse(Refused.NO_TRANSLATION)


# Translations go: evicted at any time, flushed when asked.


@rule("ESX-2-06")
def evict_shadow(s: Machine, virtual: VPage) -> None:
    """The server drops a shadow entry for room. TLBs may still have it: it allowed nothing wrong."""
    require(s.shadow[virtual] != Absent(), Refused.NO_TRANSLATION)
    forget_shadow(s, virtual)


def forget_shadow(s: Machine, virtual: VPage) -> None:
    """Drop a shadow entry, and gather its dirty bit into the page's."""
    match s.shadow[virtual]:
        case Cached(page, _, _, _, dirty):
            s.dirty[page] = pick(dirty, True, s.dirty[page])
            s.shadow[virtual] = Absent()


@rule("ESX-2-06")
def evict_tlb(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """A processor drops a TLB entry for room."""
    require(s.tlb[cpu, virtual] != Absent(), Refused.NO_TRANSLATION)
    s.tlb[cpu, virtual] = Absent()


@rule("ESX-2-06", "R-03")
def flush(s: Machine, cpu: VCPU, page: Page) -> None:
    """A vCPU does what it was asked: it drops every entry that leads to the page."""
    require(s.owed[cpu, page], Refused.NOTHING_OWED)
    s.tlb.write_each(
        s.each(VPage, cpu.vm, page), lambda virtual: (cpu, virtual), Absent(),
        lambda virtual: translates(s.tlb[cpu, virtual], page),
    )
    s.owed[cpu, page] = False


@rule("ESX-2-06", "R-03")
def flush_devices(s: Machine, page: Page) -> None:
    """The cache of device translations drops the page."""
    require(s.device_owed[page], Refused.NOTHING_OWED)
    s.device_entry[page] = NoDeviceEntry()
    s.device_owed[page] = False


# What every step keeps.


@transition("ESX-2-05")
def only_running_vms_get_translations(before: Machine, after: Machine, cpu: VCPU, virtual: VPage) -> bool:
    """Nothing is newly cached, and no fill is begun, for a VM that does not run."""
    in_tlb = after.tlb[cpu, virtual] != before.tlb[cpu, virtual] and isinstance(after.tlb[cpu, virtual], Cached)
    shadow = after.shadow[virtual]
    in_shadow = shadow != before.shadow[virtual] and isinstance(shadow, Cached)
    fills = after.fill[cpu] != before.fill[cpu] and isinstance(after.fill[cpu], Filling)
    mine = before.life[cpu.vm] == Running() or not (in_tlb or fills)
    return mine and (before.life[virtual.vm] == Running() or not in_shadow)


@transition("ESX-2-06")
def a_fill_is_installed_or_dropped(before: Machine, after: Machine, cpu: VCPU) -> bool:
    """A fault handler begins a fill only on a miss, and finishes the one it is in before it begins another."""
    match after.fill[cpu]:
        case Filling(virtual, _, _, _, _):
            begins = before.fill[cpu] == NoFill() and before.shadow[virtual] == Absent()
            return begins or after.fill[cpu] == before.fill[cpu]
    return True


@transition("ESX-2-09")
def only_running_vms_touch(before: Machine, after: Machine, page: Page) -> bool:
    """No first touch, page-in, move or page-out begins for a VM that does not run."""
    begun = before.operation[page] == Idle() and is_for_a_running_vm(after, page)
    return not begun or before.life[page.vm] == Running()


@view
def is_for_a_running_vm(s: Machine, page: Page) -> bool:
    """Whether the operation on a page is one that only a running VM's pages get."""
    match s.operation[page]:
        case Clearing() | ComingIn() | Moving() | Unmapping(ForPaging()) | Unmapping(ForBalloon()):
            return True
    return False


# What follows.


@theorem("ESX-2-05", "ESX-2-06")
def a_fill_leaves_a_translation(s: Machine, cpu: VCPU) -> bool:
    """Once a fault handler has installed what it read, the shadow table has it, and the access need not fault again."""
    match s.fill[cpu]:
        case Filling(virtual, page, mpn, writable, _):
            entry = Cached(page, mpn, writable, False, False)
            installed = leaves(install_fill, s, cpu, so_that=lambda after: after.shadow[virtual] == entry)
            return installed or not enabled(install_fill, s, cpu)
    return True
