"""What is asked of the steps of a large machine is asked in a way written out for each kind of step: all of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import attrs
import pytest

from pagelaw.model.experiments import patterns
from pagelaw.model.experiments.checking import Checked
from pagelaw.model.experiments.figures import eight, seven
from pagelaw.model.experiments.figures.figure import How
from pagelaw.model.experiments.in_play import all_names, by_sort
from pagelaw.model.experiments.looks import Looks
from pagelaw.model.experiments.noted_state import NotedState
from pagelaw.model.experiments.noting import Noted
from pagelaw.model.experiments.remembered import Remembered
from pagelaw.model.experiments.remembering import Note, NotFollowed, quotient
from pagelaw.model.experiments.run import Plan, Run
from pagelaw.model.experiments.step_kinds import Kind
from pagelaw.model.experiments.text import Text
from pagelaw.model.reference.beside import Violation
from pagelaw.spec import balloon, sharing, zeroing
from pagelaw.spec.language import VM, Blocked, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import (
    MPN,
    Ballooned,
    Cleared,
    Clearing,
    DataOf,
    Free,
    HintFrame,
    Idle,
    Mapped,
    Page,
    Private,
    ShortKey,
    Untouched,
    Zeroing,
)


def small_eight(seconds: int = 60) -> Plan:
    return attrs.evolve(eight.plan(How(scale=Fraction(1, 256))), seconds=seconds)


def checked(plan: Plan) -> Checked:
    kept: list[Checked] = []

    def checking_of(machine: Machine) -> Checked:
        kept.append(Checked(machine))
        return kept[0]

    Run(plan, checking_of).run()
    return kept[0]


def nothing_is_written_out(*_: Any) -> None:
    return None


def test_as_much_is_asked_as_without_what_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement for statement, and the sums are the same: also where the types of a step do not say what is in play."""
    fast = checked(small_eight())
    monkeypatch.setattr(patterns, "kind_of", nothing_is_written_out)
    slow = checked(small_eight())
    assert fast.asked == slow.asked > 15 * fast.steps
    for one, other in zip(fast.sums.all, slow.sums.all, strict=True):
        assert {of: now for of, now in one.now.items() if now} == {of: now for of, now in other.now.items() if now}


def test_most_steps_are_of_few_kinds() -> None:
    one = checked(small_eight())
    assert len(one.kinds) < one.steps / 20
    assert None not in one.kinds


def first_touch(machine: Machine) -> tuple[Page, MPN]:
    s = machine
    vm = s.ids[VM][0]
    return s.each(Page, vm)[0], next(mpn for mpn in s.ids[MPN] if s.frame[mpn] == Free())


def running(checking_of: Callable[[Machine], Checked] = Checked) -> Run:
    run = Run(small_eight(), checking_of)
    run.start()
    return run


def test_the_state_before_a_step_is_that() -> None:
    """While a step is looked at there are both; then what was before the next is what is now."""
    s = small_eight().machine()
    noted = Noted(s)
    page, mpn, other = s.ids[Page][0], s.ids[MPN][0], s.ids[Page][1]
    s.operation[page] = Clearing(mpn)
    s.hint[other] = HintFrame(ShortKey(1))
    s.free_frames -= 1
    assert {(field, key) for field, key, _, _ in noted.changes()} == {
        ("operation", page), ("hint", other), ("free_frames", None)
    }  # fmt: skip
    before = noted.before
    assert before.operation[page] != s.operation[page]
    assert (before.free_frames, before.total_frames) == (s.free_frames + 1, s.total_frames)
    assert before.those(Page, before.hint, HintFrame(ShortKey(1))) == ()
    noted.follow(noted.changes())
    noted.begin()
    assert before.operation[page] == s.operation[page]
    assert before.free_frames == s.free_frames
    assert before.those(Page, before.hint, HintFrame(ShortKey(1))) == (other,)
    assert noted.changes() == []
    s.hint[other] = HintFrame(ShortKey(2))
    noted.follow(noted.changes())
    assert before.those(Page, before.hint, HintFrame(ShortKey(1))) == ()


def test_a_parameter_that_is_changed_is_changed_before_the_next_step_too() -> None:
    """An administrator changed it between two steps."""
    s = small_eight().machine()
    noted = Noted(s)
    s.tax_rate = Fraction(1, 7)
    assert noted.before.tax_rate == Fraction(1, 7)


def test_a_run_in_which_the_tax_is_changed_can_be_checked() -> None:
    plan = attrs.evolve(seven.plan(How(scale=Fraction(1, 256))), seconds=31 * 60)
    assert checked(plan).steps > 1000


def test_things_in_play_are_told_once_and_in_their_order() -> None:
    s = small_eight().machine()
    page, mpn = s.ids[Page][3], s.ids[MPN][5]
    found = by_sort(all_names((page, (page, Zeroing(page)), Clearing(mpn), 7, True, Ballooned())))
    assert found == {Page: [page], VM: [page.vm], MPN: [mpn]}


def wrong(run: Run, rule: Callable[..., Any], *arguments: Any) -> Violation:
    with pytest.raises(Violation) as found:
        run.server.do(rule, arguments)
    return found.value


def test_a_refusal_that_changes_something_is_noticed() -> None:
    """Also if it is the second of two, and what it changes is small."""
    run = running()
    page, mpn = first_touch(run.server.machine)

    def touch(s: Machine, page: Page, new: MPN) -> None:
        """A page is touched, and the refusal comes too late."""
        s.copies[page] += 1
        zeroing.touch(s, page, new)

    run.server.do(zeroing.touch, (page, mpn))
    assert wrong(run, touch, page, mpn).name == "a refusal changes nothing"


def test_a_step_that_reads_what_is_not_there_is_noticed() -> None:
    run = running()

    def clear(s: Machine, page: Page) -> None:
        """It takes for granted that the page is being cleared."""
        s.contents[s.operation[page].new] = s.zero  # type: ignore[attr-defined]

    assert "reads what is not there" in str(wrong(run, clear, first_touch(run.server.machine)[0]))


def test_a_fault_in_a_state_of_a_known_kind_is_noticed() -> None:
    """The same types at the same places, and only which frame it is differs: that is asked each time."""
    run = running()
    s = run.server.machine
    pages, frames = s.each(Page, s.ids[VM][0]), [mpn for mpn in s.ids[MPN] if s.frame[mpn] == Free()]
    fault = frames[20]

    def clear(s: Machine, page: Page) -> None:
        """The frame is cleared; one of them is not empty afterwards."""
        zeroing.clear(s, page)
        if s.operation[page] == Cleared(fault):
            s.contents[fault] = s.contents[fault].with_word(s.ids[Word][0], s.ids[Value][1])

    for page, mpn in zip(pages[:20], frames[:20], strict=True):
        run.server.do(zeroing.touch, (page, mpn))
        run.server.do(clear, (page,))
    run.server.do(zeroing.touch, (pages[20], fault))
    found = wrong(run, clear, pages[20])
    assert (found.kind, found.name) == ("invariant", "nobodys_data_is_zeros")


def looked_at(run: Run, times: int) -> tuple[list[Page], list[MPN]]:
    """So many pages are touched and cleared, so that their steps look the same; more pages and frames for that."""
    s = run.server.machine
    pages, frames = s.each(Page, s.ids[VM][0]), [mpn for mpn in s.ids[MPN] if s.frame[mpn] == Free()]
    for page, mpn in zip(pages[:times], frames[:times], strict=True):
        run.server.do(zeroing.touch, (page, mpn))
        run.server.do(zeroing.clear, (page,))
        run.server.do(zeroing.install_cleared, (page,))
    return list(pages[times:]), frames[times:]


@pytest.mark.parametrize(
    ("fault", "violated"),
    [
        (lambda s, page, mpn: s.count_field.__setitem__(mpn, 2), "count_is_number_of_users"),
        (lambda s, page, mpn: s.resident.__setitem__(page.vm, s.resident[page.vm] + 1), "pages_of_a_vm_are_counted"),
        (lambda s, page, mpn: s.tag.__setitem__(mpn, DataOf(s.ids[VM][1])), "visible_frame_holds_no_foreign_data"),
        (lambda s, page, mpn: s.frame.__setitem__(mpn, Private(s.each(Page, page.vm)[0])), None),
    ],
)
def test_a_fault_in_a_step_that_nearly_looks_the_same_is_noticed(
    fault: Callable[[Machine, Page, MPN], None], violated: str | None
) -> None:
    """A number is one too many, or a thing is another of its sort: after many steps of the same rule that are right."""
    run, faulty = running(), False

    def install_cleared(s: Machine, page: Page) -> None:
        """The page gets its frame; once, with a fault."""
        zeroing.install_cleared(s, page)
        backing = s.pmap[page]
        assert isinstance(backing, Mapped)
        if faulty:
            fault(s, page, backing.mpn)

    pages, frames = looked_at(run, 5)
    for page, mpn in zip(pages[:50], frames[:50], strict=True):
        run.server.do(zeroing.touch, (page, mpn))
        run.server.do(zeroing.clear, (page,))
        run.server.do(install_cleared, (page,))
    faulty = True
    run.server.do(zeroing.touch, (pages[50], frames[50]))
    run.server.do(zeroing.clear, (pages[50],))
    found = wrong(run, install_cleared, pages[50])
    assert violated in (found.name, None)


def test_what_is_remembered_is_what_would_be_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that a step, or what a few questions are about, looks like before, all is asked all the same."""
    steps = questions = 0

    def ask_all_the_same(one: Remembered, *things: Any) -> bool:
        nonlocal questions
        if one.look(*things):
            questions += 1
            assert one.all_hold(*things)
            return True
        return one.in_full(*things)

    def written(one: Remembered, text: Text, things: list[str]) -> str:
        return f"{text.name(partial(ask_all_the_same, one), 'ask')}({', '.join(things)})"

    def ask_the_step_all_the_same(kind: Kind, asked: int, *given: Any) -> None:
        nonlocal steps
        steps += 1
        assert kind.ask(*given) == asked

    def made(kind: Kind, head: str, *others: Any) -> None:
        always(kind, head, *others)
        name = kind.text.name(partial(ask_the_step_all_the_same, kind), "ask")
        kind.looks.last.insert(0, f" {name}(asked, {head})")

    always = Kind.__init__
    monkeypatch.setattr(Kind, "__init__", made)
    monkeypatch.setattr(Remembered, "written", written)
    one = checked(small_eight())
    assert one.steps * 0.7 < steps < one.steps
    assert one.steps < questions


def test_what_cannot_be_noted_is_asked_in_full() -> None:
    """A question that looks into contents, or goes through all things, is never remembered."""
    s = small_eight().machine()
    text = Text(now=s, before=s)
    note = Note(text)
    state: Any = NotedState(note, s, "now")
    page = s.ids[Page][0]
    with pytest.raises(NotFollowed):
        state.pmap[page]  # nobody has said how to find this page in another step
    note.thing(page, "a0")
    assert isinstance(state.pmap[page], Untouched)
    asks: list[Callable[[], Any]] = [
        lambda: bool(state.each(Page).some(lambda one: True)), lambda: state.those(Page, state.hint, 1) == (),
        lambda: list(state.each(Page)), lambda: len(state.each(Page)), lambda: page in state.each(Page),
        lambda: state.ids, lambda: bool(state.free_frames), lambda: state.copy(), lambda: state.observer,
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises((NotFollowed, TypeError)):
            ask()
    names = {one.name for one in Checked(s).statements if not one.is_followed}
    assert "buffer_written_by_device_holds_what_it_wrote" in names


def test_nothing_is_written_while_a_note_is_made() -> None:
    """So a rule can be followed that refuses before it writes, and no other."""
    s = small_eight().machine()
    note = Note(Text(now=s))
    state: Any = NotedState(note, s, "now")
    page = s.ids[Page][0]
    note.thing(page, "a0")
    free = s.free_frames
    with pytest.raises(NotFollowed):
        state.free_frames -= 1
    with pytest.raises(NotFollowed):
        state.attempted[page] = True
    assert (s.free_frames, s.attempted[page]) == (free, False)


def test_numbers_are_compared_again() -> None:
    """A look notes how numbers compared, and not what they were."""
    s = small_eight().machine()
    text = Text(now=s)
    note = Note(text)
    state: Any = NotedState(note, s, "now")
    assert 2 * state.free_frames - 1 >= state.total_frames
    assert quotient(state.free_frames, 2) < state.total_frames
    looks = Looks(text)
    looks.add(note.found)
    look = looks.function("")
    assert look()
    s.free_frames -= 10
    assert look()
    s.free_frames = 3
    assert not look()


def test_looks_branch_where_they_differ() -> None:
    """Each is found where it is so, and nowhere else; what they begin with is looked at once."""
    looks = Looks(Text(), [" begun = one"], [" return begun, number"])
    assert looks.function("one, other")(5, 5) is None
    begin = [("v0", "one"), ("", "v0 > 0"), ("v1", "other")]
    looks.add([*begin, ("", "v1 == v0"), ("number", "1")])
    looks.add([*begin, ("", "v1 == 2 * v0"), ("number", "2")])
    looks.add([("v0", "one"), ("", "v0 == 0"), ("", "other == 7"), ("number", "3")])
    looks.add([("in_another_order", "other"), ("", "in_another_order == 100")])
    look = looks.function("one, other")
    assert [look(5, 5), look(5, 10), look(0, 7)] == [(5, 1), (5, 2), (0, 3)]
    assert [look(5, 6), look(0, 0), look(-1, 100)] == [None, None, None]


def test_a_step_that_could_be_done_again_is_noticed() -> None:
    """Also if those before it, which were like it, were refused, and that was remembered."""
    kept: list[Checked] = []

    def touch(s: Machine, page: Page, new: MPN) -> None:
        """Once only so few frames are free, what is done already is not refused."""
        if s.operation[page] == Idle() or s.free_frames > few:
            zeroing.touch(s, page, new)

    def checking_of(machine: Machine) -> Checked:
        kept.append(Checked(machine))
        kept[0].settling.add(touch)
        return kept[0]

    run = running(checking_of)
    s = run.server.machine
    few = s.free_frames - 51
    pages, frames = s.each(Page, s.ids[VM][0]), [mpn for mpn in s.ids[MPN] if s.frame[mpn] == Free()]
    for page, mpn in zip(pages[:50], frames[:50], strict=True):
        run.server.do(touch, (page, mpn))
    assert wrong(run, touch, pages[50], frames[50]).name == "once done it is not enabled again"


def test_a_step_that_is_refused_says_what_was_asked_for() -> None:
    run = running()
    page, _ = first_touch(run.server.machine)
    with pytest.raises(Blocked) as found:
        run.server.run(iter([(balloon.deflate, (page,))]))
    assert found.value.__notes__ == [f"deflate({page!r})"]
    with pytest.raises(Blocked) as found:
        run.server.do(sharing.merge, (page,))
    assert found.value.__notes__ == [f"merge({page!r})"]
