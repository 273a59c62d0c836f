"""Why a rule may refuse. A refused rule has changed nothing."""

from enum import Enum


class Refused(Enum):
    """The named reasons, each with its sentence."""

    VM_NOT_RUNNING = "the VM is not running"
    VM_NOT_OFF = "the VM is not powered off"
    VM_NOT_DYING = "the VM is not being powered off"
    VM_NOT_EMPTY = "the VM still holds pages, transfers or overhead frames"
    VM_IS_OFF = "the VM is powered off"

    OTHER_VM = "the things named belong to different VMs"
    NOT_MAPPED = "the page has no frame"
    NOT_UNTOUCHED = "the page is not an untouched one"
    NOT_SWAPPED = "the page is not in the swap area"
    NOT_BALLOONED = "the page is not in the balloon"
    NOT_PRIVATE = "the page's frame is not its own"
    NOT_SHARED = "the page's frame is not shared"
    ALREADY_BALLOONED = "the page is in the balloon already"
    OPERATION_IN_PROGRESS = "another operation has the page"
    WRONG_STAGE = "the operation is not at the stage that this step belongs to"

    NO_GUEST_MAPPING = "the guest's page table does not map this virtual page"
    NO_TRANSLATION = "there is no cached translation that allows this access"
    TRANSLATION_PRESENT = "there is a translation already"
    FILL_IN_PROGRESS = "this vCPU is in the middle of a fill"
    NO_FILL = "this vCPU is not filling a translation"
    FILL_OUTDATED = "the page's translation was revoked, or the guest's table changed, since the fill was read"
    NOT_READABLE = "an operation keeps the page unmapped"
    NOTHING_OWED = "no flush is pending here"
    FLUSH_PENDING = "a vCPU or a device has not yet done the flush it was asked for"
    PINNED = "a device transfer holds the frame"

    NO_FREE_FRAME = "the frame named is not free"
    NOT_LOW = "the frame is not in low memory"
    NOT_HIGH = "the frame is in low memory"
    SAME_ZONE = "the page is in that part of memory already"
    LOW_FRAME_FREE = "a low frame is free, so no page need make room"
    NOT_HOT = "the page has not been copied often enough"
    NO_FREE_SLOT = "the slot named is in use"
    KEPT_SLOT = "the page still keeps an older slot"
    NO_KEPT_SLOT = "the page keeps no clean copy in the swap area"
    NOT_IN_USE_BY_READING = "the reading in force does not have this step"

    NO_DRIVER = "no balloon driver is ready in the guest"
    DRIVER_PRESENT = "a balloon driver is there already, or will be reset when it speaks"
    NO_RESET_PENDING = "the balloon driver's state need not be reset"
    BALLOON_NOT_EMPTY = "pages are still annotated or on their way into the balloon"
    TARGET_REACHED = "the target level is reached"
    NOT_A_LEVEL = "the level asked for is not between 0 and the size of the VM"
    NO_PAGE_TO_TAKE = "the VM holds no more than its minimum, or its swap target is reached"
    AT_MINIMUM = "the VM holds no more than its guaranteed minimum"
    TRY_SHARING_FIRST = "no attempt to share the page was made yet"

    NO_MATCH = "no shared frame with this key in the page's domain"
    MATCH_FIRST = "a shared frame or a live hint has this key"
    NOT_A_HINT = "the other page has no hint frame with this key"
    KEY_TAKEN = "another shared frame has this key"
    SAME_PAGE = "a page is never matched with itself"
    LAST_USER_ONLY = "the frame has other users"

    TRANSFER_IN_PROGRESS = "this transfer is under way already"
    NO_TRANSFER = "this transfer is not at the stage that this step belongs to"

    NO_MEMORY_TO_RESERVE = "not enough machine memory is unreserved"
    NO_SWAP_TO_RESERVE = "not enough swap space is unreserved"
    OVERHEAD_COMPLETE = "the VM has all its overhead frames"
    NOT_OVERHEAD = "the frame is not an overhead frame of this VM"
    ALREADY_SAMPLED = "the page is in the sample already"
    NOT_SAMPLED = "the page is not in the sample"

    STATE_STANDS = "free memory calls for no other reclamation state"
    NOTHING_NEW = "as many frames are free as when policy last looked"

    WRONG_VALUE = "a device sends something that the page never held during the transfer"
    NOT_OFFERED = "the guest did not offer the page to the balloon"
