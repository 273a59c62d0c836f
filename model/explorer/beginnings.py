"""How the small machines come to where their exploration begins: steps from the initial state."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pagelaw.spec import at_once, balloon, paging, power, translation
from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Names, Page, Slot, VPage

from . import rows
from .machines import Step

Begin = Callable[[Machine], Iterator[Step]]


def nothing(s: Machine) -> Iterator[Step]:
    """No VM is on."""
    yield from ()


def on(s: Machine) -> Iterator[Step]:
    """All VMs run; they have no balloon driver, and nothing is asked of them."""
    for vm in s.ids[VM]:
        yield power.power_vm_on, (vm,)


def running(s: Machine) -> Iterator[Step]:
    """All VMs run, with a balloon driver; as many pages as there are may leave."""
    for vm in s.ids[VM]:
        yield power.power_vm_on, (vm,)
        yield balloon.start_driver, (vm,)
        yield balloon.reset_driver, (vm,)
        yield balloon.set_balloon_target, (vm, s.maximum[vm])
        yield paging.set_swap_target, (vm, s.maximum[vm])


def named(s: Machine) -> Iterator[Step]:
    """And each guest has mapped its pages, the first to the first virtual page and so on, while there are any."""
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


def touched_from_above(s: Machine) -> Iterator[Step]:
    """The same, the last frames first: so that low frames stay free."""
    yield from named(s)
    for page, mpn in zip(s.ids[Page], reversed(s.ids[MPN]), strict=False):
        yield at_once.touch_in_steps, (page, mpn)


def clean(s: Machine) -> Iterator[Step]:
    """And the first page has been in the swap area: it is clean, and keeps its slot."""
    yield from touched(s)
    yield from out_and_in(s, s.ids[MPN][0])


def clean_above(s: Machine) -> Iterator[Step]:
    """The same in the last frame, which is not a low one."""
    yield from touched_from_above(s)
    yield from out_and_in(s, s.ids[MPN][-1])


def out_and_in(s: Machine, mpn: MPN) -> Iterator[Step]:
    """The first page goes to the swap area and comes back."""
    page = s.ids[Page][0]
    yield rows.page_out, (page, s.ids[Slot][0])
    yield at_once.page_in_in_steps, (s.each(VCPU, page.vm)[0], page, mpn)


def listed(s: Machine) -> Iterator[Step]:
    """And the frame of the second page, which holds zeros like the first, is listed as shared."""
    yield from touched(s)
    first, second = s.ids[Page][:2]
    yield rows.mark, (first, second)
