"""What the lifting makes of a function: its paths, and the terms they leave."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

import pytest
import z3

from pagelaw.proofs.encoding import Encoding
from pagelaw.proofs.lifting import Lift, Path, SymState, arguments_of, paths_of
from pagelaw.spec.language import (
    REGISTER,
    VM,
    Contents,
    Map,
    Measure,
    State,
    Value,
    Word,
    given,
    pick,
    refuse,
    require,
    starts_as,
    variants_of,
    view,
    visible,
)
from pagelaw.spec.vocabulary import (
    MPN,
    VCPU,
    Backing,
    Ballooned,
    Bringing,
    Clearing,
    Copying,
    Found,
    Idle,
    Leaving,
    Mapped,
    Operation,
    Page,
    Protecting,
    Sharing,
    Swapped,
    Untouched,
)

F = TypeVar("F", bound=Callable[..., Any])


def asked(function: F) -> F:
    """A view that the register of the specification does not know."""
    made = view(function)
    del REGISTER["view"][function.__name__]
    return made  # type: ignore[return-value]  # the same signature


class Why(Enum):
    NOT_LOW = "the frame is not low"
    NO_FRAME = "the page has no frame"


class Tiny(State):
    """A field of every kind that the lifting treats differently."""

    top: int = given()
    low: Map[MPN, bool] = given()
    backing: Map[Page, Backing] = starts_as(Untouched())
    operation: Map[Page, Operation] = starts_as(Idle())
    contents: Map[MPN, Contents] = starts_as("zero")
    users: Map[MPN, int] = starts_as(0)
    owed: Map[tuple[VCPU, Page], bool] = starts_as(False)
    total: int = starts_as(0)


class Lifted:
    """One function, lifted: its paths, and the terms to say what should hold of them."""

    def __init__(self, function: Callable[..., Any], measures: Sequence[Measure[Any]] = ()) -> None:
        self.lift = Lift(Encoding(), measures)
        self.base = {name: self.lift.encoding.function(shape) for name, shape in Tiny.shapes().items()}
        self.arguments: dict[str, Any] = arguments_of(self.lift, function)
        self.paths: list[Path] = paths_of(self.lift, function, self.state, self.state, self.arguments)

    def state(self) -> SymState:
        return SymState(self.lift, Tiny, lambda shape: self.base[shape.name])

    def __getattr__(self, argument: str) -> Any:
        return self.arguments[argument].term

    def condition(self, index: int) -> Any:
        return z3.And(self.paths[index].conditions)

    def is_a(self, term: Any, *leaves: type) -> Any:
        return z3.Or([self.lift.encoding.tester(leaf)(term) for leaf in leaves])


def always(term: Any, *given: Any) -> bool:
    """Whether a term is valid (under what is given)."""
    solver = z3.Solver()
    solver.add(*given, z3.Not(term))
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.unsat)


def refusals(lifted: Lifted) -> list[str | None]:
    return [path.refused.name if path.refused else None for path in lifted.paths]


# Paths.


def test_every_way_through_is_one_path() -> None:
    def rule(s: Tiny, page: Page) -> None:
        match s.backing[page]:
            case Mapped(mpn):
                require(s.low[mpn], Why.NOT_LOW)
                s.users[mpn] += 1
            case Swapped():
                s.total += 1
            case _:
                refuse(Why.NO_FRAME)

    lifted = Lifted(rule)
    assert refusals(lifted) == [None, "NOT_LOW", None, "NO_FRAME"]
    backing = lifted.base["backing"](lifted.page)
    low = lifted.base["low"](lifted.lift.encoding.accessor(Mapped, "mpn")(backing))
    expected = [
        z3.And(lifted.is_a(backing, Mapped), low),
        z3.And(lifted.is_a(backing, Mapped), z3.Not(low)),
        lifted.is_a(backing, Swapped),
        lifted.is_a(backing, Untouched, Ballooned),
    ]
    for index, wanted in enumerate(expected):
        assert always(lifted.condition(index) == wanted)
    assert [path.state.written for path in lifted.paths] == [True, False, True, False]


def test_paths_exclude_each_other_and_cover_everything() -> None:
    def rule(s: Tiny, page: Page, mpn: MPN) -> None:
        require((s.low[mpn] and s.total < s.top) or s.backing[page] == Mapped(mpn), Why.NOT_LOW)
        require(0 <= s.total <= s.top, Why.NO_FRAME)

    lifted = Lifted(rule)
    conditions = [lifted.condition(index) for index in range(len(lifted.paths))]
    assert len(conditions) > 5
    assert always(z3.AtMost(*conditions, 1))
    assert always(z3.Or(conditions))


def test_a_question_is_asked_once() -> None:
    def rule(s: Tiny, page: Page, mpn: MPN) -> int:
        first = 1 if s.low[mpn] else 0
        second = 1 if not s.low[mpn] else 0
        third = 1 if page == page else 0
        fourth = 1 if isinstance(s.backing[page], Mapped) else 0
        fifth = 1 if isinstance(s.backing[page], Mapped) else 0
        assert first + second == third == 1
        assert fourth == fifth
        return first

    assert len(Lifted(rule).paths) == 4


def test_what_the_rule_itself_has_built_is_no_question() -> None:
    def rule(s: Tiny, page: Page, mpn: MPN) -> None:
        s.backing[page] = Mapped(mpn)
        match s.backing[page]:
            case Mapped(same):
                s.users[same] = 1
            case _:
                refuse(Why.NO_FRAME)

    lifted = Lifted(rule)
    assert refusals(lifted) == [None]
    assert lifted.paths[0].state.users[lifted.arguments["mpn"]].term.eq(z3.IntVal(1))


def test_or_patterns_and_parents_cover_their_variants() -> None:
    def rule(s: Tiny, page: Page) -> MPN:
        match s.operation[page]:
            case Found(held) | Protecting(held):
                return held
            case Sharing(held):
                return held
            case Bringing(held) | Copying(held) | Leaving(held):
                return held
        refuse(Why.NO_FRAME)

    lifted = Lifted(rule)
    operation = lifted.base["operation"](lifted.page)
    refused = [z3.And(path.conditions) for path in lifted.paths if path.refused]
    holding = [Found, Protecting, Clearing, Leaving]
    assert always(z3.Not(z3.Or(refused)), lifted.is_a(operation, *holding))
    assert always(z3.Or(refused), lifted.is_a(operation, Idle))
    found = lifted.lift.encoding.accessor(Found, "target")(operation)
    assert lifted.paths[0].result.term.eq(found)
    assert all(not path.defined for path in lifted.paths)


def test_a_field_of_a_parent_is_that_of_the_variant_it_is() -> None:
    def rule(s: Tiny, page: Page) -> MPN:
        match s.operation[page]:
            case Sharing(held):
                return held
        refuse(Why.NO_FRAME)

    lifted = Lifted(rule)
    operation = lifted.base["operation"](lifted.page)
    for leaf in variants_of(Sharing):
        field = lifted.lift.encoding.accessor(leaf, "target")(operation)
        assert always(lifted.paths[0].result.term == field, lifted.is_a(operation, leaf))


def test_a_rule_gives_back_a_value() -> None:
    def rule(s: Tiny, mpn: MPN, word: Word) -> Value:
        return s.contents[mpn].word(word)

    lifted = Lifted(rule)
    word_of = lifted.lift.encoding.word_of
    assert lifted.paths[0].result.kind is Value
    assert lifted.paths[0].result.term.eq(word_of(lifted.base["contents"](lifted.mpn), lifted.word))


def test_what_a_rule_shows_is_run_on_private_memory() -> None:
    def step(m: Tiny, page: Page) -> None:
        require(m.backing[page] == Untouched(), Why.NO_FRAME)
        m.backing[page] = Ballooned()

    def rule(s: Tiny, page: Page) -> None:
        visible(s, step, page)

    lifted = Lifted(rule)
    assert [path.unseen for path in lifted.paths] == [None, Why.NO_FRAME]
    assert not lifted.paths[0].state.written
    after = lifted.paths[0].private.backing[lifted.arguments["page"]]
    assert always(after.term == lifted.lift.encoding.constant(Ballooned()))


def test_pick_does_not_fork() -> None:
    def rule(s: Tiny, mpn: MPN) -> None:
        s.total += pick(s.low[mpn], s.top, 1)

    lifted = Lifted(rule)
    assert len(lifted.paths) == 1
    total, top, low = lifted.base["total"](), lifted.base["top"](), lifted.base["low"](lifted.mpn)
    assert always(lifted.paths[0].state.total.term == total + z3.If(low, top, 1))


# Views.


@asked
def frame_users(s: Tiny, page: Page) -> int:
    match s.backing[page]:
        case Mapped(mpn):
            if s.low[mpn]:
                return s.users[mpn]
            return 0
        case Swapped():
            return 1
    return 2


def test_the_paths_of_a_view_are_one_term() -> None:
    def rule(s: Tiny, page: Page) -> None:
        s.total = frame_users(s, page)

    lifted = Lifted(rule)
    assert len(lifted.paths) == 1
    backing = lifted.base["backing"](lifted.page)
    mpn = lifted.lift.encoding.accessor(Mapped, "mpn")(backing)
    tree = z3.If(
        lifted.is_a(backing, Mapped),
        z3.If(lifted.base["low"](mpn), lifted.base["users"](mpn), 0),
        z3.If(lifted.is_a(backing, Swapped), z3.IntVal(1), z3.IntVal(2)),
    )
    assert always(lifted.paths[0].state.total.term == tree)


@asked
def is_low(s: Tiny, mpn: MPN) -> bool:
    return s.low[mpn] and s.users[mpn] > 0


def test_a_view_used_as_a_truth_value_forks_once() -> None:
    def rule(s: Tiny, mpn: MPN) -> None:
        require(is_low(s, mpn), Why.NOT_LOW)

    lifted = Lifted(rule)
    assert refusals(lifted) == [None, "NOT_LOW"]
    low, users = lifted.base["low"](lifted.mpn), lifted.base["users"](lifted.mpn)
    assert always(lifted.condition(0) == z3.And(low, users > 0))


@pytest.mark.parametrize(
    ("question", "meaning"),
    [
        (lambda low, used: low and used, z3.And),
        (lambda low, used: low or used, z3.Or),
        (lambda low, used: not low and used, lambda low, used: z3.And(z3.Not(low), used)),
        (lambda low, used: not low or used, z3.Implies),
        (lambda low, used: not (low and used), lambda low, used: z3.Not(z3.And(low, used))),
        (lambda low, used: low == used, lambda low, used: low == used),
        (lambda low, used: (low and not used) or (used and not low), z3.Xor),
        (lambda low, used: low or True, lambda low, used: z3.BoolVal(True)),
        (lambda low, used: True if low else used, z3.Or),
        (lambda low, used: False if low else used, lambda low, used: z3.And(z3.Not(low), used)),
        (lambda low, used: used if low else False, z3.And),
        (lambda low, used: used if low else True, z3.Implies),
    ],
)
def test_a_question_means_what_it_says(question: Callable[..., Any], meaning: Callable[..., Any]) -> None:
    def rule(s: Tiny) -> None:
        pass

    lift = Lifted(rule).lift
    low, used = z3.Bools("low used")
    term, _ = lift.merge(lambda: question(lift.wrap(low, bool), lift.wrap(used, bool)), bool)
    assert always(term == meaning(low, used))


def test_a_view_sees_the_state_as_it_is_when_asked() -> None:
    def rule(s: Tiny, page: Page) -> None:
        before = frame_users(s, page)
        s.backing[page] = Untouched()
        s.total = frame_users(s, page) - before

    lifted = Lifted(rule)
    before = lifted.lift.view(frame_users.__wrapped__, (lifted.state(), lifted.arguments["page"]))  # type: ignore[attr-defined]
    assert always(lifted.paths[0].state.total.term == 2 - before.term)


# Definedness.


def needs(lifted: Lifted) -> list[Any]:
    return [z3.Implies(z3.And(conditions), need) for conditions, need, _ in lifted.paths[0].defined]


def test_a_field_needs_its_variant() -> None:
    def rule(s: Tiny, page: Page) -> None:
        s.users[s.backing[page].mpn] = 0  # type: ignore[attr-defined]

    lifted = Lifted(rule)
    (need,) = needs(lifted)
    assert always(need == lifted.is_a(lifted.base["backing"](lifted.page), Mapped))


def test_a_field_of_a_known_variant_needs_nothing() -> None:
    def rule(s: Tiny, page: Page) -> None:
        match s.backing[page]:
            case Mapped(mpn):
                s.users[mpn] = 0

    assert [path.defined for path in Lifted(rule).paths] == [[], []]


@asked
def target_is_low(s: Tiny, page: Page) -> bool:
    return s.low[s.operation[page].target]  # type: ignore[attr-defined]


def test_what_a_view_needs_is_needed_under_the_conditions_so_far() -> None:
    def rule(s: Tiny, page: Page) -> None:
        require(s.total == 0, Why.NO_FRAME)
        require(target_is_low(s, page), Why.NOT_LOW)

    lifted = Lifted(rule)
    (need,) = needs(lifted)
    sharing = lifted.is_a(lifted.base["operation"](lifted.page), *variants_of(Sharing))
    assert always(need == z3.Implies(lifted.base["total"]() == 0, sharing))


def test_what_a_question_about_all_needs_is_needed_of_all() -> None:
    def rule(s: Tiny, vm: VM) -> None:
        require(s.each(Page, vm).every(lambda page: target_is_low(s, page)), Why.NOT_LOW)

    lifted = Lifted(rule)
    (need,) = needs(lifted)
    page = lifted.lift.encoding.fresh(Page, "page")
    sharing = lifted.is_a(lifted.base["operation"](page), *variants_of(Sharing))
    assert always(need == z3.ForAll([page], z3.Implies(lifted.lift.encoding.owner(Page)(page) == lifted.vm, sharing)))


def test_what_a_bulk_write_needs_is_needed_of_all_under_the_conditions_so_far() -> None:
    def rule(s: Tiny, cpu: VCPU) -> None:
        require(s.total == 0, Why.NO_FRAME)
        s.owed.write_each(s.each(Page), lambda page: (cpu, page), True, lambda page: target_is_low(s, page))

    lifted = Lifted(rule)
    (need,) = needs(lifted)
    page = lifted.lift.encoding.fresh(Page, "page")
    sharing = lifted.is_a(lifted.base["operation"](page), *variants_of(Sharing))
    assert always(need == z3.Implies(lifted.base["total"]() == 0, z3.ForAll([page], sharing)))
