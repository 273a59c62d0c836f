"""Stories: operations that make sense in a row, for faults that single ones seldom come to.

Each is told from what the implementation has by then, as the judge knows it, and goes on from what became of it; what
should be answered nobody is told. Other operations come in between (`..driving`).
"""

from . import contents, devices, limits
from .register import STORIES, Story, in_some_order

__all__ = ["STORIES", "Story", "contents", "devices", "in_some_order", "limits"]
