"""A Python object as a program that speaks the protocol of `pagelaw conform`, over standard input and output.

    serve(Manager())

The object has `start`, `reset(machine)` and `do(event)`, as `pagelaw.model.oracle.driving.Implementation` says.
"""

from __future__ import annotations

import json
import sys
from typing import IO, Any


def serve(implementation: Any, given: IO[str] | None = None, to: IO[str] | None = None) -> None:
    """Answer each line until `stop`, or until there are no more."""
    given, to = given or sys.stdin, to or sys.stdout
    for line in given:
        message = json.loads(line)
        seq, command = message.pop("seq"), message.pop("cmd")
        answer: dict[str, Any] = {}
        if command == "start":
            answer = implementation.start()
        elif command == "reset":
            answer = implementation.reset(message["machine"])
        elif command == "do":
            answer = implementation.do(message)
        print(json.dumps({"seq": seq, **answer}), file=to, flush=True)
        if command == "stop":
            return
