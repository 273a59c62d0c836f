"""Stories of devices, and of high memory."""

from __future__ import annotations

from pagelaw.spec.machine import Machine
from pagelaw.spec.operations import frame_is_private
from pagelaw.spec.remapping import is_in_high, is_in_low, waits_for_low
from pagelaw.spec.vocabulary import MPN, Free, Mapped, Page

from ..scene import Scene
from .register import DEVICES, Events, ends, more_than_it_must_keep, some_that_share, starts, story, uses


@story(*DEVICES, "read", "write", "scan", one_of=("inflate", "page_out"))
def a_device_reads_what_pages_share(scene: Scene) -> Events:
    """Its page stays until the device is done, also if it has another frame by then; those that share may leave."""
    pages = yield from some_that_share(scene)
    if len(pages) < 2 or not scene.names_left():
        return
    page, other, name = pages[0], pages[1], scene.names_left()[0]
    yield starts(scene, page, name, writes=False)
    yield scene.leaves(page)
    yield scene.leaves(other)
    word = scene.word()
    if scene.random.random() < 0.5:
        yield scene.write(page, word, scene.other_value(scene.holds(page)[word]))
    yield scene.leaves(page)
    yield {"do": "transfer_read", "transfer": name, "word": word}
    yield ends(name)
    yield scene.leaves(page)


@story(*DEVICES, "transfer_write")
def as_many_transfers_as_there_may_be(scene: Scene) -> Events:
    """They begin on different pages, each goes on, and they end in another order; or their VM ends."""
    names, began = scene.names_left(), {}
    names = names[: scene.random.choice((4, len(names)))]
    for name, page in zip(names, scene.some_pages(len(names)), strict=False):
        began[name] = scene.random.random() < 0.3
        yield starts(scene, page, name, began[name])
    order = scene.random.sample(sorted(began), len(began))
    for name in order:
        yield uses(scene, name, began[name])
    vm = scene.some_vm()
    if vm is not None and {"power_on", "power_off"} <= scene.able and scene.random.random() < 0.5:
        yield scene.of_vm("power_off", vm)
        yield scene.of_vm("power_on", vm)
    for name in reversed(order):
        yield ends(name)


@story(*DEVICES, "transfer_write", "write", "read", "page_out")
def what_came_in_is_written_again(scene: Scene) -> Events:
    """A page that was paged out and in is written, by a device or its guest, and paged out once more."""
    for page in scene.some_pages(1):
        word, name = scene.word(), (scene.names_left() or ["t0"])[0]
        yield scene.write(page, word)
        yield from more_than_it_must_keep(scene, page.vm)
        yield scene.of("page_out", page)
        yield scene.read(page)
        value = scene.other_value(scene.holds(page)[word])
        if scene.random.random() < 0.7:
            yield starts(scene, page, name, writes=True)
            yield {"do": "transfer_write", "transfer": name, "word": word, "value": value}
            yield ends(name)
        else:
            yield scene.write(page, word, value)
        yield scene.of("page_out", page)
        yield scene.read(page, word)


def has_high_memory(scene: Scene) -> bool:
    """Whether there are frames that devices do not reach."""
    return scene.has_high_memory


@story(*DEVICES, "write", "remap", where=has_high_memory, first=has_high_memory)
def hot_pages_go_to_low_memory(scene: Scene) -> Events:
    """Pages are copied until they are hot, and go to low memory until it is full; for one more a page makes room."""
    for _ in range(HOT):
        if len(waiting(scene)) > low_and_free(scene):
            break
        pages = scene.some_pages(1, lambda page: is_cold(scene.s, page)) or scene.some_pages(
            1, lambda page: not isinstance(scene.s.pmap[page], Mapped))  # fmt: skip
        for page, name in zip(pages, scene.names_left(), strict=False):
            yield starts(scene, page, name, writes=True)
            yield ends(name)
    if scene.random.random() < 0.3:
        yield from room_is_made(scene)  # too early, if a low frame is free
    for _ in range(low_and_free(scene)):
        for page in waiting(scene)[:1]:
            yield scene.of("remap", page)
    yield from room_is_made(scene)
    for page in waiting(scene)[:1]:
        yield scene.of("remap", page)


HOT = 5
"""So many pages at most are made hot."""


def low_and_free(scene: Scene) -> int:
    """How many low frames are free."""
    return sum(scene.s.low[mpn] and scene.s.frame[mpn] == Free() for mpn in scene.s.ids[MPN])


def is_cold(s: Machine, page: Page) -> bool:
    """Whether a page has a frame of its own in high memory, and is not hot."""
    return is_in_high(s, page) and frame_is_private(s, page) and not waits_for_low(s, page)


def waiting(scene: Scene) -> list[Page]:
    """Pages of running VMs that wait for a low frame."""
    return [page for page in scene.pages(*scene.running()) if waits_for_low(scene.s, page)]


def room_is_made(scene: Scene) -> Events:
    """A page in low memory leaves it, where that is offered, and is declared or has to be refused."""
    if "make_room" not in scene.able or (not scene.displaces and scene.random.random() < 0.8):
        return
    for page in scene.some_pages(1, lambda page: is_in_low(scene.s, page) and frame_is_private(scene.s, page)):
        yield scene.of("make_room", page)
        if "read" in scene.able:
            yield scene.read(page)
