"""The mutants: well formed, switched on and off without a trace, and refused by properties that hold of every rule."""

import inspect
import linecache
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from pagelaw.proofs import mutants
from pagelaw.proofs.by_z3 import Z3, Needs
from pagelaw.proofs.counterexample import explain
from pagelaw.proofs.lifting import arguments_of
from pagelaw.proofs.mutants import CONTROL, Certainty, Change, Faulty, apply
from pagelaw.proofs.mutants.gallery import MECHANISMS, changed_text, faults_of
from pagelaw.proofs.obligations import Obligation, Theory
from pagelaw.proofs.solvers import Verdict
from pagelaw.proofs.uninterrupted import obligations_of_operation
from pagelaw.spec import paging, sharing, translation, vocabulary
from pagelaw.spec.language import REGISTER

GALLERY = mutants.gallery()
QUICK = ("SH-4", "TL-3", "SW-5", "BA-6", "RM-5", "PO-7")
"""Some of each kind that are refused in a moment."""
SECONDS = 3.0


def named_things() -> dict[tuple[str, str], Any]:
    """Everything that a module of the package has a name for."""
    modules = [(name, module) for name, module in sys.modules.items() if name.split(".")[0] == "pagelaw"]
    return {(name, alias): value for name, module in modules for alias, value in vars(module).items()}


def asked_about(theory: Theory, name: str) -> Iterator[Obligation]:
    """The obligations of a rule, of an operation in one piece, or of the theorems."""
    if name in REGISTER["rule"]:
        yield from theory.obligations(REGISTER["rule"][name])
    elif name in REGISTER["operation"]:
        entry = REGISTER["operation"][name]
        yield from obligations_of_operation(theory, entry, arguments_of(theory.lift, entry.function))
    else:
        yield from (one for one in theory.general_obligations() if one.rule == name)


def unproved(theory: Theory, name: str, property: str = "", seconds: float = SECONDS) -> set[str]:
    """The properties, or whether the one named, cannot be proved of a rule as it is now."""
    found: set[str] = set()
    prover = Z3(Needs.of(theory), seconds)
    for obligation in asked_about(theory, name):
        if property in ("", obligation.property) and obligation.property not in found:
            (answer,) = prover.prove([obligation])
            if answer.verdict is not Verdict.PROVED:
                found.add(obligation.property)
    return found


# The data.


def test_every_mechanism_has_mutants() -> None:
    assert {mutant.mechanism for mutant in GALLERY.values()} == set(MECHANISMS)
    assert len(GALLERY) >= 35


def test_mutants_are_of_real_systems_or_said_to_be_invented() -> None:
    for mutant in GALLERY.values():
        invented = mutant.identifier.startswith(("ORD-", "SYN-"))
        assert (mutant.certainty is Certainty.INVENTED) == invented == (mutant.year == 0) == (not mutant.system)
        assert mutant.title
        assert mutant.reference


def test_each_names_a_property_and_what_it_fails_on() -> None:
    kinds = ("invariant", "theorem", "transition", "law")
    statements = {name for kind in kinds for name in REGISTER[kind]}
    for mutant in GALLERY.values():
        told_of_all = "refines private memory: ", "steps leave the same ", "allowed by private", "once done it is"
        told = mutant.refused_by.startswith(told_of_all)
        assert told or mutant.refused_by in statements, mutant.identifier
        assert mutant.shown_by in {*REGISTER["rule"], *REGISTER["operation"], "theorem", "law"}, mutant.identifier


def test_no_two_mutants_change_the_same_in_the_same_way() -> None:
    assert max(Counter(mutant.changes for mutant in GALLERY.values()).values()) == 1


def test_what_is_left_for_later_is_not_in_the_gallery() -> None:
    later = [one.identifier for one in mutants.later()]
    assert len(set(later)) == len(later)
    assert not set(later) & set(GALLERY)
    assert all(one.title and one.why for one in mutants.later())


def test_table_has_a_row_for_each() -> None:
    rows = mutants.table()
    assert [row[0] for row in rows] == list(mutants.names())
    assert ("TL-3", "KVM", "2008", "translation.install_fill", GALLERY["TL-3"].title) in rows


@pytest.mark.parametrize(("identifier", "told"), [
    ("TL-33", "did you mean TL-3"), ("tl-3", "did you mean TL-3"), ("?", "mutant ?"),
])  # fmt: skip
def test_an_unknown_mutant_is_an_error_that_names_the_nearest(identifier: str, told: str) -> None:
    with pytest.raises(Faulty) as fault:
        mutants.get(identifier)
    assert told in str(fault.value)


def broken(*changes: Change) -> list[str]:
    """The faults of TL-3 with other changes."""
    return list(faults_of(attrs.evolve(GALLERY["TL-3"], changes=changes)))


@pytest.mark.parametrize(("function", "old", "new", "told"), [
    ("sharing.no_such_rule", "a", "b", "there is no function"),
    ("no_chapter.merge", "a", "b", "there is no function"),
    ("sharing.merge", "not in the text", "b", "stands 0 times"),
    ("sharing.merge", "page", "b", "not once"),
    ("sharing.merge", "case Same(target):", "case Same(target:", "does not parse"),
    ("sharing.merge", "def merge(", "def other(", "no longer one function of that name"),
    ("sharing.merge", "revoke(s, page)", "revoke(s,  page)", "is not changed"),
])  # fmt: skip
def test_a_change_that_does_not_fit_the_text_is_a_fault(function: str, old: str, new: str, told: str) -> None:
    (fault,) = broken(Change(function, old, new))
    assert told in fault


def test_an_invented_fault_has_no_year() -> None:
    mutant = attrs.evolve(GALLERY["TL-3"], certainty=Certainty.INVENTED)
    assert list(faults_of(mutant)) == ["an invented fault has no year"]


# Switching.


@pytest.mark.parametrize("identifier", [*GALLERY, CONTROL])
def test_switching_off_leaves_no_trace(identifier: str) -> None:
    things, cached = named_things(), set(linecache.cache)
    entries = {kind: list(named.items()) for kind, named in REGISTER.items()}
    with apply(identifier) as mutant:
        changed = {key for key, value in named_things().items() if value is not things.get(key)}
        own = {(f"pagelaw.spec.{f.split('.')[0]}", f.split(".")[1]) for f in mutant.functions}
        assert own <= changed
        words = {alias for module, alias in changed if (module, alias) not in things}
        assert words <= set(vocabulary.__all__), "words of the vocabulary that the chapter did not import"
        assert {alias for _, alias in changed} - words == {alias for _, alias in own}
    after = named_things()
    assert after.keys() == things.keys()
    assert all(after[key] is things[key] for key in things)
    assert set(linecache.cache) == cached
    for kind, named in REGISTER.items():
        assert [(name, entry) for name, entry in named.items()] == entries[kind]
        assert all(entry is old for entry, (_, old) in zip(named.values(), entries[kind], strict=True))


def test_every_chapter_that_uses_a_function_gets_the_changed_one() -> None:
    old = translation.revoke
    with apply("ORD-10"):
        new = translation.revoke
        assert new is not old
        assert sharing.revoke is paging.revoke is new  # type: ignore[attr-defined]
        assert not [key for key, value in named_things().items() if value is old]
    assert sharing.revoke is translation.revoke is old  # type: ignore[attr-defined]


def test_the_register_has_the_changed_rule_in_the_same_place() -> None:
    before = REGISTER["rule"]["merge"], list(REGISTER["rule"])
    with apply(CONTROL):
        for kind, named in REGISTER.items():
            for entry in named.values():
                assert entry.name in named, kind
        assert list(REGISTER["rule"]) == before[1]
        assert REGISTER["rule"]["install_copy"].function is sharing.install_copy
        assert REGISTER["rule"]["merge"] is before[0]


def test_the_text_of_a_changed_function_can_be_read_where_it_stood() -> None:
    _, line = inspect.getsourcelines(translation.install_fill)
    expected = changed_text(GALLERY["TL-3"], "translation.install_fill")
    with apply("TL-3"):
        lines, first = inspect.getsourcelines(translation.install_fill)
    assert first == line
    assert "".join(lines) == expected
    assert "s.generation[page] == generation" not in expected


def test_an_error_inside_switches_off() -> None:
    old = translation.install_fill
    with pytest.raises(ZeroDivisionError), apply("TL-3"):
        raise ZeroDivisionError
    assert translation.install_fill is old


def test_one_mutant_at_a_time() -> None:
    with apply("TL-3"), pytest.raises(Faulty, match="TL-3 is switched on already"), apply("BA-6"):
        pass
    with apply("BA-6"):
        pass


def test_a_mutant_whose_text_fails_when_run_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    old = translation.install_fill
    wrong = Change("translation.install_fill", '@rule("ESX-2-06", "ESX-5.3-06")', "@no_such_word")
    monkeypatch.setitem(GALLERY, "TL-3", attrs.evolve(GALLERY["TL-3"], changes=(wrong,)))
    with pytest.raises(NameError), apply("TL-3"):
        pass
    assert translation.install_fill is old


def test_diff_shows_the_change_where_it_stands() -> None:
    lines = mutants.diff("SW-5").splitlines()
    assert lines[:2] == ["--- spec/balloon.py", "+++ spec/balloon.py"]
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-            drop_slot(s, slot)"]
    assert mutants.diff(CONTROL) == ""
    assert all(mutants.diff(identifier) for identifier in GALLERY)


def test_affected_are_the_groups_that_use_the_changed_functions() -> None:
    assert mutants.affected("SH-5") == ("operations", "store")  # and what is told in one piece of a first write
    assert mutants.affected("SH-1") == ("theorems", "operations", "protect", "await_flushes")
    assert {"protect", "sample", "reap"} < set(mutants.affected("TL-5"))
    assert len(mutants.affected("ORD-8")) > len(REGISTER["rule"])  # may_write is a part of the invariants
    for mutant in GALLERY.values():
        group = {"theorem": "theorems", "law": "laws"}.get(mutant.shown_by, mutant.shown_by)
        assert {group, "operations"} & set(mutants.affected(mutant.identifier)), mutant.identifier


# Refused.


@pytest.mark.parametrize("identifier", QUICK)
def test_quick_one_is_refused(identifier: str) -> None:
    with apply(identifier) as mutant:
        assert unproved(Theory(), mutant.shown_by, mutant.refused_by, seconds=1) == {mutant.refused_by}


def test_control_proves_what_the_quick_ones_fail() -> None:
    with apply(CONTROL):
        theory = Theory()
        for mutant in (GALLERY[identifier] for identifier in QUICK):
            assert unproved(theory, mutant.shown_by, mutant.refused_by) == set(), mutant.identifier


def test_a_mutant_is_shown_on_a_small_machine() -> None:
    with apply("BA-6") as mutant:
        found = explain(mutant.shown_by, None, mutant.refused_by)
    assert found is not None
    assert found.replayed()


@pytest.mark.deep
@pytest.mark.parametrize("identifier", GALLERY)
def test_gallery_is_refused(identifier: str) -> None:
    with apply(identifier) as mutant:
        assert mutant.refused_by in unproved(Theory(), mutant.shown_by)


@pytest.mark.deep
@pytest.mark.parametrize("identifier", GALLERY)
def test_gallery_is_shown_on_small_machines(identifier: str) -> None:
    with apply(identifier) as mutant:
        found = explain(mutant.shown_by, None, mutant.refused_by)
        assert found is not None
        assert found.replayed()


@pytest.mark.deep
@pytest.mark.parametrize("name", sorted({mutant.shown_by for mutant in GALLERY.values()}))
def test_control_proves_everything_that_the_gallery_fails(name: str) -> None:
    with apply(CONTROL):
        assert unproved(Theory(), name, seconds=10) == set()
