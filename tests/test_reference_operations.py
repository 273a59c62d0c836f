"""The paper's operations on a concrete machine: what they leave, and that a refused one leaves nothing."""

from collections.abc import Callable, Iterator

import pytest

from pagelaw.model.reference import operations as op
from pagelaw.model.reference.beside import Beside, check_everything
from pagelaw.model.reference.choosing import Rule
from pagelaw.model.reference.operations import ToTheEnd
from pagelaw.model.reference.setup import Sizes, machine
from pagelaw.spec import balloon, devices, paging, translation
from pagelaw.spec.at_once import TRANSLATIONS
from pagelaw.spec.language import REGISTER, VM, Blocked, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.reports import frames_shared, pages_saved
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Ballooned,
    DataOf,
    Dying,
    ForPaging,
    Free,
    HintFrame,
    Idle,
    KeptSlot,
    Key,
    Mapped,
    MustReset,
    Names,
    NoHint,
    NothingKept,
    Off,
    Page,
    Private,
    Reserved,
    Shared,
    Slot,
    Swapped,
    Transfer,
    Unmapping,
    Untouched,
    Vacated,
    VPage,
)

A, B = VM(0), VM(1)
W0, W1, X0, X1 = Word(0), Word(1), Value(0), Value(1)


def page(vm: VM, number: int) -> Page:
    return Page(vm, number)


class Server:
    """Two running VMs; every step is compared with private memory."""

    def __init__(self, sizes: Sizes) -> None:
        self.s = machine(sizes)
        self.beside = Beside(self.s)
        self.run = ToTheEnd(self.s, self.do)
        for vm in (A, B):
            self.run(op.power_on, vm)
            for virtual in self.s.each(VPage, vm):
                self.do(translation.guest_changes_table, (virtual, Names(page(vm, virtual.number))))

    def do(self, rule: Rule, arguments: tuple[object, ...]) -> object:
        returned = self.beside.do(rule, arguments)
        self.beside.compare()
        return returned

    def write(self, vm: VM, number: int, word: Word, value: Value, cpu: int = 0) -> None:
        self.run(op.write, VCPU(vm, cpu), VPage(vm, number), word, value)

    def read(self, vm: VM, number: int, word: Word, cpu: int = 0) -> object:
        return self.run(op.read, VCPU(vm, cpu), VPage(vm, number), word)

    def frame_of(self, vm: VM, number: int) -> MPN:
        backing = self.s.pmap[page(vm, number)]
        assert isinstance(backing, Mapped)
        return backing.mpn


def server(**sizes: object) -> Server:
    return Server(Sizes(**{"overhead": 0, "frames": 12, "garbage": 5, **sizes}))  # type: ignore[arg-type]


@pytest.fixture
def on() -> Iterator[Server]:
    """A server; after the test every invariant still holds."""
    made = server()
    yield made
    check_everything(made.s)


# First touch, reads and writes.


def test_first_touch_gives_a_cleared_frame_of_its_own(on: Server) -> None:
    s, p = on.s, page(A, 0)
    dirty = next(mpn for mpn in s.ids[MPN] if s.contents[mpn] != s.zero)
    on.run(op.first_touch, p, dirty)
    assert (s.pmap[p], s.frame[dirty], s.contents[dirty]) == (Mapped(dirty), Private(p), s.zero)
    assert (s.tag[dirty], s.free_frames, s.resident[A]) == (DataOf(A), 11, 1)


def test_a_read_returns_the_vms_own_last_write(on: Server) -> None:
    assert on.read(A, 0, W0) == X0
    on.write(A, 0, W0, X1)
    on.write(B, 0, W1, X1)
    assert [on.read(A, 0, W0, cpu=1), on.read(A, 0, W1), on.read(B, 0, W0), on.read(B, 0, W1)] == [X1, X0, X0, X1]


# Sharing.


def share(on: Server) -> MPN:
    """A.p0 leaves a hint, B.p0 is equal, and both come to share the frame of A.p0."""
    for vm in (A, B):
        on.write(vm, 0, W0, X1)
    on.run(op.scan, page(A, 0))
    assert isinstance(on.s.hint[page(A, 0)], HintFrame)
    on.run(op.scan, page(B, 0))
    return on.frame_of(A, 0)


def test_equal_pages_come_to_share_one_frame_through_a_hint(on: Server) -> None:
    s = on.s
    free = s.free_frames
    mpn = share(on)
    assert s.pmap[page(B, 0)] == Mapped(mpn)
    assert isinstance(s.frame[mpn], Shared)
    assert (s.count_field[mpn], s.overflow[mpn], s.free_frames) == (2, 2, free - 1)
    assert (s.hint[page(A, 0)], s.hint[page(B, 0)]) == (NoHint(), NoHint())
    assert on.read(B, 0, W0) == X1


def test_a_third_page_shares_the_listed_frame(on: Server) -> None:
    mpn = share(on)
    on.write(A, 1, W0, X1)
    on.run(op.share, page(A, 1))
    assert on.frame_of(A, 1) is mpn
    assert on.s.overflow[mpn] == 3


def test_a_write_to_a_shared_page_is_seen_by_the_writer_only(on: Server) -> None:
    mpn = share(on)
    on.write(B, 0, W1, X1)
    assert on.s.frame[on.frame_of(B, 0)] == Private(page(B, 0))
    assert on.frame_of(A, 0) is mpn
    assert [on.read(A, 0, W1), on.read(B, 0, W1)] == [X0, X1]
    assert on.s.count_field[mpn] == 1


def test_the_last_user_takes_the_frame_over_where_the_reading_says_so() -> None:
    for take_over in (True, False):
        on = server(take_over=take_over)
        mpn = share(on)
        on.write(B, 0, W1, X1)
        on.write(A, 0, W1, X1)
        assert (on.frame_of(A, 0) is mpn) is take_over
        assert on.s.frame[mpn] == (Private(page(A, 0)) if take_over else Free())


def test_a_full_frame_gives_way_to_another_and_gets_its_place_back() -> None:
    on = server(most_sharers=2)
    for vm, number in ((A, 0), (A, 1), (A, 2), (B, 0), (B, 1)):
        for word in (W0, W1):
            on.write(vm, number, word, X1)
    for vm, number in ((A, 0), (A, 1), (B, 0), (B, 1)):
        on.run(op.scan, page(vm, number))
    first, second = on.frame_of(A, 0), on.frame_of(B, 0)
    assert [on.frame_of(A, 1), on.frame_of(B, 1)] == [first, second]
    assert first != second
    assert [on.s.count_field[mpn] for mpn in (first, second)] == [2, 2]
    on.run(op.scan, page(A, 2))
    assert on.s.hint[page(A, 2)] != NoHint(), "both are full"
    on.write(A, 0, W0, X0)
    on.run(op.scan, page(A, 2))
    assert (on.frame_of(A, 2), on.s.count_field[first]) == (first, 2)


def test_any_number_of_zeros_share_a_frame_where_they_are_kept_apart() -> None:
    for zero_apart in (True, False):
        on = server(most_sharers=2, zero_apart=zero_apart)
        pages = [page(vm, number) for vm in (A, B) for number in (0, 1)]
        for one in pages:
            on.run(op.first_touch, one)
        for one in pages:
            on.run(op.scan, one)
        frames = {on.frame_of(one.vm, one.number) for one in pages}
        assert len(frames) == (1 if zero_apart else 2)
        assert (frames_shared(on.s), pages_saved(on.s)) == ((0, 0) if zero_apart else (2, 2))


def test_a_collision_of_keys_is_harmless() -> None:
    on = server(hash_bits=0)
    on.write(A, 0, W0, X1)
    on.write(B, 0, W1, X1)
    on.run(op.scan, page(A, 0))
    before = on.s.free_frames
    on.run(op.scan, page(B, 0))
    assert on.s.frame[on.frame_of(A, 0)] == Shared(on.s.domain[A], Key(0))
    assert on.s.frame[on.frame_of(B, 0)] == Private(page(B, 0))
    assert (on.s.free_frames, on.s.attempted[page(B, 0)]) == (before, True)
    assert [on.read(A, 0, W0), on.read(A, 0, W1), on.read(B, 0, W0), on.read(B, 0, W1)] == [X1, X0, X0, X1]


def test_pages_of_two_domains_do_not_share() -> None:
    on = server(domains=2)
    for vm in (A, B):
        on.write(vm, 0, W0, X1)
        on.run(op.scan, page(vm, 0))
    assert on.frame_of(A, 0) is not on.frame_of(B, 0)
    assert all(isinstance(on.s.hint[page(vm, 0)], HintFrame) for vm in (A, B))


# Ballooning.


def ballooned(on: Server) -> Page:
    """A.p0 in the balloon, and A.p1 in use."""
    for number in (0, 1):
        on.write(A, number, W0, X1)
    on.run(op.make_driver_ready, A)
    on.do(balloon.set_balloon_target, (A, 2))
    on.run(op.put_into_balloon, page(A, 0))
    return page(A, 0)


def test_a_ballooned_page_gives_its_frame_and_its_contents_up(on: Server) -> None:
    p = ballooned(on)
    s = on.s
    assert (s.pmap[p], s.balloon_size[A], s.resident[A], s.free_frames) == (Ballooned(), 1, 1, 11)
    assert on.read(A, 0, W0) == X0
    assert (s.driver[A], s.balloon_size[A]) == (MustReset(), 0)


def test_a_block_is_freed_when_no_page_in_it_is_in_use_any_more() -> None:
    on = server(block=2, minimum=0)
    s, block = on.s, (MPN(0), MPN(1))
    for vm, mpn in zip((A, B), block, strict=True):
        on.run(op.first_touch, page(vm, 0), mpn)
        on.run(op.make_driver_ready, vm)
        on.do(balloon.set_balloon_target, (vm, 1))
    on.write(B, 0, W0, X1)
    on.run(op.put_into_balloon, page(A, 0))
    assert ([s.frame[mpn] for mpn in block], s.free_frames) == ([Vacated(), Private(page(B, 0))], 10)
    reasons = [Refused.BLOCK_IN_USE, Refused.BLOCK_IN_USE, Refused.FRAME_IS_FREE]
    for mpn, reason in zip((*block, MPN(2)), reasons, strict=True):
        with pytest.raises(Blocked) as blocked:
            on.do(balloon.reclaim_vacated, (mpn,))
        assert blocked.value.reason == reason
    with pytest.raises(Blocked):
        on.run(op.first_touch, page(A, 1), block[0])
    assert on.read(B, 0, W0) == X1
    on.run(op.put_into_balloon, page(B, 0))
    assert ([s.frame[mpn] for mpn in block], s.free_frames) == ([Free(), Free()], 12)
    check_everything(s)


def test_an_untouched_page_is_in_the_balloon_at_once(on: Server) -> None:
    ballooned(on)
    on.run(op.put_into_balloon, page(A, 3))
    assert (on.s.pmap[page(A, 3)], on.s.balloon_size[A]) == (Ballooned(), 2)


def test_a_driver_is_done_at_its_target_or_where_it_may_or_must_stop_short() -> None:
    for balloon_short in (True, False):
        on = server(balloon_short=balloon_short, minimum=3)
        s = on.s
        on.run(op.make_driver_ready, A)
        assert balloon.balloon_is_done(s, A)
        on.do(balloon.set_balloon_target, (A, 3))
        assert balloon.balloon_is_done(s, A) is balloon_short
        on.run(op.put_into_balloon, page(A, 3))
        for number in range(3):
            on.write(A, number, W0, X1)
        assert refused(on, op.put_into_balloon, page(A, 0)) == Refused.AT_MINIMUM
        assert balloon.balloon_is_done(s, A), "there is no page to put in"
        on.do(balloon.set_balloon_target, (A, 0))
        assert not balloon.balloon_is_done(s, A)
        on.do(balloon.deflate, (page(A, 3),))
        assert balloon.balloon_is_done(s, A)


def test_no_page_goes_into_the_balloon_below_the_minimum_or_beyond_the_target(on: Server) -> None:
    ballooned(on)
    assert refused(on, op.put_into_balloon, page(A, 1)) == Refused.AT_MINIMUM
    on.do(balloon.set_balloon_target, (A, 1))
    assert refused(on, op.put_into_balloon, page(A, 3)) == Refused.TARGET_REACHED


# Paging.


def paged_out(on: Server, number: int = 0) -> Page:
    """One page of A in slot 2, and the next in use."""
    on.write(A, number, W1, X1)
    on.write(A, number, W0, X1)
    on.write(A, number + 1, W0, X1)
    on.do(paging.set_swap_target, (A, 2))
    on.run(op.page_out, page(A, number), Slot(2))
    return page(A, number)


def test_a_page_goes_to_its_slot_and_comes_back(on: Server) -> None:
    p, s = paged_out(on), on.s
    assert (s.pmap[p], s.slot_count[Slot(2)], s.free_slots, s.free_frames) == (Swapped(Slot(2)), 1, 7, 11)
    assert (s.resident[A], s.swapped[A], s.slot_contents[Slot(2)].word(W0)) == (1, 1, X1)
    assert on.read(A, 0, W0) == X1
    assert (s.slot_count[Slot(2)], s.free_slots, s.swapped[A]) == (0, 8, 0)


def test_a_page_that_stays_clean_leaves_again_without_a_write() -> None:
    on = server(keep_slot=True)
    p, s = paged_out(on), on.s
    on.read(A, 0, W0)
    assert (s.kept[p], s.dirty[p], s.slot_count[Slot(2)]) == (KeptSlot(Slot(2)), False, 1)
    on.run(op.page_out, p)
    assert (s.pmap[p], s.kept[p], s.slot_count[Slot(2)]) == (Swapped(Slot(2)), NothingKept(), 1)
    on.write(A, 0, W1, X1)
    on.run(op.page_out, p)
    assert (s.pmap[p], s.slot_count[Slot(0)], s.slot_count[Slot(2)]) == (Swapped(Slot(0)), 1, 0)
    assert [on.read(A, 0, W0), on.read(A, 0, W1)] == [X1, X1]


def test_sharers_of_a_frame_are_paged_out_to_one_slot() -> None:
    on = server(swap_shared=True, minimum=0)
    mpn = share(on)
    for vm in (A, B):
        on.do(paging.set_swap_target, (vm, 1))
        on.run(op.page_out, page(vm, 0))
    s = on.s
    assert (s.pmap[page(A, 0)], s.pmap[page(B, 0)], s.frame[mpn]) == (Swapped(Slot(0)), Swapped(Slot(0)), Free())
    assert (s.slot_count[Slot(0)], s.free_slots) == (2, 7)
    check_everything(s)


def test_a_page_that_leaves_is_shared_in_place_of_paged_out_if_it_can_be(on: Server) -> None:
    mpn = share(on)
    for number in (1, 2):
        on.write(A, number, W0, X1)
    on.do(paging.set_swap_target, (A, 3))
    on.run(op.page_out, page(A, 1))
    assert (on.frame_of(A, 1), on.s.free_slots) == (mpn, 8)
    on.write(A, 2, W1, X1)
    on.run(op.page_out, page(A, 2))
    assert (on.s.pmap[page(A, 2)], on.s.hint[page(A, 2)]) == (Swapped(Slot(0)), NoHint())


def test_a_page_is_not_paged_out_without_an_attempt_to_share_or_at_the_minimum(on: Server) -> None:
    p = paged_out(on)
    assert refused(on, op.page_out, page(A, 1)) == Refused.NO_PAGE_TO_TAKE
    on.read(A, 0, W0)
    with pytest.raises(Blocked) as found:
        on.do(paging.pick_for_paging, (p,))
    assert found.value.reason == Refused.TRY_SHARING_FIRST


def test_a_page_is_paged_out_at_once_where_sharing_need_not_come_first() -> None:
    on = server(share_first=False)
    p = paged_out(on)
    on.read(A, 0, W0)
    on.do(paging.pick_for_paging, (p,))
    assert on.s.operation[p] == Unmapping(ForPaging())


# Devices, moving.


def test_a_page_with_much_io_moves_to_low_memory(on: Server) -> None:
    high, p, s = MPN(9), page(A, 0), on.s
    on.run(op.first_touch, p, high)
    on.write(A, 0, W0, X1)
    for _ in range(2):
        on.run(op.device_write, Transfer(0), p, W1, X1)
    assert (s.pmap[p], s.copies[p], s.frame[MPN(0)]) == (Mapped(high), 2, Free())
    on.run(op.remap, p)
    assert (s.pmap[p], s.copies[p], s.frame[high]) == (Mapped(MPN(0)), 0, Free())
    assert on.run(op.device_read, Transfer(1), p, W1) is None
    assert [on.read(A, 0, W0), on.read(A, 0, W1)] == [X1, X1]


def test_a_low_page_makes_room_only_when_no_low_frame_is_free() -> None:
    on = server(displace=True, low_frames=1, remap_after=1)
    hot, low = page(A, 0), page(A, 1)
    on.run(op.first_touch, hot, MPN(5))
    assert refused(on, op.make_room, low, hot) == Refused.NOT_HOT
    for _ in range(2):
        on.run(op.device_write, Transfer(0), hot, W1, X1)
    assert refused(on, op.make_room, low, hot) == Refused.LOW_FRAME_FREE
    on.run(op.first_touch, low, MPN(0))
    on.run(op.make_room, low, hot)
    assert (on.s.pmap[page(A, 1)], on.s.frame[MPN(0)]) == (Mapped(MPN(1)), Free())


def test_a_page_moves_for_any_reason_only_where_that_is_done() -> None:
    for migrate in (True, False):
        on = server(migrate=migrate, low_frames=4, low_reserve=2)
        p, new = page(A, 0), MPN(7)
        on.run(op.first_touch, p, MPN(8))
        on.write(A, 0, W0, X1)
        if not migrate:
            assert refused(on, op.migrate, p, new) == Refused.NOT_IN_USE_BY_READING
            continue
        on.run(op.migrate, p, new)
        assert (on.s.pmap[p], on.s.frame[MPN(8)], on.read(A, 0, W0)) == (Mapped(new), Free(), X1)
        on.run(op.migrate, p, MPN(0))
        on.run(op.first_touch, page(A, 1), MPN(1))
        assert refused(on, op.migrate, p, MPN(2)) == Refused.KEPT_FOR_DEVICES


def test_the_last_low_frames_are_kept_for_devices_and_hot_pages() -> None:
    on = server(low_frames=4, low_reserve=2, remap_after=1)
    s, hot, fresh = on.s, page(A, 0), page(A, 1)
    for vm in (A, B):
        on.run(op.first_touch, page(vm, 2), MPN(vm.number))
    assert refused(on, op.first_touch, fresh, MPN(2)) == Refused.KEPT_FOR_DEVICES
    on.run(op.first_touch, fresh)
    on.run(op.first_touch, hot)
    assert (s.pmap[fresh], s.pmap[hot], s.low_in_use) == (Mapped(MPN(4)), Mapped(MPN(5)), 2)
    for _ in range(2):
        on.run(op.device_write, Transfer(0), hot, W1, X1)
    on.run(op.remap, hot)
    assert (s.pmap[hot], s.low_in_use) == (Mapped(MPN(2)), 3)
    check_everything(s)


# Power.


def test_nothing_is_left_of_a_vm_that_was_powered_off() -> None:
    on = server(overhead=1, low_frames=8)
    share(on)
    paged_out(on, 1)
    on.run(op.make_driver_ready, A)
    on.do(balloon.set_balloon_target, (A, 1))
    on.run(op.put_into_balloon, page(A, 3))
    on.do(devices.fill_device_entry, (page(A, 2),))
    on.do(devices.start_outbound, (Transfer(0), page(A, 2)))
    on.run(op.power_off, A)
    s = on.s
    assert all(s.pmap[p] == Untouched() and s.operation[p] == Idle() for p in s.each(Page, A))
    assert (s.life[A], s.free_slots, s.reserved_memory, s.reserved_swap) == (Off(), 8, 2, 3)
    assert not any(s.frame[mpn] == Reserved(A) for mpn in s.ids[MPN])
    assert on.read(B, 0, W0) == X1
    on.run(op.power_on, A)
    on.do(translation.guest_changes_table, (VPage(A, 0), Names(page(A, 0))))
    assert on.read(A, 0, W0) == X0
    check_everything(s)


def test_power_on_is_refused_when_what_it_reserves_is_not_there() -> None:
    s = machine(Sizes(frames=3, minimum=2, overhead=0))
    run = ToTheEnd(s)
    run(op.power_on, A)
    with pytest.raises(Blocked) as found:
        run(op.power_on, B)
    assert found.value.reason == Refused.NO_MEMORY_TO_RESERVE


# As a whole or not at all.


def refused(on: Server, operation: Callable[..., op.Steps], *arguments: object) -> object:
    """Why an operation is refused; it has changed nothing, in the machine or in private memory."""
    before, seen = on.s.written(), on.beside.private.written()
    with pytest.raises(Blocked) as found:
        on.run(operation, *arguments)
    assert on.s.written() == before
    assert on.beside.private.written() == seen
    return found.value.reason


def test_an_operation_refused_at_a_late_step_leaves_nothing(on: Server) -> None:
    for number in (0, 1):
        on.write(A, number, W0, X1)
    on.do(paging.set_swap_target, (A, 4))
    on.do(devices.fill_device_entry, (page(A, 0),))
    on.do(devices.start_outbound, (Transfer(0), page(A, 0)))
    assert refused(on, op.page_out, page(A, 0)) == Refused.PINNED
    on.do(devices.end_outbound, (Transfer(0),))
    on.s.slot_count.update(dict.fromkeys(on.s.ids[Slot], 1))
    assert refused(on, op.page_out, page(A, 0)) == Refused.NO_FREE_SLOT
    on.s.slot_count.update(dict.fromkeys(on.s.ids[Slot], 0))
    on.run(op.page_out, page(A, 0))


# In one piece, as the specification tells them.


def leaves(s: Machine) -> dict[str, object]:
    """What is left, but for what the telling in one piece leaves out."""
    return {field: held for field, held in s.written().items() if field not in TRANSLATIONS}


def test_operations_leave_what_the_specification_says_in_one_piece(on: Server) -> None:
    share(on)
    for operation, name, arguments in (
        (op.first_touch, "first_touch", (page(A, 1), MPN(7))),
        (op.break_sharing, "copy_on_write", (page(A, 0), MPN(8))),
        (op.share, "share", (page(A, 0),)),
    ):
        other = on.s.copy()
        other.observer = None
        REGISTER["operation"][name].function(other, *arguments)
        on.run(operation, *arguments)
        assert leaves(on.s) == leaves(other), name


def test_a_dying_vm_is_told_apart(on: Server) -> None:
    on.do(REGISTER["rule"]["power_vm_off"].function, (A,))
    assert on.s.life[A] == Dying()
    assert refused(on, op.first_touch, page(A, 0)) == Refused.VM_NOT_RUNNING
