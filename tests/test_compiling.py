"""What is compiled, and kept for next time, is what the files say now."""

import os
from pathlib import Path

from pagelaw.model.optimized.compiling import forget_older


def test_what_was_compiled_before_a_file_was_changed_is_forgotten(tmp_path: Path) -> None:
    kept = tmp_path / "__pycache__"
    kept.mkdir()
    for name, changed in (("a.py", 10), ("b.py", 30), ("__pycache__/old.nbi", 20), ("__pycache__/new.nbi", 40)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (changed, changed))
    forget_older(tmp_path)
    assert [one.name for one in kept.iterdir()] == ["new.nbi"]
