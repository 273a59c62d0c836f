"""What a system reports of sharing: sums over all frames, which no rule asks for, so that nothing is proved of them.

Users of a frame are pages, and operations on their way to it or from it; transfers, which pin it for a while, are none.
Where pages of zeros are kept apart (R-55), neither figure counts their frames.
"""

from __future__ import annotations

from ..listing import is_apart, users_of
from ..machine import Machine
from ..vocabulary import MPN, Shared


def frames_shared(s: Machine) -> int:
    """Frames with at least two users."""
    return sum(users > 1 for users in _users_of_shared_frames(s))


def pages_saved(s: Machine) -> int:
    """Frames that sharing saves: the users of each shared frame, less one."""
    return sum(max(users - 1, 0) for users in _users_of_shared_frames(s))


def _users_of_shared_frames(s: Machine) -> list[int]:
    """The number of users of each shared frame that is counted."""
    shared = [mpn for mpn in s.each(MPN) if isinstance(s.frame[mpn], Shared)]
    return [users_of(s, mpn) for mpn in shared if not is_apart(s, mpn)]
