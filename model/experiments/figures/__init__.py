"""The paper's experiments, replayed: each module is one figure, with a function `replay`.

`figure` says what a figure is; `picture` draws it and `telling` writes the numbers beside it.
"""

from __future__ import annotations

from . import eight, five, four, seven, six
from .figure import Replay

FIGURES: dict[int, Replay] = {
    4: four.replay, 5: five.replay, 6: six.replay, 7: seven.replay, 8: eight.replay,
}  # fmt: skip
"""By the paper's number."""
