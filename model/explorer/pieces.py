"""What the machines are put together from: sizes, actions, the values that parameters take, bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import VCPU, AllVCPUs, Devices, Names, NotPresent, OneVCPU, Page

from ..reference.setup import Sizes

HALF = Fraction(1, 2)
ONE = Sizes(vms=1, pages=2, vcpus=1, virtual_pages=1, frames=3, low_frames=3, slots=2, transfers=0, words=1, values=2,
            minimum=0, overhead=0)  # fmt: skip
TWO = Sizes(vms=2, pages=2, vcpus=1, virtual_pages=1, frames=4, low_frames=4, slots=2, transfers=0, words=1, values=2,
            minimum=1, overhead=0, swap_shared=True, count_top=15)  # fmt: skip

VCPUS = ("reach", "reach_to_write", "load", "store", "flush_both")
FILLING = ("read_for_fill", "install_fill", "drop_fill", "load_tlb", "set_dirty", "load", "flush", "flush_devices",
           "evict_tlb", "evict_shadow")  # fmt: skip
GUEST = ("guest_changes_table", "guest_invalidates")
MARKING = ("scan_finds_hint", "scan_leaves_hint", "remove_stale_hint", "mark_shared")
COMING = ("scan_finds_shared_frame", "protect", "await_flushes", "check_pins", "compare", "merge", "leave_old_frame",
          "abandon")  # fmt: skip
PARTING = ("break_sharing", "copy", "install_copy")
UNMAPPING = ("finish_unmapping",)
PAGING_OUT = ("scan_before_paging_misses", "pick_for_paging", *UNMAPPING, "reserve_slot", "start_write", "finish_write",
              "fail_write", "commit_page_out", "abandon")  # fmt: skip
PAGING_IN = ("start_page_in", "finish_read", "fail_read", "install_page_in", "drop_page_in")
KEEPING = ("page_out_clean", "forget_kept_slot")
OFFERING = ("inflate", *UNMAPPING, "release_to_balloon", "decline_offer", "deflate")
POPPING = ("touch_page_on_its_way", "pop", "forget_ballooned_page", "reset_driver", "start_driver", "stop_driver",
           "reset_guest")  # fmt: skip
INBOUND = ("fill_device_entry", "start_inbound", "device_writes", "end_inbound", "flush_devices")
OUTBOUND = ("fill_device_entry", "start_outbound", "device_reads", "end_outbound", "flush_devices")
BOUNCE_IN = ("fill_device_entry", "start_bounce_in", "device_writes", "end_inbound", "flush_devices")
BOUNCE_OUT = ("fill_device_entry", "start_bounce_out", "device_reads", "end_outbound", "flush_devices")
MOVING = ("move_to_low", "finish_protecting_move", "copy", "install_copy", "leave_old_frame", "abandon")
REAPING = ("power_vm_off", "reap", *UNMAPPING, "release_at_power_off", "finish_power_off")

COMMON = ("touch_in_steps", "write", "mark", "share_in_steps", "break_in_steps", "balloon_in_steps", "surrender",
          "deflate", "page_out", "page_out_for_copy", "forget_copy_of_shared_frame", "page_in_in_steps")  # fmt: skip

Chosen = Callable[[Machine], Sequence[Any]]


def present_or_not(s: Machine) -> list[Any]:
    """The guest maps the first page, or nothing."""
    return [NotPresent(), Names(s.ids[Page][0])]


def any_page_or_none(s: Machine) -> list[Any]:
    """The guest maps any page, that of another VM too, or nothing."""
    return [NotPresent(), *map(Names, s.ids[Page])]


def first_vcpu_all_or_devices(s: Machine) -> list[Any]:
    """A flush is asked of the first vCPU, of all, or of the devices."""
    return [OneVCPU(s.ids[VCPU][0]), AllVCPUs(), Devices()]


def zeros(s: Machine) -> list[Any]:
    """Zeros only."""
    return [s.zero]


def first(sort: type) -> Chosen:
    """The first of a sort only."""
    return lambda s: s.ids[sort][:1]


def every(sort: type) -> Chosen:
    """All of a sort, where its parameter's name would stand for fewer."""
    return lambda s: s.ids[sort]


def first_periods(s: Machine) -> bool:
    """No average was moved twice: else there would be no end of averages."""
    return all(s.slow[vm].denominator <= 2 for vm in s.ids[VM])


def some_periods(s: Machine) -> bool:
    """None was moved more often than twice."""
    return all(s.slow[vm].denominator <= 4 for vm in s.ids[VM])


def numbers(*chosen: int) -> Chosen:
    """These numbers only."""
    return lambda s: chosen
