"""After a pop the driver must be reset: its next exchange does so first, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pagelaw.model.oracle.judge import ALLOWED, FORBIDDEN

from .test_oracle_judge import HEADER, ON, judged, read, write

Event = dict[str, Any]
HEADERS = [HEADER, HEADER | {"tells": ["driver"]}]
"""Without and with traces telling of drivers."""


def exchange(do: str, page: int, **more: Any) -> Event:
    """The driver puts a page into the balloon, or takes it out."""
    return {"do": do, "vm": "A", "page": page} | more


def ballooned(pages: int) -> Event:
    """A look at the balloon."""
    return {"saw": [{"vm": "A", "ballooned": pages}]}


READY = [*ON, write("A", 0, 1), {"do": "start_driver", "vm": "A"}, exchange("inflate", 0), exchange("inflate", 1)]
POPPED = [*READY, read("A", 0, 0), ballooned(1)]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(("events", "verdict"), [
    ([exchange("inflate", 2, refused="NO_DRIVER"), ballooned(1)], ALLOWED),
    ([exchange("inflate", 2, refused="NO_DRIVER"), ballooned(0)], FORBIDDEN),
    ([exchange("inflate", 2), ballooned(1)], ALLOWED),
    ([exchange("inflate", 2), ballooned(2)], FORBIDDEN),
    ([exchange("inflate", 1), ballooned(1)], ALLOWED),
    ([exchange("inflate", 2), exchange("inflate", 3, refused="NO_DRIVER")], FORBIDDEN),
    ([exchange("inflate", 2, refused="NO_DRIVER"), exchange("inflate", 2), ballooned(1)], ALLOWED),
    ([exchange("deflate", 1, refused="NO_DRIVER"), ballooned(1)], ALLOWED),
    ([exchange("deflate", 1, refused="NOT_BALLOONED"), ballooned(0)], ALLOWED),
    ([exchange("deflate", 1, refused="NOT_BALLOONED"), ballooned(1)], FORBIDDEN),
    ([exchange("deflate", 1, refused="NOT_BALLOONED"), exchange("inflate", 2), ballooned(1)], ALLOWED),
    ([exchange("deflate", 2, refused="NOT_BALLOONED")], ALLOWED),
    ([exchange("deflate", 2, refused="NO_DRIVER")], ALLOWED),
    ([exchange("deflate", 1)], FORBIDDEN),
    ([exchange("inflate", 2, refused="ALREADY_BALLOONED")], FORBIDDEN),
])  # fmt: skip
def test_the_next_exchange_resets_the_driver_or_is_refused(header: Event, events: list[Event], verdict: str) -> None:
    assert judged([*POPPED, *events], header).verdict == verdict


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("event", [
    exchange("inflate", 2, refused="NO_DRIVER"), exchange("deflate", 1, refused="NO_DRIVER"),
    exchange("deflate", 1, refused="NOT_BALLOONED"),
])  # fmt: skip
def test_a_driver_that_is_ready_is_not_reset(header: Event, event: Event) -> None:
    assert judged([*READY, event], header).verdict == FORBIDDEN
    assert judged([*READY, exchange("inflate", 2), ballooned(1)], header).verdict == FORBIDDEN


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(("do", "end", "pages", "verdict"), [
    ("inflate", {}, 1, ALLOWED), ("inflate", {}, 2, FORBIDDEN),
    ("inflate", {"refused": "NO_DRIVER"}, 1, ALLOWED),
    ("deflate", {"refused": "NO_DRIVER"}, 1, ALLOWED),
    ("deflate", {"refused": "NOT_BALLOONED"}, 0, ALLOWED),
    ("deflate", {}, 0, FORBIDDEN),
])  # fmt: skip
def test_the_same_while_others_are_under_way(header: Event, do: str, end: Event, pages: int, verdict: str) -> None:
    page = 2 if do == "inflate" else 1
    begins = exchange(do, page, begin="x")
    other = [{"do": "read", "vm": "B", "page": 0, "word": 0, "begin": "y"}, {"end": "y", "got": 0}]
    assert judged([*POPPED, begins, *other, {"end": "x"} | end, ballooned(pages)], header).verdict == verdict
