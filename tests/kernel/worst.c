/* SPDX-License-Identifier: MIT */
/* The meter of worst.h, and the worst arguments of the calls on objects and KSOs. */
#include "worst.h"

#define LIMIT     60000u
#define PERIOD_NS 5003u /* of sleep; shorter than a batch */
#define DEEP      256u  /* the longest chain of ties of volatile objects */

static void sleep_and_measure(uint64_t arg)
{
    (void)arg;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 31);
    __atomic_store_n(&SHARED->word[READY], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&SHARED->word[STOP], __ATOMIC_ACQUIRE) == 0) {
        uint64_t at = user_now() + SHARED->word[PERIOD], late;

        user_wait(&SHARED->word[NOTHING], 0, at);
        late = user_now() - at;
        if (late > SHARED->word[WORST])
            SHARED->word[WORST] = late;
    }
}

static void begin_to_measure(void)
{
    SHARED->word[PERIOD] = PERIOD_NS;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 5);
    user_thread(0, sleep_and_measure, 0);
    while (__atomic_load_n(&SHARED->word[READY], __ATOMIC_ACQUIRE) == 0)
        user_yield();
    (void)__atomic_exchange_n(&SHARED->word[WORST], 0, __ATOMIC_ACQ_REL);
    CALL(null, 0);
}

/* The null call ends an interval of worst.py. */
void worst_report(unsigned call, const char *what)
{
    uint64_t late = __atomic_exchange_n(&SHARED->word[WORST], 0, __ATOMIC_ACQ_REL);

    SHARED->word[DRIVEN] |= 1ull << call;
    user_log_count(what, late);
    CHECK(late <= LIMIT);
    CALL(null, 0);
}

/* Every call of syscall.def has a line. */
static void check_that_all_were_driven(void)
{
#define SYSCALL(number, name, ...) \
    user_check((SHARED->word[DRIVEN] >> number & 1) != 0, "no worst case: " #name, __LINE__);
#include <twz/syscall.def>
#undef SYSCALL
}

objid_t worst_object(uint32_t flags)
{
    return user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
}

void worst_drop(objid_t id)
{
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

void worst_write(objid_t id, uint32_t count, uint32_t stride)
{
    uint32_t i;

    user_map(SLOT_TEST, id, RW);
    for (i = 0; i < count; i++)
        *user_page(SLOT_TEST, 1 + (uint64_t)i * stride) = i + 1;
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

objid_t worst_dense(uint32_t flags)
{
    objid_t id = worst_object(flags);

    worst_write(id, DENSE, 1);
    return id;
}

objid_t worst_sparse(uint32_t flags)
{
    objid_t id = worst_object(flags);

    worst_write(id, SPARSE, 512);
    return id;
}

/* --- ranges ----------------------------------------------------------------------------------- */

static void worst_ranges(const char *kind, uint32_t flags)
{
    objid_t a = worst_object(flags), b = worst_dense(flags), c = worst_sparse(flags);
    struct twz_stat stat;

    user_log(kind);
    REPORT_EVENT("faults that add pages");
    WORST_OF(obj_range, "POPULATE", user_range(a, TWZ_RANGE_POPULATE, 1, DENSE), 0);
    WORST_OF(obj_range, "POPULATE again", user_range(a, TWZ_RANGE_POPULATE, 1, DENSE), 0);
    WORST_OF(obj_range, "PERSIST", user_range(b, TWZ_RANGE_PERSIST, 1, TWZ_PAGE_META), 0);
    WORST_OF(obj_range, "PERSIST, sparse", user_range(c, TWZ_RANGE_PERSIST, 1, TWZ_PAGE_META), 0);
    WORST_OF(obj_range, "PROTECT", user_range(b, TWZ_RANGE_PROTECT, 1, DENSE), 0);
    WORST_OF(obj_range, "DISCARD", user_range(a, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), 0);
    WORST_OF(obj_range, "DISCARD, sparse", user_range(c, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), 0);
    WORST_OF(obj_range, "HOLE", user_range(b, TWZ_RANGE_HOLE, 1, 2 * DENSE), 0);
    WORST_OF(obj_stat, "of 2,048 pages", CALL(obj_stat, IDARG(b), SIZED(&stat)), 0);
    worst_drop(a);
    worst_drop(b);
    worst_drop(c);
    REPORT(obj_delete, "three objects");
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
    objid_t a = worst_dense(from), b = worst_object(to), c = worst_sparse(from),
            d = worst_object(to), made;
    struct twz_copy source = { .src = a, .src_off = PAGE, .dst_off = PAGE, .len = DENSE * PAGE };
    struct twz_create spec = { .flags = to, .perms = TWZ_PERMS, .source_size = sizeof(source) };

    user_log(kinds);
    WORST_OF(obj_copy, "2,048 pages", copy(b, a, DENSE), 0);
    worst_write(a, DENSE, 1);
    worst_write(b, DENSE, 1);
    REPORT_EVENT("faults that break copy-on-write");
    WORST_OF(obj_copy, "over pages", copy(b, a, DENSE), 0);
    WORST_OF(obj_copy, "all of a sparse object", copy(d, c, TWZ_PAGE_META), 0);
    spec.sources = (uint64_t)(uintptr_t)&source;
    spec.nsources = 1;
    WORST_OF(obj_create, "with a source", user_create(&spec, &made), 0);
    worst_drop(a);
    worst_drop(b);
    worst_drop(c);
    worst_drop(d);
    worst_drop(made);
    REPORT(obj_delete, "five objects");
}

/* --- sealed objects --------------------------------------------------------------------------- */

/* Touches pages of a sealed object for the first time. */
static void touch_sealed(objid_t id, uint32_t count, uint32_t stride)
{
    uint64_t sum = 0;
    uint32_t i;

    user_map(SLOT_TEST, id, TWZ_READ);
    for (i = 0; i < count; i++)
        sum += *user_page(SLOT_TEST, 1 + (uint64_t)i * stride);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK(sum != 0);
}

static void worst_seals(uint32_t flags)
{
    uint32_t pages = worst_size(256, DENSE), nodes = worst_size(32, SPARSE);
    objid_t a = worst_object(flags), b = worst_object(flags), c = worst_object(TWZ_OBJ_PERSIST);
    objid_t id, again;

    worst_write(a, pages, 1);
    worst_write(b, nodes, 512);
    WORST_OF(obj_seal, "dense", CALL(obj_seal, IDARG(a), &id), 0);
    WORST_OF(obj_seal, "found again", CALL(obj_seal, IDARG(a), &again), 0);
    touch_sealed(id, pages, 1);
    REPORT_EVENT("first faults on a sealed object");
    worst_drop(id);
    WORST_OF(obj_seal, "sparse", CALL(obj_seal, IDARG(b), &id), 0);
    WORST_OF(obj_copy, "all of a sealed sparse object", copy(c, id, TWZ_PAGE_META), 0);
    worst_drop(id);
    WORST_OF(obj_seal, "sparse, again", CALL(obj_seal, IDARG(b), &id), 0);
    touch_sealed(id, nodes, 512);
    REPORT_EVENT("first faults on a sealed sparse object");
    worst_drop(id);
    worst_drop(a);
    worst_drop(b);
    worst_drop(c);
    REPORT(obj_delete, "four objects, one of them sealed");
}

/* --- migration -------------------------------------------------------------------------------- */

static void worst_migration(void)
{
    objid_t a = worst_dense(0), b = worst_sparse(0);

    WORST_OF(obj_ctl, "PERSIST 1", CALL(obj_ctl, IDARG(a), TWZ_CTL_PERSIST, 1), 0);
    WORST_OF(obj_ctl, "PERSIST 1, sparse", CALL(obj_ctl, IDARG(b), TWZ_CTL_PERSIST, 1), 0);
    worst_write(a, DENSE, 1);
    WORST_OF(obj_ctl, "PERSIST 0", CALL(obj_ctl, IDARG(a), TWZ_CTL_PERSIST, 0), 0);
    WORST_OF(obj_ctl, "PERSIST 0, sparse", CALL(obj_ctl, IDARG(b), TWZ_CTL_PERSIST, 0), 0);
    worst_drop(a);
    worst_drop(b);
}

#define RANGES 64u /* the most that one call takes */

/* Fills RANGES ranges of `pages` pages each. They lie in page 2 of the shared object and up. */
static struct twz_copy *fill_ranges(objid_t dst, objid_t src, uint32_t pages)
{
    struct twz_copy *range = (struct twz_copy *)(TWZ_SLOT_ADDR(SLOT_SHARED) + 2 * PAGE);
    uint32_t i;

    for (i = 0; i < RANGES; i++)
        range[i] = (struct twz_copy){ .src = src,
                                      .dst = dst,
                                      .src_off = PAGE,
                                      .dst_off = PAGE * (1 + (uint64_t)i * pages),
                                      .len = PAGE * pages };
    return range;
}

static void worst_ranges_of_one_call(const char *kind, uint32_t flags)
{
    uint32_t pages = worst_size(128, DENSE);
    objid_t src = worst_dense(flags), dst = worst_object(flags), made;
    struct twz_copy *range = fill_ranges(dst, src, pages);
    struct twz_create spec = { .flags = flags,
                               .perms = TWZ_PERMS,
                               .tie = src,
                               .sources = (uint64_t)(uintptr_t)range,
                               .nsources = RANGES,
                               .source_size = sizeof(*range) };

    user_log(kind);
    WORST_OF(obj_copy, "64 ranges", CALL(obj_copy, SIZED(range), RANGES), 0);
    WORST_OF(obj_create, "64 sources and a tie", user_create(&spec, &made), 0);
    worst_drop(dst);
    WORST_OF(obj_delete, "object with a copy tied to it", CALL(obj_delete, IDARG(src), 0), 0);
}

/* --- properties ------------------------------------------------------------------------------- */

static void worst_pins(void)
{
    uint32_t count = worst_size(1000, 100000), i;
    objid_t id = worst_dense(TWZ_OBJ_PERSIST);

    for (i = 0; i < count; i++)
        CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    REPORT(obj_pin, "many pins");
    for (i = 0; i < count / 2; i++)
        CHECK_IS(CALL(obj_pin, IDARG(id), 0), 0);
    REPORT(obj_pin, "many pins removed");
    WORST_OF(obj_delete, "pinned object", CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
}

static void worst_properties(void)
{
    const struct twz_record *system =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);
    objid_t witness = worst_object(TWZ_OBJ_PERSIST), id;
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
                               .perms = TWZ_PERMS,
                               .witness = witness,
                               .witness_off = TWZ_OBJ_BASE,
                               .tie = witness };
    struct twz_stat stat;

    WORST_OF(obj_create, "provisional", user_create(&spec, &id), 0);
    WORST_OF(obj_ctl, "PERMANENT", CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMANENT, 0), 0);
    worst_write(id, DENSE, 1);
    WORST_OF(obj_ctl, "MODE", CALL(obj_ctl, IDARG(id), TWZ_CTL_MODE, TWZ_PERSIST_RELEASE), 0);
    WORST_OF(obj_stat, "of the system", CALL(obj_stat, IDARG(system->id), SIZED(&stat)), 0);
    user_map(SLOT_TEST, id, RW);
    worst_write(id, DENSE, 1);
    REPORT_EVENT("write-back at the last use");
    worst_drop(witness);
}

/* Objects of mode PERIODIC, which a timer writes back a second after they were written. */
static void worst_periodic(void)
{
    uint32_t count = worst_size(4, 16), i;
    objid_t first = TWZ_OBJID_NONE;

    for (i = 0; i < count; i++) {
        struct twz_create spec = { .flags = TWZ_OBJ_PERSIST,
                                   .perms = TWZ_PERMS,
                                   .persist = TWZ_PERSIST_PERIODIC,
                                   .tie = first };
        objid_t id;
        uint32_t page;

        CHECK_IS(user_create(&spec, &id), 0);
        user_map(SLOT_TEST + i, id, RW);
        for (page = 1; page <= DENSE / 2; page++)
            *user_page(SLOT_TEST + i, page) = page;
        first = i == 0 ? id : first;
    }
    REPORT_EVENT("faults in periodic objects");
    SHARED->word[PERIOD] = 4 * PERIOD_NS;
    user_wait(&SHARED->word[NOTHING], 0, user_now() + 1100000000);
    SHARED->word[PERIOD] = PERIOD_NS;
    REPORT_EVENT("periodic write-back");
    for (i = 0; i < count; i++)
        user_map(SLOT_TEST + i, TWZ_OBJID_NONE, 0);
    WORST_OF(obj_delete, "periodic objects", CALL(obj_delete, IDARG(first), 0), 0);
}

/* --- mappings --------------------------------------------------------------------------------- */

void worst_fill_view(objid_t view, uint64_t view_base, objid_t id, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        user_map_in(view, view_base, MANY + i, id, TWZ_READ);
}

void worst_map_many(objid_t id, uint64_t rights, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        user_map(MANY + i, id, rights);
        (void)*(volatile uint64_t *)(TWZ_SLOT_ADDR(MANY + i) + TWZ_OBJ_BASE);
    }
}

static long invalidate(uint32_t count)
{
    return CALL(kso_invalidate, IDARG(user_view()), MANY, count);
}

void worst_unmap_many(uint32_t count)
{
    volatile struct twz_view_entry *entry =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE);
    uint32_t i;

    for (i = 0; i < count; i++)
        entry[MANY + i].flags = 0;
}

static void worst_mappings(void)
{
    uint32_t count = worst_size(10000, 120000);
    objid_t a = worst_object(0), b = worst_object(TWZ_OBJ_PERSIST);

    worst_map_many(b, TWZ_READ | TWZ_EXEC, count);
    user_map(SLOT_TEST, b, RW);
    CHECK_IS(user_store_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST)), 1);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_WX);
    REPORT_EVENT("fault that asks for W beside many X");
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    worst_unmap_many(count);
    WORST_OF(kso_invalidate, "many mappings with X", invalidate(count), 0);
    worst_map_many(a, RW, count);
    REPORT_EVENT("faults that map an object");
    WORST_OF(obj_range, "PROTECT, many mappings", user_range(a, TWZ_RANGE_PROTECT, 1, 64), 0);
    WORST_OF(obj_ctl, "PERMS, many mappings",
             CALL(obj_ctl, IDARG(a), TWZ_CTL_PERMS, TWZ_PERMS & ~TWZ_WRITE), 0);
    worst_unmap_many(count);
    WORST_OF(kso_invalidate, "120,000 slots, none mapped", invalidate(120000), 0);
    worst_map_many(b, TWZ_READ, count);
    worst_unmap_many(count);
    WORST_OF(kso_invalidate, "many mappings", invalidate(120000), 0);
    worst_map_many(b, TWZ_READ, count);
    WORST_OF(obj_delete, "NOW, many mappings", CALL(obj_delete, IDARG(b), TWZ_DELETE_NOW), 0);
    worst_unmap_many(count);
    CHECK_IS(invalidate(120000), 0);
    worst_drop(a);
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
    objid_t top = worst_object(flags), last, other = worst_object(flags);
    uint32_t count = worst_size(2000, 10000);

    user_log(kind);
    tie_many(flags, top, count, 0);
    REPORT(obj_create, "one of many tied to a parent");
    WORST_OF(obj_delete, "many children", CALL(obj_delete, IDARG(top), 0), 0);
    top = worst_object(flags);
    last = tie_many(flags, top, flags != 0 ? count : DEEP, 1);
    REPORT(obj_create, "below a long chain of ties");
    WORST_OF(obj_tie, "below a long chain", CALL(obj_tie, IDARG(other), IDARG(last), 1),
             -TWZ_EFULL);
    WORST_OF(obj_delete, "a long chain", CALL(obj_delete, IDARG(top), 0), 0);
    worst_drop(other);
}

/* --- directories ------------------------------------------------------------------------------ */

/* A directory that is full but for its last entry. */
static void worst_directory(void)
{
    objid_t dir = user_object(0, TWZ_PERMS, TWZ_KIND_DIR), child = worst_object(0);
    volatile struct twz_kso_dir *d = (volatile struct twz_kso_dir *)BASE(SLOT_TEST);
    uint32_t i;

    user_map(SLOT_TEST, dir, RW);
    for (i = 0; i < TWZ_KSO_MAX_CHILDREN - 1; i++) {
        d->child[i].id.lo = i + 1;
        d->child[i].kind = TWZ_KIND_DIR;
    }
    d->count = TWZ_KSO_MAX_CHILDREN - 1;
    WORST_OF(kso_attach, "4,095 children", CALL(kso_attach, IDARG(dir), IDARG(child), ~0ull),
             TWZ_KSO_MAX_CHILDREN - 1);
    WORST_OF(kso_detach, "4,096 children", CALL(kso_detach, IDARG(dir), IDARG(child), ~0ull),
             TWZ_KSO_MAX_CHILDREN - 1);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    worst_drop(dir);
    worst_drop(child);
}

static void worst_objects(void)
{
    worst_ranges("volatile", 0);
    worst_ranges("persistent", TWZ_OBJ_PERSIST);
    worst_copies("volatile to volatile", 0, 0);
    worst_copies("volatile to persistent", 0, TWZ_OBJ_PERSIST);
    worst_copies("persistent to volatile", TWZ_OBJ_PERSIST, 0);
    worst_copies("persistent to persistent", TWZ_OBJ_PERSIST, TWZ_OBJ_PERSIST);
    worst_ranges_of_one_call("volatile, many ranges", 0);
    worst_ranges_of_one_call("persistent, many ranges", TWZ_OBJ_PERSIST);
    user_log("properties");
    worst_seals(0);
    worst_seals(TWZ_OBJ_PERSIST);
    worst_migration();
    worst_properties();
    worst_pins();
    worst_periodic();
    worst_mappings();
    worst_ties("volatile ties", 0);
    worst_ties("persistent ties", TWZ_OBJ_PERSIST);
    worst_directory();
}

/* 1 if the driver wants the large sizes (pool.c). */
static uint64_t read_number(void)
{
    const volatile struct twz_system *system = user_system();
    objid_t names = { system->names_root.lo, system->names_root.hi };
    uint64_t number;

    user_map(SLOT_TEST, names, TWZ_READ);
    number = BASE(SLOT_TEST)[0];
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    return number;
}

void test_main(void)
{
    user_handlers();
    SHARED->word[LARGE] = read_number();
    begin_to_measure();
    worst_objects();
    user_log("threads");
    worst_threads();
    user_log("words");
    worst_words();
    worst_contexts();
    user_log("gates");
    worst_gates();
    user_log("devices");
    worst_devices();
    check_that_all_were_driven();
    __atomic_store_n(&SHARED->word[STOP], 1, __ATOMIC_RELEASE);
    CHECK_IS(user_join(0), 0);
}
