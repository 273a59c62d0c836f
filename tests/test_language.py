"""The words that rules are written in, as they work on concrete states."""

import pickle
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest

from pagelaw.spec.language import (
    REGISTER,
    VM,
    Blocked,
    Contents,
    Ids,
    Map,
    State,
    Value,
    gets_done,
    given,
    leaves,
    pick,
    refuse,
    represents,
    require,
    starts_as,
    view,
    visible,
)
from pagelaw.spec.language.rules import Measure, rule
from pagelaw.spec.vocabulary import (
    MPN,
    Backing,
    Ballooned,
    Mapped,
    Page,
    Untouched,
)

A, B = VM(0), VM(1)
A0, A1, B0 = Page(A, 0), Page(A, 1), Page(B, 0)
M0, M1 = MPN(0), MPN(1)
X0, X1 = Contents((Value(0), Value(0))), Contents((Value(1), Value(0)))


class Small(State):
    """A state with a field of every kind."""

    limit: int = given()
    first: Map[MPN, Contents] = given()
    backing: Map[Page, Backing] = starts_as(Untouched())
    held: Map[MPN, Contents] = starts_as("first")
    room: Map[VM, int] = starts_as("limit")
    allowed: Map[tuple[VM, Page], bool] = starts_as(False)
    left: int = starts_as("limit")
    used: int = starts_as(0)


IDS: dict[type, list[Any]] = {VM: [A, B], Page: [A0, A1, B0], MPN: [M0, M1]}


@pytest.fixture
def small() -> Small:
    return Small.start(IDS, limit=7, first=lambda mpn: X1 if mpn is M1 else X0)


@pytest.fixture(autouse=True)
def register_as_it_was() -> Iterator[None]:
    before = {kind: dict(entries) for kind, entries in REGISTER.items()}
    yield
    REGISTER.clear()
    REGISTER.update(before)


class Reason(Enum):
    NOT_ALLOWED = "this is not allowed"


# Maps and identifiers of a sort.


def test_a_map_has_a_value_for_every_key() -> None:
    doubled: Map[int, int] = Map(lambda key: 2 * key, [(1, 100)])
    assert [doubled[1], doubled[2]] == [100, 4]


def test_write_each_decides_before_it_writes() -> None:
    chain: Map[MPN, int] = Map(lambda mpn: mpn.number)
    mpns = Ids([MPN(0), MPN(1), MPN(2), MPN(3)])
    chain.write_each(mpns, lambda mpn: mpn, 0, lambda mpn: all(chain[MPN(n)] == n for n in range(mpn.number)))
    assert [chain[mpn] for mpn in mpns] == [0, 0, 0, 0]


def test_write_each_writes_at_the_keys_given_and_nowhere_else(small: Small) -> None:
    small.allowed.write_each(small.each(Page, A), lambda page: (B, page), True)
    assert small.written()["allowed"] == {(B, A0): True, (B, A1): True}


def test_a_copy_of_a_map_is_its_own() -> None:
    one: Map[int, int] = Map(lambda key: key, [(1, 5)])
    two = one.copy()
    two[1] = 6
    assert (one[1], two[1], two[9]) == (5, 6, 9)


def test_every_and_some(small: Small) -> None:
    pages = small.each(Page)
    assert pages.every(lambda page: page != Page(B, 9))
    assert not pages.every(lambda page: page == A0)
    assert pages.some(lambda page: page == B0)
    assert not pages.some(lambda page: page == Page(B, 9))


# States.


def test_a_state_starts_as_its_fields_say(small: Small) -> None:
    assert (small.limit, small.left, small.used) == (7, 7, 0)
    assert (small.backing[A0], small.held[M0], small.held[M1], small.room[B]) == (Untouched(), X0, X1, 7)
    assert small.allowed[A, B0] is False


def test_a_parameter_may_be_a_map_with_entries_of_its_own() -> None:
    small = Small.start(IDS, limit=1, first=Map(lambda mpn: X0, [(M1, X1)]))
    assert (small.held[M0], small.held[M1]) == (X0, X1)
    small.held[M1] = X0
    assert small.first[M1] == X1


@pytest.mark.parametrize("parameters", [{"limit": 1}, {"limit": 1, "first": lambda mpn: X0, "unheard": 1}])
def test_start_refuses_missing_and_unknown_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="parameters missing or unknown"):
        Small.start(IDS, **parameters)


def test_each_gives_all_of_a_sort_or_those_of_a_vm(small: Small) -> None:
    assert small.each(Page) == (A0, A1, B0)
    assert small.each(Page, A) == (A0, A1)
    assert small.each(Page, B) == (B0,)


def test_a_copy_of_a_state_is_its_own(small: Small) -> None:
    twin = small.copy()
    twin.backing[A0] = Ballooned()
    twin.used += 1
    assert (small.backing[A0], small.used) == (Untouched(), 0)
    assert (twin.backing[A0], twin.used, twin.limit) == (Ballooned(), 1, 7)
    assert twin.each(Page, A) == (A0, A1)


def test_written_gives_what_differs_from_the_start(small: Small) -> None:
    small.backing[A0] = Mapped(M1)
    small.held[M1] = X0
    small.left -= 1
    assert small.written() == {
        "backing": {A0: Mapped(M1)}, "held": {M1: X0}, "room": {}, "allowed": {}, "left": 6, "used": 0,
    }


def test_reading_changes_nothing_that_is_written(small: Small) -> None:
    before = small.copy().written()
    assert (small.backing[B0], small.held[M0], small.room[A]) == (Untouched(), X0, 7)
    small.backing[A0] = Mapped(M0)
    small.backing[A0] = Untouched()
    assert small.written() == before


def test_a_state_can_be_pickled_if_its_parameters_can() -> None:
    small = Small.start(IDS, limit=1, first=Map(_zero_contents))
    small.backing[A0] = Mapped(M0)
    again = pickle.loads(pickle.dumps(small))
    assert again.written() == small.written()
    assert (again.held[M1], again.backing[A0], again.each(Page, A)) == (X0, Mapped(M0), (A0, A1))


def _zero_contents(mpn: MPN) -> Contents:
    return X0


# Rules and questions.


def test_require_goes_on_or_refuses_for_the_named_reason() -> None:
    require(True, Reason.NOT_ALLOWED)
    with pytest.raises(Blocked) as blocked:
        require(False, Reason.NOT_ALLOWED)
    assert blocked.value.reason is Reason.NOT_ALLOWED


def test_refuse_refuses_for_the_named_reason() -> None:
    with pytest.raises(Blocked) as blocked:
        refuse(Reason.NOT_ALLOWED)
    assert blocked.value.reason is Reason.NOT_ALLOWED


def test_pick_chooses_a_value() -> None:
    assert (pick(True, 1, 2), pick(False, 1, 2)) == (1, 2)


def test_visible_tells_the_observer_if_there_is_one(small: Small) -> None:
    visible(small, pick, A, 1)
    seen: list[Any] = []
    small.observer = lambda step, arguments: seen.append((step, arguments))
    visible(small, pick, A, 1)
    assert seen == [(pick, (A, 1))]


def test_a_view_of_a_concrete_state_is_the_function() -> None:
    @view
    def how_many(s: Small, more: int) -> int:
        """How many are used, and more."""
        return s.used + more

    state = Small.start(IDS, limit=1, first=lambda mpn: X0)
    assert (how_many(state, 3), how_many.__name__) == (3, "how_many")
    with pytest.raises(TypeError):
        how_many(state, more=3)


def test_the_register_knows_what_a_function_is() -> None:
    @rule("ESX-2-04", "R-01")
    def do_nothing(s: Small) -> None:
        """Nothing happens.

        More text.
        """

    @represents("memory")
    def nothing(s: Small) -> int:
        """Nothing."""
        return 0

    entry = REGISTER["rule"]["do_nothing"]
    assert (entry.kind, entry.clauses, entry.sentence) == ("rule", ("ESX-2-04", "R-01"), "Nothing happens.")
    assert entry.chapter == __name__.rsplit(".", 1)[-1]
    assert REGISTER["represents"]["nothing"].extra == "memory"
    assert "nothing" not in REGISTER["view"]


def test_two_chapters_cannot_use_one_name() -> None:
    def pop(s: Small) -> None:
        """Not the pop of the balloon chapter."""

    with pytest.raises(TypeError, match="two chapters have a rule named pop"):
        rule("R-01")(pop)


def test_a_measure_is_the_sum_of_its_weights(small: Small) -> None:
    def on(s: Small, backing: Backing, page: Page, mpn: MPN) -> int:
        """Pages on a frame."""
        return pick(backing == Mapped(mpn), 1, 0)

    def weighed(s: Small, used: int, vm: VM) -> int:
        """Rooms, each as large as the limit."""
        return used * s.limit

    pages_on: Measure[Any] = Measure("backing", on)
    rooms: Measure[Any] = Measure("room", weighed)
    small.backing[A0] = small.backing[B0] = Mapped(M1)
    small.room[A] = 3
    for mpn in (M0, M1):
        assert pages_on(small, mpn) == sum(small.backing[page] == Mapped(mpn) for page in (A0, A1, B0))
    assert rooms(small) == 3 * 7 + 7 * 7
    assert pages_on.__name__ == "on"


def test_each_of_a_vm_is_refused_for_what_belongs_to_none(small: Small) -> None:
    with pytest.raises(TypeError, match="a MPN belongs to no VM"):
        small.each(MPN, A)


def test_gets_done_is_enabled_and_then_no_more(small: Small) -> None:
    def take(s: Small, page: Page) -> None:
        require(s.backing[page] == Untouched(), Reason.NOT_ALLOWED)
        s.backing[page] = Ballooned()

    def count(s: Small, page: Page) -> None:
        s.used += 1

    assert gets_done(take, small, A0)
    assert not gets_done(count, small, A0)
    assert small.backing[A0] == Untouched()
    take(small, A0)
    assert not gets_done(take, small, A0)


def test_leaves_asks_about_the_state_that_a_rule_would_leave(small: Small) -> None:
    def take(s: Small, page: Page) -> None:
        require(s.backing[page] == Untouched(), Reason.NOT_ALLOWED)
        s.backing[page] = Ballooned()

    assert leaves(take, small, A0, so_that=lambda after: after.backing[A0] == Ballooned())
    assert not leaves(take, small, A0, so_that=lambda after: after.backing[A1] == Ballooned())
    assert small.backing[A0] == Untouched()
    take(small, A0)
    assert not leaves(take, small, A0, so_that=lambda after: True)
