"""The inner functions are compiled if numba is there (`pagelaw[compiled]`); else they run as they are written.

With PAGELAW_PLAIN set in the environment they run as they are written in any case: for those who look for a fault
in them, or put one in. The results are the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

PLAIN = "PAGELAW_PLAIN"

njit: Any = None
register_jitable: Any = None
with suppress(ImportError):
    if not os.environ.get(PLAIN):
        from numba import njit
        from numba.extending import register_jitable

IS_COMPILED = njit is not None


def forget_older(folder: Path) -> None:
    """Forget what was compiled before any file of a folder was changed.

    What is compiled contains what it calls, and numba looks only at the file that a function itself is in.
    """
    newest = max(one.stat().st_mtime for one in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        with suppress(OSError):
            if index.stat().st_mtime < newest:
                index.unlink()


if IS_COMPILED:
    forget_older(Path(__file__).parent)


def compiled(function: Function, keep: bool = True) -> Function:
    """A function of numbers and arrays, compiled when it is first called, and kept beside its file for next time.

    What is compiled makes no arrays, so those that it is given need not be counted (`_nrt`): that is twice as fast.
    """
    if njit is None:
        return function
    return njit(cache=keep, _nrt=False)(function)  # type: ignore[no-any-return]


def inner(function: Function) -> Function:
    """The same of what the middle of a long loop calls: it becomes part of the loop, to which nothing is handed over.

    All arrays of a state would be, with their shapes, at each call.
    """
    return function if njit is None else njit(cache=True, _nrt=False, forceinline=True)(function)


def short(function: Function) -> Function:
    """A function of a few lines, without a loop: compiled where it is called from what is compiled.

    Called from Python it runs as it is written, as the way into compiled code takes longer than that.
    """
    return function if njit is None else register_jitable(function)
