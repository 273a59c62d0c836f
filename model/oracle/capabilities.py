"""What an implementation says of itself when it is started."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs

from .fields import Field, Malformed, check_fields
from .header import HEADER_FIELDS, MACHINE_FIELDS, VERSION
from .operations import OPERATIONS

START_FIELDS = {
    "pagelaw": HEADER_FIELDS["pagelaw"],
    "system": HEADER_FIELDS["system"],
    "profile": HEADER_FIELDS["profile"],
    "options": HEADER_FIELDS["options"],
    "tells": HEADER_FIELDS["tells"],
    "operations": Field("list", "the operations it can do", ["power_on", "read", "write"], required=True, least=1,
                        most=len(OPERATIONS), inner=Field("one", "an operation", "read", options=tuple(OPERATIONS))),
    "largest": Field("whole", "the largest number that a word can hold; 2^64 - 1 if not said", 2**53 - 1, least=2),
    "machine": Field("object", "sizes that it needs to be as they are here", {"words": 2},
                     fields={name: attrs.evolve(field, required=False) for name, field in MACHINE_FIELDS.items()}),
}  # fmt: skip

MACHINE: dict[str, Any] = {
    "vms": [{"name": "A", "pages": 6, "minimum": 1}, {"name": "B", "pages": 6, "minimum": 1}],
    "frames": 10, "slots": 12, "words": 2,
}  # fmt: skip
"""The machine that is used, where an implementation needs nothing else: small, so that frames run out."""

def equal_vms(names: str, **more: Any) -> list[dict[str, Any]]:
    """VMs of one kind."""
    return [{"name": name, **more} for name in names]


OTHERS: dict[str, dict[str, Any]] = {
    "few pages": {},
    "few frames": {"frames": 5, "slots": 10},
    "few slots": {"slots": 9},  # one less than both VMs may need
    "more pages than frames": {"frames": 14, "slots": 24, "vms": equal_vms("AB", pages=12)},
    "several vCPUs": {"vcpus": 3},
    "low memory": {"frames": 8, "low": ["f0", "f1", "f2"], "low_reserve": 1, "remap_after": 0},
    "pages of many words": {"words": 8},
    "frames for one VM only": {"frames": 5, "vms": equal_vms("AB", pages=4, minimum=3)},
    "overhead": {"vms": [
        {"name": "A", "pages": 6, "minimum": 1, "overhead": 2}, {"name": "B", "pages": 6, "overhead": 1}]},
    "sharing domains": {"frames": 12, "slots": 18, "vms": [
        {"name": "A", "pages": 5}, {"name": "B", "pages": 5, "domain": 1}, {"name": "C", "pages": 5}]},
    "many VMs": {"frames": 16, "slots": 24, "vms": equal_vms("ABCDE", pages=5, minimum=1)},
    "just enough frames": {"frames": 6, "vms": equal_vms("AB", pages=4, minimum=3)},
    "just enough slots": {"slots": 2, "vms": equal_vms("AB", pages=3, minimum=2)},
}  # fmt: skip
"""How the machine differs from run to run, each by a name for the report."""
CROWD = "hundreds of equal pages"
CROWDED: dict[str, Any] = {"frames": 40, "slots": 280, "vms": equal_vms("ABCDE", pages=56)}
"""One machine more, now and then: a frame may come to have more users than a byte counts."""
CROWDED_EVERY = 50
CROWDED_STEPS = 6
"""So many times as many operations as another run has: each page is to be used and scanned."""


@attrs.frozen
class Capabilities:
    """What it can do, and the header of a trace of it."""

    operations: tuple[str, ...]
    header: dict[str, Any]
    needs: dict[str, Any] = attrs.field(factory=dict)
    """Sizes that it needs to be as they are."""
    largest: int = 2**64 - 1
    """The largest number that a word can hold."""
    what: str = "few pages"
    """What the machine is called in the report."""
    longer: int = 1
    """So many times as many operations as others does a run on it have."""

    def of_run(self, number: int) -> Capabilities:
        """The same with the machine of one of many runs."""
        if number % CROWDED_EVERY == CROWDED_EVERY // 2:
            return attrs.evolve(self.on(CROWDED), what=CROWD, longer=CROWDED_STEPS)
        what = tuple(OTHERS)[number % len(OTHERS)]
        return attrs.evolve(self.on(OTHERS[what]), what=what)

    def on(self, other: dict[str, Any]) -> Capabilities:
        """The same on a machine that differs so, save in what the implementation needs."""
        sizes = MACHINE | other | self.needs
        if "low" in sizes and "low" not in self.needs:
            sizes["low"] = sizes["low"][: sizes["frames"]]
        return attrs.evolve(self, header=self.header | {"machine": sizes})

    @property
    def machine(self) -> dict[str, Any]:
        """The sizes of the machine it is reset to."""
        return self.header["machine"]  # type: ignore[no-any-return]


def capabilities(answer: dict[str, Any]) -> Capabilities:
    """Read what it answered. Malformed says what is wrong."""
    if "pagelaw" not in answer:
        raise Malformed('the answer to start lacks "pagelaw", the version of the format (1)')
    if answer["pagelaw"] != VERSION:
        raise Malformed(f"it speaks version {answer['pagelaw']!r}, and this pagelaw version {VERSION} only")
    check_fields(answer, START_FIELDS, "")
    twice = sorted(name for name, count in Counter(answer["operations"]).items() if count > 1)
    if twice:
        raise Malformed(f"operations names {twice[0]!r} twice")
    header = {"pagelaw": VERSION} | {
        name: answer[name] for name in ("system", "profile", "options", "tells") if name in answer
    }
    needs = answer.get("machine", {})
    return Capabilities(tuple(answer["operations"]), header | {"machine": MACHINE | needs}, needs,
                        answer.get("largest", 2**64 - 1))  # fmt: skip
