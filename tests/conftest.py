"""Tests run the memory manager's inner functions as they are written: some put faults into them. And the processes that
they start hear signals, also where the tests run in the background of a shell that lets its jobs ignore them."""

import os
import signal

os.environ.setdefault("PAGELAW_PLAIN", "1")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGHUP", "SIGTERM"):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
