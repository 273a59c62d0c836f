"""The machines of generated runs: small, so that things meet; several vCPUs, so that one can be late."""

from __future__ import annotations

import attrs

from ..reference.reaching import MACHINES as FEW_CPUS
from ..reference.reaching import SMALL

SEVERAL_CPUS = (
    attrs.evolve(SMALL, vcpus=2, frames=7),
    attrs.evolve(SMALL, vcpus=2, vms=1, keep_slot=True, take_over=True, pages=3, slots=6, frames=5),
    attrs.evolve(SMALL, vcpus=2, take_over=True, displace=True, low_frames=2, remap_after=0, frames=8),
    attrs.evolve(
        SMALL, vcpus=2, domains=2, virtual_pages=1, transfers=1, frames=5, values=1, words=1, swap_shared=True
    ),
)
"""The last one is so small that two vCPUs, a device and the server mostly reach for the same page."""

MACHINES = (*FEW_CPUS, *SEVERAL_CPUS)
