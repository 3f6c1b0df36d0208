/* SPDX-License-Identifier: MIT */
/*
 * Owns the signal queue and the signal mask of each thread.
 *
 * Invariant: under thread->lock, THREAD_SIGNAL is set in thread->pending if and only if the queue
 * holds a signal that is not masked.
 *
 * Locks: thread->lock alone.
 */
#include <lib/string.h>
#include <twz/signal.h>
#include "sigqueue.h"

/* The index of the eldest signal that is not masked, or nsignals. */
static unsigned find_deliverable(const struct thread *t)
{
    unsigned i = 0;

    while (i < t->nsignals && (t->signal_mask & TWZ_SIGNAL_BIT(t->signals[i].signal)) != 0)
        i++;
    return i;
}

static bool update_pending_locked(struct thread *t)
{
    bool any = find_deliverable(t) < t->nsignals;

    if (any)
        atomic_fetch_or(&t->pending, THREAD_SIGNAL);
    else
        atomic_fetch_and(&t->pending, ~THREAD_SIGNAL);
    return any;
}

int sigqueue_add(struct thread *t, uint64_t signal, uint64_t value)
{
    int ret = -TWZ_EAGAIN;

    spin_lock(&t->lock);
    if (t->nsignals < TWZ_SIGNALS_QUEUED) {
        t->signals[t->nsignals++] = (struct twz_queued_signal){ signal, value };
        ret = (t->signal_mask & TWZ_SIGNAL_BIT(signal)) == 0;
        if (ret == 1)
            atomic_fetch_or(&t->pending, THREAD_SIGNAL);
    }
    spin_unlock(&t->lock);
    return ret;
}

struct twz_queued_signal sigqueue_take(struct thread *t)
{
    struct twz_queued_signal s = { 0, 0 };
    unsigned i;

    spin_lock(&t->lock);
    i = find_deliverable(t);
    if (i < t->nsignals) {
        s = t->signals[i];
        t->nsignals--;
        memmove(&t->signals[i], &t->signals[i + 1], (t->nsignals - i) * sizeof(s));
    }
    update_pending_locked(t);
    spin_unlock(&t->lock);
    return s;
}

bool sigqueue_set_mask(struct thread *t, uint64_t mask)
{
    bool any;

    if (t->ngates > 0)
        mask = ~0ull;
    spin_lock(&t->lock);
    t->signal_mask = mask & ~TWZ_SIGNAL_BIT(TWZ_SIGNAL_KILL);
    any = update_pending_locked(t);
    spin_unlock(&t->lock);
    return any;
}
