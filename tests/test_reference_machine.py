"""Concrete machines: what `Sizes` asks for is what is built."""

import pytest

from pagelaw.model.reference.beside import check_everything, failures
from pagelaw.model.reference.setup import Sizes, hash_of, identifiers, machine
from pagelaw.spec.language import VM, Contents, Value
from pagelaw.spec.vocabulary import MPN, VCPU, Domain, Free, Key, Page, Slot


def contents(*numbers: int) -> Contents:
    return Contents(tuple(map(Value, numbers)))


def test_there_are_as_many_of_each_sort_as_asked_for() -> None:
    s = machine(Sizes(vms=3, pages=5, vcpus=2, frames=7, low_frames=3, slots=4, words=2, values=3, domains=2))
    assert {sort: len(s.ids[sort]) for sort in (VM, Page, VCPU, MPN, Slot, Contents, Domain)} == {
        VM: 3, Page: 15, VCPU: 6, MPN: 7, Slot: 4, Contents: 9, Domain: 2,
    }  # fmt: skip
    assert [s.low[mpn] for mpn in s.ids[MPN]] == [True] * 3 + [False] * 4
    assert (s.total_frames, s.total_slots, s.free_frames, s.free_slots) == (7, 4, 7, 4)
    assert [s.maximum[vm] for vm in s.ids[VM]] == [5, 5, 5]
    assert [s.domain[vm] for vm in s.ids[VM]] == [Domain(0), Domain(1), Domain(0)]


@pytest.mark.parametrize("seed", range(3))
def test_every_invariant_holds_at_boot_whatever_is_in_the_frames(seed: int) -> None:
    check_everything(machine(Sizes(garbage=seed)))


def test_frames_hold_garbage_at_boot() -> None:
    s = machine(Sizes(frames=16, garbage=1))
    assert {s.contents[mpn] for mpn in s.ids[MPN]} > {s.zero}
    assert all(s.frame[mpn] == Free() for mpn in s.ids[MPN])
    again, other = machine(Sizes(frames=16, garbage=1)), machine(Sizes(frames=16, garbage=2))
    assert [again.contents[mpn] for mpn in s.ids[MPN]] == [s.contents[mpn] for mpn in s.ids[MPN]]
    assert [other.contents[mpn] for mpn in s.ids[MPN]] != [s.contents[mpn] for mpn in s.ids[MPN]]


def test_the_hash_function_is_the_published_one() -> None:
    """FNV-1a, against a value of its published test suite: a word is four octets, the least first."""
    assert hash_of(contents(int.from_bytes(b"foob", "little")), 32) == 0x3F5076EF
    assert hash_of(contents(0, 1), 8) == hash_of(contents(0, 1), 32) & 0xFF


def test_few_bits_make_different_pages_collide() -> None:
    assert len(identifiers(Sizes(hash_bits=32))[Key]) == 4
    assert len(identifiers(Sizes(hash_bits=1))[Key]) == 2
    assert identifiers(Sizes(hash_bits=0))[Key] == [Key(0)]


def test_short_keys_are_the_low_bits() -> None:
    s = machine(Sizes(hash_bits=16, short_bits=3))
    assert all(s.short[key].number == key.number % 8 for key in s.ids[Key])


def test_refuse_a_machine_that_breaks_an_assumption() -> None:
    with pytest.raises(ValueError, match="minimum is not negative nor above its size"):
        machine(Sizes(pages=2, minimum=3))
    with pytest.raises(ValueError, match="count field can hold at least"):
        machine(Sizes(count_top=0))
    with pytest.raises(ValueError, match="two may share one"):
        machine(Sizes(most_sharers=1))


def test_a_state_that_breaks_an_invariant_is_told_with_its_arguments() -> None:
    s = machine(Sizes())
    s.free_frames -= 1
    s.frame[MPN(3)] = Free()
    assert [(entry.name, arguments) for entry, arguments in failures(s, "invariant")] == [("free_frames_counted", ())]
