"""The numbers beside a picture: for a reader, and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap

import attrs

from .figure import Figure

WIDTH = 100


def text(figure: Figure) -> str:
    """What was run, and ours beside the paper's."""
    return "\n".join(_lines(figure)) + "\n"


def _lines(figure: Figure) -> Iterator[str]:
    yield f"Figure {figure.number}: {figure.title}"
    yield ""
    yield from wrap(figure.about, WIDTH)
    yield ""
    for one in figure.compared:
        yield one.what
        yield f"  ours   {one.ours}"
        yield f"  paper  {one.paper} ({one.sure})"
        yield from wrap(one.why, WIDTH, initial_indent="  why    ", subsequent_indent="         ")
    yield ""
    checked = "each checked" if figure.checked else "not checked"
    yield f"scale {figure.scale}, seed {figure.seed}: {figure.steps:,} steps of the machine, {checked}"


def as_json(figure: Figure) -> str:
    """Everything that is in the picture and in the text. Lines are in hundredths."""
    fields = attrs.asdict(figure)
    fields["scale"] = str(figure.scale)
    return json.dumps(fields, indent=1) + "\n"
