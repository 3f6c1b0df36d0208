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
 * It owns security time too, which decides whether a right has expired: seconds since 1970, from
 * the RTC at boot or from the pool's counter STORE_MONO_TIME, whichever is later, plus the time
 * since boot. No call sets it back. An end that was observed stays observed:
 *
 *   1 a decision finds that security time has passed an end above the counter
 *   2 COMMIT: the counter is raised to security time
 *   3 the decision counts
 *
 * so no later boot, whatever its RTC, decides otherwise. The counter is raised each PERIOD, too.
 *
 * Lock order: pool.
 */
#include <kernel/arch.h>
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/pool.h>
#include <kernel/sched.h>

#define NS_PER_MS   1000000ull
#define NS_PER_S    1000000000ull
#define SECONDS_MAX (INT64_MAX / (int64_t)NS_PER_S) /* of security time: 2262 */
#define PERIOD_NS   30000000000ull
#define AHEAD_NS    90000000000ull

static struct timer tick;
static _Atomic uint32_t due;           /* the timer has fired */
static uint64_t security_offset;       /* security time - monotonic time, ns; may wrap */
static _Atomic uint64_t security_mark; /* the pool's counter */

/* Raises the pool's mark of security time to the present. */
static void raise_mark(void)
{
    uint64_t now = clock_security();
    struct store *store = pool_lock();

    /* COMMIT: no later boot has a security time below the mark */
    if (store && store_mono_raise(store, STORE_MONO_TIME, now) < 0)
        log_printf("pool: the mark of security time could not be raised");
    pool_unlock();
    atomic_store_explicit(&security_mark, now, memory_order_relaxed);
}

uint64_t clock_security(void)
{
    return (arch_clock_ns() + security_offset) / NS_PER_S;
}

bool clock_has_passed(uint64_t end)
{
    if (end == 0 || clock_security() < end)
        return false;
    if (end > atomic_load_explicit(&security_mark, memory_order_relaxed))
        raise_mark();
    return true;
}

uint64_t clock_at_security(uint64_t end)
{
    uint64_t ns = end * NS_PER_S - security_offset;

    if (end > SECONDS_MAX)
        return UINT64_MAX;
    return (int64_t)ns < 0 ? 0 : ns; /* 0: it was before this boot */
}

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
    raise_mark();
    timer_set(&tick, arch_clock_ns() + PERIOD_NS, TIMER_KERNEL);
}

bool clock_work(void)
{
    if (atomic_exchange(&due, 0) == 0)
        return false;
    raise_and_wait();
    return true;
}

static void start_security(uint64_t mark)
{
    uint64_t now = arch_clock_ns();
    struct arch_clock clock;

    arch_clock_params(&clock);
    mark = mark < SECONDS_MAX ? mark : SECONDS_MAX;
    security_offset = (uint64_t)clock.wall_offset;
    if ((now + security_offset) / NS_PER_S < mark)
        security_offset = mark * NS_PER_S - now;
    security_mark = mark;
}

void clock_init(void)
{
    struct store *store = pool_lock();
    bool has_pool = store != NULL;
    uint64_t mark = store ? store_mono_get(store, STORE_MONO_TIME) : 0;
    uint64_t bound = store ? store_mono_get(store, STORE_MONO_CLOCK) : 0;

    pool_unlock();
    if (has_pool)
        arch_clock_continue(bound * NS_PER_MS);
    start_security(mark);
    if (!has_pool)
        return;
    tick.fire = request_raise;
    raise_and_wait();
}
