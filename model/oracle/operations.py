"""What each operation of a trace is in steps of the specification, with the choices that the implementation made."""

from __future__ import annotations

import attrs

from pagelaw.spec import balloon, devices, listing, paging, power, remapping, sharing, translation, zeroing
from pagelaw.spec import operations as in_common
from pagelaw.spec.language import VM, Blocked, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import (
    VCPU,
    Absent,
    Ballooned,
    BounceIn,
    Cached,
    DeviceCached,
    Inbound,
    KeptSlot,
    Mapped,
    MustReset,
    Names,
    NoDriver,
    NoTransfer,
    Page,
    Shared,
    SharedFrame,
    Swapped,
    Transfer,
    Untouched,
)

from ..reference import operations as reference
from ..reference.choosing import Proposal
from ..reference.plainly import PlainSteps
from .candidate import Candidate
from .register import OPERATIONS, Operation, Pages, Steps, TransferName, operation

# Power.


@operation()
def power_on(c: Candidate, vm: VM) -> Steps:
    """The VM starts, if what it is to be sure of can be reserved."""
    yield power.power_vm_on, (vm,)
    while c.machine.overhead_held[vm] < c.machine.overhead[vm]:
        yield power.take_overhead_frame, (vm, c.frame_for())


@operation()
def power_off(c: Candidate, vm: VM) -> Steps:
    """The VM ends, and all that it had is free. Its transfers are ended."""
    yield from reference.power_off(c.machine, vm)
    for page in c.machine.each(Page, vm):
        c.note_stale_hint(page)
    c.forget_ended_transfers()


# What guests do.


@operation("value")
def read(c: Candidate, page: Page, word: Word, cpu: VCPU) -> Steps:
    """A vCPU reads one word of a page, whatever has to be done for that first."""
    virtual = c.window(page)
    entry = c.machine.tlb[cpu, virtual]
    if type(entry) is Cached and entry.page is page and not c.machine.unsynced[cpu, virtual]:
        return ((translation.load, (cpu, virtual, word)),)
    return _access(c, page, cpu, False, (translation.load, (cpu, virtual, word)))


@operation()
def write(c: Candidate, page: Page, word: Word, value: Value, cpu: VCPU) -> Steps:
    """A vCPU writes one word of a page, whatever has to be done for that first."""
    virtual = c.window(page)
    entry = c.machine.tlb[cpu, virtual]
    if type(entry) is Cached and entry.page is page and entry.dirty and not c.machine.unsynced[cpu, virtual]:
        return ((translation.store, (cpu, virtual, word, value)),)
    return _access(c, page, cpu, True, (translation.store, (cpu, virtual, word, value)))


def _access(c: Candidate, page: Page, cpu: VCPU, writing: bool, last: Proposal) -> Steps:
    s, virtual = c.machine, c.window(page)
    yield from (_make_writable if writing else _bring_in)(c, page, cpu)
    if s.guest_table[virtual] != Names(page):
        yield translation.guest_changes_table, (virtual, Names(page))
    entry = s.tlb[cpu, virtual]
    if type(entry) is Cached and writing and not entry.writable and s.shadow[virtual] != Absent():
        yield translation.evict_shadow, (virtual,)
    yield from reference.reach(s, cpu, virtual, writing)
    yield last


@operation()
def touch(c: Candidate, page: Page, cpu: VCPU) -> Steps:
    """A vCPU touches a page: one without a frame gets one."""
    yield from _bring_in(c, page, cpu)


def _bring_in(c: Candidate, page: Page, cpu: VCPU) -> Steps:
    s = c.machine
    if balloon.is_going_to_balloon(s, page):
        yield balloon.touch_page_on_its_way, (page,)
    if s.pmap[page] == Ballooned():
        yield balloon.pop, (page,)
    backing = s.pmap[page]
    if backing == Untouched():
        yield from _touch(c, page)
    elif isinstance(backing, Swapped):
        yield from _page_in(c, page, cpu)


def _touch(c: Candidate, page: Page) -> Steps:
    yield zeroing.touch, (page, c.frame_for(page))
    yield zeroing.clear, (page,)
    yield zeroing.install_cleared, (page,)


def _page_in(c: Candidate, page: Page, cpu: VCPU) -> Steps:
    yield from reference.drop_page_in(c.machine, cpu)
    yield paging.start_page_in, (cpu, page, c.frame_for(page))
    yield paging.finish_read, (cpu,)
    yield paging.install_page_in, (cpu,)


def _make_writable(c: Candidate, page: Page, cpu: VCPU) -> Steps:
    s = c.machine
    yield from _bring_in(c, page, cpu)
    backing = s.pmap[page]
    if isinstance(backing, Mapped) and isinstance(s.frame[backing.mpn], Shared):
        if c.chooses_to_take_over(page, backing.mpn):
            c.freedoms.append("take_over")
            yield sharing.take_over_frame, (page,)
        else:
            yield from _unshare(c, page)


def _unshare(c: Candidate, page: Page) -> Steps:
    yield sharing.break_sharing, (page, c.frame_for(page))
    yield from reference.change_frame(c.machine, page)


# Ballooning.


@operation()
def start_driver(c: Candidate, vm: VM) -> Steps:
    """The balloon driver starts in the guest, and is ready once it was reset."""
    yield from reference.make_driver_ready(c.machine, vm)


@operation()
def stop_driver(c: Candidate, vm: VM) -> Steps:
    """The balloon driver is unloaded."""
    yield balloon.stop_driver, (vm,)


@operation()
def set_balloon_target(c: Candidate, vm: VM, pages: Pages) -> Steps:
    """The server asks for a balloon of so many pages."""
    yield balloon.set_balloon_target, (vm, pages)


def _reset_first(c: Candidate, vm: VM, offers: bool) -> Steps:
    """A driver that must be reset is reset by its next exchange (ESX-3.2-11), also if that is refused then; or that is
    refused as there is no driver that is ready, and it is reset later. offers: whether it offers a page, which may be
    refused for what is so before a reset as after it (a transfer of the page). Where it is done there was a reset."""
    s = c.machine
    if s.driver[vm] == MustReset() and s.life[vm] in c.RUNNING:
        ways = (NOT_RESET, RESET, WOULD_BE) if offers else (NOT_RESET, RESET)
        how = c.choose_at_once((RESET, *(way for way in ways if way != RESET))) if c.is_done else c.choose(ways)
        if how != NOT_RESET:
            yield from reference.make_driver_ready(s, vm)
        if how == RESET:
            c.stays = len(c.steps)


NOT_RESET, RESET, WOULD_BE = "not reset", "reset, and stays so", "refused, before a reset, for what would be after it"


@operation()
def inflate(c: Candidate, page: Page) -> Steps:
    """The driver gives a page to the balloon, and its frame is free."""
    s, vm = c.machine, page.vm
    yield from _reset_first(c, vm, offers=True)
    if not c.tells("driver") and s.life[vm] in c.RUNNING and s.driver[vm] == NoDriver():
        yield from reference.make_driver_ready(s, vm)
    if not c.tells("balloon_target") and s.balloon_size[vm] >= s.balloon_target[vm] and s.life[vm] in c.RUNNING:
        yield balloon.set_balloon_target, (vm, s.maximum[vm])
    yield from reference.put_into_balloon(s, page)


@operation()
def deflate(c: Candidate, page: Page) -> Steps:
    """The driver takes a page out of the balloon."""
    yield from _reset_first(c, page.vm, offers=False)
    yield balloon.deflate, (page,)


# Demand paging.


@operation()
def set_swap_target(c: Candidate, vm: VM, pages: Pages) -> Steps:
    """The swap daemon gets a level for the VM."""
    yield paging.set_swap_target, (vm, pages)


@operation()
def page_out(c: Candidate, page: Page) -> Steps:
    """A page goes to the swap area; if it can be shared, and that is tried first, it stays and is shared."""
    s, vm = c.machine, page.vm
    c.is_paging_out = True
    if not c.tells("swap_target") and s.life[vm] in c.RUNNING and s.swapped[vm] >= s.swap_target[vm]:
        yield paging.set_swap_target, (vm, s.maximum[vm])
    if sharing.may_be_scanned(s, page) and c.choose(c.tries_sharing(page)):
        yield from _scan(c, page, leaving=True)
        if not frame_is_private(s, page):
            return
    if frame_is_private(s, page):
        c.freedoms += [] if s.attempted[page] else ["share_first"]
    elif s.each(Page, vm).some(lambda other: frame_is_private(s, other)):
        c.freedoms.append("swap_shared")
    yield paging.pick_for_paging, (page,)
    yield from reference.flush_all(s, page)
    yield in_common.finish_unmapping, (page,)
    kept = s.kept[page]
    if isinstance(kept, KeptSlot):
        # A copy that others of the shared frame may leave to as well is told as one that is written now.
        of_one = frame_is_private(s, page) or Swapped(kept.slot) in s.pmap.values()
        if of_one and not s.dirty[page] and c.may_be_slot(page, kept.slot):
            c.freedoms.append("keep_slot")
            yield paging.page_out_clean, (page,)
            return
        yield paging.forget_kept_slot, (page,)
    backing = s.pmap[page]
    copy = s.frame_slot[backing.mpn] if isinstance(backing, Mapped) else None
    if isinstance(backing, Mapped) and isinstance(copy, KeptSlot):
        if c.may_be_slot(page, copy.slot):
            yield paging.page_out_to_copy, (page,)
            return
        yield paging.forget_copy_of_shared_frame, (backing.mpn,)
    slot = c.slot_for(page)
    yield paging.reserve_slot, (page, slot)
    yield paging.start_write, (page, s.slot_contents[slot])
    yield paging.finish_write, (page,)
    yield paging.commit_page_out, (page,)


@operation()
def page_in(c: Candidate, page: Page, cpu: VCPU) -> Steps:
    """A page in the swap area gets a frame that holds what its slot held."""
    yield from _page_in(c, page, cpu)


# Sharing.


@operation("outcome")
def scan(c: Candidate, page: Page) -> Steps:
    """The server looks for another page that holds the same: the two share a frame, or the page leaves a hint."""
    yield from _scan(c, page, leaving=False)


def _scan(c: Candidate, page: Page, leaving: bool) -> Steps:
    s = c.machine
    domain, key = s.domain[page.vm], sharing.key_of(s, page)
    hinted = reference.hinted_alike(s, page)
    live = [other for other in hinted if sharing.is_match(s, page, other)]
    if not sharing.may_be_scanned(s, page):
        yield sharing.scan_finds_shared_frame, (page,)  # refused: it may not be scanned
    if not leaving and c.waits_for_a_device(page, live) and c.choose((False, True)):
        c.passed_over = Blocked(Refused.PINNED)
        return
    if leaving and not s.attempted[page] and reference.is_delayed(s, page) and c.choose((False, True)):
        yield sharing.scan_before_paging_misses, (page,)
        return
    if s.most_sharers:
        c.freedoms += freedoms_of_limit(s, page)
    again = reference.unlisted(s, domain, key)
    mpn = c.choose([*c.may_be_seen(page, again), None]) if again else None
    if mpn is not None:
        yield listing.list_again, (mpn,)
    if listing.has_no_room(s, domain, key) and live:
        options: list[Page | None] = [*c.partners(page, live)]
        if all(other in c.doubtful for other in live):
            options.append(None)
        other = c.choose(options)
        if other is not None:
            yield from reference.share_through_hint(s, page, other)
            return
        c.remove_doubtful_hints(live)
        hinted = [other for other in hinted if other not in live]
    yield from reference.look_up(s, page, hinted, leaving)
    c.doubt(page, False)


def freedoms_of_limit(s: Machine, page: Page) -> list[str]:
    """Freedoms that a scan of the page takes: the frame under its key is full, or would be if it were not apart."""
    match s.table[s.domain[page.vm], sharing.key_of(s, page)]:
        case SharedFrame(mpn) if listing.is_full(s, mpn):
            return ["most_sharers"]
        case SharedFrame(mpn) if listing.is_apart(s, mpn) and 0 < s.most_sharers <= listing.users_of(s, mpn):
            return ["zero_apart"]
    return []


@operation()
def unshare(c: Candidate, page: Page) -> Steps:
    """A page in a shared frame gets a frame of its own, with the same contents."""
    yield from _unshare(c, page)


# Moving.


@operation()
def remap(c: Candidate, page: Page) -> Steps:
    """A hot page moves from high to low memory."""
    yield remapping.move_to_low, (page, c.frame_for(page, low=True))
    yield from reference.move(c.machine, page)


@operation()
def make_room(c: Candidate, page: Page) -> Steps:
    """A page moves from low to high memory, as no low frame is free for a page that is hot."""
    s = c.machine
    hot = next((one for one in s.ids[Page] if remapping.waits_for_low(s, one)), page)
    c.freedoms.append("displace")
    yield remapping.move_to_high, (page, hot, c.frame_for(page, low=False))
    yield from reference.move(s, page)


@operation()
def migrate(c: Candidate, page: Page) -> Steps:
    """A page moves to another frame, for reasons of the server."""
    c.freedoms.append("migrate")
    yield remapping.move_at_will, (page, c.frame_for(page))
    yield from reference.move(c.machine, page)


# Devices.


@operation()
def start_transfer(c: Candidate, transfer: TransferName, page: Page, writes: bool, cpu: VCPU) -> Steps:
    """A device begins to write a page (`writes`), or to read it."""
    s, number = c.machine, c.transfer_for(transfer, starts=True)
    if s.transfer[number] == NoTransfer():
        yield from (_make_writable if writes else _bring_in)(c, page, cpu)
        yield devices.fill_device_entry, (page,)
    entry = s.device_entry[page]
    if isinstance(entry, DeviceCached) and not s.low[entry.mpn]:
        bounced = devices.start_bounce_in if writes else devices.start_bounce_out
        yield bounced, (number, page, c.buffer())
    else:
        yield (devices.start_inbound if writes else devices.start_outbound), (number, page)


@operation()
def transfer_write(c: Candidate, transfer: TransferName, word: Word, value: Value) -> Steps:
    """The device writes one word."""
    yield devices.device_writes, (c.transfer_for(transfer), word, value)


@operation("value")
def transfer_read(c: Candidate, transfer: TransferName, word: Word) -> Steps:
    """The device reads one word."""
    yield devices.device_reads, (c.transfer_for(transfer), word)


@operation()
def end_transfer(c: Candidate, transfer: TransferName) -> Steps:
    """The device is done."""
    number: Transfer = c.transfer_for(transfer)
    inbound = isinstance(c.machine.transfer[number], Inbound | BounceIn)
    yield (devices.end_inbound if inbound else devices.end_outbound), (number,)
    c.forget_ended_transfers()


__all__ = ["OPERATIONS", "Operation", "Pages", "Steps", "TransferName"]


PLAIN_STEPS = PlainSteps(__name__, reference.__name__)
for _name, _made in OPERATIONS.items():
    OPERATIONS[_name] = attrs.evolve(_made, steps=PLAIN_STEPS(_made.steps))
