"""Generated runs: random steps of the reference model, checked after each, by Hypothesis or in fast batches."""

from .failure import Failure, Replay

__all__ = ["Failure", "Replay"]
