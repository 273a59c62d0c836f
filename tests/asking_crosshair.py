"""CrossHair, asked about functions in files of this folder. Those import nothing else from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pagelaw


def crosshair(*arguments: str, seconds: int) -> tuple[int, str]:
    """Its exit code and what it says."""
    folders = [str(Path(pagelaw.__file__).parent.parent), str(Path(__file__).parent)]
    result = subprocess.run(
        [sys.executable, "-m", "crosshair", *arguments, "--per_condition_timeout", str(seconds)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
    )  # fmt: skip
    print(*arguments[:2], result.stdout, result.stderr)
    return result.returncode, result.stdout
