"""The specification: what must hold of how a hypervisor manages memory.

Read it from top to bottom, in this order:

- `private_memory`: what a guest may see; everything below is held against it.
- `vocabulary` and `machine`: the words, and the server's state, field by field.
- `frames`: frames, reference counts, slots; that none is lost.
- `translation` and `coherence` (section 2): who may reach a page, and how that right is withdrawn.
- `zeroing` (2): how a page gets its first frame.
- `operations`: what is true at each stage of an operation.
- `at_once`: each operation in one piece, beside its steps; a good place to start.
- `progress`: that whatever is under way can go on.
- `balloon` (3.2), `paging` (3.3), `listing` and `sharing` (4), `power` (6.2), `devices` and `remapping` (7);
  `records` (4.3): the 16 bytes of a record of the sharing table, bit by bit.
- `profiles`: where real systems do otherwise than the paper, as options with names; `reports`: how sharing is counted.
- Policy: `sampling` and `estimators` (5.3), `shares` and `entitlement` (5.1, 5.2, 6.1),
  `reclamation` and `reclaiming` (6.3).

To add a mechanism: its words go into `vocabulary`, its fields into `machine`;
what its pages hold into `coherence.memory_of`; its stages into the invariants
of `operations`, `translation.may_read` and `progress`; the frames and slots it
uses into the measures of `frames`; its rules, invariants and prose into a
chapter of its own, its telling in one piece into `at_once`. A clause it rests
on is cited by id, a point the paper leaves open gets a reading in
`paper/readings.toml`. `pagelaw check` says what was forgotten.

It imports attrs and the standard library, nothing else.
"""

from . import (
    at_once,
    balloon,
    coherence,
    configuration,
    devices,
    entitlement,
    estimators,
    frames,
    listing,
    operations,
    paging,
    power,
    private_memory,
    progress,
    reclaiming,
    reclamation,
    remapping,
    sampling,
    shares,
    sharing,
    translation,
    zeroing,
)

__all__ = [
    "at_once",
    "balloon",
    "coherence",
    "configuration",
    "devices",
    "entitlement",
    "estimators",
    "frames",
    "listing",
    "operations",
    "paging",
    "power",
    "private_memory",
    "progress",
    "reclaiming",
    "reclamation",
    "remapping",
    "sampling",
    "shares",
    "sharing",
    "translation",
    "zeroing",
]
