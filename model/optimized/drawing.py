"""Which operation comes next when the memory manager and the specification are run side by side.

Most of what is drawn can be done: operations under way take their next step, pages that could be shared are scanned.
Some is refused, for every reason there is. The source of chance is a seeded one, or one whose draws can be shrunk.
"""

from __future__ import annotations

from random import Random
from typing import Any

from .pairing import Pair
from .state import BALLOONED, FREE_LOW, NOTHING, PRIVATE_KINDS, SHARED, SWAPPED

Operation = tuple[Any, ...]
"""Its name, and its arguments."""

NEXT = {
    "found": "protect", "quiet": "check_pins", "alone": "compare", "same": "merge", "unmapping": "finish_unmapping",
    "unmapped": "reserve_slot", "slot held": "write_out", "written": "commit", "coming in": "finish_page_in",
}  # fmt: skip
"""The step that an operation takes next, by its stage."""
STEPS = (*NEXT.values(), "leave_clean", "leave_to_copy", "abandon")
OF_A_PAGE = (
    "write", "write", "write", "write", "write", "read", "scan", "scan", "scan", "start_share", "start_share",
    "start_share", "write_pages", "page_out", "pick_for_paging", "start_page_in", "inflate", "deflate",
    "start_transfer",
)  # fmt: skip
OF_A_PRIVATE_PAGE = ("scan", "start_share", "page_out", "pick_for_paging")
WANTED = {"deflate": (BALLOONED,), "start_page_in": (SWAPPED,)}
"""Where the pages are that an operation is for, if it is for some only."""
OF_A_VM = ("set_swap_target", "set_balloon_target", "start_driver", "reset_driver", "power_on", "power_off")


def beginning(pair: Pair, random: Random) -> list[Operation]:
    """Most VMs run, with drivers, and policy asks for as much as there is."""
    done: list[Operation] = []
    for vm, size in enumerate(pair.shape.pages):
        if random.random() < 0.2:
            continue
        done += [("power_on", vm), ("set_swap_target", vm, size)]
        if pair.shape.keep_slot or pair.shape.swap_shared:  # pages leave, and come back, where there are many
            done += [("write_pages", vm, 0, rows_of(pair, random, size))]
            continue
        done += [("set_balloon_target", vm, size - 1), ("start_driver", vm), ("reset_driver", vm)]
    return done


def drawn(pair: Pair, random: Random) -> Operation:
    """The next operation. Of a VM's vCPUs one is left that is not in the midst of a page-in."""
    operation = anything(pair, random)
    if operation[0] == "start_page_in":
        coming = [page for page in pair.pages_of[operation[1]]
                  if pair.memory.stages.get(pair.places[page], ("",))[0] == "coming in"]  # fmt: skip
        if len(coming) >= pair.shape.vcpus - 1:
            return "finish_page_in", operation[1], random.choice(coming).number
    return operation


def anything(pair: Pair, random: Random) -> Operation:
    """Some operation, for which there may be no vCPU."""
    kind = random.randrange(24)
    if kind == 0 and pair.memory.free_frames == 0:
        off = [number for number, one in enumerate(pair.memory.vms) if not one.runs]
        if off:
            return "power_on", random.choice(off)
    if kind < 8 and pair.memory.stages:
        return next_step(pair, random)
    if kind < 9:
        return of_a_vm(pair, random)
    if kind < 10:
        places = range(len(pair.pages))
        return "scan_all", tuple(random.sample(places, random.randrange(1, len(places) + 1)))
    if kind < 12:
        return of_a_transfer(pair, random)
    if kind < 13:
        return random.choice(STEPS), *some_page(pair, random)
    if kind < 16 and pair.shape.low_frames:
        return of_a_hot_page(pair, random)
    if kind < 18 and (pair.shape.take_over or pair.shape.keep_slot or pair.shape.swap_shared):
        return of_a_copy(pair, random)
    return of_a_page(pair, random)


def rows_of(pair: Pair, random: Random, count: int) -> tuple[tuple[int, ...], ...]:
    """What is in so many pages."""
    values, words = pair.shape.values, range(pair.shape.words)
    return tuple(tuple(random.randrange(values) for _ in words) for _ in range(count))


def some_page(pair: Pair, random: Random) -> tuple[int, int]:
    """A VM and one of its pages."""
    pages = pair.shape.pages
    vm = random.randrange(len(pages))
    return vm, random.randrange(pages[vm])


def next_step(pair: Pair, random: Random) -> Operation:
    """An operation under way takes its next step; or is abandoned; or its page is written meanwhile."""
    place = random.choice(sorted(pair.memory.stages))
    vm, ppn = pair.numbers(place)
    stage = pair.memory.stages[place][0]
    chance = random.randrange(12)
    if chance == 0:
        return "abandon", vm, ppn
    if chance == 1:
        return "write", vm, ppn, random.randrange(pair.shape.words), random.randrange(pair.shape.values)
    if chance == 2:
        return "start_transfer", random.randrange(3), vm, ppn, random.random() < 0.5
    return way_out(pair, place) if stage == "unmapped" else NEXT[stage], vm, ppn


def way_out(pair: Pair, place: int) -> str:
    """How a page leaves that nobody can reach: without a write if it can."""
    memory = pair.memory
    if memory.copies.of_page(place) is not None:
        return "leave_clean"
    return NEXT["unmapped"] if memory.copy_of_frame(place) is None else "leave_to_copy"


def of_a_vm(pair: Pair, random: Random) -> Operation:
    """Power, drivers, targets."""
    vm = random.randrange(len(pair.shape.pages))
    off = [number for number, one in enumerate(pair.memory.vms) if not one.runs]
    if off and random.random() < 0.6:
        return "power_on", random.choice(off)
    name = random.choice(OF_A_VM)
    if name == "power_off" and random.random() < 0.6:
        name = "reset_driver"
    if name.startswith("set_"):
        size = pair.shape.pages[vm]
        return name, vm, random.choice((size, size, size, size - 1, 1, 0, size + 1))
    return name, vm


def of_a_transfer(pair: Pair, random: Random) -> Operation:
    """A device goes on, or is done."""
    number = random.choice(sorted(pair.transfers)) if pair.transfers and random.random() < 0.9 else random.randrange(3)
    if random.random() < 0.4:
        return "device_write", number, random.randrange(pair.shape.words), random.randrange(pair.shape.values)
    return "end_transfer", number


def of_a_hot_page(pair: Pair, random: Random) -> Operation:
    """A page that was copied moves, if it can, or is copied again; and transfers end."""
    copied = [place for place in range(len(pair.pages)) if pair.memory.copied[place]]
    full = pair.memory.at_hand.numbers[FREE_LOW] == NOTHING
    if pair.shape.displace and random.random() < (0.8 if full else 0.2):
        return to_make_room(pair, random, copied)
    if copied and random.random() < 0.6:
        vm, ppn = pair.numbers(random.choice(copied))
        return random.choice((("remap", vm, ppn), ("start_transfer", random.randrange(3), vm, ppn, True)))
    if pair.transfers and random.random() < 0.6:
        number = random.choice(sorted(pair.transfers))
        return random.choice((("end_transfer", number), ("device_read", number, random.randrange(pair.shape.words))))
    vm, ppn = some_page(pair, random)
    return random.choice((("remap", vm, ppn), ("start_transfer", random.randrange(3), vm, ppn, random.random() < 0.5)))


def to_make_room(pair: Pair, random: Random, copied: list[int]) -> Operation:
    """A page, most often one in low memory, is to make room for another, most often a hot one."""
    memory = pair.memory
    low = [place for place in memory.those(PRIVATE_KINDS) if not memory.is_high(memory.frame(place))]
    hot = [place for place in copied if memory.is_hot(place)]
    leaves, comes = (pair.numbers(random.choice(fit)) if fit and random.random() < 0.9 else some_page(pair, random)
                     for fit in (low, hot))  # fmt: skip
    return "make_room", *leaves, *comes


def of_a_copy(pair: Pair, random: Random) -> Operation:
    """A page comes from the swap area; one that may have a copy there, or is in a shared frame, leaves, or is used."""
    memory = pair.memory
    fit = memory.those((SHARED, SWAPPED, *PRIVATE_KINDS) if memory.machine.keep_slot else (SHARED, SWAPPED))
    if not fit:
        return of_a_page(pair, random)
    place = random.choice(fit)
    vm, ppn = pair.numbers(place)
    if memory.kind(place) == SWAPPED:
        return random.choice((("read", vm, ppn, 0), ("start_page_in", vm, ppn)))
    chance = random.random()
    if chance < 0.2 or (pair.shape.take_over and chance < 0.5):
        return "write", vm, ppn, random.randrange(pair.shape.words), random.randrange(pair.shape.values)
    if chance < 0.3 or (pair.shape.take_over and chance < 0.7):
        return "start_transfer", random.randrange(3), vm, ppn, random.random() < 0.3
    if memory.copies.of_page(place) is not None and not memory.tried(place) and random.random() < 0.5:
        return "scan", vm, ppn, True
    ready = memory.tried(place) or memory.kind(place) == SHARED
    return ("pick_for_paging" if ready and random.random() < 0.3 else "page_out"), vm, ppn


def of_a_page(pair: Pair, random: Random) -> Operation:
    """A guest, a driver or a daemon does something with a page."""
    name = random.choice(OF_A_PAGE)
    vm, ppn = some_page(pair, random)
    wanted = WANTED.get(name)
    if wanted is not None or (name in OF_A_PRIVATE_PAGE and random.random() < 0.8):
        fit = pair.memory.those(wanted or PRIVATE_KINDS)
        vm, ppn = pair.numbers(random.choice(fit)) if fit else (vm, ppn)
    if name == "write_pages":
        return name, vm, ppn, rows_of(pair, random, random.randrange(1, pair.shape.pages[vm] - ppn + 1))
    if name == "write":
        value = random.choice(pair.values)
        return name, vm, ppn, random.randrange(pair.shape.words), value
    if name == "read":
        return name, vm, ppn, random.randrange(pair.shape.words)
    if name == "scan":
        return name, vm, ppn, random.random() < 0.2
    if name == "start_transfer":
        return name, random.randrange(3), vm, ppn, random.random() < 0.5
    return name, vm, ppn
