"""Every path of every rule that can be taken at all is taken by a run from the initial state."""

from collections.abc import Iterator
from functools import wraps
from pathlib import Path as File
from typing import Any

import attrs
import pytest

from pagelaw.model.reference import reaching as reaching_module
from pagelaw.model.reference.paths import Recorder
from pagelaw.model.reference.reaching import SMALL, Reaching, Replay, Run, expected_paths, main, path_taken
from pagelaw.model.reference.setup import machine
from pagelaw.proofs.obligations import Theory
from pagelaw.proofs.reach import expected_dead_paths, path_names
from pagelaw.spec.language import REGISTER, VM, Blocked, Entry
from pagelaw.spec.vocabulary import Page

NOT_REACHED = File(__file__).with_name("not_reached.txt")

LAST_SHARER = (
    "let_go: isinstance(s.frame[mpn], Shared); drop_reference: left == 0; "
    "forget_shared_frame: Shared(domain, key); forget_shared_frame: not KeptSlot(slot)"
)
NO_TRANSFER_FOR_IT = "s.each(Transfer).every(lambda t: not is_for(s.transfer[t], page))"
REVOKED = "ask_to_flush: AllVCPUs(); ask_to_flush: Devices()"

DEEP = [
    f"leave_old_frame done [Leaving(old); {LAST_SHARER}]",
    f"merge done [Same(target); Mapped(old); {REVOKED}]",
    "merge refuses WRONG_STAGE [anything else]",
    "check_pins refuses PINNED [Quiet(target); Mapped(mpn); asks s.pins[mpn] == 0]",
    "compare done [Alone(target); not contents_of(s, page) == s.contents[target]; drop_reference: not left == 0]",
    "take_over_frame refuses LAST_USER_ONLY [Mapped(mpn); asks reference_count(s, mpn) == 1]",
    f"install_copy done [Copied(new); Mapped(old); s.frame[old] == Private(page); {REVOKED}]",
    f"install_copy done [Copied(new); Mapped(old); not s.frame[old] == Private(page); {REVOKED}]",
    "install_page_in done [ReadIn(page, slot, new); s.keep_slot]",
    "install_page_in done [ReadIn(page, slot, new); not s.keep_slot]",
    f"finish_unmapping refuses PINNED [Unmapping(why); asks {NO_TRANSFER_FOR_IT}]",
    "finish_protecting_move refuses FLUSH_PENDING [Moving(new); Mapped(mpn); asks flushed(s, page)]",
    "reset_driver refuses BALLOON_NOT_EMPTY [asks not on_the_way]",
    "power_vm_on refuses NO_SWAP_TO_RESERVE [asks swap <= s.total_slots]",
]
"""Paths to which many steps lead, of every chapter, under different readings."""


@pytest.fixture(scope="module")
def sample() -> Reaching:
    reaching = Reaching(DEEP)
    reaching.search(seed=1, rounds=200)
    reaching.shorten()
    return reaching


def test_deep_paths_are_reached(sample: Reaching) -> None:
    assert sample.missing == []
    assert set(DEEP) <= set(expected_paths())


def test_shortened_runs_take_their_paths_and_need_every_step(sample: Reaching) -> None:
    for path in DEEP:
        run = sample.runs[path]
        replay = Replay(run.sizes, Recorder())
        assert replay(path, run.steps) == list(run.steps), "every step but the last is done, none is skipped"
        for left_out in range(len(run.steps) - 1):
            fewer = [*run.steps[:left_out], *run.steps[left_out + 1 :]]
            assert replay(path, fewer) is None, f"step {left_out + 1} can be left out\n{run.text()}"
        assert len(run.steps) < 80


def test_runs_are_the_same_for_the_same_seed(sample: Reaching) -> None:
    again = Reaching(DEEP)
    again.search(seed=1, rounds=200)
    again.shorten()
    assert again.runs == sample.runs


def test_a_run_is_printed_from_the_initial_state_to_its_path(sample: Reaching) -> None:
    run = sample.runs["check_pins refuses PINNED [Quiet(target); Mapped(mpn); asks s.pins[mpn] == 0]"]
    lines = run.text().rstrip().splitlines()
    assert lines[0] == run.path
    assert lines[1].startswith("  on a machine of Sizes(")
    assert next(line for line in lines[2:] if line[4] != " ").startswith("    1  server   power vm on")
    assert max(map(len, lines[1:])) <= 110
    assert "check pins" in lines[-1]
    assert sum(line[:5].strip().isdigit() for line in lines) == len(run.steps) - 1
    assert any("-- refused: a device transfer is under way for the page" in line for line in lines)


def test_a_dead_path_is_not_reached() -> None:
    reaching = Reaching(["merge done [Same(target); not Mapped(old)]", "touch done"])
    reaching.search(seed=1, rounds=3)
    assert reaching.missing == ["merge done [Same(target); not Mapped(old)]"]
    assert "NOT REACHED" in reaching_module.table(reaching)


def test_a_path_that_nobody_expects_is_told() -> None:
    reaching = Reaching(["flush done"])
    reaching.search(seed=1, rounds=1)
    assert reaching.missing == []
    assert reaching.unexpected == ["flush refuses NOTHING_OWED [asks s.owed[cpu, page]]"]
    assert "NOT EXPECTED: flush refuses" in reaching_module.table(reaching)


def test_command_prints_runs_and_its_exit_code_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--path", "touch done"]) == 0
    assert "touch: page" in capsys.readouterr().out
    assert main(["--path", "no such path"]) == 2
    assert "no path has 'no such path' in its name" in capsys.readouterr().err
    monkeypatch.setattr(reaching_module, "expected_paths", lambda: ["touch done", "touch done [never]"])
    assert main(["--seconds", "0.5"]) == 1
    assert "NOT REACHED  done [never]" in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong:
        main(["--seed", "first"])
    assert wrong.value.code == 2


# Held against the lifting.


def paths_when_lifted(entry: Entry, theory: Theory, recorder: Recorder) -> Iterator[tuple[str, str]]:
    """Each path of a rule that is found by lifting it: its lines' name here, its name in the proofs."""
    found: list[str] = []

    @wraps(entry.function)
    def watched(*arguments: Any) -> Any:
        refused = None
        try:
            with recorder:
                return entry.function(*arguments)
        except Blocked as blocked:
            refused = blocked.reason
            raise
        finally:
            found.append(recorder.path(entry.name, refused))

    _, paths = theory.paths(attrs.evolve(entry, function=watched))
    for here, there, path in zip(found, path_names(entry, paths), paths, strict=True):
        if path.unseen is None:
            yield here, there


@pytest.fixture(scope="module")
def lifted() -> dict[str, list[str]]:
    """Each path by its lines, with the paths of the proofs that run just these lines."""
    theory, recorder = Theory(), Recorder()
    found: dict[str, list[str]] = {}
    for entry in REGISTER["rule"].values():
        for here, there in paths_when_lifted(entry, theory, recorder):
            found.setdefault(here, []).append(there)
    assert recorder.same_names == []
    return found


def not_reached() -> dict[str, str]:
    """The exceptions, each with its reason."""
    lines = [line for line in NOT_REACHED.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return {path.strip(): why.strip() for path, _, why in (line.partition("  # ") for line in lines)}


def test_exceptions_have_reasons_and_are_not_expected() -> None:
    assert [path for path, why in not_reached().items() if not why] == []
    assert not_reached().keys() & set(expected_paths()) == set()


def test_every_path_that_is_not_dead_is_expected_or_an_exception(lifted: dict[str, list[str]]) -> None:
    """That the list of dead paths is right is another test's: test_reachability.py."""
    dead = set(expected_dead_paths())
    assert dead < {path for several in lifted.values() for path in several}
    alive = {path for path, in_proofs in lifted.items() if not dead.issuperset(in_proofs)}
    listed = set(expected_paths()) | not_reached().keys()
    assert sorted(alive - listed) == [], "alive, but neither in model/reference/paths.txt nor in tests/not_reached.txt"
    assert sorted(listed - alive) == [], "listed, but dead or gone"


@pytest.mark.deep
@pytest.mark.parametrize("seed", [1, 5_000_000])
def test_every_expected_path_is_reached_and_no_exception_is(seed: int) -> None:
    reaching = Reaching(expected_paths())
    reaching.search(seed, seconds=300)
    assert reaching.missing == []
    assert reaching.unexpected == []
    exceptions = Reaching(not_reached())
    exceptions.search(seed, seconds=60)
    assert exceptions.runs.keys() & not_reached().keys() == set()


# What is noted of a run.


def test_lines_of_questions_do_not_count(sample: Reaching) -> None:
    run: Run = sample.runs["reset_driver refuses BALLOON_NOT_EMPTY [asks not on_the_way]"]
    replay = Replay(run.sizes, Recorder())
    replay(run.path, run.steps)
    assert {where for where, _ in replay.recorder.lines} == {"reset_driver"}


def test_a_step_that_ends_otherwise_takes_another_path() -> None:
    recorder, s = Recorder(), machine(SMALL)
    rule, page = REGISTER["rule"]["flush_devices"].function, Page(VM(0), 0)
    assert path_taken(recorder, s, rule, (page,))[0] == "flush_devices refuses NOTHING_OWED [asks s.device_owed[page]]"
    s.device_owed[page] = True
    assert path_taken(recorder, s, rule, (page,))[0] == "flush_devices done"
