/* SPDX-License-Identifier: MIT */
/* Two cores use one object: rights and mappings stay removed, and nothing is freed twice. */
#include "user.h"

#define RW     (TWZ_READ | TWZ_WRITE)
#define ROUNDS 300u
#define STOP   UINT64_MAX

/* The round that the partner must start, and the last one that it has finished. */
#define GO   (SHARED->word[0])
#define DONE (SHARED->word[1])

static void start_round(uint64_t round)
{
    __atomic_store_n(&GO, round, __ATOMIC_RELEASE);
}

/* The partner waits for its round. False: there are no more. */
static bool await_round(uint64_t round)
{
    uint64_t go;

    while ((go = __atomic_load_n(&GO, __ATOMIC_ACQUIRE)) != round && go != STOP)
        __asm__ volatile("pause");
    return go != STOP;
}

static void report_done(uint64_t round)
{
    __atomic_store_n(&DONE, round, __ATOMIC_RELEASE);
}

static void await_done(uint64_t round)
{
    while (__atomic_load_n(&DONE, __ATOMIC_ACQUIRE) != round)
        user_yield();
}

static void spin(uint64_t turns)
{
    while (turns-- > 0)
        __asm__ volatile("pause");
}

/* --- rights --------------------------------------------------------------------------- */

/* Stores to the page repeatedly, and ignores faults. */
static void child_stores(uint64_t arg)
{
    uint64_t i;

    (void)arg;
    for (i = 1; await_round(i); i++) {
        unsigned n;

        for (n = 0; n < 3; n++)
            user_store_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST));
        report_done(i);
    }
}

/* After the call has returned, a fault that was in progress must not restore WRITE. */
static void test_reduced_rights_stay_reduced(void)
{
    uint64_t at = (uint64_t)(uintptr_t)BASE(SLOT_TEST), i, kept = 0;

    user_thread(0, child_stores, 0);
    for (i = 1; i <= ROUNDS; i++) {
        objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        user_map(SLOT_TEST, id, RW);
        start_round(i);
        spin(i % 97);
        CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_READ), 0);
        await_done(i);
        kept += user_store_faults(at) == 0;
    }
    CHECK_IS(kept, 0);
    start_round(STOP);
    user_join(0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* After an entry has changed and the call has returned, no core reaches the old object. */
static void test_invalidated_entry_stays_unmapped(void)
{
    objid_t old = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t new = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t i, stale = 0;

    user_map(SLOT_TEST + 1, old, RW);
    user_map(SLOT_TEST + 2, new, RW);
    GO = DONE = 0;
    user_thread(0, child_stores, 0);
    for (i = 1; i <= ROUNDS; i++) {
        user_map(SLOT_TEST, old, RW);
        start_round(i);
        spin(i % 97);
        user_map(SLOT_TEST, new, RW);
        await_done(i);
        *BASE(SLOT_TEST + 1) = 10;
        *BASE(SLOT_TEST + 2) = 20;
        stale += *BASE(SLOT_TEST) != 20;
    }
    CHECK_IS(stale, 0);
    start_round(STOP);
    user_join(0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* --- ties --------------------------------------------------------------------------- */

static objid_t id_at_word(unsigned n)
{
    return (objid_t){ SHARED->word[n], SHARED->word[n + 1] };
}

static void child_delete(uint64_t arg)
{
    uint64_t i;

    (void)arg;
    for (i = 1; await_round(i); i++) {
        spin(i % 61);
        CALL(obj_delete, IDARG(id_at_word(4)), TWZ_DELETE_DEFERRED);
        report_done(i);
    }
}

/* Two cores delete parent and child at the same time: each is freed once. */
static void test_parent_and_child_deleted_together(void)
{
    uint64_t i;
    struct twz_stat stat;

    GO = DONE = 0;
    user_thread(0, child_delete, 0);
    for (i = 1; i <= ROUNDS; i++) {
        objid_t parent = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
        objid_t child = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        CHECK_IS(CALL(obj_tie, IDARG(child), IDARG(parent), 1), 0);
        SHARED->word[4] = child.lo;
        SHARED->word[5] = child.hi;
        start_round(i);
        spin(i % 67);
        CHECK_IS(CALL(obj_delete, IDARG(parent), TWZ_DELETE_DEFERRED), 0);
        await_done(i);
        CHECK_IS(CALL(obj_stat, IDARG(child), SIZED(&stat)), -TWZ_ENOOBJ);
    }
    start_round(STOP);
    user_join(0);
}

/* A pin while the object is deleted: no reference is dropped before it was taken. */
static void test_pin_during_delete(void)
{
    uint64_t i;
    struct twz_stat stat;

    GO = DONE = 0;
    user_thread(0, child_delete, 0);
    for (i = 1; i <= ROUNDS; i++) {
        objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        SHARED->word[4] = id.lo;
        SHARED->word[5] = id.hi;
        start_round(i);
        spin(i % 67);
        CALL(obj_pin, IDARG(id), 1);
        await_done(i);
        CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), -TWZ_ENOOBJ);
    }
    start_round(STOP);
    user_join(0);
}

void test_main(void)
{
    user_handlers();
    test_reduced_rights_stay_reduced();
    test_invalidated_entry_stays_unmapped();
    test_parent_and_child_deleted_together();
    test_pin_during_delete();
}
