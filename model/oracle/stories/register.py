"""What a story is, and what several have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import attrs

from pagelaw.spec.language import VM
from pagelaw.spec.vocabulary import Mapped, Page

from ..scene import Event, Scene

Events = Iterator[Event]


def always(_: Scene) -> bool:
    """On every machine."""
    return True


def never(_: Scene) -> bool:
    """On none."""
    return False


@attrs.frozen
class Story:
    """One of them."""

    tell: Callable[[Scene], Events]
    needs: frozenset[str]
    """Operations without which it cannot be told."""
    one_of: frozenset[str]
    """Of these, one at least; if there are any."""
    where: Callable[[Scene], bool]
    """On which machines it makes sense."""
    first: Callable[[Scene], bool]
    """On which of them it is told before others."""

    def suits(self, scene: Scene) -> bool:
        """Whether it can be told of this implementation, on this machine."""
        can = self.needs <= scene.able and (not self.one_of or bool(self.one_of & scene.able))
        return can and self.where(scene)


STORIES: list[Story] = []


def story(
    *needs: str, one_of: tuple[str, ...] = (), where: Callable[[Scene], bool] = always,
    first: Callable[[Scene], bool] = never,
) -> Callable[[Callable[[Scene], Events]], Callable[[Scene], Events]]:
    """One more story."""

    def made(tell: Callable[[Scene], Events]) -> Callable[[Scene], Events]:
        STORIES.append(Story(tell, frozenset(needs), frozenset(one_of), where, first))
        return tell

    return made


def in_some_order(scene: Scene, turn: int | None) -> list[Story]:
    """The stories that can be told, each once; the last one comes first. turn: which of them that is, where none has to
    be told before others, so that in many runs each comes first now and then."""
    suitable = [one for one in STORIES if one.suits(scene)]
    its_turn = suitable[turn % len(suitable)] if turn is not None and suitable else None
    scene.random.shuffle(suitable)
    return sorted(suitable, key=lambda one: (one.first(scene), one is its_turn))


# What several tell.

DEVICES = ("start_transfer", "transfer_read", "end_transfer")


def starts(scene: Scene, page: Page, name: str, writes: bool) -> Event:
    """A device begins to write or to read a page."""
    return scene.of("start_transfer", page, transfer=name, writes=writes)


def uses(scene: Scene, name: str, writes: bool) -> Event:
    """A device writes or reads a word."""
    event: Event = {"do": "transfer_write" if writes else "transfer_read", "transfer": name, "word": scene.word()}
    return event | {"value": scene.random.choice(scene.values)} if writes else event


def ends(name: str) -> Event:
    """A device is done."""
    return {"do": "end_transfer", "transfer": name}


def more_than_it_must_keep(scene: Scene, vm: VM) -> Events:
    """Pages of a VM are read until it has more frames than its minimum, so that one may be taken."""
    missing = max(0, scene.s.minimum[vm] + 1 - scene.s.resident[vm])
    for page in scene.some_pages(missing, lambda page: page.vm == vm and not isinstance(scene.s.pmap[page], Mapped)):
        yield scene.read(page)


def some_that_share(scene: Scene, fresh: float = 0.6) -> Generator[Event, None, list[Page]]:
    """Pages that share a frame, more than their VM has to keep; one that starts again (as likely as `fresh`) has no
    others."""
    vm = scene.some_vm()
    if vm is None:
        return []
    if {"power_on", "power_off"} <= scene.able and scene.random.random() < fresh:
        yield scene.of_vm("power_off", vm)
        yield scene.of_vm("power_on", vm)
    pages = scene.some_pages(scene.s.minimum[vm] + 2, lambda page: page.vm == vm)
    if scene.random.random() < 0.3:
        pages += scene.some_pages(1, lambda page: page.vm != vm)
    for page in pages:
        yield scene.read(page)
        yield from scene.alike(page, pages[0])
    for page in pages:
        yield scene.of("scan", page)
    scene.random.shuffle(pages)
    return [page for page in pages if scene.is_shared(page)]
