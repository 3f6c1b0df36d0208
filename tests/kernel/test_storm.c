/* SPDX-License-Identifier: MIT */
/*
 * A storm: workers on all cores mix the calls at random, on objects of their own, whose contents
 * they know, and on objects that they share, where any call may lose a race. Each worker also has
 * children, which race with it until they end or are killed in the midst of a call.
 *
 * storm.py gives the seed, the operations of each worker in a round, and the number of rounds or
 * the seconds that they last. In every fourth round the pool is almost full, so calls fail in all
 * their steps. A round ends with the deletion of all that it made. Then the kernel's counters must
 * be where they were before it, exactly:
 *
 *   objects, threads    in-core objects, threads
 *   kernel_used         the kernel's small allocations
 *   memory_free + kernel_memory
 *                       all other frames of DRAM: pages of objects, page tables, thread records.
 *                       Slabs move frames between the two, so only the sum is constant
 *   pool_free           frames of the pool
 *
 * kernel_memory alone may rise by one slab of free items in each size class (kernel/mm/kmem.c).
 * Tables that only grow (rows and index of the store, the page tables of this view) reach their
 * size before the first round: grow_tables uses more of them than a round does.
 *
 * Work that ended threads owe, and that idle cores do, may still be in progress when the last
 * thread is joined. The counters are read again, between naps that leave the cores idle, until they
 * are equal; only a leak exhausts the naps.
 */
#include "storm.h"

#define NAPS   5000u
#define STEADY 20u          /* equal readings, a nap apart */
#define SLABS  (68u * 1024) /* one of each size class */
#define LEAN   48u          /* frames that a lean round begins with */
#define ROWS   512u         /* persistent objects, more than live at any time of a round */

/* --- common objects --------------------------------------------------------------------------- */

/* Flat objects, and provisional ones whose witness may go at any time. */
static void vary(struct twz_create *spec, uint64_t n)
{
    if ((n & 3) == 0 && spec->flags == 0 && spec->kind == TWZ_KIND_DATA)
        spec->flags = TWZ_OBJ_FLAT;
    if ((n & 3) == 1 && spec->flags == TWZ_OBJ_PERSIST) {
        spec->flags |= TWZ_OBJ_PROVISIONAL;
        spec->witness = common_id(n >> 8);
        spec->witness_off = TWZ_OBJ_BASE;
        spec->witness_value = n;
    }
}

static objid_t make_common(struct worker *w)
{
    static const uint8_t kinds[] = { TWZ_KIND_DATA, TWZ_KIND_DATA,   TWZ_KIND_DATA, TWZ_KIND_DATA,
                                     TWZ_KIND_VIEW, TWZ_KIND_THREAD, TWZ_KIND_DIR,  TWZ_KIND_SCTX };
    uint64_t n = next(w);
    struct twz_copy pages = { .src = common_id(n >> 40),
                              .src_off = TWZ_PAGE_SIZE,
                              .dst_off = TWZ_PAGE_SIZE,
                              .len = 40 * TWZ_PAGE_SIZE };
    struct twz_create spec = { .flags = n & 1 ? TWZ_OBJ_PERSIST : 0,
                               .perms = TWZ_PERMS,
                               .kind = kinds[n >> 8 & 7],
                               .persist = (uint32_t)(n >> 16) % 3,
                               .source_size = sizeof(pages),
                               .sources = (uint64_t)(uintptr_t)&pages };
    objid_t id = TWZ_OBJID_NONE;

    if ((n >> 4 & 3) == 0)
        spec.tie = common_id(n >> 32);
    if ((n >> 6 & 3) == 0)
        spec.nsources = 1;
    vary(&spec, next(w));
    if (user_create(&spec, &id) == 0)
        return id;
    spec.tie = TWZ_OBJID_NONE;
    spec.nsources = 0;
    spec.flags &= STORM->lean == 0 ? TWZ_OBJ_PERSIST : 0;
    CHECK_IS(user_create(&spec, &id), 0);
    return id;
}

/* The one that takes the old ID out puts the new one in, and deletes the old object, unless that
 * was tied to one that was deleted. */
static void replace_common(struct worker *w)
{
    uint64_t n = next(w);
    objid_t *at = &STORM->common[n % COMMON], old, id = make_common(w);

    old.lo = __atomic_exchange_n(&at->lo, 0, __ATOMIC_ACQ_REL);
    if (old.lo == 0) {
        CALL(obj_delete, IDARG(id), n >> 16 & 1);
        return;
    }
    old.hi = at->hi;
    at->hi = id.hi;
    __atomic_store_n(&at->lo, id.lo, __ATOMIC_RELEASE);
    CALL(obj_delete, IDARG(old), n >> 16 & 1);
}

void storm_copy_common(objid_t a, objid_t b, uint64_t n)
{
    uint64_t page = 1 + (n >> 8 & 15);
    struct twz_copy c[2] = { { .src = a,
                               .dst = b,
                               .src_off = TWZ_PAGE_SIZE,
                               .dst_off = TWZ_PAGE_SIZE * page,
                               .len = TWZ_PAGE_SIZE * (n >> 16 & 63) },
                             { .src = b,
                               .dst = a,
                               .src_off = TWZ_PAGE_SIZE * page,
                               .dst_off = TWZ_PAGE_SIZE * 500,
                               .len = TWZ_PAGE_SIZE * 24 } };

    user_call(TWZ_SYS_obj_copy, (long)(uintptr_t)c, sizeof(c[0]), 1 + (n >> 24 & 1), 0, 0, 0);
}

/* Sleeps and wakes on words of a common object, of which some are gone meanwhile. */
static void sync_common(struct worker *w, uint64_t at, uint64_t n)
{
    struct twz_sync ops[3] = { { .addr = at, .value = n & 1, .op = TWZ_SYNC_SLEEP },
                               { .addr = at + 8, .value = 9, .op = TWZ_SYNC_WAKE },
                               { .addr = at + 64, .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 } };

    switch (n >> 8 & 3) {
    case 0: CALL(thread_sync, ops, 3, soon(w)); break;
    case 1: CALL(thread_wait, at, n & 1, soon(w), 0); break;
    case 2: CALL(thread_wake_wait, at, at + 8, 0, soon(w), 0); break;
    default: CALL(thread_wake, at, n >> 16 & 7); break;
    }
}

/* Starts a thread that needs no stack, on an object that anybody may delete, signal or kill. */
static void spawn_common(objid_t thread, uint64_t n)
{
    extern char storm_stackless[];
    struct twz_spawn spawn = { .thread = thread,
                               .view = user_view(),
                               .entry = (uint64_t)(uintptr_t)storm_stackless,
                               .arg = n & 0xfff };

    CALL(thread_spawn, SIZED(&spawn));
}

__asm__(".text\n"
        ".globl storm_stackless\n"
        "storm_stackless: pause\n"
        "sub $1, %rdi\n"
        "jns storm_stackless\n"
        "mov $0x100e, %eax\n"
        "syscall\n"
        "ud2\n");

/* Signals a child of any worker, or changes its priority or cores. */
static void disturb_child(uint64_t n)
{
    volatile objid_t *at = &STORM->child[n % WORKERS][n / WORKERS % CHILDREN];
    objid_t id = { at->lo, at->hi };

    if ((n >> 16 & 3) != 0)
        CALL(thread_signal, IDARG(id), 10 + (n >> 24 & 15), n);
    else
        CALL(thread_ctl, IDARG(id), n >> 18 & 1, 1 + (n >> 24 & 7), 0);
}

void storm_use_common(struct worker *w)
{
    uint64_t n = next(w), page = n >> 8 & 15;
    objid_t a = common_id(n), b = common_id(n >> 32);
    uint64_t at = (uint64_t)(uintptr_t)user_page(SLOT_COMMON(w->number), 1 + page);

    switch (n >> 16 & 31) {
    case 0:
    case 1:
    case 2: user_map(SLOT_COMMON(w->number), a, RW); break;
    case 3: user_map(SLOT_COMMON(w->number), a, TWZ_READ | TWZ_EXEC); break;
    case 4:
    case 5:
    case 6: user_store_faults(at); break;
    case 7:
    case 8: user_load_faults(at); break;
    case 9:
    case 10: storm_copy_common(a, b, next(w)); break;
    case 11:
    case 12: CALL(obj_ctl, IDARG(a), TWZ_CTL_PERSIST, n >> 40 & 1); break;
    case 13: CALL(obj_ctl, IDARG(a), n >> 42 & 2, (n >> 40) % 3); break; /* PERMANENT or MODE */
    case 14: CALL(obj_ctl, IDARG(a), TWZ_CTL_PERMS, TWZ_PERMS & ~(n >> 40 & TWZ_WRITE)); break;
    case 15:
    case 16: CALL(obj_tie, IDARG(a), IDARG(b), n >> 40 & 1); break;
    case 17:
    case 18: user_range(a, n >> 40 & 3, 1 + page, 4 + (n >> 42 & 63)); break;
    case 19: user_range(a, TWZ_RANGE_PERSIST, 1, 600); break;
    case 20: CALL(kso_invalidate, IDARG(a), 0, 1000); break;
    case 21: CALL(kso_attach, IDARG(a), IDARG(b), ~0ull); break;
    case 22: CALL(kso_detach, IDARG(a), IDARG(b), ~0ull); break;
    case 23: CALL(obj_pin, IDARG(a), n >> 40 & 1); break;
    case 24: sync_common(w, at, next(w)); break;
    case 25: spawn_common(a, next(w)); break;
    case 26: CALL(thread_signal, IDARG(a), n >> 40 & 1 ? TWZ_SIGNAL_KILL : 1, n); break;
    case 27: CALL(thread_ctl, IDARG(a), n >> 40 & 1, 1 + (n >> 48 & 7), 0); break;
    case 28: disturb_child(next(w)); break;
    case 29: CALL(kso_invalidate, IDARG(user_view()), SLOT_TEST, WORKERS * WORKER_SLOTS); break;
    default:
        if (!w->is_child)
            replace_common(w);
        break;
    }
}

/* --- a round ---------------------------------------------------------------------------------- */

static void do_operation(struct worker *w)
{
    uint64_t n = next(w);
    unsigned o = (unsigned)(n >> 8) % OWN;

    switch (n & 31) {
    case 0:
        storm_drop_own(w, o);
        storm_make_own(w, o, (unsigned)(n >> 16) % OWN);
        break;
    case 1: storm_use_threads(w); break;
    case 2:
    case 3: storm_check_own(w, o); break;
    default: n >> 24 & 1 ? storm_use_common(w) : storm_change_own(w, o); break;
    }
}

static void worker_main(uint64_t number)
{
    struct worker w = { .random = (STORM->seed * WORKERS + number + 1) * 0x9e3779b97f4a7c15ull,
                        .number = (unsigned)number };
    uint64_t i;
    unsigned o;

    for (o = 0; o < OWN; o++)
        storm_make_own(&w, o, o);
    for (i = 0; i < STORM->ops; i++)
        do_operation(&w);
    for (o = 0; o < OWN; o++) {
        storm_check_own(&w, o);
        storm_drop_own(&w, o);
    }
    user_map(SLOT_COMMON(w.number), TWZ_OBJID_NONE, 0);
    __atomic_fetch_add(&STORM->done, i, __ATOMIC_RELAXED);
}

/* Fills the pool but for LEAN frames. */
static objid_t fill_pool(void)
{
    objid_t hog = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t page = 1, step;

    for (step = 512; step > 0; step /= 8)
        while (user_range(hog, TWZ_RANGE_POPULATE, page, step) == 0)
            page += step;
    CHECK_IS(user_range(hog, TWZ_RANGE_DISCARD, page - LEAN, LEAN), 0);
    return hog;
}

static void storm(void)
{
    objid_t hog = TWZ_OBJID_NONE;
    unsigned n;

    if (STORM->lean != 0)
        hog = fill_pool();
    for (n = 0; n < COMMON; n++)
        STORM->common[n] = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    for (n = 0; n < WORKERS; n++)
        user_thread(n, worker_main, n);
    for (n = 0; n < WORKERS; n++) {
        CHECK_IS(user_join(n), 0);
        storm_delete_thread(n, 0);
    }
    for (n = 0; n < COMMON; n++)
        CALL(obj_delete, IDARG(common_id(n)), TWZ_DELETE_NOW);
    if (STORM->lean != 0)
        CHECK_IS(CALL(obj_delete, IDARG(hog), 0), 0);
}

/* --- counters --------------------------------------------------------------------------------- */

struct counters {
    uint64_t objects;
    uint64_t threads;
    uint64_t used;   /* bytes of the kernel's allocations */
    uint64_t kernel; /* bytes of their slabs */
    uint64_t frames; /* bytes of DRAM that are free or in slabs */
    uint64_t pool;   /* free bytes */
};

static struct counters read_counters(void)
{
    const volatile struct twz_system *s = user_system();
    uint64_t memory = user_memory_free();

    return (struct counters){ .objects = s->objects,
                              .threads = s->threads,
                              .used = s->kernel_used,
                              .kernel = s->kernel_memory,
                              .frames = memory + s->kernel_memory,
                              .pool = s->pool_free };
}

static bool are_equal(const struct counters *a, const struct counters *b)
{
    return a->objects == b->objects && a->threads == b->threads && a->used == b->used &&
           a->frames == b->frames && a->pool == b->pool && a->kernel <= b->kernel + SLABS;
}

/* The counters, once no thread but this one is left, and no work. */
static struct counters settle(const struct counters *wanted)
{
    struct counters now = read_counters();
    unsigned nap;

    for (nap = 0; nap < NAPS && !are_equal(&now, wanted); nap++) {
        CHECK_IS(user_wait(&SHARED->word[2], 0, user_now() + MS), (uint64_t)-TWZ_ETIMEDOUT);
        now = read_counters();
    }
    return now;
}

/* The counters before the first round: those that stay for a while, because idle cores may still
 * work for grow_tables, and hold a frame meanwhile. */
static struct counters steady(void)
{
    struct counters before = read_counters(), now;
    unsigned nap, same = 0;

    for (nap = 0; nap < NAPS && same < STEADY; nap++) {
        CHECK_IS(user_wait(&SHARED->word[2], 0, user_now() + MS), (uint64_t)-TWZ_ETIMEDOUT);
        now = read_counters();
        same = are_equal(&now, &before) ? same + 1 : 0;
        before = now;
    }
    CHECK_IS(same, STEADY);
    return before;
}

static void print_counters(const struct counters *c)
{
    user_log_count("objects", c->objects);
    user_log_count("threads", c->threads);
    user_log_count("kernel memory in use", c->used);
    user_log_count("kernel memory", c->kernel);
    user_log_count("frames of DRAM, free or kernel memory", c->frames / TWZ_PAGE_SIZE);
    user_log_count("frames of the pool, free", c->pool / TWZ_PAGE_SIZE);
}

/* --- the test --------------------------------------------------------------------------------- */

/* The tables that never shrink reach a size that a round does not exceed. */
static void grow_tables(void)
{
    volatile objid_t *id = (volatile objid_t *)BASE(SLOT_TEST);
    objid_t list = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    volatile uint8_t deep[16 * TWZ_PAGE_SIZE];
    uint32_t slot;
    unsigned i;

    for (i = 0; i < sizeof(deep); i += TWZ_PAGE_SIZE)
        deep[i] = 1; /* the stack of this thread */
    for (slot = SLOT_TEST; slot < SLOT_STACK + THREADS; slot++) {
        user_map(slot, list, RW);
        *BASE(slot) = 0;
        user_map(slot, TWZ_OBJID_NONE, 0);
    }
    user_map(SLOT_TEST, list, RW);
    for (i = 0; i < ROWS; i++) {
        objid_t new = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);

        id[i].lo = new.lo;
        id[i].hi = new.hi;
    }
    for (i = 0; i < ROWS; i++)
        CHECK_IS(CALL(obj_delete, id[i].lo, id[i].hi, 0), 0);
    storm_delete_slot(SLOT_TEST, 0);
}

/* The parameters are in the root of the namespace, which is an empty object otherwise. */
static void read_parameters(uint64_t *rounds, uint64_t *end)
{
    user_map(SLOT_TEST, user_system()->names_root, TWZ_READ);
    STORM->seed = BASE(SLOT_TEST)[0];
    STORM->ops = BASE(SLOT_TEST)[1];
    *rounds = BASE(SLOT_TEST)[2];
    *end = user_now() + BASE(SLOT_TEST)[3] * 1000 * MS;
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK(STORM->ops != 0 && *rounds != 0);
}

void test_main(void)
{
    uint64_t rounds, end, i;
    struct counters before, after;
    objid_t view = user_view();

    user_handlers();
    SHARED->word[0] = view.lo;
    SHARED->word[1] = view.hi;
    read_parameters(&rounds, &end);
    grow_tables();
    before = steady();
    after = before;
    for (i = 0; are_equal(&after, &before) && (i < rounds || user_now() < end); i++) {
        STORM->lean = i % 4 == 3;
        storm();
        after = settle(&before);
        STORM->seed += 1000;
    }
    user_log_count("rounds", i);
    user_log_count("operations", STORM->done);
    user_log("before:");
    print_counters(&before);
    user_log("after:");
    print_counters(&after);
    CHECK(are_equal(&after, &before));
    CHECK_IS(STORM->broken, 0);
}
