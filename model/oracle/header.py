"""The first line of a trace: the version, the system, the machine's sizes, what is told, the freedoms declared."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from pagelaw.spec.language import VM, Contents, Map, Value
from pagelaw.spec.machine import Machine
from pagelaw.spec.profiles import OPTIONS, PROFILES
from pagelaw.spec.vocabulary import Domain

from ..reference.setup import Hashing, Sizes, machine
from .candidate import WINDOWS
from .fields import Field, Malformed, check_fields
from .naming import Name

VERSION = 1
MOST_PAGES = 2**18
"""Pages of all VMs, frames, slots: a machine that is larger is not built."""

VM_FIELDS = {
    "name": Field("name", "what the VM is called in this trace", "A", required=True),
    "pages": Field("whole", "its size: pages 0 to pages - 1", 8, required=True, least=1, most=MOST_PAGES),
    "minimum": Field("whole", "pages it is guaranteed; 0 if not said", 2, most=MOST_PAGES),
    "overhead": Field("whole", "frames it needs beside its pages; 0 if not said", 1, most=MOST_PAGES),
    "shares": Field("whole", "how much it counts when memory is divided; 1 if not said", 100, least=1, most=2**32),
    "domain": Field("whole", "its sharing domain: pages are shared within one only; 0 if not said", 0, most=63),
}
MACHINE_FIELDS = {
    "vms": Field("list", "the VMs, all of them off at the start", None, required=True, least=1, most=64,
                 inner=Field("object", "a VM", {"name": "A", "pages": 8}, fields=VM_FIELDS)),
    "frames": Field("whole", "frames of machine memory", 16, required=True, least=1, most=MOST_PAGES),
    "slots": Field("whole", "slots of the swap area; 0 if not said", 16, most=MOST_PAGES),
    "words": Field("whole", "words of a page that the trace tells of; the rest is always equal; 1 if not said",
                   2, least=1, most=512),
    "vcpus": Field("whole", "virtual processors of each VM; 1 if not said", 2, least=1, most=64),
    "transfers": Field("whole", "device transfers that may be under way at a time; 8 if not said", 4, least=1,
                       most=1024),
    "low": Field("list", "the frames in low memory, which devices reach, by name; all are, if not said", ["f0", "f1"],
                 most=MOST_PAGES, inner=Field("name", "a frame", "f0")),
    "frame_names": Field("list", "the names of all frames, where it matters which is which: the low ones first, block "
                         "by block", ["f0", "f1"], most=MOST_PAGES, inner=Field("name", "a frame", "f0")),
    "low_reserve": Field("whole", "low frames that are kept for devices; none if not said", 1, most=MOST_PAGES),
    "block": Field("whole", "frames of a block, which the balloon gives up as a whole; 1 if not said", 1, least=1,
                   most=MOST_PAGES),
    "virtual_pages": Field("whole", "entries of each guest's page table, for traces of single steps", 2, least=1,
                           most=MOST_PAGES),
    "hash_bits": Field("whole", "bits of a key: FNV-1a of the words, 32 bits of each, cut "
                       "to its low bits; no two pages collide, if not said", 16, most=32),
    "short_bits": Field("whole", "low bits of a key that a hint stores; all, if not said", 8, most=32),
    "sample_size": Field("whole", "pages drawn in each period; 1 if not said", 2, most=MOST_PAGES),
    **{name: Field("whole", f"free frames with fewer of which the {state} state begins", 2, most=MOST_PAGES)
       for name, state in (("soft_threshold", "soft"), ("hard_threshold", "hard"), ("low_threshold", "low"))},
    "high_threshold": Field("whole", "free frames that policy wants", 4, most=MOST_PAGES),
    "margin": Field("whole", "frames beyond a threshold at which a state is left upwards; 0 if not said", 1,
                    most=MOST_PAGES),
    **{name: Field("fraction", told, "3/4") for name, told in (
        ("tax_rate", "the tax on idle memory; 3/4 if not said"),
        ("slow_gain", "how far a period moves the slow average; 1/8 if not said"),
        ("fast_gain", "how far it moves the fast one; 1/2 if not said"),
    )},
    "count_top": Field("whole", "the greatest number that a frame's count field holds; 65535 if not said", 65535,
                       least=1, most=2**32),
    "remap_after": Field("whole", "copies through a bounce buffer after which a page is hot; 1 if not said", 1,
                         most=2**32),
}  # fmt: skip
RATES = ("tax_rate", "slow_gain", "fast_gain")
TOLD = ("driver", "balloon_target", "swap_target")
HEADER_FIELDS = {
    "pagelaw": Field("whole", "the version of the trace format", VERSION, required=True),
    "system": Field("text", "the system that was observed, for the report", "toy 0.1"),
    "profile": Field("one", "the declared freedoms, as a named list; esx if not said", "esx", options=tuple(PROFILES)),
    "options": Field("object", "single freedoms, where they are not as in the profile", {"take_over": True}, fields={
        name: Field("flag" if type(PROFILES["esx"][name]) is bool else "whole", option.sentence, None, most=2**32)
        for name, option in OPTIONS.items()
    }),
    "machine": Field("object", "the machine's sizes", None, required=True, fields=MACHINE_FIELDS),
    "tells": Field("list", "decisions of policy of which the trace tells as they are made; of the others any that an "
                   "operation needs is taken to have been made", ["swap_target"], most=len(TOLD),
                   inner=Field("one", "a kind of decision", "swap_target", options=TOLD)),
}  # fmt: skip


@attrs.frozen
class Header:
    """What the first line says."""

    system: str
    profile: str
    options: dict[str, bool | int]
    vms: tuple[dict[str, Any], ...]
    sizes: dict[str, Any]
    told: frozenset[str]

    @property
    def names(self) -> tuple[Name, ...]:
        """The VMs' names, in order."""
        return tuple(vm["name"] for vm in self.vms)

    @property
    def low(self) -> frozenset[Name]:
        """The low frames' names; none if all are low."""
        return frozenset(self.sizes.get("low", ()))

    def machine(self) -> Machine:
        """The machine in its initial state."""

        def each(name: str, otherwise: int) -> tuple[int, ...]:
            return tuple(vm.get(name, otherwise) for vm in self.vms)

        given, pages = self.sizes, each("pages", 0)
        rates: dict[str, Any] = {name: Fraction(given[name]) for name in RATES if name in given}
        windows = given.get("virtual_pages", min(max(pages), WINDOWS))
        options: dict[str, Any] = dict(self.options)
        low = len(self.low) if "low" in given else given["frames"]
        try:
            made = machine(Sizes(
                vms=len(self.vms), pages=pages, vcpus=given.get("vcpus", 1), virtual_pages=windows,
                frames=given["frames"], low_frames=low, slots=given.get("slots", 0),
                transfers=given.get("transfers", 8) + 1, words=given.get("words", 1), values=1,
                minimum=each("minimum", 0), shares=each("shares", 1), overhead=each("overhead", 0),
                sample_size=given.get("sample_size", 1), low_reserve=given.get("low_reserve", 0),
                block=given.get("block", 1), hash_bits=given.get("hash_bits"),
                short_bits=given.get("short_bits", given.get("hash_bits", 8)),
                count_top=given.get("count_top", 65535), remap_after=given.get("remap_after", 1),
                high_threshold=given.get("high_threshold", 3), soft_threshold=given.get("soft_threshold", 2),
                hard_threshold=given.get("hard_threshold", 1), low_threshold=given.get("low_threshold", 0),
                margin=given.get("margin", 0), **rates, **options,
            ), None if "hash_bits" in given else PERFECT)  # fmt: skip
        except ValueError as error:
            raise Malformed(str(error)) from None
        domains = each("domain", 0)
        made.domain = Map(lambda vm: Domain(domains[vm.number]))
        made.ids[Domain] = type(made.ids[VM])(map(Domain, sorted(set(domains))))
        made.hash_of, made.short = Unkept(made.hash_of.otherwise), Unkept(made.short.otherwise)
        return made


def key_of(contents: Contents) -> int:
    """A hash without collisions: all words, one after the other."""
    number = 0
    for value in reversed(contents.words):
        assert isinstance(value, Value)
        number = number << 64 | value.number
    return number


PERFECT = Hashing(key_of, lambda key: key)
"""A hash of which no two pages are alike. An implementation whose pages collide has to say how (`hash_bits`)."""


class Unkept(Map[Any, Any]):
    """A function that remembers only its last answers: there may be any number of contents."""

    __slots__ = ()

    def __missing__(self, key: Any) -> Any:
        if len(self) >= LAST:
            self.clear()
        self[key] = answer = self.otherwise(key)  # what is asked about is never changed
        return answer


LAST = 64
"""So many."""


def header(line: dict[str, Any]) -> Header:
    """What a trace's first line says. Malformed, if it is no header of a version that is known."""
    if "pagelaw" not in line:
        raise Malformed('the first line is no header: it lacks the field "pagelaw", the version of the format (1)')
    if line["pagelaw"] != VERSION or type(line["pagelaw"]) is not int:
        raise Malformed(f"pagelaw is {line['pagelaw']!r}: this version of pagelaw reads format {VERSION} only")
    check_fields(line, HEADER_FIELDS, "")
    sizes = line["machine"]
    vms = tuple(sizes["vms"])
    names = [vm["name"] for vm in vms]
    for name in names:
        if names.count(name) > 1:
            raise Malformed(f"machine.vms: two VMs are called {name!r}")
    if sum(vm["pages"] for vm in vms) > MOST_PAGES:
        raise Malformed(f"machine.vms: all VMs together have more than {MOST_PAGES} pages")
    if len(vms) * sizes.get("virtual_pages", 1) > MOST_PAGES:
        raise Malformed(f"machine.virtual_pages: all VMs together have more than {MOST_PAGES} virtual pages")
    for number, vm in enumerate(vms):
        if vm.get("minimum", 0) > vm["pages"]:
            raise Malformed(
                f"machine.vms[{number}].minimum is {vm['minimum']}, and the VM has {vm['pages']} pages only"
            )
    low = sizes.get("low", [])
    if len(set(low)) < len(low):
        raise Malformed("machine.low names a frame twice")
    if len(low) > sizes["frames"]:
        raise Malformed(f"machine.low names {len(low)} frames, and the machine has {sizes['frames']} only")
    count = len(low) if "low" in sizes else sizes["frames"]
    if sizes.get("low_reserve", 0) > count:
        raise Malformed(f"machine.low_reserve is {sizes['low_reserve']}, and there are {count} low frames only")
    all_names = sizes.get("frame_names")
    if all_names is not None:
        if len(set(all_names)) < len(all_names) or len(all_names) != sizes["frames"]:
            raise Malformed(f"machine.frame_names should name {sizes['frames']} different frames")
        if "low" in sizes and all_names[: len(low)] != low:
            raise Malformed("machine.low should name the first of machine.frame_names")
    profile = line.get("profile", "esx")
    options = PROFILES[profile] | line.get("options", {})
    return Header(line.get("system", ""), profile, options, vms, sizes, frozenset(line.get("tells", ())))
