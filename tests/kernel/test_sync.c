/* SPDX-License-Identifier: MIT */
/* thread_sync: sleep and wake, several words, deadlines, and no lost wake. */
#include "user.h"

#define ROUNDS  400u
#define WORKERS 4u

static void test_wait_and_timeout(void)
{
    volatile uint64_t *w = &SHARED->word[0];
    uint64_t before;

    *w = 5;
    CHECK_IS(user_wait(w, 4, TWZ_FOREVER), 1);
    CHECK_IS(user_wait(w, 5, 0), -TWZ_ETIMEDOUT);
    CHECK_IS(user_wait(w, 4, 1), 1); /* the deadline has passed, but the word differs already */
    before = user_now();
    CHECK_IS(user_wait(w, 5, before + 3000000), -TWZ_ETIMEDOUT);
    CHECK(user_now() >= before + 3000000);
    CHECK_IS(user_wake(w, 1), 0);
}

static void test_sync_rejects_bad_arguments(void)
{
    struct twz_sync op = { .addr = (uint64_t)(uintptr_t)&SHARED->word[0] + 1,
                           .op = TWZ_SYNC_SLEEP };

    CHECK_IS(CALL(thread_sync, &op, 1, 0), -TWZ_EINVAL);
    op.addr = 8;
    CHECK_IS(CALL(thread_sync, &op, 1, TWZ_FOREVER), -TWZ_EFAULT);
    op.addr = 0xffff800000000000ull;
    CHECK_IS(CALL(thread_sync, &op, 1, TWZ_FOREVER), -TWZ_EFAULT);
    op.op = 5;
    CHECK_IS(CALL(thread_sync, &op, 1, 0), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_sync, &op, 0, 0), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_sync, &op, TWZ_SYNC_MAX + 1, 0), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_sync, 0xffff800000000000ull, 1, 0), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_sync, ~0ull - 8, 64, 0), -TWZ_EFAULT);
}

/* Two threads alternate; word 0 and word 1 count. */
static void child_pong(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == i)
            user_wait(&SHARED->word[0], i, TWZ_FOREVER);
        __atomic_store_n(&SHARED->word[1], i + 1, __ATOMIC_RELEASE);
        user_wake(&SHARED->word[1], 1);
    }
}

static void test_two_threads_wake_each_other(void)
{
    uint64_t i;

    SHARED->word[0] = 0;
    SHARED->word[1] = 0;
    user_thread(0, child_pong, ROUNDS);
    for (i = 0; i < ROUNDS; i++) {
        __atomic_store_n(&SHARED->word[0], i + 1, __ATOMIC_RELEASE);
        user_wake(&SHARED->word[0], 1);
        while (__atomic_load_n(&SHARED->word[1], __ATOMIC_ACQUIRE) == i)
            user_wait(&SHARED->word[1], i, TWZ_FOREVER);
    }
    CHECK_IS(user_join(0), 0);
    CHECK_IS(SHARED->word[1], ROUNDS);
}

/* A lock of one word: 0 free, 1 taken, 2 taken and waited for; 32-bit words. */
static void lock(volatile uint32_t *word)
{
    struct twz_sync op = { .addr = (uint64_t)(uintptr_t)word, .value = 2, .op = TWZ_SYNC_SLEEP };
    uint32_t was = 0;

    if (__atomic_compare_exchange_n(word, &was, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
        CALL(thread_sync, &op, 1, TWZ_FOREVER);
}

static void unlock(volatile uint32_t *word)
{
    struct twz_sync op = { .addr = (uint64_t)(uintptr_t)word, .value = 1, .op = TWZ_SYNC_WAKE };

    if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
        CALL(thread_sync, &op, 1, 0);
}

static void child_lock(uint64_t arg)
{
    volatile uint32_t *word = (volatile uint32_t *)&SHARED->word[2];
    uint64_t i, v;

    for (i = 0; i < arg; i++) {
        lock(word);
        v = SHARED->word[3];
        if (i % 16 == 0)
            user_yield();
        SHARED->word[3] = v + 1;
        unlock(word);
    }
}

static void test_lock_word_excludes(void)
{
    unsigned n;

    SHARED->word[2] = 0;
    SHARED->word[3] = 0;
    for (n = 0; n < WORKERS; n++)
        user_thread(n, child_lock, ROUNDS);
    for (n = 0; n < WORKERS; n++)
        CHECK_IS(user_join(n), 0);
    CHECK_IS(SHARED->word[3], WORKERS * ROUNDS);
}

/* Sets one of the words 16 .. 21 after the other; the other thread sleeps on all of them. */
static void child_sets(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        uint64_t turn = 16 + i % 6;

        while (__atomic_load_n(&SHARED->word[turn], __ATOMIC_ACQUIRE) != 0)
            user_wait(&SHARED->word[turn], 1, TWZ_FOREVER);
        __atomic_store_n(&SHARED->word[turn], 1, __ATOMIC_RELEASE);
        user_wake(&SHARED->word[turn], 1);
    }
}

/* Sleeps on all six words, then clears those that are set. Returns their number. */
static unsigned clear_any(void)
{
    struct twz_sync op[6];
    unsigned i, taken = 0;
    long r;

    for (i = 0; i < 6; i++)
        op[i] = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)&SHARED->word[16 + i],
                                   .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
    r = CALL(thread_sync, op, 6, TWZ_FOREVER);
    CHECK(r > 0);
    for (i = 0; i < 6; i++) {
        if (op[i].result != 1)
            continue;
        r--;
        if (__atomic_load_n(&SHARED->word[16 + i], __ATOMIC_ACQUIRE) == 0)
            continue;
        __atomic_store_n(&SHARED->word[16 + i], 0, __ATOMIC_RELEASE);
        user_wake(&SHARED->word[16 + i], 1);
        taken++;
    }
    CHECK_IS(r, 0);
    return taken;
}

static void test_sleep_on_six_words(void)
{
    unsigned taken = 0, i;

    for (i = 0; i < 6; i++)
        SHARED->word[16 + i] = 0;
    user_thread(0, child_sets, 120);
    while (taken < 120)
        taken += clear_any();
    CHECK_IS(user_join(0), 0);
    CHECK_IS(taken, 120);
}

/* Sleeps on word 40, which is woken last. */
static void child_one(uint64_t arg)
{
    long ret = user_wait(&SHARED->word[40], 0, user_now() + 2000000000);

    CALL(thread_exit, ret == 1 ? SHARED->word[40] : arg);
}

static void test_wake_leaves_other_words_asleep(void)
{
    long woken = 0;
    unsigned i;

    SHARED->word[40] = 0;
    user_thread(0, child_one, 99);
    for (i = 0; i < 10; i++) {
        user_wait(&SHARED->word[42], SHARED->word[42], user_now() + 1000000);
        CHECK_IS(user_wake(&SHARED->word[41], ~0ull), 0);
        CHECK_IS(user_wake(&SHARED->word[39], ~0ull), 0);
    }
    for (i = 0; i < 4096; i++) /* many words: some are in the same bucket */
        woken += user_wake((volatile uint64_t *)SHARED + 1024 + i, ~0ull);
    CHECK_IS(woken, 0);
    __atomic_store_n(&SHARED->word[40], 7, __ATOMIC_RELEASE);
    user_wake(&SHARED->word[40], 1);
    CHECK_IS(user_join(0), 7);
}

/* Sleeps on word 30, which is woken through another address of the same object. */
static void child_waits(uint64_t arg)
{
    __atomic_fetch_add(&SHARED->word[31], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&SHARED->word[30], __ATOMIC_ACQUIRE) == 0)
        user_wait(&SHARED->word[30], 0, TWZ_FOREVER);
    (void)arg;
}

/* One call wakes all sleepers; the kernel identifies the word by object and offset. */
static void test_wake_all_through_another_address(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(SLOT_SHARED) + TWZ_OBJ_RECORD);
    struct shared *alias = (struct shared *)(TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE);
    unsigned n;

    SHARED->word[30] = 0;
    SHARED->word[31] = 0;
    user_map(SLOT_TEST, r->id, TWZ_READ | TWZ_WRITE);
    for (n = 0; n < WORKERS; n++)
        user_thread(n, child_waits, 0);
    while (__atomic_load_n(&SHARED->word[31], __ATOMIC_ACQUIRE) < WORKERS)
        user_yield();
    user_wait(&SHARED->word[32], SHARED->word[32], user_now() + 5000000);
    __atomic_store_n(&alias->word[30], 1, __ATOMIC_RELEASE);
    CHECK_IS(user_wake(&alias->word[30], ~0ull), WORKERS);
    for (n = 0; n < WORKERS; n++)
        CHECK_IS(user_join(n), 0);
}

/* Sleeps until its deadline, and returns how many threads woke before it. */
static void child_deadline(uint64_t arg)
{
    user_wait(&SHARED->word[33], 0, SHARED->word[34] + arg * 1000000);
    CALL(thread_exit, __atomic_fetch_add(&SHARED->word[35], 1, __ATOMIC_ACQ_REL));
}

static void test_deadlines_expire_in_order(void)
{
    static const uint8_t order[8] = { 5, 2, 7, 0, 3, 6, 1, 4 };
    unsigned n;

    SHARED->word[33] = 0;
    SHARED->word[35] = 0;
    SHARED->word[34] = user_now() + 60000000;
    for (n = 0; n < 8; n++)
        user_thread(n, child_deadline, 10u * order[n]);
    for (n = 0; n < 8; n++)
        CHECK_IS(user_join(n), order[n]);
}

void test_main(void)
{
    test_wait_and_timeout();
    test_sync_rejects_bad_arguments();
    test_two_threads_wake_each_other();
    test_lock_word_excludes();
    test_sleep_on_six_words();
    test_wake_leaves_other_words_asleep();
    test_wake_all_through_another_address();
    test_deadlines_expire_in_order();
}
