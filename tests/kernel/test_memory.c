/* SPDX-License-Identifier: MIT */
/*
 * Exhausted memory. One object takes all frames. Then 0, 1, 2 … of them are freed, and each kind of
 * call is made until it succeeds. Before that it must return -TWZ_ENOMEM (or fault with that
 * reason), change nothing, and leak nothing: at the end as much memory is free as before.
 */
#include "user.h"

#define PAGE  TWZ_PAGE_SIZE
#define RW    (TWZ_READ | TWZ_WRITE)
#define TRIES 60u

#define FILLER (SLOT_TEST + 1)

/* Shared words: 0, 1 the filler's ID; 2 its pages so far; from 3 on: used by the calls. */
static objid_t filler(void)
{
    return (objid_t){ SHARED->word[0], SHARED->word[1] };
}

static uint64_t page_addr(uint32_t slot, uint64_t page)
{
    return TWZ_SLOT_ADDR(slot) + page * PAGE;
}

/* Writes to pages until no frame is free. */
static void fill_memory(void)
{
    while (user_store_faults(page_addr(FILLER, SHARED->word[2])) == 0)
        SHARED->word[2]++;
}

static void free_frames(uint64_t frames)
{
    if (frames == 0)
        return;
    SHARED->word[2] -= frames;
    CHECK_IS(
        CALL(obj_range, IDARG(filler()), TWZ_RANGE_DISCARD, SHARED->word[2] * PAGE, frames * PAGE),
        0);
}

/* --- the calls: 0, with the effect undone, or the error --------------------------------------- */

static long try_create(uint32_t flags)
{
    struct twz_create spec = { .flags = flags, .perms = TWZ_PERMS };
    objid_t id;
    long ret = user_create(&spec, &id);

    if (ret == 0)
        CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return ret;
}

static long try_volatile(void)
{
    return try_create(0);
}

static long try_persistent(void)
{
    return try_create(TWZ_OBJ_PERSIST);
}

static long result_of_access(int faulted)
{
    if (faulted == 0)
        return 0;
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PAGE);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_NOMEM);
    return -TWZ_ENOMEM;
}

/* A fresh object far away in the view: tables of the root, tables of the object, a page. */
static long try_touch(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS };
    uint32_t slot = 60000;
    objid_t id;
    long ret = user_create(&spec, &id);

    if (ret != 0)
        return ret;
    user_map(slot, id, RW);
    ret = result_of_access(user_store_faults(page_addr(slot, 77777)));
    user_map(slot, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return ret;
}

static long try_persistent_touch(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .flags = TWZ_OBJ_PERSIST };
    uint32_t slot = 70000;
    objid_t id;
    long ret = user_create(&spec, &id);

    if (ret != 0)
        return ret;
    user_map(slot, id, RW);
    ret = result_of_access(user_store_faults(page_addr(slot, 1000)));
    user_map(slot, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return ret;
}

static long try_copy(void)
{
    struct twz_copy from = { .src = filler(), .src_off = PAGE, .dst_off = PAGE, .len = 40 * PAGE };
    struct twz_create spec = { .perms = TWZ_PERMS,
                               .source_size = sizeof(struct twz_copy),
                               .nsources = 1 };
    objid_t id;
    long ret;

    spec.sources = (uint64_t)(uintptr_t)&from;
    ret = user_create(&spec, &id);
    if (ret != 0)
        return ret;
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return 0;
}

static long try_move(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .flags = TWZ_OBJ_PERSIST };
    objid_t id;
    long ret = user_create(&spec, &id);

    if (ret != 0)
        return ret;
    ret = CALL(obj_range, IDARG(id), TWZ_RANGE_POPULATE, PAGE, 4 * PAGE);
    if (ret == 0)
        ret = CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return ret;
}

static void child_exit(uint64_t arg)
{
    CALL(thread_exit, arg);
}

/* The thread's object and stack exist; its save areas and its kernel state do not. */
static long try_spawn(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_THREAD };
    objid_t id;
    long ret = user_create(&spec, &id);

    if (ret != 0)
        return ret;
    user_map(SLOT_THREAD, id, RW);
    ret = result_of_access(user_load_faults((uint64_t)(uintptr_t)user_thread_page(0)));
    if (ret == 0)
        ret = user_spawn(0, id, user_view(), child_exit, 7);
    if (ret == 0)
        CHECK_IS(user_join(0), 7);
    user_map(SLOT_THREAD, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return ret;
}

/* A view without a thread: its address space does not exist yet. */
static long try_view(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_VIEW };
    struct twz_become next = { .regs = { .rip = 4096 } };
    objid_t id;
    long ret = user_create(&spec, &id);

    if (ret != 0)
        return ret;
    next.view = id;
    next.regs.rip = 1ull << 60;
    CHECK_IS(CALL(thread_become, &next, sizeof(next)), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    return ret;
}

static long try_many_sleeps(void)
{
    struct twz_sync op[40];
    unsigned i;
    long ret;

    for (i = 0; i < 40; i++)
        op[i] = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)&SHARED->word[10],
                                   .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
    SHARED->word[10] = 0;
    ret = CALL(thread_sync, op, 40, user_now() + 100000);
    return ret == -TWZ_ETIMEDOUT ? 0 : ret;
}

static void exhaust(const char *name, long (*call)(void))
{
    unsigned frames, denied = 0;
    long ret = -1;

    for (frames = 0; frames < TRIES && ret != 0; frames++) {
        free_frames(frames);
        ret = call();
        if (ret != 0 && ret != -TWZ_ENOMEM)
            user_log_value(name, (uint64_t)ret);
        CHECK(ret == 0 || ret == -TWZ_ENOMEM);
        denied += ret != 0;
        fill_memory();
    }
    user_log(name);
    user_log_value("  denied", denied);
    CHECK_IS(ret, 0);
}

void test_main(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t before, i;

    user_handlers();
    SHARED->word[0] = id.lo;
    SHARED->word[1] = id.hi;
    SHARED->word[2] = 1;
    user_map(FILLER, id, RW);
    user_map(60000, id, TWZ_READ); /* allocates the view's own pages */
    user_map(60000, TWZ_OBJID_NONE, 0);
    user_map(70000, id, TWZ_READ);
    user_map(70000, TWZ_OBJID_NONE, 0);
    user_map(SLOT_THREAD, TWZ_OBJID_NONE, 0);
    user_map(SLOT_STACK, user_object(0, TWZ_PERMS, TWZ_KIND_DATA), RW);
    for (i = 1; i < 20; i++) /* pages that the tests need */
        *(volatile uint64_t *)(TWZ_SLOT_ADDR(SLOT_STACK) + TWZ_OBJ_DATA_TOP - i * 512) = 0;
    for (i = 0; i < 5; i++) { /* the first round allocates what stays */
        before = user_memory_free();
        fill_memory();
        exhaust("create volatile", try_volatile);
        exhaust("create persistent", try_persistent);
        exhaust("touch", try_touch);
        exhaust("touch persistent", try_persistent_touch);
        exhaust("copy", try_copy);
        exhaust("move", try_move);
        exhaust("spawn", try_spawn);
        exhaust("view", try_view);
        exhaust("many sleeps", try_many_sleeps);
        free_frames(SHARED->word[2] - 1);
        user_log_value("lost", before - user_memory_free());
    }
    CHECK(user_memory_free() + 4 * PAGE >= before);
}
