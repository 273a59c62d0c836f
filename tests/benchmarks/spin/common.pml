/* The common problem as one would write it for Spin: every state of two VMs that share, page and balloon.
 *
 *     spin -a -DP=2 common.pml && gcc -O2 -DBFS -DSAFETY -DNOREDUCE -o pan pan.c && ./pan
 *
 * The peer of our own explorer, and an independent reading of the rules in spec/: a count of states that differs
 * from ours is an error in one of the two. Each option of the loop is an operation run without interruption.
 * Sizes: two VMs of P pages each, FRAMES frames, SLOTS swap slots, contents 0 or 1 whose keys differ; each VM is
 * guaranteed P - 1 pages, and its balloon and swap targets are P. With ZONES = 1 the frames from LOW on are in high
 * memory, every page is always hot, and pages move between the two. With HINTS = 0 a hint is left just before it is
 * found, so that none is in any state; with GARBAGE = 0 states are not told apart by what is in free frames and slots
 * or whose it was: neither is ever read, and without both P = 3 is small enough to be counted.
 * What never changes here is left out: power, drivers, targets, translations (all flushed between operations),
 * dirty (stays set), copies (stay 0), kept slots.
 */

#ifndef P
#define P 2
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef ZONES
#define ZONES 0
#endif
#ifndef HINTS
#define HINTS 0
#endif
#ifndef GARBAGE
#define GARBAGE 0
#endif

#define LOW     (FRAMES / 2)
#define MINIMUM (P - 1)
#define TARGET  P

/* Where a page's contents are: a frame, a slot, or nowhere. */
#define SLOT(s)      (FRAMES + (s))
#define UNTOUCHED    (FRAMES + SLOTS)
#define BALLOONED    (FRAMES + SLOTS + 1)
#define MAPPED(p)    (pmap[p] < FRAMES)
#define SWAPPED(p)   (pmap[p] >= FRAMES && pmap[p] < UNTOUCHED)

/* What a frame is used for, whose data it holds, and what has nothing. */
#define FREE         0
#define PRIVATE      1
#define SHARED       2
#define AT_BOOT      0
#define DATA_OF(vm)  (1 + (vm))
#define COMMON       3
#define NOBODY       255
#define NO_COPY      255
#define NO_HINT      0
#define HINT(key)    (1 + (key))

byte pmap[2 * P] = UNTOUCHED;
byte hint[2 * P];
byte resident[2];
byte swapped[2];
byte ballooned[2];
byte use[FRAMES];
byte contents[FRAMES];
byte tag[FRAMES];
byte count[FRAMES];
byte copy_in[FRAMES] = NO_COPY;     /* the slot that has a copy of a shared frame */
byte slot_contents[SLOTS];
byte slot_count[SLOTS];
byte listed[2] = NOBODY;            /* the shared frame under each key */

/* For each page, frame and slot: the arguments are constants, so that gcc can work with them. */
#if P == 1
#define EACH_PAGE(A)     A(0) A(1)
#define SOME_PAGE(A, p)  (A(p, 0) || A(p, 1))
#elif P == 2
#define EACH_PAGE(A)     A(0) A(1) A(2) A(3)
#define SOME_PAGE(A, p)  (A(p, 0) || A(p, 1) || A(p, 2) || A(p, 3))
#define USERS(x)         ((pmap[0] == x) + (pmap[1] == x) + (pmap[2] == x) + (pmap[3] == x))
#elif P == 3
#define EACH_PAGE(A)     A(0) A(1) A(2) A(3) A(4) A(5)
#define SOME_PAGE(A, p)  (A(p, 0) || A(p, 1) || A(p, 2) || A(p, 3) || A(p, 4) || A(p, 5))
#define USERS(x)         ((pmap[0] == x) + (pmap[1] == x) + (pmap[2] == x) + (pmap[3] == x) \
                          + (pmap[4] == x) + (pmap[5] == x))
#endif
#if P == 1
#define USERS(x)         ((pmap[0] == x) + (pmap[1] == x))
#endif

#if FRAMES == 2
#define EACH_FRAME(A, p) A(p, 0) A(p, 1)
#define FRAMES_ARE(A)    (A(0) && A(1))
#define COPIES(s)        ((copy_in[0] == s) + (copy_in[1] == s))
#elif FRAMES == 3
#define EACH_FRAME(A, p) A(p, 0) A(p, 1) A(p, 2)
#define FRAMES_ARE(A)    (A(0) && A(1) && A(2))
#define COPIES(s)        ((copy_in[0] == s) + (copy_in[1] == s) + (copy_in[2] == s))
#elif FRAMES == 4
#define EACH_FRAME(A, p) A(p, 0) A(p, 1) A(p, 2) A(p, 3)
#define FRAMES_ARE(A)    (A(0) && A(1) && A(2) && A(3))
#define COPIES(s)        ((copy_in[0] == s) + (copy_in[1] == s) + (copy_in[2] == s) + (copy_in[3] == s))
#endif

#if SLOTS == 1
#define EACH_SLOT(A, p)  A(p, 0)
#define SLOTS_ARE(A)     (A(0))
#elif SLOTS == 2
#define EACH_SLOT(A, p)  A(p, 0) A(p, 1)
#define SLOTS_ARE(A)     (A(0) && A(1))
#endif

/* What is asked of a page. Two contents have two keys, so a key is written as the contents. */
#define VM(p)              ((p) / P)
#define KEY(p)             contents[pmap[p]]
#define PRIVATE_PAGE(p)    (MAPPED(p) && use[pmap[p]] == PRIVATE)
#define SHARED_PAGE(p)     (MAPPED(p) && use[pmap[p]] == SHARED)
#define LIVE_HINT(p)       (hint[p] != NO_HINT && PRIVATE_PAGE(p) && hint[p] == HINT(KEY(p)))
#if HINTS
#define HINT_CAN_BE_FOUND(q) LIVE_HINT(q)
#else
#define HINT_CAN_BE_FOUND(q) PRIVATE_PAGE(q)
#endif
#define HINTED_BY(p, q)    (p != q && LIVE_HINT(q) && KEY(q) == KEY(p))
#define EQUAL(q, p)        (p != q && PRIVATE_PAGE(p) && KEY(p) == KEY(q))
#define NOTHING_MATCHES(p) (listed[KEY(p)] == NOBODY && !SOME_PAGE(HINTED_BY, p))
#define MAY_LOSE_A_PAGE(p) (resident[VM(p)] > MINIMUM && swapped[VM(p)] < TARGET)
#define MAY_INFLATE(p)     (ballooned[VM(p)] < TARGET)

inline take(p, f) {
    use[f] = PRIVATE;
    count[f] = 1;
    tag[f] = DATA_OF(VM(p))
}

inline drop_slot(s) {
    slot_count[s]--;
    if
    :: !GARBAGE && slot_count[s] == 0 -> slot_contents[s] = 0
    :: else
    fi
}

inline drop_copy(f) {
    if
    :: copy_in[f] != NO_COPY ->
        drop_slot(copy_in[f]);
        copy_in[f] = NO_COPY
    :: else
    fi
}

inline let_go(f) {
    count[f]--;
    if
    :: count[f] == 0 ->
        if
        :: use[f] == SHARED ->
            listed[contents[f]] = NOBODY;
            drop_copy(f)
        :: else
        fi;
        use[f] = FREE;
        if
        :: !GARBAGE -> contents[f] = 0; tag[f] = AT_BOOT
        :: else
        fi
    :: else
    fi
}

inline leave_for_slot(p, s) {
    let_go(pmap[p]);
    pmap[p] = SLOT(s);
    resident[VM(p)]--;
    swapped[VM(p)]++
}

inline copy_to(p, f) {
    take(p, f);
    contents[f] = KEY(p);
    let_go(pmap[p]);
    pmap[p] = f
}

inline enter_balloon(p) {
    pmap[p] = BALLOONED;
    ballooned[VM(p)]++
}

/* The operations. */

#define TOUCH(p, f) :: d_step { pmap[p] == UNTOUCHED && use[f] == FREE -> \
    take(p, f); contents[f] = 0; pmap[p] = f; resident[VM(p)]++ }

#define WRITE(p, v) :: d_step { PRIVATE_PAGE(p) -> contents[pmap[p]] = v }

#define LEAVE_HINT(p) :: d_step { PRIVATE_PAGE(p) && NOTHING_MATCHES(p) -> hint[p] = HINT(KEY(p)) }

#define REMOVE_STALE_HINT(p) :: d_step { hint[p] != NO_HINT && !LIVE_HINT(p) -> hint[p] = NO_HINT }

#define MARK(q) :: d_step { HINT_CAN_BE_FOUND(q) && listed[KEY(q)] == NOBODY && SOME_PAGE(EQUAL, q) -> \
    use[pmap[q]] = SHARED; listed[KEY(q)] = pmap[q]; tag[pmap[q]] = COMMON; hint[q] = NO_HINT }

#define SHARE(p, f) :: d_step { PRIVATE_PAGE(p) && listed[KEY(p)] == f -> \
    let_go(pmap[p]); pmap[p] = f; count[f]++; hint[p] = NO_HINT }

#define BREAK(p, f) :: d_step { SHARED_PAGE(p) && use[f] == FREE -> copy_to(p, f) }

#define BALLOON(p) :: d_step { MAPPED(p) && MAY_INFLATE(p) && resident[VM(p)] > MINIMUM -> \
    let_go(pmap[p]); enter_balloon(p); resident[VM(p)]-- }

#define INFLATE_UNTOUCHED(p) :: d_step { pmap[p] == UNTOUCHED && MAY_INFLATE(p) -> enter_balloon(p) }

#define INFLATE_SWAPPED(p) :: d_step { SWAPPED(p) && MAY_INFLATE(p) -> \
    drop_slot(pmap[p] - FRAMES); enter_balloon(p); swapped[VM(p)]-- }

#define DEFLATE(p) :: d_step { pmap[p] == BALLOONED -> pmap[p] = UNTOUCHED; ballooned[VM(p)]-- }

#define PAGE_OUT_OWN(p, s) :: d_step { \
    PRIVATE_PAGE(p) && MAY_LOSE_A_PAGE(p) && slot_count[s] == 0 && NOTHING_MATCHES(p) -> \
    slot_contents[s] = KEY(p); slot_count[s] = 1; leave_for_slot(p, s) }

#define PAGE_OUT_SHARED(p, s) :: d_step { SHARED_PAGE(p) && MAY_LOSE_A_PAGE(p) && slot_count[s] == 0 -> \
    slot_contents[s] = KEY(p); slot_count[s] = 1; \
    if :: copy_in[pmap[p]] == NO_COPY -> copy_in[pmap[p]] = s; slot_count[s] = 2 :: else fi; \
    leave_for_slot(p, s) }

#define PAGE_OUT_TO_COPY(p, s) :: d_step { SHARED_PAGE(p) && MAY_LOSE_A_PAGE(p) && copy_in[pmap[p]] == s -> \
    slot_count[s]++; leave_for_slot(p, s) }

#define FORGET_COPY(p, f) :: d_step { copy_in[f] != NO_COPY -> drop_copy(f) }

#define PAGE_IN(p, f) :: d_step { SWAPPED(p) && use[f] == FREE -> \
    take(p, f); contents[f] = slot_contents[pmap[p] - FRAMES]; drop_slot(pmap[p] - FRAMES); pmap[p] = f; \
    resident[VM(p)]++; swapped[VM(p)]-- }

#define MOVE_DOWN(p, f) :: d_step { \
    f < LOW && use[f] == FREE && PRIVATE_PAGE(p) && pmap[p] >= LOW -> copy_to(p, f) }

#define NOT_FREE_LOW(f)  (f >= LOW || use[f] != FREE)
#define NOT_IN_LOW(p, q) (pmap[q] >= LOW)
#define MOVE_UP(p, f) :: d_step { \
    f >= LOW && use[f] == FREE && PRIVATE_PAGE(p) && pmap[p] < LOW && FRAMES_ARE(NOT_FREE_LOW) \
    && SOME_PAGE(NOT_IN_LOW, p) -> copy_to(p, f) }

#define WITHOUT_CHOICE(p) WRITE(p, 0) WRITE(p, 1) MARK(p) BALLOON(p) INFLATE_UNTOUCHED(p) INFLATE_SWAPPED(p) DEFLATE(p)
#define BY_HINTS(p)   LEAVE_HINT(p) REMOVE_STALE_HINT(p)
#define WITH_SLOT(p)  EACH_SLOT(PAGE_OUT_OWN, p) EACH_SLOT(PAGE_OUT_SHARED, p) EACH_SLOT(PAGE_OUT_TO_COPY, p)
#define WITH_FRAME(p) EACH_FRAME(TOUCH, p) EACH_FRAME(SHARE, p) EACH_FRAME(BREAK, p) EACH_FRAME(PAGE_IN, p)
#define BY_MOVING(p)  EACH_FRAME(MOVE_DOWN, p) EACH_FRAME(MOVE_UP, p)

/* What always holds. */

#define COUNTED(f)      (count[f] == USERS(f))
#define USE_FITS(f)     ((count[f] == 0) == (use[f] == FREE) && (use[f] != PRIVATE || count[f] == 1))
#define LISTED(f)       (use[f] != SHARED || listed[contents[f]] == f)
#define EXACT_COPY(f)   (copy_in[f] == NO_COPY || (use[f] == SHARED && slot_contents[copy_in[f]] == contents[f]))
#define NO_LEAK(f)      (use[f] != SHARED || tag[f] == COMMON)
#define FRAME_IS_RIGHT(f) (COUNTED(f) && USE_FITS(f) && LISTED(f) && EXACT_COPY(f) && NO_LEAK(f))
#define SLOT_IS_RIGHT(s)  (slot_count[s] == USERS(SLOT(s)) + COPIES(s))
#define SEES_FOREIGN_DATA(n, p) (PRIVATE_PAGE(p) && tag[pmap[p]] != DATA_OF(VM(p)))
#define ALL_IS_RIGHT (FRAMES_ARE(FRAME_IS_RIGHT) && SLOTS_ARE(SLOT_IS_RIGHT) && !SOME_PAGE(SEES_FOREIGN_DATA, 0))

active proctype server() {
    do
    :: !ALL_IS_RIGHT -> assert(false)
    EACH_PAGE(WITHOUT_CHOICE)
#if HINTS
    EACH_PAGE(BY_HINTS)
#endif
    EACH_PAGE(WITH_SLOT)
    EACH_PAGE(WITH_FRAME)
    EACH_FRAME(FORGET_COPY, 0)
#if ZONES
    EACH_PAGE(BY_MOVING)
#endif
    od
}
