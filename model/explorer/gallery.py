"""The machines that `pagelaw explore` knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import attrs

from pagelaw.spec import at_once, balloon, paging, power, translation
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Names, Page, VPage

from ..reference.setup import Sizes
from .machines import Small, Step
from .rows import ROWS

Begin = Callable[[Machine], Iterator[Step]]


def running(s: Machine) -> Iterator[Step]:
    """All VMs run, with a balloon driver; as many pages as there are may leave."""
    for vm in s.ids[VM]:
        yield power.power_vm_on, (vm,)
        yield balloon.start_driver, (vm,)
        yield balloon.reset_driver, (vm,)
        yield balloon.set_balloon_target, (vm, s.maximum[vm])
        yield paging.set_swap_target, (vm, s.maximum[vm])


def named(s: Machine) -> Iterator[Step]:
    """And each guest has mapped its pages, the first to the first virtual page and so on."""
    yield from running(s)
    for vm in s.ids[VM]:
        for virtual, page in zip(s.each(VPage, vm), s.each(Page, vm), strict=False):
            yield translation.guest_changes_table, (virtual, Names(page))
            for cpu in s.each(VCPU, vm):
                yield translation.guest_invalidates, (cpu, virtual)


def touched(s: Machine) -> Iterator[Step]:
    """And each page has a frame, while there are frames."""
    yield from named(s)
    for page, mpn in zip(s.ids[Page], s.ids[MPN], strict=False):
        yield at_once.touch_in_steps, (page, mpn)


ONE = Sizes(vms=1, pages=2, vcpus=1, virtual_pages=2, frames=3, low_frames=3, slots=2, transfers=0, words=1, values=2,
            minimum=0, overhead=0)  # fmt: skip

VCPUS = ("reach", "reach_to_write", "load", "store", "flush", "flush_devices")
SHARING = ("scan_finds_shared_frame", "scan_finds_hint", "scan_leaves_hint", "remove_stale_hint", "mark_shared",
           "protect", "await_flushes", "check_pins", "compare", "merge", "leave_old_frame",
           "break_sharing", "copy", "install_copy", "abandon")  # fmt: skip
UNMAPPING = ("finish_unmapping",)
PAGING_OUT = ("scan_before_paging_misses", "pick_for_paging", *UNMAPPING, "reserve_slot", "start_write", "finish_write",
              "fail_write", "commit_page_out", "abandon")  # fmt: skip
PAGING_IN = ("start_page_in", "finish_read", "fail_read", "install_page_in", "drop_page_in")
BALLOON = ("inflate", *UNMAPPING, "release_to_balloon", "touch_page_on_its_way", "decline_offer", "deflate", "pop",
           "forget_ballooned_page", "reset_driver", "start_driver", "stop_driver", "reset_guest")  # fmt: skip
DEVICES = ("fill_device_entry", "start_inbound", "start_outbound", "device_writes", "device_reads", "end_inbound",
           "end_outbound")  # fmt: skip
BOUNCE = ("start_bounce_in", "start_bounce_out")
MOVING = ("move_to_low", "move_to_high", "finish_protecting_move", "copy", "install_copy", "leave_old_frame")

COMMON = ("touch_in_steps", "write", "mark", "share_in_steps", "break_in_steps", "balloon_in_steps", "surrender",
          "deflate", "page_out", "page_out_for_copy", "forget_copy_of_shared_frame", "page_in_in_steps")  # fmt: skip
TWO = Sizes(vms=2, pages=2, vcpus=1, virtual_pages=1, frames=4, low_frames=4, slots=2, transfers=0, words=1, values=2,
            minimum=1, overhead=0, swap_shared=True, count_top=15)  # fmt: skip

MACHINES = {one.name: one for one in (
    Small(
        name="common", about="two VMs of two pages: all operations, each without interruption",
        sizes=TWO, begin=running, actions=COMMON, rows=ROWS, forgets=True,
    ),
    Small(
        name="common-3", about="the same with three pages each",
        sizes=attrs.evolve(TWO, pages=3, minimum=2), begin=running, actions=COMMON, rows=ROWS, forgets=True,
    ),
    Small(
        name="fills", about="vCPUs fill and use translations while a page goes into the balloon and comes back",
        sizes=attrs.evolve(ONE, pages=2, vcpus=2, virtual_pages=1, frames=2), begin=named,
        actions=("touch_in_steps", "read_for_fill", "install_fill", "drop_fill", "load_tlb", "set_dirty", "load",
                 "store", "flush", "flush_devices", "guest_changes_table", "guest_invalidates", "evict_tlb",
                 "evict_shadow", "inflate", "finish_unmapping", "release_to_balloon", "decline_offer", "deflate"),
        rows=ROWS,
    ),
    Small(
        name="sharing", about="two pages of equal contents come to share a frame and part again, under two vCPUs",
        sizes=attrs.evolve(ONE, vcpus=2), begin=touched, actions=(*VCPUS, *SHARING), rows=ROWS,
    ),
    Small(
        name="sharing-devices", about="the same with device transfers under way",
        sizes=attrs.evolve(ONE, transfers=1), begin=touched, actions=(*VCPUS, *SHARING, *DEVICES), rows=ROWS,
    ),
    Small(
        name="paging", about="pages go to the swap area and come back, slots are kept while pages are clean",
        sizes=attrs.evolve(ONE, frames=2, slots=2, keep_slot=True), begin=touched,
        actions=(*VCPUS, *PAGING_OUT, *PAGING_IN, "page_out_clean", "forget_kept_slot"), rows=ROWS,
    ),
    Small(
        name="paging-devices", about="the same with device transfers under way",
        sizes=attrs.evolve(ONE, frames=2, transfers=1), begin=touched,
        actions=(*VCPUS, *PAGING_OUT, *PAGING_IN, *DEVICES), rows=ROWS,
    ),
    Small(
        name="balloon", about="pages go in and out of the balloon, which pops and is reset",
        sizes=attrs.evolve(ONE, frames=2), begin=touched,
        actions=("touch_in_steps", *VCPUS, *BALLOON), rows=ROWS,
    ),
    Small(
        name="moving", about="pages used for I/O go through bounce buffers and move between low and high memory",
        sizes=attrs.evolve(ONE, frames=4, low_frames=2, transfers=1, remap_after=0, displace=True), begin=touched,
        actions=(*VCPUS, *DEVICES, *BOUNCE, *MOVING, "abandon"), rows=ROWS,
    ),
)}  # fmt: skip
"""By name."""


def machines_for(functions: Iterable[str]) -> list[Small]:
    """The machines in the order in which they are tried for a mutant that changes these functions."""
    return list(MACHINES.values())
