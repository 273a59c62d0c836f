"""The reference model as an implementation: it does each operation by the rules, and says where the page is then.

python -m pagelaw.model.systems.reference [--mutant ID]
"""

from __future__ import annotations

import argparse
from typing import Any

from pagelaw.spec.language import VM, Blocked
from pagelaw.spec.vocabulary import MPN, Ballooned, Mapped, Page, Swapped

from ..oracle.candidate import Candidate
from ..oracle.events import Events
from ..oracle.header import Header, header
from ..oracle.naming import Name
from ..oracle.operations import OPERATIONS
from ..oracle.states import answer
from .serving import serve


class Reference:
    """One machine, run by the rules."""

    def __init__(self, profile: str = "esx") -> None:
        self.profile = profile
        self.header: Header | None = None

    def start(self) -> dict[str, Any]:
        """What it can do: everything."""
        return {"pagelaw": 1, "system": "pagelaw reference", "profile": self.profile, "operations": list(OPERATIONS)}

    def reset(self, machine: dict[str, Any]) -> dict[str, Any]:
        """A new machine."""
        self.header = header({"pagelaw": 1, "profile": self.profile, "machine": machine})
        self.c = Candidate(self.header.machine(), self.header.low)
        self.events = Events(self.header, self.c.machine)
        self.vms = dict(zip(self.c.machine.ids[VM], self.header.names, strict=True))
        return {}

    def do(self, event: dict[str, Any]) -> dict[str, Any]:
        """One operation."""
        c, operation = self.c, OPERATIONS[event["do"]]
        arguments = self.events.readers[operation.name](event)
        c.begin({}, {}, ())
        try:
            c.run(operation.steps(c, *arguments))
        except Blocked as refused:
            c.forget_ended_transfers()
            return {"refused": refused.reason.name}
        made: dict[str, Any] = {"saw": [self.of_page(one) for one in arguments if isinstance(one, Page)]}
        made["saw"].append({"free_frames": c.machine.free_frames, "free_slots": c.machine.free_slots})
        if operation.answers:
            made["got"] = answer(c, operation.answers, arguments)
        return made

    def name(self, mpn: MPN) -> Name:
        """A frame's name: those in low memory have the names that the machine says."""
        assert self.header is not None
        low: list[Name] = self.header.sizes.get("low", [])
        return low[mpn.number] if mpn.number < len(low) else repr(mpn)

    def of_page(self, page: Page) -> dict[str, Any]:
        """Where a page is."""
        made: dict[str, Any] = {"vm": self.vms[page.vm], "page": page.number}
        match self.c.machine.pmap[page]:
            case Mapped(mpn):
                words = [value.number for value in self.c.machine.contents[mpn].words]
                return made | {"frame": self.name(mpn), "words": words}
            case Swapped(slot):
                return made | {"slot": repr(slot)}
            case Ballooned():
                return made | {"is": "ballooned"}
        return made | {"is": "untouched"}


def main() -> None:
    """Serve it."""
    parser = argparse.ArgumentParser(description="The reference model as a program for pagelaw conform.")
    parser.add_argument("--profile", default="esx")
    serve(Reference(parser.parse_args().profile))


if __name__ == "__main__":
    main()
