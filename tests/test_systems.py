"""Systems to judge: the memory manager, the kernel of this machine, QEMU's balloon device."""

from __future__ import annotations

import sys

import pytest

from pagelaw.model.oracle.conforming import Conformed, Restarted, conform

OPTIMIZED = [sys.executable, "-m", "pagelaw.model.systems.optimized"]


def conformed(command: list[str], runs: int) -> Conformed:
    """What so many runs of a program come to."""
    program = Restarted(command)
    try:
        return conform(program, runs, 80, 0)
    finally:
        program.end()


def test_the_memory_manager_conforms() -> None:
    found = conformed(OPTIMIZED, 20)
    assert found.verdict == "allowed", found.told or found.failure
    assert not found.unsupported
    assert set(found.done) == set(found.able.operations if found.able else ())
    assert {"merge", "break_sharing", "commit_page_out", "install_page_in", "pop"} <= found.rules.keys()


@pytest.mark.deep
def test_the_memory_manager_conforms_for_long() -> None:
    assert conformed(OPTIMIZED, 1000).verdict == "allowed"


@pytest.mark.parametrize("fault", ["IM-19", "IM-26"])
def test_a_fault_of_the_memory_manager_is_forbidden(fault: str) -> None:
    """Copy-on-write without the copy; a slot that is never free again."""
    found = conformed([*OPTIMIZED, "--fault", fault], 20)
    assert found.verdict == "forbidden"
    assert found.failure is not None
    assert found.failure.violation is not None
    assert len(found.failure.events) <= 10
