/* A small memory manager, complete in one file, that speaks the protocol of `pagelaw conform`.
 *
 *     cc -O1 -o manager manager.c
 *     pagelaw smoke -- ./manager
 *     pagelaw conform -- ./manager
 *
 * It is an example to copy: a pmap, frames with a count of users, content-based sharing with hints and copy-on-write,
 * a swap area, a balloon, devices, admission. It has no overhead memory, low memory or sharing domains: a `reset` to a
 * machine that has is answered with "unsupported". Which processor does something makes no difference. Every operation
 * first asks whether it must be refused, and only then does anything: what is refused has changed nothing.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VMS = 8, PAGES = 64, FRAMES = 256, SLOTS = 512, WORDS = 8, TRANSFERS = 64, NAME = 32 };
enum backing { UNTOUCHED, IN_FRAME, IN_SLOT, BALLOONED };

struct page {
    enum backing backing;
    int at;        /* the frame or the slot */
    bool hinted;   /* it left a hint under this hash */
    uint64_t hint;
    int transfers; /* how many are under way for it, in whatever frame it had when they began */
};
struct vm {
    char name[NAME];
    int pages, minimum;
    bool runs, driver_ready;
    struct page page[PAGES];
};
struct frame {
    int users;     /* pages and transfers; 0: free */
    int pins;      /* the transfers */
    bool shared;
    uint64_t word[WORDS];
};
struct slot {
    bool used;
    uint64_t word[WORDS];
};

struct transfer {
    char name[NAME];
    bool used, writes;
    struct page *page;
    int at;        /* its frame */
};

static struct vm vm[VMS];
static struct frame frame[FRAMES];
static struct slot slot[SLOTS];
static struct transfer transfer[TRANSFERS];
static int vms, frames, slots, words;

/* JSON, as much as is needed: the value of a member of an object, the n-th element of a list. */

static const char *skip_space(const char *p) {
    while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n' || *p == ',' || *p == ':') p++;
    return p;
}

static const char *skip_string(const char *p) {
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1]) p++;
    return *p ? p + 1 : p;
}

static const char *skip_value(const char *p) {
    p = skip_space(p);
    if (*p == '"') return skip_string(p);
    if (*p == '{' || *p == '[') {
        char end = *p == '{' ? '}' : ']';
        for (p = skip_space(p + 1); *p && *p != end; p = skip_space(p)) p = skip_value(p);
        return *p ? p + 1 : p;
    }
    while (*p && !strchr(",]} \t\r\n", *p)) p++;
    return p;
}

static const char *member(const char *object, const char *name) {
    const char *p = skip_space(object + 1);
    while (*p == '"') {
        const char *key = p + 1;
        p = skip_space(skip_string(p));
        if (!strncmp(key, name, strlen(name)) && key[strlen(name)] == '"') return p;
        p = skip_space(skip_value(p));
    }
    return NULL;
}

static const char *element(const char *list, int n) {
    const char *p = skip_space(list + 1);
    for (; *p && *p != ']'; p = skip_space(skip_value(p)))
        if (n-- == 0) return p;
    return NULL;
}

static uint64_t number(const char *object, const char *name, uint64_t otherwise) {
    const char *p = member(object, name);
    return p ? strtoull(p, NULL, 10) : otherwise;
}

static bool is(const char *value, const char *text) {
    size_t length = strlen(text);
    return value && *value == '"' && !strncmp(value + 1, text, length) && value[1 + length] == '"';
}

static void die(const char *why) {
    fprintf(stderr, "manager: %s\n", why);
    exit(1);
}

/* The machine. */

/* A new machine; false if it cannot be that one. */
static bool reset(const char *machine) {
    memset(vm, 0, sizeof vm);
    memset(frame, 0, sizeof frame);
    memset(slot, 0, sizeof slot);
    memset(transfer, 0, sizeof transfer);
    const char *list = member(machine, "vms"), *one;
    if (member(machine, "low")) return false;
    for (vms = 0; list && (one = element(list, vms)); vms++) {
        const char *name = member(one, "name");
        if (vms == VMS || number(one, "overhead", 0) || number(one, "domain", 0)) return false;
        if (!name || *name != '"' || skip_string(name) - name > NAME) die("a VM without a name, or with a long one");
        memcpy(vm[vms].name, name + 1, skip_string(name) - name - 2);
        vm[vms].pages = number(one, "pages", 0);
        vm[vms].minimum = number(one, "minimum", 0);
        if (vm[vms].pages > PAGES) return false;
    }
    frames = number(machine, "frames", 0);
    slots = number(machine, "slots", 0);
    words = number(machine, "words", 1);
    return frames <= FRAMES && slots <= SLOTS && words <= WORDS && number(machine, "transfers", 8) <= TRANSFERS;
}

static int free_frames(void) {
    int found = 0;
    for (int f = 0; f < frames; f++) found += frame[f].users == 0;
    return found;
}

static int take_frame(void) {
    for (int f = 0; f < frames; f++)
        if (frame[f].users == 0) {
            frame[f] = (struct frame){.users = 1};
            return f;
        }
    die("no frame is free, and nobody asked");
    return -1;
}

static int free_slot(void) {
    for (int k = 0; k < slots; k++)
        if (!slot[k].used) return k;
    return -1;
}

static int resident(const struct vm *v) {
    int found = 0;
    for (int p = 0; p < v->pages; p++) found += v->page[p].backing == IN_FRAME;
    return found;
}

static void drop_user(struct frame *f) {
    if (--f->users == 0) f->shared = false;
}

static void leave_frame(struct page *page) {
    drop_user(&frame[page->at]);
    page->hinted = false;
}

static void end(struct transfer *t) {
    frame[t->at].pins--;
    drop_user(&frame[t->at]);
    t->page->transfers--;
    t->used = false;
}

static bool is_private(const struct page *page) {
    return page->backing == IN_FRAME && !frame[page->at].shared;
}

static uint64_t hash_of(const struct page *page) {
    uint64_t hash = 1469598103934665603u;
    for (int w = 0; w < words; w++) {
        hash = (hash ^ frame[page->at].word[w]) * 1099511628211u;
        hash ^= hash >> 32; /* else the highest bits of two words cancel out */
    }
    return hash;
}

static bool equal(int one, int other) {
    return !memcmp(frame[one].word, frame[other].word, sizeof frame[one].word);
}

/* Whether a page can be brought in: it has a frame, or one is free. */
static const char *cannot_bring_in(const struct vm *v, const struct page *page) {
    if (!v->runs) return "VM_NOT_RUNNING";
    return page->backing == IN_FRAME || free_frames() ? NULL : "NO_FREE_FRAME";
}

static void bring_in(struct vm *v, struct page *page) {
    if (page->backing == IN_FRAME) return;
    int new = take_frame();
    if (page->backing == IN_SLOT) {
        memcpy(frame[new].word, slot[page->at].word, sizeof slot[0].word);
        slot[page->at].used = false;
    }
    if (page->backing == BALLOONED) v->driver_ready = false; /* the balloon pops */
    page->backing = IN_FRAME;
    page->at = new;
}

static void copy_on_write(struct page *page) {
    int new = take_frame();
    memcpy(frame[new].word, frame[page->at].word, sizeof frame[new].word);
    leave_frame(page);
    page->at = new;
}

/* Operations: each answers why it is refused, or NULL if it was done. */

static const char *power_on(struct vm *v) {
    int memory = v->minimum, swap = v->pages - v->minimum;
    if (v->runs) return "VM_NOT_OFF";
    for (int n = 0; n < vms; n++)
        if (vm[n].runs) memory += vm[n].minimum, swap += vm[n].pages - vm[n].minimum;
    if (memory > frames) return "NO_MEMORY_TO_RESERVE";
    if (swap > slots) return "NO_SWAP_TO_RESERVE";
    v->runs = true;
    return NULL;
}

static const char *power_off(struct vm *v) {
    if (!v->runs) return "VM_NOT_RUNNING";
    for (struct transfer *t = transfer; t < transfer + TRANSFERS; t++)
        if (t->used && t->page >= v->page && t->page < v->page + v->pages) end(t);
    for (int p = 0; p < v->pages; p++) {
        struct page *page = &v->page[p];
        if (page->backing == IN_FRAME) leave_frame(page);
        if (page->backing == IN_SLOT) slot[page->at].used = false;
        *page = (struct page){0};
    }
    v->runs = v->driver_ready = false;
    return NULL;
}

static const char *read_word(struct vm *v, struct page *page, int word, uint64_t *got) {
    const char *refused = cannot_bring_in(v, page);
    if (refused) return refused;
    bring_in(v, page);
    *got = frame[page->at].word[word];
    return NULL;
}

/* Bring a page in and give it a frame of its own, if it is to be written. */
static const char *make_ready(struct vm *v, struct page *page, bool writes) {
    const char *refused = cannot_bring_in(v, page);
    if (refused) return refused;
    bring_in(v, page);
    if (writes && frame[page->at].shared) {
        if (!free_frames()) return "NO_FREE_FRAME";
        copy_on_write(page);
    }
    return NULL;
}

static const char *write_word(struct vm *v, struct page *page, int word, uint64_t value) {
    const char *refused = make_ready(v, page, true);
    if (refused) return refused;
    frame[page->at].word[word] = value;
    return NULL;
}

/* Look for a frame that holds the same: a shared one, or that of a page that left a hint. A page is not shared while a
 * device has its frame: `is_pinned` says whether one that holds the same was passed over for that. */
static bool find_match(struct page *page, bool *is_pinned) {
    *is_pinned = false;
    for (int f = 0; f < frames; f++)
        if (frame[f].users && frame[f].shared && equal(f, page->at)) {
            frame[f].users++;
            leave_frame(page);
            page->at = f;
            return true;
        }
    uint64_t hash = hash_of(page);
    for (int n = 0; n < vms; n++)
        for (int p = 0; p < vm[n].pages; p++) {
            struct page *other = &vm[n].page[p];
            if (other == page || !other->hinted || other->hint != hash) continue;
            other->hinted = other->hinted && is_private(other) && hash_of(other) == hash;
            if (!other->hinted || !equal(other->at, page->at)) continue; /* stale, or a false match */
            if ((*is_pinned = frame[other->at].pins)) continue;
            other->hinted = false;
            frame[other->at].shared = true;
            frame[other->at].users++;
            leave_frame(page);
            page->at = other->at;
            return true;
        }
    return false;
}

static const char *scan(struct vm *v, struct page *page, const char **outcome) {
    if (!v->runs || !is_private(page)) return "NOT_PRIVATE";
    bool is_pinned = frame[page->at].pins;
    if (!is_pinned && find_match(page, &is_pinned)) {
        *outcome = "shared";
    } else if (is_pinned) {
        *outcome = "not shared"; /* it leaves no hint: it is passed over */
    } else {
        page->hinted = true;
        page->hint = hash_of(page);
        *outcome = "not shared";
    }
    return NULL;
}

static const char *page_out(struct vm *v, struct page *page) {
    if (!v->runs) return "VM_NOT_RUNNING";
    if (page->backing != IN_FRAME) return "NOT_PRIVATE";
    for (int p = 0; p < v->pages && frame[page->at].shared; p++)
        if (is_private(&v->page[p])) return "NOT_PRIVATE"; /* those are paged out first */
    if (resident(v) <= v->minimum) return "NO_PAGE_TO_TAKE";
    bool is_pinned = frame[page->at].pins && !frame[page->at].shared;
    if (!frame[page->at].shared && !is_pinned && find_match(page, &is_pinned)) return NULL; /* shared instead */
    if (is_pinned || page->transfers) return "PINNED";
    int to = free_slot();
    if (to < 0) return "NO_FREE_SLOT";
    slot[to].used = true;
    memcpy(slot[to].word, frame[page->at].word, sizeof slot[to].word);
    leave_frame(page);
    page->backing = IN_SLOT;
    page->at = to;
    return NULL;
}

static const char *page_in(struct vm *v, struct page *page) {
    if (!v->runs) return "VM_NOT_RUNNING";
    if (page->backing != IN_SLOT) return "NOT_SWAPPED";
    if (!free_frames()) return "NO_FREE_FRAME";
    bring_in(v, page);
    return NULL;
}

static const char *inflate(struct vm *v, struct page *page) {
    if (!v->runs) return "VM_NOT_RUNNING";
    if (v->driver_ready && page->backing == BALLOONED) return "ALREADY_BALLOONED";
    if (page->backing == IN_FRAME && resident(v) <= v->minimum) return "AT_MINIMUM";
    if (page->backing == IN_FRAME && page->transfers) return "PINNED";
    for (int p = 0; p < v->pages && !v->driver_ready; p++) /* the driver is reset: it knows of no page */
        if (v->page[p].backing == BALLOONED) v->page[p].backing = UNTOUCHED;
    v->driver_ready = true;
    if (page->backing == IN_FRAME) leave_frame(page);
    if (page->backing == IN_SLOT) slot[page->at].used = false;
    *page = (struct page){.backing = BALLOONED};
    return NULL;
}

static const char *deflate(struct vm *v, struct page *page) {
    if (!v->runs) return "VM_NOT_RUNNING";
    if (page->backing != BALLOONED) return "NOT_BALLOONED";
    if (!v->driver_ready) return "NO_DRIVER";
    page->backing = UNTOUCHED;
    return NULL;
}

/* Devices. A transfer is one more user of its frame; the page has another one as soon as it is written. */

/* The transfer that a line names; NULL if there is none. */
static struct transfer *named(const char *line) {
    const char *name = member(line, "transfer");
    for (struct transfer *t = transfer; name && t < transfer + TRANSFERS; t++)
        if (t->used && is(name, t->name)) return t;
    return NULL;
}

static const char *start_transfer(const char *line, struct vm *v, struct page *page) {
    const char *name = member(line, "transfer"), *writes = member(line, "writes"), *refused;
    struct transfer *t = transfer;
    if (named(line)) return "TRANSFER_IN_PROGRESS";
    while (t < transfer + TRANSFERS && t->used) t++;
    if (t == transfer + TRANSFERS) die("a transfer too much");
    if (!name || *name != '"' || skip_string(name) - name > NAME) die("a transfer without a name, or with a long one");
    if ((refused = make_ready(v, page, writes && *writes == 't'))) return refused;
    *t = (struct transfer){.used = true, .writes = writes && *writes == 't', .page = page, .at = page->at};
    memcpy(t->name, name + 1, skip_string(name) - name - 2);
    frame[t->at].users++, frame[t->at].pins++, page->transfers++;
    return NULL;
}

static const char *transfer_write(struct transfer *t, int word, uint64_t value) {
    if (!t || !t->writes) return "NO_TRANSFER";
    frame[t->at].word[word] = value;
    return NULL;
}

static const char *transfer_read(struct transfer *t, int word, uint64_t *got) {
    if (!t || t->writes) return "NO_TRANSFER";
    *got = frame[t->at].word[word];
    return NULL;
}

static const char *end_transfer(struct transfer *t) {
    if (!t) return "NO_TRANSFER";
    end(t);
    return NULL;
}

/* The protocol. */

static void print_seen(const struct vm *v, const struct page *page) {
    int free_now = 0;
    for (int k = 0; k < slots; k++) free_now += !slot[k].used;
    printf(", \"saw\": [{\"free_frames\": %d, \"free_slots\": %d}", free_frames(), free_now);
    if (page) {
        printf(", {\"vm\": \"%s\", \"page\": %d, ", v->name, (int)(page - v->page));
        if (page->backing == IN_FRAME) {
            printf("\"frame\": \"f%d\", \"words\": [", page->at);
            for (int w = 0; w < words; w++) printf("%s%" PRIu64, w ? ", " : "", frame[page->at].word[w]);
            printf("]}");
        } else if (page->backing == IN_SLOT) {
            printf("\"slot\": \"s%d\"}", page->at);
        } else {
            printf("\"is\": \"absent\"}");
        }
    }
    printf("]");
}

static void do_operation(const char *line) {
    const char *name = member(line, "do"), *which = member(line, "vm"), *refused = NULL, *outcome = NULL;
    uint64_t got = 0;
    struct vm *v = vm;
    while (which && v < vm + vms && !is(which, v->name)) v++;
    if (v == vm + vms) die("there is no such VM");
    struct page *page = member(line, "page") ? &v->page[number(line, "page", 0) % PAGES] : NULL;
    int word = number(line, "word", 0);
    bool reads = is(name, "read") || is(name, "transfer_read");
    if (is(name, "transfer_write")) refused = transfer_write(named(line), word, number(line, "value", 0));
    else if (is(name, "transfer_read")) refused = transfer_read(named(line), word, &got);
    else if (is(name, "end_transfer")) refused = end_transfer(named(line));
    else if (is(name, "power_on")) refused = power_on(v);
    else if (is(name, "power_off")) refused = power_off(v);
    else if (!page) die("no page is named");
    else if (is(name, "start_transfer")) refused = start_transfer(line, v, page);
    else if (reads) refused = read_word(v, page, word, &got);
    else if (is(name, "write")) refused = write_word(v, page, word, number(line, "value", 0));
    else if (is(name, "scan")) refused = scan(v, page, &outcome);
    else if (is(name, "page_out")) refused = page_out(v, page);
    else if (is(name, "page_in")) refused = page_in(v, page);
    else if (is(name, "inflate")) refused = inflate(v, page);
    else if (is(name, "deflate")) refused = deflate(v, page);
    else {
        printf(", \"unsupported\": true");
        return;
    }
    if (refused) {
        printf(", \"refused\": \"%s\"", refused);
        return;
    }
    if (reads) printf(", \"got\": %" PRIu64, got);
    if (outcome) printf(", \"got\": \"%s\"", outcome);
    print_seen(v, page);
}

int main(void) {
    static char line[1 << 16];
    while (fgets(line, sizeof line, stdin)) {
        const char *command = member(line, "cmd");
        printf("{\"seq\": %" PRIu64, number(line, "seq", 0));
        if (is(command, "start"))
            printf(", \"pagelaw\": 1, \"system\": \"manager.c\", \"operations\": [\"power_on\", \"power_off\", \"read\", "
                   "\"write\", \"scan\", \"page_out\", \"page_in\", \"inflate\", \"deflate\", "
                   "\"start_transfer\", \"transfer_write\", \"transfer_read\", \"end_transfer\"]");
        else if (is(command, "reset")) printf("%s", reset(member(line, "machine")) ? "" : ", \"unsupported\": true");
        else if (is(command, "do")) do_operation(line);
        printf("}\n");
        fflush(stdout);
        if (is(command, "stop")) return 0;
    }
    return 0;
}
