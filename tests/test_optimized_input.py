"""What the memory manager refuses is named, and leaves everything as it was."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from pagelaw.model.optimized import memory
from pagelaw.model.optimized.memory import MOST_OPERATIONS, MOST_TRANSFERS, Machine
from pagelaw.model.optimized.pairing import Pair, Shape
from pagelaw.model.optimized.refusing import BadInput, Refusal, TableFull
from pagelaw.model.optimized.scanning import LEFT_HINT, MERGED
from pagelaw.model.optimized.sharing import Memory


def small(**changed: Any) -> Memory:
    """Two VMs, of which the first runs and has written two pages."""
    sizes: dict[str, Any] = {"pages": (4, 4), "frames": 8, "slots": 8, "minimum": (1, 1)}
    memory = Memory(Machine(**{**sizes, **changed}))
    memory.power_on(0)
    for ppn in (0, 1):
        memory.write(0, ppn, 0, bytes([ppn + 1]))
    return memory


def kept(memory: Memory) -> tuple[Any, ...]:
    """All that it keeps."""
    arrays = [array.tobytes() for array in memory.state if isinstance(array, np.ndarray)]
    return (arrays, memory.slots.words.tobytes(), memory.slots.free(), deepcopy(memory.vms), dict(memory.stages),
            +memory.pins, memory.reserved_memory, memory.reserved_swap)  # fmt: skip


BAD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no such VM": (lambda m: m.read(2, 0), r"VM is 2: it must be 0 to 1"),
    "no such page": (lambda m: m.write(0, 4, 0, b"x"), r"page is 4: it must be 0 to 3"),
    "a page below none": (lambda m: m.scan(0, -1), r"page is -1: it must be 0 to 3"),
    "a huge page": (lambda m: m.inflate(0, 10**30), r"it must be 0 to 3"),
    "too many bytes": (lambda m: m.write(0, 0, 4090, b"1234567"), r"page is 4090 to 4097: it must be within"),
    "bytes before the page": (lambda m: m.read(0, 0, -1, 4), r"offset is -1: it must be 0 to 4,096"),
    "half a place": (lambda m: m.scan_all([0.5]), r"pages is float64 in 1 dimensions: it must be whole numbers"),
    "places in a square": (lambda m: m.scan_all([[0]]), r"pages is int64 in 2 dimensions: it must be whole numbers"),
    "a huge place": (lambda m: m.scan_all([10**30]), r"it must be whole numbers in a row"),
    "half a page": (lambda m: m.read(0, 1.5), r"page is 1.5: it must be a whole number, 0 to 3"),
    "a page by name": (lambda m: m.scan("A", 0), r"VM is 'A': it must be a whole number, 0 to 1"),
    "a truth for a page": (lambda m: m.read(0, True), r"page is True: it must be 0 to 3"),
    "no offset": (lambda m: m.write(0, 0, None, b"x"), r"offset is None: it must be a whole number, 0 to 4,096"),
    "text": (lambda m: m.write(0, 0, 0, "x"), r"what is to be written is str: it must be bytes, or an array"),
    "a level by name": (lambda m: m.set_swap_target(0, "all"), r"pages is 'all': it must be a whole number"),
    "an array in pieces": (lambda m: m.write_pages(0, 2, np.zeros((512, 2), np.uint64)[:, 0]), r"in one piece"),
    "part of a page": (lambda m: m.write_pages(0, 2, b"x" * 4095), r"4095: it must be a multiple of 4096"),
    "no page at all": (lambda m: m.write_pages(0, 2, b""), r"it must be a multiple of 4096"),
    "pages beyond the VM": (lambda m: m.write_pages(0, 3, bytes(8192)), r"page is 4: it must be 0 to 3"),
    "a place beyond all numbers": (lambda m: m.scan_all(np.array([0, 2**64 - 1], np.uint64)),
                                   r"page is 18446744073709551615: it must be 0 to 7"),
    "a truth for a place": (lambda m: m.scan_all([True, 1]), r"pages is \[True, 1\]: it must be whole numbers"),
    "a text for places": (lambda m: m.scan_all(""), r"pages is str: it must be whole numbers in a row"),
    "places without order": (lambda m: m.scan_all({}), r"pages is dict: it must be whole numbers in a row"),
    "hidden places": (lambda m: m.scan_all(np.ma.masked_array([0, 1], [False, True])), r"pages is MaskedArray"),
    "objects for bytes": (lambda m: m.write(0, 0, 0, np.array([None])), r"what is to be written is ndarray"),
    "objects among bytes": (lambda m: m.write(0, 0, 0, np.zeros(1, [("a", "u8"), ("b", object)])), r"is ndarray"),
    "a text for a truth": (lambda m: m.start_transfer(0, 0, "no"), r"writes is 'no': it must be True or False"),
    "a number for a truth": (lambda m: m.scan(0, 0, 1), r"leaving is 1: it must be True or False"),
    "a place that is none": (lambda m: m.scan_all([0, 8]), r"page is 8: it must be 0 to 7"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name_and_changes_nothing(name: str) -> None:
    ask, told = BAD[name]
    memory = small()
    before = kept(memory)
    with pytest.raises(BadInput, match=told):
        ask(memory)
    assert kept(memory) == before


REFUSED: dict[str, tuple[Callable[[Memory], Any], str]] = {
    "a VM that is off": (lambda m: m.read(1, 0), "VM_NOT_RUNNING"),
    "a VM that runs": (lambda m: m.power_on(0), "VM_NOT_OFF"),
    "an untouched page": (lambda m: m.scan(0, 2), "NOT_PRIVATE"),
    "a level beyond the VM": (lambda m: m.set_swap_target(0, 5), "NOT_A_LEVEL"),
    "no level at all": (lambda m: m.page_out(0, 0), "NO_PAGE_TO_TAKE"),
    "no driver": (lambda m: m.inflate(0, 0), "NO_DRIVER"),
    "nothing to merge": (lambda m: m.merge(0, 0), "WRONG_STAGE"),
    "nothing alike": (lambda m: m.start_share(0, 0), "NO_MATCH"),
    "a page that nobody lets out": (lambda m: m.leave_clean(0, 0), "WRONG_STAGE"),
    "a page that goes to no copy": (lambda m: m.leave_to_copy(0, 0), "WRONG_STAGE"),
    "a page that is not hot": (lambda m: m.remap(0, 0), "NOT_HOT"),
    "pages that were touched": (lambda m: m.write_pages(0, 0, bytes(4096)), "NOT_UNTOUCHED"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_has_a_name_and_changes_nothing(name: str) -> None:
    ask, reason = REFUSED[name]
    memory = small()
    before = kept(memory)
    with pytest.raises(Refusal) as refused:
        ask(memory)
    assert refused.value.reason == reason
    assert kept(memory) == before


def test_a_transfer_ends_once() -> None:
    memory = small()
    transfer = memory.start_transfer(0, 0, writes=True)
    memory.end_transfer(transfer)
    before = kept(memory)
    with pytest.raises(Refusal, match="no transfer"):
        memory.end_transfer(transfer)
    with pytest.raises(Refusal, match="no transfer"):
        memory.device_write(transfer, 0, b"x")
    assert kept(memory) == before


def test_all_that_has_bytes_can_be_written() -> None:
    memory = small()
    for data in (b"abc", bytearray(b"abc"), memoryview(b"abc"), np.frombuffer(b"abc", np.uint8), b""):
        memory.write(0, 0, 8, data)
        assert memory.read(0, 0, 8, 3) == b"abc"


def test_a_full_table_takes_no_hint() -> None:
    memory = small(records=1)
    memory.scan(0, 0)
    before = kept(memory)
    with pytest.raises(TableFull):
        memory.scan(0, 1)
    assert kept(memory) == before


def test_without_a_free_frame_a_page_waits() -> None:
    memory = small(frames=2)
    before = kept(memory)
    with pytest.raises(Refusal, match="no free frame"):
        memory.write(0, 2, 0, b"x")
    with pytest.raises(Refusal, match="no free frame"):
        memory.write_pages(0, 2, bytes(8192))
    assert kept(memory) == before


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pages": ()}, "VMs is 0"),
        ({"pages": (4, 0)}, "pages of a VM is 0: it must be 1 to"),
        ({"frames": 0}, "frames is 0: it must be 1 to 268,435,456"),
        ({"frames": 1 << 29}, "frames is 536870912: it must be 1 to 268,435,456"),
        ({"frames": 10**30}, "it must be 1 to 268,435,456"),
        ({"slots": -1}, "slots is -1"),
        ({"minimum": (1,)}, r"minimum is \(1,\): it must be a number for each of 2 VMs"),
        ({"minimum": (5, 1)}, "minimum is 5: it must be 0 to the size of its VM, 4"),
        ({"overhead": (0.5, 0.5)}, "overhead is 0.5: it must be a whole number, 0 to"),
        ({"overhead": (-3, 0)}, "overhead is -3: it must be 0 to"),
        ({"domains": (0,)}, r"domains is \(0,\): it must be a number for each of 2 VMs"),
        ({"domains": (0, -1)}, "domain is -1: it must be 0 to"),
        ({"domains": "AB"}, "domain is 'AB': it must be a whole number for each VM"),
        ({"keep_slot": 1}, "keep_slot is 1: it must be True or False"),
        ({"swap_shared": "no"}, "swap_shared is 'no': it must be True or False"),
        ({"take_over": None}, "take_over is None: it must be True or False"),
        ({"low_frames": 0}, "low_frames is 0: it must be 1 to 8"),
        ({"low_frames": 9}, "low_frames is 9: it must be 1 to 8"),
        ({"low_reserve": 1}, "low_reserve is 1: it must be 0"),
        ({"low_frames": 3, "low_reserve": 4}, "low_reserve is 4: it must be 0 to 3"),
        ({"displace": 1}, "displace is 1: it must be True or False"),
        ({"remap_after": -1}, "remap_after is -1: it must be 0 to"),
        ({"pages": 4}, "pages of a VM is 4: it must be a whole number for each VM"),
        ({"frames": "8"}, "frames is '8': it must be a whole number, 1 to"),
        ({"count_top": 65_536}, "count_top is 65536: it must be 2 to 65,535"),
        ({"buckets": 3}, "buckets is 3: it must be a power of two"),
        ({"width": 23}, "width is 23: it must be 24 to 28"),
        ({"width": 24, "frames": (1 << 24) + 1}, "enough for the number of every frame and page"),
    ],
)
def test_a_machine_that_makes_no_sense_is_refused(changed: dict[str, Any], told: str) -> None:
    sizes: dict[str, Any] = {"pages": (4, 4), "frames": 8, "slots": 8, "minimum": (1, 1)}
    with pytest.raises(BadInput, match=told):
        Machine(**{**sizes, **changed})


def test_a_machine_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(np, "zeros", none_left)
    with pytest.raises(BadInput, match="what fits into the memory of this computer"):
        Memory(Machine(pages=(4,), frames=8, slots=8, minimum=(1,)))


def test_a_machine_of_which_each_part_fits_but_not_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[str, Any] = {"pages": (4,), "frames": 8, "slots": 8, "minimum": (1,)}
    monkeypatch.setattr(memory, "computer_memory", lambda: 8 * 4096 + 100)
    with pytest.raises(BadInput, match="frames is 8: it must be what fits into the memory of this computer"):
        Memory(Machine(**sizes))
    monkeypatch.setattr(memory, "computer_memory", lambda: 1 << 20)
    Memory(Machine(**sizes))


NUMBERS: dict[str, Any] = {"frames": 9, "slots": 8, "low_frames": 8, "low_reserve": 3, "remap_after": 2, "records": 255,
                           "buckets": 16, "width": 24, "count_top": 200}  # fmt: skip


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_numbers_of_numpy_become_those_of_python(kind: Any) -> None:
    """Theirs would overflow."""
    one = Machine(pages=(4, 4), minimum=(1, 1), **{name: kind(number) for name, number in NUMBERS.items()})
    assert one == Machine(pages=(4, 4), minimum=(1, 1), **NUMBERS)
    assert {type(getattr(one, name)) for name in NUMBERS} == {int}
    Memory(one).power_on(0)


@pytest.mark.parametrize("pages", [{4, 5}, {4: 1, 5: 1}])
def test_sizes_without_an_order_are_refused(pages: Any) -> None:
    with pytest.raises(BadInput, match="it must be a whole number for each VM"):
        Machine(pages=pages, frames=8, slots=8, minimum=(1, 1))


@pytest.mark.parametrize(("hashed", "told"), [
    (5, r"hashed is 5: it must be a function of bytes that gives a whole number"),
    (lambda held: 1.5, r"a hash is 1.5: it must be a whole number"),
])  # fmt: skip
def test_a_hash_function_that_is_none_is_refused(hashed: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        power_on_and_scan(Memory(Machine(pages=(4,), frames=8, slots=8, minimum=(1,)), hashed))


def power_on_and_scan(memory: Memory) -> None:
    """The least for which a hash is asked."""
    memory.power_on(0)
    memory.write(0, 0, 0, b"x")
    memory.scan(0, 0)


def test_no_machine_is_refused() -> None:
    with pytest.raises(BadInput, match="machine is None: it must be a Machine"):
        Memory(None)  # type: ignore[arg-type]


def test_more_zero_pages_than_a_count_field_holds() -> None:
    """The zero page's count is in the overflow table from 65,535 users on, and in its field again below (R-23)."""
    pages = 65_600
    memory = Memory(Machine(pages=(pages,), frames=pages, slots=pages, minimum=(0,), by_number=True))
    memory.power_on(0)
    memory.write_pages(0, 0, np.zeros(pages, np.uint64))
    memory.scan_all(np.arange(pages))
    assert memory.free_frames == pages - 1
    assert memory.counts() == {0: (pages, 65_535)}
    for ppn in range(66):
        memory.write(0, ppn, 0, (ppn + 1).to_bytes(8, "little"))
    assert memory.counts() == {0: (65_534, 65_534)}
    memory.write(0, 0, 0, bytes(8))
    memory.scan(0, 0)
    assert memory.counts() == {0: (65_535, 65_535)}


def test_every_user_of_a_frame_fits_into_the_overflow_table() -> None:
    """Also the transfers: as many as may be under way at a time."""
    memory = small(pages=(8,), minimum=(1,), count_top=2)
    for ppn, held in enumerate((b"a", b"a", b"b", b"b", b"c", b"c")):
        memory.write(0, ppn, 0, held)
        memory.scan(0, ppn)
    transfers = [memory.start_transfer(0, 2 * (number % 3), writes=False) for number in range(MOST_TRANSFERS)]
    before = kept(memory)
    with pytest.raises(BadInput, match=r"transfers under way is 4097: it must be at most 4096"):
        memory.start_transfer(0, 0, writes=False)
    assert kept(memory) == before
    assert sorted(users for users, _ in memory.counts().values()) == [1367, 1367, 1368]
    for transfer in transfers:
        memory.end_transfer(transfer)
    assert set(memory.counts().values()) == {(2, 2)}


def test_with_as_many_operations_as_may_be_nothing_begins() -> None:
    memory = small(pages=(1100,), frames=1100, slots=1100, minimum=(0,), by_number=True)
    for ppn in range(1100):
        memory.write(0, ppn, 0, b"\1")
    memory.scan_all([0, 1])
    memory.set_swap_target(0, 1100)
    memory.scan(0, 1098)
    memory.write(0, 1099, 0, b"\2")
    assert memory.page_out(0, 1099)
    for ppn in range(2, 2 + MOST_OPERATIONS):
        memory.start_share(0, ppn)
    before = kept(memory)
    for ask in (memory.start_share, memory.page_out):
        with pytest.raises(BadInput, match="operations under way is 1025: it must be at most 1024"):
            ask(0, 1090)
    with pytest.raises(BadInput, match="operations under way"):
        memory.read(0, 1099)
    assert kept(memory) == before


def test_numbers_of_numpy_are_numbers() -> None:
    memory = small(pages=(256, 256), frames=600, slots=600)
    with pytest.raises(BadInput, match="page is 259: it must be 0 to 255"):
        memory.write_pages(0, np.uint8(250), bytes(40960))  # type: ignore[arg-type]
    memory.write(0, np.uint8(200), np.uint16(4090), b"abc")  # type: ignore[arg-type]
    assert memory.read(0, 200, np.uint8(255), 1) == b"\0"  # type: ignore[arg-type]
    assert memory.read(0, 200, 4090, 3) == b"abc"
    eight: Any = np.int64(8)
    assert Machine(pages=(eight,), frames=eight, slots=8, minimum=(1,)).frames.bit_length() == 4


def test_a_page_comes_in_for_its_own_vm_only() -> None:
    memory = small()
    memory.set_swap_target(0, 4)
    assert memory.page_out(0, 0)
    memory.start_page_in(0, 0)
    before = kept(memory)
    for vm, ppn in ((1, 0), (0, 1)):
        with pytest.raises(Refusal):
            memory.finish_page_in(vm, ppn)
    with pytest.raises(BadInput):
        memory.finish_page_in(0, -4)
    assert kept(memory) == before
    memory.finish_page_in(0, 0)
    assert memory.read(0, 0, 0, 1) == b"\1"


SHARED_AND_READ = (
    ("power_on", 0), ("power_on", 1), ("set_swap_target", 0, 1), ("write", 0, 0, 0, 1), ("write", 1, 0, 0, 1),
    ("scan", 0, 0, False), ("scan", 1, 0, False), ("start_transfer", 0, 0, 0, False),
)  # fmt: skip
"""A page of each VM is in one frame, which a device reads for the first VM."""


def test_a_page_that_was_written_waits_for_its_transfer_on_the_frame_that_it_had() -> None:
    pair = Pair(Shape(minimum=0))
    for operation in (*SHARED_AND_READ, ("write", 0, 0, 0, 2), ("page_out", 0, 0), ("power_off", 0)):
        pair.do(*operation)
    assert pair.seen["page_out refused: PINNED"] == pair.seen["power_off refused: PINNED"] == 1
    for operation in (("end_transfer", 0), ("page_out", 0, 0), ("power_off", 0)):
        pair.do(*operation)
    assert pair.seen["page_out"] == pair.seen["power_off"] == 1


def test_a_vm_is_powered_off_though_a_device_reads_its_frame_for_another() -> None:
    pair = Pair(Shape())
    for operation in (*SHARED_AND_READ, ("power_off", 1)):
        pair.do(*operation)
    assert pair.seen["power_off"] == 1
    assert list(pair.memory.counts().values()) == [(2, 2)]


def test_domains_have_any_numbers_and_cost_no_bytes() -> None:
    sizes: dict[str, Any] = {"pages": (1 << 12,) * 3, "frames": 3 << 12, "slots": 0, "minimum": (1 << 12,) * 3}
    one, two = Memory(Machine(**sizes)), Memory(Machine(**sizes, domains=(70, 3, 70)))
    assert two.bytes_kept() == one.bytes_kept()
    for vm in range(3):
        two.power_on(vm)
        two.write(vm, 0, 0, b"the same")
    assert [two.scan(vm, 0) for vm in range(3)] == [LEFT_HINT, LEFT_HINT, MERGED]
    assert two.frame(two.place(0, 0)) == two.frame(two.place(2, 0)) != two.frame(two.place(1, 0))
    for vm in range(3):
        assert two.read(vm, 0, 0, 8) == b"the same"


def test_copies_cost_memory_only_where_they_are_kept() -> None:
    sizes: dict[str, Any] = {"pages": (1 << 12,), "frames": 1 << 12, "slots": 1 << 12, "minimum": (0,)}
    least = Memory(Machine(**sizes)).bytes_kept()
    assert least < 22.6 * (1 << 12) + 8 * MOST_OPERATIONS
    for option, arrays in (("take_over", 0), ("keep_slot", 1), ("swap_shared", 2)):  # 4 bytes a page, slot or record
        assert Memory(Machine(**sizes | {option: True})).bytes_kept() == least + arrays * (4 << 12)


def test_a_page_that_came_in_leaves_without_a_write_until_it_is_written() -> None:
    memory = small(keep_slot=True)
    memory.set_swap_target(0, 4)
    assert memory.page_out(0, 0)
    assert memory.read(0, 0, 0, 1) == b"\1"
    assert len(memory.slots) == 7
    memory.slots.words[memory.copies.of_page(0)] = 5  # who writes it again overwrites this
    assert memory.page_out(0, 0)
    assert memory.read(0, 0, 0, 1) == b"\5"
    memory.write(0, 0, 0, b"\2")
    assert len(memory.slots) == 8
    memory.page_out(0, 0)
    assert memory.read(0, 0, 0, 1) == b"\2"


def test_a_page_with_a_copy_needs_no_other_slot() -> None:
    memory = small(keep_slot=True)
    memory.set_swap_target(0, 4)
    memory.page_out(0, 0)
    memory.read(0, 0)
    memory.scan(0, 0, leaving=True)
    memory.pick_for_paging(0, 0)
    memory.finish_unmapping(0, 0)
    before = kept(memory)
    for ask, reason in ((memory.reserve_slot, "KEPT_SLOT"), (memory.leave_to_copy, "NO_KEPT_SLOT")):
        with pytest.raises(Refusal) as refused:
            ask(0, 0)
        assert refused.value.reason == reason
    assert kept(memory) == before
    memory.leave_clean(0, 0)
    assert memory.read(0, 0, 0, 1) == b"\1"


def test_many_hashes_at_once_are_those_of_one_at_a_time() -> None:
    for by_number in (False, True):
        memory = small(pages=(200, 1), frames=201, slots=201, by_number=by_number)
        for ppn in range(200):
            memory.write(0, ppn, 0, bytes([ppn % 7, ppn % 3]))
        frames = np.random.default_rng(0).permutation(200)
        hashing = memory.keys.hashing
        assert hashing.of_all(frames).tolist() == [hashing.of(frame) for frame in frames.tolist()]
