"""Reading what the user typed: values, names, places to write."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkstemp


class BadInput(Exception):
    """Something wrong with the input, said in one line."""


def whole(text: str) -> int:
    """A whole number of at least one."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def number(text: str) -> int:
    """A whole number of at least zero."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number


def known(what: str, name: str, names: Iterable[str]) -> str:
    """The name, if it is one of the names; else `BadInput` with the nearest ones."""
    everything = list(names)
    if name in everything:
        return name
    near = difflib.get_close_matches(name, everything, n=3, cutoff=0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise BadInput(f"there is no {what} {name!r}{hint}")


def folder(option: str, name: str | None) -> Path | None:
    """A folder that can be written, made if need be."""
    if name is None:
        return None
    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".pagelaw-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(f"{option}: cannot write to {name}: {error.strerror}") from None
    return path


def file(option: str, name: str | None) -> Path | None:
    """A file that can be written; what it holds stays until then."""
    if name is None:
        return None
    path = Path(name)
    try:
        if is_device(path):
            return path
        existed = path.exists()
        with path.open("a", encoding="utf-8"):
            pass
        if not existed:
            path.resolve().unlink()
    except OSError as error:
        raise BadInput(f"{option}: cannot write {name}: {error.strerror}") from None
    return path


def is_device(path: Path) -> bool:
    """Whether there is something that is neither a file nor a folder: a pipe, a terminal, a device."""
    return path.exists() and not path.is_file() and not path.is_dir()


def umask() -> int:
    """What is left out of the rights of new files."""
    os.umask(mask := os.umask(0o077))
    return mask


def replace(path: Path, text: str) -> None:
    """Write a file, whole or not at all. A link stays one; into a pipe or a device the text is written."""
    try:
        if is_device(path):
            path.write_text(text, encoding="utf-8")
            return
        where = path.resolve()
        handle, name = mkstemp(dir=where.parent, prefix=where.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as new:
                new.write(text)
            os.chmod(name, where.stat().st_mode if where.exists() else 0o666 & ~umask())
            os.replace(name, where)
        except OSError:
            os.unlink(name)
            raise
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from None
