"""What CrossHair says of the leaf functions of the records. Its questions are asked with `-m deep`.

At 26 bits for a number it confirms over all paths what it is asked to check, and between the words and the
specification it exhausts all paths without a difference. A function with a fault is put to it both ways, too, and
the fault must be found.
"""

import pytest

from .asking_crosshair import crosshair

LEAVES = "record_leaves"
CHECKED = [
    "count_is_put_and_read",
    "link_is_put_and_read",
    "hash_is_cut_and_found",
    "shared_frame_is_packed_and_unpacked",
    "hint_frame_is_packed_and_unpacked",
]

pytestmark = pytest.mark.deep


@pytest.mark.parametrize("leaf", CHECKED)
def test_assertions_are_confirmed(leaf: str) -> None:
    code, said = crosshair("check", f"{LEAVES}.{leaf}", "--analysis_kind=asserts", "--report_all", seconds=60)
    assert code == 0
    assert said.count("Confirmed over all paths") == said.count("\n") == 1


def test_a_mask_one_bit_too_narrow_is_found() -> None:
    leaf = f"{LEAVES}.count_is_put_and_read_wrongly"
    code, said = crosshair("check", leaf, "--analysis_kind=asserts", "--report_all", seconds=60)
    assert code == 1
    assert "AssertionError:  when calling count_is_put_and_read_wrongly(" in said


@pytest.mark.parametrize("kind", ["shared", "hint"])
def test_no_difference_to_the_specification_is_found(kind: str) -> None:
    code, said = crosshair("diffbehavior", f"{LEAVES}.{kind}_by_the_law", f"{LEAVES}.{kind}_by_the_words", seconds=60)
    assert code == 0
    assert "No differences found" in said
    assert "All paths exhausted" in said


def test_a_planted_difference_is_found() -> None:
    wrong = f"{LEAVES}.shared_by_words_that_are_wrong"
    code, said = crosshair("diffbehavior", f"{LEAVES}.shared_by_the_law", wrong, seconds=60)
    assert code == 1
    assert "Given: (record=" in said
