"""A driver of a virtio balloon device behind memory-mapped registers, as far as its two queues of pages go.

After "Virtual I/O Device (VIRTIO) Version 1.2": 2.7 (split virtqueues), 4.2 (MMIO) and 5.5 (the balloon).
"""

from __future__ import annotations

import time

from ..oracle.program import Broken
from .qemu import SECONDS, TestProtocol

SLOTS, SLOT, COUNT = 0xFEB00000, 512, 24
"""Where the devices of QEMU's microvm are."""
MAGIC, BALLOON = 0x74726976, 5
(
    MAGIC_VALUE, DEVICE_ID, DRIVER_FEATURES, DRIVER_FEATURES_SEL, QUEUE_SEL, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY,
    STATUS, QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE, NUM_PAGES, ACTUAL,
) = (0x00, 0x08, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x70, 0x80, 0x90, 0xA0, 0x100, 0x104)  # fmt: skip
"""Registers; from 0x100 on the balloon's own."""
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
VERSION_1 = 32
"""The feature bit that says: no legacy."""
INFLATE, DEFLATE = 0, 1
"""The queues."""
SIZE = 8
"""Entries of a queue."""
RINGS, BETWEEN = 1 << 20, 1 << 14
"""Where in guest memory the queues are, and how far from one to the next."""


class BalloonDriver:
    """The driver. It tells one page at a time, and waits until the device has taken it."""

    def __init__(self, memory: TestProtocol) -> None:
        self.memory = memory
        places = [SLOTS + SLOT * number for number in range(COUNT)]
        found = [place for place in places if memory.register(place + MAGIC_VALUE) == MAGIC
                 and memory.register(place + DEVICE_ID) == BALLOON]  # fmt: skip
        if not found:
            raise Broken("garbled", "QEMU has no balloon device where it should be")
        self.place = found[0]
        self.reset()

    def set(self, register: int, value: int) -> None:
        """Write a register."""
        self.memory.set_register(self.place + register, value)

    def get(self, register: int) -> int:
        """Read a register."""
        return self.memory.register(self.place + register)

    def reset(self) -> None:
        """The device is reset and made ready (3.1.1)."""
        self.set(STATUS, 0)
        status = 0
        for step in (ACKNOWLEDGE, DRIVER):
            status |= step
            self.set(STATUS, status)
        for word in (0, 1):
            self.set(DRIVER_FEATURES_SEL, word)
            self.set(DRIVER_FEATURES, 1 << (VERSION_1 - 32) if word else 0)
        status |= FEATURES_OK
        self.set(STATUS, status)
        if not self.get(STATUS) & FEATURES_OK:
            raise Broken("garbled", "the balloon device does not accept VIRTIO_F_VERSION_1")
        self.told = [0, 0]
        for queue in (INFLATE, DEFLATE):
            self.make_queue(queue)
        self.set(STATUS, status | DRIVER_OK)

    def make_queue(self, queue: int) -> None:
        """One queue, empty."""
        at = RINGS + queue * BETWEEN
        self.memory.write(at, bytes(BETWEEN))
        self.set(QUEUE_SEL, queue)
        self.set(QUEUE_NUM, SIZE)
        for register, offset in ((QUEUE_DESC, 0), (QUEUE_DRIVER, 0x1000), (QUEUE_DEVICE, 0x2000)):
            self.set(register, at + offset)
            self.set(register + 4, 0)
        self.set(QUEUE_READY, 1)

    def tell(self, queue: int, page: int) -> None:
        """A page, by its number in guest memory, goes into the balloon, or comes out."""
        at, number = RINGS + queue * BETWEEN, self.told[queue]
        self.memory.write(at + 0x3000, page.to_bytes(4, "little"))
        self.memory.write(at, (at + 0x3000).to_bytes(8, "little") + (4).to_bytes(8, "little"))
        self.memory.write(at + 0x1004 + 2 * (number % SIZE), bytes(2))
        self.told[queue] = number = (number + 1) % (1 << 16)
        self.memory.write(at + 0x1002, number.to_bytes(2, "little"))
        self.set(QUEUE_NOTIFY, queue)
        until = time.monotonic() + SECONDS
        while int.from_bytes(self.memory.read(at + 0x2002, 2), "little") != number:
            if time.monotonic() > until:
                raise Broken("hung", f"the balloon device does not take a page within {SECONDS:g} s")

    def wanted(self) -> int:
        """Pages that the device asks for."""
        return self.get(NUM_PAGES)

    def say_size(self, pages: int) -> None:
        """The device is told how large the balloon is."""
        self.set(ACTUAL, pages)
