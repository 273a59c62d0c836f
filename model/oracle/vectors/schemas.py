"""The formats of vectors as JSON Schemas, beside those of traces; what fields of the state hold, from the machine.

python -m pagelaw.model.oracle.vectors.schemas      writes them
"""

from __future__ import annotations

import ast
import inspect
import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from pagelaw.spec import machine
from pagelaw.spec.language import REGISTER, VM, Contents, Owned, Sum, Value, Word
from pagelaw.spec.language.variants import variants_of
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import MPN, Slot, Transfer

from ...reference.beside import field_sorts
from ..schemas import DRAFT, FOLDER
from ..schemas import schemas as of_traces
from .demanded import PAPER, READING
from .layout import FORMAT, KINDS
from .values import FIELDS

WHOLE = {"type": "integer"}
TEXT = {"type": "string"}
LETTERS = {MPN: "m", Slot: "k", Transfer: "t"}


def told_of_fields() -> dict[str, str]:
    """What the machine says of each of its fields."""
    (body,) = [node.body for node in ast.parse(inspect.getsource(machine)).body if isinstance(node, ast.ClassDef)]
    told = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            told[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return told


def sort_schema(sort: Any) -> dict[str, Any]:
    """A value of a sort."""
    if sort is bool:
        return {"type": "boolean"}
    if sort is int:
        return WHOLE
    if sort is Fraction:
        return {"anyOf": [WHOLE, {"type": "string", "pattern": "^-?[0-9]+/[0-9]+$"}]}
    if sort is VM:
        return {"type": "string", "description": "a VM"}
    if sort is Contents:
        return {"type": "array", "items": WHOLE, "description": "what the words of a page hold"}
    if sort in LETTERS:
        return {"type": "string", "pattern": f"^{LETTERS[sort]}[0-9]+$"}
    if sort in (Value, Word) or not issubclass(sort, Owned | Sum):
        return WHOLE | {"minimum": 0}
    if issubclass(sort, Owned):
        items = [sort_schema(VM), WHOLE]
        return {"type": "array", "prefixItems": items, "minItems": 2, "maxItems": 2, "description": sort.__name__}
    return {"$ref": f"#/$defs/{sort.__name__}"}


def sum_schema(sort: Any) -> dict[str, Any]:
    """A value of a sum: the name of a variant, or a list of that and its fields."""
    kinds: list[dict[str, Any]] = []
    for leaf in variants_of(sort):
        told = {"description": " ".join((leaf.__doc__ or "").split())}
        parts = [{"const": leaf.__name__}, *map(sort_schema, field_sorts(leaf))]
        fixed = {"prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
        kinds.append(told | (parts[0] if len(parts) == 1 else {"type": "array", **fixed}))
    return {"anyOf": kinds}


def sums() -> dict[str, dict[str, Any]]:
    """All sums that fields hold, and those that these hold."""
    found: dict[str, Any] = {}
    ahead = [shape.value for shape in FIELDS.values()]
    while ahead:
        sort = ahead.pop()
        if isinstance(sort, type) and issubclass(sort, Sum) and sort.__name__ not in found:
            found[sort.__name__] = sum_schema(sort)
            ahead += [field for leaf in variants_of(sort) for field in field_sorts(leaf)]
    return dict(sorted(found.items()))


def state_schema() -> dict[str, Any]:
    """A state, or what changed of one."""
    told, properties = told_of_fields(), {}
    for name, shape in FIELDS.items():
        value = sort_schema(shape.value)
        if shape.keys:
            keys = [sort_schema(key) for key in shape.keys]
            many = {"type": "array", "prefixItems": keys, "minItems": len(keys), "maxItems": len(keys)}
            pair = [keys[0] if len(keys) == 1 else many, value]
            value = {"type": "array", "items": {"type": "array", "prefixItems": pair, "minItems": 2, "maxItems": 2}}
        properties[name] = {"description": told[name], **value}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these fields."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required),
            "additionalProperties": False}  # fmt: skip


def common() -> dict[str, Any]:
    """Fields of every vector."""
    return {
        "id": TEXT, "told": TEXT,
        "clauses": {"type": "array", "items": {"type": "string", "pattern": "^(ESX-[0-9.]+-[0-9]+|[DR]-[0-9]+)$"},
                    "minItems": 1, "description": "the ids that it rests on, of clauses, consequences and readings"},
        "demanded_by": {"enum": [PAPER, READING]}, "header": {"$ref": "header.schema.json"},
    }  # fmt: skip


def file_schema(kind: str, vector: dict[str, Any]) -> dict[str, Any]:
    """A file of a format."""
    return record({"format": {"const": FORMAT}, "kind": {"const": kind},
                   "vectors": {"type": "array", "minItems": 1, "items": vector}})  # fmt: skip


REASON = {"enum": list(Refused.__members__)}
STATE: dict[str, Any] = {"$ref": "vector-state.schema.json"}
EVENTS = {"type": "array", "items": {"$ref": "event.schema.json"}}
SEEN = {"type": "array", "items": {"$ref": "event.schema.json#/$defs/seen"}, "minItems": 1}


def vector_schemas() -> dict[str, dict[str, Any]]:
    """A vector of each format."""
    rule = {"enum": sorted(REGISTER["rule"])}
    steps = common() | {"rule": rule, "before": STATE,
                        "step": {"type": "object", "required": ["step"], "properties": {"step": rule}}}  # fmt: skip
    by_paths = steps | {"path": TEXT, "run": EVENTS}
    grades = {"grades": {"type": "array", "items": TEXT}}
    done = {"after": STATE}, {"got": WHOLE, "saw": SEEN, **grades}
    refused = {"refused": REASON}, {"or": {"type": "array", "items": REASON, "minItems": 1}, **grades}
    by_bounds = steps | {"guard": TEXT, "reason": REASON, "compares": TEXT}
    distance = {"left_less_right": WHOLE}
    return {
        "rules": record(by_paths | done[0], done[1]),
        "refusals": record(by_paths | refused[0], refused[1]),
        "boundaries": {"oneOf": [record(by_bounds | one[0], one[1] | distance) for one in (done, refused)]},
        "faults": fault_schema(),
        "scenarios": scenario_schema(),
    }


def fault_schema() -> dict[str, Any]:
    """A vector of a fault."""
    came = record({}, {"got": WHOLE, "after": STATE, "refused": REASON, "fails": TEXT}) | {"minProperties": 1}
    differs = {"anyOf": [{"type": "null"}, record({"event": WHOLE, "right": came, "fault": came})]}
    tells = {"$ref": "event.schema.json"}
    wrong = {"anyOf": [{"type": "null"}, record({"event": WHOLE, "tells": tells})]}
    return record(common() | {"fault": TEXT, "source": TEXT, "breaks": TEXT, "false": TEXT, "machine": TEXT,
                              "shortest": WHOLE, "events": EVENTS, "differs": differs, "wrong": wrong})  # fmt: skip


def scenario_schema() -> dict[str, Any]:
    """A vector of a scenario."""
    scalar = {"type": ["integer", "string", "boolean", "null"]}
    expected = record({"after": WHOLE, "what": TEXT, "published": scalar, "rule": TEXT},
                      {"ours": scalar, "why_ours": TEXT})  # fmt: skip
    return record(common() | {"scenario": TEXT, "case": {"type": "object"}, "source": TEXT, "events": EVENTS,
                              "expected": {"type": "array", "items": expected, "minItems": 1}},
                  {"left_out": TEXT})  # fmt: skip


def manifest_schema() -> dict[str, Any]:
    """The manifest."""
    counts = {"type": "object", "additionalProperties": WHOLE}
    reasons = {"type": "object", "additionalProperties": TEXT}
    section = record({"vectors": WHOLE, PAPER: WHOLE, READING: WHOLE, "of": counts, "without": reasons})
    return record({"format": {"const": FORMAT}, "specification": TEXT, "vectors": WHOLE}, dict.fromkeys(KINDS, section))


def schemas() -> dict[str, dict[str, Any]]:
    """All JSON Schemas of vectors, by the names of their files."""
    told = {
        "vector-manifest": ("How many vectors there are, and what has none.", manifest_schema()),
        "vector-state": ("A state, or what changed of one.", state_schema() | {"$defs": sums()}),
    } | {
        f"vector-{kind}": (f"A file of the folder {kind}.", file_schema(kind, vector))
        for kind, vector in vector_schemas().items()
    }
    return {
        f"{name}.schema.json": {
            "$schema": DRAFT, "$id": f"{name}.schema.json", "title": f"pagelaw vectors, format {FORMAT}: {name}",
            "description": sentence, **made,
        }
        for name, (sentence, made) in told.items()
    }  # fmt: skip


def with_traces() -> dict[str, dict[str, Any]]:
    """These, and those of traces that they refer to."""
    return {name: {**made, "$id": name} for name, made in (of_traces() | schemas()).items()}


def write(folder: Path = FOLDER) -> None:
    """The schemas as files."""
    for name, made in schemas().items():
        (folder / name).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


__all__ = ["Machine", "schemas", "with_traces", "write"]

if __name__ == "__main__":
    write()
