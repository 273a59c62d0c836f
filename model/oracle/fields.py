"""What the fields of a trace may hold: said once, for reading, for the JSON Schemas and for the page that tells them.

A `Field` says what a value must be. `check` says of a value what is wrong with it, `schema` gives the same as JSON
Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs


class Malformed(Exception):
    """A trace makes no sense: what is wrong and what would be right; where in its line, if that is known."""

    def __init__(self, told: str, column: int | None = None) -> None:
        super().__init__(told)
        self.column = column


@attrs.frozen
class Field:
    """What one field may hold.

    kind: "whole" (a number from `least` to `most`), "flag", "text", "name" (a text or a whole number), "fraction",
    "one" (one of `options`), "list" (of `inner`), "object" (with `fields`, and no others).
    """

    kind: str
    told: str
    example: Any
    required: bool = False
    least: int = 0
    most: int = 2**64 - 1
    options: tuple[str, ...] = ()
    inner: Field | None = None
    fields: dict[str, Field] = attrs.field(factory=dict)
    may_be_null: bool = False
    fits: Callable[[Any], bool] = attrs.field(init=False, eq=False, repr=False)
    """Whether a value is what the field may hold."""

    @fits.default
    def _fits(self) -> Callable[[Any], bool]:
        fits = fitting(self)
        return (lambda value: value is None or fits(value)) if self.may_be_null else fits


def fitting(field: Field) -> Callable[[Any], bool]:
    """What says of a value whether it is right, if it may not be null."""
    least, most, options = field.least, field.most, field.options
    match field.kind:
        case "whole":
            return lambda value: type(value) is int and least <= value <= most
        case "flag":
            return lambda value: type(value) is bool
        case "text":
            return lambda value: type(value) is str and len(value) <= LONGEST_NAME and is_plain(value) is not None
        case "name":
            return is_name
        case "one":
            return lambda value: type(value) is str and value in options
        case "fraction":
            return lambda value: type(value) is str and FRACTION.fullmatch(value) is not None
        case "any":
            return lambda value: True
        case "list":
            return list_fitting(field)
    return object_fitting(field.fields)


def list_fitting(field: Field) -> Callable[[Any], bool]:
    """The same for a list."""
    least, most, inner = field.least, field.most, field.inner

    def fits(value: Any) -> bool:
        if type(value) is not list or not least <= len(value) <= most:
            return False
        if inner is not None:
            for one in value:
                if not inner.fits(one):
                    return False
        return True

    return fits


def object_fitting(fields: dict[str, Field]) -> Callable[[Any], bool]:
    """The same for an object with these fields."""
    required = {name for name, field in fields.items() if field.required}

    def fits(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name, one in value.items():
            field = fields.get(name)
            if field is None or not field.fits(one):
                return False
        return required <= value.keys()

    return fits


FRACTION = re.compile("[0-9]{1,1000}(/[1-9][0-9]{0,999})?")
PLAIN = "[^\\u0000-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*"
"""A text that a terminal shows as it is: without control characters, or ones that turn its direction."""
is_plain = re.compile(PLAIN).fullmatch
LONGEST_NAME = 100
"""Characters of a name."""


def shown(value: Any) -> str:
    """A value as a message shows it: not all of it if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check(value: Any, field: Field, path: str) -> None:
    """Malformed if the value is not what the field may hold: of a list or an object, what in it is not."""
    if field.fits(value):
        return
    if field.kind == "list" and type(value) is list and field.inner is not None:
        for number, one in enumerate(value):
            check(one, field.inner, f"{path}[{number}]")
    if field.kind == "object" and type(value) is dict:
        check_fields(value, field.fields, path)
    raise Malformed(f"{path} is {shown(value)}, and should be {wanted(field)}")


def check_fields(value: dict[str, Any], fields: dict[str, Field], path: str) -> None:
    """Malformed if an object has a field that it should not have, or lacks one, or one holds what it should not."""
    for name in value:
        if name not in fields:
            known = ", ".join(fields)
            raise Malformed(
                f"{path or 'the line'} has the field {shown(name)}, which is not known here; known are {known}"
            )
    for name, field in fields.items():
        if name in value:
            if not field.fits(value[name]):
                check(value[name], field, f"{path}.{name}" if path else name)
        elif field.required:
            raise Malformed(f"{path or 'the line'} lacks the field {name!r}: {field.told}")


def is_name(value: Any) -> bool:
    """Whether a value can be a name: a text that is not too long, or a whole number of 64 bits."""
    if type(value) is int:
        return -(2**63) <= value < 2**64
    return type(value) is str and 0 < len(value) <= LONGEST_NAME and is_plain(value) is not None


def wanted(field: Field) -> str:
    """What a field may hold, in words."""
    match field.kind:
        case "whole":
            return f"a whole number from {field.least} to {field.most}"
        case "flag":
            return "true or false"
        case "fraction":
            return 'a fraction as a text, such as "3/4"'
        case "text":
            return f"a text of at most {LONGEST_NAME} printable characters"
        case "name":
            return f"a name: a text of 1 to {LONGEST_NAME} printable characters, or a whole number of 64 bits"
        case "one":
            return "one of " + ", ".join(map(repr, field.options))
        case "list":
            return "a list" if field.inner is None else f"a list, each {wanted(field.inner)}"
    return "an object with " + ", ".join(field.fields)


def schema(field: Field) -> dict[str, Any]:
    """The same as JSON Schema."""
    made: dict[str, Any] = {"description": field.told}
    match field.kind:
        case "whole":
            made |= {"type": "integer", "minimum": field.least, "maximum": field.most}
        case "flag":
            made |= {"type": "boolean"}
        case "text":
            made |= {"type": "string", "maxLength": LONGEST_NAME, "pattern": f"^{PLAIN}$"}
        case "name":
            made |= {"anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": f"^{PLAIN}$"},
                               {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1}]}  # fmt: skip
        case "one":
            made |= {"type": "string", "enum": list(field.options)}
        case "fraction":
            made |= {"type": "string", "pattern": f"^{FRACTION.pattern}$"}
        case "any":
            pass
        case "list":
            made |= {"type": "array", "minItems": field.least}
            if field.inner is not None:
                made["items"] = schema(field.inner)
        case _:
            made |= object_schema(field.fields)
    if field.example is not None:
        made["examples"] = [field.example]
    return {"anyOf": [made, {"type": "null"}]} if field.may_be_null else made


def object_schema(fields: dict[str, Field]) -> dict[str, Any]:
    """An object with these fields and no others."""
    required = [name for name, field in fields.items() if field.required]
    made: dict[str, Any] = {
        "type": "object", "properties": {name: schema(field) for name, field in fields.items()},
        "additionalProperties": False,
    }  # fmt: skip
    return made | ({"required": required} if required else {})
