"""What the server would do next: for the operation on a page, for a transfer, for a VM.

Nobody here decides whether a step is allowed: the rule does. What is proposed
is chosen so that it mostly is, and so that operations come to their end.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from pagelaw.spec import (
    balloon,
    devices,
    estimators,
    listing,
    operations,
    paging,
    power,
    reclamation,
    remapping,
    sampling,
    shares,
    sharing,
    translation,
    zeroing,
)
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    AllVCPUs,
    Alone,
    Ballooned,
    BounceIn,
    Cleared,
    Clearing,
    ComingIn,
    Copied,
    DeviceCached,
    Devices,
    Extent,
    ForBalloon,
    ForPaging,
    Found,
    HintFrame,
    Idle,
    Inbound,
    KeptSlot,
    Leaving,
    Mapped,
    Marking,
    Moving,
    MustReset,
    NoDriver,
    NoFetch,
    NotDrawn,
    NothingMoved,
    NoTransfer,
    OneVCPU,
    Operation,
    Page,
    Private,
    Protecting,
    Quiet,
    ReadIn,
    Ready,
    Reserved,
    Same,
    Shared,
    SlotHeld,
    Still,
    Transfer,
    Unmapped,
    Unmapping,
    Vacated,
    Writing,
    Written,
)

from .choosing import DYING, IDLE, RUNNING, UNTOUCHED, Choosing, Proposal, Rule


class Server(Choosing):
    """The server's daemons, and the devices that it serves."""

    def __init__(self, machine: Machine, random: Random) -> None:
        super().__init__(machine, random)
        self.at_stage: dict[type[Operation], Callable[[Page, Any], Proposal]] = {
            Idle: self.begin,
            Clearing: lambda page, _: (zeroing.clear, (page,)),
            Cleared: lambda page, _: (zeroing.install_cleared, (page,)),
            ComingIn: lambda _, coming: self.page_in(coming.cpu),
            Found: lambda page, _: (sharing.protect, (page,)),
            Protecting: lambda page, _: self.when_flushed(page, sharing.await_flushes),
            Quiet: lambda page, _: self.when_flushed(page, sharing.check_pins),
            Alone: lambda page, _: (sharing.compare, (page,)),
            Same: lambda page, _: (sharing.merge, (page,)),
            Marking: lambda page, _: self.mark(page),
            Moving: lambda page, _: self.when_flushed(page, remapping.finish_protecting_move),
            Still: lambda page, _: (sharing.copy, (page,)),
            Copied: lambda page, _: (sharing.install_copy, (page,)),
            Leaving: lambda page, _: self.when_flushed(page, operations.leave_old_frame),
            Unmapping: lambda page, _: self.when_flushed(page, operations.finish_unmapping),
            Unmapped: self.take_away,
            SlotHeld: lambda page, _: (paging.start_write, (page, self.any_of(self.all_contents))),
            Writing: lambda page, _: (paging.finish_write if self.chance(0.9) else paging.fail_write, (page,)),
            Written: lambda page, _: (operations.abandon if self.loses_none(page) else paging.commit_page_out, (page,)),
        }

    # operations on pages

    def page(self) -> Proposal:
        """The operation on some page takes its next step, or one begins, or one is abandoned."""
        page = self.any_of(self.pages)
        operation = self.machine.operation[page]
        if operation is not IDLE and self.chance(0.02):
            return operations.abandon, (page,)
        return self.at_stage[type(operation)](page, operation)

    def go_on(self, page: Page) -> Proposal:
        """The operation on this page takes its next step, or one begins."""
        operation = self.machine.operation[page]
        return self.at_stage[type(operation)](page, operation)

    def flush(self) -> Proposal:
        """A flush owed for some page is done, if there is one; else the operation on it goes on."""
        page = self.any_of(self.pages)
        return self.owed_flush(page) or self.go_on(page)

    def owed_flush(self, page: Page) -> Proposal | None:
        """A flush that somebody owes for this page."""
        owed = self.machine.owed
        for cpu in self.cpus_of[page.vm]:
            if owed[cpu, page]:
                return translation.flush, (cpu, page)
        return (translation.flush_devices, (page,)) if self.machine.device_owed[page] else None

    def when_flushed(self, page: Page, rule: Rule) -> Proposal:
        """One of the flushes and transfers that a step waits for; the step itself then, and now and then too early."""
        flush = self.owed_flush(page)
        if flush is not None:
            return flush if self.chance(0.92) else (rule, (page,))
        end = self.awaited_end(page)
        return end if end is not None and self.chance(0.9) else (rule, (page,))

    def awaited_end(self, page: Page) -> Proposal | None:
        """A transfer that the operation on a page waits for is done: of a page that is to leave, or on its frame."""
        s, backing = self.machine, self.machine.pmap[page]
        if type(s.operation[page]) is Unmapping:
            awaited = [t for t in self.transfers if operations.is_for(s.transfer[t], page)]
        elif type(backing) is Mapped and s.pins[backing.mpn]:
            awaited = [t for t in self.transfers if getattr(s.transfer[t], "mpn", None) is backing.mpn]
        else:
            return None
        return self.end(awaited[0]) if awaited else None

    def mark(self, page: Page) -> Proposal:
        """A hinted page becomes shared; if its key was taken meanwhile, its operation is abandoned."""
        s = self.machine
        vacant = listing.has_no_room(s, s.domain[page.vm], sharing.key_of(s, page))
        if not vacant and self.chance(0.5):
            return operations.abandon, (page,)
        return self.when_flushed(page, sharing.mark_shared)

    def take_away(self, page: Page, operation: Unmapped) -> Proposal:
        """A page out of everybody's reach leaves, for whatever reason it was unmapped."""
        s, vm, why = self.machine, page.vm, operation.why
        if type(s.kept[page]) is KeptSlot and (s.dirty[page] or why is not ForPaging()):
            return paging.forget_kept_slot, (page,)
        if why is ForBalloon():
            if s.driver[vm] is not Ready():
                return balloon.decline_offer, (page,)
            touched = self.at_minimum(page) or self.chance(0.1)
            return (balloon.touch_page_on_its_way if touched else balloon.release_to_balloon), (page,)
        if why is not ForPaging():
            return power.release_at_power_off, (page,)
        if self.at_minimum(page) or (s.free_slots == 0 and self.chance(0.9)):
            return operations.abandon, (page,)
        if type(s.kept[page]) is KeptSlot:
            return paging.page_out_clean, (page,)
        backing = s.pmap[page]
        if type(backing) is Mapped and type(s.frame_slot[backing.mpn]) is KeptSlot:
            return paging.page_out_to_copy, (page,)
        return paging.reserve_slot, (page, self.free_slot())

    def at_minimum(self, page: Page) -> bool:
        """Whether the page's VM may lose no more pages: then that is hardly ever tried."""
        return self.machine.resident[page.vm] <= self.machine.minimum[page.vm] and self.chance(0.9)

    def loses_none(self, page: Page) -> bool:
        """Whether the page's VM may lose no more pages to the swap area: then that is hardly ever tried."""
        return not paging.may_lose_a_page(self.machine, page.vm) and self.chance(0.9)

    def begin(self, page: Page, _: Operation) -> Proposal:
        """A page without an operation: one begins, as its backing allows."""
        s, vm = self.machine, page.vm
        if s.life[vm] is not RUNNING:
            return self.power(vm)
        backing = s.pmap[page]
        if type(backing) is Mapped:
            return self.begin_on_mapped(page, backing.mpn)
        if type(backing) is Ballooned:
            if s.driver[vm] is MustReset():
                return balloon.forget_ballooned_page, (page,)
            ready = s.driver[vm] is Ready() and self.chance(0.9)
            return (balloon.deflate if ready else balloon.pop), (page,)
        if self.chance(0.1):
            return self.inflate(page)
        if reclamation.is_blocked(s, vm) and self.chance(0.9):
            return self.unblock(vm)
        if s.free_frames == 0 and self.chance(0.9):
            return self.reclaim(self.any_of(self.pages))
        return (zeroing.touch, (page, self.free_frame())) if backing is UNTOUCHED else self.start_page_in(page)

    def start_page_in(self, page: Page) -> Proposal:
        """A vCPU starts to bring a page in, if it is not in the middle of a page-in; else it goes on with that."""
        cpu = self.any_of(self.cpus_of[page.vm])
        if self.machine.fetch[cpu] is not NoFetch():
            return self.page_in(cpu)
        return paging.start_page_in, (cpu, page, self.free_frame())

    def page_in(self, cpu: VCPU) -> Proposal:
        """The next step of a page-in: the read ends; what was read is installed, or dropped if it was abandoned."""
        s = self.machine
        fetch = s.fetch[cpu]
        if type(fetch) is not ReadIn:
            return (paging.finish_read if self.chance(0.9) else paging.fail_read), (cpu,)
        stands = s.operation[fetch.page] == ComingIn(cpu)
        return (paging.install_page_in if stands or self.chance(0.1) else paging.drop_page_in), (cpu,)

    def begin_on_mapped(self, page: Page, mpn: MPN) -> Proposal:
        """A page with a frame is written, scanned, paged out, ballooned, sampled, moved, or used for I/O."""
        s, chosen = self.machine, self.random()
        hot = s.copies[page] > s.remap_after and not s.low[mpn]
        if hot and chosen < 0.5 and type(s.frame[mpn]) is Private:
            low, high = self.free_frame_in(True), self.free_frame_in(False)
            if low:
                return remapping.move_to_low, (page, low)
            other = self.low_page() if s.displace else None
            return (remapping.move_to_high, (other, page, high)) if other and high else self.reclaim(other or page)
        if chosen < 0.5:
            return self.write_shared(page, mpn) if type(s.frame[mpn]) is Shared else self.scan(page)
        if chosen < 0.6:
            return self.inflate(page)
        if chosen < 0.75:
            return self.reclaim(page)
        if chosen < 0.8:
            return self.go_on_sampling(page)
        if chosen < 0.81:
            return translation.request_flush, (page, self.extent(page))
        if chosen < 0.84 and type(s.kept[page]) is KeptSlot:
            return paging.forget_kept_slot, (page,)
        if chosen < 0.86 and type(s.frame_slot[mpn]) is KeptSlot:
            return paging.forget_copy_of_shared_frame, (mpn,)
        if s.most_sharers and chosen > 0.92 and type(s.frame[mpn]) is Shared:
            return listing.list_again, (mpn,)
        if s.migrate and chosen > 0.96:
            return remapping.move_at_will, (page, self.free_frame())
        return self.io(self.any_of(self.transfers), page)

    def low_page(self) -> Page | None:
        """A page in low memory that could make room, if there is one."""
        s = self.machine
        idle = (page for page in self.pages if s.operation[page] is IDLE and operations.frame_is_private(s, page))
        return next((page for page in idle if remapping.is_in_low(s, page)), None)

    def extent(self, page: Page) -> Extent:
        """Some of those who may cache a page's translations."""
        return self.any_of((AllVCPUs(), Devices(), OneVCPU(self.any_of(self.cpus_of[page.vm]))))

    def write_shared(self, page: Page, mpn: MPN) -> Proposal:
        """A write to a page in a shared frame: copied, or the frame taken over by its last user."""
        s = self.machine
        if s.take_over and s.count_field[mpn] == 1 and self.chance(0.7):
            return sharing.take_over_frame, (page,)
        if reclamation.is_blocked(s, page.vm) and self.chance(0.9):
            return self.unblock(page.vm)
        if s.free_frames == 0 and self.chance(0.9):
            return self.reclaim(self.any_of(self.pages))
        return sharing.break_sharing, (page, self.free_frame())

    # sharing, reclaiming

    def scan(self, page: Page, leaving: bool = False) -> Proposal:
        """The server hashes a page and looks for its match: in a scan, or before the page leaves for the swap area."""
        s = self.machine
        key = sharing.key_of(s, page)
        if not listing.has_no_room(s, s.domain[page.vm], key):
            return self.unless_delayed((sharing.scan_finds_shared_frame, (page,)), page, leaving)
        short, hints = s.short[key], s.hint
        for other in self.pages:
            left = hints[other]
            if type(left) is HintFrame and left.key is short and other is not page:
                if s.operation[other] is not IDLE and self.chance(0.9):
                    return self.go_on(other)
                if not sharing.hint_is_fresh(s, other):
                    return sharing.remove_stale_hint, (other,)
                if sharing.key_of(s, other) is key:
                    return self.unless_delayed((sharing.scan_finds_hint, (page, other)), page, leaving)
        return (sharing.scan_before_paging_misses if leaving else sharing.scan_leaves_hint), (page,)

    def unless_delayed(self, found: Proposal, page: Page, leaving: bool) -> Proposal:
        """A page goes on to be shared; one that leaves may count as tried instead, if a transfer is in the way."""
        s = self.machine
        delayed = leaving and not s.attempted[page] and sharing.cannot_be_shared_now(s, page)
        return (sharing.scan_before_paging_misses, (page,)) if delayed and self.chance(0.5) else found

    def inflate(self, page: Page) -> Proposal:
        """The guest's driver offers a page, if the target asks for it; else something else changes."""
        s, vm = self.machine, page.vm
        if s.driver[vm] is Ready() and s.balloon_size[vm] < s.balloon_target[vm]:
            return balloon.inflate, (page,)
        return self.policy(vm)

    def reclaim(self, page: Page) -> Proposal:
        """The swap daemon picks a page, if the level asks for it; else the level changes."""
        s, vm = self.machine, page.vm
        if s.life[vm] is not RUNNING or s.operation[page] is not IDLE:
            return self.go_on(page)
        if s.swapped[vm] >= s.swap_target[vm]:
            return paging.set_swap_target, (vm, self.level(vm))
        if operations.frame_is_private(s, page):
            scanned = paging.is_to_be_shared_first(s, page) or not self.chance(0.95)
            return self.scan(page, leaving=True) if scanned else (paging.pick_for_paging, (page,))
        shared = (s.swap_shared or self.chance(0.3)) and type(s.pmap[page]) is Mapped
        return (paging.pick_for_paging, (page,)) if shared else self.policy(vm)

    def unblock(self, vm: VM) -> Proposal:
        """A VM that gets no memory: one of its pages is to go, or the state is low no more."""
        if self.chance(0.2):
            return reclamation.follow_free_memory, ()
        return self.reclaim(self.any_of(self.pages_of[vm]))

    # devices

    def device(self) -> Proposal:
        """A transfer starts, moves data or ends."""
        page = self.any_of(self.pages)
        if type(self.machine.device_entry[page]) is not DeviceCached and self.chance(0.7):
            page = self.any_of(self.pages)
        return self.io(self.any_of(self.transfers), page)

    def io(self, transfer: Transfer, page: Page) -> Proposal:
        """The next step of a transfer; its first is for this page."""
        under_way = self.machine.transfer[transfer]
        if under_way is NoTransfer():
            return self.start_io(transfer, page)
        if self.chance(0.5):
            return self.end(transfer)
        kind = type(under_way)
        if kind is Inbound or (type(under_way) is BounceIn and under_way.moved is NothingMoved()):
            return devices.device_writes, (transfer, self.any_of(self.words), self.any_of(self.values))
        return self.end(transfer) if kind is BounceIn else (devices.device_reads, (transfer, self.any_of(self.words)))

    def start_io(self, transfer: Transfer, page: Page) -> Proposal:
        """A transfer starts on a page that devices can reach; else the page is made reachable."""
        s = self.machine
        entry = s.device_entry[page]
        if s.life[page.vm] is not RUNNING:
            return self.power(page.vm)
        if type(entry) is not DeviceCached:
            fill = s.operation[page] is IDLE and type(s.pmap[page]) is Mapped
            return (devices.fill_device_entry, (page,)) if fill else self.go_on(page)
        inbound = entry.writable and self.chance(0.5)
        if s.low[entry.mpn]:
            return (devices.start_inbound if inbound else devices.start_outbound), (transfer, page)
        buffer = self.free_frame_in(True)
        if buffer is None:
            return self.reclaim(self.any_of(self.pages))
        return (devices.start_bounce_in if inbound else devices.start_bounce_out), (transfer, page, buffer)

    def end(self, transfer: Transfer) -> Proposal:
        """A transfer is done, whichever way it went."""
        kind = type(self.machine.transfer[transfer])
        return (devices.end_inbound if kind is Inbound or kind is BounceIn else devices.end_outbound), (transfer,)

    # VMs

    def vm(self) -> Proposal:
        """Something that concerns a whole VM."""
        if self.chance(0.2):
            return reclamation.follow_free_memory, ()
        if self.chance(0.15):
            return (reclamation.look_at_free_memory if self.chance(0.7) else reclamation.make_targets_follow), ()
        vm = self.any_of(self.vms)
        return self.policy(vm) if self.machine.life[vm] is RUNNING else self.power(vm)

    def policy(self, vm: VM) -> Proposal:
        """Targets, the balloon driver, overhead frames, periods; now and then the end."""
        s, chosen = self.machine, self.random()
        if s.life[vm] is not RUNNING:
            return self.power(vm)
        mpn = self.frames[int(chosen * len(self.frames))]
        if s.frame[mpn] is Vacated() and (balloon.block_is_given_up(s, mpn) or self.chance(0.1)):
            return balloon.reclaim_vacated, (mpn,)
        if chosen < 0.02:
            return self.any_of((power.power_vm_off, balloon.reset_guest, balloon.stop_driver)), (vm,)
        if s.overhead_held[vm] < s.overhead[vm] and s.free_frames and chosen < 0.5:
            return power.take_overhead_frame, (vm, self.free_frame())
        if s.driver[vm] is NoDriver():
            return balloon.start_driver, (vm,)
        if s.driver[vm] is MustReset():
            return self.reset(vm)
        if chosen < 0.4:
            return self.divide(vm)
        return (balloon.set_balloon_target if chosen < 0.7 else paging.set_swap_target), (vm, self.level(vm))

    def divide(self, vm: VM) -> Proposal:
        """Memory is divided: a VM is looked at, or the one with the highest price gives a page up; demands are rare.

        Targets that grow to the sizes of all VMs would leave nothing to page out.
        """
        s = self.machine
        if s.to_take and self.chance(0.8):
            above = [one for one in self.vms if s.target[one] > s.minimum[one]]
            return shares.revoke_page, (max(above or self.vms, key=lambda one: shares.price(s, one)),)
        return (shares.demand if self.chance(0.1) else shares.review), (vm,)

    def go_on_sampling(self, page: Page) -> Proposal:
        """The page is drawn, or the period ends, or the page leaves the sample."""
        s, vm = self.machine, page.vm
        if s.period_over[vm]:
            left = (one for one in self.pages_of[vm] if s.sampled[one] is not NotDrawn())
            return sampling.end_sample, (next(left, page),)
        return (estimators.end_period, (vm,)) if s.drawn[vm] == s.sample_size[vm] else (sampling.sample, (page,))

    def reset(self, vm: VM) -> Proposal:
        """The balloon's annotations are cleared, page by page, then the driver is ready."""
        s = self.machine
        for page in self.pages_of[vm]:
            if s.pmap[page] is Ballooned():
                return balloon.forget_ballooned_page, (page,)
            if balloon.is_going_to_balloon(s, page):
                return balloon.decline_offer, (page,)
        return balloon.reset_driver, (vm,)

    def power(self, vm: VM) -> Proposal:
        """A VM that is off is powered on; of a dying one something more goes."""
        s = self.machine
        if s.life[vm] is not DYING:
            return power.power_vm_on, (vm,)
        for page in self.pages_of[vm]:
            if s.operation[page] is not IDLE:
                return self.go_on(page)
            if s.pmap[page] is not UNTOUCHED:
                return power.reap, (page,)
        for cpu in self.cpus_of[vm]:
            if s.fetch[cpu] is not NoFetch() and self.chance(0.8):
                return self.page_in(cpu)
        if s.overhead_held[vm]:
            for mpn in self.frames:
                if s.frame[mpn] == Reserved(vm):
                    return power.return_overhead_frame, (vm, mpn)
        return self.end(self.any_of(self.transfers)) if self.chance(0.5) else (power.finish_power_off, (vm,))
