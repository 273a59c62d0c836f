"""The trace format for people and programs, made of the fields that the judge reads by: a page, and JSON Schemas.

python -m pagelaw.model.oracle.schemas      writes the schemas beside this file, in schemas/
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pagelaw.spec.language import REGISTER

from ..reference.beside import parameter_names, parameter_sorts
from .capabilities import START_FIELDS
from .event_fields import (
    AFTERWARDS,
    FIELDS,
    OTHER_FIELDS,
    OUTCOMES,
    SEEN_OF_ALL,
    SEEN_OF_FRAME,
    SEEN_OF_PAGE,
    SEEN_OF_SLOT,
    SEEN_OF_TRANSLATION,
    SEEN_OF_VM,
    SETTLES,
    TOOK,
)
from .fields import Field, object_schema, wanted
from .header import HEADER_FIELDS, MACHINE_FIELDS, VERSION, VM_FIELDS
from .operations import OPERATIONS

FOLDER = Path(__file__).parent / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SEEN = {"page": SEEN_OF_PAGE, "translation": SEEN_OF_TRANSLATION, "VM": SEEN_OF_VM, "frame": SEEN_OF_FRAME,
        "slot": SEEN_OF_SLOT, "machine": SEEN_OF_ALL}  # fmt: skip


def seen_schema() -> dict[str, Any]:
    """An observation."""
    kinds = []
    for fields in SEEN.values():
        made = object_schema(fields)
        made["minProperties"] = 1
        kinds.append(made)
    return {"anyOf": kinds}


def afterwards(answers: str) -> dict[str, Any]:
    """What may be said of an operation once it is done."""
    made: dict[str, Any] = object_schema(AFTERWARDS)["properties"]
    made["took"] = object_schema(TOOK)
    made["refused"] = {"type": ["string", "boolean"], "description": AFTERWARDS["refused"].told}
    made["saw"] |= {"items": {"$ref": "#/$defs/seen"}}
    del made["got"]
    if answers in ("value", "any"):
        made["got"] = {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
    if answers in ("outcome", "any"):
        made["got"] = (
            {"enum": list(OUTCOMES)} if answers == "outcome" else {"anyOf": [made["got"], {"enum": list(OUTCOMES)}]}
        )
    return made


def event_schema() -> dict[str, Any]:
    """A line of a trace after the first."""
    kinds = []
    for operation in OPERATIONS.values():
        made = object_schema(FIELDS[operation.name])
        made["properties"] |= afterwards(operation.answers)
        if not operation.answers:
            made["properties"].pop("got", None)
        made["properties"]["do"] = {"const": operation.name, "description": operation.sentence}
        kinds.append(made)
    for what, fields in OTHER_FIELDS.items():
        if what == "step":
            continue
        made = object_schema(fields)
        made["properties"] |= {name: one for name, one in afterwards("any").items() if name in fields}
        made["required"] = [what]
        if what == "settle":
            some = {"type": "array", "items": {"enum": list(SETTLES)}}
            made["properties"]["settle"] = {"anyOf": [{"const": True}, some], "description": fields["settle"].told}
        kinds.append(made)
    steps = {"type": "object", "required": ["step"],
             "description": "a step of the specification, by the name of its rule",
             "properties": {"step": {"enum": sorted(REGISTER["rule"])}, **afterwards("any")}}  # fmt: skip
    return {"anyOf": [*kinds, steps]}


def schemas() -> dict[str, dict[str, Any]]:
    """All JSON Schemas, by the names of their files."""
    defs = {"$defs": {"seen": seen_schema()}}
    answer: dict[str, Any] = {"type": "object", "required": ["seq"], "additionalProperties": False}
    answer["properties"] = {"seq": {"type": "integer"}, "unsupported": {"const": True}, **afterwards("any")}
    cannot = {"const": True, "description": "it cannot be a machine of these sizes"}
    reset = {"type": "object", "required": ["seq"], "properties": {"seq": {"type": "integer"}, "unsupported": cannot}}
    header, start = object_schema(HEADER_FIELDS), object_schema(START_FIELDS)
    for made in (header, start):
        made["properties"]["pagelaw"] = {"const": VERSION, "description": HEADER_FIELDS["pagelaw"].told}
    start["properties"]["seq"] = {"type": "integer"}
    start["required"] = ["seq", "pagelaw", *start["required"]]
    told = {
        "header": ("The first line of a trace.", header),
        "event": ("A line of a trace after the first.", event_schema() | defs),
        "start": ("A program's answer to the command start.", start),
        "reset": ("A program's answer to the command reset.", reset),
        "answer": ("A program's answer to the command do.", answer | defs),
    }
    return {
        f"{name}.schema.json": {
            "$schema": DRAFT, "title": f"pagelaw trace format {VERSION}: {name}", "description": sentence, **made,
        }
        for name, (sentence, made) in told.items()
    }  # fmt: skip


def write(folder: Path = FOLDER) -> None:
    """The schemas as files."""
    folder.mkdir(exist_ok=True)
    for name, made in schemas().items():
        (folder / name).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


# The page.


def format_text() -> str:
    """How a trace is written, field by field, with an example of each."""
    return "\n".join(format_lines())


def format_lines() -> Iterator[str]:
    """The same, line by line."""
    yield f"pagelaw trace format, version {VERSION}"
    yield ""
    yield from prose(
        "A trace is JSON lines: a header, then one event a line, in the order in which they happened. Names of VMs, "
        "frames, slots and transfers are the implementation's own; those of frames and slots matter only up to "
        "renaming. What is not said was not observed: it is never taken to be equal, or absent. A field that is not "
        "known here is an error."
    )
    yield from section("The header", HEADER_FIELDS)
    yield from section("machine", MACHINE_FIELDS)
    yield from section("each of machine.vms", VM_FIELDS)
    yield ""
    yield from prose(
        'An event says what was done: {"do": OPERATION, ...arguments}. The operations, with what they answer in "got" '
        "(a whole number: a word; an outcome: one of " + ", ".join(map(repr, OUTCOMES)) + "):"
    )
    for operation in OPERATIONS.values():
        arguments = [name for name in FIELDS[operation.name] if name not in {"do", "begin", *AFTERWARDS}]
        answers = {"value": " -> a word", "outcome": " -> an outcome", "": ""}[operation.answers]
        yield f"  {operation.name}({', '.join(arguments)}){answers}"
        yield from prose(operation.sentence, "      ")
    yield from section("What may be said of an operation once it is done", AFTERWARDS)
    yield from section("took", TOOK)
    for name, fields in SEEN.items():
        yield from section(f"saw, of a {name}", fields)
    yield ""
    yield from prose(
        'An operation that others overlap begins in one line, {"do": ..., "begin": NAME}, and ends in another, '
        '{"end": NAME, "got": ..., "saw": ...}; its steps may be anywhere in between. One that gave up ends with '
        '"refused": true or the reason; only a scan ends with "got": "not shared". {"settle": true, "saw": [...]} '
        "says that internal operations may have happened (" + ", ".join(SETTLES) + "; a list names some of them); what "
        'was seen says which. {"saw": [...]} alone is a look at the machine. {"step": RULE, ...} is a single step of '
        "the specification, for implementations that have the same; its arguments are the rule's, a page, virtual page "
        "or vCPU as a list of a VM and a number. The rules:"
    )
    for rule in REGISTER["rule"].values():
        sorts = [getattr(sort, "__name__", str(sort)) for sort in parameter_sorts(rule.function)]
        names = zip(parameter_names(rule.function), sorts, strict=True)
        yield f"  {rule.name}({', '.join(f'{name}: {sort}' for name, sort in names)})"


def section(title: str, fields: dict[str, Field]) -> Iterator[str]:
    """Fields, each with what it may hold and an example."""
    yield ""
    yield f"{title}:"
    for name, field in fields.items():
        needed = ", required" if field.required else ""
        yield from prose(f"{name}: {field.told}", "  ")
        if field.kind not in ("any", "object") and field.inner is None:
            yield f"      {wanted(field)}{needed}"
        if field.example is not None:
            yield f"      example: {json.dumps({name: field.example})}"


def prose(text: str, indent: str = "") -> list[str]:
    """A paragraph."""
    return textwrap.wrap(
        text, 100, initial_indent=indent, subsequent_indent=indent + ("    " if indent == "  " else "")
    )


if __name__ == "__main__":
    write()
