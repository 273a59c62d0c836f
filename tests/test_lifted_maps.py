"""What the lifting makes of maps: writes, bulk writes, questions about all, sums."""

from collections.abc import Callable, Sequence
from typing import Any

import z3

from pagelaw.proofs.encoding import Encoding
from pagelaw.proofs.lifting import Lift, Path, SymState, arguments_of, paths_of
from pagelaw.spec.language import VM, Contents, Map, Measure, State, Value, Word, given, pick, require, starts_as
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import MPN, VCPU, Backing, Ballooned, Mapped, Page, Untouched, VPage


class Tiny(State):
    """A field of every kind that the lifting treats differently."""

    top: int = given()
    low: Map[MPN, bool] = given()
    backing: Map[Page, Backing] = starts_as(Untouched())
    contents: Map[MPN, Contents] = starts_as("zero")
    users: Map[MPN, int] = starts_as(0)
    owed: Map[tuple[VCPU, Page], bool] = starts_as(False)
    cached: Map[tuple[VM, VPage], bool] = starts_as(False)
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


def test_a_write_is_read_at_its_key_and_nowhere_else() -> None:
    def rule(s: Tiny, one: MPN, other: MPN) -> int:
        s.users[one] = 5
        s.users[other] += 1
        return s.users[one]

    lifted = Lifted(rule)
    same = lifted.one == lifted.other
    users = lifted.base["users"]
    state = lifted.paths[0].state
    assert always(lifted.paths[0].result.term == z3.If(same, 6, 5))
    assert always(state.users[lifted.arguments["other"]].term == z3.If(same, 6, users(lifted.other) + 1))
    third = lifted.lift.wrap(lifted.lift.encoding.fresh(MPN, "third"), MPN)
    assert always(state.users[third].term == users(third.term), third.term != lifted.one, third.term != lifted.other)


def test_a_single_value_is_read_as_written() -> None:
    def rule(s: Tiny) -> None:
        s.total = s.top + 1
        s.total -= 3

    lifted = Lifted(rule)
    assert always(lifted.paths[0].state.total.term == lifted.base["top"]() - 2)


def test_contents_change_word_by_word() -> None:
    def rule(s: Tiny, mpn: MPN, word: Word, value: Value) -> None:
        s.contents[mpn] = s.contents[mpn].with_word(word, value)

    lifted = Lifted(rule)
    wanted = lifted.lift.encoding.with_word(lifted.base["contents"](lifted.mpn), lifted.word, lifted.value)
    assert lifted.paths[0].state.contents[lifted.arguments["mpn"]].term.eq(wanted)


def test_write_each_writes_where_it_should_on_the_state_before() -> None:
    def rule(s: Tiny, cpu: VCPU, vm: VM, one: Page) -> None:
        s.backing[one] = Untouched()
        s.owed.write_each(
            s.each(Page, vm), lambda page: (cpu, page), True,
            lambda page: isinstance(s.backing[page], Mapped) and not s.owed[cpu, page],
        )
        s.backing[one] = Ballooned()

    lifted = Lifted(rule)
    assert len(lifted.paths) == 1
    cpu, page = [lifted.lift.encoding.fresh(kind, "any") for kind in (VCPU, Page)]
    after = lifted.paths[0].state.owed.read([cpu, page])
    owed = lifted.base["owed"](cpu, page)
    mapped = z3.And(page != lifted.one, lifted.is_a(lifted.base["backing"](page), Mapped))
    here = z3.And(cpu == lifted.cpu, lifted.lift.encoding.owner(Page)(page) == lifted.vm)
    assert always(after == z3.If(z3.And(here, mapped), True, owed))


def test_the_key_of_a_bulk_write_may_depend_on_the_identifier() -> None:
    def rule(s: Tiny) -> None:
        s.cached.write_each(s.each(VPage), lambda virtual: (virtual.vm, virtual), True)

    lifted = Lifted(rule)
    vm, virtual = [lifted.lift.encoding.fresh(kind, "any") for kind in (VM, VPage)]
    after = lifted.paths[0].state.cached.read([vm, virtual])
    own = vm == lifted.lift.encoding.owner(VPage)(virtual)
    assert always(after == z3.Or(own, lifted.base["cached"](vm, virtual)))


def test_every_and_some_are_quantifiers() -> None:
    def rule(s: Tiny, vm: VM) -> None:
        require(s.each(Page, vm).every(lambda page: s.backing[page] == Untouched()), Refused.NOT_MAPPED)
        require(s.each(MPN).some(lambda mpn: s.low[mpn] or s.users[mpn] > 0), Refused.NOT_LOW)

    lifted = Lifted(rule)
    assert len(lifted.paths) == 3
    page, mpn = [lifted.lift.encoding.fresh(kind, "any") for kind in (Page, MPN)]
    own = lifted.lift.encoding.owner(Page)(page) == lifted.vm
    every = z3.ForAll([page], z3.Implies(own, lifted.is_a(lifted.base["backing"](page), Untouched)))
    some = z3.Exists([mpn], z3.Or(lifted.base["low"](mpn), lifted.base["users"](mpn) > 0))
    assert always(lifted.condition(0) == z3.And(every, some))


# Measures.


def on(s: Tiny, backing: Backing, page: Page, mpn: MPN) -> int:
    """Pages on a frame, twice as heavy in low memory."""
    if backing == Mapped(mpn):
        return pick(s.low[mpn], 2, 1)
    return 0


PAGES_ON: Measure[Any] = Measure("backing", on)


def test_a_write_shifts_a_measure() -> None:
    def rule(s: Tiny, page: Page, other: Page, old: MPN, new: MPN) -> int:
        s.backing[page] = Mapped(old)
        s.backing[other] = Mapped(new)
        s.backing[page] = Untouched()
        return PAGES_ON(s, new)

    lifted = Lifted(rule, [PAGES_ON])
    total = lifted.lift.measure_function(PAGES_ON)(lifted.new)
    low = z3.If(lifted.base["low"](lifted.new), 2, 1)

    def weight(page: Any) -> Any:
        backing = lifted.base["backing"](page)
        return z3.If(backing == lifted.lift.encoding.constructor(Mapped)(lifted.new), low, 0)

    apart = total - weight(lifted.page) - weight(lifted.other) + low
    together = total - weight(lifted.page)
    assert always(lifted.paths[0].result.term == z3.If(lifted.page == lifted.other, together, apart))
