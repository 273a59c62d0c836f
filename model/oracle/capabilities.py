"""What an implementation says of itself when it is started."""

from __future__ import annotations

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
OTHERS: tuple[dict[str, Any], ...] = (
    {}, {"frames": 5}, {"slots": 7},
    {"frames": 14, "slots": 24, "vms": [{"name": "A", "pages": 12}, {"name": "B", "pages": 12}]},
    {"frames": 5, "vms": [{"name": "A", "pages": 4, "minimum": 3}, {"name": "B", "pages": 4, "minimum": 3}]},
)  # fmt: skip
"""How the machine differs from run to run: fewer frames, slots or frames too few for both VMs."""


@attrs.frozen
class Capabilities:
    """What it can do, and the header of a trace of it."""

    operations: tuple[str, ...]
    header: dict[str, Any]
    needs: dict[str, Any] = attrs.field(factory=dict)
    """Sizes that it needs to be as they are."""
    largest: int = 2**64 - 1
    """The largest number that a word can hold."""

    def of_run(self, number: int) -> Capabilities:
        """The same with the machine of one of many runs."""
        other = OTHERS[number % len(OTHERS)]
        return attrs.evolve(self, header=self.header | {"machine": MACHINE | other | self.needs})

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
    header = {"pagelaw": VERSION} | {
        name: answer[name] for name in ("system", "profile", "options", "tells") if name in answer
    }
    needs = answer.get("machine", {})
    return Capabilities(tuple(answer["operations"]), header | {"machine": MACHINE | needs}, needs,
                        answer.get("largest", 2**64 - 1))  # fmt: skip
