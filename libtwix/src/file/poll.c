/* SPDX-License-Identifier: MIT */
/* poll, ppoll, select, pselect: one thread_sync waits for any of the files. If there are more files
 * than one thread_sync takes, the thread polls all files again every RETRY_NS. */
#include <errno.h>
#include <poll.h>
#include <sys/select.h>
#include <twz/syscall.h>
#include <twz/threads.h>

#include "base/guard.h"
#include "base/linux.h"
#include "base/signals.h"
#include "base/thread.h"
#include "base/times.h"
#include "base/wait.h"
#include "fd.h"

#define WAITS    (TWZ_SYNC_MAX - 1) /* one op is for the pending word */
#define RETRY_NS 20000000ull

struct waits {
    struct twz_sync op[TWZ_SYNC_MAX];
    uint32_t count;
    bool overflow; /* a file has no op */
};

/* Returns the events of `want` that are ready on fd. If none is ready, adds a sleep to w. */
static uint32_t poll_fd(int fd, uint32_t want, struct waits *w)
{
    struct twz_sync wait = { 0 };
    struct file *f = fd_get(fd);
    uint32_t there = want & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
    int64_t ret;

    if (!f)
        return POLLNVAL;
    if (f->ops->poll) {
        ret = GUARDED(file_watch(f), f->ops->poll(f, want, &wait));
        there = ret < 0 ? POLLERR : (uint32_t)ret;
    }
    file_put(f);
    if (there || wait.addr == 0)
        return there;
    if (w->count < WAITS)
        w->op[w->count++] = wait;
    else
        w->overflow = true;
    return 0;
}

/* Sleeps on the ops that poll_fd added. Returns 0 when the caller must poll again, -EINTR, or
 * -ETIMEDOUT if the deadline is past. */
static int sleep_on_fds(struct waits *w, uint64_t deadline)
{
    uint64_t now = twz_clock();
    uint64_t until = w->overflow && deadline > now + RETRY_NS ? now + RETRY_NS : deadline;
    int err;

    if (deadline <= now)
        return -ETIMEDOUT;
    err = wait_ops(w->op, w->count, until);
    return err == -ETIMEDOUT && until != deadline ? 0 : err;
}

/* Serves poll. Returns how many descriptors have events, 0 at the deadline, or an error. */
static int64_t poll_until(struct pollfd *fds, uint64_t count, uint64_t deadline)
{
    struct waits w;
    int64_t ready, ret;

    for (;;) {
        w.count = 0;
        w.overflow = false;
        ready = 0;
        for (uint64_t i = 0; i < count; i++) {
            uint32_t want = (uint16_t)fds[i].events;

            fds[i].revents = fds[i].fd < 0 ? 0 : (short)poll_fd(fds[i].fd, want, &w);
            ready += fds[i].revents != 0;
        }
        if (ready)
            return ready;
        ret = sleep_on_fds(&w, deadline);
        if (ret < 0)
            return ret == -ETIMEDOUT ? 0 : ret;
    }
}

int64_t linux_poll(void *fds, uint64_t count, int64_t timeout)
{
    int ms = (int)timeout;

    if (count > FD_MAX)
        return -EINVAL;
    return poll_until(fds, count, ms < 0 ? TWZ_FOREVER : twz_clock() + (uint64_t)ms * 1000000u);
}

/* Waits with another signal mask (NULL: the thread's own). After -EINTR that mask stays until the
 * handler has run; run_handler (life/deliver.c) then restores the thread's own mask. */
static int64_t with_mask(const uint64_t *mask, int64_t (*wait)(void *ctx), void *ctx)
{
    struct thread *t = thread_self();
    uint64_t old = t->mask;
    int64_t ret;

    if (mask)
        signals_set_mask(t, *mask);
    ret = wait(ctx);
    if (mask && ret == -EINTR) {
        t->suspend_mask = old;
        t->suspended = true;
    } else {
        signals_set_mask(t, old);
    }
    return ret;
}

struct poll_job {
    struct pollfd *fds;
    uint64_t count;
    uint64_t deadline;
};

static int64_t do_poll(void *ctx)
{
    const struct poll_job *j = ctx;

    return poll_until(j->fds, j->count, j->deadline);
}

int64_t linux_ppoll(void *fds, uint64_t count, const void *timeout, const void *mask,
                    uint64_t masklen)
{
    struct poll_job job = { fds, count, 0 };
    int err;

    (void)masklen;
    if (count > FD_MAX)
        return -EINVAL;
    err = times_deadline_in(timeout, &job.deadline);
    return err < 0 ? err : with_mask(mask, do_poll, &job);
}

/* --- select ----------------------------------------------------------------------------------- */

struct select_job {
    unsigned count;
    fd_set *set[3]; /* read, write, exception; NULL: the caller did not ask */
    fd_set out[3];
    uint64_t deadline;
};

static const uint32_t select_events[3] = { POLLIN | POLLRDNORM | POLLHUP | POLLERR,
                                           POLLOUT | POLLWRNORM | POLLERR, POLLPRI };

/* Polls all descriptors of the sets into j->out. Returns how many bits are set, or -EBADF. */
static int64_t poll_sets(struct select_job *j, struct waits *w)
{
    int64_t ready = 0;

    for (int s = 0; s < 3; s++) {
        FD_ZERO(&j->out[s]);
        for (unsigned fd = 0; j->set[s] && fd < j->count; fd++) {
            uint32_t there;

            if (!FD_ISSET(fd, j->set[s]))
                continue;
            there = poll_fd((int)fd, select_events[s], w);
            if (there & POLLNVAL)
                return -EBADF;
            if (!(there & select_events[s]))
                continue;
            FD_SET(fd, &j->out[s]);
            ready++;
        }
    }
    return ready;
}

/* Serves select. Returns how many bits are set, 0 at the deadline, or an error. The sets change
 * only on success. */
static int64_t do_select(void *ctx)
{
    struct select_job *j = ctx;
    struct waits w;
    int64_t ret;

    do {
        w.count = 0;
        w.overflow = false;
        ret = poll_sets(j, &w);
        if (ret == 0)
            ret = sleep_on_fds(&w, j->deadline);
        else
            break;
    } while (ret >= 0);
    if (ret == -ETIMEDOUT)
        ret = 0;
    for (int s = 0; s < 3 && ret >= 0; s++)
        if (j->set[s])
            *j->set[s] = j->out[s];
    return ret;
}

int64_t linux_pselect6(int64_t count, void *rd, void *wr, void *ex, const void *timeout,
                       const void *mask)
{
    struct select_job job = { .count = (unsigned)count, .set = { rd, wr, ex } };
    const uint64_t *const *sigmask = mask; /* { mask, its length } */
    int err;

    if (count < 0 || count > FD_SETSIZE)
        return -EINVAL;
    err = times_deadline_in(timeout, &job.deadline);
    return err < 0 ? err : with_mask(sigmask ? sigmask[0] : NULL, do_select, &job);
}

int64_t linux_select(int64_t count, void *rd, void *wr, void *ex, void *timeout)
{
    const struct timeval *tv = timeout;
    struct timespec ts;

    if (!tv)
        return linux_pselect6(count, rd, wr, ex, NULL, NULL);
    ts = (struct timespec){ .tv_sec = tv->tv_sec, .tv_nsec = (long)tv->tv_usec * 1000 };
    return linux_pselect6(count, rd, wr, ex, &ts, NULL);
}
