"""The faults of the memory manager, in the kill matrix: how many operations the comparison needs to find each."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pagelaw.model.optimized.faults import Fault

SEEDS = 2000
"""Batches after which a fault counts as not found."""


def faults() -> dict[str, Fault]:
    """All of them; none, and a line that says why, if what the manager needs is missing."""
    os.environ["PAGELAW_PLAIN"] = "1"  # a fault can be put into what runs as it is written only
    try:
        from pagelaw.model.optimized.faults import faults
    except ImportError as missing:
        print(f"the memory manager is left out: {missing.name} is missing (pip install 'pagelaw[optimized]')",
              file=sys.stderr)  # fmt: skip
        return {}
    return faults()


def find_all(chosen: Sequence[Fault]) -> list[dict[str, Any]]:
    """Put each into the manager, and run it beside the specification until they differ."""
    from pagelaw.model.optimized.faults import switched_on
    from pagelaw.model.optimized.hunting import SHAPES, hunt

    rows = []
    for number, fault in enumerate(chosen, 1):
        started = process_time()
        with switched_on(fault):
            _, found = hunt(SHAPES, range(SEEDS))
        row = {"id": fault.identifier, "title": fault.title, "killed": found is not None,
               "operations": found.done if found else None, "shortest": len(found.operations) if found else None,
               "told": found.told if found else "", "program": found.program() if found else "",
               "seconds": round(process_time() - started, 1)}  # fmt: skip
        rows.append(row)
        what = f"found after {row['operations']:,} operations" if found else "not found"
        print(f"{number}/{len(chosen)} {fault.identifier}: {what}, {row['seconds']} s", file=sys.stderr)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A line for each: operations until it was found, and in the shortest program that shows it."""
    head = ["fault", "what is changed", "operations", "shortest"]
    return [head, *[[row["id"], row["title"], f"{row['operations']:,}" if row["killed"] else ".",
                     str(row["shortest"] or ".")] for row in rows]]  # fmt: skip


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many there are, and how many were found."""
    killed = sum(row["killed"] for row in rows)
    return {"total": len(rows), "killed": killed, "equivalent": 0, "survivors": len(rows) - killed}


def show(chosen: Sequence[Fault]) -> list[dict[str, Any]]:
    """Each fault with its change."""
    entries = []
    for fault in chosen:
        place = f"{Path(str(fault.of().__file__)).name}, {'.'.join(fault.path())}"
        print(f"{fault.identifier}: {fault.title}\n  in the memory manager: model/optimized/{place}")
        changes = [(line, "-") for line in fault.old.splitlines()] + [(line, "+") for line in fault.new.splitlines()]
        print("".join(f"    {sign}{line}\n" for line, sign in changes))
        entries.append({
            "id": fault.identifier, "title": fault.title, "system": "model/optimized", "functions": [place],
            "refused_by": "the comparison with the specification",
            "diff": "".join(f"{sign}{line}\n" for line, sign in changes),
        })  # fmt: skip
    return entries
