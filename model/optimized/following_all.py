"""The same for what leaves memory, and comes back: paging, the balloon, devices."""

from __future__ import annotations

from typing import Any

from pagelaw.spec import balloon, devices, frames, paging, sharing
from pagelaw.spec import operations as in_common
from pagelaw.spec.language import VM as Name
from pagelaw.spec.language import Value, Word
from pagelaw.spec.vocabulary import (
    MPN,
    Ballooned,
    BounceIn,
    ComingIn,
    DeviceCached,
    Idle,
    KeptSlot,
    Mapped,
    MustReset,
    NoHint,
    NothingKept,
    NoTransfer,
    OneWord,
    Page,
    Running,
    Slot,
)
from pagelaw.spec.vocabulary import Transfer as Named

from .comparing import copies_of_frames
from .devices import Transfer
from .following import PLAIN, Differs, Following, Steps, frame_is_private, nothing_matches, operations
from .state import SWAPPED, number_of

is_kept_for_devices = PLAIN[frames.is_kept_for_devices]
may_be_victim, may_lose_a_page = PLAIN[paging.may_be_victim], PLAIN[paging.may_lose_a_page]


class FollowingAll(Following):
    """Finds the steps of every operation."""

    transfers: dict[int, Transfer]
    """Those under way, by their numbers here."""

    # Paging.

    def steps_of_set_swap_target(self, _: Any, vm: int, pages: int) -> Steps:
        """The same."""
        return ((paging.set_swap_target, (self.reference.ids[Name][vm], pages)),)

    def steps_of_page_out(self, answer: bool | None, vm: int, ppn: int) -> Steps:
        """Sharing is tried first."""
        s, page = self.reference, self.page(vm, ppn)
        had_its_own = frame_is_private(s, page)
        if s.life[page.vm] == Running() and s.operation[page] == Idle() and may_be_victim(s, page):
            may = may_lose_a_page(s, page.vm)
            if frame_is_private(s, page) and not s.attempted[page] and may:
                yield from self._scan_leaving(page)
            if not frame_is_private(s, page) and had_its_own:
                if answer:
                    raise Differs(f"{page!r} is shared, and said to be in the swap area")
                return
        yield paging.pick_for_paging, (page,)
        yield from operations.flush_all(s, page)
        yield in_common.finish_unmapping, (page,)
        yield from self._leave(page)
        if answer is False:
            raise Differs(f"{page!r} is in the swap area, and said to be shared")

    def _scan_leaving(self, page: Page) -> Steps:
        s = self.reference
        if nothing_matches(s, page):
            yield sharing.scan_before_paging_misses, (page,)
        else:
            yield from self._scan(None, page, leaving=True)

    def _leave(self, page: Page) -> Steps:
        """Without a write if there is a copy."""
        s, backing = self.reference, self.reference.pmap[page]
        if isinstance(s.kept[page], KeptSlot):
            self.seen["a page leaves without a write"] += 1
            yield paging.page_out_clean, (page,)
        elif isinstance(backing, Mapped) and isinstance(s.frame_slot[backing.mpn], KeptSlot):
            self.seen["a page leaves for the copy of its frame"] += 1
            yield paging.page_out_to_copy, (page,)
        else:
            slot = self._slot(page)
            yield from self.forgetting(besides=page)
            yield paging.reserve_slot, (page, slot)
            yield from self._write_and_commit(page, slot)

    def forgetting(self, besides: Page | None = None) -> Steps:
        """Copies that the manager keeps no more are forgotten; where it has refused for want of a slot, all others."""
        s, none = self.reference, NothingKept()
        kept, frame_slot = s.kept, s.frame_slot
        for page in [page for page in self.pages if kept[page] is not none]:
            if page is not besides and (self.refused or self.memory.copies.of_page(self.places[page]) is None):
                yield paging.forget_kept_slot, (page,)
        of_frames = [mpn for mpn in s.ids[MPN] if frame_slot[mpn] is not none]
        still = copies_of_frames(self.memory) if of_frames else {}
        for mpn in of_frames:
            if self.refused or mpn.number not in still:
                yield paging.forget_copy_of_shared_frame, (mpn,)

    def _slot(self, page: Page) -> Slot:
        place = self.place(page)
        stage = self.memory.stages.get(place, ("", 0))
        slots: tuple[Slot, ...] = self.reference.ids[Slot]
        if stage[0] == "slot held":
            return slots[int(stage[1])]
        if self.memory.kind(place) == SWAPPED:
            return slots[int(number_of(self.memory.at_hand.pmap[place]))]
        first: Slot = operations.first_free_slot(self.reference)
        return first

    def _write_and_commit(self, page: Page, slot: Slot) -> Steps:
        s = self.reference
        yield paging.start_write, (page, s.slot_contents[slot])
        yield paging.finish_write, (page,)
        yield from self._commit(page)

    def _commit(self, page: Page) -> Steps:
        s, backing = self.reference, self.reference.pmap[page]
        yield paging.commit_page_out, (page,)
        copied = isinstance(backing, Mapped) and isinstance(s.frame_slot[backing.mpn], KeptSlot)
        if isinstance(backing, Mapped) and copied and not s.swap_shared:
            yield paging.forget_copy_of_shared_frame, (backing.mpn,)

    def steps_of_pick_for_paging(self, _: Any, vm: int, ppn: int) -> Steps:
        """All flush at once."""
        page = self.page(vm, ppn)
        yield paging.pick_for_paging, (page,)
        yield from operations.flush_all(self.reference, page)

    def steps_of_finish_unmapping(self, _: Any, vm: int, ppn: int) -> Steps:
        """The same step."""
        return ((in_common.finish_unmapping, (self.page(vm, ppn),)),)

    def steps_of_reserve_slot(self, _: Any, vm: int, ppn: int) -> Steps:
        """The slot that was chosen."""
        page = self.page(vm, ppn)
        slot = self._slot(page)
        yield from self.forgetting(besides=page)
        yield paging.reserve_slot, (page, slot)

    def steps_of_leave_clean(self, _: Any, vm: int, ppn: int) -> Steps:
        """The same step."""
        return ((paging.page_out_clean, (self.page(vm, ppn),)),)

    def steps_of_leave_to_copy(self, _: Any, vm: int, ppn: int) -> Steps:
        """The same step."""
        return ((paging.page_out_to_copy, (self.page(vm, ppn),)),)

    def steps_of_write_out(self, _: Any, vm: int, ppn: int) -> Steps:
        """The disk is done at once."""
        s, page = self.reference, self.page(vm, ppn)
        stage = s.operation[page]
        yield paging.start_write, (page, s.slot_contents[getattr(stage, "slot", s.ids[Slot][0])])
        yield paging.finish_write, (page,)

    def steps_of_commit(self, _: Any, vm: int, ppn: int) -> Steps:
        """The copy of a shared frame is kept with swap_shared only."""
        return self._commit(self.page(vm, ppn))

    def steps_of_start_page_in(self, _: Any, vm: int, ppn: int) -> Steps:
        """By some vCPU, into the frame that was chosen."""
        page = self.page(vm, ppn)
        coming = self.memory.stages.get(self.place(page), ("",))[0] == "coming in"
        frame = self.frame(page) if coming else self.free_frame()
        return ((paging.start_page_in, (self._cpu(page), page, frame)),)

    def steps_of_finish_page_in(self, _: Any, vm: int, ppn: int) -> Steps:
        """Read and installed."""
        s, page = self.reference, self.page(vm, ppn)
        stage = s.operation[page]
        cpu = stage.cpu if isinstance(stage, ComingIn) else self._cpu(page)
        yield paging.finish_read, (cpu,)
        yield paging.install_page_in, (cpu,)

    # Balloon, devices.

    def steps_of_start_driver(self, _: Any, vm: int) -> Steps:
        """The same step."""
        return ((balloon.start_driver, (self.reference.ids[Name][vm],)),)

    def steps_of_set_balloon_target(self, _: Any, vm: int, pages: int) -> Steps:
        """The same step."""
        return ((balloon.set_balloon_target, (self.reference.ids[Name][vm], pages)),)

    def steps_of_reset_driver(self, _: Any, vm: int) -> Steps:
        """Every annotation goes first."""
        s, name = self.reference, self.reference.ids[Name][vm]
        pages = s.each(Page, name) if s.driver[name] == MustReset() else ()
        steps = [(balloon.forget_ballooned_page, (page,)) for page in pages if s.pmap[page] == Ballooned()]
        return (*steps, (balloon.reset_driver, (name,)))

    def steps_of_inflate(self, _: Any, vm: int, ppn: int) -> Steps:
        """To the end."""
        yield from operations.offer_to_balloon(self.reference, self.page(vm, ppn))

    def steps_of_deflate(self, _: Any, vm: int, ppn: int) -> Steps:
        """The same step."""
        return ((balloon.deflate, (self.page(vm, ppn),)),)

    def steps_of_start_transfer(self, _: Any, number: int, vm: int, ppn: int, writes: bool) -> Steps:
        """Through the bounce buffer that was chosen, if the page is in high memory."""
        s, page = self.reference, self.page(vm, ppn)
        transfer = s.ids[Named][number]
        start = devices.start_inbound if writes else devices.start_outbound
        if s.transfer[transfer] == NoTransfer():
            yield from self._make_writable(page) if writes else self._bring_in(page)
            yield devices.fill_device_entry, (page,)
        entry, started = s.device_entry[page], self.transfers.get(number)
        if isinstance(entry, DeviceCached) and not s.low[entry.mpn]:
            buffer = operations.first_free_frame(s, low=True)
            if started is not None and started.buffer is not None and not self.refused:
                buffer = s.ids[MPN][started.buffer]
            self.seen["a bounce buffer is taken"] += not self.refused
            self.seen["a kept frame is taken for a buffer"] += not self.refused and is_kept_for_devices(s, buffer)
            yield (devices.start_bounce_in if writes else devices.start_bounce_out), (transfer, page, buffer)
        else:
            yield start, (transfer, page)

    def steps_of_device_read(self, _: Any, number: int, word: int) -> Steps:
        """The same step."""
        return ((devices.device_reads, (self.reference.ids[Named][number], self.reference.ids[Word][word])),)

    def steps_of_remap(self, _: Any, vm: int, ppn: int) -> Steps:
        """To the frame that was chosen."""
        s, page = self.reference, self.page(vm, ppn)
        new = operations.first_free_frame(s, low=True) if self.refused else self.frame(page)
        if not self.refused:
            self.seen["a page with a hint moves"] += s.hint[page] != NoHint()
            self.seen["a hot page gets a kept frame"] += is_kept_for_devices(s, new)
        yield from operations.remap(s, page, new)

    def steps_of_make_room(self, _: Any, vm: int, ppn: int, hot_vm: int, hot_ppn: int) -> Steps:
        """To the frame that was chosen; if it was refused, to a high one, whether or not it is free."""
        s, page = self.reference, self.page(vm, ppn)
        high = operations.first_free_frame(s, low=False)
        new = (s.ids[MPN][-1] if s.low[high] else high) if self.refused else self.frame(page)
        yield from operations.make_room(s, page, self.page(hot_vm, hot_ppn), new)

    def steps_of_device_write(self, _: Any, number: int, word: int, value: int) -> Steps:
        """The same step."""
        s = self.reference
        return ((devices.device_writes, (s.ids[Named][number], s.ids[Word][word], Value(value))),)

    def steps_of_end_transfer(self, _: Any, number: int) -> Steps:
        """The same step."""
        s = self.reference
        match s.transfer[s.ids[Named][number]]:
            case BounceIn(_, _, _, OneWord()):
                self.seen["what a device wrote to a buffer arrives"] += 1
        return (operations.end_transfer(s, s.ids[Named][number]),)
