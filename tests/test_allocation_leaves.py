"""The leaf functions of the allocation: exhaustively where numbers are small, and what CrossHair says of them.

CrossHair confirms the inversion of a price over all paths: for the tax rate 3/4, for any level, shares and whole
active pages, within its own model of Python. Between the price in whole numbers and the price of the specification
it finds no difference, which is a search that was given up, not a proof: Fractions branch too much for it. So each
question is put to a function with a fault, too, and the fault must be found. Its questions are asked with `-m deep`.
"""

from fractions import Fraction
from itertools import product

import pytest

from pagelaw.model.optimized.allocation import Client, scaled
from pagelaw.model.optimized.levels import key, pages_below

from .allocation_leaves import key_by_the_law, key_of_the_allocation, within
from .asking_crosshair import crosshair

LEAVES = "allocation_leaves"


@pytest.mark.parametrize("tax_rate", [0, Fraction(1, 3), Fraction(3, 4)], ids=str)
@pytest.mark.parametrize("active", [0, 3, Fraction(5, 2), Fraction(7, 3), 20], ids=str)
@pytest.mark.parametrize("shares", [1, 2, 3])
def test_below_each_level_are_the_pages_with_lower_keys(
    shares: int, active: Fraction | int, tax_rate: Fraction | int
) -> None:
    """Just them, at the key of every page and beside it; and never fewer than the minimum or more than the maximum."""
    (line,), bits = scaled([Client(shares, 2, 12, active)], tax_rate)
    keys = [key(line, pages, bits) for pages in range(1, 13)]
    assert keys == sorted(set(keys))
    for level in {near + by for near, by in product([0, *keys], (-1, 0, 1))}:
        assert pages_below(line, level, bits) == max(2, sum(one < level for one in keys))


def test_a_key_is_the_price_of_the_specification() -> None:
    for numbers in product(range(21), range(1, 11), range(0, 21, 5)):
        assert within(*numbers)
        assert key_of_the_allocation(*numbers) == key_by_the_law(*numbers)


@pytest.mark.deep
def test_the_inversion_of_the_price_is_confirmed() -> None:
    code, said = crosshair("check", f"{LEAVES}.pages_at_a_level", "--report_all", seconds=60)
    assert code == 0
    assert said.count("Confirmed over all paths") == said.count("\n") == 2


@pytest.mark.deep
def test_a_level_one_too_high_is_found() -> None:
    code, said = crosshair("check", f"{LEAVES}.pages_at_a_level_wrongly", "--report_all", seconds=60)
    assert code == 1
    assert "false when calling" in said


@pytest.mark.deep
def test_no_difference_to_the_price_of_the_specification_is_found() -> None:
    law, ours = f"{LEAVES}.key_by_the_law", f"{LEAVES}.key_of_the_allocation"
    code, said = crosshair("diffbehavior", law, ours, seconds=60)
    assert code == 0
    assert "No differences found" in said


@pytest.mark.deep
def test_a_planted_difference_is_found() -> None:
    law, wrong = f"{LEAVES}.key_by_the_law", f"{LEAVES}.key_that_is_wrong"
    code, said = crosshair("diffbehavior", law, wrong, seconds=60)
    assert code == 1
    assert "pages=20" in said
