"""Building a concrete machine: so many VMs, pages, frames, slots, with these readings in force."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import attrs

from pagelaw.spec.language import REGISTER, VM, Contents, Map, Value, Word
from pagelaw.spec.machine import Machine
from pagelaw.spec.vocabulary import MPN, VCPU, Block, Domain, Key, Page, ShortKey, Slot, Transfer, VPage

PerVM = int | tuple[int, ...]
"""A number for all VMs, or one for each, dealt out in turn."""


def of_vm(number: PerVM, vm: VM) -> int:
    """The number for one VM."""
    return number if isinstance(number, int) else number[vm.number % len(number)]


@attrs.frozen(kw_only=True)
class Sizes:
    """How large a machine is, and which readings it takes. A size of a VM is one number for all, or one for each."""

    vms: int = 2
    pages: PerVM = 4
    """Pages of each VM: its configured size."""
    vcpus: int = 2
    """Virtual processors of each VM."""
    virtual_pages: int = 3
    """Entries of each guest's page table."""
    frames: int = 10
    low_frames: int = 4
    """How many of the frames are in low memory: the first ones."""
    low_reserve: int = 0
    """How many of them are kept for devices."""
    block: int = 1
    """Frames of a block, which the balloon gives up as a whole."""
    slots: int = 8
    transfers: int = 3
    """Device transfers that may be under way at a time."""
    words: int = 2
    """Words of a page."""
    values: int = 2
    """Values that a word may hold; value 0 is zero."""
    domains: int = 1
    """Sharing domains; the VMs are dealt out to them in turn."""
    hash_bits: int | None = 16
    """Bits of a key; with 0 all pages collide. None: the key is the number of the value at the first word, so that
    pages of one word have equal keys only if they are equal, and any number of values may be stored."""
    short_bits: int = 8
    """Low bits of a key that a hint frame stores."""
    minimum: PerVM = 1
    """Pages guaranteed to each VM."""
    shares: tuple[int, ...] = (1,)
    """Shares of the VMs, dealt out in turn."""
    tax_rate: Fraction = Fraction(3, 4)
    """The tax on idle memory."""
    sample_size: int = 2
    """Pages drawn in each period; no more than a VM has."""
    slow_gain: Fraction = Fraction(1, 8)
    fast_gain: Fraction = Fraction(1, 2)
    overhead: PerVM = 1
    """Overhead frames that each VM needs."""
    count_top: int = 2
    """The greatest number that a frame's count field holds."""
    remap_after: int = 1
    """Copies after which a page is hot."""
    high_threshold: int = 4
    """Free frames that policy wants; the soft, hard and low states begin with fewer than the next three."""
    soft_threshold: int = 3
    hard_threshold: int = 2
    low_threshold: int = 1
    margin: int = 1
    """Frames beyond a threshold that must be free before a state is left upwards."""
    keep_slot: bool = False
    swap_shared: bool = False
    take_over: bool = False
    displace: bool = False
    most_sharers: int = 0
    """The greatest number of users of a shared frame; 0 for any number."""
    zero_apart: bool = False
    balloon_short: bool = False
    migrate: bool = False
    share_first: bool = True
    garbage: int | None = 0
    """Seed of what is in the frames and slots at boot; None: zeros."""


def hash_of(contents: Contents, bits: int | None) -> int:
    """FNV-1a (32 bits) over the number of the value at each word, cut to its low bits; or the first word itself."""
    if bits is None:
        return contents.words[0].number
    state = 0x811C9DC5
    for value in contents.words:
        for shift in (0, 8, 16, 24):
            state = ((state ^ (value.number >> shift & 0xFF)) * 0x01000193) & 0xFFFFFFFF
    return state & ((1 << bits) - 1)


@attrs.frozen
class Hashing:
    """A hash function, and what a hint stores of it. By default as the sizes say."""

    key: Callable[[Contents], int]
    short: Callable[[int], int]

    @classmethod
    def of(cls, sizes: Sizes) -> Hashing:
        """The one of these sizes."""
        return cls(lambda contents: hash_of(contents, sizes.hash_bits), lambda key: short_of(key, sizes.short_bits))


def identifiers(sizes: Sizes, hashing: Hashing | None = None) -> dict[type, list[Any]]:
    """All identifiers of every sort, in order. Of keys only those that some page hashes to."""
    hashing = hashing or Hashing.of(sizes)
    vms = [VM(n) for n in range(sizes.vms)]
    values = [Value(n) for n in range(sizes.values)]
    contents = [Contents(words) for words in product(values, repeat=sizes.words)]
    keys = sorted({hashing.key(one) for one in contents})
    return {
        VM: vms,
        Page: [Page(vm, n) for vm in vms for n in range(of_vm(sizes.pages, vm))],
        VPage: [VPage(vm, n) for vm in vms for n in range(sizes.virtual_pages)],
        VCPU: [VCPU(vm, n) for vm in vms for n in range(sizes.vcpus)],
        MPN: [MPN(n) for n in range(sizes.frames)],
        Block: [Block(n) for n in range(-(-sizes.frames // sizes.block))],
        Slot: [Slot(n) for n in range(sizes.slots)],
        Transfer: [Transfer(n) for n in range(sizes.transfers)],
        Word: [Word(n) for n in range(sizes.words)],
        Value: values,
        Contents: contents,
        Key: [Key(n) for n in keys],
        ShortKey: [ShortKey(n) for n in sorted({hashing.short(n) for n in keys})],
        Domain: [Domain(n) for n in range(sizes.domains)],
    }


def short_of(key: int, bits: int) -> int:
    """The low bits of a key."""
    return key & ((1 << bits) - 1)


def machine(sizes: Sizes, hashing: Hashing | None = None) -> Machine:
    """A machine of these sizes in its initial state: no VM is on, frames and slots hold garbage."""
    hashing = hashing or Hashing.of(sizes)
    ids = identifiers(sizes, hashing)
    zero = Contents((Value(0),) * sizes.words)
    at_boot = ids[Contents] if sizes.garbage is not None else [zero]
    random = Random(sizes.garbage)
    in_frames = {mpn: random.choice(at_boot) for mpn in ids[MPN]}
    in_slots = {slot: random.choice(at_boot) for slot in ids[Slot]}
    made = Machine.start(
        {sort: tuple(members) for sort, members in ids.items()},
        zero=zero,
        frame_at_boot=Map(in_frames.__getitem__),
        slot_at_boot=Map(in_slots.__getitem__),
        low=lambda mpn: mpn.number < sizes.low_frames,
        block=lambda mpn: Block(mpn.number // sizes.block),
        domain=lambda vm: Domain(vm.number % sizes.domains),
        hash_of=lambda contents: Key(hashing.key(contents)),
        short=lambda key: ShortKey(hashing.short(key.number)),
        minimum=lambda vm: of_vm(sizes.minimum, vm),
        maximum=lambda vm: of_vm(sizes.pages, vm),
        overhead=lambda vm: of_vm(sizes.overhead, vm),
        shares=lambda vm: of_vm(sizes.shares, vm),
        tax_rate=sizes.tax_rate,
        sample_size=lambda vm: min(sizes.sample_size, of_vm(sizes.pages, vm)),
        slow_gain=sizes.slow_gain,
        fast_gain=sizes.fast_gain,
        total_frames=sizes.frames,
        total_slots=sizes.slots,
        count_top=sizes.count_top,
        low_for_all=sizes.low_frames - sizes.low_reserve,
        remap_after=sizes.remap_after,
        high_threshold=sizes.high_threshold,
        soft_threshold=sizes.soft_threshold,
        hard_threshold=sizes.hard_threshold,
        low_threshold=sizes.low_threshold,
        margin=sizes.margin,
        keep_slot=sizes.keep_slot,
        swap_shared=sizes.swap_shared,
        take_over=sizes.take_over,
        displace=sizes.displace,
        most_sharers=sizes.most_sharers,
        zero_apart=sizes.zero_apart,
        balloon_short=sizes.balloon_short,
        migrate=sizes.migrate,
        share_first=sizes.share_first,
    )
    for entry in REGISTER["assumption"].values():
        per_vm = "vm" in entry.function.__wrapped__.__annotations__  # type: ignore[attr-defined]
        tuples: list[tuple[Any, ...]] = [(vm,) for vm in ids[VM]] if per_vm else [()]
        for arguments in tuples:
            if not entry.function(made, *arguments):
                raise ValueError(f"not a machine that the specification speaks of: {entry.sentence}")
    return made
