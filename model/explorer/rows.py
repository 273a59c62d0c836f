"""Operations run without interruption, as actions: rows of the specification's own rules.

That such a row leaves what the paper tells in one piece is proved
(`spec.at_once`). Translations are made for a write and dropped again.
"""

from __future__ import annotations

from pagelaw.spec import at_once
from pagelaw.spec.balloon import inflate
from pagelaw.spec.language import Value, Word, require
from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import finish_unmapping, frame_is_private, leave_old_frame
from pagelaw.spec.paging import (
    finish_write,
    page_out_to_copy,
    pick_for_paging,
    reserve_slot,
    slot_is_free,
    start_write,
)
from pagelaw.spec.power import reap
from pagelaw.spec.refusals import Refused
from pagelaw.spec.remapping import finish_protecting_move, move_to_high
from pagelaw.spec.sharing import (
    await_flushes,
    check_pins,
    copy,
    install_copy,
    key_of,
    protect,
    scan_before_paging_misses,
    scan_leaves_hint,
)
from pagelaw.spec.translation import (
    evict_shadow,
    evict_tlb,
    flush,
    flush_devices,
    flushed,
    guest_changes_table,
    guest_invalidates,
    install_fill,
    load_tlb,
    read_for_fill,
    set_dirty,
    store,
)
from pagelaw.spec.vocabulary import MPN, VCPU, Absent, Mapped, Names, NothingKept, NotPresent, Page, Slot, VPage


def write(s: Machine, page: Page, word: Word, value: Value) -> None:
    """The guest maps a page, writes a word of it, and lets every translation go again."""
    cpu, virtual = s.each(VCPU, page.vm)[0], s.each(VPage, page.vm)[0]
    guest_changes_table(s, virtual, Names(page))
    guest_invalidates(s, cpu, virtual)
    read_for_fill(s, cpu, virtual)
    install_fill(s, cpu)
    load_tlb(s, cpu, virtual)
    require(s.tlb[cpu, virtual].writable, Refused.NO_TRANSLATION)  # type: ignore[attr-defined]
    set_dirty(s, cpu, virtual)
    store(s, cpu, virtual, word, value)
    evict_tlb(s, cpu, virtual)
    evict_shadow(s, virtual)
    guest_changes_table(s, virtual, NotPresent())
    guest_invalidates(s, cpu, virtual)


def reach(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """A vCPU gets a translation: filled, if the shadow table has none, and loaded."""
    if isinstance(s.shadow[virtual], Absent):
        read_for_fill(s, cpu, virtual)
        install_fill(s, cpu)
    load_tlb(s, cpu, virtual)


def reach_to_write(s: Machine, cpu: VCPU, virtual: VPage) -> None:
    """The same, and the processor marks it dirty before a store."""
    reach(s, cpu, virtual)
    set_dirty(s, cpu, virtual)


def flush_both(s: Machine, cpu: VCPU, page: Page) -> None:
    """A vCPU does the flush that it was asked for, and the devices theirs: where there are none, that is nothing."""
    flush(s, cpu, page)
    if s.device_owed[page]:
        flush_devices(s, page)


def all_flush(s: Machine, page: Page) -> None:
    """Every vCPU and the devices do the flush that they were asked for."""
    require(not flushed(s, page), Refused.NOTHING_OWED)
    at_once.all_flush(s, page)


def offer(s: Machine, page: Page) -> None:
    """The driver tells a page, which is unmapped."""
    require(isinstance(s.pmap[page], Mapped), Refused.NOT_MAPPED)
    inflate(s, page)
    at_once.all_flush(s, page)
    finish_unmapping(s, page)


def surrender(s: Machine, page: Page) -> None:
    """The driver tells a page that has no frame: it is in the balloon at once."""
    require(not isinstance(s.pmap[page], Mapped), Refused.OPERATION_IN_PROGRESS)
    inflate(s, page)


def mark(s: Machine, page: Page, other: Page) -> None:
    """A page leaves a hint, another one of the same contents finds it, and the first becomes a shared frame."""
    require(key_of(s, page) == key_of(s, other), Refused.NO_MATCH)
    scan_leaves_hint(s, other)
    at_once.mark_in_steps(s, page, other)


def protect_alone(s: Machine, page: Page) -> None:
    """A page that has found a frame is write-protected, and nobody uses it: it can be compared."""
    protect(s, page)
    at_once.all_flush(s, page)
    await_flushes(s, page)
    check_pins(s, page)


def move_over(s: Machine, page: Page) -> None:
    """A page is copied to the frame that was taken for it, which only it may read from now on."""
    copy(s, page)
    install_copy(s, page)
    at_once.all_flush(s, page)


def unmap_to_page_out(s: Machine, page: Page) -> None:
    """An attempt to share the page, if its frame is its own, and then it is picked and unmapped."""
    if frame_is_private(s, page):
        scan_before_paging_misses(s, page)
    pick_for_paging(s, page)
    at_once.all_flush(s, page)
    finish_unmapping(s, page)


def write_out(s: Machine, page: Page, slot: Slot) -> None:
    """A page that is unmapped is written to a slot."""
    reserve_slot(s, page, slot)
    start_write(s, page, s.zero)
    finish_write(s, page)


def page_out(s: Machine, page: Page, slot: Slot) -> None:
    """An attempt to share the page, if its frame is its own, and then the page-out."""
    require(slot_is_free(s, slot), Refused.NO_FREE_SLOT)
    if frame_is_private(s, page):
        scan_before_paging_misses(s, page)
    at_once.page_out_in_steps(s, page, slot, s.zero)


def page_out_for_copy(s: Machine, page: Page) -> None:
    """The page-out of a page in a shared frame that has a copy in the swap area already."""
    require(has_copy(s, page), Refused.NO_KEPT_SLOT)
    unmap_to_page_out(s, page)
    page_out_to_copy(s, page)


def has_copy(s: Machine, page: Page) -> bool:
    """Whether a page's frame has a copy in the swap area."""
    match s.pmap[page]:
        case Mapped(mpn):
            return s.frame_slot[mpn] != NothingKept()
    return False


def unmap_to_reap(s: Machine, page: Page) -> None:
    """A page of a dying VM that has a frame is unmapped."""
    require(isinstance(s.pmap[page], Mapped), Refused.NOT_MAPPED)
    reap(s, page)
    at_once.all_flush(s, page)
    finish_unmapping(s, page)


def move_up(s: Machine, page: Page, hot: Page, new: MPN) -> None:
    """A page in low memory makes room for a hot one."""
    move_to_high(s, page, hot, new)
    at_once.all_flush(s, page)
    finish_protecting_move(s, page)
    copy(s, page)
    install_copy(s, page)
    at_once.all_flush(s, page)
    leave_old_frame(s, page)


ROWS = {
    row.__name__: row for row in (
        write, reach, reach_to_write, flush_both, all_flush, offer, surrender, mark, protect_alone, move_over,
        unmap_to_page_out, write_out, page_out, page_out_for_copy, unmap_to_reap, move_up,
        at_once.touch_in_steps, at_once.share_in_steps, at_once.mark_in_steps, at_once.break_in_steps,
        at_once.balloon_in_steps, at_once.page_in_in_steps, at_once.move_in_steps, at_once.reap_in_steps,
    )
}  # fmt: skip
"""All rows by name."""
