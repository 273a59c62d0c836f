"""Private memory: the whole of what a guest may see.

Every VM has its own memory. A read returns the VM's own last write. A page
that was given away, to the balloon or at power-off, reads zero when it comes
back. A device sends what a page holds, or held when the transfer began.
Nothing else is visible, and every step of the machine is either one of these
steps or changes nothing here: that is the theorem "refinement".
"""

from __future__ import annotations

from .language import VM, Blocked, Contents, Map, State, Value, Word, given, require, starts_as, step, view
from .refusals import Refused
from .vocabulary import (
    VCPU,
    Dying,
    GuestEntry,
    Life,
    Names,
    NotPresent,
    Off,
    Page,
    Running,
    Transfer,
    VPage,
)

__all__ = ["Blocked", "PrivateMemory"]


class PrivateMemory(State):
    """What the guests see."""

    zero: Contents = given()
    """A page of zeros."""
    memory: Map[Page, Contents] = starts_as("zero")
    """What each page of each VM holds."""
    offered: Map[Page, bool] = starts_as(False)
    """Whether the guest has offered the page to the balloon, so that it may be taken away."""
    power: Map[VM, Life] = starts_as(Off())
    """Whether the VM runs."""
    names: Map[VPage, GuestEntry] = starts_as(NotPresent())
    """The guest's own page tables."""
    unsynced: Map[tuple[VCPU, VPage], bool] = starts_as(False)
    """Whether a vCPU may still use what the guest's table said before: until the guest invalidates."""
    carries: Map[Transfer, GuestEntry] = starts_as(NotPresent())
    """The page that a transfer under way is for."""
    sent_from: Map[Transfer, Contents] = starts_as("zero")
    """What a transfer's page held when the transfer began."""


@view
def may_be_taken(m: PrivateMemory, page: Page) -> bool:
    """Whether a page may be taken away for good: offered by its guest, or of a VM that is being powered off."""
    return m.offered[page] or m.power[page.vm] == Dying()


@view
def is_named(m: PrivateMemory, cpu: VCPU, virtual: VPage, page: Page) -> bool:
    """Whether the guest's table, as this vCPU may know it, takes the virtual page to the page of the same VM."""
    return cpu.vm == page.vm == virtual.vm and (m.names[virtual] == Names(page) or m.unsynced[cpu, virtual])


@step("ESX-2-04", "ESX-2-08")
def read(m: PrivateMemory, cpu: VCPU, virtual: VPage, page: Page, word: Word) -> Value:
    """A vCPU reads a word of the page that the virtual page names: the VM's own last write to it."""
    require(m.power[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(is_named(m, cpu, virtual, page), Refused.NO_GUEST_MAPPING)
    return m.memory[page].word(word)


@step("ESX-2-04", "ESX-2-08")
def write(m: PrivateMemory, cpu: VCPU, virtual: VPage, page: Page, word: Word, value: Value) -> None:
    """A vCPU writes a word."""
    require(m.power[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    require(is_named(m, cpu, virtual, page), Refused.NO_GUEST_MAPPING)
    m.memory[page] = m.memory[page].with_word(word, value)


@step("ESX-2-07")
def change_table(m: PrivateMemory, virtual: VPage, entry: GuestEntry) -> None:
    """The guest changes its page table; vCPUs may use the old entry until the guest invalidates it there."""
    require(m.power[virtual.vm] == Running(), Refused.VM_NOT_RUNNING)
    m.names[virtual] = entry
    m.unsynced.write_each(m.each(VCPU, virtual.vm), lambda cpu: (cpu, virtual), True)


@step("ESX-2-07")
def invalidate(m: PrivateMemory, cpu: VCPU, virtual: VPage) -> None:
    """The guest invalidates a virtual page on one of its vCPUs, which uses the new entry from now on."""
    require(cpu.vm == virtual.vm, Refused.OTHER_VM)
    m.unsynced[cpu, virtual] = False


@step("ESX-7-05")
def start_receiving(m: PrivateMemory, transfer: Transfer, page: Page) -> None:
    """A device is told to bring data to a page."""
    require(m.power[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    m.carries[transfer] = Names(page)


def arrive(m: PrivateMemory, transfer: Transfer, page: Page, word: Word, value: Value) -> None:
    """A word arrives at the page that the transfer is for, and at no other."""
    require(m.power[page.vm] != Off(), Refused.VM_IS_OFF)
    require(m.carries[transfer] == Names(page), Refused.NO_TRANSFER)
    m.memory[page] = m.memory[page].with_word(word, value)


@step("ESX-7-05")
def receive(m: PrivateMemory, transfer: Transfer, page: Page, word: Word, value: Value) -> None:
    """A device writes a word of the page that it was told to write."""
    arrive(m, transfer, page, word, value)


@step("ESX-7-05")
def receive_and_stop(m: PrivateMemory, transfer: Transfer, page: Page, word: Word, value: Value) -> None:
    """The same, and with it the transfer is over."""
    arrive(m, transfer, page, word, value)
    m.carries[transfer] = NotPresent()


@step("ESX-7-05")
def start_sending(m: PrivateMemory, transfer: Transfer, page: Page) -> None:
    """A device is told to send a page."""
    require(m.power[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    m.carries[transfer] = Names(page)
    m.sent_from[transfer] = m.memory[page]


@step("ESX-7-05")
def send(m: PrivateMemory, transfer: Transfer, page: Page, word: Word, value: Value) -> Value:
    """A device sends a word: what the page holds, or what it held when the transfer began."""
    require(m.carries[transfer] == Names(page), Refused.NO_TRANSFER)
    as_it_was, as_it_is = m.sent_from[transfer].word(word), m.memory[page].word(word)
    require(value in (as_it_was, as_it_is), Refused.WRONG_VALUE)
    return value


@step("ESX-7-05")
def stop_transfer(m: PrivateMemory, transfer: Transfer) -> None:
    """The transfer ends."""
    m.carries[transfer] = NotPresent()
    m.sent_from[transfer] = m.zero


@step("ESX-3.2-04")
def offer(m: PrivateMemory, page: Page) -> None:
    """The guest offers a page to the balloon."""
    require(m.power[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    m.offered[page] = True


@step("ESX-3.2-11")
def withdraw_offers(m: PrivateMemory, vm: VM) -> None:
    """The guest takes back what it has offered and what was not taken yet."""
    require(m.power[vm] == Running(), Refused.VM_NOT_RUNNING)
    m.offered.write_each(m.each(Page, vm), lambda page: page, False)


@step("ESX-3.2-05")
def decline(m: PrivateMemory, page: Page) -> None:
    """The server does not take a page that was offered."""
    m.offered[page] = False


@step("ESX-3.2-07", "R-04")
def give_up(m: PrivateMemory, page: Page) -> None:
    """A page is taken away for good."""
    require(may_be_taken(m, page), Refused.NOT_OFFERED)
    m.memory[page] = m.zero
    m.offered[page] = False


@step("ESX-3.2-04", "R-04", "R-05")
def surrender(m: PrivateMemory, page: Page) -> None:
    """The guest offers a page without a frame, which is taken at once."""
    require(m.power[page.vm] == Running(), Refused.VM_NOT_RUNNING)
    m.memory[page] = m.zero


@step("ESX-6.2-01")
def power_on(m: PrivateMemory, vm: VM) -> None:
    """The VM starts."""
    require(m.power[vm] == Off(), Refused.VM_NOT_OFF)
    m.power[vm] = Running()


@step("R-44")
def power_off(m: PrivateMemory, vm: VM) -> None:
    """The VM stops running; its memory goes page by page. What it had offered counts for nothing now."""
    require(m.power[vm] == Running(), Refused.VM_NOT_RUNNING)
    m.power[vm] = Dying()
    m.offered.write_each(m.each(Page, vm), lambda page: page, False)


@step("R-44")
def be_off(m: PrivateMemory, vm: VM) -> None:
    """All its memory is gone."""
    require(m.power[vm] == Dying(), Refused.VM_NOT_DYING)
    require(m.each(Page, vm).every(lambda page: m.memory[page] == m.zero), Refused.VM_NOT_EMPTY)
    m.power[vm] = Off()
