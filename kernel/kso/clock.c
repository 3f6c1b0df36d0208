/* SPDX-License-Identifier: MIT */
/*
 * Owns monotonic time over boots. User code reads the time by loads, so the kernel cannot record
 * each time that a program sees. It keeps a durable bound above them: the pool's counter
 * STORE_MONO_CLOCK, in ms.
 *
 *   1 boot         the clock starts at the bound
 *   2              COMMIT: the bound is raised to the clock + AHEAD, before the first program
 *   3 each PERIOD  COMMIT: the bound is raised to the clock + AHEAD
 *   after a power failure, the next boot starts at the bound: later than any time read before, by
 *   AHEAD at most
 *
 * If the machine is suspended for longer than AHEAD - PERIOD, and loses power before step 3, a
 * later boot can report a time twice.
 *
 * Lock order: pool.
 */
#include <kernel/arch.h>
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/pool.h>
#include <kernel/sched.h>

#define NS_PER_MS 1000000ull
#define PERIOD_NS 30000000000ull
#define AHEAD_NS  90000000000ull

static struct timer tick;
static _Atomic uint32_t due; /* the timer has fired */

static void raise_bound(void)
{
    uint64_t bound = (arch_clock_ns() + AHEAD_NS) / NS_PER_MS;
    struct store *store = pool_lock();

    /* COMMIT: no later boot reports a time below the bound */
    if (store && store_mono_raise(store, STORE_MONO_CLOCK, bound) < 0)
        log_printf("pool: the bound of the clock could not be raised");
    pool_unlock();
}

static void request_raise(struct timer *t)
{
    (void)t;
    atomic_store(&due, 1);
    sched_defer_work();
}

static void raise_and_wait(void)
{
    raise_bound();
    timer_set(&tick, arch_clock_ns() + PERIOD_NS, TIMER_KERNEL);
}

bool clock_work(void)
{
    if (atomic_exchange(&due, 0) == 0)
        return false;
    raise_and_wait();
    return true;
}

void clock_init(void)
{
    struct store *store = pool_lock();
    bool has_pool = store != NULL;
    uint64_t bound = store ? store_mono_get(store, STORE_MONO_CLOCK) : 0;

    pool_unlock();
    if (!has_pool)
        return;
    arch_clock_continue(bound * NS_PER_MS);
    tick.fire = request_raise;
    raise_and_wait();
}
