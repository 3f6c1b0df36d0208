/* SPDX-License-Identifier: MIT */
/*
 * The memory of the kernel itself: what objects used comes back as pages for others, the counters
 * of the system page return to where they began, and a program that takes all memory leaves enough
 * for the first program, and gets an error where the kernel itself has none.
 */
#include "user.h"

#define PAGE  TWZ_PAGE_SIZE
#define RW    (TWZ_READ | TWZ_WRITE)
#define COUNT 4000u
#define SPARE (256 * 1024u) /* bytes that the kernel may keep: a slab of each size class, a cache */

struct counters {
    uint64_t memory_free;
    uint64_t kernel_memory;
    uint64_t objects;
    uint64_t threads;
};

static struct counters read_counters(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);
    const volatile struct twz_system *system = user_system();
    struct twz_stat stat;

    CHECK_IS(CALL(obj_stat, IDARG(r->id), SIZED(&stat)), 0);
    return (struct counters){ system->memory_free, system->kernel_memory, system->objects,
                              system->threads };
}

static void create_many(volatile objid_t *ids, uint32_t kind)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = kind };
    uint64_t i, failed = 0;
    objid_t id;

    for (i = 0; i < COUNT; i++) {
        failed += user_create(&spec, &id) != 0;
        ids[i].lo = id.lo;
        ids[i].hi = id.hi;
    }
    CHECK_IS(failed, 0);
}

static void delete_many(volatile objid_t *ids)
{
    uint64_t i, failed = 0;

    for (i = 0; i < COUNT; i++) {
        objid_t id = { ids[i].lo, ids[i].hi };

        failed += CALL(obj_delete, IDARG(id), 0) != 0;
    }
    CHECK_IS(failed, 0);
}

static void test_memory_of_objects_comes_back(uint32_t kind)
{
    volatile objid_t *ids = (volatile objid_t *)BASE(SLOT_TEST);
    struct counters before, during, after;
    uint64_t i;

    user_map(SLOT_TEST, user_object(0, TWZ_PERMS, TWZ_KIND_DATA), RW);
    for (i = 0; i < COUNT; i++)
        ids[i].lo = 0;
    before = read_counters();
    create_many(ids, kind);
    during = read_counters();
    CHECK_IS(during.objects, before.objects + COUNT);
    CHECK(during.kernel_memory > before.kernel_memory + COUNT * 128);
    delete_many(ids);
    after = read_counters();
    CHECK_IS(after.objects, before.objects);
    CHECK(after.kernel_memory <= before.kernel_memory + SPARE);
    CHECK(after.memory_free + SPARE >= before.memory_free);
}

static void child_exit(uint64_t arg)
{
    (void)arg;
}

static void test_counters_of_threads_come_back(void)
{
    objid_t id = user_thread(0, child_exit, 0);
    struct counters before, after;
    unsigned i;

    user_join(0);
    before = read_counters();
    for (i = 0; i < 200; i++) {
        CHECK_IS(user_spawn(0, id, user_view(), child_exit, 0), 0);
        user_join(0);
    }
    after = read_counters();
    CHECK(after.threads <= before.threads + 1); /* the last one may still be ending */
    CHECK_IS(after.objects, before.objects);
    CHECK(after.kernel_memory <= before.kernel_memory + SPARE);
}

/* A view that a thread ran in is gone with its leaves and its tables, once it is deleted. */
static void test_memory_of_views_comes_back(void)
{
    objid_t none = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t thread = user_thread(1, child_exit, 0);
    struct counters before = { 0 }, after;
    unsigned i;

    user_join(1);
    for (i = 0; i < 120; i++) {
        objid_t view = user_child_view(1, none);

        if (i == 20) /* the caches are full */
            before = read_counters();
        CHECK_IS(user_spawn(1, thread, view, child_exit, 0), 0);
        user_join(1);
        CHECK_IS(CALL(obj_delete, IDARG(view), TWZ_DELETE_NOW), 0);
    }
    after = read_counters();
    CHECK(after.kernel_memory <= before.kernel_memory + SPARE);
    CHECK(after.memory_free + SPARE >= before.memory_free);
    CHECK_IS(CALL(obj_delete, IDARG(none), TWZ_DELETE_NOW), 0);
}

/* Adds pages to the object at SHARED->word[0] until there is no memory. */
static void child_exhaust(uint64_t arg)
{
    objid_t id = { SHARED->word[0], SHARED->word[1] };
    uint64_t page = 1, step;
    long ret = 0;

    (void)arg;
    for (step = 64; step > 0; step /= 8) {
        while ((ret = CALL(obj_range, IDARG(id), TWZ_RANGE_POPULATE, page * PAGE, step * PAGE)) ==
               0)
            page += step;
        if (ret != -TWZ_ENOMEM)
            break;
    }
    SHARED->word[2] = (uint64_t)ret;
}

static void test_first_program_has_a_reserve(void)
{
    objid_t big = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t thread = user_thread(1, child_exit, 0), view, mine;
    uint64_t i;

    user_join(1);
    view = user_child_view(1, big);
    SHARED->word[0] = big.lo;
    SHARED->word[1] = big.hi;
    CHECK_IS(user_spawn(1, thread, view, child_exhaust, 0), 0);
    user_join(1);
    CHECK_IS(SHARED->word[2], (uint64_t)-TWZ_ENOMEM);
    CHECK(read_counters().memory_free >= 1024 * 1024);
    mine = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    user_map(SLOT_TEST, mine, RW);
    for (i = 1; i < 65; i++)
        CHECK_IS(user_store_faults(TWZ_SLOT_ADDR(SLOT_TEST) + i * PAGE), 0);
    CHECK_IS(CALL(obj_delete, IDARG(mine), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(big), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(view), TWZ_DELETE_NOW), 0);
}

#define THREADS 24u /* more than fit in the slabs that the kernel has when memory is gone */

static void child_stay(void)
{
    while (__atomic_load_n(&SHARED->word[5], __ATOMIC_ACQUIRE) == 0)
        user_yield();
    CALL(thread_exit, 0);
}

/* Takes all memory, then starts threads in its own view until the kernel refuses. */
static void child_spawn(uint64_t arg)
{
    volatile objid_t *ids = (volatile objid_t *)BASE(SLOT_TEST);
    long ret = 0;
    uint64_t i;

    child_exhaust(arg);
    for (i = 0; i < THREADS; i++) {
        struct twz_spawn spawn = { .thread = { ids[i].lo, ids[i].hi },
                                   .view = { SHARED->word[6], SHARED->word[7] },
                                   .entry = (uint64_t)(uintptr_t)child_stay };

        spawn.stack = TWZ_SLOT_ADDR(SLOT_STACK + 1) + (i + 2) * PAGE - 8;
        ret = CALL(thread_spawn, &spawn, sizeof(spawn));
        if (ret != 0)
            break;
    }
    SHARED->word[3] = i;
    SHARED->word[4] = (uint64_t)ret;
}

/* A thread for which there is no memory is refused, and those that run go on. All but the kernel's
 * own record of it exists: its object has run before. */
static void test_thread_without_memory(void)
{
    objid_t big = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), view, thread;
    volatile objid_t *ids = (volatile objid_t *)BASE(SLOT_TEST);
    uint64_t i;

    user_map(SLOT_TEST, big, RW);
    for (i = 0; i < THREADS; i++) {
        thread = user_thread((unsigned)i + 2, child_exit, 0);
        user_join((unsigned)i + 2);
        ids[i].lo = thread.lo;
        ids[i].hi = thread.hi;
    }
    thread = user_thread(1, child_exit, 0);
    user_join(1);
    for (i = 1; i <= THREADS; i++)
        *user_page(SLOT_STACK + 1, i) = 1;
    view = user_child_view(1, big);
    SHARED->word[0] = big.lo;
    SHARED->word[1] = big.hi;
    SHARED->word[5] = 0;
    SHARED->word[6] = view.lo;
    SHARED->word[7] = view.hi;
    CHECK_IS(user_spawn(1, thread, view, child_spawn, 0), 0);
    user_join(1);
    CHECK_IS(SHARED->word[4], (uint64_t)-TWZ_ENOMEM);
    CHECK(SHARED->word[3] < THREADS);
    __atomic_store_n(&SHARED->word[5], 1, __ATOMIC_RELEASE);
    for (i = 0; i < SHARED->word[3]; i++)
        user_join((unsigned)i + 2);
    CHECK_IS(CALL(obj_delete, IDARG(big), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(view), TWZ_DELETE_NOW), 0);
}

void test_main(void)
{
    user_handlers();
    test_memory_of_objects_comes_back(TWZ_KIND_DATA);
    test_memory_of_objects_comes_back(TWZ_KIND_THREAD);
    test_counters_of_threads_come_back();
    test_memory_of_views_comes_back();
    test_first_program_has_a_reserve();
    test_thread_without_memory();
}
