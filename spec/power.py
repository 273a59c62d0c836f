"""Power (6.2): a VM is admitted if its reservations fit, and goes page by page.

Power-on reserves min + overhead of machine memory and max - min of swap space,
or refuses (ESX-6.2-01 to ESX-6.2-04). A VM that is powered off is dying
until nothing of it is left; only then do its reservations go back.
"""

from __future__ import annotations

from .estimators import begin_estimates
from .frames import drop_slot, free_frame, is_free, is_kept_for_devices, let_go, use_frame
from .language import VM, assumption, invariant, measure, pick, refuse, require, rule, theorem, transition, visible
from .machine import Machine
from .private_memory import be_off, give_up, power_off, power_on
from .refusals import Refused
from .shares import begin_target, end_target
from .translation import revoke
from .vocabulary import (
    MPN,
    VCPU,
    Ballooned,
    Dying,
    ForPowerOff,
    FrameUse,
    GivingUp,
    Idle,
    Life,
    Mapped,
    NoDriver,
    NoFetch,
    NothingKept,
    Off,
    Page,
    Reserved,
    Running,
    Swapped,
    Unmapped,
    Unmapping,
    Untouched,
)


@rule("ESX-6.2-01", "ESX-6.2-02", "ESX-6.2-03", "ESX-6.2-04")
def power_vm_on(s: Machine, vm: VM) -> None:
    """A VM starts if what it reserves is unreserved."""
    require(s.life[vm] == Off(), Refused.VM_NOT_OFF)
    memory = s.reserved_memory + s.minimum[vm] + s.overhead[vm]
    swap = s.reserved_swap + s.maximum[vm] - s.minimum[vm]
    require(memory <= s.total_frames, Refused.NO_MEMORY_TO_RESERVE)
    require(swap <= s.total_slots, Refused.NO_SWAP_TO_RESERVE)
    s.reserved_memory = memory
    s.reserved_swap = swap
    s.life[vm] = Running()
    begin_target(s, vm)
    begin_estimates(s, vm)
    visible(s, power_on, vm)


@rule("ESX-6.2-05", "R-44")
def take_overhead_frame(s: Machine, vm: VM, mpn: MPN) -> None:
    """A running VM gets one of the frames it needs beside its pages."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    require(s.overhead_held[vm] < s.overhead[vm], Refused.OVERHEAD_COMPLETE)
    require(is_free(s, mpn), Refused.NO_FREE_FRAME)
    require(not is_kept_for_devices(s, mpn), Refused.KEPT_FOR_DEVICES)
    use_frame(s, mpn, Reserved(vm))
    s.overhead_held[vm] += 1


@rule("R-44")
def power_vm_off(s: Machine, vm: VM) -> None:
    """A running VM is powered off: no vCPU of it runs any more, and its pages go one by one."""
    require(s.life[vm] == Running(), Refused.VM_NOT_RUNNING)
    s.life[vm] = Dying()
    s.driver[vm] = NoDriver()
    s.period_over[vm] = s.drawn[vm] > 0
    visible(s, power_off, vm)


@rule("R-05", "R-44")
def reap(s: Machine, page: Page) -> None:
    """One page of a dying VM goes: at once if it has no frame, else it is unmapped first."""
    require(s.life[page.vm] == Dying(), Refused.VM_NOT_DYING)
    require(s.operation[page] == Idle(), Refused.OPERATION_IN_PROGRESS)
    match s.pmap[page]:
        case Mapped():
            s.operation[page] = Unmapping(ForPowerOff())
            revoke(s, page)
        case Swapped(slot):
            s.pmap[page] = Untouched()
            s.swapped[page.vm] -= 1
            drop_slot(s, slot)
            visible(s, give_up, page)
        case Ballooned():
            s.pmap[page] = Untouched()
            s.balloon_size[page.vm] -= 1
            visible(s, give_up, page)
        case Untouched():
            refuse(Refused.NOT_MAPPED)


@rule("R-44")
def release_at_power_off(s: Machine, page: Page) -> None:
    """A page of a dying VM is out of everybody's reach: its frame goes."""
    require(s.operation[page] == Unmapped(ForPowerOff()), Refused.WRONG_STAGE)
    require(s.kept[page] == NothingKept(), Refused.KEPT_SLOT)
    match s.pmap[page]:
        case Mapped(mpn):
            s.pmap[page] = Untouched()
            s.resident[page.vm] -= 1
            s.operation[page] = Idle()
            let_go(s, mpn)
            visible(s, give_up, page)


@rule("R-44")
def return_overhead_frame(s: Machine, vm: VM, mpn: MPN) -> None:
    """An overhead frame of a dying VM is free again."""
    require(s.life[vm] == Dying(), Refused.VM_NOT_DYING)
    require(s.frame[mpn] == Reserved(vm), Refused.NOT_OVERHEAD)
    free_frame(s, mpn)
    s.overhead_held[vm] -= 1


@rule("R-44")
def finish_power_off(s: Machine, vm: VM) -> None:
    """The VM holds nothing any more: it is off, and exactly what it had reserved is unreserved."""
    require(s.life[vm] == Dying(), Refused.VM_NOT_DYING)
    require(s.each(Page, vm).every(lambda page: is_gone(s, page)), Refused.VM_NOT_EMPTY)
    require(s.each(VCPU, vm).every(lambda cpu: s.fetch[cpu] == NoFetch()), Refused.VM_NOT_EMPTY)
    require(s.overhead_held[vm] == 0, Refused.VM_NOT_EMPTY)
    s.reserved_memory -= s.minimum[vm] + s.overhead[vm]
    s.reserved_swap -= s.maximum[vm] - s.minimum[vm]
    s.life[vm] = Off()
    end_target(s, vm)
    visible(s, be_off, vm)


def is_gone(s: Machine, page: Page) -> bool:
    """Whether nothing is left of a page."""
    return s.pmap[page] == Untouched() and s.operation[page] == Idle()


# What every step keeps.


@transition("R-44")
def overhead_is_taken_back_only_from_dying_vms(before: Machine, after: Machine, vm: VM) -> bool:
    """An overhead frame goes only while its VM is being powered off."""
    return after.overhead_held[vm] >= before.overhead_held[vm] or before.life[vm] == Dying()


# What always holds.


@assumption("ESX-6.1-01", "ESX-6.2-05")
def sizes_make_sense(s: Machine, vm: VM) -> bool:
    """A VM's minimum is not negative nor above its size, its overhead not negative."""
    return 0 <= s.minimum[vm] <= s.maximum[vm] and s.overhead[vm] >= 0


@measure("frame")
def overhead_frames_of(s: Machine, use: FrameUse, mpn: MPN, vm: VM) -> int:
    """Overhead frames of a VM."""
    return pick(use == Reserved(vm), 1, 0)


@invariant("ESX-6.2-05", "R-44")
def overhead_is_counted(s: Machine, vm: VM) -> bool:
    """The overhead frames of a VM are counted, and no more than its overhead."""
    return s.overhead_held[vm] == overhead_frames_of(s, vm) and s.overhead_held[vm] <= s.overhead[vm]


@invariant("R-44")
def vm_that_is_off_holds_nothing(s: Machine, page: Page) -> bool:
    """A page of a VM that is off has no frame, slot, annotation or operation."""
    return s.life[page.vm] != Off() or (s.pmap[page] == Untouched() and s.operation[page] == Idle())


@invariant("R-44")
def vm_that_is_off_reads_nothing(s: Machine, cpu: VCPU) -> bool:
    """No page-in is under way for a vCPU of a VM that is off."""
    return s.life[cpu.vm] != Off() or s.fetch[cpu] == NoFetch()


@invariant("R-44")
def vm_that_is_off_has_no_overhead(s: Machine, vm: VM) -> bool:
    """A VM that is off has no overhead frames and no balloon driver."""
    return s.life[vm] != Off() or (s.overhead_held[vm] == 0 and s.driver[vm] == NoDriver())


@invariant("R-44")
def reaped_pages_are_of_dying_vms(s: Machine, page: Page) -> bool:
    """Only pages of a dying VM are unmapped for power-off, and its driver is gone."""
    match s.operation[page]:
        case GivingUp(why):
            return why != ForPowerOff() or s.life[page.vm] == Dying()
    return True


@invariant("ESX-3.2-15")
def only_running_vms_have_drivers(s: Machine, vm: VM) -> bool:
    """A balloon driver is there only while the VM runs."""
    return s.life[vm] == Running() or s.driver[vm] == NoDriver()


@measure("life")
def memory_reserved_by_vms(s: Machine, life: Life, vm: VM) -> int:
    """What each VM that is not off has reserved of machine memory."""
    return pick(life != Off(), s.minimum[vm] + s.overhead[vm], 0)


@measure("life")
def swap_reserved_by_vms(s: Machine, life: Life, vm: VM) -> int:
    """What each VM that is not off has reserved of swap space."""
    return pick(life != Off(), s.maximum[vm] - s.minimum[vm], 0)


@measure("life")
def sizes_of_vms(s: Machine, life: Life, vm: VM) -> int:
    """Pages and overhead frames of all VMs that are not off."""
    return pick(life != Off(), s.maximum[vm] + s.overhead[vm], 0)


@invariant("ESX-6.2-03", "ESX-6.2-04", "ESX-6.2-01", "ESX-6.2-02")
def reservations_add_up(s: Machine) -> bool:
    """What is reserved is the sum over the VMs that are not off, and no more than there is."""
    memory = s.reserved_memory == memory_reserved_by_vms(s) and s.reserved_memory <= s.total_frames
    swap = s.reserved_swap == swap_reserved_by_vms(s) and s.reserved_swap <= s.total_slots
    return memory and swap


@theorem("ESX-6.2-07", "ESX-6.2-08")
def there_is_a_frame_or_a_slot_for_every_page(s: Machine) -> bool:
    """Pages and overhead of all VMs that were admitted are no more than there are frames and slots together."""
    reserved = memory_reserved_by_vms(s) + swap_reserved_by_vms(s)
    return sizes_of_vms(s) == reserved and sizes_of_vms(s) <= s.total_frames + s.total_slots
