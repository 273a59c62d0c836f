"""`pagelaw vectors`: files with which any program can be held against the specification, without Python."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from . import reading

if TYPE_CHECKING:
    from pagelaw.model.oracle.vectors.layout import Made

DESCRIPTION = """\
Write vectors into DIR: plain JSON files with what the specification says, for programs
in any language. One for every path and every refusal of every rule, both sides of each
bound of a guard, the shortest run that shows each known fault, and the scenarios that
other projects have as tests, with their published numbers. Each names its clauses, and
says whether the paper demands it or a reading. The README in DIR says what each field
means and when a program passes; manifest.json counts them and says what has none.

Each vector is judged before it is written: what it says must be allowed, what it tells
of a fault forbidden. The same specification gives the same files, byte for byte.
"""

EPILOG = """\
examples:
  pagelaw vectors out                     all of them (the README of pagelaw says how long that takes)
  pagelaw vectors out --only scenarios    one format; may be given several times

DIR is new, empty, or has a set of vectors already: then the formats that are asked for
are replaced, each as a whole once it is done, and the others stay.

exit codes: 0 written; 1 the rules do not do what a vector should say, or no run to some path
was found; 2 bad input; 130 interrupted (the formats that were done are there, whole).
"""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "vectors", help="write files with which any program can be tested", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="where the files are written; made if it is not there")
    parser.add_argument("--only", metavar="FORMAT", action="append", default=[],
                        help="rules, refusals, boundaries, faults or scenarios; may be given again")  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from pagelaw.model.oracle.vectors import layout
    from pagelaw.model.oracle.vectors.checking import NotAllowed
    from pagelaw.model.oracle.vectors.rules import NotReached
    from pagelaw.proofs.mutants import Faulty

    from . import making

    known = {kind: kind for kind in layout.KINDS}
    kinds = {reading.known("format", one, known) for one in arguments.only} or set(known)
    folder = set_of_vectors(arguments.folder)
    try:
        for made in making.made([kind for kind in layout.KINDS if kind in kinds], say):
            write(folder, made)
    except (NotReached, NotAllowed) as told:
        print(f"pagelaw: {told}", file=sys.stderr)
        return 1
    except Faulty as told:  # the list of faults does not fit the rules
        raise reading.BadInput("; ".join(str(told).splitlines())) from None
    print("\n".join(summary(folder)))
    return 0


def set_of_vectors(name: str) -> Path:
    """The folder, if vectors may be written there: it is new or empty, or has some already."""
    from pagelaw.model.oracle.vectors import layout

    path = Path(name)
    try:
        others = path.is_dir() and any(path.iterdir())
    except OSError as error:
        raise reading.BadInput(f"DIR: cannot read {name}: {error.strerror}") from None
    if others and layout.sections_in(path) is None:
        raise reading.BadInput(
            f"DIR: {name} is not empty, and is no set of vectors of format {layout.FORMAT} (it lacks a "
            f"{layout.MANIFEST} that says so); name a new folder"
        )
    folder = reading.folder("DIR", name)
    assert folder is not None  # a name was given
    return folder


def write(folder: Path, made: Made) -> None:
    """Put a format in the place of what is there of it, as a whole, and say so in the manifest."""
    import pagelaw
    from pagelaw.model.oracle.vectors import layout, readme

    beside = Path(mkdtemp(dir=folder, prefix=f".{made.kind}-"))
    try:
        new, old, place = beside / "new", beside / "old", folder / made.kind
        for name, text in (layout.files_of(made) | {f"{made.kind}/README.md": readme.TEXTS[made.kind]}).items():
            file = new / Path(name).name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        sections = (layout.sections_in(folder) or {}) | {made.kind: layout.section(made)}
        if place.exists():
            place.rename(old)
        new.rename(place)
        text = layout.manifest_text(layout.manifest(sections, pagelaw.__version__))
        reading.replace(folder / layout.MANIFEST, text)
        reading.replace(folder / "README.md", readme.TOP)
    finally:
        shutil.rmtree(beside)


def summary(folder: Path) -> Iterator[str]:
    """What is there, a line for each format."""
    from pagelaw.model.oracle.vectors import layout

    sections = layout.sections_in(folder) or {}
    for kind, told in sections.items():
        yield (f"{kind:10} {told['vectors']:4d} vectors: {told['paper']} demanded by the paper, {told['reading']} by a "
               f"reading; {len(told['without'])} things without, and why ({layout.MANIFEST})")  # fmt: skip


def say(told: str) -> None:
    """A line of progress."""
    print(told, file=sys.stderr, flush=True)
