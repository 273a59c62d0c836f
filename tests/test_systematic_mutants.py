"""The systematic mutants: for every guard, effect, order, conjunct and bound there is one, and each is judged."""

import ast
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from pagelaw.proofs import mutants
from pagelaw.proofs.checking import processors
from pagelaw.proofs.mutants import Change, Faulty, apply
from pagelaw.proofs.mutants.asking import BRIEF
from pagelaw.proofs.mutants.equivalence import BY_OTHERS, differences, forget_what_changed, unchanged
from pagelaw.proofs.mutants.gallery import changed_text, faults_of, function_named
from pagelaw.proofs.mutants.judging import UNREADABLE, Fate, Judge, Judgement, Reach
from pagelaw.proofs.mutants.matrix import accepted, judge_all, summary, unexplained
from pagelaw.proofs.mutants.orders import exchanges
from pagelaw.proofs.mutants.resting import resting
from pagelaw.proofs.mutants.switch import called_by
from pagelaw.proofs.mutants.systematic import KINDS, kind_of, statements, systematic
from pagelaw.spec.language import REGISTER

MADE = systematic()


BEHIND_RULES = sorted({
    f"{one.__module__.rpartition('.')[2]}.{one.__name__}"
    for entry in REGISTER["rule"].values() for one in called_by(entry.function)
})  # fmt: skip
"""Every rule and what it calls, by chapter and name."""


def texts_by_function() -> dict[str, list[str]]:
    """The texts of each function in all mutants that change it."""
    found: dict[str, list[str]] = defaultdict(list)
    for mutant in MADE.values():
        for function in mutant.functions:
            found[function].append(changed_text(mutant, function))
    return found


TEXTS = texts_by_function()


def statements_in(text: str, *calls: str) -> Counter[str]:
    """The statements of a text that call one of these, as text."""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
    return Counter(ast.unparse(node) for node in found if ast.unparse(node).startswith(tuple(f"{c}(" for c in calls)))


# All there are, each with a name that stays.


def test_every_kind_there_can_be_is_there() -> None:
    assert {kind_of(identifier) for identifier in MADE} >= {"guard", "effect", "order", "weaker", "bound"}
    assert {kind_of(identifier) for identifier in MADE} <= set(KINDS)
    assert len(MADE) > 600


def test_making_them_again_gives_the_same() -> None:
    systematic.cache_clear()
    exchanges.cache_clear()
    assert list(systematic().items()) == list(MADE.items())


def test_numbers_follow_the_text() -> None:
    told = [MADE[f"compare/effect-{number}"].title for number in range(1, 5)]
    assert told == [
        "not done: s.operation[page] = Same(target)", "not done: s.operation[page] = Idle()",
        "not done: s.attempted[page] = True", "not done: drop_reference(s, target)",
    ]  # fmt: skip
    assert "compare/effect-5" not in MADE


def test_each_text_parses_and_differs_in_a_place_that_is_clear() -> None:
    faults = [f"{identifier}: {fault}" for identifier, mutant in MADE.items() for fault in faults_of(mutant)]
    assert faults == []


def test_no_two_are_the_same() -> None:
    texts = Counter(tuple((f, changed_text(mutant, f)) for f in mutant.functions) for mutant in MADE.values())
    assert [text for text, often in texts.items() if often > 1] == []


def left_out(function: str, found: Callable[[str], Counter[str]]) -> set[str]:
    """Of what is found in a function's text, what is missing in some mutant of it."""
    own = found(inspect.getsource(function_named(function)))
    return {one for text in TEXTS[function] for one in own - found(text)} ^ set(own)


def test_every_guard_of_a_rule_has_a_mutant() -> None:
    for function in BEHIND_RULES:
        assert not left_out(function, lambda text: statements_in(text, "require", "refuse")), function


def test_every_write_of_a_rule_has_a_mutant() -> None:
    write = re.compile(r"^ +(s\.\w+(?:\[.*?\])? [+-]?= .+|s\.\w+\.write_each\()$", re.MULTILINE)
    for function in BEHIND_RULES:
        assert not left_out(function, lambda text: Counter(write.findall(text))), function


def test_every_call_of_what_writes_has_a_mutant() -> None:
    writing = [f.partition(".")[2] for f in BEHIND_RULES if writes(function_named(f))]
    for function in BEHIND_RULES:
        assert not left_out(function, lambda text: statements_in(text, "visible", *writing)), function


def writes(function: Callable[..., Any]) -> bool:
    """Whether a function of the specification returns nothing: it is there for what it writes."""
    return function.__annotations__.get("return") == "None"


def test_every_statement_has_a_weaker_one_for_each_answer() -> None:
    for function in statements():
        answers = re.findall(r"^ +return (?!True$)", inspect.getsource(function_named(function)), re.MULTILINE)
        assert len(TEXTS[function]) >= len(answers), function


def test_weaker_ones_leave_out_one_conjunct_each() -> None:
    made = {name: changed_text(MADE[name], "power.reservations_add_up").count(" == ")
            + changed_text(MADE[name], "power.reservations_add_up").count(" <= ")
            for name in MADE if name.startswith("reservations_add_up/")}  # fmt: skip
    assert list(made.values()) == [3, 3, 3, 3]


def test_a_number_and_each_of_its_bounds_has_a_mutant() -> None:
    texts = [changed_text(MADE[f"set_swap_target/bound-{n}"], "paging.set_swap_target") for n in (1, 2)]
    assert "0 < pages <= s.maximum[vm]" in texts[0]
    assert "0 <= pages < s.maximum[vm]" in texts[1]


# Exchanged steps.


def test_steps_are_exchanged_by_the_stages_that_they_match_and_write() -> None:
    first = changed_text(MADE["order/protect-await_flushes"], "sharing.protect")
    second = changed_text(MADE["order/protect-await_flushes"], "sharing.await_flushes")
    assert "case Protecting(target):" in first
    assert "s.operation[page] = Quiet(target)" in first
    assert "case Found(target):" in second
    assert "s.operation[page] = Protecting(target)" in second


def test_what_is_not_exchanged_is_told_with_the_reason() -> None:
    reasons = {(one.first, one.second): one.title for one in exchanges() if not one.changes}
    told = "the stages hold different things: Clearing holds MPN, Cleared holds MPN, Idle holds nothing"
    assert reasons["clear", "install_cleared"] == told
    assert {(one.first, one.second) for one in exchanges()} > reasons.keys()
    assert all(one.title for one in exchanges())


# Switching on.


def test_they_are_switched_on_as_those_of_the_gallery() -> None:
    old = function_named("sharing.merge")
    with apply("merge/guard-1"):
        assert function_named("sharing.merge") is not old
        assert "refuse" not in inspect.getsource(function_named("sharing.merge"))
    assert function_named("sharing.merge") is old
    assert "+            pass" in mutants.diff("merge/guard-1").splitlines()
    assert mutants.affected("merge/guard-1") == ("theorems", "operations", "merge")


def test_a_word_that_a_chapter_does_not_import_is_lent_to_it() -> None:
    chapter = inspect.getmodule(function_named("remapping.finish_protecting_move"))
    before = dict(vars(chapter))
    with apply("order/finish_protecting_move-copy"):
        assert "Copied" in vars(chapter)
    assert vars(chapter) == before
    assert "Copied" not in before


def test_an_unknown_one_is_an_error() -> None:
    with pytest.raises(Faulty, match="there is no mutant merge/guard-99"):
        mutants.get("merge/guard-99")


# Judging.


@pytest.fixture(scope="module")
def judge() -> Judge:
    """One judge for all; what rests on what is known to it of one rule only, which is quick."""
    return Judge(resting(["load_tlb"]))


@pytest.mark.parametrize(("identifier", "property", "rule"), [
    ("merge/guard-1", "a step that is not refused does something", "merge"),
    ("merge/effect-5", "shadow_agrees_with_pmap", "merge"),
    ("mark_shared/effect-4", "steps leave the same hint", "make_shared"),
    ("order/protect-await_flushes", "tlb_agrees_with_pmap", "protect"),
    ("protect/effect-1", "once done it is not enabled again", "protect"),
    ("may_lose_a_page/bound-1", "paged_only_after_an_attempt_to_share", "pick_for_paging"),
    ("shadow_agrees_with_pmap/weaker-1", "tlb_stays_in_its_vm", "load_tlb"),
    ("reservations_add_up/weaker-1", "reservations_add_up", "power_vm_off"),
])  # fmt: skip
def test_is_killed(judge: Judge, identifier: str, property: str, rule: str) -> None:
    verdict = judge.judge(identifier)
    assert (verdict.verdict, verdict.property, verdict.rule) == (Fate.KILLED, property, rule)
    assert "small" in verdict.means


@pytest.mark.parametrize(
    "identifier", ["scan_finds_hint/guard-2", "stop_driver/guard-1", "shadow_agrees_with_pmap/weaker-2"]
)
def test_is_proved_to_do_or_say_the_same(judge: Judge, identifier: str) -> None:
    assert judge.judge(identifier).verdict is Fate.EQUIVALENT


def test_what_other_rules_do_as_well_is_the_same(judge: Judge) -> None:
    """A driver that is not ready and takes a page out does what a pop or a reset does."""
    told = judge.same("deflate/guard-2", Reach.of("deflate/guard-2"))
    assert told == (True, f"does the same; {BY_OTHERS}")
    assert judge.same("deflate/guard-1", Reach.of("deflate/guard-1")) == (True, "does the same")
    assert not judge.same("deflate/guard-3", Reach.of("deflate/guard-3"))[0]


@pytest.mark.parametrize("forget", [True, False])
def test_answers_from_before_a_mutant_are_not_taken_for_its_own(judge: Judge, forget: bool) -> None:
    """`nothing_matches` asks `is_match`: what it answered before must not stand for what it answers now."""
    theory, rules = judge.control.side.theory, ["scan_leaves_hint"]
    before = unchanged(theory, rules)
    if forget:
        forget_what_changed(theory, [function_named("sharing.is_match")])
    with apply("is_match/guard-2"):
        asked = list(differences(judge.control.side, "scan_leaves_hint", before["scan_leaves_hint"], rules))
        assert all(judge.control.side.proved(one, BRIEF) for one in asked) is not forget


def test_a_statement_is_worth_what_it_refuses(judge: Judge) -> None:
    assert judge.judge("reservations_add_up/weaker-1").note == "it refuses PO-8, as does targets_add_up"


def judged_with(judge: Judge, monkeypatch: pytest.MonkeyPatch, change: Change) -> Judgement:
    """The verdict on `merge/guard-1` if it were another change."""
    made = systematic()
    monkeypatch.setitem(made, "merge/guard-1", attrs.evolve(made["merge/guard-1"], changes=(change,)))
    return judge.judge("merge/guard-1")


def test_what_cannot_be_read_is_killed_by_that(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged_with(
        judge, monkeypatch, Change("sharing.merge", "match s.operation[page]:", "match s.nothing[page]:")
    )
    assert (verdict.verdict, verdict.property, verdict.means) == (Fate.KILLED, UNREADABLE, ("lifting",))
    assert "AttributeError" in verdict.note


@pytest.mark.parametrize(("function", "old", "new", "expected"), [
    ("sharing.merge", "case Same(target):", "case Same(target):  # the same", Fate.EQUIVALENT),
    ("sharing.merge", "refuse(Refused.WRONG_STAGE)", "refuse(Refused.NOT_MAPPED)", Fate.EQUIVALENT),
    ("translation.guest_invalidates", "cpu.vm == virtual.vm", "cpu.vm == virtual.vm and s.life[cpu.vm] == Running()",
     Fate.SURVIVOR),
])  # fmt: skip
def test_what_is_not_refused_does_the_same_or_survives(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, function: str, old: str, new: str, expected: Fate
) -> None:
    assert judged_with(judge, monkeypatch, Change(function, old, new)).verdict is expected


@pytest.mark.parametrize(("identifier", "same"), [
    ("price_of/bound-1", True), ("greater/bound-1", True), ("frames_wanted/constant-2", True),
    ("frames_wanted/constant-3", False), ("depth/constant-7", False),
])  # fmt: skip
def test_a_view_that_answers_the_same_is_equivalent(judge: Judge, identifier: str, same: bool) -> None:
    """Between `<` and `<=` in `pick(x < y, y, x)` nobody can tell; 1 for 0 makes a difference."""
    reach = Reach.of(identifier)
    assert (judge.same(identifier, reach) == (True, "answers the same")) is same


# All of them.


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    names = ["touch/guard-1", "touch/guard-2"]
    first = judge_all(names[:1], folder=tmp_path)
    (kept,) = tmp_path.glob("judged-*.jsonl")
    kept.write_text(kept.read_text() + '{"identifier": "touch/gua')  # cut off by an interruption
    told: list[str] = []
    both = judge_all(
        names, folder=tmp_path, progress=lambda one, done, all: told.append(f"{one.identifier} {done}/{all}")
    )
    assert told == ["touch/guard-2 2/2"]
    assert both[0] == first[0]
    assert [one.identifier for one in both] == names
    assert summary(both)["killed"] == 2
    assert summary(both)["by_kind"]["guard"] == {"total": 2, "killed": 2, "equivalent": 0, "survivors": 0}


def test_survivors_and_reasons_must_fit() -> None:
    known = {identifier: Judgement(identifier, kind_of(identifier), Fate.SURVIVOR) for identifier in accepted()}
    assert unexplained(known.values()) == []
    extra = Judgement("merge/guard-1", "guard", Fate.SURVIVOR)
    assert unexplained([*known.values(), extra]) == ["merge/guard-1 survives without a reason"]
    if known:
        first = next(iter(known.values()))
        dead = attrs.evolve(first, verdict=Fate.KILLED)
        assert unexplained([dead]) == [f"{first.identifier} has a reason, but is killed"]


@pytest.mark.deep
def test_every_mutant_is_killed_or_the_same_or_explained() -> None:
    assert unexplained(judge_all(jobs=processors())) == []
