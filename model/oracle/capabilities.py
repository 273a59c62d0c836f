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
    "machine": Field("object", "sizes that it needs to be as they are here", {"words": 2},
                     fields={name: attrs.evolve(field, required=False) for name, field in MACHINE_FIELDS.items()}),
}  # fmt: skip

MACHINE: dict[str, Any] = {
    "vms": [{"name": "A", "pages": 6, "minimum": 1}, {"name": "B", "pages": 6, "minimum": 1}],
    "frames": 10, "slots": 12, "words": 2,
}  # fmt: skip
"""The machine that is used, where an implementation needs nothing else: small, so that frames run out."""


@attrs.frozen
class Capabilities:
    """What it can do, and the header of a trace of it."""

    operations: tuple[str, ...]
    header: dict[str, Any]

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
    header = {"pagelaw": VERSION} | {name: answer[name] for name in ("system", "profile", "options", "tells") if name in answer}
    return Capabilities(tuple(answer["operations"]), header | {"machine": MACHINE | answer.get("machine", {})})
