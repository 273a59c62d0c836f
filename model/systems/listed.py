"""All systems, and why one cannot run here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import attrs

from ..oracle.conforming import Restarted
from ..oracle.driving import Drawing, Run
from . import balloon, linux
from .linux.drawing import Drawing as LinuxDrawing
from .reference import Reference
from .running import Draws

EXAMPLES = Path(__file__).resolve().parents[2] / "tests" / "implementations"
"""Programs that conform: they are not part of an installed package."""


@attrs.frozen
class System:
    """Something that can be run and judged."""

    name: str
    sentence: str
    cannot: Callable[[], str]
    """Why it cannot run here, in one line; nothing, if it can."""
    opened: Callable[[], AbstractContextManager[Any]]
    """What has `start`, `reset` and `do`, in a `with` block."""
    drawing: Callable[[Any, Run, Random], Draws] = lambda _, run, random: Drawing(run, random)
    judged_beside: bool = False
    """Whether operations are drawn without asking the judge, which then judges in a process of its own."""


def missing(*modules: str) -> str:
    """That the first of these modules that is not there is to be installed."""
    for name in modules:
        if find_spec(name) is None:
            return f"{name} is missing: pip install 'pagelaw[optimized]'"
    return ""


@contextmanager
def optimized() -> Iterator[Any]:
    """The memory manager."""
    from .optimized import Optimized

    yield Optimized()


@contextmanager
def program(*command: str) -> Iterator[Restarted]:
    """Another program, which is ended."""
    made = Restarted(command)
    try:
        yield made
    finally:
        made.end()


def compiler() -> str | None:
    """A C compiler."""
    return next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def example(name: str, needs: str, there: bool) -> str:
    """Why an example cannot run."""
    if not (EXAMPLES / name).exists():
        return f"{name} is in the source of pagelaw only, not in an installed package"
    return "" if there else f"there is no {needs}"


@contextmanager
def manager() -> Iterator[Restarted]:
    """The example in C, compiled."""
    with tempfile.TemporaryDirectory(prefix="pagelaw-") as folder:
        made = str(Path(folder) / "manager")
        subprocess.run([str(compiler()), "-O1", "-o", made, str(EXAMPLES / "manager.c")], check=True, timeout=60)
        with program(made) as running:
            yield running


SYSTEMS: dict[str, System] = {one.name: one for one in (
    System("reference", "the reference model, run by the rules", lambda: "", lambda: nullcontext(Reference())),
    System("optimized", "the memory manager of pagelaw.model.optimized, on real pages",
           lambda: missing("numpy", "xxhash"), optimized),
    System("manager", "a small memory manager in C, an example of a program that conforms",
           lambda: example("manager.c", "C compiler (cc)", compiler() is not None), manager),
    System("tiny", "the least that conforms, in JavaScript",
           lambda: example("tiny.js", "node", shutil.which("node") is not None),
           lambda: program("node", str(EXAMPLES / "tiny.js"))),
    System("linux", "the kernel of this machine: KSM, swap, copy-on-write, pages given back and moved",
           linux.cannot, linux.Linux, lambda system, _, random: LinuxDrawing(system, random), judged_beside=True),
    System("linux-three", "the same without swap, with three users of a shared frame at the most",
           linux.cannot, lambda: linux.Linux(sharers=3), lambda system, _, random: LinuxDrawing(system, random),
           judged_beside=True),
    System("balloon", "the virtio balloon device of QEMU, without a guest", balloon.cannot, balloon.Balloon),
)}  # fmt: skip
"""By name."""
