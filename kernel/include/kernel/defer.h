/* SPDX-License-Identifier: MIT */
/*
 * Deferred work. The running thread owes what it queues: it does the work, batch by batch, before
 * it returns to user mode. Between two batches it may be preempted or killed, and it may end; a
 * thread that has ended stays on the run queues until it owes nothing. So no work is lost, and none
 * delays a thread that did not cause it.
 */
#ifndef KERNEL_DEFER_H
#define KERNEL_DEFER_H

#include <kernel/deferred.h>
#include <kernel/thread.h>

/* Queues work, which must be on no list, on the running thread. On a core without a thread, and in
 * the midst of deferred work, no thread owes it. Takes locks of its own, last. */
void defer(struct deferred *work);

/* Queues work that no thread owes, because an interrupt has made it. Idle cores do it; if there are
 * none, a timer lets a core do one batch at a time, so it ends whatever the threads do, and takes a
 * small share of a core from them. Takes locks of its own, last. */
void defer_unowned(struct deferred *work);

/* The same, from a timer that fires: takes no lock of a timer heap. */
void defer_from_timer(struct deferred *work);

static inline bool defer_owes(const struct thread *t)
{
    return !list_is_empty(&t->owed);
}

/* Does one batch of the oldest work that the running thread owes. The caller must hold no lock. */
void defer_step(struct thread *t);

/* Does one batch of work that no thread owes. Returns false if there was none. The caller must hold
 * no lock. */
bool defer_idle(void);

/* The same, if the timer has asked for it: a part of the upcall deferred_work (kernel/upcall.h). */
bool defer_work(void);

#endif
