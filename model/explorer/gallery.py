"""The machines that `pagelaw explore` knows: a mechanism each, with as little around it as shows what can go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import attrs

from pagelaw.spec.vocabulary import Page

from . import beginnings, behind
from .behind import names_behind
from .corners import CORNERS
from .machines import Small
from .pieces import (
    BOUNCE_IN,
    BOUNCE_OUT,
    COMING,
    COMMON,
    FILLING,
    GUEST,
    HALF,
    INBOUND,
    KEEPING,
    MARKING,
    MOVING,
    OFFERING,
    ONE,
    OUTBOUND,
    PAGING_IN,
    PAGING_OUT,
    PARTING,
    POPPING,
    REAPING,
    TWO,
    VCPUS,
    Chosen,
    every,
    first,
    first_periods,
    numbers,
    present_or_not,
    some_periods,
    zeros,
)
from .rows import ROWS

FIRST_IS_MARKED: dict[str, Chosen] = {"page": first(Page), "other": first(Page), "scan_finds_hint.page": every(Page)}

MACHINES = {one.name: one for one in (
    Small(
        name="common", states=1_021,
        about="two VMs of two pages: all operations, each without interruption",
        sizes=TWO, begin=beginnings.running, actions=COMMON, rows=ROWS, forgets=True,
    ),
    Small(
        name="common-3", states=7_256,
        about="the same with three pages each",
        sizes=attrs.evolve(TWO, pages=3, minimum=2), begin=beginnings.running, actions=COMMON, rows=ROWS, forgets=True,
    ),
    Small(
        name="first-touch", states=1_140,
        about="pages get frames, which hold old data of other VMs; the VMs go off and on",
        sizes=attrs.evolve(TWO, pages=1, frames=2, low_frames=1, slots=0), begin=beginnings.nothing, rows=ROWS,
        actions=("power_vm_on", "touch", "clear", "install_cleared", "abandon", "write", "power_vm_off",
                 "reap_in_steps", "finish_power_off"),
    ),
    Small(
        name="fills", states=8_668,
        about="two vCPUs fill and use translations while the page goes into the balloon and comes back",
        sizes=attrs.evolve(ONE, pages=1, vcpus=2, frames=1), begin=beginnings.touched, rows=ROWS,
        actions=(*FILLING, "store", *GUEST, *OFFERING, "touch_in_steps"), only={"entry": present_or_not},
    ),
    Small(
        name="clean", states=1_748,
        about="a page that kept its slot is written or not, and leaves with a write or without",
        sizes=attrs.evolve(ONE, pages=1, frames=1, slots=1, keep_slot=True), begin=beginnings.clean, rows=ROWS,
        actions=(*FILLING, "store", *PAGING_OUT, *PAGING_IN, *KEEPING), only={"halfway": zeros},
    ),
    Small(
        name="sampling", states=19_896,
        about="a page is drawn, touched by two vCPUs or a device, and leaves the sample",
        sizes=attrs.evolve(ONE, pages=1, vcpus=2, frames=1, slow_gain=HALF, fast_gain=Fraction(1)),
        begin=beginnings.touched, rows=ROWS,
        within=first_periods,
        actions=(*FILLING, "fill_device_entry", "sample", "end_period", "end_sample", "review"),
    ),
    Small(
        name="marking", states=452,
        about="a page that left a hint becomes a shared frame, and its own again, under two vCPUs",
        sizes=attrs.evolve(ONE, vcpus=2, frames=2, take_over=True), begin=beginnings.touched, rows=ROWS, forgets=True,
        actions=(*VCPUS, *MARKING, "abandon", "take_over_frame"),
        only=FIRST_IS_MARKED,
    ),
    Small(
        name="marking-devices", states=222,
        about="the same while a device transfers, and without vCPUs",
        sizes=attrs.evolve(ONE, frames=2, transfers=1, take_over=True), begin=beginnings.touched, rows=ROWS,
        forgets=True, actions=(*INBOUND, *OUTBOUND, "flush", *MARKING, "abandon", "take_over_frame"),
        only=FIRST_IS_MARKED,
    ),
    Small(
        name="sharing", states=688,
        about="a page comes to share the frame of an equal one and parts again, under two vCPUs",
        sizes=attrs.evolve(ONE, vcpus=2), begin=beginnings.listed, rows=ROWS, forgets=True,
        actions=(*VCPUS, *COMING, *PARTING), only={"page": first(Page)},
    ),
    Small(
        name="sharing-devices", states=1_136,
        about="a page comes to share a frame and parts again while a device transfers",
        sizes=attrs.evolve(ONE, transfers=1, take_over=True), begin=beginnings.listed, rows=ROWS, forgets=True,
        actions=(*INBOUND, *OUTBOUND, "flush", *COMING, *PARTING, "take_over_frame"),
        only={"page": first(Page), "start_outbound.page": every(Page), "fill_device_entry.page": every(Page),
              "take_over_frame.page": every(Page)},
    ),
    Small(
        name="collisions", states=19_514,
        about="all pages have one key, whatever they hold: a comparison finds out",
        sizes=attrs.evolve(ONE, hash_bits=0), begin=beginnings.touched, rows=ROWS,
        actions=("scan_finds_hint", "scan_leaves_hint", "mark_shared", *COMING, *PARTING, "write", "flush",
                 "flush_devices"),
    ),
    Small(
        name="overflow", states=121,
        about="more pages share a frame than its count field can tell",
        sizes=attrs.evolve(ONE, pages=3, frames=4, slots=3, count_top=2, take_over=True), begin=beginnings.touched,
        rows=ROWS,
        actions=("mark", "scan_finds_shared_frame", "abandon", "share_in_steps", "break_in_steps", "take_over_frame"),
    ),
    Small(
        name="domains", states=64,
        about="pages of two sharing domains: none comes to share across them",
        sizes=attrs.evolve(TWO, domains=2), begin=beginnings.touched, rows=ROWS,
        actions=("mark", "scan_finds_shared_frame", "abandon", "share_in_steps", "break_in_steps"),
    ),
    Small(
        name="paging", states=2_170,
        about="two pages go to the swap area and come back, above the minimum of one",
        sizes=attrs.evolve(ONE, frames=2, slots=2, minimum=1), begin=beginnings.touched, rows=ROWS,
        actions=(*VCPUS, *PAGING_OUT, *PAGING_IN), only={"halfway": zeros},
    ),
    Small(
        name="paging-devices", states=2_714,
        about="a page goes to the swap area and comes back with a device transfer under way",
        sizes=attrs.evolve(ONE, pages=1, frames=2, slots=1, transfers=1, keep_slot=True),
        begin=beginnings.touched, rows=ROWS,
        actions=(*INBOUND, *OUTBOUND, "flush", *PAGING_OUT, *PAGING_IN, *KEEPING), only={"halfway": zeros},
    ),
    Small(
        name="balloon", states=1_386,
        about="pages go in and out of the balloon, which pops and is reset",
        sizes=attrs.evolve(ONE, frames=2), begin=beginnings.touched, rows=ROWS,
        actions=("touch_in_steps", "reach", "load", "flush", "flush_devices", "set_balloon_target", *OFFERING,
                 *POPPING), only={"pages": numbers(1, 2)},
    ),
    Small(
        name="balloon-paging", states=1_733,
        about="a page in the swap area, on its way there or back, is offered to the balloon",
        sizes=attrs.evolve(ONE, pages=1, frames=2, slots=1, keep_slot=True), begin=beginnings.touched, rows=ROWS,
        actions=("touch_in_steps", "write", "flush", "flush_devices", *OFFERING, *PAGING_OUT, *PAGING_IN, *KEEPING),
        only={"halfway": zeros},
    ),
    Small(
        name="blocks", states=718,
        about="the balloon frees blocks of two frames as a whole",
        sizes=attrs.evolve(ONE, block=2), begin=beginnings.touched, rows=ROWS,
        actions=("touch_in_steps", "flush", "flush_devices", *OFFERING, "reclaim_vacated"),
    ),
    Small(
        name="bounce", states=10_385,
        about="two transfers of a page in high memory go through bounce buffers in low memory",
        sizes=attrs.evolve(ONE, pages=1, frames=4, low_frames=2, slots=1, transfers=2, words=2),
        begin=beginnings.touched_from_above, rows=ROWS,
        actions=("write", *BOUNCE_IN, *BOUNCE_OUT, "sample", "flush"),
    ),
    Small(
        name="pins", states=772,
        about="two transfers of one page in low memory",
        sizes=attrs.evolve(ONE, pages=1, frames=2, slots=1, transfers=2), begin=beginnings.touched, rows=ROWS,
        actions=(*INBOUND, *OUTBOUND, "flush", "flush_devices", *OFFERING, "touch_in_steps"),
    ),
    Small(
        name="moving", states=7_071,
        about="a page used for I/O moves to low memory while a vCPU and a device use it",
        sizes=attrs.evolve(ONE, pages=1, frames=3, low_frames=2, slots=1, transfers=1, remap_after=0, keep_slot=True),
        begin=beginnings.clean_above, rows=ROWS,
        actions=(*VCPUS, "flush", *BOUNCE_IN, *BOUNCE_OUT, *MOVING),
    ),
    Small(
        name="making-room", states=1_684,
        about="a page in low memory makes room for a hot one; moves in steps and without interruption",
        sizes=attrs.evolve(ONE, frames=4, low_frames=1, transfers=1, remap_after=0, displace=True),
        begin=beginnings.touched_from_above, rows=ROWS,
        actions=(*BOUNCE_OUT, "move_in_steps", "move_up", "move_to_high", *MOVING, "flush"),
    ),
    Small(
        name="power", states=271,
        about="two VMs are admitted, get overhead frames and pages, and go",
        sizes=attrs.evolve(TWO, pages=1, frames=3, slots=1, overhead=1, minimum=0, count_top=1),
        begin=beginnings.nothing, rows=ROWS,
        actions=("power_vm_on", "take_overhead_frame", "touch_in_steps", *REAPING, "flush", "flush_devices",
                 "return_overhead_frame"),
    ),
    Small(
        name="dying", states=73,
        about="a VM is powered off while a vCPU has translations and a device transfers for it",
        sizes=attrs.evolve(ONE, pages=1, frames=1, slots=1, transfers=1, minimum=1), begin=beginnings.touched,
        rows=ROWS, actions=("reach", "load", "flush", *INBOUND, *OUTBOUND, *REAPING),
    ),
    Small(
        name="dying-sharing", states=1_154,
        about="a VM is powered off while a device reads a shared frame, for a page that is in it or has left it",
        sizes=attrs.evolve(ONE, minimum=1, slots=1, transfers=1), begin=beginnings.listed, rows=ROWS,
        actions=("fill_device_entry", "start_outbound", "device_reads", "end_outbound", "share_in_steps",
                 "break_in_steps", "all_flush", *REAPING),
    ),
    Small(
        name="reserve", states=6_148,
        about="the last low frame is kept for devices: pages are touched and read in without it",
        sizes=attrs.evolve(ONE, frames=3, low_frames=2, low_reserve=1, transfers=1, remap_after=0),
        begin=beginnings.touched_from_above, rows=ROWS,
        actions=("touch_in_steps", "balloon_in_steps", "deflate", "page_out", *PAGING_IN, *BOUNCE_OUT, *MOVING,
                 "flush"),
    ),
    Small(
        name="page-ins", states=120,
        about="two vCPUs wait for one page that is in the swap area",
        sizes=attrs.evolve(ONE, pages=1, vcpus=2, frames=2, slots=1), begin=beginnings.touched, rows=ROWS,
        actions=("write", "page_out", *PAGING_IN, "abandon"),
    ),
    Small(
        name="shares", states=225,
        about="two VMs demand pages, which are taken where the price is highest",
        sizes=attrs.evolve(TWO, minimum=1, frames=2, shares=(1, 2)), begin=beginnings.nothing, rows=ROWS,
        actions=("power_vm_on", "demand", "revoke_page", "review", "power_vm_off", "finish_power_off"),
    ),
    Small(
        name="blocked", states=8_094,
        about="in the low state a VM above its target gets no frame",
        sizes=attrs.evolve(TWO, minimum=0, frames=3, slots=4, low_threshold=3, hard_threshold=4, soft_threshold=5,
                           high_threshold=6),
        begin=beginnings.on, rows=ROWS,
        actions=("demand", "revoke_page", "review", "touch", "clear", "install_cleared", "follow_free_memory"),
    ),
    Small(
        name="estimates", states=20_784,
        about="samples of two pages move the averages, and so the price of idle pages",
        sizes=attrs.evolve(ONE, slow_gain=HALF, fast_gain=Fraction(1), frames=2), begin=beginnings.touched, rows=ROWS,
        within=first_periods,
        actions=("fill_device_entry", "flush_devices", "flush", "sample", "end_period", "end_sample", "review",
                 "demand"),
    ),
    Small(
        name="prices", states=1_785,
        about="of two VMs with one page each the one that uses it less pays more",
        sizes=attrs.evolve(TWO, pages=1, minimum=0, frames=2, slow_gain=HALF, fast_gain=Fraction(1)),
        begin=beginnings.on, rows=ROWS, within=some_periods,
        actions=("sample", "end_period", "end_sample", "review", "demand"),
    ),
    Small(
        name="reclamation", states=1_031,
        about="the reclamation state follows free memory; what policy sees lags behind",
        sizes=attrs.evolve(ONE, pages=4, frames=4, slots=4, low_threshold=0, hard_threshold=1, soft_threshold=2,
                           high_threshold=3), begin=beginnings.running, rows=ROWS,
        actions=("touch_in_steps", "balloon_in_steps", "deflate", "follow_free_memory", "look_at_free_memory"),
    ),
    *CORNERS,
)}  # fmt: skip
"""By name."""
NOT_SHOWN: dict[str, str] = {
    "SYN-2": "it is a parameter that is wrong: no machine is set up with a tax rate of 1",
    "SYN-81": "a law refuses it, about two machines that differ in their tax: the explorer asks what is true of one",
    "SYN-90": "no machine tries a step that the reading in force does not have",
    "SYN-89": "laws refuse it; no rule asks for a tax that follows scarcity",
    "SYN-83": "on no machine is more to be taken than another VM has; a law refuses it, about two machines",
}
"""Known faults that none of them shows, and why."""


def machines_for(functions: Iterable[str]) -> list[Small]:
    """The machines in the order in which they are tried for a fault in these functions ("sharing.merge"): those whose
    actions come to one of them before those that only ask about it, small ones before large ones.
    """
    behind.forget()
    changed = set(functions)

    def comes_there(small: Small) -> bool:
        return any(not names_behind(function).isdisjoint(changed) for function in small.functions())

    return sorted(MACHINES.values(), key=lambda small: (not comes_there(small), small.states))
