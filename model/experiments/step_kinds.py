"""What is asked of steps of one kind, written out as functions.

Steps are of one kind if their arguments, and what they write and change, are of the same types: the same rule most
often does steps of few kinds. Of a kind it is known which things are in play, but for which of them are the same, and
so which sums are shifted, which statements are about them, and where private memory is to be compared. The functions
do all of that without looking for it. One of them, the *look*, finds out whether the step is like one of which all held
(see `remembering`); another asks everything. What does not hold, if something does not, is found without any of this.

The functions are given the arguments of the step, and of each thing that it wrote the key, and what was and is there.
In texts these are `a0`, and `k1`, `w1`, `n1`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pagelaw.spec.language import VM
from pagelaw.spec.machine import Machine

from .in_play import places_of
from .looks import Looks
from .noting import Change, Noted
from .remembered import AskedAgain, AskedTogether
from .remembering import Finding
from .shifting import Places, Shift, shifts
from .sums import Sums
from .text import Text

Ask = Callable[..., int | None]
"""Asks of a step: how many statements hold, or None if that is not known."""
Changes = dict[int, Change]
"""What a step changes, by the number of the write."""
Given = tuple[Any, ...]


@attrs.frozen
class Questions:
    """What is asked of the steps of a rule that change the same fields."""

    noted: Noted[Machine]
    sums: Sums
    about: list[AskedTogether]
    """About these fields."""
    all_vms: bool
    """Whether all VMs are in play."""
    again: AskedAgain | None
    """Asks for the step again, given its arguments; None if it may be done again."""


class Kind:
    """How steps of one kind are asked. Its functions have the parameters that `head` tells."""

    def __init__(self, head: str, changes: Changes, arguments: Given, questions: Questions) -> None:
        self.head, self.questions, noted = head, questions, questions.noted
        self.places = {name: places_in(name, thing) or [] for name, thing in named(changes, arguments)}
        self.sorts = {sort for places in self.places.values() for _, sort in places}
        self.sorts |= {VM} if questions.all_vms else set()
        self.about = [asked for asked in questions.about if set(asked.sorts) <= self.sorts]
        self.arguments = [f"a{number}" for number in range(len(arguments))]
        self.text = Text(now=noted.now, before=noted.before, fromkeys=dict.fromkeys)
        shifted = shifts(changes.items(), self.places, questions.sums, noted.now)
        follow = [*self._follow(shifted, changes), " return asked"]
        self.ask: Ask = self._ask(follow)
        """Asks everything of a step; if all holds, it is over."""
        self.looks = Looks(self.text, self._shift(shifted), follow)
        self.look: Ask = self.looks.function(head)
        """Shifts the sums; if the step looks like one of which all held, it is over."""
        self.missed = 0
        """Steps that looked like none before, since the last look was made."""

    def _shift(self, shifted: list[Shift]) -> list[str]:
        for shift in shifted:
            shift.write(self.text)
        return self.text.taken()

    def _follow(self, shifted: list[Shift], changes: Changes) -> list[str]:
        """The step is over: what was before the next one is what is now."""
        text, before = self.text, self.questions.noted.before
        for shift in shifted:
            shift.write_follow(text)
        for number, (field, key, _, _) in changes.items():
            if key is None:
                text.add(0, f"{text.name(before.__dict__, 'values')}[{field!r}] = n{number}")
            else:
                text.add(0, f"{text.name(getattr(before, field), 'map')}[k{number}] = n{number}")
        return text.taken()

    def _ask(self, follow: list[str]) -> Ask:
        text, questions = self.text, self.questions
        found: dict[type, list[str]] = {}
        for place, sort in [one for places in self.places.values() for one in places]:
            found.setdefault(sort, []).append(place)
        if questions.all_vms:
            found[VM] = [f"*{text.name(questions.noted.now.ids[VM], 'vms')}"]
        for sort, of in found.items():
            text.add(0, f"of_{sort.__name__} = " + (f"({of[0]},)" if len(of) == 1 else f"fromkeys(({', '.join(of)}))"))
        text.add(0, "asked = 0")
        for asked in self.about:
            things = [f"thing{number}" for number in range(len(asked.sorts))]
            for depth, (thing, sort) in enumerate(zip(things, asked.sorts, strict=True)):
                text.add(depth, f"for {thing} in of_{sort.__name__}:")
            text.add(len(things), f"if not ({asked.written(text, things)}): return None")
            text.add(len(things), f"asked += {asked.number}")
        if questions.again is not None:
            text.add(0, f"if not ({questions.again.written(text, self.arguments)}): return None")
        text.lines += follow
        return text.function(self.head)

    def remember(self, found: list[Finding]) -> Ask:
        """How a step looked of which all held. The look, as it is now."""
        self.looks.add(found)
        self.look = self.looks.function(self.head)
        return self.look


def places_in(text: str, thing: Any) -> Places | None:
    """Where in a thing, told by a text, there are names, and of which sorts; None if the type does not say so."""
    if type(thing) is tuple:
        parts = [places_in(f"{text}[{number}]", part) for number, part in enumerate(thing)]
        return None if None in parts else [place for part in parts for place in part or ()]
    kind: Any = type(thing)
    places = places_of(kind)
    if places is None:
        return None
    return [(f"{text}.{place}".replace("..", ".").rstrip("."), sort) for place, sort in places.items()]


def named(changes: Changes, arguments: Given) -> list[tuple[str, Any]]:
    """What arguments and changes are called in texts."""
    found = [(f"a{number}", thing) for number, thing in enumerate(arguments)]
    for number, (_, key, was, now) in changes.items():
        found += [(f"k{number}", key), (f"w{number}", was), (f"n{number}", now)]
    return found


__all__ = ["Ask", "Changes", "Given", "Kind", "Questions", "named", "places_in"]
