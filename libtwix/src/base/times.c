/* SPDX-License-Identifier: MIT */
/* Clocks. A clock is read from the system information page, without a kernel entry. */
#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <twz/syscall.h>
#include <twz/threads.h>

#include "linux.h"
#include "times.h"
#include "wait.h"

#define SECOND TIMES_SECOND

static uint64_t started;

void times_init(void)
{
    started = twz_clock();
}

uint64_t times_used(void)
{
    return twz_clock() - started;
}

struct timespec times_spec(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };
}

int times_ns(const struct timespec *ts, uint64_t *ns)
{
    if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long)SECOND)
        return -EINVAL;
    if ((uint64_t)ts->tv_sec > INT64_MAX / SECOND - 1)
        *ns = INT64_MAX;
    else
        *ns = (uint64_t)ts->tv_sec * SECOND + (uint64_t)ts->tv_nsec;
    return 0;
}

static int clock_now(int64_t clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI: *ns = twz_clock_wall(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: *ns = twz_clock(); return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID: *ns = times_used(); return 0;
    default: return -EINVAL;
    }
}

int times_deadline(int64_t clock, uint64_t at, uint64_t *deadline)
{
    uint64_t now;
    int err = clock_now(clock, &now);

    if (err < 0)
        return err;
    *deadline = twz_clock() + (at > now ? at - now : 0);
    return 0;
}

int times_deadline_in(const struct timespec *timeout, uint64_t *deadline)
{
    uint64_t ns;
    int err;

    *deadline = TWZ_FOREVER;
    if (!timeout)
        return 0;
    err = times_ns(timeout, &ns);
    if (err == 0)
        *deadline = twz_clock() + ns;
    return err;
}

/* --- the calls -------------------------------------------------------------------------------- */

int64_t linux_clock_gettime(int64_t clock, void *ts)
{
    uint64_t ns;
    int err = clock_now(clock, &ns);

    if (err == 0)
        *(struct timespec *)ts = times_spec(ns);
    return err;
}

int64_t linux_clock_getres(int64_t clock, void *ts)
{
    uint64_t ns;
    int err = clock_now(clock, &ns);

    if (err == 0 && ts)
        *(struct timespec *)ts = times_spec(1);
    return err;
}

int64_t linux_gettimeofday(void *tv, void *tz)
{
    uint64_t ns = twz_clock_wall();

    if (tv)
        *(struct timeval *)tv = (struct timeval){ .tv_sec = (time_t)(ns / SECOND),
                                                  .tv_usec = (suseconds_t)(ns % SECOND / 1000) };
    if (tz)
        *(struct timezone *)tz = (struct timezone){ 0 };
    return 0;
}

int64_t linux_time(void *t)
{
    int64_t now = (int64_t)(twz_clock_wall() / SECOND);

    if (t)
        *(int64_t *)t = now;
    return now;
}

/* Reports clock ticks of a hundredth of a second. */
int64_t linux_times(void *buf)
{
    if (buf)
        *(struct tms *)buf = (struct tms){ .tms_utime = (clock_t)(times_used() / 10000000u) };
    return (int64_t)(twz_clock() / 10000000u);
}

static int sleep_until(uint64_t deadline)
{
    static const uint64_t never;
    struct twz_sync op[2] = { wait_sleep_op(&never, 0) };
    int err = wait_ops(op, 1, deadline);

    return err == -ETIMEDOUT ? 0 : err;
}

int64_t linux_clock_nanosleep(int64_t clock, uint32_t flags, const void *want, void *left)
{
    uint64_t ns, deadline, now;
    int err = times_ns(want, &ns);

    if (err == 0 && (flags & TIMER_ABSTIME))
        err = times_deadline(clock, ns, &deadline);
    else
        deadline = twz_clock() + ns;
    if (err < 0)
        return err;
    do {
        err = sleep_until(deadline);
        now = twz_clock();
    } while (err >= 0 && now < deadline);
    if (err == -EINTR && left && !(flags & TIMER_ABSTIME))
        *(struct timespec *)left = times_spec(deadline > now ? deadline - now : 0);
    return err;
}

int64_t linux_nanosleep(const void *want, void *left)
{
    return linux_clock_nanosleep(CLOCK_MONOTONIC, 0, want, left);
}
