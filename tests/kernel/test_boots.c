/* SPDX-License-Identifier: MIT */
/*
 * The state that goes on over the boots of a pool. boots.py boots this program twice on one pool.
 * The first boot leaves its time and the IDs of the kernel's objects in the names root; the second
 * compares them with its own. The first boot ends in the midst of a call that creates an object
 * from a source; the second must find nothing of it.
 */
#include "user.h"

struct left {
    uint64_t boots;
    uint64_t resume_count;
    uint64_t now;
    uint64_t pool_free;
    objid_t root, system, console;
};
#define NS_PER_S 1000000000ull
#define LEFT     ((volatile struct left *)BASE(SLOT_TEST))

static objid_t system_id(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);

    return r->id;
}

static bool is_same(const volatile objid_t *a, objid_t b)
{
    return a->lo == b.lo && a->hi == b.hi;
}

#define SOURCE_PAGES 4000u
#define COPIED_PAGES 40u /* that the unfinished object has at least */
#define PAGE         TWZ_PAGE_SIZE

static uint64_t pool_free(void)
{
    (void)user_memory_free(); /* makes the kernel count */
    return user_system()->pool_free;
}

/* Creates a persistent object from the source whose ID is in the words. */
static void child_creates(uint64_t pages)
{
    struct twz_copy from = { .src = { SHARED->word[2], SHARED->word[3] },
                             .src_off = PAGE,
                             .dst_off = PAGE,
                             .len = pages * PAGE };
    struct twz_create spec = {
        .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .source_size = sizeof(from), .nsources = 1
    };
    objid_t id;

    spec.sources = (uint64_t)(uintptr_t)&from;
    (void)user_create(&spec, &id);
    __atomic_store_n(&SHARED->word[1], 1, __ATOMIC_RELEASE);
    CALL(thread_exit, 0);
}

static void begin_create(void)
{
    objid_t source = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST + 1, source, TWZ_READ | TWZ_WRITE);
    for (uint64_t page = 1; page <= SOURCE_PAGES; page++)
        *user_page(SLOT_TEST + 1, page) = page;
    SHARED->word[2] = source.lo;
    SHARED->word[3] = source.hi;
    LEFT->pool_free = pool_free();
    (void)user_thread(0, child_creates, SOURCE_PAGES);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 20), 0);
    while (pool_free() > LEFT->pool_free - COPIED_PAGES * PAGE)
        user_wait(&SHARED->word[0], 0, user_now() + 100000);
    CHECK_IS(__atomic_load_n(&SHARED->word[1], __ATOMIC_ACQUIRE), 0);
}

static void leave_state(void)
{
    const volatile struct twz_system *s = user_system();
    objid_t id = system_id();

    LEFT->resume_count = s->resume_count;
    LEFT->root.lo = s->kso_root.lo;
    LEFT->root.hi = s->kso_root.hi;
    LEFT->system.lo = id.lo;
    LEFT->system.hi = id.hi;
    LEFT->console.lo = s->console.lo;
    LEFT->console.hi = s->console.hi;
    CHECK_IS(s->version, TWZ_SYSTEM_VERSION);
    /* longer than the kernel's bound of the clock lies ahead at boot */
    user_wait(&SHARED->word[0], 0, user_now() + 300 * NS_PER_S);
    LEFT->now = user_now();
    begin_create();
}

static void compare_state(void)
{
    const volatile struct twz_system *s = user_system();
    objid_t root = { s->kso_root.lo, s->kso_root.hi }, console = { s->console.lo, s->console.hi };

    CHECK(user_now() > LEFT->now);
    CHECK_IS(s->resume_count, LEFT->resume_count + 1);
    CHECK(is_same(&LEFT->root, root));
    CHECK(is_same(&LEFT->system, system_id()));
    CHECK(is_same(&LEFT->console, console));
    CHECK(pool_free() >= LEFT->pool_free - COPIED_PAGES / 2 * PAGE);
    CHECK(!objid_equal(root, console) && !objid_equal(root, system_id()));
}

void test_main(void)
{
    objid_t names = user_system()->names_root;

    user_map(SLOT_TEST, names, TWZ_READ | TWZ_WRITE);
    if (LEFT->boots++ == 0)
        leave_state();
    else
        compare_state();
    CHECK_IS(user_range(names, TWZ_RANGE_PERSIST, 1, 1), 0);
    user_log_value("boot", LEFT->boots);
}
