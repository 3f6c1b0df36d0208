/* SPDX-License-Identifier: MIT */
/*
 * The worst arguments of every call. A thread of the highest priority sleeps for a short time again
 * and again, on the core on which the test makes its calls. How late it wakes is how long the
 * kernel keeps a core without a look at priorities, signals and kills. The clock counts
 * instructions. Each line is the worst lateness of one call; none may exceed LIMIT.
 */
#include "user.h"

#define LIMIT  60000u
#define PERIOD 5003u /* ns of sleep; shorter than a batch */
#define PAGE   TWZ_PAGE_SIZE
#define RW     (TWZ_READ | TWZ_WRITE)
#define DENSE  2048u  /* pages of a dense object */
#define SPARSE 200u   /* pages of a sparse object, each in a node of its own */
#define SLOTS  10000u /* slots that map one object */
#define TIED   2000u  /* objects tied to one, or each to the one before */
#define DEEP   256u   /* the same, volatile ones */
#define MANY   16384u /* the first of these slots */

enum { READY, STOP, WORST, NOTHING, DONE }; /* SHARED->word */

static void sleep_and_measure(uint64_t arg)
{
    (void)arg;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 31);
    __atomic_store_n(&SHARED->word[READY], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&SHARED->word[STOP], __ATOMIC_ACQUIRE) == 0) {
        uint64_t at = user_now() + PERIOD, late;

        user_wait(&SHARED->word[NOTHING], 0, at);
        late = user_now() - at;
        if (late > SHARED->word[WORST])
            SHARED->word[WORST] = late;
    }
}

/* Checks and logs the worst lateness since the last call of this. */
static void report(const char *what)
{
    uint64_t late = __atomic_exchange_n(&SHARED->word[WORST], 0, __ATOMIC_ACQ_REL);

    user_log_count(what, late);
    CHECK(late <= LIMIT);
}

#define WORST_OF(what, call, wanted) \
    do {                             \
        CHECK_IS(call, wanted);      \
        report(what);                \
    } while (0)

static objid_t object(uint32_t flags)
{
    return user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
}

static void drop(objid_t id)
{
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

/* Writes pages of an object: `count` from page 1 on, `stride` apart. */
static void write_pages(objid_t id, uint32_t count, uint32_t stride)
{
    uint32_t i;

    user_map(SLOT_TEST, id, RW);
    for (i = 0; i < count; i++)
        *user_page(SLOT_TEST, 1 + (uint64_t)i * stride) = i + 1;
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

static objid_t dense(uint32_t flags)
{
    objid_t id = object(flags);

    write_pages(id, DENSE, 1);
    return id;
}

static objid_t sparse(uint32_t flags)
{
    objid_t id = object(flags);

    write_pages(id, SPARSE, 512);
    return id;
}

/* --- ranges ----------------------------------------------------------------------------------- */

static void worst_ranges(const char *kind, uint32_t flags)
{
    objid_t a = object(flags), b = dense(flags), c = sparse(flags);
    struct twz_stat stat;

    user_log(kind);
    report("faults that add pages");
    WORST_OF("obj_range POPULATE", user_range(a, TWZ_RANGE_POPULATE, 1, DENSE), 0);
    WORST_OF("obj_range POPULATE again", user_range(a, TWZ_RANGE_POPULATE, 1, DENSE), 0);
    WORST_OF("obj_range PERSIST", user_range(b, TWZ_RANGE_PERSIST, 1, TWZ_PAGE_META), 0);
    WORST_OF("obj_range PERSIST, sparse", user_range(c, TWZ_RANGE_PERSIST, 1, TWZ_PAGE_META), 0);
    WORST_OF("obj_range PROTECT", user_range(b, TWZ_RANGE_PROTECT, 1, DENSE), 0);
    WORST_OF("obj_range DISCARD", user_range(a, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), 0);
    WORST_OF("obj_range DISCARD, sparse", user_range(c, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), 0);
    WORST_OF("obj_range HOLE", user_range(b, TWZ_RANGE_HOLE, 1, 2 * DENSE), 0);
    WORST_OF("obj_stat", CALL(obj_stat, IDARG(b), SIZED(&stat)), 0);
    drop(a);
    drop(b);
    drop(c);
    report("obj_delete, three objects");
}

/* --- copies ----------------------------------------------------------------------------------- */

static long copy(objid_t dst, objid_t src, uint64_t pages)
{
    struct twz_copy c = {
        .src = src, .dst = dst, .src_off = PAGE, .dst_off = PAGE, .len = pages * PAGE
    };

    return CALL(obj_copy, SIZED(&c), 1);
}

static void worst_copies(const char *kinds, uint32_t from, uint32_t to)
{
    objid_t a = dense(from), b = object(to), c = sparse(from), d = object(to), made;
    struct twz_copy source = { .src = a, .src_off = PAGE, .dst_off = PAGE, .len = DENSE * PAGE };
    struct twz_create spec = { .flags = to, .perms = TWZ_PERMS, .source_size = sizeof(source) };

    user_log(kinds);
    WORST_OF("obj_copy", copy(b, a, DENSE), 0);
    write_pages(a, DENSE, 1);
    write_pages(b, DENSE, 1);
    report("faults that break copy-on-write");
    WORST_OF("obj_copy over pages", copy(b, a, DENSE), 0);
    WORST_OF("obj_copy, sparse", copy(d, c, TWZ_PAGE_META), 0);
    spec.sources = (uint64_t)(uintptr_t)&source;
    spec.nsources = 1;
    WORST_OF("obj_create with a source", user_create(&spec, &made), 0);
    drop(a);
    drop(b);
    drop(c);
    drop(d);
    drop(made);
    report("obj_delete, five objects");
}

/* --- migration -------------------------------------------------------------------------------- */

static void worst_migration(void)
{
    objid_t a = dense(0), b = sparse(0);

    WORST_OF("obj_ctl PERSIST 1", CALL(obj_ctl, IDARG(a), TWZ_CTL_PERSIST, 1), 0);
    WORST_OF("obj_ctl PERSIST 1, sparse", CALL(obj_ctl, IDARG(b), TWZ_CTL_PERSIST, 1), 0);
    write_pages(a, DENSE, 1);
    WORST_OF("obj_ctl PERSIST 0", CALL(obj_ctl, IDARG(a), TWZ_CTL_PERSIST, 0), 0);
    WORST_OF("obj_ctl PERSIST 0, sparse", CALL(obj_ctl, IDARG(b), TWZ_CTL_PERSIST, 0), 0);
    drop(a);
    drop(b);
}

/* --- mappings --------------------------------------------------------------------------------- */

static void map_many(objid_t id, uint64_t rights)
{
    uint32_t i;

    for (i = 0; i < SLOTS; i++) {
        user_map(MANY + i, id, rights);
        (void)*(volatile uint64_t *)(TWZ_SLOT_ADDR(MANY + i) + TWZ_OBJ_BASE);
    }
}

static void unmap_many(void)
{
    volatile struct twz_view_entry *entry =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE);
    uint32_t i;

    for (i = 0; i < SLOTS; i++)
        entry[MANY + i].flags = 0;
}

static void worst_mappings(void)
{
    objid_t a = object(0), b = object(TWZ_OBJ_PERSIST);

    map_many(b, TWZ_READ | TWZ_EXEC);
    user_map(SLOT_TEST, b, RW);
    CHECK_IS(user_store_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST)), 1);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_WX);
    report("fault that asks for W beside many X");
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    unmap_many();
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), MANY, SLOTS), 0);
    report("kso_invalidate");
    map_many(a, RW);
    report("faults that map an object");
    WORST_OF("obj_range PROTECT, many mappings", user_range(a, TWZ_RANGE_PROTECT, 1, 64), 0);
    WORST_OF("obj_ctl PERMS, many mappings",
             CALL(obj_ctl, IDARG(a), TWZ_CTL_PERMS, TWZ_PERMS & ~TWZ_WRITE), 0);
    unmap_many();
    WORST_OF("kso_invalidate, no mapping", CALL(kso_invalidate, IDARG(user_view()), 16384, 100000),
             0);
    map_many(b, TWZ_READ);
    unmap_many();
    WORST_OF("kso_invalidate, many mappings",
             CALL(kso_invalidate, IDARG(user_view()), 16384, 100000), 0);
    map_many(b, TWZ_READ);
    WORST_OF("obj_delete NOW, many mappings", CALL(obj_delete, IDARG(b), TWZ_DELETE_NOW), 0);
    unmap_many();
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), 16384, 100000), 0);
    drop(a);
}

/* --- ties ------------------------------------------------------------------------------------- */

/* `count` objects tied to `parent`, or each to the one before. Returns the last one. */
static objid_t tie_many(uint32_t flags, objid_t parent, uint32_t count, int chain)
{
    struct twz_create spec = { .flags = flags, .perms = TWZ_PERMS };
    objid_t id = parent;
    uint32_t i;

    for (i = 0; i < count; i++) {
        spec.tie = chain ? id : parent;
        CHECK_IS(user_create(&spec, &id), 0);
    }
    return id;
}

static void worst_ties(const char *kind, uint32_t flags)
{
    objid_t top = object(flags), last, other = object(flags);

    user_log(kind);
    tie_many(flags, top, TIED, 0);
    report("obj_create with a tie");
    WORST_OF("obj_delete, many children", CALL(obj_delete, IDARG(top), 0), 0);
    top = object(flags);
    last = tie_many(flags, top, flags != 0 ? TIED : DEEP, 1);
    WORST_OF("obj_tie below a long chain", CALL(obj_tie, IDARG(other), IDARG(last), 1), -TWZ_EFULL);
    WORST_OF("obj_delete, a long chain", CALL(obj_delete, IDARG(top), 0), 0);
    drop(other);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void child_waits(uint64_t arg)
{
    user_wait(&SHARED->word[DONE], 0, arg);
}

/* A directory that is full but for its last entry. */
static void worst_directory(void)
{
    objid_t dir = user_object(0, TWZ_PERMS, TWZ_KIND_DIR), child = object(0);
    volatile struct twz_kso_dir *d = (volatile struct twz_kso_dir *)BASE(SLOT_TEST);
    uint32_t i;

    user_map(SLOT_TEST, dir, RW);
    for (i = 0; i < TWZ_KSO_MAX_CHILDREN - 1; i++) {
        d->child[i].id.lo = i + 1;
        d->child[i].kind = TWZ_KIND_DIR;
    }
    d->count = TWZ_KSO_MAX_CHILDREN - 1;
    WORST_OF("kso_attach, 4,095 children", CALL(kso_attach, IDARG(dir), IDARG(child), ~0ull),
             TWZ_KSO_MAX_CHILDREN - 1);
    WORST_OF("kso_detach, 4,096 children", CALL(kso_detach, IDARG(dir), IDARG(child), ~0ull),
             TWZ_KSO_MAX_CHILDREN - 1);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    drop(dir);
    drop(child);
}

#define SLEEPERS 1000u
#define SLEEP_OP ((struct twz_sync *)&SHARED->word[16])

/* A thread without a stack. It sleeps on the word of the operation that it gets, then ends. */
void sleeper(void);
__asm__(".text\n"
        ".globl sleeper\n"
        "sleeper: mov $1, %esi\n"
        "mov $-1, %rdx\n"
        "mov $0x1012, %eax\n"
        "syscall\n"
        "xor %edi, %edi\n"
        "mov $0x100e, %eax\n"
        "syscall\n"
        "ud2\n");

static void worst_wake(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_THREAD };
    struct twz_spawn spawn = { .view = user_view(),
                               .entry = (uint64_t)(uintptr_t)sleeper,
                               .stack = (uint64_t)(uintptr_t)SLEEP_OP,
                               .arg = (uint64_t)(uintptr_t)SLEEP_OP };
    unsigned i;

    *SLEEP_OP = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)&SHARED->word[DONE],
                                   .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
    SHARED->word[DONE] = 0;
    for (i = 0; i < SLEEPERS; i++) {
        CHECK_IS(user_create(&spec, &spawn.thread), 0);
        CHECK_IS(CALL(thread_spawn, SIZED(&spawn)), 0);
    }
    user_wait(&SHARED->word[NOTHING], 0, user_now() + 20000000);
    report("thread_spawn, many threads");
    SHARED->word[DONE] = 1;
    WORST_OF("thread_sync, wake of many", user_wake(&SHARED->word[DONE], UINT64_MAX), SLEEPERS);
    user_wait(&SHARED->word[NOTHING], 0, user_now() + 20000000);
    report("thread_exit of many");
}

static void worst_threads(void)
{
    uint8_t bytes[256];

    user_thread(1, child_waits, TWZ_FOREVER);
    user_yield();
    report("thread_spawn");
    SHARED->word[DONE] = 1;
    WORST_OF("thread_sync, one wake", user_wake(&SHARED->word[DONE], 1), 1);
    user_join(1);
    report("thread_exit");
    WORST_OF("thread_signal", CALL(thread_signal, 0, 0, 99, 0), -TWZ_EINVAL);
    WORST_OF("thread_ctl ALIVE", CALL(thread_ctl, 0, 0, TWZ_THREAD_ALIVE, 7), 0);
    WORST_OF("random", CALL(random, bytes, sizeof(bytes)), sizeof(bytes));
    WORST_OF("null", CALL(null, 0), 0);
}

void test_main(void)
{
    user_handlers();
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 5);
    user_thread(0, sleep_and_measure, 0);
    while (__atomic_load_n(&SHARED->word[READY], __ATOMIC_ACQUIRE) == 0)
        user_yield();
    (void)__atomic_exchange_n(&SHARED->word[WORST], 0, __ATOMIC_ACQ_REL);
    worst_ranges("volatile", 0);
    worst_ranges("persistent", TWZ_OBJ_PERSIST);
    worst_copies("volatile to volatile", 0, 0);
    worst_copies("volatile to persistent", 0, TWZ_OBJ_PERSIST);
    worst_copies("persistent to volatile", TWZ_OBJ_PERSIST, 0);
    worst_copies("persistent to persistent", TWZ_OBJ_PERSIST, TWZ_OBJ_PERSIST);
    worst_migration();
    worst_mappings();
    worst_ties("volatile", 0);
    worst_ties("persistent", TWZ_OBJ_PERSIST);
    worst_directory();
    worst_threads();
    worst_wake();
    __atomic_store_n(&SHARED->word[STOP], 1, __ATOMIC_RELEASE);
    CHECK_IS(user_join(0), 0);
}
