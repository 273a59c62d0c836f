"""The fields of events: what an operation needs, what may have been taken, answered and seen."""

from __future__ import annotations

from typing import Any

from pagelaw.spec.language import VM, Value, Word
from pagelaw.spec.vocabulary import VCPU, Page

from .fields import Field, object_fitting
from .operations import OPERATIONS, Operation, Pages, TransferName

MOST = 2**64 - 1
"""The greatest number that a word holds."""

VM_NAME = Field("name", "a VM", "A", required=True)
PAGE = Field("whole", "a page of the VM, from 0", 3, required=True, most=2**20)
ARGUMENTS: dict[Any, dict[str, Field]] = {
    VM: {"vm": VM_NAME},
    Page: {"vm": VM_NAME, "page": PAGE},
    Word: {"word": Field("whole", "a word of the page, from 0", 0, required=True, most=511)},
    Value: {"value": Field("whole", "what the word holds; 0 is zero", 5, required=True, most=MOST)},
    VCPU: {"cpu": Field("whole", "the virtual processor that does it; 0 if not said", 0, most=63)},
    Pages: {"pages": Field("whole", "a number of pages", 2, required=True, most=2**20)},
    TransferName: {"transfer": Field("name", "what the implementation calls the transfer", "t0", required=True)},
    bool: {"writes": Field("flag", "whether the device writes the page; else it reads it", True, required=True)},
}
"""What each kind of argument is in the line of an operation."""

SEEN_OF_PAGE = {
    "vm": VM_NAME, "page": PAGE,
    "frame": Field("name", "the frame that holds it", "f3"),
    "slot": Field("name", "the slot of the swap area that holds it", "s0"),
    "is": Field("one", "where it is: in some frame (resident), in some slot (swapped), in the balloon, nowhere yet "
                "(untouched); absent: in no frame and no slot", "absent",
                options=("resident", "swapped", "ballooned", "untouched", "absent")),
    "dirty": Field("flag", "whether it may have been written since it was last brought in", True),
    "words": Field("list", "what its words hold, null for those that were not seen", [5, None], most=512,
                   inner=Field("whole", "what a word holds", 5, most=MOST, may_be_null=True)),
}  # fmt: skip
SEEN_OF_TRANSLATION = {
    "vm": VM_NAME,
    "virtual": Field("whole", "a virtual page of the guest; looked at in traces of single steps only", 1, required=True,
                     most=2**20),
    "cpu": Field("whole", "the vCPU whose TLB was looked at; the VM's shadow table, if not said", 0, most=63),
    "leads_to": Field("whole", "the page that the entry leads to; null if there is no entry", 3, most=2**20,
                      may_be_null=True),
    "writable": Field("flag", "whether the entry allows writing", True),
    "accessed": Field("flag", "its accessed bit", True),
    "dirty": Field("flag", "its dirty bit", False),
}  # fmt: skip
SEEN_OF_VM = {
    "vm": VM_NAME,
    "resident": Field("whole", "its pages that have a frame", 3),
    "swapped": Field("whole", "its pages in the swap area", 1),
    "ballooned": Field("whole", "its pages in the balloon", 0),
    "balloon_done": Field("flag", "whether its driver puts no more pages in and takes none out, until it is asked for "
                          "another size", True),
    "runs": Field("flag", "whether it runs", True),
    "touched": Field("whole", "pages of its sample that were touched: t", 3),
    "estimate": Field("fraction", "the fraction of its size that it is taken to use, as of its last review", "1/4"),
    "target": Field("whole", "pages that it is to have", 4),
}
SEEN_OF_FRAME = {
    "frame": Field("name", "a frame that some page is known to have", "f3", required=True),
    "users": Field("whole", "how many use it: pages, transfers, operations under way", 2),
    "is": Field("one", "what it is used for", "shared", options=("private", "shared")),
}
SEEN_OF_SLOT = {
    "slot": Field("name", "a slot of the swap area", "s0", required=True),
    "users": Field("whole", "how many use it: pages, operations under way, copies that are kept", 1),
    "words": Field("list", "what it holds, null for words that were not seen", [5, None], most=512,
                   inner=Field("whole", "what a word holds", 5, most=MOST, may_be_null=True)),
}  # fmt: skip
SEEN_OF_ALL = {
    "free_frames": Field("whole", "frames that are free", 7),
    "state": Field("one", "the reclamation state", "soft", options=("high", "soft", "hard", "low")),
    "free_slots": Field("whole", "slots that are free", 7),
    "shared": Field("whole", "frames with at least two pages, but for those of zeros where they are apart", 1),
    "saved": Field("whole", "frames that sharing saves: pages less one, over all of those shared frames", 1),
}
KINDS_SEEN = {"virtual": SEEN_OF_TRANSLATION, "page": SEEN_OF_PAGE, "vm": SEEN_OF_VM, "frame": SEEN_OF_FRAME,
              "slot": SEEN_OF_SLOT}  # fmt: skip
"""What is seen, by the field that tells of what: the first of them that is there."""
TOOK = {
    "frame": Field("name", "the frame that was taken for the page", "f3"),
    "slot": Field("name", "the slot that was taken for it", "s0"),
    "buffer": Field("name", "the frame that was taken as a bounce buffer", "f0"),
}
OUTCOMES = ("shared", "not shared")
SETTLES = ("scan", "page_out", "page_in", "unshare", "migrate")


def fields_of(operation: Operation) -> dict[str, Field]:
    """The fields of an event of this operation."""
    made = {"do": Field("one", operation.sentence, operation.name, required=True, options=(operation.name,))}
    for kind in operation.arguments.values():
        made |= ARGUMENTS[kind]
    return made | AFTERWARDS | {"begin": BEGIN}


BEGIN = Field("name", "it only begins here, under this name; it ends with an event `end` of that name", "x1")
AFTERWARDS = {
    "took": Field("object", "the choices that were observed", {"frame": "f3"}, fields=TOOK),
    "got": Field("any", "what it answered: a word for a read, what a scan came to", 5),
    "refused": Field("any", "that it was refused: the name of the reason, or true", "NO_FREE_FRAME"),
    "saw": Field("list", "what was seen afterwards; what is missing was not looked at", None, most=2**20,
                 inner=Field("object", "something that was seen", {"vm": "A", "page": 3, "frame": "f3"}, fields={})),
}  # fmt: skip
AFTERWARDS["saw"] = Field("list", AFTERWARDS["saw"].told, [{"vm": "A", "page": 3, "frame": "f3"}], most=2**20)
OTHER_FIELDS: dict[str, dict[str, Field]] = {
    "step": AFTERWARDS,
    "end": {"end": Field("name", "an operation that began ends here; what it took is said where it begins", "x1",
                         required=True)} | {name: AFTERWARDS[name] for name in ("got", "refused", "saw")},
    "settle": {
        "settle": Field("any", "internal operations may have happened here: true for all, or a list of them: "
                        + ", ".join(SETTLES), ["scan"], required=True),
        "saw": AFTERWARDS["saw"],
    },
    "saw": {"saw": AFTERWARDS["saw"]},
}  # fmt: skip
SETTLE_LIST = Field("list", "internal operations", ["scan"], most=len(SETTLES),
                    inner=Field("one", "an internal operation", "scan", options=SETTLES))  # fmt: skip
FIELDS = {name: fields_of(operation) for name, operation in OPERATIONS.items()}
"""The fields of an event of each operation."""
ALL_FIELDS = FIELDS | OTHER_FIELDS
FIT = {name: object_fitting(fields) for name, fields in ALL_FIELDS.items()}
"""Whether all fields of an event hold what they should."""
PLAIN_FIELDS = {name: frozenset(fields.keys() - {"took", "refused", "saw", "begin"}) for name, fields in FIELDS.items()}
"""The fields of an event that says no more than what was done, and what it answered."""
