"""A few operations whose answers a person can check: whether an adapter speaks the protocol at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .capabilities import Capabilities
from .driving import Failure, Run
from .scene import Event

A, B = {"vm": "A"}, {"vm": "B"}
EVENTS: tuple[tuple[Event, str], ...] = (
    ({"do": "power_on", **A}, "VM A starts"),
    ({"do": "power_on", **B}, "VM B starts"),
    ({"do": "read", **A, "page": 0, "word": 0}, "a page that nobody wrote reads as zero: got 0"),
    ({"do": "write", **A, "page": 0, "word": 0, "value": 7}, "page 0 of A holds 7"),
    ({"do": "read", **A, "page": 0, "word": 0}, "its own last write: got 7"),
    ({"do": "read", **B, "page": 0, "word": 0}, "another VM's page 0 is another page: got 0"),
    ({"do": "write", **B, "page": 1, "word": 0, "value": 7}, "page 1 of B holds the same as page 0 of A"),
    ({"do": "scan", **A, "page": 0}, "nothing was scanned before: not shared"),
    ({"do": "scan", **B, "page": 1}, "the two pages come to share a frame, now or at a later scan"),
    ({"do": "write", **B, "page": 1, "word": 0, "value": 8}, "B gets a copy of its own"),
    ({"do": "read", **A, "page": 0, "word": 0}, "A still reads 7"),
    ({"do": "page_out", **A, "page": 0}, "page 0 of A goes to the swap area"),
    ({"do": "read", **A, "page": 0, "word": 0}, "it is still there, or comes back: got 7"),
    ({"do": "inflate", **A, "page": 0}, "the guest gives page 0 to the balloon"),
    ({"do": "read", **A, "page": 0, "word": 0}, "if it was given away it reads as zero now: got 0; else 7"),
)  # fmt: skip


def smoke(
    implementation: Any, able: Capabilities
) -> Iterator[tuple[Event, str, dict[str, Any] | None, Failure | None]]:
    """Each event that it can do, what it is for, the answer, and what is wrong with it."""
    vms = [{**vm, "minimum": 0} for vm in able.machine["vms"]]
    names = [vm["name"] for vm in vms]
    run = Run(implementation, Capabilities(able.operations, able.header | {"machine": able.machine | {"vms": vms}}))
    for event, meaning in EVENTS:
        if event["do"] not in able.operations or event["vm"] not in names:
            yield event, meaning, None, None
            continue
        failure = run.do(event)
        yield event, meaning, last_answer(run, event), failure
        if failure is not None:
            return


def last_answer(run: Run, event: Event) -> dict[str, Any] | None:
    """What came back, without what was sent."""
    if len(run.lines) < 2 or not run.events:
        return None
    made = json.loads(run.lines[-1])
    return {name: value for name, value in made.items() if name not in event}
