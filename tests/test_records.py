"""The bits of a record: packing and unpacking are inverse, and the optimized words are these records. Proved by Z3.

What is run is the text of `pagelaw.spec.records` and of `pagelaw.model.optimized.records`, on bit-vectors.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import z3

from pagelaw.model.optimized import compiling
from pagelaw.model.optimized import records as optimized
from pagelaw.model.optimized.memory import Machine, new_state
from pagelaw.spec import paper, records
from pagelaw.spec.records import DoesNotFit, Layout, hint_frame, kept_of_hash, pack, shared_frame, unpack

from .bit_vectors import NUMBER, WORD, Number, Word, refuted
from .record_claims import CLAIMS, On, Pairs, values_of
from .record_leaves import Kept, functions_on, kept

WIDTHS = range(records.FEWEST, records.MOST + 1)
LAYOUTS = [kind(width) for kind, width in product((shared_frame, hint_frame), WIDTHS)]

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"{one.kind}-{one.fields[-1].width}")
each_width = pytest.mark.parametrize("width", WIDTHS)
each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda one: str(one.__name__))


def unknown(name: str, bits: int) -> tuple[Any, Any]:
    """A number of which only is known that it fits into so many bits: the term, and that fact."""
    term = z3.BitVec(name, NUMBER)
    return term, z3.And(term >= 0, term < 1 << bits)


def unknown_values(layout: Layout) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Values for every field, which fit."""
    pairs = {field.name: unknown(field.name, field.width) for field in layout.fields}
    facts = tuple(fact for _, fact in pairs.values())
    return {name: Number(term, facts) for name, (term, _) in pairs.items()}, facts


# The specification.


@each_layout
def test_what_is_packed_is_unpacked(layout: Layout) -> None:
    values, facts = unknown_values(layout)
    again = unpack(layout, pack(layout, values))
    assert list(again) == list(values)
    for name, value in again.items():
        assert refuted((value == values[name]).term, facts) is None


@each_layout
def test_what_is_unpacked_is_packed(layout: Layout) -> None:
    term, fact = unknown("record", records.RECORD_BITS)
    again: Any = pack(layout, unpack(layout, Number(term, (fact,))))  # type: ignore[arg-type]
    assert refuted(again.term == term, (fact,)) is None


@each_layout
def test_a_value_that_does_not_fit_is_always_refused(layout: Layout) -> None:
    """Whichever it is, too great or below 0, and whatever the others are."""
    values, facts = unknown_values(layout)
    for number, field in enumerate(layout.fields):
        term = values[field.name].term
        for wrong in (term < 0, term >= 1 << field.width):
            known = (*facts[:number], wrong, *facts[number + 1 :])
            given: Any = {name: Number(value.term, known) for name, value in values.items()}
            with pytest.raises(DoesNotFit, match=f"{field.name} is .*: it must be 0 to .* of {field.width} bits"):
                pack(layout, given)


@each_layout
def test_a_number_that_is_no_record_is_refused(layout: Layout) -> None:
    for number in (-1, 1 << 128):
        with pytest.raises(DoesNotFit, match=f"record is {number}: it must be 0 to .*, a number of 128 bits"):
            unpack(layout, number)


@each_layout
def test_a_record_is_made_of_all_its_fields_and_nothing_else(layout: Layout) -> None:
    assert sum(field.width for field in layout.fields) == 128
    values = unpack(layout, (1 << 128) - 1)
    assert values == {field.name: (1 << field.width) - 1 for field in layout.fields}
    for wrong in ({**values, "owner": 1}, {name: value for name, value in values.items() if name != "link"}):
        with pytest.raises(DoesNotFit, match=f"what a {layout.kind} is made of is .*: it must be hash, mpn"):
            pack(layout, wrong)


def test_the_layouts_of_24_bits_are_those_of_the_consequence() -> None:
    (said,) = (one.sentence for one in paper.consequences() if one.id == "D-06")
    names = {"mpn": "MPN", "vm": "VM", "ppn": "PPN"}
    texts = [" + ".join(f"{one.width} {names.get(one.name, one.name)}" for one in layout().fields)
             for layout in (shared_frame, hint_frame)]  # fmt: skip
    assert said == f"A packing into 128 bits: shared {texts[0]}; hint {texts[1]}."


def test_the_layouts_stand_in_the_text_of_the_chapter() -> None:
    for layout in (shared_frame(), hint_frame()):
        assert textwrap.indent(records.as_text(layout), "    ") in str(records.__doc__)


def test_the_chapter_cites_what_exists() -> None:
    with open(records.__file__, encoding="utf-8") as file:
        assert set(paper.cited_in(file.read())) <= paper.known_ids()


@pytest.mark.parametrize("width", [23, 29])
def test_other_widths_are_refused(width: int) -> None:
    for kind in (shared_frame, hint_frame):
        with pytest.raises(DoesNotFit, match=f"width is {width}: it must be 24 to 28 bits"):
            kind(width)


@each_width
def test_a_bucket_says_what_a_shared_frame_leaves_out_of_its_hash(width: int) -> None:
    """Two hashes with the same upper bits, of which the same is kept, are the same: however few buckets are asked."""
    state = new_state(Machine(pages=(1,), minimum=(0,), frames=1, slots=0, buckets=1, width=width))
    upper = int(state.bucket_bits)
    (one, fact), (two, other) = unknown("one", 64), unknown("two", 64)
    facts = (fact, other)
    kept: list[Any] = [kept_of_hash(shared_frame(width), Number(term, facts)) for term in (one, two)]  # type: ignore[arg-type]
    same = one >> (64 - upper) == two >> (64 - upper), kept[0].term == kept[1].term
    assert refuted(one == two, (*facts, *same)) is None


SPECIFICATION_FAULTS = {
    "field mask one too narrow": ("record & ones(field.width)", "record & ones(field.width - 1)"),
    "unpacked from the wrong end": ("in reversed(layout.fields)", "in layout.fields"),
    "a field laid over the next": ("(record << field.width) +", "(record << field.width - 1) +"),
    "a field narrower": ('Field("mpn", width, "the page', 'Field("mpn", width - 1, "the page'),
}
"""Faults in the text of the specification, as what it says and what it would say."""


@pytest.mark.parametrize("fault", SPECIFICATION_FAULTS)
def test_a_fault_in_the_specification_is_refuted(fault: str) -> None:
    """With a record for which it is seen on plain numbers, too."""
    old, new = SPECIFICATION_FAULTS[fault]
    with open(records.__file__, encoding="utf-8") as file:
        text = file.read()
    assert text.count(old) == 1
    names: dict[str, Any] = {"__name__": "records_with_a_fault"}
    exec(compile(text.replace(old, new), records.__file__, "exec"), names)

    def again(record: Any) -> Any:
        return names["pack"](layout, names["unpack"](layout, record))

    layout: Any = names["hint_frame"](26)
    term, fact = unknown("record", records.RECORD_BITS)
    model = refuted(again(Number(term, (fact,))).term == term, (fact,))
    record = model.eval(term, model_completion=True).as_long()
    print(f"{fault}: {record:#034x} becomes {again(record):#034x}")
    assert again(record) != record


# The numbers of the paper.


def test_collisions_are_as_unlikely_as_the_paper_says() -> None:
    assert records.collision_bound(2**32) <= Fraction(1, 2) < records.collision_bound(2**32 + 2)
    assert records.collision_bound(2**24) < Fraction(1, 2**17) < Fraction(1, 10_000)


@pytest.mark.parametrize("bits", [3, 8])
def test_no_collision_is_likelier_than_its_bound(bits: int) -> None:
    """The probability itself, for hashes so short that it can be had; the bound is not far from it while it is low."""
    for pages in range(40):
        exact = 1 - prod((1 - Fraction(n, 1 << bits) for n in range(pages)), start=Fraction(1))
        bound = records.collision_bound(pages, bits)
        assert bound * (1 - bound / 2) <= exact <= bound or bound > 1


def test_the_table_takes_as_little_as_the_paper_says() -> None:
    assert records.table_overhead() == Fraction(16, 4096) < Fraction(5, 1000)


def test_numbers_of_nothing_are_refused() -> None:
    with pytest.raises(DoesNotFit, match="pages is -1: it must be 0 or more"):
        records.collision_bound(-1)
    with pytest.raises(DoesNotFit, match="page_bytes is 0: it must be more than 0"):
        records.table_overhead(0)


# The optimized words are these records.


Found = tuple[int, dict[str, int]]
"""Which pair of a claim is not equal, and the values for which it is not."""


def counterexample(claim: Callable[..., Pairs], functions: Any, width: int) -> Found | None:
    """Where a claim does not hold; None if it is proved."""
    terms = {name: z3.BitVec(name, WORD) for name in values_of(claim, width)}
    facts = tuple(z3.ULE(terms[name], (1 << bits) - 1) for name, bits in values_of(claim, width).items())

    def number(word: Word) -> Any:
        return Number(z3.ZeroExt(NUMBER - WORD, word.term), facts)

    on = On(functions, width, Word(width), number)
    for place, (ours, law) in enumerate(claim(on, **{name: Word(term) for name, term in terms.items()})):
        model = refuted(ours.term == law.term, facts)
        if model is not None:
            return place, {name: model.eval(term, model_completion=True).as_long() for name, term in terms.items()}
    return None


def on_numbers(functions: Any, width: int) -> On:
    """Functions run on numpy's words, and the specification on plain numbers."""
    return On(functions, width, np.uint64(width), int)


def pairs(claim: Callable[..., Pairs], on: On, values: dict[str, int]) -> list[tuple[Any, Any]]:
    """What a claim yields for values."""
    return list(claim(on, **{name: np.uint64(value) for name, value in values.items()}))


def numpy_word(value: int, bits: int) -> Any:
    """A number of so many bits as a word of numpy."""
    return np.uint64(value)


@each_width
@each_claim
def test_the_words_are_the_record(claim: Callable[..., Pairs], width: int) -> None:
    assert counterexample(claim, functions_on(Word), width) is None


CALLED = set(optimized.__all__) - {"HIGH", "LOW", "Word", "ones", "over"}
"""The functions that claims are about."""


def test_every_function_of_the_words_is_in_a_claim() -> None:
    named = {name for claim in CLAIMS for name in claim.__code__.co_names}
    assert CALLED - named == set()


FAULTS = {
    "frame mask one too wide": ("ones(spilt)) << (width - spilt)", "ones(spilt + ONE)) << (width - spilt)"),
    "no mask for the frame of a hint": ("high >> over(width) & ones(width)", "high >> over(width)"),
    "count mask one too narrow": ("low >> width & ones(SIXTEEN)", "low >> width & ones(SIXTEEN - ONE)"),
    "old count left in": ("low & ~(ones(SIXTEEN) << width) | count << width", "low | count << width"),
    "old link left in": ("low >> width << width | link", "low | link"),
    "upper bits of the hash for a shared frame": ("hashed << spilt >> spilt", "hashed >> spilt"),
    "spilt bits of the VM lost": ("frame << spilt | vm >> (SIXTEEN - spilt)", "frame << spilt | vm >> SIXTEEN"),
    "upper part of the frame lost": ("high = stored << spilt | frame >> (width - spilt)", "high = stored << spilt"),
}  # fmt: skip
"""Faults in the text of the words, as what it says and what it would say."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_words_is_refuted(fault: str) -> None:
    """At some width, with values for which plain numbers differ, too; and with the text as it is they do not."""
    width, claim, (place, values) = next(found(*FAULTS[fault]))
    print(f"{fault}: {claim.__name__}, width {width}, {values}")
    ours, law = pairs(claim, on_numbers(functions_on(np.uint64, *FAULTS[fault]), width), values)[place]
    assert ours != law
    right, law = pairs(claim, on_numbers(functions_on(np.uint64), width), values)[place]
    assert right == law


def found(old: str, new: str) -> Iterator[tuple[int, Callable[..., Pairs], Found]]:
    """Where claims do not hold with a fault in the text."""
    functions = functions_on(Word, old, new)
    for width, claim in product(WIDTHS, CLAIMS):
        where = counterexample(claim, functions, width)
        if where:
            yield width, claim, where


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(vm & ones(SIXTEEN - spilt)) << (width + width)", "vm << (width + width)"),
        ("(frame & ones(width - spilt)) << (width + SIXTEEN)", "frame << (width + SIXTEEN)"),
    ],
)
def test_a_change_that_changes_nothing_is_not_called_a_fault(old: str, new: str) -> None:
    """These masks take away bits that the shift loses in any case."""
    assert list(found(old, new)) == []


def some_values(claim: Callable[..., Pairs], width: int, chosen: random.Random) -> Iterator[dict[str, int]]:
    """Corners: every value 0, 1, its highest bit or all ones; then a hundred by chance."""
    bits = values_of(claim, width)
    for corner in product(*[(0, 1, 1 << one - 1, (1 << one) - 1) for one in bits.values()]):
        yield dict(zip(bits, corner, strict=True))
    for _ in range(100):
        yield {name: chosen.getrandbits(one) for name, one in bits.items()}


def functions_compiled() -> Any:
    """The functions compiled as they are elsewhere; other tests have them as they are written."""
    numba = pytest.importorskip("numba", reason="numba is not there: nothing is compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "njit", numba.njit)
        return functions_on(np.uint64, compiled=lambda function: compiling.compiled(function, keep=False))


@pytest.mark.parametrize("kind", ["plain", "compiled", "hunted"])
def test_the_words_are_the_record_on_numbers(kind: str) -> None:
    """At corners and by chance: as the functions are used, plain and compiled, and as CrossHair is asked about them."""
    word: Callable[[int, int], Any] = kept if kind == "hunted" else numpy_word
    functions = functions_compiled() if kind == "compiled" else functions_on(Kept if kind == "hunted" else np.uint64)
    for width, claim in product(WIDTHS, CLAIMS):
        on = On(functions, width, word(width, 5), lambda word: word.value if kind == "hunted" else int(word))
        bits = values_of(claim, width)
        for values in some_values(claim, width, random.Random(width)):
            for ours, law in claim(on, **{name: word(value, bits[name]) for name, value in values.items()}):
                assert ours == law, (claim.__name__, width, values)
    if kind == "compiled":
        assert all(getattr(functions, name).signatures for name in CALLED)
