"""Tests run the memory manager's inner functions as they are written: some put faults into them."""

import os

os.environ.setdefault("PAGELAW_PLAIN", "1")
