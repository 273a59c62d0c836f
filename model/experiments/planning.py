"""Reading a plan from a file: a machine, its VMs, and what each guest does, in TOML.

    memory = 64                 # megabytes of machine memory
    seconds = 600
    tax_rate = "3/4"            # exact: a fraction in quotes, or 0

    [[vm]]
    name = "mail"
    size = 48
    minimum = 24
    shares = 100
    overhead = 2

    [[vm.does]]
    what = "zero"               # all free memory
    [[vm.does]]
    what = "driver"             # the balloon driver starts
    [[vm.does]]
    what = "read"
    megabytes = 16
    from = "system"             # the same in all VMs; "files" and "program" are the VM's own
    [[vm.does]]
    what = "use"
    megabytes = 20
    from = "files"
    until = 600                 # seconds since the machine was started
    work_us = 300

What a guest does is done in the order in which it is written. Beside those above it can "write" memory of a
program, "end" a program, whose memory is free then, and be "idle" until some second.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs

from .run import PAGES_A_MB, GuestPlan, Plan
from .server import chance
from .workloads import (
    FILES,
    PROGRAM,
    SYSTEM,
    DriverStarts,
    Ending,
    InTurn,
    Making,
    Reading,
    Until,
    Using,
    Workload,
    Zeroing,
    own,
    system_or_own,
)


class Mistake(Exception):
    """Something wrong in a file: which file and line, which field, what it holds and what it may hold."""


MOST = 10**9
"""No number in a file is larger."""
LARGEST = 4_000_000
"""Pages and frames of the largest machine that is run: about 6 GB of memory are needed for it."""
PLACES = {"system": SYSTEM, "files": FILES, "program": PROGRAM}
WHOLE = ("a whole number", 1, MOST)
FROM_NONE = ("a whole number", 0, MOST)
FIELDS: Mapping[str, tuple[str, int, int]] = {
    "memory": WHOLE, "server": FROM_NONE, "seconds": WHOLE, "seed": FROM_NONE, "size": WHOLE, "minimum": FROM_NONE,
    "shares": WHOLE, "overhead": FROM_NONE, "megabytes": WHOLE, "at": FROM_NONE, "until": WHOLE, "work_us": FROM_NONE,
}  # fmt: skip
"""Numbers, and their bounds."""
OF_ALL = ({"memory", "seconds", "vm"}, {"server", "seed", "tax_rate"})
"""What a file must have, and what it may have beside."""
OF_VM = ({"name", "size", "minimum", "shares", "does"}, {"overhead"})
OF_STEP: Mapping[str, tuple[set[str], set[str]]] = {
    "zero": (set(), set()), "driver": (set(), set()), "read": ({"megabytes", "from"}, {"at"}),
    "use": ({"megabytes", "from", "until"}, {"at", "work_us"}), "write": ({"megabytes"}, {"at", "work_us"}),
    "end": ({"megabytes"}, {"at"}), "idle": ({"until"}, set()),
}  # fmt: skip
"""What a guest can do, and what has to be said and may be said of it."""


@attrs.define
class Place:
    """Where in the file something is: which VM, which thing that it does, counted from 0."""

    path: Path
    text: str
    vm: int = -1
    step: int = -1

    def line(self, field: str) -> int:
        """The line in which a field is written, or that of its table where it is missing."""
        vm, step, table = -1, -1, 1
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[\[\s*(vm(?:\s*\.\s*does)?)\s*\]\]", line)
            if header:
                vm, step = (vm + 1, -1) if header[1] == "vm" else (vm, step + 1)
            if (vm, step) == (self.vm, self.step):
                table = number if header else table
                if re.match(rf"\s*[\"']?{re.escape(field)}[\"']?\s*=", line):
                    return number
        return table

    def wrong(self, field: str, told: str) -> Mistake:
        """The mistake, told with its place."""
        return Mistake(f"{self.path}:{self.line(field)}: {field}: {told}")


def read(path: Path, scale: Fraction) -> Plan:
    """The plan in a file. Mistake if there is something wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        held = tomllib.loads(text)
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path}: it is not text in UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError, too
        line = re.search(r"at line (\d+)", str(error))
        raise Mistake(f"{path}{f':{line[1]}' if line else ''}: it is not TOML: {error}") from None
    place = Place(path, text)
    fields = checked(place, held, *OF_ALL)
    guests = tables(place, fields, "vm")
    planned = tuple(guest(attrs.evolve(place, vm=number), each, scale) for number, each in enumerate(guests))
    names = [one.name for one in planned]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise attrs.evolve(place, vm=number).wrong("name", f"{name!r} is the name of another VM")
    memory, server = fields["memory"], fields.get("server", 0)
    reserved = sum(one.minimum + one.overhead for one in planned)
    if server + reserved > memory:
        told = f"{memory} is too little: the server has {server}, and the minimums and overheads are {reserved}"
        raise place.wrong("memory", told)
    if (memory + sum(one.size for one in planned)) * PAGES_A_MB * scale > LARGEST:
        told = f"with the sizes of the VMs it is more than {LARGEST} pages at the scale {scale}: take a smaller scale"
        raise place.wrong("memory", told)
    if memory < 100 / (PAGES_A_MB * scale) * 2:
        raise place.wrong("memory", f"{memory} is too little at the scale {scale}: it must be at least 200 pages")
    return Plan(guests=planned, memory=memory, server=server, seconds=fields["seconds"], seed=fields.get("seed", 0),
                tax_rate=rate(place, fields), scale=scale, every=max(1, fields["seconds"] // 20))  # fmt: skip


def rate(place: Place, fields: Mapping[str, Any]) -> Fraction:
    """The tax rate: exact, at least 0, below 1."""
    value = fields.get("tax_rate", "3/4")
    if type(value) is int and value == 0:
        return Fraction(0)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}/[0-9]{0,8}[1-9][0-9]{0,8}", value) and Fraction(value) < 1:
        return Fraction(value)
    raise place.wrong("tax_rate", f'{value!r} is not a fraction at least 0 and below 1, in quotes, such as "3/4"')


def guest(place: Place, held: Any, scale: Fraction) -> GuestPlan:
    """One VM."""
    fields = checked(place, held, *OF_VM)
    if fields["minimum"] > fields["size"]:
        raise place.wrong("minimum", f"{fields['minimum']} is more than the size, {fields['size']}")
    steps = [step(attrs.evolve(place, step=number), each) for number, each in enumerate(tables(place, fields, "does"))]
    return GuestPlan(name=fields["name"], size=fields["size"], minimum=fields["minimum"], shares=fields["shares"],
                     overhead=fields.get("overhead", 32), workload=workload(steps, place.vm, scale))  # fmt: skip


def step(place: Place, held: Any) -> dict[str, Any]:
    """One thing that a guest does."""
    if not isinstance(held, dict) or "what" not in held:
        raise place.wrong("what", f"it is missing: one of {', '.join(OF_STEP)}")
    if not isinstance(held["what"], str) or held["what"] not in OF_STEP:
        raise place.wrong("what", f"{held['what']!r} is none of {', '.join(OF_STEP)}")
    must, may = OF_STEP[held["what"]]
    fields = checked(place, held, must | {"what"}, may)
    if "from" in fields and fields["from"] not in PLACES:
        raise place.wrong("from", f"{fields['from']!r} is none of {', '.join(PLACES)}")
    return fields


def workload(steps: list[dict[str, Any]], number: int, scale: Fraction) -> Callable[[], Workload]:
    """What a guest does, ready to be begun."""

    def begin() -> Workload:
        return InTurn(*(one(fields, f"{number} {at}") for at, fields in enumerate(steps)))

    def one(fields: dict[str, Any], name: str) -> Workload:
        first = PLACES[fields.get("from", "program")] + int(fields.get("at", 0) * PAGES_A_MB * scale)
        blocks = range(first, first + int(fields.get("megabytes", 0) * PAGES_A_MB * scale))
        us, holds = fields.get("work_us", 0), system_or_own(number)
        match fields["what"]:
            case "zero":
                return Zeroing()
            case "driver":
                return DriverStarts()
            case "read":
                return Reading(blocks, holds)
            case "write":
                return Making(blocks, own(number), us=us, once=True)
            case "end":
                return Ending(blocks)
            case "use":
                return Until(fields["until"], Using(blocks, holds, chance(0, name), us=us))
        return Until(fields["until"])

    return begin


def tables(place: Place, fields: Mapping[str, Any], name: str) -> list[Any]:
    """The tables of one name: at least one."""
    found = fields[name]
    if not isinstance(found, list) or not found:
        header = "[[vm]]" if name == "vm" else "[[vm.does]]"
        raise place.wrong(name, f"it must be at least one table {header}")
    return found


def checked(place: Place, held: Any, must: set[str], may: set[str]) -> dict[str, Any]:
    """The fields of a table: none that is not known, none missing, each number within its bounds."""
    if not isinstance(held, dict):
        raise place.wrong("vm", f"{held!r} is not a table")
    for field, value in held.items():
        if field not in must | may:
            near = difflib.get_close_matches(field, sorted(must | may), n=1)
            raise place.wrong(field, f"there is no such field here{f'; did you mean {near[0]}?' if near else ''}")
        if field in FIELDS:
            what, least, most = FIELDS[field]
            if type(value) is not int or not least <= value <= most:
                raise place.wrong(field, f"{value!r} is not {what} from {least} to {most}")
        elif field in ("name", "from", "what") and (not isinstance(value, str) or not value.isprintable() or not value):
            raise place.wrong(field, f"{value!r} is not a text in quotes")
    for field in sorted(must - held.keys()):
        raise place.wrong(field, "it is missing")
    return dict(held)
