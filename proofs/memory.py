"""What was proved before, so that it need not be proved again.

An obligation is remembered by the digest of its SMT-LIB text and by the solver,
with version, that proved it; nothing but `proved` is remembered. Another text
or another solver is another obligation, so no proof can become out of date.

Building the texts takes most of a remembered run. A second file therefore
keeps, for one state of the sources, the digest of every obligation's text.
This is sound because a text is a function of the sources alone: of every file
of `spec/` and `proofs/`, of the versions of Python, attrs and z3, which
prints the terms, and of the mutant that was switched on. All of these go into
the name of that file; if one changes, the texts are built again.

The folder is `.pagelaw/` in the working directory, or the one named by
`--memory`. Files are replaced as a whole, so an interrupted run leaves
the old ones; a file that does not match its own checksum is ignored with a
note. Where nothing can be written, everything is proved and nothing kept.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import attrs

from .solvers import version

FOLDER = ".pagelaw"
MOST_PROOFS = 200_000
"""Beyond so many the oldest are forgotten."""
MOST_LISTS = 8
"""Lists of texts kept; beyond so many the oldest are removed."""
_HEADER = "pagelaw proofs 1"


@attrs.frozen
class Known:
    """An obligation as the list of texts has it."""

    rule: str
    property: str
    kind: str
    path: int
    text: str
    """The digest of its text."""


@attrs.frozen
class Texts:
    """For one state of the sources: the names of all groups in order, and the obligations of those built so far."""

    order: tuple[str, ...] = ()
    groups: Mapping[str, Sequence[Known]] = attrs.field(factory=dict)


class Memory:
    """The proofs and lists of one folder; without a folder, an empty memory that keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self._proofs: dict[str, None] = {}
        self._saved = 0
        if folder is not None:
            self._proofs = dict.fromkeys(self._read(folder / "proofs.txt"))
            self._saved = len(self._proofs)

    # proofs

    @property
    def proofs(self) -> frozenset[str]:
        """All that is known to be proved: see `key`."""
        return frozenset(self._proofs)

    def remember(self, keys: Iterable[str]) -> None:
        """Add proofs; `save` writes them."""
        self._proofs.update(dict.fromkeys(keys))

    def save(self) -> None:
        """Write the proofs, if there are new ones."""
        if self.folder is None or len(self._proofs) == self._saved:
            return
        if self._write(self.folder / "proofs.txt", list(self._proofs)[-MOST_PROOFS:]):
            self._saved = len(self._proofs)

    # lists of texts

    def texts(self, sources: str) -> Texts:
        """What was kept for these sources."""
        lines = self._read(self._list(sources)) if self.folder else []
        if not lines:
            return Texts()
        try:
            order, *groups = map(json.loads, lines)
            return Texts(tuple(order), {name: [Known(*one) for one in known] for name, known in groups})
        except (ValueError, TypeError):
            self.notes.append(f"{self._list(sources)} is damaged and was ignored")
            return Texts()

    def keep_texts(self, sources: str, texts: Texts) -> None:
        """Keep the obligations of these groups, for these sources."""
        if self.folder is None:
            return
        lines = [json.dumps(texts.order)]
        lines += [json.dumps([name, [attrs.astuple(one) for one in known]]) for name, known in texts.groups.items()]
        if self._write(self._list(sources), lines):
            kept = sorted(self.folder.glob("texts-*.txt"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in kept[MOST_LISTS:]:
                path.unlink(missing_ok=True)

    # how long a group takes

    def durations(self) -> dict[str, float]:
        """The seconds that each group took when it was last proved in full; only the order of work rests on them."""
        found: dict[str, float] = {}
        for line in self._read(self.folder / "durations.txt") if self.folder else []:
            seconds, _, name = line.partition(" ")
            try:
                found[name] = float(seconds)
            except ValueError:
                continue
        return found

    def keep_durations(self, durations: dict[str, float]) -> None:
        """Keep them for the next run."""
        if self.folder is not None:
            everything = self.durations() | durations
            self._write(self.folder / "durations.txt", [f"{s:.3f} {name}" for name, s in everything.items()])

    # files

    def _list(self, sources: str) -> Path:
        assert self.folder is not None
        return self.folder / f"texts-{sources[:32]}.txt"

    def _read(self, path: Path) -> list[str]:
        try:
            header, *lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            self.notes.append(f"{path} cannot be read and was ignored: {error}")
            return []
        if header != f"{_HEADER} {_checksum(lines)}":
            self.notes.append(f"{path} is damaged and was ignored")
            return []
        return lines

    def _write(self, path: Path, lines: Sequence[str]) -> bool:
        """Put a new file in the place of the old one, whole or not at all."""
        name = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            ignored = path.parent / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n", encoding="utf-8")
            handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join([f"{_HEADER} {_checksum(lines)}", *lines]) + "\n")
            os.replace(name, path)
        except OSError as error:
            if name is not None:
                Path(name).unlink(missing_ok=True)
            note = f"nothing is remembered: {path.parent} cannot be written ({error.strerror})"
            if note not in self.notes:
                self.notes.append(note)
            return False
        return True


def key(text: str, provenance: str) -> str:
    """How a proof is remembered: the digest of the text, and the solver with its version."""
    return f"{text} {provenance}"


def sources(mutant: str | None, beside: tuple[str, ...] = ()) -> str:
    """A digest of everything that the texts of the obligations depend on. beside: names of files to leave out."""
    digest = sha256()
    folder = Path(__file__).resolve().parent
    for part in (folder, folder.parent / "spec"):
        for path in sorted(part.rglob("*")):
            if path.suffix in (".py", ".toml") and path.is_file() and path.name not in beside:
                data = path.read_bytes()
                digest.update(f"{part.name}/{path.relative_to(part).as_posix()} {len(data)}\n".encode() + data)
    versions: dict[str, Any] = {"python": sys.version, "attrs": package_version("attrs"), "z3": version("z3")}
    digest.update(json.dumps([versions, mutant]).encode())
    return digest.hexdigest()


def _checksum(lines: Sequence[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()
