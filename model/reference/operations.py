"""The paper's operations, as their steps run to the end with nothing in between.

    run = ToTheEnd(machine)
    run(first_touch, page, frame)
    run(page_out, page)

An operation is written down as the steps it takes, each a rule and its
arguments. It happens as a whole or not at all: if one of its steps would be
refused, Blocked is raised with the reason, and the machine is as it was.
Frames and slots that are not named are the first free ones.

What nine of these leave behind is told in one piece in `pagelaw.spec.at_once`,
and compared with that by a test; here they also take the turns that depend on
the state, such as a page that is still clean, or a false match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec

from pagelaw.spec import balloon, devices, listing, operations, paging, power, remapping, sharing, translation, zeroing
from pagelaw.spec.frames import is_kept_for_devices
from pagelaw.spec.language import VM, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Absent,
    Ballooned,
    BounceIn,
    Cached,
    ComingIn,
    DeviceCached,
    Domain,
    Free,
    GivingUp,
    HintFrame,
    Idle,
    Inbound,
    KeptSlot,
    Key,
    Leaving,
    Mapped,
    Names,
    NoDriver,
    NoFetch,
    NoFill,
    Page,
    Reading,
    Ready,
    Reserved,
    Same,
    Shared,
    Slot,
    Swapped,
    Transfer,
    UnderWay,
    Untouched,
    Vacated,
    VPage,
)

from .beside import trial_of
from .choosing import Proposal
from .scheduler import Do

P = ParamSpec("P")
Steps = Iterator[Proposal]
"""The steps of an operation, each worked out when the one before it is done."""


class ToTheEnd:
    """Runs operations on one machine, each as a whole or not at all."""

    def __init__(self, machine: Machine, do: Do | None = None) -> None:
        self.machine = machine
        self._do: Do = do or (lambda rule, arguments: rule(machine, *arguments))

    def __call__(
        self, operation: Callable[Concatenate[Machine, P], Steps], *arguments: P.args, **named: P.kwargs
    ) -> Any:
        """Do the steps of an operation; the answer is what the last of them returned.

        They are tried on a copy first, so that a refusal leaves nothing half done.
        """
        trial = trial_of(self.machine)
        for rule, given in operation(trial, *arguments, **named):
            rule(trial, *given)
        returned = None
        for rule, given in operation(self.machine, *arguments, **named):
            returned = self._do(rule, given)
        return returned


def first_free_frame(s: Machine, low: bool | None = None) -> MPN:
    """The first free frame in low or high memory, or for any page; if there is none, the first frame."""
    frames = s.each(MPN)

    def fits(mpn: MPN) -> bool:
        return not is_kept_for_devices(s, mpn) if low is None else s.low[mpn] == low

    return next((mpn for mpn in frames if s.frame[mpn] == Free() and fits(mpn)), frames[0])


def first_free_slot(s: Machine) -> Slot:
    """The first free slot; if there is none, the first slot."""
    slots = s.each(Slot)
    return next((slot for slot in slots if s.slot_count[slot] == 0), slots[0])


def flush_all(s: Machine, page: Page) -> Steps:
    """Every vCPU of the VM and its devices do the flush that they owe for a page."""
    for cpu in s.each(VCPU, page.vm):
        if s.owed[cpu, page]:
            yield translation.flush, (cpu, page)
    if s.device_owed[page]:
        yield translation.flush_devices, (page,)


# Memory virtualization (section 2).


def first_touch(s: Machine, page: Page, new: MPN | None = None) -> Steps:
    """An untouched page gets a cleared frame."""
    yield zeroing.touch, (page, new or first_free_frame(s))
    yield zeroing.clear, (page,)
    yield zeroing.install_cleared, (page,)


def read(s: Machine, cpu: VCPU, virtual: VPage, word: Word) -> Steps:
    """A vCPU reads a word, whatever has to be done for that first."""
    yield from reach(s, cpu, virtual, writing=False)
    yield translation.load, (cpu, virtual, word)


def write(s: Machine, cpu: VCPU, virtual: VPage, word: Word, value: Value) -> Steps:
    """A vCPU writes a word, whatever has to be done for that first."""
    yield from reach(s, cpu, virtual, writing=True)
    yield translation.store, (cpu, virtual, word, value)


def reach(s: Machine, cpu: VCPU, virtual: VPage, writing: bool) -> Steps:
    """The page gets a frame, for writing one of its own; then the translation is filled and cached."""
    if s.unsynced[cpu, virtual]:
        yield translation.guest_invalidates, (cpu, virtual)
    named = s.guest_table[virtual]
    if isinstance(named, Names):
        yield from bring_in(s, named.page, cpu)
        if writing:
            yield from make_writable(s, named.page)
    yield from translate(s, cpu, virtual, writing)


def translate(s: Machine, cpu: VCPU, virtual: VPage, writing: bool) -> Steps:
    """The translation of a page that is there, for writing one that may be written, is filled and cached."""
    entry = s.tlb[cpu, virtual]
    if isinstance(entry, Cached) and (not writing or (entry.writable and entry.dirty)):
        return
    shadow = s.shadow[virtual]
    if writing and isinstance(shadow, Cached) and not shadow.writable:
        yield translation.evict_shadow, (virtual,)
    if s.shadow[virtual] == Absent():
        if s.fill[cpu] != NoFill():
            yield translation.drop_fill, (cpu,)
        yield translation.read_for_fill, (cpu, virtual)
        yield translation.install_fill, (cpu,)
    yield (translation.set_dirty if writing else translation.load_tlb), (cpu, virtual)


def bring_in(s: Machine, page: Page, cpu: VCPU | None = None) -> Steps:
    """A page without a frame gets one; one on its way into the balloon is kept."""
    if balloon.is_going_to_balloon(s, page):
        yield balloon.touch_page_on_its_way, (page,)
    if s.pmap[page] == Ballooned():
        yield balloon.pop, (page,)
    if s.pmap[page] == Untouched():
        yield from first_touch(s, page)
    if isinstance(s.pmap[page], Swapped):
        yield from page_in(s, page, cpu=cpu)


def make_writable(s: Machine, page: Page) -> Steps:
    """A page in a shared frame gets one of its own."""
    backing = s.pmap[page]
    if isinstance(backing, Mapped) and isinstance(s.frame[backing.mpn], Shared):
        if s.take_over and s.count_field[backing.mpn] == 1:
            yield sharing.take_over_frame, (page,)
        else:
            yield from break_sharing(s, page)


# Ballooning (3.2).


def make_driver_ready(s: Machine, vm: VM) -> Steps:
    """The balloon driver starts if there is none, and its state is cleared if it must be."""
    if s.driver[vm] == NoDriver():
        yield balloon.start_driver, (vm,)
    if s.driver[vm] != Ready():
        for page in s.each(Page, vm):
            if balloon.is_going_to_balloon(s, page):
                yield balloon.decline_offer, (page,)
            if s.pmap[page] == Ballooned():
                yield balloon.forget_ballooned_page, (page,)
        yield balloon.reset_driver, (vm,)


def put_into_balloon(s: Machine, page: Page) -> Steps:
    """The driver offers a page, and the server takes its frame, with the rest of its block if that was all of it."""
    yield from offer_to_balloon(s, page)
    yield from reclaim_blocks(s)


def offer_to_balloon(s: Machine, page: Page) -> Steps:
    """The driver offers a page, and the server takes its frame."""
    yield balloon.inflate, (page,)
    if isinstance(s.operation[page], GivingUp):
        yield from unmap(s, page)
        yield balloon.release_to_balloon, (page,)


def reclaim_blocks(s: Machine) -> Steps:
    """The frames of every block that is given up as a whole are free."""
    use, vacated = s.frame, Vacated()
    for mpn in s.each(MPN):
        if use[mpn] is vacated and balloon.block_is_given_up(s, mpn):
            yield balloon.reclaim_vacated, (mpn,)


def unmap(s: Machine, page: Page) -> Steps:
    """All flushes are done, and the page is out of reach; an older copy in the swap area goes."""
    yield from flush_all(s, page)
    yield operations.finish_unmapping, (page,)
    if isinstance(s.kept[page], KeptSlot):
        yield paging.forget_kept_slot, (page,)


# Demand paging (3.3).


def page_out(s: Machine, page: Page, slot: Slot | None = None) -> Steps:
    """A page goes to the swap area, without a write if an exact copy is there; if it can be shared, that is all."""
    if paging.is_to_be_shared_first(s, page):
        if is_delayed(s, page):
            yield sharing.scan_before_paging_misses, (page,)
        else:
            yield from scan(s, page, leaving=True)
        if not operations.frame_is_private(s, page):
            return
    yield paging.pick_for_paging, (page,)
    yield from flush_all(s, page)
    yield operations.finish_unmapping, (page,)
    if isinstance(s.kept[page], KeptSlot):
        if not s.dirty[page]:
            yield paging.page_out_clean, (page,)
            return
        yield paging.forget_kept_slot, (page,)
    backing = s.pmap[page]
    if isinstance(backing, Mapped) and isinstance(s.frame_slot[backing.mpn], KeptSlot):
        yield paging.page_out_to_copy, (page,)
        return
    chosen = slot or first_free_slot(s)
    yield paging.reserve_slot, (page, chosen)
    yield paging.start_write, (page, s.slot_contents[chosen])
    yield paging.finish_write, (page,)
    yield paging.commit_page_out, (page,)


def page_in(s: Machine, page: Page, new: MPN | None = None, cpu: VCPU | None = None) -> Steps:
    """A page in the swap area gets a frame that holds what the slot held; by the first vCPU, if none is named."""
    by = cpu or s.each(VCPU, page.vm)[0]
    yield from drop_page_in(s, by)
    yield paging.start_page_in, (by, page, new or first_free_frame(s))
    yield paging.finish_read, (by,)
    yield paging.install_page_in, (by,)


def drop_page_in(s: Machine, cpu: VCPU) -> Steps:
    """The page-in that a vCPU's fault handler is in the middle of, if there is one, comes to nothing."""
    if isinstance(s.fetch[cpu], Reading):
        yield paging.fail_read, (cpu,)
    elif s.fetch[cpu] != NoFetch():
        yield paging.drop_page_in, (cpu,)


# Sharing (section 4).


def share(s: Machine, page: Page) -> Steps:
    """A page comes to share the frame listed under its key; after a false match it is left alone."""
    yield sharing.scan_finds_shared_frame, (page,)
    yield sharing.protect, (page,)
    yield from flush_all(s, page)
    yield sharing.await_flushes, (page,)
    yield sharing.check_pins, (page,)
    yield sharing.compare, (page,)
    if isinstance(s.operation[page], Same):
        yield sharing.merge, (page,)
        yield from leave(s, page)


def share_through_hint(s: Machine, page: Page, other: Page) -> Steps:
    """A page whose hint agrees becomes a shared frame first; then this page comes to share it."""
    yield sharing.scan_finds_hint, (page, other)
    yield from flush_all(s, other)
    yield sharing.mark_shared, (other,)
    yield from share(s, page)


def scan(s: Machine, page: Page, leaving: bool = False) -> Steps:
    """What a scan does with a page: share a listed frame, or through a live hint, or leave a hint, unless it leaves."""
    domain, key = s.domain[page.vm], sharing.key_of(s, page)
    if listing.has_no_room(s, domain, key):
        for mpn in unlisted(s, domain, key)[:1]:
            yield listing.list_again, (mpn,)
    yield from look_up(s, page, hinted_alike(s, page), leaving)


def is_delayed(s: Machine, page: Page) -> bool:
    """Whether a page has a match, and a transfer is in the way of sharing it."""
    return sharing.cannot_be_shared_now(s, page) and not sharing.nothing_matches(s, page)


def unlisted(s: Machine, domain: Domain, key: Key) -> list[MPN]:
    """The shared frames under a key that have lost their place in the table and could have it again."""
    if not s.most_sharers:
        return []
    all_of_them = (mpn for mpn in s.each(MPN) if s.frame[mpn] == Shared(domain, key))
    return [mpn for mpn in all_of_them if listing.gives_way(s, domain, key, mpn) and not listing.is_full(s, mpn)]


def hinted_alike(s: Machine, page: Page) -> list[Page]:
    """The other pages that left a hint which agrees with a page's key, in its domain, in order."""
    domain, key = s.domain[page.vm], sharing.key_of(s, page)
    those = s.those(Page, s.hint, HintFrame(s.short[key]))
    others = sorted(those, key=lambda one: (one.vm.number, one.number)) if len(those) > 1 else those
    return [other for other in others if other is not page and sharing.has_hint(s, other, key, domain)]


def look_up(s: Machine, page: Page, hinted: list[Page], leaving: bool) -> Steps:
    """The same with the table as it is, and the pages hinted alike."""
    domain, key = s.domain[page.vm], sharing.key_of(s, page)
    live = [other for other in hinted if sharing.is_match(s, page, other)]
    if not listing.has_no_room(s, domain, key):
        yield from share(s, page)
    elif live:
        yield from share_through_hint(s, page, live[0])
    else:
        for other in hinted:
            if not sharing.hint_is_fresh(s, other):
                yield sharing.remove_stale_hint, (other,)
        if leaving:
            yield sharing.scan_before_paging_misses, (page,)
        elif not sharing.has_hint(s, page, key, domain):
            yield sharing.scan_leaves_hint, (page,)


def break_sharing(s: Machine, page: Page, new: MPN | None = None) -> Steps:
    """A write to a page in a shared frame: it gets a copy of its own."""
    yield sharing.break_sharing, (page, new or first_free_frame(s))
    yield from change_frame(s, page)


def change_frame(s: Machine, page: Page) -> Steps:
    """The contents are copied to the new frame, the page gets it and leaves the old."""
    yield sharing.copy, (page,)
    yield sharing.install_copy, (page,)
    yield from leave(s, page)


def leave(s: Machine, page: Page) -> Steps:
    """All flushes are done, and the page's old frame is let go."""
    yield from flush_all(s, page)
    yield operations.leave_old_frame, (page,)


# Devices, remapping (section 7).


def remap(s: Machine, page: Page, new: MPN | None = None) -> Steps:
    """A hot page moves from high to low memory."""
    yield remapping.move_to_low, (page, new or first_free_frame(s, low=True))
    yield from move(s, page)


def make_room(s: Machine, page: Page, hot: Page, new: MPN | None = None) -> Steps:
    """A page moves from low to high memory, as no low frame is free for a hot page."""
    yield remapping.move_to_high, (page, hot, new or first_free_frame(s, low=False))
    yield from move(s, page)


def migrate(s: Machine, page: Page, new: MPN | None = None) -> Steps:
    """A page moves to another frame, for reasons of the server's own."""
    yield remapping.move_at_will, (page, new or first_free_frame(s))
    yield from move(s, page)


def move(s: Machine, page: Page) -> Steps:
    """A write-protected page comes to rest and changes its frame."""
    yield from flush_all(s, page)
    yield remapping.finish_protecting_move, (page,)
    yield from change_frame(s, page)


def device_write(s: Machine, transfer: Transfer, page: Page, word: Word, value: Value) -> Steps:
    """A device writes one word of a page, if need be through a bounce buffer."""
    yield from start_transfer(s, transfer, page, devices.start_inbound, devices.start_bounce_in)
    yield devices.device_writes, (transfer, word, value)
    yield devices.end_inbound, (transfer,)


def device_read(s: Machine, transfer: Transfer, page: Page, *words: Word) -> Steps:
    """A device reads words of a page, if need be through a bounce buffer."""
    yield from start_transfer(s, transfer, page, devices.start_outbound, devices.start_bounce_out)
    for word in words:
        yield devices.device_reads, (transfer, word)
    yield devices.end_outbound, (transfer,)


def start_transfer(
    s: Machine, transfer: Transfer, page: Page, direct: Callable[..., Any], bounced: Callable[..., Any]
) -> Steps:
    """The page is looked up afresh for the devices, and the transfer starts on its frame."""
    yield from bring_in(s, page)
    if direct is devices.start_inbound:
        yield from make_writable(s, page)
    yield devices.fill_device_entry, (page,)
    entry = s.device_entry[page]
    if isinstance(entry, DeviceCached) and not s.low[entry.mpn]:
        yield bounced, (transfer, page, first_free_frame(s, low=True))
    else:
        yield direct, (transfer, page)


# Power (6.2).


def power_on(s: Machine, vm: VM) -> Steps:
    """A VM starts and gets its overhead frames."""
    yield power.power_vm_on, (vm,)
    while s.overhead_held[vm] < s.overhead[vm]:
        yield power.take_overhead_frame, (vm, first_free_frame(s))


def power_off(s: Machine, vm: VM) -> Steps:
    """A VM is powered off, whatever is under way on its pages, until nothing of it is left."""
    yield power.power_vm_off, (vm,)
    for transfer in s.ids[Transfer]:
        under_way = s.transfer[transfer]
        if isinstance(under_way, UnderWay) and under_way.page.vm is vm:
            yield end_transfer(s, transfer)
    for page in s.each(Page, vm):
        yield from stop_operation(s, page)
        if s.pmap[page] != Untouched():
            yield power.reap, (page,)
            if s.operation[page] != Idle():
                yield from unmap(s, page)
                yield power.release_at_power_off, (page,)
    for cpu in s.each(VCPU, vm):
        yield from drop_page_in(s, cpu)
    for mpn in s.ids[MPN]:
        if s.frame[mpn] == Reserved(vm):
            yield power.return_overhead_frame, (vm, mpn)
    yield power.finish_power_off, (vm,)


def end_transfer(s: Machine, transfer: Transfer) -> Proposal:
    """A transfer is done, whichever way it went."""
    inbound = isinstance(s.transfer[transfer], Inbound | BounceIn)
    return (devices.end_inbound if inbound else devices.end_outbound), (transfer,)


def stop_operation(s: Machine, page: Page) -> Steps:
    """The operation on a page is abandoned; past its effect, it ends."""
    operation = s.operation[page]
    if isinstance(operation, Leaving):
        yield from leave(s, page)
    elif balloon.is_going_to_balloon(s, page):
        yield balloon.decline_offer, (page,)
    elif isinstance(operation, ComingIn):
        yield from drop_page_in(s, operation.cpu)
    elif operation != Idle():
        yield operations.abandon, (page,)
