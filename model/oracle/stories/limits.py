"""Stories of what runs out, of balloons, and of VMs that end."""

from __future__ import annotations

from pagelaw.spec.language import VM
from pagelaw.spec.vocabulary import Mapped, Running, Slot, Untouched

from ..scene import Scene
from .register import Events, more_than_it_must_keep, some_that_share, story


def has_few_slots(scene: Scene) -> bool:
    """Whether all slots come to be in use soon."""
    return len(scene.s.ids[Slot]) < FEW_SLOTS


FEW_SLOTS = 4
"""With fewer slots they are."""


@story("write", "page_out", first=has_few_slots)
def vms_are_paged_out(scene: Scene) -> Events:
    """Each page of one VM or two holds what no other does, and goes to the swap area, until a limit is reached."""
    vms = scene.running()
    for vm in scene.random.sample(vms, min(2, len(vms))):
        for page in scene.random.sample(scene.pages(vm), min(6, len(scene.pages(vm)))):
            yield scene.write(page, value=scene.any_value())
            yield scene.of("page_out", page)


@story("power_on", "power_off", "read", "write", "scan", "page_out")
def pages_of_their_own_are_paged_out_first(scene: Scene) -> Events:
    """Some pages of a VM that starts again share a frame, and one has its own or none has; then they are to leave."""
    pages = yield from some_that_share(scene, fresh=1)
    if pages and scene.random.random() < 0.6:
        yield scene.write(min(pages, key=lambda page: page.number))
    for page in scene.random.sample(pages, len(pages)):
        yield scene.of("page_out", page)
    for page in pages:
        yield scene.read(page)


@story("inflate", "read", "write", where=Scene.has_few_frames)
def memory_is_full(scene: Scene) -> Events:
    """No frame is free: what needs one is refused, and has changed nothing; then one is free again."""
    vm = scene.some_vm()
    if vm is None:
        return
    yield from asked_for_all(scene, vm)
    away = scene.some_pages(2, lambda page: page.vm == vm)
    for page in away:
        yield scene.leaves(page)
    for _ in range(MOST_TOUCHED):
        for page in scene.some_pages(1, lambda page: page not in away and scene.s.pmap[page] == Untouched()):
            if scene.s.free_frames:
                yield scene.read(page)
    shared = scene.some_pages(1, scene.is_shared)
    for page in away + shared:
        yield scene.write(page)
    exchanges = [name for name in ("inflate", "deflate") if name in scene.able]
    for page in away[::-1]:
        yield scene.of(scene.random.choice(exchanges), page)
    for page in scene.some_pages(1, lambda page: isinstance(scene.s.pmap[page], Mapped)):
        yield scene.of("inflate", page)
    for page in away + shared:
        yield scene.write(page)


MOST_TOUCHED = 12
"""So many pages at most are touched to fill memory."""


def asked_for_all(scene: Scene, vm: VM) -> Events:
    """The driver of a VM is ready, and all of the VM may go into the balloon, where that is told."""
    if "start_driver" in scene.able:
        yield scene.of_vm("start_driver", vm)
    if "set_balloon_target" in scene.able:
        yield scene.of_vm("set_balloon_target", vm, pages=scene.s.maximum[vm])


@story("inflate", "read")
def the_balloon_pops(scene: Scene) -> Events:
    """Pages are in it, one of them is touched; the driver goes on, and what became of the others is asked."""
    vm = scene.some_vm()
    if vm is None:
        return
    yield from asked_for_all(scene, vm)
    yield from more_than_it_must_keep(scene, vm)
    pages = scene.some_pages(3, lambda page: page.vm == vm)
    for page in pages:
        yield scene.of("inflate", page)
    if not pages:
        return
    yield scene.read(pages[-1])
    exchanges = [name for name in ("inflate", "deflate") if name in scene.able]
    if scene.random.random() < 0.8:
        for page in scene.some_pages(1, lambda page: page.vm == vm and page not in pages):
            yield scene.of("inflate", page)
    for page in pages:
        yield scene.of(scene.random.choice(exchanges), page)
    for page in pages:
        if scene.random.random() < 0.4:
            yield scene.read(page)


@story("power_on", "power_off", "write", "read")
def a_vm_ends_and_starts_again(scene: Scene) -> Events:
    """What it had is free, in frames, in the swap area, in the balloon; its first and last pages are asked."""
    vm = scene.some_vm()
    if vm is None:
        return
    pages = [*dict.fromkeys(scene.some_pages(2, lambda page: page.vm == vm) + list(scene.pages(vm)[-1:]))]
    ways = [way for way in ("page_out", "inflate", "scan") if way in scene.able]
    for page in pages:
        yield scene.write(page, value=scene.other_value(0))
    yield from more_than_it_must_keep(scene, vm)
    for page in pages[::-1]:
        if ways and scene.random.random() < 0.8:
            yield scene.of(scene.random.choice(ways), page)
    yield scene.of_vm("power_off", vm)
    for page in scene.some_pages(1, lambda page: scene.s.pmap[page] == Untouched()):
        yield scene.read(page)
    yield scene.of_vm("power_on", vm)
    if scene.s.life[vm] == Running():
        asks = [ask for ask in ("read", "read", "deflate", "page_in", "inflate") if ask in scene.able]
        for page in pages[::-1]:
            ask = scene.random.choice(asks)
            yield scene.read(page) if ask == "read" else scene.of(ask, page)
