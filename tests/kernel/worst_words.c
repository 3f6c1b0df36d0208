/* SPDX-License-Identifier: MIT */
/* The worst arguments of the calls on words (worst.h): many sleepers, words and deadlines. */
#include "worst.h"

#define FAR 1000000000000ull /* ns; no test lasts so long */

static void drop_sleepers(uint32_t count)
{
    uint32_t i;

    worst_threads_gone();
    for (i = 0; i < count; i++)
        worst_drop(worst_id(i));
}

/* Each sleeper has a timer of its own, the first one the earliest. Each is cancelled. */
static void worst_wakes(uint32_t count)
{
    SHARED->word[DONE] = 0;
    worst_sleepers(count, &SHARED->word[DONE], 0, user_now() + FAR, 1);
    REPORT(thread_spawn, "many threads that sleep");
    SHARED->word[DONE] = 1;
    WORST_OF(thread_sync, "wake of many", user_wake(&SHARED->word[DONE], UINT64_MAX), count);
    worst_threads_gone();
    REPORT(thread_exit, "many threads, each with a timer");
    drop_sleepers(count);
    REPORT(obj_delete, "many thread objects");
    SHARED->word[DONE] = 0;
    worst_sleepers(count, &SHARED->word[DONE], 0, user_now() + FAR, 0);
    SHARED->word[DONE] = 1;
    WORST_OF(thread_wake, "many", CALL(thread_wake, &SHARED->word[DONE], UINT64_MAX), count);
    drop_sleepers(count);
    REPORT(thread_exit, "many threads, timers of one deadline");
}

/* The deadlines of all sleepers come at once. */
static void worst_deadlines(uint32_t count)
{
    SHARED->word[DONE] = 0;
    worst_sleepers(count, &SHARED->word[DONE], 0, user_now() + count * 20000ull, 0);
    REPORT(thread_spawn, "many threads that sleep");
    drop_sleepers(count);
    REPORT(thread_wait, "many deadlines at one time");
}

/* Threads of a lower priority are killed in their sleep, and have not run since. So their waiters
 * are in the bucket still, and none of them can be woken. */
static void worst_dead_waiters(uint32_t count)
{
    uint32_t i;

    SHARED->word[DONE] = 0;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 1);
    worst_sleepers(count, &SHARED->word[DONE], 0, TWZ_FOREVER, 0);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 5);
    for (i = 0; i < count; i++)
        CHECK_IS(CALL(thread_ctl, IDARG(worst_id(i)), TWZ_THREAD_PRIORITY, 2), 0);
    REPORT(thread_ctl, "PRIORITY of many sleepers");
    for (i = 0; i < count; i++)
        CHECK_IS(CALL(thread_signal, IDARG(worst_id(i)), TWZ_SIGNAL_KILL, 0), 0);
    REPORT(thread_signal, "KILL of many sleepers");
    for (i = 0; i < count; i++)
        CHECK_IS(CALL(thread_ctl, IDARG(worst_id(i)), TWZ_THREAD_PRIORITY, 1), 0);
    REPORT(thread_ctl, "PRIORITY of many ready threads");
    WORST_OF(thread_wake_wait, "many dead waiters",
             CALL(thread_wake_wait, &SHARED->word[DONE], &SHARED->word[DONE], 1, TWZ_FOREVER,
                  TWZ_SYNC_64),
             0);
    drop_sleepers(count);
    REPORT(thread_exit, "many killed threads");
}

/* --- many words ------------------------------------------------------------------------------- */

#define WORDS ((struct twz_sync *)(TWZ_SLOT_ADDR(SLOT_SHARED) + 2 * PAGE))

/* Fills WORDS: each operation on a word of another object, which no access has mapped yet. The
 * objects are persistent, and were dropped from memory. */
static objid_t fill_words(uint32_t op, uint64_t value)
{
    objid_t parent = worst_object(TWZ_OBJ_PERSIST);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    uint32_t i;

    for (i = 0; i < TWZ_SYNC_MAX; i++) {
        objid_t id;

        CHECK_IS(user_create(&spec, &id), 0);
        user_map(MANY + i, id, RW);
        WORDS[i] = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)BASE(MANY + i),
                                      .value = value,
                                      .op = op | TWZ_SYNC_64 };
    }
    REPORT(obj_create, "one of many with a tie");
    return parent;
}

static void drop_words(objid_t parent)
{
    worst_unmap_many(TWZ_SYNC_MAX);
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), MANY, TWZ_SYNC_MAX), 0);
    worst_drop(parent);
    REPORT(obj_delete, "objects of 64 words");
}

static void sleep_on_words(uint64_t arg)
{
    (void)CALL(thread_sync, WORDS, TWZ_SYNC_MAX, arg);
}

static void worst_many_words(void)
{
    objid_t parent = fill_words(TWZ_SYNC_WAKE, UINT64_MAX);
    uint32_t i;

    WORST_OF(thread_sync, "64 wakes, each word faults", CALL(thread_sync, WORDS, TWZ_SYNC_MAX, 0),
             0);
    drop_words(parent);
    parent = fill_words(TWZ_SYNC_SLEEP, 0);
    WORST_OF(thread_sync, "64 sleeps, each word faults",
             CALL(thread_sync, WORDS, TWZ_SYNC_MAX, user_now() + 1000000), -TWZ_ETIMEDOUT);
    user_thread(1, sleep_on_words, TWZ_FOREVER);
    for (i = 0; i < 8; i++)
        user_yield();
    WORST_OF(thread_wake, "one that sleeps on 64 words", CALL(thread_wake, BASE(MANY + 63), 1), 1);
    worst_threads_gone();
    drop_words(parent);
}

/* The word lies on a page that has to be added first. */
static void worst_absent_word(void)
{
    objid_t id = worst_object(TWZ_OBJ_PERSIST);

    user_map(SLOT_TEST, id, RW);
    WORST_OF(thread_wait, "word on an absent page",
             CALL(thread_wait, user_page(SLOT_TEST, 900), 1, TWZ_FOREVER, TWZ_SYNC_64), 0);
    WORST_OF(thread_wake, "word on an absent page",
             CALL(thread_wake, user_page(SLOT_TEST, 1900), 1), 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    worst_drop(id);
}

void worst_words(void)
{
    uint32_t count = worst_size(3000, 8000);

    worst_threads_begin();
    worst_wakes(count);
    worst_deadlines(count);
    worst_dead_waiters(count);
    worst_many_words();
    worst_absent_word();
}
