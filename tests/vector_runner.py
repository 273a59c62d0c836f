"""Runs vectors of steps by the specification: a reader of the files that shares no code with what writes them.

It reads values and states in its own way, does the steps, and compares all that a vector says of states. Whether the
events are allowed, as a trace, is asked of the judge (`replay_vectors`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, get_type_hints

from pagelaw.model.oracle.header import header
from pagelaw.spec import vocabulary
from pagelaw.spec.language import REGISTER, VM, Blocked, Contents, Owned, Sum, Value
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, Slot, Transfer

Content = dict[str, Any]
AFTERWARDS = ("saw", "got", "refused")


class Fails(AssertionError):
    """What the specification does is not what a vector says."""


def run(content: Content) -> None:
    """Run one vector of rules, refusals, boundaries or faults; Fails if it does not pass."""
    if "differs" in content:
        part(content)
    else:
        step(content)


def step(content: Content) -> None:
    """A step from a printed state; also from the one to which the events from power-on lead."""
    states = [loaded(content)]
    if "run" in content:
        states.append(led_to(content, content["run"]))
        same(states[0], states[1].written(), "the run leads elsewhere")
    for before in states:
        one_step(before, content["step"], content)


def part(content: Content) -> None:
    """The step after which the fault differs comes to what is right, and not to what the fault leaves."""
    differs = content["differs"]
    led_to(content, content["events"])
    if differs is None:
        return
    before = led_to(content, content["events"][: differs["event"]])
    last = arguments_of(content["events"][differs["event"]])
    one_step(before.copy(), last, differs["right"])
    try:
        one_step(before.copy(), last, differs["fault"])
    except Fails:
        return
    raise Fails(f"{last}: what the fault comes to is right")


def loaded(content: Content) -> Machine:
    """The machine in the state that is printed."""
    s = header(content["header"]).machine()
    for name, given in content["before"].items():
        write(s, name, given)
    return s


def led_to(content: Content, events: list[Content]) -> Machine:
    """The machine after events from power-on."""
    s = header(content["header"]).machine()
    for event in events:
        rule, arguments = step_of(arguments_of(event))
        reason = None
        try:
            rule(s, *arguments)
        except Blocked as refused:
            reason = refused.reason.name
        if reason != event.get("refused"):
            raise Fails(f"{event}: refused: {reason}")
    return s


def one_step(s: Machine, line: Content, told: Content) -> None:
    """Do the step and compare."""
    rule, arguments = step_of(line)
    due = s.copy()
    try:
        got = rule(s, *arguments)
    except Blocked as refused:
        if "refused" not in told or refused.reason.name not in (told["refused"], *told.get("or", ())):
            raise Fails(f"refused: {refused.reason.name}") from None
        same(s, due.written(), "a refusal has changed something")
        return
    if "after" not in told or getattr(got, "number", got) != told.get("got"):
        raise Fails(f"done, with {got}")
    for name, given in told["after"].items():
        write(due, name, given)
    same(s, due.written(), "the step leaves something else")


def same(s: Machine, due: dict[str, Any], told: str) -> None:
    """The machine is as it should be."""
    found = s.written()
    wrong = [name for name in due if found[name] != due[name]]
    if wrong:
        raise Fails(f"{told}: " + "; ".join(f"{name}: {found[name]}, and not {due[name]}" for name in wrong))


# Values.


def arguments_of(event: Content) -> Content:
    """An event without what came of it."""
    return {name: given for name, given in event.items() if name not in AFTERWARDS}


def step_of(line: Content) -> tuple[Any, list[Any]]:
    """A step: its rule and its arguments."""
    rule = REGISTER["rule"][line["step"]].function
    hints = get_type_hints(rule)
    names = list(rule.__code__.co_varnames[1 : rule.__code__.co_argcount])
    if {"step", *names} != line.keys():
        raise Fails(f"{line}: its arguments should be {names}")
    return rule, [value(line[name], hints[name]) for name in names]


def write(s: Machine, name: str, given: Any) -> None:
    """A field, or entries of a map."""
    shape = Machine.shapes()[name]
    if not shape.keys:
        setattr(s, name, value(given, shape.value))
        return
    for key, held in given:
        given_parts = key if len(shape.keys) > 1 else [key]
        parts = [value(part, sort) for part, sort in zip(given_parts, shape.keys, strict=True)]
        getattr(s, name)[parts[0] if len(parts) == 1 else tuple(parts)] = value(held, shape.value)


def value(given: Any, sort: Any) -> Any:
    """A value of a sort."""
    if sort in (int, bool, Fraction):
        return sort(given)
    if sort is VM:
        return VM(ord(given) - ord("A"))
    if sort is Contents:
        return Contents(tuple(Value(one) for one in given))
    if issubclass(sort, Owned):
        return sort(value(given[0], VM), given[1])
    if sort in (MPN, Slot, Transfer):
        return sort(int(given[1:]))
    if not issubclass(sort, Sum):
        return sort(given)
    name, *fields = [given] if isinstance(given, str) else given
    leaf: Any = getattr(vocabulary, name)
    hints = get_type_hints(leaf)
    return leaf(*(value(one, hints[of]) for one, of in zip(fields, leaf.__match_args__, strict=True)))
