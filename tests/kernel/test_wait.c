/* SPDX-License-Identifier: MIT */
/* thread_wait, thread_wake, thread_wake_wait; many sleepers on one word; threads of one priority
 * and of several on two cores. */
#include "user.h"

#define MANY   96u
#define SECOND 1000000000ull
#define WORD   (&SHARED->word[0])
#define OTHER  (&SHARED->word[1])

static long wait_word(volatile uint64_t *word, uint64_t value, uint64_t deadline)
{
    return CALL(thread_wait, word, value, deadline, TWZ_SYNC_64);
}

static void test_wait_checks_its_arguments(void)
{
    uint64_t odd = (uint64_t)(uintptr_t)WORD + 4;

    *WORD = 7;
    CHECK_IS(wait_word(WORD, 6, TWZ_FOREVER), 0);
    CHECK_IS(wait_word(WORD, 7, 0), -TWZ_ETIMEDOUT);
    CHECK_IS(wait_word(WORD, 7, user_now() + 1000), -TWZ_ETIMEDOUT);
    CHECK_IS(CALL(thread_wait, WORD, 7, 0, 0), -TWZ_ETIMEDOUT);
    CHECK_IS(CALL(thread_wait, WORD, 7ull << 32 | 7, 0, 0), -TWZ_ETIMEDOUT); /* 32 bits count */
    CHECK_IS(CALL(thread_wait, WORD, 7ull << 32 | 7, 0, TWZ_SYNC_64), 0);
    CHECK_IS(CALL(thread_wait, WORD, 7, 0, 4), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_wait, WORD, 7, 0, TWZ_SYNC_WAKE), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_wait, odd, 0, 0, TWZ_SYNC_64), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_wait, odd, 0, 0, 0), -TWZ_ETIMEDOUT);
    CHECK_IS(CALL(thread_wait, odd + 1, 0, 0, 0), -TWZ_EINVAL);
    CHECK_IS(wait_word((volatile uint64_t *)8, 0, 0), -TWZ_EFAULT);
    CHECK_IS(wait_word((volatile uint64_t *)(1ull << 47), 0, 0), -TWZ_EFAULT);
    CHECK_IS(wait_word((volatile uint64_t *)0xffff800000000000ull, 0, 0), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_wake, odd, 1), 0);
    CHECK_IS(CALL(thread_wake, odd + 1, 1), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_wake, 8, 1), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_wake_wait, WORD, OTHER, 0, 0, 4), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_wake_wait, odd + 1, OTHER, 0, 0, 0), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_wake_wait, 8, OTHER, 0, 0, 0), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_wake_wait, WORD, 8, 0, 0, 0), -TWZ_EFAULT);
}

/* A sleep needs READ of the word, a wake WRITE. */
static void test_wake_needs_write(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_sync op = { .addr = (uint64_t)(uintptr_t)BASE(SLOT_TEST), .op = TWZ_SYNC_WAKE };

    user_map(SLOT_TEST, id, TWZ_READ);
    CHECK_IS(wait_word(BASE(SLOT_TEST), 0, 0), -TWZ_ETIMEDOUT);
    CHECK_IS(CALL(thread_wake, BASE(SLOT_TEST), 1), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_wake_wait, BASE(SLOT_TEST), OTHER, 1, 0, TWZ_SYNC_64), -TWZ_EFAULT);
    CALL(thread_sync, &op, 1, 0);
    CHECK_IS(op.result, -TWZ_EFAULT);
    user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
    CHECK_IS(CALL(thread_wake, BASE(SLOT_TEST), 1), 0);
    CHECK_IS(CALL(thread_wake_wait, BASE(SLOT_TEST), WORD, 1, 0, TWZ_SYNC_64), 0);
    CALL(thread_sync, &op, 1, 0);
    CHECK_IS(op.result, 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

static void child_sleeper(uint64_t arg)
{
    __atomic_fetch_add(&SHARED->word[2], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(WORD, __ATOMIC_ACQUIRE) == 0)
        (void)wait_word(WORD, 0, TWZ_FOREVER);
    CALL(thread_exit, arg);
}

/* More sleepers than one batch of a wake: none is lost, and a count is kept over batches. */
static void test_many_sleepers_wake(void)
{
    unsigned i;
    long woken;

    *WORD = 0;
    SHARED->word[2] = 0;
    for (i = 0; i < MANY; i++)
        user_thread(i, child_sleeper, i);
    while (__atomic_load_n(&SHARED->word[2], __ATOMIC_ACQUIRE) < MANY)
        user_yield();
    user_yield();
    CHECK_IS(CALL(thread_wake, WORD, 0), 0);
    woken = CALL(thread_wake, WORD, MANY - 10);
    if (user_system()->cores == 1)
        CHECK_IS(woken, MANY - 10);
    CHECK(woken <= (long)MANY - 10);
    __atomic_store_n(WORD, 1, __ATOMIC_RELEASE);
    CALL(thread_wake, WORD, UINT64_MAX);
    for (i = 0; i < MANY; i++)
        CHECK_IS(user_join(i), i);
}

static void child_wakes(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        while (__atomic_load_n(OTHER, __ATOMIC_ACQUIRE) == i)
            ;
        __atomic_store_n(WORD, i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake, WORD, 1);
    }
}

/* A wake that comes while the waiter queues ends that wait, and no later one. */
static void test_wake_ends_one_wait(void)
{
    uint64_t rounds = user_system()->cores == 1 ? 20 : 1500, early = 0,
             i; /* a round takes a slice */

    *WORD = 0;
    *OTHER = 0;
    user_thread(0, child_wakes, rounds);
    for (i = 0; i < rounds; i++) {
        __atomic_store_n(OTHER, i + 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(WORD, __ATOMIC_ACQUIRE) == i)
            (void)wait_word(WORD, i, TWZ_FOREVER);
        early += wait_word(&SHARED->word[4], 0, user_now() + 1000) == 0;
    }
    user_join(0);
    CHECK_IS(early, 0);
}

/* Sleeps on the word for moments, so that it leaves the queue of the word again and again. */
static void child_naps(uint64_t arg)
{
    while (__atomic_load_n(&SHARED->word[5], __ATOMIC_ACQUIRE) == 0)
        (void)wait_word(WORD, __atomic_load_n(WORD, __ATOMIC_ACQUIRE), user_now() + arg);
}

static void child_follows(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        while (__atomic_load_n(WORD, __ATOMIC_ACQUIRE) == i)
            if (wait_word(WORD, i, user_now() + SECOND) == -TWZ_ETIMEDOUT &&
                __atomic_load_n(WORD, __ATOMIC_ACQUIRE) != i)
                SHARED->word[6]++;
        __atomic_store_n(OTHER, i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake, OTHER, 1);
    }
}

/* A wake finds a waiter while another one, the first of the word, leaves the queue. */
static void test_wake_beside_a_leaving_waiter(void)
{
    uint64_t rounds = 4000, i;
    objid_t naps, follows;

    if (user_system()->cores < 2)
        return;
    for (i = 0; i <= 6; i++)
        SHARED->word[i] = 0;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1);
    naps = user_thread(0, child_naps, 3000);
    follows = user_thread(1, child_follows, rounds);
    CHECK_IS(CALL(thread_ctl, IDARG(naps), TWZ_THREAD_CORES, 2), 0);
    CHECK_IS(CALL(thread_ctl, IDARG(follows), TWZ_THREAD_CORES, 2), 0);
    for (i = 0; i < rounds; i++) {
        __atomic_store_n(WORD, i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake, WORD, UINT64_MAX);
        while (__atomic_load_n(OTHER, __ATOMIC_ACQUIRE) == i)
            (void)wait_word(OTHER, i, TWZ_FOREVER);
    }
    __atomic_store_n(&SHARED->word[5], 1, __ATOMIC_RELEASE);
    user_join(0);
    user_join(1);
    CHECK_IS(SHARED->word[6], 0);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull);
}

static void child_answers(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        while (__atomic_load_n(WORD, __ATOMIC_ACQUIRE) == i)
            (void)wait_word(WORD, i, TWZ_FOREVER);
        __atomic_store_n(OTHER, i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake_wait, OTHER, WORD, i + 1, user_now() + 2000000, TWZ_SYNC_64);
    }
}

/* A third thread of the same priority runs beside two that hand the core to each other. */
static void child_counts(uint64_t arg)
{
    while (__atomic_load_n(OTHER, __ATOMIC_ACQUIRE) < arg)
        __atomic_fetch_add(&SHARED->word[3], 1, __ATOMIC_RELAXED);
}

static void test_handed_core_is_shared(void)
{
    uint64_t rounds = 20000, i;

    *WORD = 0;
    *OTHER = 0;
    SHARED->word[3] = 0;
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    user_thread(0, child_answers, rounds);
    user_thread(1, child_counts, rounds);
    for (i = 0; i < rounds; i++) {
        __atomic_store_n(WORD, i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake_wait, WORD, OTHER, i, TWZ_FOREVER, TWZ_SYNC_64);
        while (__atomic_load_n(OTHER, __ATOMIC_ACQUIRE) == i)
            (void)wait_word(OTHER, i, TWZ_FOREVER);
    }
    user_join(0);
    user_join(1);
    CHECK(SHARED->word[3] > 1000);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
}

/* --- priorities ------------------------------------------------------------------------------- */

static void child_spins(uint64_t priority)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, priority);
    __atomic_fetch_add(&SHARED->word[20], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&SHARED->word[21], __ATOMIC_ACQUIRE) == 0)
        __asm__ volatile("pause");
}

static void wait_for(unsigned word, uint64_t least)
{
    while (__atomic_load_n(&SHARED->word[word], __ATOMIC_ACQUIRE) < least)
        __asm__ volatile("pause"); /* for ever, if a thread does not run */
}

static void child_between(uint64_t arg)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 20);
    __atomic_store_n(&SHARED->word[22], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&SHARED->word[23], __ATOMIC_ACQUIRE) == 0)
        (void)wait_word(&SHARED->word[23], 0, TWZ_FOREVER);
    __atomic_store_n(&SHARED->word[24], 1, __ATOMIC_RELEASE);
    (void)arg;
}

/* This thread runs at 10 on core 1, another at 31 on core 0: one of priority 20, which ran on core
 * 0 last, takes core 1 from this thread, which never leaves user mode by itself. */
static void test_higher_priority_takes_another_core(void)
{
    unsigned i;
    objid_t t;

    if (user_system()->cores < 2)
        return;
    for (i = 20; i <= 24; i++)
        SHARED->word[i] = 0;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 10);
    t = user_thread(0, child_between, 0);
    while (__atomic_load_n(&SHARED->word[22], __ATOMIC_ACQUIRE) == 0)
        user_yield();
    user_yield();
    CHECK_IS(CALL(thread_ctl, IDARG(t), TWZ_THREAD_CORES, 3), 0);
    t = user_thread(1, child_spins, 31);
    CALL(thread_ctl, IDARG(t), TWZ_THREAD_CORES, 1);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 2);
    wait_for(20, 1);
    __atomic_store_n(&SHARED->word[23], 1, __ATOMIC_RELEASE);
    CALL(thread_wake, &SHARED->word[23], 1);
    wait_for(24, 1);
    CHECK_IS(SHARED->word[24], 1);
    __atomic_store_n(&SHARED->word[21], 1, __ATOMIC_RELEASE);
    user_join(0);
    user_join(1);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 16);
}

/* On core 0, where only core 1 is left to it when a thread of priority 31 comes. */
static void child_runs_on_two(uint64_t arg)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 20);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 3);
    __atomic_store_n(&SHARED->word[22], 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&SHARED->word[23], __ATOMIC_ACQUIRE) == 0)
        __atomic_fetch_add(&SHARED->word[24], 1, __ATOMIC_RELAXED);
    (void)arg;
}

static void start_pinned(unsigned n, uint64_t priority, uint64_t core)
{
    objid_t t = user_thread(n, child_spins, priority);

    CHECK_IS(CALL(thread_ctl, IDARG(t), TWZ_THREAD_CORES, 1ull << core), 0);
}

/* Core 1 runs priority 15, core 2 priority 5. A thread of priority 20 that may use cores 0 and 1
 * loses core 0: it takes core 1, although core 2 runs a lower one. */
static void test_displaced_thread_takes_a_core_it_may_use(void)
{
    objid_t displaced;
    unsigned i;

    if (user_system()->cores < 4)
        return;
    for (i = 20; i <= 24; i++)
        SHARED->word[i] = 0;
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 8);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 25);
    start_pinned(0, 5, 2);
    start_pinned(1, 15, 1);
    wait_for(20, 2);
    displaced = user_thread(2, child_runs_on_two, 0);
    CHECK_IS(CALL(thread_ctl, IDARG(displaced), TWZ_THREAD_CORES, 1), 0);
    wait_for(22, 1);
    start_pinned(3, 31, 0);
    wait_for(20, 3);
    wait_for(24, __atomic_load_n(&SHARED->word[24], __ATOMIC_RELAXED) + 1);
    __atomic_store_n(&SHARED->word[23], 1, __ATOMIC_RELEASE);
    __atomic_store_n(&SHARED->word[21], 1, __ATOMIC_RELEASE);
    for (i = 0; i < 4; i++)
        user_join(i);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 16);
}

static void pin_self(uint64_t cores, uint64_t priority)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, cores);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, priority);
    user_yield();
}

/* Says which value of WORD it has seen. */
static void child_high(uint64_t arg)
{
    uint64_t seen;

    (void)arg;
    pin_self(1, 25);
    while (__atomic_load_n(&SHARED->word[5], __ATOMIC_ACQUIRE) == 0) {
        seen = __atomic_load_n(WORD, __ATOMIC_ACQUIRE);
        __atomic_store_n(OTHER, seen, __ATOMIC_RELEASE);
        (void)wait_word(WORD, seen, TWZ_FOREVER);
    }
}

static void child_wakes_always(uint64_t arg)
{
    (void)arg;
    pin_self(2, 16);
    while (__atomic_load_n(&SHARED->word[5], __ATOMIC_ACQUIRE) == 0)
        CALL(thread_wake, &SHARED->word[2], 1);
}

/* A thread wakes one of higher priority on its core and sleeps, in one call. Another core ends that
 * sleep before the thread has left the core: the one of higher priority must run first. */
static void test_woken_thread_of_higher_priority_runs_first(void)
{
    uint64_t late = 0, i;

    if (user_system()->cores != 2)
        return;
    for (i = 0; i <= 5; i++)
        SHARED->word[i] = 0;
    pin_self(1, 10);
    user_thread(0, child_high, 0);
    user_thread(1, child_wakes_always, 0);
    user_yield();
    for (i = 1; i <= 2000; i++) {
        struct twz_sync op[2] = {
            { .addr = (uint64_t)(uintptr_t)WORD, .value = 1, .op = TWZ_SYNC_WAKE },
            { .addr = (uint64_t)(uintptr_t)&SHARED->word[2], .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 }
        };

        __atomic_store_n(WORD, i, __ATOMIC_RELEASE);
        CALL(thread_sync, op, 2, TWZ_FOREVER);
        late += __atomic_load_n(OTHER, __ATOMIC_ACQUIRE) != i;
    }
    __atomic_store_n(&SHARED->word[5], 1, __ATOMIC_RELEASE);
    __atomic_store_n(WORD, i, __ATOMIC_RELEASE);
    CALL(thread_wake, WORD, 1);
    user_join(0);
    user_join(1);
    CHECK_IS(late, 0);
    pin_self(~0ull, 16);
}

void test_main(void)
{
    user_handlers();
    test_wait_checks_its_arguments();
    test_wake_needs_write();
    test_many_sleepers_wake();
    test_wake_ends_one_wait();
    test_wake_beside_a_leaving_waiter();
    test_handed_core_is_shared();
    test_higher_priority_takes_another_core();
    test_displaced_thread_takes_a_core_it_may_use();
    test_woken_thread_of_higher_priority_runs_first();
}
