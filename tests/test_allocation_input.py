"""Numbers that make no sense are refused: with the field, its value and what it must be."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from pagelaw.model.optimized.allocation import CannotAllocate, Client, targets

NOT_WHOLE: list[Any] = [True, False, 1.0, float("nan"), Decimal(1), Fraction(3, 2), Fraction(2), "1", b"1", None, 1j]
NOT_EXACT: list[Any] = [True, False, 0.5, float("nan"), float("inf"), Decimal("0.5"), "1/2", None, 0j, (1, 2)]
SOUND: dict[str, Any] = {"shares": 2, "minimum": 1, "maximum": 9, "active": 3}
ONE = Client(shares=2, minimum=1, maximum=9, active=3)


def refusal(call: Any, *arguments: Any, **named: Any) -> CannotAllocate:
    with pytest.raises(CannotAllocate) as caught:
        call(*arguments, **named)
    assert isinstance(caught.value, ValueError)
    return caught.value


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("shares", 0, "shares = 0: must be an int of at least 1"),
        ("shares", -5, "shares = -5: must be an int of at least 1"),
        ("minimum", -1, "minimum = -1: must be an int of at least 0"),
        ("maximum", 0, "maximum = 0: must be an int of at least 1, the minimum"),
        ("maximum", -1, "maximum = -1: must be an int of at least 1, the minimum"),
        ("active", -1, "active = -1: must be an int or a Fraction of at least 0"),
        ("active", Fraction(-1, 10**6), "active = Fraction(-1, 1000000): must be an int or a Fraction of at least 0"),
    ],
)
def test_what_a_vm_cannot_have(field: str, value: Any, told: str) -> None:
    found = refusal(Client, **SOUND | {field: value})
    assert str(found) == told
    assert (found.field, found.value) == (field, value)


@pytest.mark.parametrize("field", ["shares", "minimum", "maximum"])
@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
def test_what_is_no_whole_number(field: str, value: Any) -> None:
    found = refusal(Client, **SOUND | {field: value})
    assert found.field == field
    assert found.value is value
    assert found.bound.startswith("an int of at least ")


@pytest.mark.parametrize("value", NOT_EXACT, ids=repr)
def test_active_pages_that_are_no_exact_number(value: Any) -> None:
    found = refusal(Client, **SOUND | {"active": value})
    assert (found.field, found.bound) == ("active", "an int or a Fraction of at least 0")
    assert found.value is value


@pytest.mark.parametrize("value", [*NOT_EXACT, -1, Fraction(-1, 4)], ids=repr)
def test_a_tax_rate_that_is_no_exact_number_or_negative(value: Any) -> None:
    found = refusal(targets, [ONE], value, 5)
    assert (found.field, found.bound) == ("tax_rate", "an int or a Fraction of at least 0")


@pytest.mark.parametrize("value", [1, Fraction(1), 2, Fraction(5, 4)], ids=repr)
def test_a_tax_rate_of_one_or_more(value: Any) -> None:
    assert str(refusal(targets, [ONE], value, 5)) == f"tax_rate = {value!r}: must be below 1"


def test_fewer_pages_than_the_minimums() -> None:
    two = [ONE, Client(shares=1, minimum=4, maximum=4, active=0)]
    assert str(refusal(targets, two, 0, 4)) == "pages = 4: must be an int of at least 5, the sum of the minimums"
    assert targets(two, 0, 5) == [1, 4]
    assert refusal(targets, [], 0, -1).value == -1


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
def test_pages_that_are_no_whole_number(value: Any) -> None:
    assert refusal(targets, [ONE], 0, value).field == "pages"


def test_what_is_no_client() -> None:
    assert str(refusal(targets, [ONE, 7], 0, 5)) == "clients[1] = 7: must be a Client"
    assert str(refusal(targets, 7, 0, 5)) == "clients = 7: must be the clients, one after another"
    assert refusal(targets, None, 0, 5).field == "clients"
    assert refusal(targets, [(2, 1, 9, 3)], 0, 5).field == "clients[0]"


def test_what_is_too_long_to_be_printed_is_refused_all_the_same() -> None:
    told = str(refusal(Client, **SOUND | {"shares": -(10**5000)}))
    assert told == "shares = (int of very many digits): must be an int of at least 1"
    assert len(str(refusal(Client, **SOUND | {"shares": "x" * 1000}))) < 120


def test_a_client_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ONE.shares = 0  # type: ignore[misc]  # which is what is asked


def test_any_order_of_things_will_do_for_the_clients() -> None:
    assert targets(iter([ONE, ONE]), Fraction(3, 4), 10) == targets((ONE, ONE), Fraction(3, 4), 10) == [5, 5]
