/* SPDX-License-Identifier: MIT */
/* See timers.h. `lock` guards due, interval, keeper; `changes` is what the keeper sleeps on. */
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
#include "timers.h"

#define MICROSECOND  1000ull
#define SECOND       1000000000ull
#define KEEPER_STACK 16384u

static struct twz_mutex lock;
static uint64_t due; /* monotonic ns; TWZ_FOREVER: the timer is off */
static uint64_t interval;
static uint64_t changes;
static struct twz_thrd keeper;
static int running;

/* If it is due: when it is due next. 1: signal. */
static int step(uint64_t *until)
{
    uint64_t now = twz_clock();
    int fire;

    lock_acquire(&lock);
    fire = due <= now;
    if (fire)
        due = interval ? now + interval : TWZ_FOREVER;
    *until = due;
    lock_release(&lock);
    return fire;
}

static void keep(void *arg)
{
    (void)arg;
    for (;;) {
        uint64_t seen = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
        uint64_t until;

        if (step(&until))
            (void)twz_sys_thread_signal(thread_first()->repr.id, SIGALRM, 0);
        (void)twz_sync_wait(&changes, seen, until);
    }
}

static int start_keeper(void)
{
    const struct twz_thrd_spawn spawn = { .fn = keep, .stack_size = KEEPER_STACK };
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
    return (struct timeval){ .tv_sec = (time_t)(ns / SECOND),
                             .tv_usec = (suseconds_t)(ns % SECOND / MICROSECOND) };
}

static int ns_of(const struct timeval *tv, uint64_t *ns)
{
    if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
        return -EINVAL;
    *ns = (uint64_t)tv->tv_sec > INT64_MAX / SECOND - 1
              ? INT64_MAX
              : (uint64_t)tv->tv_sec * SECOND + (uint64_t)tv->tv_usec * MICROSECOND;
    return 0;
}

static void tell(struct itimerval *it)
{
    uint64_t now = twz_clock();
    uint64_t left = 0;

    if (running && due != TWZ_FOREVER)
        left = due > now ? due - now : MICROSECOND;
    it->it_value = timeval_of(left);
    it->it_interval = timeval_of(running ? interval : 0);
}

int64_t linux_getitimer(int64_t which, void *value)
{
    if (which != ITIMER_REAL)
        return -EINVAL;
    lock_acquire(&lock);
    tell(value);
    lock_release(&lock);
    return 0;
}

static int64_t set(uint64_t value, uint64_t every, struct itimerval *old)
{
    int64_t ret;

    lock_acquire(&lock);
    if (old)
        tell(old);
    ret = value ? start_keeper() : 0;
    if (ret == 0) {
        due = value ? twz_clock() + value : TWZ_FOREVER;
        interval = every;
        __atomic_fetch_add(&changes, 1, __ATOMIC_RELEASE);
    }
    lock_release(&lock);
    (void)twz_sync_wake(&changes, 1);
    return ret;
}

int64_t linux_setitimer(int64_t which, const void *new, void *old)
{
    const struct itimerval *it = new;
    uint64_t value = 0, every = 0;
    int err = which == ITIMER_REAL ? 0 : -EINVAL;

    if (err == 0 && it)
        err = ns_of(&it->it_value, &value);
    if (err == 0 && it)
        err = ns_of(&it->it_interval, &every);
    return err < 0 ? err : set(value, every, old);
}

int64_t linux_alarm(int64_t seconds)
{
    struct itimerval old;
    int64_t ret = set((uint64_t)seconds * SECOND, 0, &old);

    return ret < 0 ? 0 : old.it_value.tv_sec + (old.it_value.tv_usec >= 500000);
}
