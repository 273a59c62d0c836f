"""The lines of a trace after the first, each read into what the judge asks: fast if they are right, exact if not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from pagelaw.spec.language import VM, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.refusals import Refused
from pagelaw.spec.vocabulary import VCPU, Page, VPage

from .event_fields import (
    ALL_FIELDS,
    ARGUMENTS,
    FIELDS,
    FIT,
    KINDS_SEEN,
    MOST,
    OTHER_FIELDS,
    OUTCOMES,
    PLAIN_FIELDS,
    SEEN_OF_ALL,
    SEEN_OF_PAGE,
    SETTLE_LIST,
    SETTLES,
)
from .fields import Malformed, check, check_fields, is_name, shown
from .header import Header
from .naming import Name
from .operations import OPERATIONS, Operation, Pages, TransferName
from .stepwise import StepReader

LONGEST_LINE = 2**20
"""Bytes of a line; a longer one is not read."""
DECODE = msgspec.json.Decoder().decode
IS_OF_PAGE, WORDS_OF_PAGE = SEEN_OF_PAGE["is"], SEEN_OF_PAGE["words"]


class Event:
    """One line: what was done, with what, and what was seen."""

    __slots__ = (
        "arguments",
        "begins",
        "ends",
        "got",
        "number",
        "operation",
        "refused",
        "saw",
        "settles",
        "took",
        "what",
    )

    def __init__(self, number: int, what: str) -> None:
        self.number, self.what = number, what
        self.operation: Operation | None = None
        self.arguments: tuple[Any, ...] = ()
        self.took: dict[str, Name] = {}
        self.got: Any = None
        self.refused: str | bool = ""
        self.saw: list[dict[str, Any]] = []
        self.settles: tuple[str, ...] = ()
        self.begins = self.ends = None


class Events:
    """Reads the events of one trace."""

    def __init__(self, header: Header, machine: Machine) -> None:
        self.header, self.machine = header, machine
        vms = machine.ids[VM]
        self.vms: dict[Name, VM] = dict(zip(header.names, vms, strict=True))
        self.pages = {name: dict(enumerate(machine.each(Page, vm))) for name, vm in self.vms.items()}
        self.cpus = {name: dict(enumerate(machine.each(VCPU, vm))) for name, vm in self.vms.items()}
        self.words: dict[int, Word] = dict(enumerate(machine.ids[Word]))
        self.readers = {name: self._reader(operation) for name, operation in OPERATIONS.items()}
        self.steps = StepReader(self.vms, machine)

    def _reader(self, operation: Operation) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
        """How the arguments of an operation are read: KeyError or TypeError if a field is missing or not right."""
        pages, cpus, words, vms = self.pages, self.cpus, self.words, self.vms

        def page(event: dict[str, Any]) -> Page:
            number = event["page"]
            if type(number) is not int:
                raise TypeError
            return pages[event["vm"]][number]

        def word(event: dict[str, Any]) -> Word:
            number = event["word"]
            if type(number) is not int:
                raise TypeError
            return words[number]

        def cpu(event: dict[str, Any]) -> VCPU:
            number = event.get("cpu", 0)
            if type(number) is not int:
                raise TypeError
            return cpus[event["vm"]][number]

        def value(event: dict[str, Any]) -> Value:
            number = event["value"]
            if type(number) is not int or not 0 <= number <= MOST:
                raise TypeError
            return Value(number)

        def checked(kind: Any) -> Callable[[dict[str, Any]], Any]:
            ((name, field),) = ARGUMENTS[kind].items()

            def read(event: dict[str, Any]) -> Any:
                check(event[name], field, name)
                return event[name]

            return read

        one: dict[Any, Callable[[dict[str, Any]], Any]] = {
            VM: lambda event: vms[event["vm"]], Page: page, Word: word, Value: value, VCPU: cpu,
            Pages: checked(Pages), TransferName: checked(TransferName), bool: checked(bool),
        }  # fmt: skip
        readers = [one[kind] for kind in operation.arguments.values()]
        if len(readers) == 3:
            first, second, third = readers
            return lambda event: (first(event), second(event), third(event))
        if len(readers) == 4:
            first, second, third, fourth = readers
            return lambda event: (first(event), second(event), third(event), fourth(event))
        return lambda event: tuple(read(event) for read in readers)

    @staticmethod
    def object_in(line: bytes) -> dict[str, Any]:
        """The JSON object in a line. Malformed, if there is none, or a key is there twice."""
        try:
            made = DECODE(line)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise malformed_json(line, error) from None
        if type(made) is not dict:
            raise Malformed(f"the line holds {shown(made)}, and should hold an object: {{...}}", 1)
        if line.count(b":") != keys_in(made):  # or some string has a colon
            check_twice(line)
        return made

    def read(self, line: bytes, number: int) -> Event:
        """The event in a line. Malformed says what is wrong with it."""
        made = self.object_in(line)
        name = made.get("do")
        if name is None:
            return self._other(made, number)
        event = Event(number, "do")
        try:
            operation = OPERATIONS[name]
            event.operation, event.arguments = operation, self.readers[name](made)
        except (KeyError, TypeError):
            raise self._wrong(made, "do") from None
        if made.keys() <= PLAIN_FIELDS[name]:
            if "got" in made:
                event.got = self._got(made, operation)
            return event
        self._afterwards(made, event, name)
        if "begin" in made:
            event.what, event.begins = "begin", made["begin"]
            told = made.keys() & {"got", "refused", "saw"}
            if told:
                raise Malformed(f"{min(told)} is said of an operation that only begins here: say it where it ends")
        return event

    def _other(self, made: dict[str, Any], number: int) -> Event:
        """A line that is no operation: a step, the end of an operation, a settlement, a mere observation."""
        what = next((what for what in OTHER_FIELDS if what in made), None)
        if what is None:
            raise Malformed('the line says nothing that happened: it lacks "do", "step", "end", "settle" and "saw"')
        event = Event(number, what)
        if what == "step":
            event.operation, event.arguments, rest = self.steps.read(made)
            self._afterwards(rest, event, what)
            return event
        self._afterwards(made, event, what)
        if what == "end":
            event.ends = made["end"]
        elif what == "settle":
            if made["settle"] is not True:
                check(made["settle"], SETTLE_LIST, "settle")
            event.settles = SETTLES if made["settle"] is True else tuple(made["settle"])
        return event

    def _afterwards(self, made: dict[str, Any], event: Event, kind: str) -> None:
        """What was taken, answered and seen."""
        if not FIT[kind](made):
            check_fields(made, ALL_FIELDS[kind], "")
        event.took = made.get("took", {})
        event.refused = made.get("refused", "")
        if type(event.refused) is not str and event.refused is not True:
            raise Malformed(f"refused is {shown(event.refused)}, and should be true or the name of a reason")
        if "refused" in made and ("got" in made or event.took):
            raise Malformed("an operation that was refused has answered nothing, and taken nothing")
        if "got" in made:
            event.got = self._got(made, event.operation)
        event.saw = [self._seen(one, at) for at, one in enumerate(made.get("saw", ()))]
        if event.refused is not True and "refused" in made and event.refused not in Refused.__members__:
            raise Malformed(
                f"refused is {shown(event.refused)}, and should be true or the name of a reason{nearest(event.refused)}"
            )

    def _got(self, made: dict[str, Any], operation: Operation | None) -> Any:
        got = made["got"]
        if operation is None or operation.answers == "value":
            if type(got) is int and 0 <= got <= MOST:
                return got
            if operation is not None:
                raise Malformed(f"got is {shown(got)}, and should be a whole number from 0 to {MOST}")
        if (operation is None or operation.answers == "outcome") and got in OUTCOMES:
            return got
        name = operation.name if operation else "this"
        outcome = operation is not None and operation.answers == "outcome"
        due = f"one of {', '.join(OUTCOMES)}" if outcome else "nothing"
        raise Malformed(f"got is {shown(got)}, and {name} answers {due}")

    def _seen(self, one: dict[str, Any], at: int) -> dict[str, Any]:
        """One observation, with the page or VM that it is of. at: which it is in the line."""
        if type(one) is dict and (page := self._plainly_seen(one)) is not None:
            made = one.copy()
            made["page"], made["vm"] = page, page.vm
            return made
        path = f"saw[{at}]"
        if type(one) is not dict:
            raise Malformed(f"{path} is {shown(one)}, and should be an object")
        if not one:
            raise Malformed(f"{path} is {{}}, and should say what was seen")
        kind = SEEN_OF_ALL
        for name, fields in KINDS_SEEN.items():
            if name in one:
                kind = fields
                break
        check_fields(one, kind, path)
        made = dict(one)
        if "words" in one and len(one["words"]) > len(self.words):
            given = len(one["words"])
            raise Malformed(f"{path}.words has {given} words, and a page has {len(self.words)} in this trace")
        if "vm" in one:
            self._vm(one["vm"], f"{path}.vm")
            made["vm"] = self.vms[one["vm"]]
        if "page" in one:
            made["page"] = self._page_seen(one, path)
        if "virtual" in one:
            cpus, virtuals = self.cpus[one["vm"]], self.machine.each(VPage, made["vm"])
            if one["virtual"] >= len(virtuals) or one.get("cpu", 0) not in cpus:
                raise Malformed(f"{path}: the VM has {len(virtuals)} virtual pages and {len(cpus)} vCPUs")
            made["virtual"] = virtuals[one["virtual"]]
            made["cpu"] = cpus[one["cpu"]] if "cpu" in one else None
        return made

    def _page_seen(self, one: dict[str, Any], path: str) -> Page:
        """The page of which something was seen."""
        if one["page"] not in self.pages[one["vm"]]:
            most = len(self.pages[one["vm"]]) - 1
            raise Malformed(f"{path}.page is {one['page']}, and VM {one['vm']!r} has the pages 0 to {most}")
        if "frame" in one and "slot" in one:
            raise Malformed(f"{path} says that the page is in a frame and in a slot")
        return self.pages[one["vm"]][one["page"]]

    def _plainly_seen(self, one: dict[str, Any]) -> Page | None:
        """The page, if nothing was seen but where it is, and perhaps what it holds, and that is plainly right: most of
        what is seen is of that kind."""
        name, number, words = one.get("frame", one.get("slot")), one.get("page"), one.get("words")
        if type(number) is not int or len(one) != (3 if words is None else 4):
            return None
        if not (is_name(name) if name is not None else IS_OF_PAGE.fits(one.get("is"))):
            return None
        if words is not None and not (WORDS_OF_PAGE.fits(words) and len(words) <= len(self.words)):
            return None
        try:
            return self.pages[one["vm"]].get(number)
        except (KeyError, TypeError):
            return None

    def _vm(self, name: Any, path: str) -> None:
        if name not in self.vms:
            raise Malformed(f"{path} is {shown(name)}, and the VMs are {', '.join(map(repr, self.vms))}")

    def _wrong(self, made: dict[str, Any], what: str) -> Malformed:
        """Why the line could not be read."""
        name = made[what]
        if type(name) is not str or name not in OPERATIONS:
            near = nearest(name, OPERATIONS) if type(name) is str else ""
            return Malformed(f"do is {shown(name)}, which is no operation{near}; they are {', '.join(OPERATIONS)}")
        try:
            check_fields(made, FIELDS[name], "")
            if "vm" in made:
                self._vm(made["vm"], "vm")
                for field, known in (("page", self.pages), ("cpu", self.cpus)):
                    if field in made and made[field] not in known[made["vm"]]:
                        return Malformed(f"{field} is {made[field]}, and VM {made['vm']!r} has those from 0 to "
                                         f"{len(known[made['vm']]) - 1}")  # fmt: skip
            if "word" in made and made["word"] not in self.words:
                return Malformed(f"word is {made['word']}, and a page has {len(self.words)} words in this trace")
        except Malformed as wrong:
            return wrong
        return Malformed(f"this {name} makes no sense")


def keys_in(made: dict[str, Any]) -> int:
    """How many keys an event has, with those of what it took and saw; fewer than there are, if others hold objects."""
    saw, took = made.get("saw"), made.get("took")
    number = len(made) + (len(took) if type(took) is dict else 0)
    return number + sum([len(one) for one in saw if type(one) is dict]) if type(saw) is list else number


def check_twice(line: bytes) -> None:
    """Malformed, if some object of the line has a key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Malformed(f"the field {shown(twice)} is there twice")
        return made

    json.loads(line, object_pairs_hook=once)


def malformed_json(line: bytes, error: Exception) -> Malformed:
    """What is wrong with a line that is no JSON, and where."""
    if isinstance(error, RecursionError):
        return Malformed("too deeply nested")
    told = str(error)
    at = told.rpartition("(byte ")[2].rstrip(")")
    if at.isdecimal():
        return Malformed("no JSON: " + told.partition(": ")[2].rpartition(" (byte")[0], int(at) + 1)
    if "truncated" in told:
        return Malformed("no JSON: the line ends too early", len(line) + 1)
    return Malformed(f"no JSON: {told[:1].lower()}{told[1:]}")


def nearest(name: str, names: Any = None) -> str:
    """The nearest names that are known, as a question."""
    import difflib

    near = difflib.get_close_matches(name, list(Refused.__members__ if names is None else names), n=2, cutoff=0.5)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
