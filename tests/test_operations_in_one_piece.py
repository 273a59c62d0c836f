"""The operations told in one piece, beside their steps, in states that random runs reach."""

from collections import Counter

from pagelaw.model.reference.beside import check_operations
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.vocabulary import Running

A, B = VM(0), VM(1)


def test_every_operation_in_steps_leaves_what_it_leaves_in_one_piece() -> None:
    """In states of random runs, and with a VM powered off there, with all arguments that go through."""
    compared: Counter[str] = Counter()
    for on, seed in ((False, 1), (True, 2), (False, 3), (True, 4)):
        s = machine(Sizes(keep_slot=on, swap_shared=on, values=3, minimum=0, frames=12, slots=8, remap_after=0))
        scheduler = Scheduler(s, seed)
        for steps in (10, 10, 10, 20, 20, 20, *[250] * 10):
            scheduler.run(steps)
            compared += check_operations(s)
        REGISTER["rule"]["power_vm_off"].function(s, next(vm for vm in (A, B) if s.life[vm] == Running()))
        compared += check_operations(s)
    assert compared.keys() == REGISTER["operation"].keys()
