"""Printed states and runs: what a reader sees, and that it fits."""

from pagelaw.model.reference import operations as op
from pagelaw.model.reference.operations import ToTheEnd
from pagelaw.model.reference.printing import PrintedRun, state_text, value_text
from pagelaw.model.reference.scheduler import Scheduler
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec import translation
from pagelaw.spec.language import VM, Value, Word
from pagelaw.spec.vocabulary import MPN, VCPU, Cached, ForPaging, Mapped, Names, NoHint, Page, Unmapping, VPage

SMALL = Sizes(vms=1, pages=2, vcpus=1, virtual_pages=1, frames=3, low_frames=1, slots=2, overhead=1, garbage=4)


def test_values_are_read_as_words() -> None:
    page = Page(VM(0), 1)
    assert value_text(Mapped(MPN(3))) == "mapped m3"
    assert value_text(Unmapping(ForPaging())) == "unmapping for paging"
    assert value_text(Cached(page, MPN(0), True, True, False)) == "cached A.p1 m0 writable accessed"
    assert value_text(NoHint()) == "no hint"
    assert [value_text(True), value_text(False), value_text(7)] == ["yes", "no", "7"]


def written_page() -> tuple[PrintedRun, str]:
    """A.p1 written through A.v0, printed."""
    s = machine(SMALL)
    printed = PrintedRun(s)
    run = ToTheEnd(s, printed)
    run(op.power_on, VM(0))
    printed(translation.guest_changes_table, (VPage(VM(0), 0), Names(Page(VM(0), 1))))
    run(op.write, VCPU(VM(0), 0), VPage(VM(0), 0), Word(0), Value(1))
    return printed, state_text(s)


def test_a_run_is_printed_step_by_step_with_what_changed() -> None:
    printed, _ = written_page()
    assert printed.text() == """\
    1  server   power vm on: vm A
                  life[A]: off -> running
                  target[A]: 0 -> 1
                  spare: 3 -> 1
                  reserved_memory: 0 -> 2
                  reserved_swap: 0 -> 1
    2  server   take overhead frame: vm A, mpn m0
                  frame[m0]: free -> reserved A
                  free_frames: 3 -> 2
                  low_in_use: 0 -> 1
                  overhead_held[A]: 0 -> 1
    3  guest A  guest changes table: virtual A.v0, entry names A.p1
                  guest_table[A.v0]: not present -> names A.p1
                  unsynced[A.cpu0, A.v0]: no -> yes
    4  A.cpu0   guest invalidates: virtual A.v0
                  unsynced[A.cpu0, A.v0]: yes -> no
    5  server   touch: page A.p1, new m1
                  operation[A.p1]: idle -> clearing m1
                  frame[m1]: free -> zeroing A.p1
                  count_field[m1]: 0 -> 1
                  free_frames: 2 -> 1
    6  server   clear: page A.p1
                  operation[A.p1]: clearing m1 -> cleared m1
                  contents[m1]: [x1 x0] -> [x0 x0]
                  tag[m1]: at boot -> nobodys
    7  server   install cleared: page A.p1
                  pmap[A.p1]: untouched -> mapped m1
                  operation[A.p1]: cleared m1 -> idle
                  frame[m1]: zeroing A.p1 -> private A.p1
                  tag[m1]: nobodys -> data of A
                  resident[A]: 0 -> 1
    8  A.cpu0   read for fill: virtual A.v0
                  fill[A.cpu0]: no fill -> filling A.v0 A.p1 m1 writable 0
    9  A.cpu0   install fill
                  shadow[A.v0]: absent -> cached A.p1 m1 writable
                  fill[A.cpu0]: filling A.v0 A.p1 m1 writable 0 -> no fill
   10  A.cpu0   set dirty: virtual A.v0
                  shadow[A.v0]: cached A.p1 m1 writable -> cached A.p1 m1 writable accessed dirty
                  tlb[A.cpu0, A.v0]: absent -> cached A.p1 m1 writable accessed dirty
   11  A.cpu0   store: virtual A.v0, word w0, value x1
                  contents[m1]: [x0 x0] -> [x1 x0]"""


def test_a_state_is_printed_without_what_is_empty() -> None:
    _, state = written_page()
    assert state == """\
machine: 1 of 3 frames free (high), 2 of 2 slots free, reserved 2 pages of memory, 1 of swap
VM A: running; 1 of 2 pages resident (minimum 1), 0 swapped (target 0), 0 ballooned (target 0), no driver,
  overhead 1 of 1, touched 0
  A.p0  untouched
  A.p1  mapped m1  [x1 x0]
  A.v0  guest's table  names A.p1
  A.v0  shadow table   cached A.p1 m1 writable accessed dirty
  A.v0  TLB of A.cpu0  cached A.p1 m1 writable accessed dirty
frames:
  m0  low   reserved A    [x0 x1] at boot
  m1  high  private A.p1  [x1 x0] data of A  count 1
  m2  high  free, held    [x0 x0] at boot"""


def test_refusals_are_printed_and_not_numbered() -> None:
    s = machine(Sizes())
    printed = PrintedRun(s)
    Scheduler(s, seed=6).run(300, printed)
    lines = printed.text().splitlines()
    refusals = [line for line in lines if "-- refused: " in line]
    assert refusals
    assert all(line.startswith("       ") for line in refusals)
    assert [line for line in lines if line[:5].strip()][-1].startswith("  300  ")


def test_nothing_is_wider_than_110_columns() -> None:
    s = machine(Sizes(vms=3, pages=5, frames=30, vcpus=3, hash_bits=32, short_bits=32, keep_slot=True))
    printed = PrintedRun(s)
    scheduler = Scheduler(s, seed=6)
    states = []
    for _ in range(10):
        scheduler.run(100, printed)
        states += state_text(s).splitlines()
    assert max(map(len, [*printed.text().splitlines(), *states])) <= 110


def test_a_run_can_be_printed_from_some_step_on() -> None:
    texts = []
    for since in (0, 91):
        s = machine(Sizes())
        printed = PrintedRun(s, since=since)
        Scheduler(s, seed=6).run(100, printed)
        texts.append(printed.text())
    assert texts[0].endswith(texts[1])
    assert texts[1].startswith("   91  ")
