"""Machines for the corners of mechanisms that the others of the gallery leave out: rare endings, refusals."""

from __future__ import annotations

from fractions import Fraction

import attrs

from pagelaw.spec.vocabulary import VCPU, Page, VPage

from . import beginnings
from .machines import Small
from .pieces import (
    GUEST,
    HALF,
    ONE,
    TWO,
    any_page_or_none,
    every,
    first,
    first_periods,
    first_vcpu_all_or_devices,
    numbers,
    present_or_not,
    some_periods,
)
from .rows import ROWS

COMPARING = ("scan_finds_shared_frame", "protect_alone", "compare", "merge", "all_flush", "leave_old_frame", "abandon")
PARTING = ("break_sharing", "move_over", "leave_old_frame")
WRITING_OUT = ("unmap_to_page_out", "write_out", "commit_page_out", "abandon")
TO_COPIES = ("page_out_clean", "page_out_to_copy", "forget_kept_slot", "forget_copy_of_shared_frame")
DRIVER = ("start_driver", "stop_driver", "reset_driver", "reset_guest", "set_balloon_target", "set_swap_target")

CORNERS = (
    Small(
        name="shared-paging", states=1_318,
        about="pages in a shared frame leave for the swap area and come back; copies are kept of both",
        sizes=attrs.evolve(ONE, keep_slot=True, swap_shared=True, take_over=True), begin=beginnings.touched, rows=ROWS,
        forgets=True,
        actions=("mark", "scan_finds_shared_frame", "share_in_steps", *WRITING_OUT, *TO_COPIES, "page_in_in_steps",
                 *PARTING, "take_over_frame"),
    ),
    Small(
        name="minimum", states=4_014,
        about="two pages are on their way out, and one of them must stay as the VM has no more than its minimum then",
        sizes=attrs.evolve(ONE, minimum=1, keep_slot=True, swap_shared=True), begin=beginnings.touched, rows=ROWS,
        forgets=True,
        actions=("mark", "share_in_steps", "break_in_steps", *WRITING_OUT, *TO_COPIES, "page_in_in_steps", "inflate",
                 "all_flush", "finish_unmapping", "decline_offer", "release_to_balloon", "deflate", "touch_in_steps"),
    ),
    Small(
        name="false-matches", states=841,
        about="a page is compared with a frame that has the same key and other contents, and that its users have left",
        sizes=attrs.evolve(ONE, hash_bits=0, swap_shared=True), begin=beginnings.touched, rows=ROWS, forgets=True,
        actions=("mark", "write", *COMPARING, "page_out", "page_in_in_steps", "break_in_steps"),
    ),
    Small(
        name="three-equal", states=1_980,
        about="two of three equal pages are to become the shared frame of one key; a page in the balloon has no frame",
        sizes=attrs.evolve(ONE, pages=3, slots=3), begin=beginnings.touched, rows=ROWS, forgets=True,
        actions=("scan_finds_hint", "scan_leaves_hint", "remove_stale_hint", "mark_shared", "all_flush", "abandon",
                 "scan_before_paging_misses", "balloon_in_steps"),
    ),
    Small(
        name="shared-leaving", states=2_182,
        about="a shared frame of which there is a copy is left by its last user, for the balloon or at power-off",
        sizes=attrs.evolve(ONE, frames=4, low_frames=4, block=2, transfers=1, swap_shared=True),
        begin=beginnings.listed, rows=ROWS, forgets=True,
        actions=("share_in_steps", "page_out", "page_in_in_steps", "forget_copy_of_shared_frame", "touch_in_steps",
                 "offer", "release_to_balloon", "deflate", "fill_device_entry", "start_outbound", "end_outbound",
                 "power_vm_off", "unmap_to_reap", "release_at_power_off"),
    ),
    Small(
        name="bounce-sharing", states=2_318,
        about="transfers of pages in shared frames, in low memory and in high memory; such pages are not moved",
        sizes=attrs.evolve(ONE, frames=4, low_frames=1, low_reserve=1, transfers=1, remap_after=0, displace=True,
                           swap_shared=True), begin=beginnings.touched_from_above, rows=ROWS, forgets=True,
        actions=("fill_device_entry", "all_flush", "start_inbound", "start_outbound", "start_bounce_in",
                 "start_bounce_out", "end_inbound", "end_outbound", "mark", "share_in_steps", *PARTING, "move_to_low",
                 "move_to_high", "finish_protecting_move", "page_out", "page_in_in_steps"),
    ),
    Small(
        name="blocked-sharing", states=2_700,
        about="in the low state a VM above its target gets no frame to part with others, nor to read a page in",
        sizes=attrs.evolve(ONE, low_threshold=3, hard_threshold=4, soft_threshold=5, high_threshold=6),
        begin=beginnings.touched, rows=ROWS, forgets=True,
        actions=("demand", "review", "follow_free_memory", "mark", "share_in_steps", *PARTING, "page_out",
                 "start_page_in", "finish_read", "install_page_in", "reach", "set_dirty"),
    ),
    Small(
        name="target", states=108,
        about="what the balloon delivers counts against what is paged of a VM that has a page to give up",
        sizes=attrs.evolve(ONE, frames=2), begin=beginnings.touched, rows=ROWS, forgets=True,
        actions=("demand", "balloon_in_steps", "deflate", "touch_in_steps", *WRITING_OUT, "page_in_in_steps"),
    ),
    Small(
        name="low-memory", states=6_342,
        about="all frames are used, so memory is low; all are free again, and more pages are demanded than there are",
        sizes=attrs.evolve(ONE, pages=5, frames=4, low_frames=4, slots=5, low_threshold=1, hard_threshold=2,
                           soft_threshold=3, high_threshold=4, margin=0), begin=beginnings.running, rows=ROWS,
        actions=("touch_in_steps", "balloon_in_steps", "deflate", "demand", "follow_free_memory",
                 "look_at_free_memory"),
    ),
    Small(
        name="following", states=371,
        about="targets follow free memory, whose goal gives way to the minimum of a VM that starts",
        sizes=attrs.evolve(TWO, pages=2, frames=4, minimum=1, low_threshold=0, hard_threshold=1, soft_threshold=2,
                           high_threshold=3, margin=0), begin=beginnings.nothing, rows=ROWS,
        actions=("power_vm_on", "touch_in_steps", "demand", "revoke_page", "look_at_free_memory",
                 "make_targets_follow"),
    ),
    Small(
        name="admission", states=213,
        about="the reservations of two VMs do not fit; the last low frame is kept for devices",
        sizes=attrs.evolve(TWO, pages=1, frames=3, low_frames=1, low_reserve=1, slots=0, overhead=1),
        begin=beginnings.nothing, rows=ROWS,
        actions=("power_vm_on", "take_overhead_frame", "touch", "clear", "install_cleared", "abandon", "power_vm_off",
                 "reap_in_steps", "return_overhead_frame", "finish_power_off"),
    ),
    Small(
        name="sample-of-one", states=840,
        about="one of two pages is drawn in each period",
        sizes=attrs.evolve(ONE, frames=2, sample_size=1, slow_gain=HALF, fast_gain=Fraction(1)),
        begin=beginnings.touched, rows=ROWS, within=first_periods,
        actions=("sample", "fill_device_entry", "flush_devices", "end_period", "end_sample", "flush"),
    ),
    Small(
        name="averages", states=146,
        about="the averages of a page that is touched in one period and not in another, and the estimate of them",
        sizes=attrs.evolve(ONE, pages=1, frames=1, slots=1, slow_gain=HALF, fast_gain=Fraction(1)),
        begin=beginnings.touched, rows=ROWS, within=some_periods,
        actions=("sample", "all_flush", "fill_device_entry", "end_period", "end_sample", "review"),
    ),
    Small(
        name="warm", states=22,
        about="a page is hot only if it was copied twice: then it moves to the low frame kept for devices",
        sizes=attrs.evolve(ONE, pages=1, frames=2, low_frames=1, low_reserve=1, slots=1, transfers=1),
        begin=beginnings.touched_from_above, rows=ROWS, forgets=True,
        actions=("fill_device_entry", "all_flush", "start_bounce_in", "start_bounce_out", "end_inbound",
                 "end_outbound", "move_to_low", "finish_protecting_move", "move_over", "leave_old_frame", "abandon"),
    ),
    Small(
        name="migrating", states=2_272,
        about="a page moves for reasons of the server's own, and leaves without an attempt to share it",
        sizes=attrs.evolve(ONE, frames=4, low_frames=2, low_reserve=1, transfers=1, migrate=True, share_first=False),
        begin=beginnings.touched_from_above, rows=ROWS, forgets=True,
        actions=("mark", "fill_device_entry", "start_outbound", "end_outbound", "move_at_will", "all_flush",
                 "finish_protecting_move", "move_over", "leave_old_frame", "abandon", "pick_for_paging",
                 "finish_unmapping", "write_out", "commit_page_out", "power_vm_off"),
    ),
    Small(
        name="limit", states=3_460,
        about="a frame has no more than two users: a full one gives way to another, and comes back when it has room",
        sizes=attrs.evolve(ONE, pages=4, frames=4, slots=4, most_sharers=2), begin=beginnings.touched, rows=ROWS,
        forgets=True,
        actions=("scan_leaves_hint", "scan_finds_hint", "all_flush", "mark_shared", "scan_finds_shared_frame",
                 "abandon", "share_in_steps", "break_in_steps", "list_again"),
    ),
    Small(
        name="limit-left", states=702,
        about="the same without interruption; the users of a frame that gave way leave it",
        sizes=attrs.evolve(ONE, pages=4, frames=5, slots=4, most_sharers=2, take_over=True), begin=beginnings.touched,
        rows=ROWS, forgets=True,
        actions=("mark", "scan_finds_shared_frame", "abandon", "share_in_steps", "break_in_steps", "take_over_frame",
                 "list_again"),
    ),
    Small(
        name="limit-zeros", states=210,
        about="the same for pages of zeros, of which any number share a frame, and of what is written",
        sizes=attrs.evolve(ONE, pages=4, frames=4, slots=4, most_sharers=2, zero_apart=True), begin=beginnings.touched,
        rows=ROWS, forgets=True,
        actions=("mark", "share_in_steps", "break_in_steps", "write", "list_again"),
    ),
    Small(
        name="limit-devices", states=1_138,
        about="the same while a device reads: that takes no room",
        sizes=attrs.evolve(ONE, pages=3, frames=3, slots=3, transfers=1, most_sharers=2), begin=beginnings.touched,
        rows=ROWS, forgets=True,
        actions=("mark", "scan_finds_shared_frame", "abandon", "share_in_steps", "break_in_steps",
                 "fill_device_entry", "start_outbound", "end_outbound", "page_out", "page_in_in_steps"),
    ),
    Small(
        name="hints-left", states=115,
        about="a page has left a hint, and then its VM is powered off",
        sizes=attrs.evolve(TWO, pages=1, frames=2, minimum=0), begin=beginnings.touched, rows=ROWS, forgets=True,
        actions=("scan_leaves_hint", "scan_finds_hint", "remove_stale_hint", "mark_shared", "all_flush", "abandon",
                 "power_vm_off", "reap_in_steps", "finish_power_off"),
    ),
    Small(
        name="after-power-off", states=813,
        about="a VM is powered off at any moment: its vCPU fills, loads and stores no more, its pages are not sampled",
        sizes=attrs.evolve(ONE, pages=1, frames=1, slots=1, slow_gain=HALF, fast_gain=Fraction(1)),
        begin=beginnings.touched, rows=ROWS, within=first_periods,
        actions=("guest_changes_table", "read_for_fill", "install_fill", "load_tlb", "set_dirty", "store", "sample",
                 "end_period", "end_sample", "power_vm_off"),
        only={"entry": present_or_not},
    ),
    Small(
        name="after-power-off-balloon", states=1_368,
        about="the same while the page is on its way to the balloon or the swap area, or back",
        sizes=attrs.evolve(ONE, pages=1, frames=1, slots=1, keep_slot=True), begin=beginnings.touched, rows=ROWS,
        actions=(*DRIVER, "inflate", "all_flush", "finish_unmapping", "release_to_balloon", "decline_offer", "deflate",
                 "touch_page_on_its_way", "pop", "scan_before_paging_misses", "pick_for_paging", "write_out",
                 "commit_page_out", "abandon", "start_page_in", "finish_read", "install_page_in", "forget_kept_slot",
                 "power_vm_off", "reap", "release_at_power_off", "finish_power_off"),
        only={"pages": numbers(0, 1, 2)},
    ),
    Small(
        name="after-power-off-moving", states=766,
        about="the same while pages move between low and high memory and a device transfers",
        sizes=attrs.evolve(ONE, frames=4, low_frames=1, transfers=1, remap_after=0, displace=True),
        begin=beginnings.touched_from_above, rows=ROWS,
        actions=("fill_device_entry", "start_bounce_in", "start_bounce_out", "end_inbound", "end_outbound",
                 "move_to_low", "move_to_high", "all_flush", "finish_protecting_move", "move_over", "leave_old_frame",
                 "power_vm_off", "unmap_to_reap", "release_at_power_off"),
    ),
    Small(
        name="two-guests", states=240,
        about="a vCPU of one guest, and pages, virtual pages and vCPUs of another; flushes that nobody needs",
        sizes=attrs.evolve(TWO, pages=1, frames=2, minimum=0), begin=beginnings.touched, rows=ROWS,
        actions=(*GUEST, "read_for_fill", "install_fill", "load_tlb", "set_dirty", "request_flush", "flush",
                 "flush_devices", "page_out", "start_page_in", "fail_read"),
        only={"cpu": first(VCPU), "guest_changes_table.virtual": first(VPage), "entry": any_page_or_none,
              "page": first(Page), "start_page_in.page": every(Page), "extent": first_vcpu_all_or_devices},
    ),
)  # fmt: skip
"""In no order."""
