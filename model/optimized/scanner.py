"""The page scanner: pages picked at random, so many a second of each VM and of all, scanned in batches."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np

from ..experiments.daemons import Pace
from .sharing import Memory


class Scanner:
    """Scans pages of running VMs (ESX-4.3-18, ESX-4.3-19).

    each, of_all: pages a second of each VM, and of all of them. The same seed picks the same pages.
    """

    def __init__(self, memory: Memory, each: int = 50, of_all: int = 200, seed: int = 0) -> None:
        self.memory, self._random = memory, np.random.default_rng(seed)
        self._each = [Pace(Fraction(each)) for _ in memory.vms]
        self._all = Pace(Fraction(of_all))
        self._first = 0

    def turn(self, seconds: Fraction) -> Counter[int]:
        """So much time has passed: scan what is due, the VMs in turn; how often each outcome of `scanning` came.

        The pages of a turn are visited in the order of the pmap: which of them is first is nobody's business.
        """
        memory, left = self.memory, self._all.due(seconds)
        due = [pace.due(seconds) for pace in self._each]
        picked = []
        for step in range(len(due)):
            vm = (self._first + step) % len(due)
            count = min(due[vm], left) if memory.vms[vm].runs else 0
            picked.append(self._random.integers(0, memory.vms[vm].maximum, count) + memory.state.first_page[vm])
            left -= count
        self._first = (self._first + 1) % len(due)
        return Counter(memory.scan_all(np.sort(np.concatenate(picked))).tolist())
