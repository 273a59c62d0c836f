"""What has no symbolic meaning is an error when it is lifted, never a silent answer."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

import pytest

from pagelaw.proofs.encoding import Encoding
from pagelaw.proofs.lifting import CannotLift, Lift, SymState, arguments_of, paths_of
from pagelaw.spec.language import REGISTER, Measure, meanwhile, pick, require, view, visible
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Backing, Idle, Mapped, Page, Sharing, Slot, Untouched

F = TypeVar("F", bound=Callable[..., Any])


def asked(function: F) -> F:
    """A view that the register of the specification does not know."""
    made = view(function)
    del REGISTER["view"][function.__name__]
    return made  # type: ignore[return-value]  # the same signature


class Why(Enum):
    NOT_LOW = "the frame is not low"


def on(s: Machine, backing: Backing, page: Page, mpn: MPN) -> int:
    """Pages on a frame."""
    return pick(backing == Mapped(mpn), 1, 0)


def careless(s: Machine, backing: Backing, page: Page) -> int:
    """Pages in low frames, if every page has a frame."""
    return pick(s.low[backing.mpn], 1, 0)  # type: ignore[attr-defined]


PAGES_ON: Measure[Any] = Measure("pmap", on)
CARELESS: Measure[Any] = Measure("pmap", careless)


def lift(function: Callable[..., Any]) -> None:
    """Find all paths of a function over the machine."""
    lifting = Lift(Encoding(), [PAGES_ON, CARELESS])
    base = {name: lifting.encoding.function(shape) for name, shape in Machine.shapes().items()}

    def state() -> SymState:
        return SymState(lifting, Machine, lambda shape: base[shape.name])

    paths_of(lifting, function, state, state, arguments_of(lifting, function))


@asked
def refusing(s: Machine, mpn: MPN) -> bool:
    require(s.low[mpn], Why.NOT_LOW)
    return True


@asked
def writing(s: Machine, mpn: MPN) -> bool:
    s.pins[mpn] = 0
    return True


@asked
def counting(s: Machine) -> bool:
    s.free_frames += 1
    return True


def no_step(m: Machine) -> None:
    pass


@asked
def showing(s: Machine) -> bool:
    visible(s, no_step)
    return True


@asked
def lying(s: Machine) -> bool:
    return s.free_frames  # type: ignore[return-value]


def loops(s: Any) -> None:
    for page in s.each(Page):
        s.pmap[page] = Untouched()


def sums_what_others_wrote(s: Any, mpn: Any) -> int:
    meanwhile(s, ("pmap",), lambda: None)
    return PAGES_ON(s, mpn)


def sums_what_is_not_there(s: Any, page: Any) -> int:
    s.pmap[page] = Untouched()
    return CARELESS(s)


def shows_twice(s: Any) -> None:
    visible(s, no_step)
    visible(s, no_step)


def clears(s: Any, ids: Any, key: Any, where: Any = None) -> None:
    s.owed.write_each(ids, key, False, where)


UNLIFTABLE: dict[str, tuple[Callable[[Any, Any, Any, Any], Any], str]] = {
    "a number as a truth value": (lambda s, page, mpn, cpu: not s.free_frames, "int is used as a truth value"),
    "an identifier as a truth value": (lambda s, page, mpn, cpu: not page, "Page is used as a truth value"),
    "a sum as a truth value": (lambda s, page, mpn, cpu: not s.pmap[page], "Backing is used as a truth value"),
    "a sum where a truth value is picked by": (lambda s, page, mpn, cpu: pick(s.pmap[page], 1, 2), "pick"),
    "a loop over identifiers": (lambda s, page, mpn, cpu: loops(s), "a loop over identifiers"),
    "a loop over a map": (lambda s, page, mpn, cpu: list(s.pins), "a loop over a map"),
    "a key looked for": (lambda s, page, mpn, cpu: mpn in s.pins, "`in` on a map"),
    "the length of a map": (lambda s, page, mpn, cpu: len(s.pins), "the length of a map"),
    "a key of another sort": (lambda s, page, mpn, cpu: s.pins[page], "a Page stands where a MPN belongs"),
    "another sort compared": (lambda s, page, mpn, cpu: page == mpn, "a MPN stands where a Page belongs"),
    "another sort written": (lambda s, page, mpn, cpu: s.pmap.__setitem__(page, mpn), "stands where a Backing"),
    "another sum compared": (lambda s, page, mpn, cpu: s.pmap[page] == Idle(), "stands where a Backing belongs"),
    "a number for a truth value": (lambda s, page, mpn, cpu: s.low[mpn] == 1, "1 stands where a bool belongs"),
    "a truth value for a number": (lambda s, page, mpn, cpu: s.free_frames + True, "True stands where a int belongs"),
    "nothing for a value": (lambda s, page, mpn, cpu: s.free_frames == None, "None stands where a int belongs"),  # noqa: E711
    "a particular identifier": (lambda s, page, mpn, cpu: s.pins[MPN(0)], "m0 stands where a MPN belongs"),
    "picked from two sorts": (lambda s, page, mpn, cpu: pick(s.low[mpn], mpn, page), "stands where a MPN belongs"),
    "a variant of another sum": (lambda s, page, mpn, cpu: isinstance(s.pmap[page], Idle), "never be a Idle"),
    "a variant of no sum": (lambda s, page, mpn, cpu: isinstance(mpn, Mapped), "a MPN can never be a Mapped"),
    "a parent built": (lambda s, page, mpn, cpu: Sharing(mpn), "Sharing stands for several variants"),
    "a field of another sum": (lambda s, page, mpn, cpu: s.pmap[page].target, "no variant of Backing has a field"),
    "a parameter written": (lambda s, page, mpn, cpu: s.low.__setitem__(mpn, True), "low is a parameter"),
    "a single parameter written": (lambda s, page, mpn, cpu: setattr(s, "count_top", 1), "s.count_top cannot be"),
    "a map put in place": (lambda s, page, mpn, cpu: setattr(s, "pins", {}), "s.pins cannot be assigned"),
    "a field unheard of": (lambda s, page, mpn, cpu: setattr(s, "unheard", 1), "s.unheard cannot be assigned"),
    "a bulk write to a parameter": (
        lambda s, page, mpn, cpu: s.low.write_each(s.each(MPN), lambda one: one, True), "low is a parameter"),
    "a bulk write to a map that is measured": (
        lambda s, page, mpn, cpu: s.pmap.write_each(s.each(Page), lambda one: one, Untouched()), "measure adds up"),
    "a bulk write at another key": (
        lambda s, page, mpn, cpu: clears(s, s.each(Slot), lambda one: (cpu, page)), "key of a bulk write must be"),
    "a bulk write at a key asked for": (
        lambda s, page, mpn, cpu: clears(s, s.each(Page), lambda one: (cpu, one if s.low[mpn] else page)),
        "depends on a question"),
    "a bulk write whose condition writes": (
        lambda s, page, mpn, cpu: clears(s, s.each(Page), lambda one: (cpu, one), lambda one: writing(s, mpn)),
        "a question writes"),
    "a question about all that writes": (
        lambda s, page, mpn, cpu: s.each(MPN).every(lambda one: s.pins.__setitem__(one, 0) is None), "question writes"),
    "a view that refuses": (lambda s, page, mpn, cpu: refusing(s, mpn), r"a question refuses \(NOT_LOW\)"),
    "a view that writes a map": (lambda s, page, mpn, cpu: writing(s, mpn), "a question writes"),
    "a view that writes a value": (lambda s, page, mpn, cpu: counting(s), "a question writes"),
    "a view that shows a step": (lambda s, page, mpn, cpu: showing(s), "shows the guest a step"),
    "a view that gives another sort": (lambda s, page, mpn, cpu: lying(s), "a int stands where a bool belongs"),
    "a sum over what others wrote": (
        lambda s, page, mpn, cpu: sums_what_others_wrote(s, mpn), "is not known by its writes"),
    "a weight that need not be there": (
        lambda s, page, mpn, cpu: sums_what_is_not_there(s, page), "its entry need not have"),
    "two steps shown": (lambda s, page, mpn, cpu: shows_twice(s), "more than one step"),
}


@pytest.mark.parametrize("construct", UNLIFTABLE)
def test_is_not_lifted(construct: str) -> None:
    attempt, complaint = UNLIFTABLE[construct]

    def rule(s: Machine, page: Page, mpn: MPN, cpu: VCPU) -> None:
        attempt(s, page, mpn, cpu)

    with pytest.raises(CannotLift, match=complaint):
        lift(rule)


@pytest.mark.parametrize("attempt", [hash, int, [1, 2].__getitem__, range, abs], ids=lambda f: f.__name__)
def test_python_itself_refuses(attempt: Callable[[Any], Any]) -> None:
    def rule(s: Machine) -> None:
        attempt(s.free_frames)

    with pytest.raises(TypeError):
        lift(rule)


def test_after_an_error_variants_are_built_as_before() -> None:
    def rule(s: Machine) -> None:
        loops(s)

    with pytest.raises(CannotLift):
        lift(rule)
    assert Mapped(MPN(0)).mpn is MPN(0)


def test_what_belongs_to_no_vm_has_none() -> None:
    """Frames of a VM would be none on maps, and all of them in a proof."""

    def frames_of(s: Machine, page: Page) -> None:
        require(s.each(MPN, page.vm).every(lambda mpn: s.low[mpn]), Why.NOT_LOW)

    def owner_of(s: Machine, mpn: MPN) -> None:
        require(mpn.vm == mpn.vm, Why.NOT_LOW)  # type: ignore[attr-defined]

    for function in (frames_of, owner_of):
        with pytest.raises(CannotLift, match="a MPN belongs to no VM"):
            lift(function)
