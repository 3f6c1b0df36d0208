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

/* --- sleepers that are known to sleep --------------------------------------------------------- */

/* Sleeps on word 40, which is woken last. */
static void child_one(uint64_t arg)
{
    long ret = user_wait(&SHARED->word[40], 0, TWZ_FOREVER);

    CALL(thread_exit, ret == 1 ? SHARED->word[40] : arg);
}

static void test_wake_leaves_other_words_asleep(void)
{
    long woken = 0;
    unsigned i;

    SHARED->word[40] = 0;
    user_pin();
    user_thread_first(0, child_one, 99);
    CHECK_IS(user_wake(&SHARED->word[41], ~0ull), 0);
    CHECK_IS(user_wake(&SHARED->word[39], ~0ull), 0);
    for (i = 0; i < 4096; i++) /* many words: some are in the same bucket */
        woken += user_wake((volatile uint64_t *)SHARED + 1024 + i, ~0ull);
    CHECK_IS(woken, 0);
    CHECK_IS(user_wake(&SHARED->word[40], 0), 0);
    __atomic_store_n(&SHARED->word[40], 7, __ATOMIC_RELEASE);
    CHECK_IS(user_wake(&SHARED->word[40], 1), 1);
    CHECK_IS(user_join(0), 7);
    user_unpin();
}

/* Sleeps once on word 30, whatever its value becomes, and counts what ended the sleep. */
static void child_waits(uint64_t arg)
{
    long ret = user_wait(&SHARED->word[30], 0, TWZ_FOREVER);

    __atomic_fetch_add(&SHARED->word[31], ret == 1, __ATOMIC_RELAXED);
    (void)arg;
}

static void start_sleepers(void)
{
    unsigned n;

    SHARED->word[30] = 0;
    SHARED->word[31] = 0;
    for (n = 0; n < WORKERS; n++)
        user_thread_first(n, child_waits, 0);
    CHECK_IS(SHARED->word[31], 0);
}

/* A wake of n sleepers ends n sleeps, says so, and leaves the others asleep. */
static void test_wake_counts_exactly(void)
{
    unsigned n;

    user_pin();
    start_sleepers();
    CHECK_IS(user_wake(&SHARED->word[30], 1), 1);
    CHECK_IS(SHARED->word[31], 1); /* it ran before this thread could go on */
    CHECK_IS(user_wake(&SHARED->word[30], 2), 2);
    CHECK_IS(SHARED->word[31], 3);
    CHECK_IS(user_wake(&SHARED->word[30], 5), WORKERS - 3);
    CHECK_IS(SHARED->word[31], WORKERS);
    CHECK_IS(user_wake(&SHARED->word[30], ~0ull), 0);
    for (n = 0; n < WORKERS; n++)
        CHECK_IS(user_join(n), 0);
    user_unpin();
}

/* One call wakes all sleepers; the kernel identifies the word by object and offset. */
static void test_wake_all_through_another_address(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(SLOT_SHARED) + TWZ_OBJ_RECORD);
    struct shared *alias = (struct shared *)(TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE);
    unsigned n;

    user_map(SLOT_TEST, r->id, TWZ_READ | TWZ_WRITE);
    user_pin();
    start_sleepers();
    __atomic_store_n(&alias->word[30], 1, __ATOMIC_RELEASE);
    CHECK_IS(user_wake(&alias->word[30], ~0ull), WORKERS);
    CHECK_IS(SHARED->word[31], WORKERS);
    for (n = 0; n < WORKERS; n++)
        CHECK_IS(user_join(n), 0);
    user_unpin();
}

/* --- deadlines -------------------------------------------------------------------------------- */

#define MILLISECOND 1000000ull

/* Sleeps until its deadline, not less, and returns how many threads woke before it. */
static void child_deadline(uint64_t arg)
{
    uint64_t deadline = SHARED->word[34] + arg * MILLISECOND;

    CHECK_IS(user_wait(&SHARED->word[33], 0, deadline), -TWZ_ETIMEDOUT);
    CHECK(user_now() >= deadline);
    CALL(thread_exit, __atomic_fetch_add(&SHARED->word[35], 1, __ATOMIC_ACQ_REL));
}

/* The clock counts instructions, so that the same loop takes the same time. */
static bool is_clock_counting(void)
{
    uint64_t took[4];
    volatile unsigned i;
    unsigned n;

    for (n = 0; n < 4; n++) {
        took[n] = user_now();
        for (i = 0; i < 100000; i++)
            continue;
        took[n] = user_now() - took[n];
    }
    return took[1] == took[2] && took[2] == took[3];
}

/* Elsewhere a deadline may have passed before its thread sleeps, and the order means nothing. */
static void test_deadlines_expire_in_order(void)
{
    static const uint8_t order[8] = { 5, 2, 7, 0, 3, 6, 1, 4 };
    bool counting = is_clock_counting();
    unsigned n;

    SHARED->word[33] = 0;
    SHARED->word[35] = 0;
    SHARED->word[34] = user_now() + 60 * MILLISECOND;
    for (n = 0; n < 8; n++)
        user_thread(n, child_deadline, 10u * order[n]);
    for (n = 0; n < 8; n++) {
        uint64_t turn = user_join(n);

        CHECK(turn == order[n] || !counting);
    }
    CHECK_IS(SHARED->word[35], 8);
    user_log(counting ? "the clock counts" : "the clock runs");
}

void test_main(void)
{
    test_wait_and_timeout();
    test_sync_rejects_bad_arguments();
    test_two_threads_wake_each_other();
    test_lock_word_excludes();
    test_sleep_on_six_words();
    test_wake_leaves_other_words_asleep();
    test_wake_counts_exactly();
    test_wake_all_through_another_address();
    test_deadlines_expire_in_order();
}
