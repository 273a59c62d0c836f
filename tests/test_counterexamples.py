"""A rule that is wrong gets a counterexample: a small machine on which Python itself sees the property fail."""

import __future__

import inspect
import linecache
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pagelaw.proofs.counterexample import explain
from pagelaw.proofs.mutants import apply, gallery
from pagelaw.proofs.replay import parameters
from pagelaw.spec.language import REGISTER


@contextmanager
def changed(name: str, old: str, new: str) -> Iterator[None]:
    """While this is open, the text of one function of the specification is another one, everywhere."""
    loaded = [module for title, module in sys.modules.items() if title.startswith("pagelaw.spec.")]
    (module,) = [m for m in loaded if getattr(getattr(m, name, None), "__module__", "") == m.__name__]
    function = getattr(module, name)
    text = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    assert text.count(old) == 1, text
    text, file = text.replace(old, new), f"<changed {name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    entries = {kind: dict(named) for kind, named in REGISTER.items()}
    users = [vars(m) for m in loaded if vars(m).get(name) is function]
    code = compile(text, file, "exec", __future__.annotations.compiler_flag, dont_inherit=True)
    try:
        exec(code, module.__dict__)
        for names in users:
            names[name] = module.__dict__[name]
        yield
    finally:
        for names in users:
            names[name] = function
        for kind, named in entries.items():
            REGISTER[kind].clear()
            REGISTER[kind].update(named)


def passes(test: str) -> bool:
    """Whether a test passes when it is pasted into a file."""
    names: dict[str, Any] = {}
    exec(compile(test, "<pasted>", "exec"), names)
    (function,) = [value for name, value in names.items() if name.startswith("test_")]
    try:
        function()
    except AssertionError:
        return False
    return True


FLUSH = ("leave_old_frame", "require(flushed(s, page), Refused.FLUSH_PENDING)", "pass")
FAULTS = {
    "no flush before an old frame is let go": (FLUSH, "leave_old_frame", "tlb_agrees_with_pmap"),
    "no look at the pins before a page is unmapped": (
        ("finish_unmapping", "not is_for(s.transfer[t], page)", "True"),
        "finish_unmapping", "no_transfer_after_pin_check",
    ),
    "no zeros at first touch": (
        ("clear", "s.contents[new] = s.zero", "pass"),
        "clear", "what_was_done_still_holds",
    ),
    "a store through a read-only entry": (
        ("store", "writable and dirty", "True"),
        "store", "refines private memory: memory",
    ),
    "a page merged without comparing": (
        ("compare", "contents_of(s, page) == s.contents[target]", "True"),
        "compare", "what_was_done_still_holds",
    ),
    "a reservation that stays": (
        ("finish_power_off", "s.minimum[vm] + s.overhead[vm]", "s.minimum[vm]"),
        "finish_power_off", "reservations_add_up",
    ),
    "a load that returns another word's value": (
        ("read", "return m.memory[page].word(word)", "return m.zero.word(word)"),
        "load", "refines private memory: value returned",
    ),
    "a step that the guest's table forbids": (
        ("tlb_stays_in_its_vm", "named and accessed and", ""),
        "load", "refinement",
    ),
    "a count that drifts": (
        ("leave_for_slot", "s.swapped[page.vm] += 1", "pass"),
        "commit_page_out", "pages_of_a_vm_are_counted",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_explained_and_pasted_test_fails_until_it_is_mended(fault: str) -> None:
    change, rule, property = FAULTS[fault]
    with changed(*change):
        found = explain(rule, None, property)
        assert found is not None
        assert found.replayed(), found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())
    assert property in (found.property, found.kind)
    assert "replayed through the rule: yes" in found.text()


def test_text_shows_step_state_change_and_what_is_false() -> None:
    with changed(*FLUSH):
        found = explain("leave_old_frame", None, "tlb_agrees_with_pmap")
    assert found is not None
    text = found.text()
    entry = REGISTER["invariant"]["tlb_agrees_with_pmap"]
    assert text.startswith("leave_old_frame breaks: tlb_agrees_with_pmap\n")
    assert entry.sentence in text
    assert all(clause in text for clause in entry.clauses)
    assert "step: leave_old_frame(page = A.p0)" in text
    assert re.search(r"changed:\n  operation\[A\.p0\]: Leaving\((m\d)\) -> Idle\n  frame\[\1\]: .* -> Free\n", text)
    assert "false afterwards for cpu = A.cpu0, virtual = A.v0:" in text
    assert "s.pmap[page] == Mapped(mpn) is false: s.pmap[page] is Mapped(m0), Mapped(mpn) is Mapped(m1)" in text
    assert "pmap[B.p0]" not in text, "what is as in the initial state is not shown"


def test_rule_that_is_right_has_no_counterexample() -> None:
    assert explain("leave_old_frame", None, "tlb_agrees_with_pmap") is None
    assert explain("store", None, "refinement") is None


def test_path_asked_for_comes_first_but_is_no_condition() -> None:
    with changed(*FLUSH):
        assert explain("leave_old_frame", 0, "tlb_agrees_with_pmap") is not None
        assert explain("leave_old_frame", 999, "tlb_agrees_with_pmap") is not None


def test_theorem_that_does_not_follow_is_explained() -> None:
    weaker = ("mapped_frame_is_own_or_shared", "return domain == s.domain[page.vm]", "return True")
    with changed(*weaker):
        found = explain("theorem", None, "no_sharing_across_domains")
        assert found is not None
        assert found.replayed(), found.text()
        assert "asked of this state in Python: yes" in found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


def test_theorem_about_what_a_rule_leaves_is_explained() -> None:
    with changed("set_swap_target", "s.swap_target[vm] = pages", "s.swap_target[vm] = 0"):
        found = explain("theorem", None, "every_level_can_be_asked_for")
        assert found is not None
        assert found.replayed(), found.text()
        assert "after.swap_target[vm] == everything" in found.text()
        assert "0x" not in found.text(), "where a function lies in memory says nothing, and is never the same"


def test_refusal_after_an_effect_is_explained() -> None:
    guard, effect = "require(flushed(s, page), Refused.FLUSH_PENDING)", "s.operation[page] = Idle()"
    indent = "\n" + 12 * " "
    hasty = ("leave_old_frame", guard + indent + effect, effect + indent + guard)
    with changed(*hasty):
        found = explain("leave_old_frame", None, "refusal")
        assert found is not None
        assert found.replayed(), found.text()
        assert "was changed by a rule that refused" in found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


def test_rule_that_cannot_be_run_is_explained() -> None:
    stage = "match s.operation[page]:"
    blind = ("clear", stage, "new = s.operation[page].mpn\n    " + stage)
    with changed(*blind):
        found = explain("clear", None, "defined")
        assert found is not None
        assert found.replayed(), found.text()
        assert "AttributeError" in found.text()


def test_statement_that_cannot_be_asked_is_explained() -> None:
    entry = "page = s.guest_table[virtual].page"
    blind = ("guest_names_own_pages", "case Names(page):", f"case _:\n            {entry}")
    with changed(*blind):
        found = explain("reading", None, "defined")
        assert found is not None
        assert found.replayed(), found.text()
        assert found.property == "guest_names_own_pages"


def test_step_that_breaks_a_statement_about_every_step_is_explained() -> None:
    hasty = ("read_for_fill", "require(s.fill[cpu] == NoFill(), Refused.FILL_IN_PROGRESS)", "pass")
    with changed(*hasty):
        found = explain("read_for_fill", None, "a_fill_is_installed_or_dropped")
        assert found is not None
        assert found.replayed(), found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


def test_statement_about_every_step_that_is_broken_when_nothing_changes_is_explained() -> None:
    """No rule that leaves its fields alone is asked for it, so this has to be."""
    eager = ("copies_are_counted", "in (before.copies[page], before.copies[page] + 1)", "== before.copies[page] + 1")
    with changed(*eager):
        found = explain("no step", None, "copies_are_counted")
        assert found is not None
        assert found.replayed(), found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


def test_step_that_does_nothing_is_explained() -> None:
    idle = ("drop_fill", "s.fill[cpu] = NoFill()", "pass")
    with changed(*idle):
        found = explain("drop_fill", None, "effect")
        assert found is not None
        assert found.replayed(), found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


def test_step_that_settles_nothing_is_explained() -> None:
    for name, done in (("pop", "clear_annotation(s, page)"), ("sample", "s.sampled[page] = Drawn(False)")):
        with changed(name, done, "pass"):
            found = explain(name, None, "once")
            assert found is not None
            assert found.replayed(), found.text()
            assert "does not refuse to be done once more" in found.text()
            assert not passes(found.as_test())
        assert passes(found.as_test())


def test_operation_in_one_piece_that_differs_from_its_steps_is_explained() -> None:
    forgetful = ("first_touch", "s.resident[page.vm] += 1", "pass")
    with changed(*forgetful):
        found = explain("first_touch", None, "steps leave the same resident")
        assert found is not None
        assert found.replayed(), found.text()
        assert "resident[A] is 1 after the steps, 0 in one" in found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


def test_invariant_that_does_not_hold_at_the_start_is_explained() -> None:
    eager = ("only_running_vms_have_drivers", "s.life[vm] == Running() or", "")
    with changed(*eager):
        assert explain("initial state", None, "only_running_vms_have_drivers") is None
    wrong = ("only_running_vms_have_drivers", "s.driver[vm] == NoDriver()", "s.driver[vm] != NoDriver()")
    with changed(*wrong):
        found = explain("initial state", None, "only_running_vms_have_drivers")
        assert found is not None
        assert found.replayed(), found.text()
        assert not passes(found.as_test())
    assert passes(found.as_test())


@pytest.mark.deep
@pytest.mark.parametrize("identifier", gallery())
def test_pasted_test_of_a_known_fault_fails_until_it_is_mended(identifier: str) -> None:
    with apply(identifier) as mutant:
        found = explain(mutant.shown_by, None, mutant.refused_by)
        assert found is not None
        assert found.replayed(), found.text()
        assert not passes(found.as_test())
    step = found.step()
    if step is None or list(found.arguments) == list(parameters(step.function)):  # else the fault is in the signature
        assert passes(found.as_test())
