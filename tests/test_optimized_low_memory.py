"""Low memory, which devices reach: bounce buffers, hot pages that move, frames kept for devices, room that is made."""

from typing import Any

import pytest

from pagelaw.model.optimized.hunting import replay
from pagelaw.model.optimized.pairing import Shape
from pagelaw.model.optimized.refusing import BadInput, Refusal

from .test_optimized_input import kept, small


def test_a_page_in_high_memory_is_bounced_until_it_is_hot_and_moves() -> None:
    memory = small(low_frames=2, remap_after=1)
    assert not memory.is_hot(0)
    for copies in (1, 2):
        transfer = memory.start_transfer(0, 0, writes=True)
        memory.device_write(transfer, 7, b"ab")
        before = kept(memory)
        with pytest.raises(Refusal, match="no transfer"):
            memory.device_write(transfer, 0, b"c")
        with pytest.raises(Refusal, match="no transfer"):
            memory.device_read(transfer, 0, 1)
        with pytest.raises(BadInput, match="bytes of a page is 4090 to 4100: it must be within"):
            memory.device_read(memory.start_transfer(0, 1, writes=False), 4090, 10)
        memory.end_transfer(next(one for one in memory.transfers if not one.writes))
        assert kept(memory)[1:] == before[1:]
        memory.end_transfer(transfer)
        assert memory.copied[0] == copies
    assert memory.read(0, 0, 6, 4) == b"\0ab\0"
    assert memory.frame(0) >= 2
    memory.remap(0, 0)
    assert memory.frame(0) < 2
    assert memory.read(0, 0, 6, 4) == b"\0ab\0"
    assert memory.start_transfer(0, 0, writes=True).buffer is None


def test_without_a_free_low_frame_nothing_is_bounced_or_moved() -> None:
    memory = small(low_frames=1, remap_after=0)
    transfer = memory.start_transfer(0, 0, writes=False)
    before = kept(memory)
    for ask in (lambda: memory.start_transfer(0, 3, writes=True), lambda: memory.remap(0, 0)):
        with pytest.raises(Refusal, match="no free frame"):
            ask()
    assert kept(memory) == before
    memory.end_transfer(transfer)
    memory.remap(0, 0)
    assert memory.frame(0) == 0


def test_the_low_frame_that_its_last_user_leaves_can_be_its_buffer() -> None:
    operations: list[tuple[Any, ...]] = [
        ("power_on", 1), ("power_on", 0), ("write", 0, 1, 0, 0), ("write", 0, 2, 1, 2),
        ("start_transfer", 1, 1, 1, True), ("write", 1, 2, 1, 1), ("write", 1, 3, 1, 1),
        ("write_pages", 0, 0, ((1, 0),)), ("write", 1, 0, 0, 1), ("scan_all", (3, 2, 4, 7, 0)), ("power_off", 0),
        ("power_on", 0), ("start_transfer", 2, 0, 1, True), ("start_transfer", 0, 1, 0, True),
    ]  # fmt: skip
    assert replay(Shape(frames=10, low_frames=4), operations) is None


def test_the_last_low_frames_are_for_devices_and_hot_pages() -> None:
    memory = small(frames=4, low_frames=2, low_reserve=1, remap_after=0)
    for ppn in range(3):
        memory.write(0, ppn, 0, b"a")
    assert [memory.frame(ppn) for ppn in range(3)] == [2, 3, 0]
    before = kept(memory)
    with pytest.raises(Refusal, match="kept for devices"):
        memory.write(0, 3, 0, b"a")
    with pytest.raises(Refusal, match="kept for devices"):
        memory.write_pages(0, 3, bytes(4096))
    assert kept(memory) == before
    transfer = memory.start_transfer(0, 0, writes=False)
    assert transfer.buffer == 1
    with pytest.raises(Refusal, match="no free frame"):
        memory.write(0, 3, 0, b"a")
    memory.end_transfer(transfer)
    memory.remap(0, 0)
    assert memory.frame(0) == 1


def test_a_page_makes_room_for_a_hot_one() -> None:
    memory = small(frames=4, low_frames=1, remap_after=0, displace=True)
    for ppn in range(3):
        memory.write(0, ppn, 0, bytes([ppn]))
    memory.end_transfer(memory.start_transfer(0, 0, writes=False))
    with pytest.raises(Refusal, match="low frame free"):
        memory.make_room(0, 1, 0, 0)
    memory.write(0, 3, 0, b"\3")
    with pytest.raises(Refusal, match="no free frame"):
        memory.make_room(0, 3, 0, 0)
    memory.set_balloon_target(0, 1)
    memory.start_driver(0)
    memory.reset_driver(0)
    memory.inflate(0, 2)
    for page, hot, reason in ((3, 1, "not hot"), (1, 0, "same zone")):
        with pytest.raises(Refusal, match=reason):
            memory.make_room(0, page, 0, hot)
    memory.make_room(0, 3, 0, 0)
    memory.remap(0, 0)
    assert (memory.frame(0), memory.frame(3) > 0, memory.read(0, 3, 0, 1)) == (0, True, b"\3")
