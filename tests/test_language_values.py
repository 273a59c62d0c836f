"""Identifiers, contents and variants: what the rules compare and match."""

import copy
import pickle
from typing import Any

import attrs
import pytest

from pagelaw.spec.language import VM, Contents, Sum, Value, Word, sum_of, variant, variants_of
from pagelaw.spec.vocabulary import (
    MPN,
    Backing,
    Ballooned,
    Bringing,
    Clearing,
    Copying,
    Found,
    Idle,
    Mapped,
    Operation,
    Page,
    Protecting,
    Sharing,
    Slot,
    Swapped,
    Untouched,
)

A, B = VM(0), VM(1)
A1, B0 = Page(A, 1), Page(B, 0)
M0, M1 = MPN(0), MPN(1)
X0, X1 = Contents((Value(0), Value(0))), Contents((Value(1), Value(0)))


# Identifiers and contents.


def test_identifiers_are_interned() -> None:
    assert MPN(3) is MPN(3)
    assert Page(A, 1) is A1
    assert Contents((Value(0), Value(0))) is X0


def test_different_identifiers_differ() -> None:
    assert len({MPN(0), MPN(1), Slot(0), VM(0), Page(A, 0), Page(B, 0), Page(A, 1)}) == 7


@pytest.mark.parametrize("one", [A, A1, M1, Word(1), Value(2), X1], ids=repr)
def test_copies_are_the_same_object(one: object) -> None:
    assert pickle.loads(pickle.dumps(one)) is one
    assert copy.copy(one) is one
    assert copy.deepcopy(one) is one


def test_an_owned_identifier_says_whose_it_is() -> None:
    assert (A1.vm, B0.vm) == (A, B)


def test_identifiers_have_no_order() -> None:
    with pytest.raises(TypeError):
        assert MPN(0) < MPN(1)  # type: ignore[operator]


def test_identifiers_are_printed_short() -> None:
    assert [repr(one) for one in (A, VM(26), A1, M1, Slot(2), X1)] == ["A", "VM26", "A.p1", "m1", "k2", "[x1 x0]"]


def test_a_word_of_contents_is_read_and_changed() -> None:
    changed = X0.with_word(Word(1), Value(5))
    assert [changed.word(Word(0)), changed.word(Word(1))] == [Value(0), Value(5)]
    assert X0.word(Word(1)) == Value(0)
    assert changed.with_word(Word(1), Value(0)) is X0


# Variants.


def test_variants_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Mapped(M0).mpn = M1  # type: ignore[misc]


def test_variants_are_compared_by_their_fields() -> None:
    values = [Mapped(M0), Mapped(M1), Swapped(Slot(0)), Ballooned(), Found(M0), Protecting(M0)]
    assert Mapped(M0) == Mapped(M0)
    assert len({*values, *copy.deepcopy(values)}) == len(values)


def test_a_variant_without_fields_is_one_object() -> None:
    assert Untouched() is Untouched()
    assert pickle.loads(pickle.dumps(Idle())) is Idle()
    assert copy.deepcopy(Idle()) is Idle()


def test_a_variant_with_fields_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Found(M1))) == Found(M1)


@pytest.mark.parametrize("cls", [Sharing, Bringing, Copying])
def test_a_variant_with_variants_below_is_never_built(cls: Any) -> None:
    with pytest.raises(TypeError, match=f"{cls.__name__} stands for several variants"):
        cls(M0)


@pytest.mark.parametrize("cls", [Backing, Operation, Sum])
def test_a_sum_is_never_built(cls: Any) -> None:
    with pytest.raises(TypeError, match="stands for several variants"):
        cls()


def described(operation: Operation) -> str:
    match operation:
        case Found(target):
            return f"found {target!r}"
        case Sharing(target):
            return f"sharing {target!r}"
        case Bringing(mpn) | Copying(mpn):
            return f"getting {mpn!r}"
    return "something else"


def test_match_reads_fields_and_takes_a_parent_for_all_below_it() -> None:
    operations = Found(M1), Protecting(M0), Clearing(M1), Idle()
    assert [described(o) for o in operations] == ["found m1", "sharing m0", "getting m1", "something else"]


def test_variants_are_listed_in_the_order_written() -> None:
    assert variants_of(Backing) == (Untouched, Mapped, Swapped, Ballooned)
    assert [cls.__name__ for cls in variants_of(Sharing)] == ["Found", "Protecting", "Quiet", "Alone", "Same"]
    assert variants_of(Found) == (Found,)


def test_a_variant_knows_its_sum() -> None:
    assert sum_of(Found) is sum_of(Sharing) is sum_of(Operation) is Operation


def test_a_field_less_parent_loses_its_single_object() -> None:
    class Colour(Sum):
        __slots__ = ()

    @variant
    class Bright(Colour):
        pass

    assert isinstance(Bright(), Bright)

    @variant
    class Red(Bright):
        pass

    assert isinstance(Red(), Bright)
    with pytest.raises(TypeError, match="Bright stands for several variants"):
        Bright()
