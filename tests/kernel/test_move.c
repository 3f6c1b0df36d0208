/* SPDX-License-Identifier: MIT */
/* Migration between DRAM and NVM while another core uses the object, and migrations whose thread
 * ends half way. */
#include "user.h"

#define RW     (TWZ_READ | TWZ_WRITE)
#define PAGE   3231u /* the last page of its block of 32, so that its neighbour is in another one */
#define LARGE  6000u
#define ROUNDS 20u /* attempts to observe a migration in progress */

/* The object of the thread that migrates, and the result of its call. */
#define MOVED  ((objid_t){ SHARED->word[4], SHARED->word[5] })
#define RESULT (SHARED->word[6])
#define NONE   77u

static bool is_persistent(objid_t id)
{
    struct twz_stat stat;

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return (stat.flags & TWZ_OBJ_PERSIST) != 0;
}

static void child_move(uint64_t persistent)
{
    objid_t id = MOVED;
    uint64_t ret = (uint64_t)CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, persistent);

    __atomic_store_n(&RESULT, ret, __ATOMIC_RELEASE);
}

/* Starts a migration on another core. False: it ended before it was observed. */
static bool start_migration(unsigned n, objid_t id, uint64_t persistent)
{
    SHARED->word[4] = id.lo;
    SHARED->word[5] = id.hi;
    RESULT = NONE;
    user_thread(n, child_move, persistent);
    while (__atomic_load_n(&RESULT, __ATOMIC_ACQUIRE) == NONE)
        if (user_range(id, TWZ_RANGE_PERSIST, 1, 1) == -TWZ_EBUSY)
            return true;
    return false;
}

static objid_t create_mapped(uint32_t flags, uint64_t pages)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST, id, RW);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, pages), 0);
    return id;
}

static void unmap_and_delete(objid_t id)
{
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
}

/* A page that appears during a migration to DRAM, before one that only the pool has yet. */
static bool page_before_a_stored_one_to_dram(void)
{
    objid_t id = create_mapped(TWZ_OBJ_PERSIST, PAGE - 1);
    objid_t other = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy c = { .src = id,
                          .dst = other,
                          .src_off = (PAGE + 1) * TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = TWZ_PAGE_SIZE };
    bool met;

    *user_page(SLOT_TEST, PAGE + 1) = 0x1234;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0); /* removes its translation */
    met = start_migration(0, id, 0);
    *user_page(SLOT_TEST, PAGE) = 7;
    CHECK_IS(*user_page(SLOT_TEST, PAGE + 1), 0x1234);
    CHECK_IS(user_join(0), 0);
    CHECK_IS(RESULT, 0);
    CHECK_IS(*user_page(SLOT_TEST, PAGE), 7);
    CHECK_IS(*user_page(SLOT_TEST, PAGE + 1), 0x1234);
    unmap_and_delete(id);
    CHECK_IS(CALL(obj_delete, IDARG(other), 0), 0);
    return met;
}

/* A page that appears during a migration to NVM, before a hole. */
static bool page_before_a_hole_to_nvm(void)
{
    objid_t id = create_mapped(0, PAGE - 1);
    uint64_t at = (uint64_t)(uintptr_t)user_page(SLOT_TEST, PAGE + 1);
    bool met;

    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, PAGE + 1, 1), 0);
    CHECK_IS(user_load_faults(at), 1);
    met = start_migration(0, id, 1);
    *user_page(SLOT_TEST, PAGE) = 7;
    CHECK_IS(user_join(0), 0);
    CHECK_IS(RESULT, 0);
    CHECK_IS(user_load_faults(at), 1);
    unmap_and_delete(id);
    return met;
}

/* Reads a page of zeros until word 8 is set or the page has another value. */
static void child_watch(uint64_t arg)
{
    while (__atomic_load_n(&SHARED->word[8], __ATOMIC_ACQUIRE) == 0 &&
           *user_page(SLOT_TEST, PAGE) == 0)
        SHARED->word[9]++;
    CALL(thread_exit, *user_page(SLOT_TEST, PAGE) == arg);
}

/* When a page appears during a migration to DRAM, no core may go on reading the zeros that were
 * shown before. */
static bool page_of_shown_zeros_to_dram(void)
{
    objid_t id = create_mapped(TWZ_OBJ_PERSIST, PAGE - 1);
    uint64_t seen;
    bool met;

    SHARED->word[8] = 0;
    SHARED->word[9] = 0;
    user_thread(1, child_watch, 5);
    do {
        seen = __atomic_load_n(&SHARED->word[9], __ATOMIC_ACQUIRE);
    } while (seen < 100);
    met = start_migration(0, id, 0);
    CALL(thread_signal, IDARG(user_thread_page(0)->id), TWZ_SIGNAL_KILL, 0);
    user_join(0); /* no thread continues the migration */
    *user_page(SLOT_TEST, PAGE) = 5;
    __atomic_store_n(&SHARED->word[8], 1, __ATOMIC_RELEASE); /* its next look is the last one */
    CHECK_IS(user_join(1), 1);
    unmap_and_delete(id);
    return met;
}

/* A migration is half done and abandoned. A request for the former state must bring it back. */
static bool abandoned_migration(uint32_t flags)
{
    objid_t id = create_mapped(flags, LARGE);
    bool persistent = (flags & TWZ_OBJ_PERSIST) != 0, met;
    uint64_t i;

    for (i = 1; i <= LARGE; i += 100)
        *user_page(SLOT_TEST, i) = i;
    met = start_migration(0, id, !persistent);
    CALL(thread_signal, IDARG(user_thread_page(0)->id), TWZ_SIGNAL_KILL, 0);
    user_join(0);
    met = met && user_range(id, TWZ_RANGE_PERSIST, 1, 1) == -TWZ_EBUSY;
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, persistent), 0);
    CHECK_IS(is_persistent(id), persistent);
    for (i = 1; i <= LARGE; i += 100)
        CHECK_IS(*user_page(SLOT_TEST, i), i);
    unmap_and_delete(id);
    return met;
}

static bool abandoned_migration_to_dram(void)
{
    return abandoned_migration(TWZ_OBJ_PERSIST);
}

static bool abandoned_migration_to_nvm(void)
{
    return abandoned_migration(0);
}

#define OTHERS 2000u /* more objects than the kernel keeps in memory */

/* The store has the epoch and the account: the object is read from it anew. */
static void test_epoch_and_account_are_kept(void)
{
    objid_t id;
    struct twz_stat stat;
    unsigned i;

    user_map(SLOT_TEST, user_system()->names_root, TWZ_READ);
    id.lo = user_page(SLOT_TEST, 2)[0];
    id.hi = user_page(SLOT_TEST, 2)[1];
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    for (i = 0; i < 2; i++) {
        CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 0), 0);
        CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 1), 0);
    }
    for (i = 0; i < OTHERS; i++)
        user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    CHECK_IS(stat.flags, TWZ_OBJ_PERSIST);
    CHECK_IS(stat.revocation_epoch, 5);
    CHECK_IS(stat.account.lo, 7);
    CHECK_IS(stat.account.hi, 9);
}

/* Repeats a test until it has observed a migration in progress, which it needs to show anything. */
static void repeat_until_met(bool (*test)(void))
{
    unsigned i;

    for (i = 0; i < ROUNDS; i++)
        if (test())
            break;
    CHECK(i < ROUNDS);
}

void test_main(void)
{
    user_handlers();
    repeat_until_met(page_before_a_stored_one_to_dram);
    repeat_until_met(page_before_a_hole_to_nvm);
    repeat_until_met(page_of_shown_zeros_to_dram);
    repeat_until_met(abandoned_migration_to_dram);
    repeat_until_met(abandoned_migration_to_nvm);
    test_epoch_and_account_are_kept();
}
