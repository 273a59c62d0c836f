"""The machine: everything that the server keeps, field by field.

Three maps carry most of the meaning. `pmap` says where a page's contents are;
it does not change while an operation merely unmaps or write-protects the
page. `operation` says what is being done to a page, how far it has come, and
which frame or slot that holds; so it says who may read and write the page.
`frame` says what each machine page is used for.
"""

from __future__ import annotations

from .language import VM, Contents, Fraction, Map, State, given, starts_as
from .vocabulary import (
    MPN,
    VCPU,
    Absent,
    AtBoot,
    Backing,
    Block,
    DeviceTransfer,
    DeviceTranslation,
    Domain,
    Driver,
    Fetch,
    Fill,
    FrameUse,
    Free,
    GuestEntry,
    High,
    Hint,
    Idle,
    Kept,
    Key,
    Life,
    NoDeviceEntry,
    NoDriver,
    NoEntry,
    NoFetch,
    NoFill,
    NoHint,
    NotDrawn,
    NothingKept,
    NotPresent,
    NoTransfer,
    Off,
    Operation,
    Page,
    Reclamation,
    Sample,
    ShortKey,
    Slot,
    TableEntry,
    Tag,
    Transfer,
    Translation,
    Untouched,
    VPage,
)


class Machine(State):
    """The whole server."""

    # parameters

    zero: Contents = given()
    """A page of zeros."""
    frame_at_boot: Map[MPN, Contents] = given()
    """What is in the frames when the machine starts: anything."""
    slot_at_boot: Map[Slot, Contents] = given()
    """What is in the slots then: anything."""
    low: Map[MPN, bool] = given()
    """Whether a frame is in low memory, which devices reach (ESX-7-01)."""
    block: Map[MPN, Block] = given(indexed=True)
    """The block that a frame belongs to; the paper's blocks are single frames (R-51)."""
    domain: Map[VM, Domain] = given()
    """The sharing domain of a VM; one common domain unless configured."""
    hash_of: Map[Contents, Key] = given()
    """The hash function (R-14): any function; collisions must be harmless."""
    short: Map[Key, ShortKey] = given()
    """The truncation of a key in a hint frame (R-14, R-17)."""
    minimum: Map[VM, int] = given()
    """Pages guaranteed to the VM (ESX-6.1-01)."""
    maximum: Map[VM, int] = given()
    """The VM's configured size in pages (ESX-6.1-02)."""
    overhead: Map[VM, int] = given()
    """Frames the VM needs beside its pages (ESX-6.2-05, R-44)."""
    shares: Map[VM, int] = given(configured=True)
    """How much the VM counts when memory is divided (ESX-5.1-01)."""
    tax_rate: Fraction = given(configured=True)
    """The tax on idle memory, the same for all VMs: 3/4 by default (ESX-5.2-10, ESX-5.2-11)."""
    sample_size: Map[VM, int] = given()
    """Pages of the VM drawn in each period: n (ESX-5.3-04, R-32)."""
    slow_gain: Fraction = given(configured=True)
    """How far a period moves the slow average (R-35)."""
    fast_gain: Fraction = given(configured=True)
    """How far it moves the fast one (R-35)."""
    total_frames: int = given()
    """Frames of machine memory."""
    total_slots: int = given()
    """Slots of the swap area."""
    count_top: int = given()
    """The greatest number that the count field of a frame holds: 65,535 with 16 bits (ESX-4.3-10, R-23)."""
    low_for_all: int = given()
    """Low frames that may be in use before those still free are kept for devices (R-52)."""
    remap_after: int = given()
    """Copies after which a page is hot (ESX-7-04, R-45)."""
    high_threshold: int = given(configured=True)
    """Free frames that policy wants at the least: 6 % of all by default (ESX-6.3-05, R-36)."""
    soft_threshold: int = given(configured=True)
    """With fewer free the soft state begins: 4 % (R-37)."""
    hard_threshold: int = given(configured=True)
    """With fewer free the hard state begins: 2 %."""
    low_threshold: int = given(configured=True)
    """With fewer free the low state begins: 1 %."""
    margin: int = given(configured=True)
    """Frames beyond a threshold that must be free before a state is left upwards (R-38)."""
    keep_slot: bool = given()
    """R-10: whether a slot is kept after page-in while the page is clean."""
    swap_shared: bool = given()
    """R-11: whether a page in a shared frame may be paged out while its VM has pages of its own."""
    take_over: bool = given()
    """R-22: whether the last sharer's write takes the frame over in place."""
    displace: bool = given()
    """R-47: whether a low page makes room when no low frame is free."""
    most_sharers: int = given()
    """R-54: the greatest number of users of a shared frame; 0 for any number."""
    zero_apart: bool = given()
    """R-55: whether pages of zeros are kept apart: any number share a frame, and reports of sharing leave it out."""
    balloon_short: bool = given()
    """R-56: whether a balloon driver may be done before its balloon has the size asked for."""
    migrate: bool = given()
    """R-53: whether the server moves pages for reasons of its own."""
    share_first: bool = given()
    """R-13: whether a page with a frame of its own is picked for paging only after an attempt to share it."""

    # pages

    pmap: Map[Page, Backing] = starts_as(Untouched())
    """Where each page's contents are (ESX-2-04)."""
    operation: Map[Page, Operation] = starts_as(Idle())
    """What is being done to it."""
    generation: Map[Page, int] = starts_as(0)
    """How often its translations were revoked."""
    dirty: Map[Page, bool] = starts_as(True)
    """Whether it may have been written since it was read in; bits in live shadow entries come on top."""
    kept: Map[Page, Kept] = starts_as(NothingKept())
    """The slot that still has a copy of it (R-10)."""
    hint: Map[Page, Hint] = starts_as(NoHint(), indexed=True)
    """Its hint frame."""
    attempted: Map[Page, bool] = starts_as(False)
    """Whether, with the frame it has, an attempt to share it before a page-out found nothing (ESX-4.3-20, R-13)."""
    sampled: Map[Page, Sample] = starts_as(NotDrawn())
    """Whether it is in the sample, and was touched since (ESX-5.3-04, ESX-5.3-06)."""
    copies: Map[Page, int] = starts_as(0)
    """How often I/O on it went through a bounce buffer since it was last copied to another frame (ESX-7-03)."""

    # frames

    frame: Map[MPN, FrameUse] = starts_as(Free())
    """What each frame is used for."""
    contents: Map[MPN, Contents] = starts_as("frame_at_boot")
    """What is in it, also when free."""
    tag: Map[MPN, Tag] = starts_as(AtBoot())
    """Whose data that is."""
    count_field: Map[MPN, int] = starts_as(0)
    """The count field: users of the frame, or count_top for "see the overflow table" (R-23)."""
    overflow: Map[MPN, int] = starts_as(0)
    """The overflow table: larger counts; 0 for no entry (ESX-4.3-11)."""
    pins: Map[MPN, int] = starts_as(0)
    """Transfers under way on it."""
    frame_slot: Map[MPN, Kept] = starts_as(NothingKept())
    """The slot that already has a copy of a shared frame (R-11)."""
    free_frames: int = starts_as("total_frames")
    """How many frames are free."""
    low_in_use: int = starts_as(0)
    """How many low frames are not."""

    # translations

    guest_table: Map[VPage, GuestEntry] = starts_as(NotPresent())
    """The guest's own page table."""
    unsynced: Map[tuple[VCPU, VPage], bool] = starts_as(False)
    """Whether the guest changed this entry and has not yet invalidated it on this vCPU."""
    shadow: Map[VPage, Translation] = starts_as(Absent())
    """The shadow page table of the VM (ESX-2-05)."""
    tlb: Map[tuple[VCPU, VPage], Translation] = starts_as(Absent())
    """The TLB of each vCPU."""
    owed: Map[tuple[VCPU, Page], bool] = starts_as(False)
    """Whether a vCPU was asked to flush a page's translations and has not yet done so."""
    fill: Map[VCPU, Fill] = starts_as(NoFill())
    """The fill that a vCPU's fault handler is in the middle of."""
    fetch: Map[VCPU, Fetch] = starts_as(NoFetch())
    """The page-in that a vCPU's fault handler is in the middle of."""
    device_entry: Map[Page, DeviceTranslation] = starts_as(NoDeviceEntry())
    """The cache of translations that the VM's devices use."""
    device_owed: Map[Page, bool] = starts_as(False)
    """Whether that cache was asked to drop a page and has not yet done so."""

    # transfers

    transfer: Map[Transfer, DeviceTransfer] = starts_as(NoTransfer())
    """Each device transfer."""

    # swap area

    slot_contents: Map[Slot, Contents] = starts_as("slot_at_boot")
    """What is in each slot."""
    slot_count: Map[Slot, int] = starts_as(0)
    """Users of a slot: pages, operations, kept copies; 0 if it is free."""
    free_slots: int = starts_as("total_slots")
    """How many slots are free."""

    # sharing

    table: Map[tuple[Domain, Key], TableEntry] = starts_as(NoEntry())
    """The shared frame listed under a key; one at most (ESX-4.3-13)."""

    # VMs

    life: Map[VM, Life] = starts_as(Off())
    """Whether the VM runs."""
    driver: Map[VM, Driver] = starts_as(NoDriver())
    """Its balloon driver."""
    balloon_target: Map[VM, int] = starts_as(0)
    """The balloon size asked for, in pages (R-09)."""
    balloon_size: Map[VM, int] = starts_as(0)
    """Pages annotated as ballooned (R-06)."""
    swap_target: Map[VM, int] = starts_as(0)
    """The swap level asked for, in pages (ESX-3.3-03)."""
    swapped: Map[VM, int] = starts_as(0)
    """Pages in the swap area."""
    resident: Map[VM, int] = starts_as(0)
    """Pages that have a frame: P (R-25)."""
    touched: Map[VM, int] = starts_as(0)
    """Pages of the sample that were touched: t (ESX-5.3-06)."""
    drawn: Map[VM, int] = starts_as(0)
    """Pages in the sample."""
    period_over: Map[VM, bool] = starts_as(False)
    """Whether the period is over and its sample, which counts no more, is leaving page by page."""
    slow: Map[VM, Fraction] = starts_as(Fraction(1))
    """The slow average of the fraction touched (ESX-5.3-10)."""
    fast: Map[VM, Fraction] = starts_as(Fraction(1))
    """The fast one."""
    estimate: Map[VM, Fraction] = starts_as(Fraction(1))
    """The fraction of its size that the VM is taken to use, as of its last review (ESX-5.3-12)."""
    target: Map[VM, int] = starts_as(0)
    """Pages that the VM is to have (ESX-6-01)."""
    noted_target: Map[VM, int] = starts_as(0)
    """Its target at its last review: for reports, nothing rests on it."""
    noted_price: Map[VM, Fraction] = starts_as(Fraction(0))
    """The price of its pages then: for reports, nothing rests on it."""
    set_aside: int = starts_as(0)
    """Pages that targets do not share out, so that frames can be free; fewer than none if sharing saves more (R-43)."""
    spare: int = starts_as("total_frames")
    """Pages that are neither reserved, nor in a target, nor set aside."""
    to_take: int = starts_as(0)
    """Pages that targets have beyond what there is: still to be taken from them."""
    overhead_held: Map[VM, int] = starts_as(0)
    """Overhead frames it has."""
    reserved_memory: int = starts_as(0)
    """Machine memory reserved by VMs that are not off, in pages (ESX-6.2-03)."""
    reserved_swap: int = starts_as(0)
    """Swap space reserved by them, in pages (ESX-6.2-04)."""

    # reclamation

    reclamation: Reclamation = starts_as(High())
    """The reclamation state (ESX-6.3-04)."""
    free_seen: int = starts_as("total_frames")
    """How many frames were free when policy last looked: cheap to read, and it lags behind `free_frames`."""


SIZES: dict[str, type] = {"total_frames": MPN, "total_slots": Slot, "maximum": Page}
"""Parameters that are numbers of identifiers: of all of a sort, or, for `maximum`, of those of each VM."""
