"""Ballooning (section 3.2): a guest gives pages back because a driver inside it asks it to.

The driver tells the server page by page what it has allocated; the server
annotates the pmap entry and takes the frame. Nothing rests on the guest
keeping its hands off: if it touches such a page, the balloon *pops*: the page
is backed again as on first touch, and until the driver was reset no page goes
in or out (ESX-3.2-09 to ESX-3.2-12, R-07).

A server that takes memory back in blocks of several frames frees none of them
before all are given up: a neighbour may still be in use (R-51).
"""

from __future__ import annotations

from .frames import drop_slot, let_go, return_frame, use_frame
from .language import (
    VM,
    enabled,
    invariant,
    leaves,
    measure,
    pick,
    refuse,
    require,
    rule,
    theorem,
    transition,
    view,
    visible,
)
from .machine import Machine
from .private_memory import decline, give_up, offer, surrender, withdraw_offers
from .refusals import Refused
from .translation import revoke
from .vocabulary import (
    MPN,
    Backing,
    Ballooned,
    ForBalloon,
    Free,
    GivingUp,
    Idle,
    Mapped,
    MustReset,
    NoDriver,
    NothingKept,
    Page,
    Ready,
    Running,
    Swapped,
    Unmapped,
    Unmapping,
    Untouched,
    Vacated,
)

# Targets and the driver.


@rule("ESX-3.2-13", "R-09", again="a level may be asked for twice")
def set_balloon_target(s: Machine, vm: VM, pages: int) -> None:
    """The server asks for a balloon of this size: a level, so a lost message does no harm."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(0 <= pages <= s.maximum[vm], Refused.NOT_A_LEVEL)
    s.balloon_target[vm] = pages


@rule("ESX-3.2-01", "ESX-3.2-11", "ESX-3.2-15")
def start_driver(s: Machine, vm: VM) -> None:
    """A driver starts in the guest; as its list is empty, its state is reset first."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.driver[vm] == NoDriver(), Refused.DRIVER_PRESENT)
    s.driver[vm] = MustReset()


@rule("ESX-3.2-15")
def stop_driver(s: Machine, vm: VM) -> None:
    """The driver is unloaded or disabled. What it had offered counts no more."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.driver[vm] != NoDriver(), Refused.NO_DRIVER)
    s.driver[vm] = NoDriver()
    visible(s, withdraw_offers, vm)


@rule("ESX-3.2-11", "R-07")
def reset_driver(s: Machine, vm: VM) -> None:
    """The first exchange after a pop or reset has cleared every annotation: driver and server agree again."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.driver[vm] == MustReset(), Refused.NO_RESET_PENDING)
    require(s.balloon_size[vm] == 0, Refused.BALLOON_NOT_EMPTY)
    on_the_way = s.each(Page, vm).some(lambda page: is_going_to_balloon(s, page))
    require(not on_the_way, Refused.BALLOON_NOT_EMPTY)
    s.driver[vm] = Ready()


@rule("ESX-3.2-11", "ESX-3.2-15", again="a guest may be reset twice")
def reset_guest(s: Machine, vm: VM) -> None:
    """The guest is reset, at any moment: what its driver had said counts no more, and the next one is reset first."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    burst(s, vm)
    visible(s, withdraw_offers, vm)


# Inflating.


@rule("ESX-3.2-02", "ESX-3.2-04", "ESX-3.2-05", "ESX-3.2-06", "ESX-3.2-07", "R-04", "R-05", "R-12")
def inflate(s: Machine, page: Page) -> None:
    """The driver tells a page that it says it has allocated. One without a frame is in the balloon at once."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.driver[page.vm] == Ready(), Refused.NO_DRIVER)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    require(s.balloon_size[page.vm] < s.balloon_target[page.vm], Refused.TARGET_REACHED)
    match s.pmap[page]:
        case Ballooned():
            refuse(Refused.ALREADY_BALLOONED)
        case Mapped():
            require(s.resident[page.vm] > s.minimum[page.vm], Refused.AT_MINIMUM)
            s.operation[page] = Unmapping(ForBalloon())
            revoke(s, page)
            visible(s, offer, page)
        case Swapped(slot):
            annotate(s, page)
            s.swapped[page.vm] -= 1
            drop_slot(s, slot)
            visible(s, surrender, page)
        case Untouched():
            annotate(s, page)
            visible(s, surrender, page)


def annotate(s: Machine, page: Page) -> None:
    """Mark the page's pmap entry as ballooned."""
    s.pmap[page] = Ballooned()
    s.balloon_size[page.vm] += 1


@rule("ESX-3.2-06", "ESX-3.2-07", "R-04", "R-12", "R-51")
def release_to_balloon(s: Machine, page: Page) -> None:
    """The page is out of everybody's reach: its entry is annotated, its frame and its contents are given up."""
    require(s.operation[page] == Unmapped(ForBalloon()), Refused.WRONG_STAGE)
    require(s.kept[page] == NothingKept(), Refused.KEPT_SLOT)
    require(s.driver[page.vm] == Ready(), Refused.NO_DRIVER)
    require(s.balloon_size[page.vm] < s.balloon_target[page.vm], Refused.TARGET_REACHED)
    require(s.resident[page.vm] > s.minimum[page.vm], Refused.AT_MINIMUM)
    match s.pmap[page]:
        case Mapped(mpn):
            annotate(s, page)
            s.resident[page.vm] -= 1
            s.operation[page] = Idle()
            vacate(s, mpn)
            visible(s, give_up, page)


def vacate(s: Machine, mpn: MPN) -> None:
    """Its page no longer uses a frame: without other users it is free, once the rest of its block is given up."""
    let_go(s, mpn)
    if isinstance(s.frame[mpn], Free) and not block_is_given_up(s, mpn):
        use_frame(s, mpn, Vacated())


@view
def block_is_given_up(s: Machine, mpn: MPN) -> bool:
    """Whether nobody uses any frame of the block that this one belongs to."""
    return s.those(MPN, s.block, s.block[mpn]).every(lambda one: s.frame[one] in (Free(), Vacated()))


@rule("ESX-3.2-07", "R-51")
def reclaim_vacated(s: Machine, mpn: MPN) -> None:
    """All frames of a block are given up: each that waited for that is free. Until then none is."""
    require(s.frame[mpn] != Free(), Refused.FRAME_IS_FREE)
    require(block_is_given_up(s, mpn), Refused.BLOCK_IN_USE)
    return_frame(s, mpn)


@rule("ESX-3.2-09", "ESX-3.2-11", "R-07")
def touch_page_on_its_way(s: Machine, page: Page) -> None:
    """The guest touches a page it has offered, before it is taken: it keeps it, and the balloon pops."""
    require(is_going_to_balloon(s, page), Refused.WRONG_STAGE)
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    s.operation[page] = Idle()
    burst(s, page.vm)
    visible(s, withdraw_offers, page.vm)


def burst(s: Machine, vm: VM) -> None:
    """The balloon is popped: the driver, if there is one, must be reset; one that starts later is reset anyhow."""
    s.driver[vm] = pick(s.driver[vm] == NoDriver(), NoDriver(), MustReset())


@rule("ESX-3.2-05", "R-07", "R-12")
def decline_offer(s: Machine, page: Page) -> None:
    """The server leaves an offered page where it is: it may refuse, and must after a pop, a reset, the driver's end."""
    require(is_going_to_balloon(s, page), Refused.WRONG_STAGE)
    s.operation[page] = Idle()
    visible(s, decline, page)


@view
def has_pages_for_balloon(s: Machine, vm: VM) -> bool:
    """Whether a VM has a page that could go into its balloon: one without a frame, or one more than its minimum."""
    without_frame = s.resident[vm] + s.balloon_size[vm] < s.maximum[vm]
    return without_frame or s.resident[vm] > s.minimum[vm]


@view
def balloon_is_done(s: Machine, vm: VM) -> bool:
    """Whether a driver may stop there: at the size asked for, or below it without a page to add, or anywhere (R-56)."""
    if s.balloon_size[vm] < s.balloon_target[vm]:
        return s.balloon_short or not has_pages_for_balloon(s, vm)
    return s.balloon_size[vm] == s.balloon_target[vm]


@view
def is_going_to_balloon(s: Machine, page: Page) -> bool:
    """Whether the page is being unmapped for the balloon."""
    match s.operation[page]:
        case GivingUp(why):
            return why == ForBalloon()
    return False


# Deflating, popping.


@rule("ESX-3.2-08", "R-08")
def deflate(s: Machine, page: Page) -> None:
    """The driver takes a page out: the annotation is cleared first, and only then does the guest free the page."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.driver[page.vm] == Ready(), Refused.NO_DRIVER)
    require(s.pmap[page] == Ballooned(), Refused.NOT_BALLOONED)
    clear_annotation(s, page)


@rule("ESX-3.2-10", "ESX-3.2-11", "ESX-3.2-12", "R-07")
def pop(s: Machine, page: Page) -> None:
    """The guest touches a ballooned page: it becomes an untouched one, and the driver must be reset."""
    require(s.life[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.pmap[page] == Ballooned(), Refused.NOT_BALLOONED)
    clear_annotation(s, page)
    burst(s, page.vm)
    visible(s, withdraw_offers, page.vm)


@rule("ESX-3.2-11", "R-07")
def forget_ballooned_page(s: Machine, page: Page) -> None:
    """While the driver's state is being reset, the annotations go, one page at a time."""
    require(s.driver[page.vm] == MustReset(), Refused.NO_RESET_PENDING)
    require(s.pmap[page] == Ballooned(), Refused.NOT_BALLOONED)
    clear_annotation(s, page)


def clear_annotation(s: Machine, page: Page) -> None:
    """The page is an untouched one again."""
    s.pmap[page] = Untouched()
    s.balloon_size[page.vm] -= 1


# What always holds.


@measure("pmap")
def pages_ballooned(s: Machine, backing: Backing, page: Page, vm: VM) -> int:
    """Annotated pages of a VM."""
    return pick(backing == Ballooned() and page.vm == vm, 1, 0)


@invariant("R-06", "ESX-3.2-06")
def balloon_size_is_counted(s: Machine, vm: VM) -> bool:
    """The size of a balloon is the number of annotated pages: it cannot drift."""
    return s.balloon_size[vm] == pages_ballooned(s, vm)


@invariant("ESX-3.2-05", "ESX-3.2-07")
def nothing_happens_to_a_ballooned_page(s: Machine, page: Page) -> bool:
    """A page in the balloon has no frame, no slot and no operation."""
    return s.pmap[page] != Ballooned() or s.operation[page] == Idle()


@invariant("R-09")
def targets_are_levels(s: Machine, vm: VM) -> bool:
    """The levels asked for lie between nothing and the size of the VM."""
    return 0 <= s.balloon_target[vm] <= s.maximum[vm] and 0 <= s.swap_target[vm] <= s.maximum[vm]


# What every step keeps.


@transition("ESX-3.2-05", "R-09", "R-12")
def balloon_grows_only_if_asked(before: Machine, after: Machine, page: Page) -> bool:
    """A page is offered, and taken, only below the target by a driver that is ready; offered only above the minimum."""
    offered = is_going_to_balloon(after, page) and not is_going_to_balloon(before, page)
    taken = after.pmap[page] == Ballooned() and before.pmap[page] != Ballooned()
    ready = before.driver[page.vm] == Ready() and before.life[page.vm] == Running()
    wanted = ready and before.balloon_size[page.vm] < before.balloon_target[page.vm]
    above = not offered or before.resident[page.vm] > before.minimum[page.vm]
    return not (offered or taken) or (wanted and above)


@transition("R-51")
def vacated_frames_are_freed_with_their_block(before: Machine, after: Machine, mpn: MPN) -> bool:
    """A frame that was given up and waits is next free, and only when its block is given up as a whole."""
    leaves = before.frame[mpn] == Vacated() and after.frame[mpn] != Vacated()
    return not leaves or (after.frame[mpn] == Free() and block_is_given_up(after, mpn))


@transition("R-51")
def balloon_frees_whole_blocks(before: Machine, after: Machine, page: Page, mpn: MPN) -> bool:
    """What a page's frame is freed for when it goes into the balloon: a block that nobody uses."""
    inflated = after.pmap[page] == Ballooned() and before.pmap[page] == Mapped(mpn)
    return not inflated or after.frame[mpn] != Free() or block_is_given_up(after, mpn)


@transition("ESX-3.2-11", "R-07")
def driver_is_ready_only_with_an_empty_balloon(before: Machine, after: Machine, vm: VM) -> bool:
    """A driver becomes ready only by a reset, when nothing is annotated any more."""
    becomes = after.driver[vm] == Ready() and before.driver[vm] != Ready()
    return not becomes or (before.driver[vm] == MustReset() and before.balloon_size[vm] == 0)


@transition("ESX-3.2-11", "ESX-3.2-15")
def a_driver_begins_by_a_reset(before: Machine, after: Machine, vm: VM) -> bool:
    """Where there was no driver, one is there only by starting, and then must be reset first."""
    begins = before.driver[vm] == NoDriver() and after.driver[vm] != NoDriver()
    return not begins or after.driver[vm] == MustReset()


@transition("R-09")
def targets_are_set_for_running_vms(before: Machine, after: Machine, vm: VM) -> bool:
    """The levels asked for change only while the VM runs."""
    same = after.balloon_target[vm] == before.balloon_target[vm] and after.swap_target[vm] == before.swap_target[vm]
    return same or before.life[vm] == Running()


@transition("ESX-6.1-01", "R-12")
def nobody_is_pushed_below_its_minimum(before: Machine, after: Machine, vm: VM) -> bool:
    """No step takes a frame from a running VM that holds no more than its minimum."""
    shrinks = after.resident[vm] < before.resident[vm] and before.life[vm] == Running()
    return not shrinks or before.resident[vm] > before.minimum[vm]


# What follows.


@theorem("ESX-3.2-11", "R-07")
def a_pop_leaves_the_driver_to_be_reset(s: Machine, page: Page) -> bool:
    """After a touch of a page in the balloon, or on its way there, a driver that was there must be reset."""
    popped = leaves(pop, s, page, so_that=lambda after: after.driver[page.vm] == MustReset())
    touched = leaves(touch_page_on_its_way, s, page, so_that=lambda after: after.driver[page.vm] == MustReset())
    right = (popped or not enabled(pop, s, page)) and (touched or not enabled(touch_page_on_its_way, s, page))
    return s.driver[page.vm] == NoDriver() or right


@theorem("ESX-3.2-16", "R-56")
def a_balloon_stops_short_where_it_must_or_may(s: Machine, vm: VM) -> bool:
    """Short of its target a driver is done if it may stop short, or can put no page in."""
    short = s.balloon_size[vm] < s.balloon_target[vm]
    grows = s.each(Page, vm).some(lambda page: enabled(inflate, s, page))
    return not short or s.balloon_short or not balloon_is_done(s, vm) or not grows


@theorem("ESX-3.2-11", "R-07")
def a_pop_stops_the_driver_until_the_reset(s: Machine, page: Page) -> bool:
    """Only a driver that is ready puts pages into the balloon or takes them out; the server does so until a reset."""
    by_driver = enabled(inflate, s, page) or enabled(deflate, s, page)
    by_server = enabled(forget_ballooned_page, s, page)
    return (s.driver[page.vm] == Ready() or not by_driver) and (s.driver[page.vm] == MustReset() or not by_server)
