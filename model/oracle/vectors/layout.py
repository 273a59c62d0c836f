"""How vectors are written and where, and the manifest, which counts them and says what has none."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .demanded import PAPER, READING

FORMAT = 1
"""The version of the formats."""
KINDS = ("rules", "refusals", "boundaries", "faults", "scenarios")
"""The folders, one for each format."""
MANIFEST = "manifest.json"
BY_LINES = ("run", "events", "expected", "before", "after")
"""Parts of a vector of which each element is written on a line of its own."""
LONGEST = 60
"""Characters of a name that is made of a text."""


@attrs.frozen
class Vector:
    """One vector."""

    id: str
    """Its identity, a path: format; rule, scenario or group of faults; what tells it from others of these."""
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its format."""
        return self.id.split("/", 1)[0]

    @property
    def of(self) -> str:
        """Its rule or scenario; of a fault the letters of its id, which tell the mechanism. A file has all of one."""
        name = self.id.split("/")[1]
        return name.split("-")[0] if self.kind == "faults" else name

    @property
    def file(self) -> str:
        """The file that it is in, below the folder of all."""
        return f"{self.kind}/{self.of}.json"


@attrs.frozen
class Made:
    """All vectors of one format, and what has none."""

    kind: str
    vectors: tuple[Vector, ...]
    without: dict[str, str] = attrs.field(factory=dict)
    """What has no vector, and why."""


def slug(text: str) -> str:
    """A text as part of an id: its letters and digits, and a digest if it is cut."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[:LONGEST].rstrip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


# JSON.


def files_of(made: Made) -> dict[str, str]:
    """The files of a format by their paths: each has all vectors of a rule, a scenario, a group of faults, by id."""
    found: dict[str, list[Vector]] = {}
    for vector in sorted(made.vectors, key=lambda one: order_of(one.id)):
        found.setdefault(vector.file, []).append(vector)
    ids = Counter(vector.id for vector in made.vectors)
    assert not ids or max(ids.values()) == 1, f"two vectors are called {ids.most_common(1)[0][0]}"
    return {file: file_text(made.kind, vectors) for file, vectors in found.items()}


def order_of(name: str) -> list[tuple[int, str]]:
    """Where an id stands among others: numbers in it by their size."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def file_text(kind: str, vectors: Iterable[Vector]) -> str:
    """A file: a line for each field of a vector, and for each element of its longer parts."""
    each = (dumps({"id": one.id, **one.content}) for one in vectors)
    return f'{{\n"format":{FORMAT},\n"kind":{compact(kind)},\n"vectors":[\n' + ",\n".join(each) + "\n]\n}\n"


def dumps(content: Mapping[str, Any], by_lines: Sequence[str] = BY_LINES) -> str:
    """An object as JSON, each field on a line."""
    fields = (f"{compact(name)}:{part(value, name in by_lines)}" for name, value in content.items())
    return "{\n" + ",\n".join(fields) + "\n}"


def part(value: Any, by_lines: bool) -> str:
    """The value of a field, each of its elements on a line if that is asked for."""
    if not by_lines or not value:
        return compact(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(compact, value)) + "\n]"
    return "{\n" + ",\n".join(f"{compact(one)}:{compact(held)}" for one, held in value.items()) + "\n}"


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# The manifest.


def section(made: Made) -> dict[str, Any]:
    """What the manifest says of a format."""
    by = Counter(vector.content["demanded_by"] for vector in made.vectors)
    of = Counter(vector.of for vector in made.vectors)
    return {"vectors": len(made.vectors), PAPER: by[PAPER], READING: by[READING], "of": dict(sorted(of.items())),
            "without": dict(sorted(made.without.items()))}  # fmt: skip


def manifest(sections: Mapping[str, Mapping[str, Any]], version: str) -> dict[str, Any]:
    """How many vectors there are of each format, and of each rule, scenario and group of faults."""
    return {"format": FORMAT, "specification": version, "vectors": sum(one["vectors"] for one in sections.values()),
            **{kind: sections[kind] for kind in KINDS if kind in sections}}  # fmt: skip


def manifest_text(content: Mapping[str, Any]) -> str:
    """The manifest as JSON, to be read in a diff."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def sections_in(folder: Path) -> dict[str, dict[str, Any]] | None:
    """What the manifest of a folder says of each format that is there; None if the folder is no set of vectors."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or "specification" not in found or found.get("format") != FORMAT:
        return None
    return {kind: found[kind] for kind in KINDS if isinstance(found.get(kind), dict) and (folder / kind).is_dir()}
