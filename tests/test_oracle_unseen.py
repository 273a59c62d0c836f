"""What unseen internal operations may have done is never held against a trace; what they never do always is."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pagelaw.model.oracle.capabilities import capabilities
from pagelaw.model.oracle.driving import Drawing, Run
from pagelaw.model.oracle.event_fields import SETTLES
from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN, UNDETERMINED
from pagelaw.model.oracle.scene import Event
from pagelaw.model.systems.reference import Reference
from pagelaw.spec.frames import reference_count
from pagelaw.spec.language import VM
from pagelaw.spec.vocabulary import Mapped, Page, Shared

from .test_oracle_judge import HEADER, ON, SHARED, at, judged, read, write

SEEDS = 40
WRITTEN = (*ON, write("A", 0, 7, "f1"), write("B", 0, 7, "f2"), write("B", 1, 8, "f3"))
ALL: dict[str, Any] = {"settle": True}
SEEN: dict[str, Any] = ALL | {"saw": [at("A", 0, "f1"), at("B", 0, "f2"), at("B", 1, "f3")]}
"""Everything may have happened, and it was seen where each page is."""


def only(*kinds: str) -> dict[str, Any]:
    """Internal operations of these kinds, of which nothing was seen."""
    return {"settle": list(kinds)}


def page(vm: str, number: int, **more: Any) -> dict[str, Any]:
    """An observation of a page."""
    return {"vm": vm, "page": number, **more}


def saw(*seen: dict[str, Any]) -> dict[str, Any]:
    """A look at the machine."""
    return {"saw": list(seen)}


@pytest.mark.parametrize(
    "events",
    [
        (ALL, saw(page("A", 0, words=[8]))),
        (ALL, saw({"free_frames": 0}, page("A", 0, words=[8]))),
        (ALL, read("A", 0, 8)),
        (ALL, saw(page("A", 0, **{"is": "absent"}))),
        (ALL, saw(page("A", 1, **{"is": "resident"}))),
        (ALL, saw(page("A", 1, slot="s1"))),
        (ALL, saw(at("A", 0, "f9"), at("B", 1, "f9"))),
        (ALL, saw(page("A", 0, slot="s1"), page("B", 1, slot="s1"))),
        (ALL, saw({"vm": "A", "resident": 2})),
        (ALL, saw({"vm": "A", "swapped": 2})),
        (ALL, saw({"vm": "B", "resident": 1, "swapped": 2})),
        (ALL, saw({"vm": "A", "ballooned": 1})),
        (ALL, saw({"vm": "A", "runs": False})),
        (ALL, saw({"free_frames": 7})),
        (ALL, saw({"free_frames": 2})),
        (ALL, saw({"free_slots": 9})),
        (ALL, saw({"saved": 2})),
        (ALL, saw({"shared": 2})),
        (ALL, saw({"state": "low"})),
        (ALL, {"do": "power_on", "vm": "A"}),
        (ALL, {"do": "read", "vm": "A", "page": 0, "word": 0, "refused": "VM_NOT_RUNNING"}),
        (ALL, {"do": "deflate", "vm": "A", "page": 0}),
        (ALL, {"do": "scan", "vm": "B", "page": 1, "got": "shared"}),
        (ALL, {"do": "scan", "vm": "A", "page": 1}),
        (ALL, {"do": "read", "vm": "A", "page": 1, "word": 0, "refused": "NO_FREE_FRAME"}),
        (only("scan"), saw({"vm": "A", "resident": 0})),
        (only("scan"), saw({"free_frames": 5})),
        (only("scan"), saw({"frame": "f9", "users": 1})),
        (only("migrate", "unshare"), saw({"free_frames": 4})),
        (only("page_in", "migrate"), saw({"vm": "A", "resident": 0})),
        (SEEN, saw(at("A", 0, "f4"))),
        (SEEN, saw({"free_frames": 4})),
        (SEEN, saw({"frame": "f1", "users": 2})),
        (SEEN, saw({"frame": "f9", "users": 1})),
        (SEEN, saw(at("A", 1, "f1"))),
        (SEEN, write("A", 1, 3, "f1")),
        (SEEN, {"do": "page_in", "vm": "A", "page": 0}),
        (SEEN, {"do": "scan", "vm": "B", "page": 1, "got": "shared"}),
        (ALL, saw(at("A", 0, "f1")), saw(at("B", 1, "f1"))),
        (ALL, saw(at("A", 0, "f1")), write("B", 1, 9, "f1")),
        (ALL, saw(page("A", 0, **{"is": "resident"})), saw({"vm": "A", "resident": 0})),
        (ALL, ALL | {"saw": [at("A", 0, "f1"), at("B", 1, "f1")]}),
    ],
)
def test_what_nothing_unseen_explains(events: tuple[dict[str, Any], ...]) -> None:
    judge = judged([*WRITTEN, *events])
    assert judge.verdict == FORBIDDEN
    assert judge.violations[0].line == 1 + len(WRITTEN) + len(events)


@pytest.mark.parametrize(
    "events",
    [
        (saw(at("A", 0, "f4")),),
        (saw(page("A", 0, slot="s1")),),
        (saw(at("A", 0, "f9"), at("B", 0, "f9")),),
        (saw(page("A", 0, slot="s1"), page("B", 0, slot="s1")),),
        (saw({"vm": "A", "resident": 0}),),
        (saw({"vm": "B", "resident": 1, "swapped": 1}),),
        (saw({"free_frames": 6}),),
        (saw({"free_slots": 6}),),
        (saw({"saved": 1, "shared": 1}),),
        (saw({"frame": "f9", "users": 1}),),
        (saw({"frame": "f1", "users": 2}),),
        (saw({"frame": "f1", "is": "shared"}),),
        (saw(at("B", 1, "f1")),),
        (write("A", 0, 9, "f4"),),
        (write("A", 1, 9, "f1"),),
        ({"do": "scan", "vm": "B", "page": 0, "got": "shared"},),
        ({"do": "page_in", "vm": "A", "page": 0},),
        ({"do": "unshare", "vm": "A", "page": 0},),
        ({"do": "page_out", "vm": "A", "page": 0, "refused": "NOT_PRIVATE"},),
    ],
)
def test_what_something_unseen_may_explain(events: tuple[dict[str, Any], ...]) -> None:
    assert judged([*WRITTEN, *events]).verdict == FORBIDDEN
    assert judged([*WRITTEN, ALL, *events]).verdict == UNDETERMINED


ALONE = (*SHARED, {"do": "power_off", "vm": "B"}, ALL | {"saw": [at("A", 0, "f1")]})
"""It was seen where the one page is, and not whether its frame is listed as shared."""


@pytest.mark.parametrize(
    "events",
    [
        (saw({"frame": "f1", "is": "private"}),),
        (write("A", 0, 8, "f1"),),
        ({"do": "unshare", "vm": "A", "page": 0, "refused": "NOT_SHARED"},),
        (write("A", 0, 8), saw(at("A", 0, "f1"))),
    ],
)
def test_what_cannot_be_seen_of_a_frame_that_one_page_has(events: tuple[dict[str, Any], ...]) -> None:
    assert judged([*ALONE, *events]).verdict in (ALLOWED, UNDETERMINED)


def test_a_page_that_was_seen_in_some_frame_may_be_in_another() -> None:
    resident = ALL | {"saw": [page("A", 0, **{"is": "resident"})]}
    assert judged([*WRITTEN, resident, saw(at("A", 0, "f4"))]).verdict == UNDETERMINED
    assert judged([*WRITTEN, resident, saw(page("A", 0, slot="s1"))]).verdict == FORBIDDEN


def test_a_page_out_shares_with_what_it_finds_and_leaves_no_hint() -> None:
    together = only("page_out") | {"saw": [at("A", 0, "f1"), at("B", 0, "f1")]}
    assert judged([*WRITTEN, together]).verdict == FORBIDDEN
    assert judged([*WRITTEN, {"do": "scan", "vm": "A", "page": 0}, together]).verdict == ALLOWED
    assert judged([*WRITTEN, SEEN, together]).verdict == UNDETERMINED  # a scan may have left the hint


def test_no_internal_operations_were_found_says_which_pages_and_what_refuses() -> None:
    """One frame: a page cannot have moved to another."""
    header = HEADER | {"machine": HEADER["machine"] | {"frames": 1, "slots": 4, "vms": [{"name": "A", "pages": 4}]},
                       "profile": "linux"}  # fmt: skip
    judge = judged([ON[0], write("A", 0, 7, "f1"), {"settle": ["migrate"], "saw": [at("A", 0, "f2")]}], header)
    (reason,) = judge.violations[0].reasons
    assert judge.verdict == UNDETERMINED
    assert "page A.p0 is in another frame" in reason.told
    assert "move at will: page A.p0" in reason.told
    assert reason.rule == "move_at_will"
    assert reason.conjunct.endswith(")")


# Against the reference model, which does more than it says.


def hiding(seed: int, lines: int) -> list[dict[str, Any]]:
    """Operations of the reference model: where it settles it does some on its own account, and not all is seen."""
    random = Random(seed)
    reference = Reference(random.choice(("esx", "linux")))
    able = capabilities(reference.start()).of_run(seed)
    drawing = Drawing(Run(reference, able), random)
    drawing.run.judge.candidates = [reference.c]  # what is drawn goes by where the reference is
    made: list[dict[str, Any]] = [able.header]
    for event in drawing.beginning():
        made.append(event | reference.do(event))
    while len(made) < lines:
        if random.random() < 0.15:
            kinds = random.sample(SETTLES, random.randint(1, len(SETTLES)))
            for _ in range(random.randint(0, 6)):
                reference.do(drawing.of_a_page(random.choice(kinds), random.choice(reference.c.machine.ids[VM])))
            pages = [one for one in reference.c.machine.ids[Page] if random.random() < 0.4]
            made.append({"settle": kinds, "saw": [partly(reference.of_page(one), random) for one in pages]})
        elif random.random() < 0.1:
            made.append({"saw": list(looked_at(reference, random))})
        else:
            event = drawing.next()
            answer = reference.do(event)
            answer["saw"] = [one for one in answer.get("saw", ()) if random.random() < 0.6]
            made.append(event | answer)
    return made


def partly(seen: Event, random: Random) -> Event:
    """Where a page is, or only of what kind."""
    if random.random() < 0.5 or not seen.keys() & {"frame", "slot"}:
        return seen
    kind = "resident" if "frame" in seen else "swapped"
    return {"vm": seen["vm"], "page": seen["page"], "is": kind}


def looked_at(reference: Reference, random: Random) -> Iterator[Event]:
    """Counts, as they are."""
    s = reference.c.machine
    for vm in s.ids[VM]:
        yield {"vm": reference.vms[vm], "resident": s.resident[vm], "swapped": s.swapped[vm]}
    yield {"free_frames": s.free_frames}
    used = [at.mpn for at in s.pmap.values() if isinstance(at, Mapped)]
    if used:
        mpn = random.choice(used)
        kind = "shared" if isinstance(s.frame[mpn], Shared) else "private"
        yield {"frame": repr(mpn), "users": reference_count(s, mpn), "is": kind}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_it_hides_is_never_forbidden(seed: int) -> None:
    header, *events = hiding(seed, 60)
    assert judged(events, header).verdict in (ALLOWED, UNDETERMINED)
