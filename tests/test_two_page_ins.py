"""Two page-ins of one page at a time: told apart by whose they are, not by the slot (SW-1, CVE-2024-26759)."""

from collections.abc import Iterator

import pytest

from pagelaw.model.reference import operations as op
from pagelaw.model.reference.beside import Beside, Violation, check_everything
from pagelaw.model.reference.operations import ToTheEnd
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.proofs.mutants import apply
from pagelaw.spec import operations, paging, translation
from pagelaw.spec.language import VM, Blocked, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    ComingIn,
    Free,
    Idle,
    Mapped,
    Names,
    NoFetch,
    Page,
    ReadIn,
    Slot,
    Swapped,
    VPage,
)

A = VM(0)
FIRST, SECOND = VCPU(A, 0), VCPU(A, 1)
PAGE, VIRTUAL, SLOT = Page(A, 0), VPage(A, 0), Slot(0)
OLD, NEW = Value(1), Value(0)


class Run:
    """A VM whose first page holds OLD and is in the first slot; every step is compared with private memory."""

    def __init__(self) -> None:
        self.s: Machine = machine(Sizes(vms=1, pages=2, overhead=0, minimum=0, frames=6, slots=2))
        self.beside = Beside(self.s)
        self.do = ToTheEnd(self.s, lambda rule, arguments: self.step(rule, *arguments))
        self.do(op.power_on, A)
        self.step(paging.set_swap_target, A, 2)
        self.step(translation.guest_changes_table, VIRTUAL, Names(PAGE))
        self.do(op.write, FIRST, VIRTUAL, Word(0), OLD)
        self.out()

    def step(self, rule: object, *arguments: object) -> object:
        returned = self.beside.do(rule, arguments)  # type: ignore[arg-type]
        self.beside.compare()
        return returned

    def out(self) -> None:
        """The page goes out, to the first slot."""
        self.do(op.page_out, PAGE, SLOT)
        assert self.s.pmap[PAGE] == Swapped(SLOT)

    def second_in_write_and_out(self) -> None:
        """The second vCPU brings the page in and writes it; then it goes out to the same slot."""
        self.do(op.write, SECOND, VIRTUAL, Word(0), NEW)
        self.out()


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run()
    made.step(paging.start_page_in, FIRST, PAGE, MPN(3))
    made.step(paging.finish_read, FIRST)
    yield made
    check_everything(made.s)


def test_while_a_page_comes_in_for_one_vcpu_another_waits(run: Run) -> None:
    with pytest.raises(Blocked) as blocked:
        run.step(paging.start_page_in, SECOND, PAGE, MPN(4))
    assert blocked.value.reason == Refused.OPERATION_IN_PROGRESS
    run.step(paging.install_page_in, FIRST)
    assert (run.s.pmap[PAGE], run.s.operation[PAGE], run.s.fetch[FIRST]) == (Mapped(MPN(3)), Idle(), NoFetch())


def test_an_abandoned_page_in_is_known_by_its_mark_though_the_page_is_in_the_same_slot_again(run: Run) -> None:
    s = run.s
    run.step(operations.abandon, PAGE)
    run.second_in_write_and_out()
    assert s.fetch[FIRST] == ReadIn(PAGE, SLOT, MPN(3))
    assert s.contents[MPN(3)] != s.slot_contents[SLOT]
    with pytest.raises(Blocked) as blocked:
        run.step(paging.install_page_in, FIRST)
    assert blocked.value.reason == Refused.FETCH_OUTDATED
    run.step(paging.start_page_in, SECOND, PAGE, MPN(4))
    run.step(paging.drop_page_in, FIRST)
    assert (s.operation[PAGE], s.frame[MPN(3)], s.fetch[FIRST]) == (ComingIn(SECOND), Free(), NoFetch())
    run.step(paging.fail_read, SECOND)
    assert run.do(op.read, FIRST, VIRTUAL, Word(0)) == NEW


def test_a_read_under_way_is_not_stopped() -> None:
    run = Run()
    run.step(paging.start_page_in, FIRST, PAGE, MPN(3))
    with pytest.raises(Blocked) as blocked:
        run.step(operations.abandon, PAGE)
    assert blocked.value.reason == Refused.READ_IN_PROGRESS
    with pytest.raises(Blocked) as blocked:
        run.step(paging.drop_page_in, FIRST)
    assert blocked.value.reason == Refused.WRONG_STAGE


def test_a_vm_is_off_only_when_its_handlers_hold_nothing(run: Run) -> None:
    run.step(operations.abandon, PAGE)
    run.do(op.power_off, A)
    assert (run.s.fetch[FIRST], run.s.free_frames) == (NoFetch(), 6)


@pytest.mark.parametrize(("mutant", "marked"), [("SW-1", False), ("ORD-31", True)])
def test_compared_by_its_number_the_same_slot_brings_old_data_back(mutant: str, marked: bool) -> None:
    """The run of the real fault, step by step; where pages are marked, the first page-in has to be abandoned."""
    with apply(mutant):
        run = Run()
        run.step(paging.start_page_in, FIRST, PAGE, MPN(3))
        run.step(paging.finish_read, FIRST)
        assert run.s.operation[PAGE] == (ComingIn(FIRST) if marked else Idle())
        if marked:
            run.step(operations.abandon, PAGE)
        run.second_in_write_and_out()
        with pytest.raises(Violation, match=r"memory\[A.p0\] is \[x1 x0\] in the machine, \[x0 x0\] in private"):
            run.step(paging.install_page_in, FIRST)
