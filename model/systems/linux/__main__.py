"""Serve it, for `pagelaw conform`."""

import sys

from ..serving import serve
from . import CannotRun, Linux

try:
    with Linux() as linux:
        serve(linux)
except CannotRun as why:
    sys.exit(f"pagelaw: {why}")
