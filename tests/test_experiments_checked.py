"""Runs of large machines checked step by step: they are the same runs, and faults are noticed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import attrs
import pytest

from pagelaw.model.cli import main
from pagelaw.model.experiments.checking import Checked
from pagelaw.model.experiments.figures import eight
from pagelaw.model.experiments.figures.figure import How
from pagelaw.model.experiments.run import Plan, Run
from pagelaw.model.experiments.server import Server, Undefined
from pagelaw.model.experiments.words import fields_read
from pagelaw.model.reference.beside import Violation
from pagelaw.model.reference.choosing import Proposal
from pagelaw.proofs import mutants
from pagelaw.spec import frames, operations, power, sharing, zeroing
from pagelaw.spec.language import REGISTER, VM
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, Page

NOTICED = ("LK-1", "PO-9", "ORD-3", "SYN-14", "SYN-24", "SYN-29")
"""Faults that such a run comes across. Most need steps of others in between, which there are none of here."""


def small_eight(seconds: int = 60) -> Plan:
    return attrs.evolve(eight.plan(How(scale=Fraction(1, 256))), seconds=seconds)


def test_a_checked_run_is_the_same_run() -> None:
    plain, checked = Run(small_eight()).run(), Run(small_eight(), Checked).run()
    assert plain.notes == checked.notes
    assert plain.server.done == checked.server.done


def test_sums_that_are_kept_are_the_sums() -> None:
    """After a run every measure of VMs and of the whole is what adding up gives; those of frames too."""
    kept: list[Checked] = []

    def checking(machine: Machine) -> Checked:
        kept.append(Checked(machine))
        return kept[0]

    run = Run(small_eight(), checking).run()
    s = run.server.machine
    for one in kept[0].sums.all:
        for of, now in list(one.now.items())[::7]:
            assert now == one(s, *one.parameters(of)) == one.measure(s, *one.parameters(of)), one.measure.__name__
        assert {of: now for of, now in one.now.items() if now} == {of: was for of, was in one.was.items() if was}
    of_frame = next(one for one in kept[0].sums.all if one.measure is frames.pages_mapped_to)
    for mpn in s.each(MPN)[::11]:
        assert of_frame(s, mpn) == frames.pages_mapped_to(s, mpn)


def test_what_a_statement_can_read() -> None:
    """Fields are found in what a statement calls, and in functions inside it."""
    assert fields_read(frames.free_frames_counted) == {"free_frames", "frame"}
    assert {"pmap", "frame"} <= fields_read(operations.mapped_frame_is_own_or_shared)
    assert {"hint", "table", "life", "operation"} <= fields_read(sharing.a_hint_is_of_what_the_page_holds)
    for kind in ("invariant", "transition"):
        for entry in REGISTER[kind].values():
            assert fields_read(entry.function), entry.name


@pytest.mark.parametrize("mutant", NOTICED)
def test_a_fault_is_noticed(mutant: str) -> None:
    """A run on rules with a fault of a real system, or an invented one, ends with what it violates."""
    with mutants.apply(mutant), pytest.raises(Violation):
        Run(small_eight(), Checked).run()


def test_the_command_says_what_is_violated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, the step, what does not hold; and no figure."""
    with mutants.apply("SYN-5"):
        assert main(["figures", str(tmp_path), "--only", "7", "--scale", "1/256", "--check"]) == 1
    assert "figure 7: after " in capsys.readouterr().err


SERVED = """\
memory = 64
seconds = 100
[[vm]]
name = "one"
size = 48
minimum = 16
shares = 100
overhead = 2
[[vm.does]]
what = "use"
megabytes = 40
from = "files"
until = 100
work_us = 300
"""


def test_the_commands_say_which_step_is_neither_done_nor_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2, and no figure. With --check that is a violation."""
    file, out = tmp_path / "machine.toml", tmp_path / "out"
    file.write_text(SERVED)
    with mutants.apply("begin_estimates/constant-4"):
        for command in (["figures", str(out), "--only", "8", "--scale", "1/256"], ["serve", str(file)]):
            assert main(command) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert ": power_vm_on(A) is neither done nor refused (ZeroDivisionError: Fraction(1, 0))" in line
            assert main([*command, "--check"]) == 1
            assert "power_vm_on(A,) reads what is not there" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_a_rule_that_reads_what_is_not_there_is_told_with_its_step() -> None:
    """One step, or one of an operation; what acts by rules and is wrong itself stays a mistake of its own."""
    server = Server(small_eight().machine())
    s = server.machine
    vm, page, mpn = s.ids[VM][0], s.ids[Page][0], s.ids[MPN][0]
    server.do(power.power_vm_on, (vm,))
    with mutants.apply("LK-2"), pytest.raises(Undefined, match=r"^scan_finds_shared_frame\(A.p0\) is .*TypeError"):
        server.run(iter([(zeroing.touch, (page, mpn)), (sharing.scan_finds_shared_frame, (page,))]))

    def clear(s: Machine, page: Page) -> None:
        """It takes for granted that the page is being compared."""
        s.contents[s.operation[page].target] = s.zero  # type: ignore[attr-defined]

    with pytest.raises(Undefined, match=r"^clear\(A.p0\) is neither done nor refused \(AttributeError: "):
        server.do(clear, (page,))

    def wrong() -> Iterator[Proposal]:
        yield zeroing.clear, (page,)
        raise AttributeError("of an actor")

    with pytest.raises(AttributeError, match="of an actor"):
        server.run(wrong())
