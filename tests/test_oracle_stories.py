"""Stories of `pagelaw conform`: each comes to what it is about, and asks for nothing that cannot be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pagelaw.model.oracle.capabilities import OTHERS, capabilities
from pagelaw.model.oracle.driving import Drawing, Run
from pagelaw.model.oracle.stories import STORIES, Story, in_some_order
from pagelaw.model.systems.reference import Reference

SEEDS = 8
ABOUT: dict[str, tuple[str, tuple[str, ...]]] = {
    "each_word_comes_along": ("pages of many words", ("break_sharing", "install_page_in")),
    "alike_but_for_one_word": ("pages of many words", ("merge",)),
    "a_hinted_page_changes": ("few pages", ("remove_stale_hint", "PINNED")),
    "a_hinted_page_leaves": ("few pages", ("remove_stale_hint", "commit_page_out")),
    "a_device_reads_what_pages_share": ("few pages", ("start_outbound", "commit_page_out", "PINNED")),
    "as_many_transfers_as_there_may_be": ("few pages", ("device_writes", "device_reads", "NO_TRANSFER")),
    "what_came_in_is_written_again": ("few pages", ("install_page_in", "device_writes", "commit_page_out")),
    "hot_pages_go_to_low_memory": ("low memory", ("move_to_low", "move_to_high")),
    "vms_are_paged_out": ("few frames", ("commit_page_out", "NO_PAGE_TO_TAKE")),
    "pages_of_their_own_are_paged_out_first": ("few pages", ("commit_page_out", "NOT_PRIVATE")),
    "memory_is_full": ("few frames", ("NO_FREE_FRAME", "inflate")),
    "the_balloon_pops": ("few pages", ("pop", "forget_ballooned_page")),
    "a_vm_ends_and_starts_again": ("few pages", ("release_at_power_off", "reap")),
}
"""Of each story a machine on which it can be told, and rules and refusals that it comes to."""


class Able(Reference):
    """The reference, which makes room, with some operations only."""

    def __init__(self, *operations: str) -> None:
        super().__init__()
        self.operations = operations
        self.needs: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """What it can do, and needs."""
        said = super().start() | {"machine": self.needs}
        return said | {"operations": list(self.operations or said["operations"]), "options": {"displace": True}}

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """A new machine."""
        super().reset(machine)
        self.c.machine.displace = True
        return {}


def begun(able: Able, machine: str, seed: int) -> Drawing:
    """A run on that machine, with its VMs on and some pages in use."""
    capable = capabilities(able.start()).on(OTHERS[machine])
    drawing = Drawing(Run(able, capable), Random(seed))
    drawing.values = drawing.sets[seed % 3]
    for event in drawing.beginning():
        assert drawing.run.do(event) is None
    return drawing


def tell(story: Story, drawing: Drawing) -> Iterator[dict[str, Any]]:
    """The events of a story; each is allowed."""
    for event in story.tell(drawing):
        assert drawing.run.do(event) is None, drawing.run.lines[-1]
        yield event


def test_each_story_is_here() -> None:
    assert {story.tell.__name__ for story in STORIES} == ABOUT.keys()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.tell.__name__)
def test_a_story_comes_to_what_it_is_about(story: Story) -> None:
    machine, about = ABOUT[story.tell.__name__]
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        drawing = begun(Able(), machine, seed)
        assert story.suits(drawing)
        done = {event["do"] for _ in range(2) for event in tell(story, drawing)}
        assert done
        seen += drawing.run.judge.exercised + drawing.run.judge.refusals
    assert seen.keys() >= {*about}


@pytest.mark.parametrize("operations", [
    ("power_on", "read", "write"), ("power_on", "read", "write", "scan"), ("read", "write", "page_out"),
    ("power_on", "power_off", "read", "write", "scan", "page_out", "page_in", "inflate", "deflate"),
    ("power_on", "power_off", "read", "write", "scan", "start_transfer", "transfer_read", "end_transfer"),
    ("power_on", "inflate", "touch", "read", "write"),
], ids=" ".join)  # fmt: skip
def test_stories_ask_for_what_an_implementation_can_do(operations: tuple[str, ...]) -> None:
    for story in STORIES:
        drawing = begun(Able(*operations), ABOUT[story.tell.__name__][0], 0)
        for _ in range(3 if story.suits(drawing) else 0):
            assert {event["do"] for event in tell(story, drawing)} <= {*operations}


@pytest.mark.parametrize(("needs", "due"), [({}, 8), ({"transfers": 3}, 3), ({"transfers": 1}, 1)])
def test_as_many_transfers_as_the_machine_has_are_under_way_at_once(needs: dict[str, int], due: int) -> None:
    (story,) = (one for one in STORIES if one.tell.__name__ == "as_many_transfers_as_there_may_be")
    most = 0
    for seed in range(SEEDS):
        able = Able()
        able.needs = needs
        drawing = begun(able, "few pages", seed)
        most = max([most, *(len(drawing.under_way()) for _ in tell(story, drawing))])
    assert most == drawing.most_transfers == due


def test_the_last_of_many_words_is_written_often() -> None:
    drawing = begun(Able(), "pages of many words", 0)
    words = Counter(event["word"] for event in (drawing.drawn_alone() for _ in range(2000)) if event["do"] == "write")
    assert words[7] > 2 * words[3] > 0


@pytest.mark.parametrize("turn", range(3))
def test_stories_take_turns_and_each_is_told_once_before_one_is_told_again(turn: int) -> None:
    drawing = begun(Able(), "few pages", 0)
    suitable = [story for story in STORIES if story.suits(drawing)]
    order = in_some_order(drawing, turn)
    assert order[-1] is suitable[turn]
    assert sorted(map(suitable.index, order)) == list(range(len(suitable)))
    low = begun(Able(), "low memory", 0)
    assert in_some_order(low, turn)[-1].tell.__name__ == "hot_pages_go_to_low_memory"
