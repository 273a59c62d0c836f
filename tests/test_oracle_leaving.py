"""A page that is to leave waits for its own transfers, and not for those of others that read the frame they share."""

from __future__ import annotations

from typing import Any

import pytest

from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN

from .test_oracle_judge import ON, SHARED, judged, only_reason, write

AWAY: dict[str, dict[str, Any]] = {
    "page_out": {"do": "page_out", "vm": "A", "page": 0, "saw": [{"vm": "A", "page": 0, "slot": "s"}]},
    "inflate": {"do": "inflate", "vm": "A", "page": 0, "saw": [{"vm": "A", "page": 0, "is": "ballooned"}]},
}
"""Page 0 of VM A leaves."""
OFF: dict[str, Any] = {"do": "power_off", "vm": "A"}


def reads(vm: str) -> dict[str, Any]:
    """A device begins to read page 0 of a VM."""
    return {"do": "start_transfer", "transfer": "t", "vm": vm, "page": 0, "writes": False}


@pytest.mark.parametrize("leaves", [*AWAY.values(), OFF], ids=[*AWAY, "power_off"])
def test_a_device_of_another_vm_that_reads_the_shared_frame_keeps_nobody(leaves: dict[str, Any]) -> None:
    left = {"saw": [{"frame": "f1", "users": 2}]}
    got = {"do": "transfer_read", "transfer": "t", "word": 0, "got": 7}
    events = [*SHARED, reads("B"), leaves, left, got, {"do": "end_transfer", "transfer": "t"}]
    assert judged([*events, {"saw": [{"frame": "f1", "users": 1}]}]).verdict == ALLOWED


@pytest.mark.parametrize("leaves", AWAY.values(), ids=AWAY)
def test_it_is_no_reason_to_refuse_either(leaves: dict[str, Any]) -> None:
    refused = {key: value for key, value in leaves.items() if key != "saw"} | {"refused": "PINNED"}
    assert judged([*SHARED, reads("B"), refused]).verdict == FORBIDDEN
    assert judged([*SHARED, reads("A"), refused]).verdict == ALLOWED


@pytest.mark.parametrize("leaves", AWAY.values(), ids=AWAY)
@pytest.mark.parametrize("before", [
    [*ON, write("A", 0, 7), reads("A")], [*SHARED, reads("A")], [*SHARED, reads("A"), write("A", 0, 8)],
], ids=["a frame of its own", "a shared frame", "a shared frame that it has left by a write"])  # fmt: skip
def test_a_page_does_not_leave_while_its_own_transfer_is_under_way(
    before: list[dict[str, Any]], leaves: dict[str, Any]
) -> None:
    reason = only_reason(judged([*before, leaves]))
    assert reason.rule == "finish_unmapping"
    assert reason.allowed == ("a refusal: PINNED",)
    assert reason.conjunct.startswith("s.each(Transfer).every(lambda t: not is_for(s.transfer[t], page)) (spec/oper")
    (since,) = reason.since
    assert since.startswith("transfer[t0] is outbound A.p0 ")
    assert since.endswith(": start_outbound")
    assert {"R-03", "R-05", "R-12"} <= set(reason.clauses)
    assert judged([*before, {"do": "end_transfer", "transfer": "t"}, leaves]).verdict == ALLOWED


def test_a_vm_that_is_powered_off_ends_its_own_transfers() -> None:
    ended = {"do": "transfer_read", "transfer": "t", "word": 0, "refused": "NO_TRANSFER"}
    assert judged([*SHARED, reads("A"), OFF, ended]).verdict == ALLOWED
