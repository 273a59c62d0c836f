"""Declared freedoms: where real systems legitimately do otherwise than the paper as it is read here.

Each is an option with a name, a parameter of the machine, and the reading that says what either way means. Rules ask
for it, so what is proved is proved for every value of every option. A profile has a value for each: `esx` is the paper,
`linux` what Linux does with KSM, swap and a virtio balloon.
"""

from __future__ import annotations

import attrs

from ..language import Grade


@attrs.frozen(kw_only=True)
class Option:
    """A freedom that a system declares."""

    name: str
    """The parameter of the machine."""
    reading: str
    """The id of the reading that it chooses between."""
    parameter: str
    """The reading's parameter, under the name that the register has for it."""
    words: tuple[str, str] | None = None
    """The parameter's values for no and yes; None for a number."""
    grade: Grade
    """How free a system is to take the other way."""
    sentence: str
    """What is done where it is on, or for the number that it is."""
    esx: bool | int
    linux: bool | int


OPTIONS: dict[str, Option] = {one.name: one for one in (
    Option(
        name="keep_slot", reading="R-10", parameter="keep_slot", words=("no", "while_clean"),
        grade=Grade.PAPER_SILENT, esx=False, linux=True,
        sentence="A page that is brought in keeps its slot while it is clean.",
    ),
    Option(
        name="swap_shared", reading="R-11", parameter="swap_shared", words=("no", "yes"),
        grade=Grade.PAPER_SILENT, esx=False, linux=True,
        sentence="A page in a shared frame may be paged out while its VM has pages of its own.",
    ),
    Option(
        name="take_over", reading="R-22", parameter="last_sharer", words=("copy", "take_over"),
        grade=Grade.PAPER_DIFFERS, esx=False, linux=False,
        sentence="A write by the last user of a shared frame may take the frame over in place.",
    ),
    Option(
        name="displace", reading="R-47", parameter="low_replacement", words=("none", "random"),
        grade=Grade.PAPER_PERMITS, esx=False, linux=False,
        sentence="A page in low memory may make room for a hot one.",
    ),
    Option(
        name="share_first", reading="R-13", parameter="share_first", words=("no", "yes"),
        grade=Grade.PAPER_DIFFERS, esx=True, linux=False,
        sentence="A page with a frame of its own is paged out only after an attempt to share it.",
    ),
    Option(
        name="most_sharers", reading="R-54", parameter="most_sharers", grade=Grade.PAPER_DIFFERS, esx=0, linux=256,
        sentence="A shared frame has no more users than this; 0 is no limit.",
    ),
    Option(
        name="zero_apart", reading="R-55", parameter="zero_apart", words=("no", "yes"),
        grade=Grade.PAPER_SILENT, esx=False, linux=True,
        sentence="Any number of pages of zeros share a frame, which reports of shared and saved pages leave out.",
    ),
    Option(
        name="balloon_short", reading="R-56", parameter="balloon_short", words=("no", "yes"),
        grade=Grade.PAPER_PERMITS, esx=False, linux=True,
        sentence="A balloon driver may be done before its balloon has the size asked for.",
    ),
    Option(
        name="migrate", reading="R-53", parameter="migrate", words=("no", "yes"),
        grade=Grade.PAPER_PERMITS, esx=False, linux=True,
        sentence="The server may move a page with a frame of its own for reasons of its own.",
    ),
)}  # fmt: skip
"""By name."""

PROFILES: dict[str, dict[str, bool | int]] = {
    "esx": {name: option.esx for name, option in OPTIONS.items()},
    "linux": {name: option.linux for name, option in OPTIONS.items()},
}
"""Profiles by name: the value of each option."""
