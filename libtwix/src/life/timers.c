/* SPDX-License-Identifier: MIT */
/* The interval timer; see timers.h. */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <twz/call.h>
#include <twz/syscall.h>
#include <twz/threads.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/lock.h"
#include "base/thread.h"
#include "base/times.h"
#include "timers.h"

#define KEEPER_STACK 16384u

static struct twz_mutex lock; /* guards all below but `changes`; timers_end does not take it */
static uint64_t due;          /* monotonic ns; TWZ_FOREVER: the timer is off */
static uint64_t interval;     /* ns, 0: the timer fires once */
static uint64_t changes;      /* set_timer raises it after storing `due`; the keeper sleeps here */
static struct twz_thrd keeper;
static bool running; /* the keeper was started */

/* Returns whether the timer is due. A due timer is armed again, or turned off if it fires once.
 * Sets *until to the next due time. */
static bool advance_timer(uint64_t *until)
{
    uint64_t now = twz_clock();
    bool fire;

    lock_acquire(&lock);
    fire = due <= now;
    if (fire)
        due = interval ? now + interval : TWZ_FOREVER;
    *until = due;
    lock_release(&lock);
    return fire;
}

/* The keeper reads `changes`, then `due`; set_timer stores `due`, then raises `changes`. So the
 * keeper misses no change. */
static void run_keeper(void *arg)
{
    (void)arg;
    for (;;) {
        uint64_t seen = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
        uint64_t until;

        if (advance_timer(&until))
            (void)twz_sys_thread_signal(thread_first()->repr.id, SIGALRM, 0);
        (void)twz_sync_wait(&changes, seen, until);
    }
}

static int start_keeper(void)
{
    const struct twz_thrd_spawn spawn = { .fn = run_keeper, .stack_size = KEEPER_STACK };
    int err;

    if (running)
        return 0;
    due = TWZ_FOREVER;
    thread_mark_others();
    err = err_linux(twz_thread_spawn(&keeper, &spawn));
    running = err == 0;
    return err;
}

void timers_end(void)
{
    if (running)
        (void)twz_sys_thread_signal(keeper.repr.id, TWZ_SIGNAL_KILL, 0);
}

/* --- the calls -------------------------------------------------------------------------------- */

static struct timeval timeval_of(uint64_t ns)
{
    return (struct timeval){ .tv_sec = (time_t)(ns / TIMES_SECOND),
                             .tv_usec = (suseconds_t)(ns % TIMES_SECOND / TIMES_MICROSECOND) };
}

static int ns_of_timeval(const struct timeval *tv, uint64_t *ns)
{
    if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
        return -EINVAL;
    *ns = (uint64_t)tv->tv_sec > INT64_MAX / TIMES_SECOND - 1
              ? INT64_MAX
              : (uint64_t)tv->tv_sec * TIMES_SECOND + (uint64_t)tv->tv_usec * TIMES_MICROSECOND;
    return 0;
}

/* Fills in *it with the time left and the interval. The caller must hold the lock. */
static void get_timer(struct itimerval *it)
{
    uint64_t now = twz_clock();
    uint64_t left = 0;

    if (running && due != TWZ_FOREVER)
        left = due > now ? due - now : TIMES_MICROSECOND;
    it->it_value = timeval_of(left);
    it->it_interval = timeval_of(running ? interval : 0);
}

int64_t linux_getitimer(int64_t which, void *value)
{
    if (which != ITIMER_REAL)
        return -EINVAL;
    lock_acquire(&lock);
    get_timer(value);
    lock_release(&lock);
    return 0;
}

/* Sets the timer; a `value` of 0 turns the timer off. Stores the previous setting in *old, unless
 * `old` is NULL. */
static int set_timer(uint64_t value, uint64_t every, struct itimerval *old)
{
    int err;

    lock_acquire(&lock);
    if (old)
        get_timer(old);
    err = value ? start_keeper() : 0;
    if (err == 0) {
        due = value ? twz_clock() + value : TWZ_FOREVER;
        interval = every;
        __atomic_fetch_add(&changes, 1, __ATOMIC_RELEASE);
    }
    lock_release(&lock);
    (void)twz_sync_wake(&changes, 1);
    return err;
}

int64_t linux_setitimer(int64_t which, const void *new, void *old)
{
    const struct itimerval *it = new;
    uint64_t value = 0, every = 0;
    int err = which == ITIMER_REAL ? 0 : -EINVAL;

    if (err == 0 && it)
        err = ns_of_timeval(&it->it_value, &value);
    if (err == 0 && it)
        err = ns_of_timeval(&it->it_interval, &every);
    return err < 0 ? err : set_timer(value, every, old);
}

int64_t linux_alarm(int64_t seconds)
{
    struct itimerval old;
    int err = set_timer((uint64_t)seconds * TIMES_SECOND, 0, &old);

    return err < 0 ? 0 : old.it_value.tv_sec + (old.it_value.tv_usec >= 500000);
}
