"""Stories of what pages hold: it comes along, it is compared, and hints to it grow old."""

from __future__ import annotations

from collections.abc import Generator

from pagelaw.spec.vocabulary import Page

from ..scene import MANY_WORDS, Event, Scene
from .register import Events, ends, more_than_it_must_keep, starts, story


def has_many_words(scene: Scene) -> bool:
    """Whether pages are longer than on most machines."""
    return scene.words > MANY_WORDS


@story("write", "read", one_of=("scan", "page_out", "migrate"), first=has_many_words)
def each_word_comes_along(scene: Scene) -> Events:
    """A page goes to another frame, or to the swap area and back, and its first and last words are read."""
    for page in scene.some_pages(1):
        for word in {0, scene.words // 2, scene.words - 1}:
            yield scene.write(page, word, scene.other_value(scene.holds(page)[word]))
        yield from more_than_it_must_keep(scene, page.vm)
        ways = [way for way in ("scan", "page_out", "migrate") if way in scene.able]
        for way in scene.random.sample(ways, len(ways)):
            if way == "scan":
                yield from shared_and_broken(scene, page)
            else:
                yield scene.of(way, page)
            yield scene.read(page, scene.words - 1)
            yield scene.read(page, scene.words // 2)


def shared_and_broken(scene: Scene, page: Page) -> Events:
    """Another page comes to hold the same, they share a frame, and one of them is written."""
    for other in scene.some_pages(1, lambda one: one != page):
        yield from scene.alike(other, page)
        yield scene.of("scan", other)
        yield scene.of("scan", page)
        yield scene.write(page, 0)
        yield scene.read(other, scene.words - 1)
        if {"start_transfer", "end_transfer"} <= scene.able and scene.names_left() and scene.random.random() < 0.5:
            name = scene.names_left()[0]
            yield starts(scene, other, name, writes=True)
            yield ends(name)
        yield scene.write(other)


@story("write", "read", "scan", first=has_many_words)
def alike_but_for_one_word(scene: Scene) -> Events:
    """Two pages share a frame, a third differs from it in one word; then it does not."""
    pages = scene.some_pages(3)
    if len(pages) < 3:
        return
    page, other, third = pages
    yield from scene.alike(other, page)
    yield scene.of("scan", page)
    yield scene.of("scan", other)
    yield from scene.alike(third, page)
    word = scene.words - 1 if scene.random.random() < 0.6 else scene.word()
    yield scene.write(third, word, scene.other_value(scene.holds(page)[word]))
    yield scene.of("scan", third)
    yield scene.read(third, word)
    yield from scene.alike(third, page)
    yield scene.of("scan", third)
    yield scene.write(other)
    yield scene.read(third, word)


@story("write", "read", "scan")
def a_hinted_page_changes(scene: Scene) -> Events:
    """It is written, or a device has it; another that holds what it held is scanned; then it holds that again."""
    pages = yield from hinted_and_another(scene)
    for page, other in pages:
        word, name = scene.word(), (scene.names_left() or ["t0"])[0]
        by_device = "start_transfer" in scene.able and scene.random.random() < 0.5
        if by_device:
            yield starts(scene, page, name, writes=scene.random.random() < 0.5)
        else:
            yield scene.write(page, word, scene.other_value(scene.holds(page)[word]))
        yield scene.of("page_out" if "page_out" in scene.able and scene.random.random() < 0.3 else "scan", other)
        if by_device:
            yield ends(name)
        elif scene.random.random() < 0.5:
            yield from scene.alike(page, other)
        yield scene.of("scan", other)
        yield scene.read(page, word)


@story("write", "read", "scan", one_of=("page_out", "inflate"))
def a_hinted_page_leaves(scene: Scene) -> Events:
    """Another that holds what it held is scanned, before it is back or after."""
    pages = yield from hinted_and_another(scene)
    for page, other in pages:
        yield from more_than_it_must_keep(scene, page.vm)
        yield scene.leaves(page)
        if scene.random.random() < 0.4:
            yield scene.read(page)
            yield from scene.alike(page, other)
        yield scene.of("page_out" if "page_out" in scene.able and scene.random.random() < 0.3 else "scan", other)
        yield scene.read(other)
        yield scene.read(page)


def hinted_and_another(scene: Scene) -> Generator[Event, None, list[tuple[Page, Page]]]:
    """A page that left a hint, and another that holds the same and left none; nothing, if there are no two pages."""
    pages = scene.some_pages(2)
    if len(pages) < 2:
        return []
    page, other = pages
    yield scene.write(page, value=scene.any_value() if scene.random.random() < 0.5 else None)
    yield from scene.alike(other, page)
    yield scene.of("scan", page)
    return [(page, other)]
