"""What an action does in a state, and whether it is what the specification allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from inspect import signature
from itertools import product
from types import TracebackType
from typing import Any

import attrs

from pagelaw.spec import at_once
from pagelaw.spec.language import REGISTER, Blocked, Entry, Map, gets_done
from pagelaw.spec.private_memory import PrivateMemory
from pagelaw.spec.vocabulary import MPN, VCPU, Filling, Free, Page, Slot

from ..reference.beside import asked, call_text, parameter_sorts
from ..reference.paths import Recorder
from . import rows
from .behind import fields_behind
from .memo import Memo, Work
from .packing import Layout, TooManyValues
from .watched import Log, Watched

CALLERS = (rows.__name__, at_once.__name__, gets_done.__module__)
"""Where rules are called from, actions aside: by rows, and by statements about what can be done."""


@attrs.frozen(slots=True, eq=False)
class Outcome:
    """What came of an action."""

    refused: Enum | None = None
    writes: tuple[tuple[int, int], ...] = ()
    """Places and the numbers of the values there now; nothing if all is as before."""
    changed: frozenset[str] = frozenset()
    """The fields of these places."""
    unsettled: tuple[tuple[int, int], ...] = ()
    """The writes before the state got the name that all like it have: see `settle`."""
    private: tuple[tuple[int, Any], ...] = ()
    """What private memory became, where the action is a step of it: places as in `Views`, and values."""
    problem: str = ""
    """What the specification does not allow about it."""
    path: str = ""
    """The path of the rule that was taken."""
    left_out: bool = False
    """It could not be tried: see `calls_in_vain`."""

    def after(self, packed: bytes) -> bytes:
        """The state that it leaves."""
        return written(packed, self.writes)


def written(packed: bytes, writes: Sequence[tuple[int, int]]) -> bytes:
    """The state with other values at some places."""
    changed = bytearray(packed)
    for place, number in writes:
        changed[place] = number
    return bytes(changed)


class Views:
    """Private memory, read off a state: every entry of it that can change."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.machine = Watched.over(layout)
        self.of_field = {entry.extra: asked(entry.function) for entry in REGISTER["represents"].values()}
        self.entries: list[tuple[str, Any]] = []
        self.memos: list[Memo] = []
        self.fields: frozenset[str] = frozenset()
        """The machine's fields that it is read off."""
        for name, shape in PrivateMemory.shapes().items():
            if not shape.field.is_given:
                for key in product(*map(layout.machine.ids.__getitem__, shape.keys)):
                    self._enter(name, key[0] if len(key) == 1 else key)
        self.number_of = {entry: number for number, entry in enumerate(self.entries)}

    def _enter(self, name: str, key: Any) -> None:
        fields = fields_behind(self.of_field[name]) if name in self.of_field else frozenset({name})
        live = fields & set(self.layout.fields)
        if live:
            self.fields |= live
            self.entries.append((name, key))
            self.memos.append(Memo(lambda packed: self._work(name, key, packed)))

    def _work(self, name: str, key: Any, packed: bytes) -> tuple[Sequence[int], Any]:
        log = Log()
        return log.places, (self.read_off(self.machine.on(packed, log), name, key),)

    def read_off(self, machine: Watched, name: str, key: Any) -> Any:
        """One entry."""
        view = self.of_field.get(name)
        return getattr(machine, name)[key] if view is None else view(machine, key)

    def __call__(self, packed: bytes) -> list[Any]:
        """All entries, each in a tuple of one."""
        return [memo(packed) for memo in self.memos]

    def difference(self, before: list[Any], after: list[Any], outcome: Outcome) -> str:
        """What is different after a step from what private memory became, "" if nothing."""
        due = list(before)
        for number, value in outcome.private:
            due[number] = (value,)
        if due == after:
            return ""
        number = next(i for i, (a, b) in enumerate(zip(due, after, strict=True)) if a != b)
        name, key = self.entries[number]
        return f"{name}[{key!r}] is {after[number][0]!r} in the machine, {due[number][0]!r} in private memory"


class Beside:
    """Private memory beside one action: as it is read off the machine before, then step by step."""

    def __init__(self, before: Watched, views: Views) -> None:
        self.problem = ""
        self.returned: Any = None
        self.steps = 0
        self.private = PrivateMemory.__new__(PrivateMemory)
        self.private.ids, self.private.observer, self.private._per_vm = before.ids, None, {}
        self.private.zero = before.zero
        for name, shape in PrivateMemory.shapes().items():
            if not shape.field.is_given:
                setattr(self.private, name, Map(partial(views.read_off, before, name)))

    def observe(self, step: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """A rule says which step of private memory it is."""
        self.steps += 1
        try:
            self.returned = step(self.private, *arguments)
        except Blocked as refused:
            told = f"private memory refuses {call_text(step, arguments)}: {refused.reason.value}"
            self.problem = self.problem or f"refinement: a step that guests must not see: {told}"

    def became(self, views: Views) -> Iterator[tuple[int, Any]]:
        """What it holds now, where that was looked at or written."""
        for name, shape in PrivateMemory.shapes().items():
            if not shape.field.is_given:
                for key, value in getattr(self.private, name).items():
                    number = views.number_of.get((name, key))
                    if number is not None:
                        yield number, value


class Acting:
    """Runs one action with given arguments on packed states."""

    def __init__(self, layout: Layout, views: Views, both: tuple[Watched, Watched], recorder: Recorder | None,
                 function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:  # fmt: skip
        self.layout, self.views, self.function, self.arguments = layout, views, function, arguments
        entry = REGISTER["rule"].get(function.__name__)
        self.is_rule = entry is not None and entry.function is function
        self.once = self.is_rule and entry is not None and not entry.extra
        """Whether it is a rule that refuses to be done again at once."""
        self.in_one = next((one for one in REGISTER["operation"].values() if one.extra.run is function), None)
        """The operation in one piece, if the action is the row of steps that carries it out."""
        self.recorder = recorder if self.is_rule else None
        self.before, self.after = both

    def __call__(self, packed: bytes) -> tuple[Sequence[int], Outcome]:
        log = Log()
        after, before = self.after.on(packed, log), self.before.on(packed, log)
        beside = Beside(before, self.views)
        after.observer = beside.observe
        try:
            returned, path = self._run(after)
        except Blocked as refused:
            return log.places, Outcome(refused.reason, path=self._path(refused.reason))
        except TooManyValues:
            raise
        except Exception as error:  # whatever a mutant does wrong is a finding, not a crash
            if calls_in_vain(error):
                return log.places, Outcome(left_out=True)
            return log.places, Outcome(problem=f"failure: it cannot be carried on: {type(error).__name__}: {error}")
        private = tuple(beside.became(self.views))
        problem = self._problem(beside, returned) or self._in_one_piece(packed, after, log)
        unsettled = tuple(after.writes.items())
        settle(after)
        after.settled()
        for place in after.writes:
            log.note(place)  # whether that changes anything depends on what was there
        writes = tuple(sorted((place, n) for place, n in after.writes.items() if packed[place] != n))
        changed = frozenset(self.layout.field_at[place] for place, _ in writes)
        return log.places, Outcome(None, writes, changed, unsettled, private, problem, path)

    def _run(self, after: Watched) -> tuple[Any, str]:
        if self.recorder is None:
            return self.function(after, *self.arguments), ""
        with self.recorder:
            returned = self.function(after, *self.arguments)
        return returned, self._path(None)

    def _path(self, refused: Enum | None) -> str:
        if self.recorder is None or not self.recorder.lines:  # nobody watches, or a mutant's text, which is in no file
            return ""
        return self.recorder.path(self.function.__name__, refused)

    def _in_one_piece(self, packed: bytes, in_steps: Watched, log: Log) -> str:
        """What the operation in one piece leaves otherwise than the row of its steps has just left, "" if nothing."""
        if self.in_one is None:
            return ""
        in_one = Watched.over(self.layout).on(packed, log)
        try:
            self.in_one.function(in_one, *self.arguments)
        except Blocked as refused:
            return f"{self.in_one.name}: done in steps, refused in one piece: {refused.reason.value}"
        for place in sorted({*in_steps.writes, *in_one.writes}):
            log.note(place)
            field = self.layout.field_at[place]
            steps, one = in_steps.writes.get(place, packed[place]), in_one.writes.get(place, packed[place])
            if steps != one and field not in self.in_one.extra.left_out:
                left, due = (self.layout.values[field].values[number] for number in (steps, one))
                return f"{self.in_one.name}: {field} is {left!r} after the steps, {due!r} in one piece"
        return ""

    def _problem(self, beside: Beside, returned: Any) -> str:
        if self.is_rule and beside.steps > 1:
            return f"refinement: it is {beside.steps} steps of private memory at once"
        if self.is_rule and not beside.problem and returned != beside.returned:
            return f"refinement: it returned {returned!r}, private memory {beside.returned!r}"
        return beside.problem


def calls_in_vain(error: Exception) -> bool:
    """Whether a row or a statement calls a rule with other arguments than it takes now, in a mutant: no finding."""
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return isinstance(error, TypeError) and last is not None and last.tb_frame.f_globals["__name__"] in CALLERS


class Between:
    """Statements about steps: asked of a state and the one after it, side by side in one string."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.before, self.after = Watched.over(layout), Watched.over(layout)
        self.asked: list[tuple[frozenset[str], Entry, tuple[Any, ...], Memo]] = []
        for entry, arguments in instances(layout, "transition"):
            fields = fields_behind(asked(entry.function)) & set(layout.fields)
            if fields:
                self.asked.append((fields, entry, arguments, Memo(self._work(asked(entry.function), arguments))))
        self.concerned: dict[frozenset[str], list[tuple[Entry, tuple[Any, ...], Memo]]] = {}

    def _work(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Work:
        size = self.layout.size

        def work(both: bytes) -> tuple[Sequence[int], Any]:
            log = Log()
            before, after = self.before.on(both[:size], log), self.after.on(both[size:], Shifted(log, size))
            return log.places, bool(function(before, after, *arguments))

        return work

    def false(self, before: bytes, after: bytes, changed: frozenset[str]) -> str:
        """A statement that is false of a step, "" if none. One that reads nothing of what changed is as if nothing
        had been done."""
        concerned = self.concerned.get(changed)
        if concerned is None:
            concerned = [(entry, arguments, memo) for fields, entry, arguments, memo in self.asked if fields & changed]
            self.concerned[changed] = concerned
        both = before + after
        for entry, arguments, memo in concerned:
            if not memo(both):
                return false_statement(entry, arguments)
        return ""


class Shifted(Log):
    """Notes the places of a state that stands behind another one."""

    __slots__ = ("by", "log")

    def __init__(self, log: Log, by: int) -> None:
        super().__init__()
        self.log, self.by = log, by

    def note(self, place: int) -> None:
        self.log.note(place + self.by)


def false_statement(entry: Entry, arguments: tuple[Any, ...]) -> str:
    """That a statement does not hold, in words."""
    names = list(parameter_names_of(entry))
    told = ", ".join(f"{name} = {value!r}" for name, value in zip(names, arguments, strict=True))
    return f"{entry.name}{f' is false for {told}' if told else ' is false'}: {entry.sentence}"


def parameter_names_of(entry: Entry) -> Iterator[str]:
    """The names of a statement's parameters, states aside."""
    states = 2 if entry.kind == "transition" else 1
    yield from list(signature(asked(entry.function)).parameters)[states:]


def instances(layout: Layout, kind: str) -> Iterator[tuple[Entry, tuple[Any, ...]]]:
    """Every statement of a kind, with all values of its parameters."""
    for entry in REGISTER[kind].values():
        sorts = parameter_sorts(entry.function)[1 if kind == "transition" else 0 :]
        for arguments in product(*(layout.machine.ids[sort] for sort in sorts)):
            yield entry, arguments


def settle(s: Watched) -> None:
    """Give a state the name that all states like it have.

    Two numbers grow without bound, and the rules never read more of them than
    this. A page's generation is only compared with those that fills remember:
    so it is 1 while there is such a fill, of which the outdated ones have 0,
    and 0 without one. Copies are only compared with the threshold: more than
    one above it is one above it.
    """
    generation, fill, copies = (s.columns.get(name) for name in ("generation", "fill", "copies"))
    if generation is not None and fill is None:
        for page in s.ids[Page]:
            if generation.at[page] in s.writes:
                generation[page] = 0
    elif generation is not None and fill is not None:
        for page in s.ids[Page]:
            if generation.at[page] in s.writes or any(fill.at[cpu] in s.writes for cpu in s.each(VCPU, page.vm)):
                settle_generation(s, page)
    if copies is not None:
        for page in s.ids[Page]:
            if copies.at[page] in s.writes:
                copies[page] = min(copies[page], s.remap_after + 1)
    if s.layout.forgets:
        forget_unused(s)


def forget_unused(s: Watched) -> None:
    """What is in frames and slots that nobody uses is zeros."""
    frame, slots = s.columns.get("frame"), s.columns.get("slot_count")
    if frame is not None:
        for mpn in s.ids[MPN]:
            if frame.at[mpn] in s.writes and frame[mpn] == Free():
                s.contents[mpn] = s.zero
    if slots is not None:
        for slot in s.ids[Slot]:
            if slots.at[slot] in s.writes and slots[slot] == 0:
                s.slot_contents[slot] = s.zero


def settle_generation(s: Watched, page: Page) -> None:
    """The same for the generation of one page."""
    fills: Mapping[VCPU, Any] = {cpu: s.fill[cpu] for cpu in s.each(VCPU, page.vm)}
    of_page = {cpu: one for cpu, one in fills.items() if isinstance(one, Filling) and one.page == page}
    now = s.generation[page]
    if any(one.generation > now for one in of_page.values()):
        return  # no correct rule leads here
    for cpu, one in of_page.items():
        s.fill[cpu] = Filling(one.virtual, one.page, one.mpn, one.writable, 1 if one.generation == now else 0)
    s.generation[page] = 1 if of_page else 0
