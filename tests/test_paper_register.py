"""The registers of the paper and of its readings: complete, well formed, citing only what exists.

Loading a register already refuses an unknown kind or confidence, an unknown key and a missing one.
"""

import re
from collections import Counter

from pagelaw.spec import paper
from pagelaw.spec.paper import Clause, Consequence, Kind, Reading

Entry = Clause | Consequence | Reading

ENTRIES: tuple[Entry, ...] = (*paper.clauses(), *paper.consequences(), *paper.readings())

CLAUSES_OF_SECTION = {
    "2": 11, "3": 3, "3.1": 1, "3.2": 17, "3.3": 6, "4.2": 16, "4.3": 23, "5.1": 6, "5.2": 13,
    "5.3": 14, "5.4": 3, "6": 2, "6.1": 3, "6.2": 8, "6.3": 17, "7": 7,
}  # fmt: skip

CLAUSES_OF_KIND = {
    Kind.STATE: 22,
    Kind.RULE: 57,
    Kind.INVARIANT: 24,
    Kind.POLICY: 18,
    Kind.NUMBER: 14,
    Kind.EXPERIMENT: 12,
    Kind.REMARK: 3,
}


def texts(entry: Entry) -> tuple[str, ...]:
    """The prose of one entry, field by field."""
    if isinstance(entry, Reading):
        return entry.point, entry.alternatives, entry.taken, entry.why
    return (entry.sentence,)


def test_ids_are_unique_and_numbered_without_gaps() -> None:
    assert [entry.id for entry in ENTRIES] == [
        *(
            f"ESX-{section}-{n:02}"
            for section, count in CLAUSES_OF_SECTION.items()
            for n in range(1, count + 1)
        ),
        *(f"D-{n:02}" for n in range(1, 7)),
        *(f"R-{n:02}" for n in range(1, 58)),
    ]


def test_known_ids_are_those_of_all_entries() -> None:
    assert paper.known_ids() == {entry.id for entry in ENTRIES}


def test_no_clause_has_changed_its_kind() -> None:
    assert Counter(clause.kind for clause in paper.clauses()) == CLAUSES_OF_KIND


def test_every_text_is_one_filled_line() -> None:
    ragged = [
        entry.id for entry in ENTRIES for text in texts(entry) if not text or text != " ".join(text.split())
    ]
    assert ragged == []


def test_every_text_cites_existing_ids_in_full() -> None:
    abbreviated = re.compile(r"(?<![-.\w])\d(\.\d)?-\d\d\b")
    for entry in ENTRIES:
        for text in texts(entry):
            assert set(paper.cited_in(text)) <= paper.known_ids() - {entry.id}, entry.id
            assert not abbreviated.search(text), entry.id


def test_every_reading_concerns_existing_clauses() -> None:
    known = {clause.id for clause in paper.clauses()}
    for reading in paper.readings():
        assert reading.clauses, reading.id
        assert len(set(reading.clauses)) == len(reading.clauses), reading.id
        assert set(reading.clauses) <= known, reading.id


def test_a_choice_among_named_values_starts_with_its_default() -> None:
    for reading in paper.readings():
        for parameter in reading.parameters:
            if parameter.values:
                assert parameter.values[0] == parameter.default, parameter.name
                assert len(set(parameter.values)) == len(parameter.values) >= 2, parameter.name


def test_parameter_names_are_unique_identifiers() -> None:
    names = [parameter.name for reading in paper.readings() for parameter in reading.parameters]
    assert len(set(names)) == len(names) == 31
    assert all(name.isidentifier() for name in names)


def test_cited_ids_are_found_in_order_and_whole() -> None:
    text = "Breaks ESX-4.2-08 (R-22) as in D-04; not ESX-4.2-081, XR-22 or R-2."
    assert paper.cited_in(text) == ("ESX-4.2-08", "R-22", "D-04")
