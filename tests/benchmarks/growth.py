"""How obligations and time grow with the specification, from the results of a check.

    pagelaw check --fresh --json results.json && python tests/benchmarks/growth.py results.json

Chapter by chapter, in reading order: the rules and properties so far, the
obligations among them, the solver's seconds, and how many pairs of a path and
an invariant needed no query because the path leaves the invariant unchanged.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pagelaw.spec  # noqa: F401  (fills the register)
from pagelaw.spec.language import REGISTER

ORDER = [
    "frames",
    "translation",
    "coherence",
    "zeroing",
    "operations",
    "balloon",
    "paging",
    "sharing",
    "sampling",
    "power",
    "devices",
    "remapping",
    "estimators",
    "shares",
    "reclamation",
]


def main(results: Path) -> None:
    """Print the table."""
    obligations = json.loads(results.read_text())["obligations"]
    kinds = ("rule", "invariant", "transition")
    chapter = {name: entry.chapter for kind in kinds for name, entry in REGISTER[kind].items()}
    paths = {(o["rule"], o["path"]) for o in obligations if o["kind"] in ("invariant", "transition", "refinement")}
    print("chapters up to   rules  properties  obligations  seconds  unchanged")
    for count in range(1, len(ORDER) + 1):
        so_far = set(ORDER[:count])
        rules = {n for n in REGISTER["rule"] if chapter[n] in so_far}
        properties = {n for k in ("invariant", "transition") for n in REGISTER[k] if chapter[n] in so_far}
        asked = [
            o
            for o in obligations
            if o["rule"] in rules and (o["property"] in properties or o["kind"] not in ("invariant", "transition"))
        ]
        pairs = len(properties) * len([p for p in paths if p[0] in rules])
        queries = len([o for o in asked if o["kind"] in ("invariant", "transition")])
        unchanged = f"{1 - queries / pairs:.0%}" if pairs else "-"
        seconds = sum(o["seconds"] for o in asked)
        numbers = f"{len(rules):>5} {len(properties):>11} {len(asked):>12} {seconds:>8.1f} {unchanged:>10}"
        print(f"{ORDER[count - 1]:<16} {numbers}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
