"""Which shared frames the table lists (section 4.3): under each key one at most, the one that a scan finds.

Without a limit to its users every shared frame is listed. Where a frame may
have so many only (R-54), one that is full is found no more. Another page with
the same contents then becomes a shared frame as if there were none, and takes
its place in the table. The frame that lost its place keeps its users; should
it have room again, it may be listed again, whichever of them a system prefers.
Where pages of zeros are kept apart, any number of them share one frame (R-55).
"""

from __future__ import annotations

from .frames import reference_count
from .language import assumption, gets_done, invariant, refuse, require, rule, theorem, transition, view
from .machine import Machine
from .refusals import Refused
from .vocabulary import MPN, Domain, Key, Shared, SharedFrame


@view
def users_of(s: Machine, mpn: MPN) -> int:
    """The pages that use a frame, and operations on their way to it or from it; transfers pin it just for a while."""
    return reference_count(s, mpn) - s.pins[mpn]


@view
def is_apart(s: Machine, mpn: MPN) -> bool:
    """Whether a frame holds zeros, and those are kept apart: any number may share it (R-55)."""
    return s.zero_apart and s.contents[mpn] == s.zero


@view
def is_full(s: Machine, mpn: MPN) -> bool:
    """Whether a frame has as many users as one may have."""
    return s.most_sharers != 0 and users_of(s, mpn) >= s.most_sharers and not is_apart(s, mpn)


@view
def has_no_room(s: Machine, domain: Domain, key: Key) -> bool:
    """Whether no frame is listed under a key, or the one that is takes no more users."""
    match s.table[domain, key]:
        case SharedFrame(mpn):
            return is_full(s, mpn)
    return True


@view
def gives_way(s: Machine, domain: Domain, key: Key, mpn: MPN) -> bool:
    """Whether what is listed under a key, if anything, is another frame, which may lose its place to this one."""
    match s.table[domain, key]:
        case SharedFrame(listed):
            return listed != mpn and not is_apart(s, listed)
    return True


@rule("R-54")
def list_again(s: Machine, mpn: MPN) -> None:
    """A shared frame that has lost its place in the table, and has room again, is listed again, in place of another."""
    match s.frame[mpn]:
        case Shared(domain, key):
            require(gives_way(s, domain, key, mpn), Refused.KEY_TAKEN)
            require(not is_full(s, mpn), Refused.FRAME_IS_FULL)
            s.table[domain, key] = SharedFrame(mpn)
        case _:
            refuse(Refused.NOT_SHARED)


# What always holds.


@assumption("R-54")
def a_limit_leaves_room_to_share(s: Machine) -> bool:
    """If there is a limit to the users of a frame, two may share one."""
    return s.most_sharers == 0 or s.most_sharers >= 2


@invariant("ESX-4.3-01", "ESX-4.3-13")
def table_lists_shared_frames(s: Machine, domain: Domain, key: Key) -> bool:
    """What the table lists under a key is the shared frame with that key."""
    match s.table[domain, key]:
        case SharedFrame(mpn):
            return s.frame[mpn] == Shared(domain, key)
    return True


@invariant("ESX-4.3-04", "ESX-4.3-13", "R-54", "R-55")
def shared_frame_is_listed(s: Machine, mpn: MPN) -> bool:
    """Every shared frame has the key of what it holds, and is listed under it unless there is a limit to its users."""
    match s.frame[mpn]:
        case Shared(domain, key):
            listed = s.table[domain, key] == SharedFrame(mpn) or (s.most_sharers != 0 and not is_apart(s, mpn))
            return listed and s.hash_of[s.contents[mpn]] == key
    return True


@invariant("R-54", "R-55")
def no_frame_has_more_users_than_it_may(s: Machine, mpn: MPN) -> bool:
    """A frame has no more users than the limit if there is one, unless it is one of zeros that are kept apart."""
    apart = s.zero_apart and s.contents[mpn] == s.zero
    return s.most_sharers == 0 or users_of(s, mpn) <= s.most_sharers or apart


# What every step keeps.


@transition("R-54", "ESX-4.3-13")
def a_frame_leaves_the_table_full_or_unshared(before: Machine, after: Machine, domain: Domain, key: Key) -> bool:
    """What was listed under a key is listed still, unless it was full, is shared no more, or gave way to another.

    The other was a shared frame already, with room.
    """
    match before.table[domain, key]:
        case SharedFrame(mpn):
            leaves = is_full(before, mpn) or not isinstance(after.frame[mpn], Shared)
            return leaves or after.table[domain, key] == SharedFrame(mpn) or other_is_listed(before, after, domain, key)
    return True


@view
def other_is_listed(before: Machine, after: Machine, domain: Domain, key: Key) -> bool:
    """Whether what is listed now was a shared frame already, with room."""
    match after.table[domain, key]:
        case SharedFrame(mpn):
            return before.frame[mpn] == Shared(domain, key) and not is_full(before, mpn)
    return False


# What follows.


@view
def zeros_are_listed(s: Machine, domain: Domain, key: Key) -> bool:
    """Whether zeros are kept apart, and their frame has this key."""
    match s.table[domain, key]:
        case SharedFrame(mpn):
            return s.zero_apart and s.contents[mpn] == s.zero
    return False


@theorem("R-54", "R-55")
def a_frame_with_room_can_be_listed(s: Machine, mpn: MPN) -> bool:
    """A shared frame that has room for a user is listed, or can be, unless the one of zeros apart has the same key."""
    match s.frame[mpn]:
        case Shared(domain, key):
            room = s.most_sharers == 0 or reference_count(s, mpn) - s.pins[mpn] < s.most_sharers
            apart = s.zero_apart and s.contents[mpn] == s.zero
            listed = s.table[domain, key] == SharedFrame(mpn) or zeros_are_listed(s, domain, key)
            return not (room or apart) or listed or gets_done(list_again, s, mpn)
    return True
