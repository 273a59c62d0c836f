"""Steps, and what is seen of the machine after each: only what is not as it was seen before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pagelaw.spec.language import REGISTER, Blocked
from pagelaw.spec.machine import Machine

from ...reference.beside import parameter_names
from ..stepping import Stepping

Event = dict[str, Any]
NamedStep = tuple[str, Sequence[Any]]
"""A rule by its name, and its arguments."""
PARTS = ("vm", "page", "virtual", "cpu", "slot")


class Watching:
    """A machine whose steps are told as events of a trace, each with what is seen anew after it."""

    def __init__(self, s: Machine) -> None:
        self.s, self.stepping = s, Stepping(s)
        self.seen = self.stepping.seen()
        """All that was seen last."""
        self.known = {key_of(one): one for one in self.seen}

    def do(self, step: NamedStep) -> Event:
        """Do a step, or try to: the event."""
        name, arguments = step
        rule = REGISTER["rule"][name].function
        given = tuple(arguments)[: len(parameter_names(rule))]
        try:
            event = self.stepping.event(rule, given, rule(self.s, *given))
        except Blocked as refused:
            return self.stepping.event(rule, given, refused=refused.reason.name)
        self.seen = event.pop("saw")
        saw = list(self.new(self.seen))
        return event | ({"saw": saw} if saw else {})

    def new(self, seen: Iterable[Event]) -> Iterator[Event]:
        """Of what is seen, what is not as it was; all that is not of one thing, at once."""
        for one in seen:
            key = key_of(one)
            if self.known.get(key) != one:
                yield one if key else {name: held for name, held in one.items() if self.known[key].get(name) != held}
            self.known[key] = one


def key_of(seen: Event) -> tuple[Any, ...]:
    """What an observation is of: nothing, of the whole machine."""
    return tuple((name, seen[name]) for name in PARTS if name in seen)


def contradict(due: Event, found: Event) -> bool:
    """Whether two that tell all they see of the same step do not both tell the truth. Silence contradicts nothing."""
    if any(due.get(name) != found.get(name) for name in ("refused", "got")):
        return True
    seen = {key_of(one): one for one in due.get("saw", ())}
    return any(seen.get(key_of(one)) != one for one in found.get("saw", ()))


def events_of(s: Machine, steps: Iterable[NamedStep]) -> list[Event]:
    """Steps on a machine, as the events of a trace."""
    watching = Watching(s)
    return [watching.do(step) for step in steps]
