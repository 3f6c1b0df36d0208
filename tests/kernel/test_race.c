/* SPDX-License-Identifier: MIT */
/* Two cores at one object: what is taken away stays away, and nothing is freed twice. */
#include "user.h"

#define RW     (TWZ_READ | TWZ_WRITE)
#define ROUNDS 3000u
#define LIMIT  4000000000ull /* ns: fewer rounds where the machine is busy */
#define STOP   UINT64_MAX

/* What the partner shall do in this round, and that it has. */
#define GO   (SHARED->word[0])
#define DONE (SHARED->word[1])

static void begin(uint64_t round)
{
    __atomic_store_n(&GO, round, __ATOMIC_RELEASE);
}

/* False: there are no more. */
static int partner_waits(uint64_t round)
{
    uint64_t go;

    while ((go = __atomic_load_n(&GO, __ATOMIC_ACQUIRE)) != round && go != STOP)
        __asm__ volatile("pause");
    return go != STOP;
}

static void partner_done(uint64_t round)
{
    __atomic_store_n(&DONE, round, __ATOMIC_RELEASE);
}

static void wait_done(uint64_t round)
{
    while (__atomic_load_n(&DONE, __ATOMIC_ACQUIRE) != round)
        CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0);
}

static void waste(uint64_t turns)
{
    while (turns-- > 0)
        __asm__ volatile("pause");
}

/* --- rights --------------------------------------------------------------------------- */

/* Touches the page again and again; what faults is passed over. */
static void child_touch(uint64_t arg)
{
    uint64_t i;

    (void)arg;
    for (i = 1; partner_waits(i); i++) {
        unsigned n;

        for (n = 0; n < 3; n++)
            user_store_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST));
        partner_done(i);
    }
}

/* Once the call is back, nobody's fault that was under way may bring WRITE back. */
static void test_narrow(void)
{
    uint64_t at = (uint64_t)(uintptr_t)BASE(SLOT_TEST), i, kept = 0, end = user_now() + LIMIT;

    user_thread(0, child_touch, 0);
    for (i = 1; i <= ROUNDS && user_now() < end; i++) {
        objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        user_map(SLOT_TEST, id, RW);
        begin(i);
        waste(i % 97);
        CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_READ), 0);
        wait_done(i);
        kept += user_store_faults(at) == 0;
    }
    CHECK_IS(kept, 0);
    begin(STOP);
    user_join(0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* The same of an entry that is changed: after the call nobody reaches the old object. */
static void test_invalidate(void)
{
    objid_t old = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t new = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t i, stale = 0, end = user_now() + LIMIT;

    user_map(SLOT_TEST + 1, old, RW);
    user_map(SLOT_TEST + 2, new, RW);
    GO = DONE = 0;
    user_thread(0, child_touch, 0);
    for (i = 1; i <= ROUNDS && user_now() < end; i++) {
        user_map(SLOT_TEST, old, RW);
        begin(i);
        waste(i % 97);
        user_map(SLOT_TEST, new, RW);
        wait_done(i);
        *BASE(SLOT_TEST + 1) = 10;
        *BASE(SLOT_TEST + 2) = 20;
        stale += *BASE(SLOT_TEST) != 20;
    }
    CHECK_IS(stale, 0);
    begin(STOP);
    user_join(0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* --- ties --------------------------------------------------------------------------- */

static objid_t at_word(unsigned n)
{
    return (objid_t){ SHARED->word[n], SHARED->word[n + 1] };
}

static void child_delete(uint64_t arg)
{
    uint64_t i;

    (void)arg;
    for (i = 1; partner_waits(i); i++) {
        waste(i % 61);
        CALL(obj_delete, IDARG(at_word(4)), TWZ_DELETE_DEFERRED);
        partner_done(i);
    }
}

/* Parent and child die at once, on two cores: each is freed once. */
static void test_tied_deaths(void)
{
    uint64_t i, end = user_now() + LIMIT;
    struct twz_stat stat;

    GO = DONE = 0;
    user_thread(0, child_delete, 0);
    for (i = 1; i <= ROUNDS && user_now() < end; i++) {
        objid_t parent = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
        objid_t child = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        CHECK_IS(CALL(obj_tie, IDARG(child), IDARG(parent), 1), 0);
        SHARED->word[4] = child.lo;
        SHARED->word[5] = child.hi;
        begin(i);
        waste(i % 67);
        CHECK_IS(CALL(obj_delete, IDARG(parent), TWZ_DELETE_DEFERRED), 0);
        wait_done(i);
        CHECK_IS(CALL(obj_stat, IDARG(child), &stat), -TWZ_ENOOBJ);
    }
    begin(STOP);
    user_join(0);
}

/* A pin that comes while the object dies: its reference is there before anybody drops it. */
static void test_pinned_deaths(void)
{
    uint64_t i, end = user_now() + LIMIT;
    struct twz_stat stat;

    GO = DONE = 0;
    user_thread(0, child_delete, 0);
    for (i = 1; i <= ROUNDS && user_now() < end; i++) {
        objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        SHARED->word[4] = id.lo;
        SHARED->word[5] = id.hi;
        begin(i);
        waste(i % 67);
        CALL(obj_pin, IDARG(id), 1);
        wait_done(i);
        CHECK_IS(CALL(obj_stat, IDARG(id), &stat), -TWZ_ENOOBJ);
    }
    begin(STOP);
    user_join(0);
}

void test_main(void)
{
    user_handlers();
    test_narrow();
    test_invalidate();
    test_tied_deaths();
    test_pinned_deaths();
}
