/* SPDX-License-Identifier: MIT */
/*
 * durable ANCHOR setup|run|verify N: the ways by which the kernel makes stores durable. `run`
 * stores with plain instructions, and flushes nothing. Each step (`steps`) uses one way, then
 * prints a dot; the last way is the end of the machine. After a power failure `verify N` must find
 * all stores of the first N steps; status 1 with a message if one is missing.
 *
 * The anchor, initially zero, holds the IDs of the objects that setup made.
 */
#include "raw.h"

#define PAGES   12u
#define MANY    1100u /* more objects than the kernel caches */
#define WAIT_NS 5000000000ull
#define RW      (TWZ_READ | TWZ_WRITE)

#define SLOT_ANCHOR (RAW_SLOT_FIRST)
#define SLOT_WORK   (RAW_SLOT_FIRST + 1)
#define SLOT_CHECK  (RAW_SLOT_FIRST + 2)

struct anchor {
    objid_t object[64]; /* one or two for each step */
    objid_t many[MANY];
};
#define ANCHOR ((struct anchor *)(TWZ_SLOT_ADDR(SLOT_ANCHOR) + TWZ_OBJ_BASE))

/* The program is never relocated, so the table holds no pointers. */
enum way { PERSIST, SHARE, OWN, RELEASE, PERIODIC, EVICTED, TO_NVM, PROTECT, KERNEL_WRITE, END };

struct step {
    char name[20];
    enum way way;
    uint32_t kind;
    uint32_t mode;
    bool in_second; /* verify reads the second object */
};

static uint64_t *page_at(uint32_t slot, uint64_t page)
{
    return (uint64_t *)(TWZ_SLOT_ADDR(slot) + page * TWZ_PAGE_SIZE);
}

static uint64_t word_of(uint64_t step, uint64_t page, uint64_t i)
{
    return ((step + 1) * 0x9e3779b97f4a7c15ull ^ page * 0x100000001b3ull) + i;
}

/* Stores a word in each line of pages [1, 1 + count). */
static void fill(uint64_t step, objid_t id, uint64_t count)
{
    raw_map(SLOT_WORK, id, RW);
    for (uint64_t page = 1; page <= count; page++) {
        volatile uint64_t *at = page_at(SLOT_WORK, page);

        for (uint64_t i = 0; i < TWZ_PAGE_SIZE / 8; i += 8)
            at[i] = word_of(step, page, i);
    }
}

static void range(objid_t id, uint64_t op, uint64_t count)
{
    raw_must(raw_call(TWZ_SYS_obj_range, id.lo, id.hi, op, TWZ_PAGE_SIZE, count * TWZ_PAGE_SIZE, 0),
             "obj_range");
}

static void ctl(objid_t id, uint64_t op, uint64_t arg)
{
    while (raw_must(raw_call(TWZ_SYS_obj_ctl, id.lo, id.hi, op, arg, 0, 0), "obj_ctl") > 0)
        continue;
}

static void copy(objid_t from, objid_t to, uint64_t count)
{
    struct twz_copy c = { .src = from,
                          .dst = to,
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = count * TWZ_PAGE_SIZE };

    raw_must(raw_call(TWZ_SYS_obj_copy, (uint64_t)&c, sizeof(c), 1, 0, 0, 0), "obj_copy");
}

/* --- the steps -------------------------------------------------------------------------------- */

static void run_persist(uint64_t step, objid_t first, objid_t second)
{
    (void)second;
    fill(step, first, PAGES);
    range(first, TWZ_RANGE_PERSIST, PAGES);
}

/* Stores that are shared with a copy are durable with it. */
static void run_share(uint64_t step, objid_t first, objid_t second)
{
    fill(step, first, PAGES);
    copy(first, second, PAGES);
}

/* The page of the copy becomes one of its own. */
static void run_own(uint64_t step, objid_t first, objid_t second)
{
    fill(step + 100, first, PAGES);
    copy(first, second, PAGES);
    fill(step, second, PAGES);
    range(second, TWZ_RANGE_PERSIST, PAGES);
}

static void run_release(uint64_t step, objid_t first, objid_t second)
{
    (void)second;
    fill(step, first, PAGES);
    raw_map(SLOT_WORK, ANCHOR->object[0], TWZ_READ);
}

static uint64_t now(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)RAW_SYSTEM->clock_offset +
           (uint64_t)(((unsigned __int128)((uint64_t)hi << 32 | lo) * RAW_SYSTEM->clock_mult) >>
                      RAW_SYSTEM->clock_shift);
}

/* The clock counts instructions, and a machine that sleeps costs none. */
static void run_periodic(uint64_t step, objid_t first, objid_t second)
{
    uint64_t word = 0;
    struct twz_sync op = { .addr = (uint64_t)&word, .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };

    (void)second;
    fill(step, first, PAGES);
    raw_call(TWZ_SYS_thread_sync, (uint64_t)&op, 1, now() + WAIT_NS, 0, 0, 0);
}

/* The kernel drops the object from memory, with what it knew about dirty pages. */
static void run_evicted(uint64_t step, objid_t first, objid_t second)
{
    struct twz_stat stat;

    (void)second;
    fill(step, first, PAGES);
    raw_map(SLOT_WORK, ANCHOR->object[0], TWZ_READ);
    for (unsigned n = 0; n < MANY; n++)
        raw_call(TWZ_SYS_obj_stat, ANCHOR->many[n].lo, ANCHOR->many[n].hi, (uint64_t)&stat,
                 sizeof(stat), 0, 0);
    range(first, TWZ_RANGE_PERSIST, PAGES);
}

static void run_to_nvm(uint64_t step, objid_t first, objid_t second)
{
    (void)second;
    ctl(first, TWZ_CTL_PERSIST, 0);
    fill(step, first, PAGES);
    ctl(first, TWZ_CTL_PERSIST, 1);
}

/* The kernel itself writes the table of a directory. */
static void run_kernel_write(uint64_t step, objid_t first, objid_t second)
{
    (void)step;
    raw_must(raw_call(TWZ_SYS_kso_attach, first.lo, first.hi, second.lo, second.hi, ~0ull, 0),
             "kso_attach");
}

/* A store through a copy's leaf, then a protection of the page, which must not lose it. */
static void run_protect(uint64_t step, objid_t first, objid_t second)
{
    (void)second;
    fill(step, first, PAGES);
    range(first, TWZ_RANGE_PROTECT, PAGES);
    range(first, TWZ_RANGE_PERSIST, PAGES);
}

#define DATA     TWZ_KIND_DATA
#define EXPLICIT TWZ_PERSIST_EXPLICIT
static const struct step steps[] = {
    { "persist", PERSIST, DATA, EXPLICIT, false },
    { "share, the source", SHARE, DATA, EXPLICIT, false },
    { "share, the copy", SHARE, DATA, EXPLICIT, true },
    { "own", OWN, DATA, EXPLICIT, true },
    { "release", RELEASE, DATA, TWZ_PERSIST_RELEASE, false },
    { "periodic", PERIODIC, DATA, TWZ_PERSIST_PERIODIC, false },
    { "evicted", EVICTED, DATA, EXPLICIT, false },
    { "to NVM", TO_NVM, DATA, EXPLICIT, false },
    { "protect", PROTECT, DATA, EXPLICIT, false },
    { "kernel's write", KERNEL_WRITE, TWZ_KIND_DIR, EXPLICIT, false },
    { "end", END, DATA, EXPLICIT, false },
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void run_step(uint64_t step, objid_t first, objid_t second)
{
    switch (steps[step].way) {
    case PERSIST: run_persist(step, first, second); break;
    case SHARE: run_share(step, first, second); break;
    case OWN: run_own(step, first, second); break;
    case RELEASE: run_release(step, first, second); break;
    case PERIODIC: run_periodic(step, first, second); break;
    case EVICTED: run_evicted(step, first, second); break;
    case TO_NVM: run_to_nvm(step, first, second); break;
    case PROTECT: run_protect(step, first, second); break;
    case KERNEL_WRITE: run_kernel_write(step, first, second); break;
    case END: fill(step, first, PAGES); break;
    }
}

/* --- the commands ----------------------------------------------------------------------------- */

static objid_t create(const struct step *s)
{
    struct twz_create spec = {
        .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .kind = s->kind, .persist = s->mode
    };
    objid_t id;

    raw_must(raw_call(TWZ_SYS_obj_create, (uint64_t)&spec, sizeof(spec), (uint64_t)&id, 0, 0, 0),
             "obj_create");
    return id;
}

static int setup(void)
{
    for (unsigned n = 0; n < 2 * STEPS; n++)
        ANCHOR->object[n] = create(&steps[n / 2]);
    for (unsigned n = 0; n < MANY; n++)
        ANCHOR->many[n] = create(&steps[0]);
    raw_persist(ANCHOR, sizeof(*ANCHOR));
    return 0;
}

static int run(void)
{
    for (uint64_t n = 0; n < STEPS; n++) {
        run_step(n, ANCHOR->object[2 * n], ANCHOR->object[2 * n + 1]);
        if (steps[n].way != END)
            raw_say(".");
    }
    return 0;
}

static bool holds_child(objid_t dir, objid_t child)
{
    const struct twz_kso_dir *d;

    raw_map(SLOT_CHECK, dir, TWZ_READ);
    d = (const struct twz_kso_dir *)page_at(SLOT_CHECK, 1);
    return d->count == 1 && d->child[0].id.lo == child.lo && d->child[0].id.hi == child.hi;
}

static bool holds_words(uint64_t step, objid_t id)
{
    raw_map(SLOT_CHECK, id, TWZ_READ);
    for (uint64_t page = 1; page <= PAGES; page++) {
        for (uint64_t i = 0; i < TWZ_PAGE_SIZE / 8; i += 8) {
            if (page_at(SLOT_CHECK, page)[i] != word_of(step, page, i))
                return false;
        }
    }
    return true;
}

static int verify(uint64_t count)
{
    int status = 0;

    for (uint64_t n = 0; n < count && n < STEPS; n++) {
        objid_t first = ANCHOR->object[2 * n], second = ANCHOR->object[2 * n + 1];
        bool good = steps[n].kind == TWZ_KIND_DIR
                        ? holds_child(first, second)
                        : holds_words(n, steps[n].in_second ? second : first);

        if (good)
            continue;
        raw_say(steps[n].name);
        raw_say(": stores are missing\n");
        status = 1;
    }
    return status;
}

int raw_main(struct raw *raw)
{
    raw_map(SLOT_ANCHOR, raw_id(raw_arg(raw, 1)), RW);
    switch (raw_arg(raw, 2)[0]) {
    case 's': return setup();
    case 'r': return run();
    case 'v': return verify(raw_number(raw_arg(raw, 3)));
    default: return 2;
    }
}
