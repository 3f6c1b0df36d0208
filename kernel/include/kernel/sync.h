/* SPDX-License-Identifier: MIT */
/*
 * Sleeping on words, and waking. A key is (object, offset): the address of the in-core object, kept
 * alive by a reference of the sleeper. Waiters lie in buckets, each with its lock.
 *
 * A sleeper must call sync_begin, then sync_queue for each word, then compare each word once more,
 * then call sync_cancel or sched_park. A waker must change the word, then call sync_wake. So either
 * the sleeper sees the new word or the waker sees the waiter.
 */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include <kernel/thread.h>

enum sync_state {
    SYNC_NONE,
    SYNC_SLEEPING, /* may be claimed once: by a waker, the timer or a signal */
    SYNC_WOKEN,    /* thread->sync_index is the operation that was woken */
    SYNC_TIMEDOUT,
    SYNC_INTERRUPTED
};

/* Must be called once, after random_init and before any other function here. */
void sync_init(void);

/* Prepares a sleep of the running thread on n words; its state becomes SLEEPING. -TWZ_ENOMEM. */
MUST_CHECK int sync_begin(struct thread *t, unsigned n);

/* Queues the next waiter; takes over the caller's reference on object. Takes the bucket's lock. */
void sync_queue(struct thread *t, const void *object, uint64_t off, unsigned index);

/* Sets the deadline of the sleep. Must be called after the last sync_queue. */
void sync_deadline(struct thread *t, uint64_t deadline);

/* Ends the sleep: unqueues all waiters and the timer, and calls release for the object of each key.
 * Returns how the sleep was claimed, or SYNC_SLEEPING. The caller must hold no lock. */
enum sync_state sync_cancel(struct thread *t, void (*release)(const void *object));

#define SYNC_WAKE_BATCH 64u /* waiters met in one batch */

/* Wakes at most count sleepers of the key, in one batch, and adds their number to *woken. Returns
 * true if the batch has ended before the sleepers or the count. Takes the bucket's lock, and under
 * it those of threads and run queues. The caller must hold none of these, and no timer heap's. */
bool sync_wake(const void *object, uint64_t off, uint64_t count, unsigned *woken);

/* Wakes all sleepers of the key: one batch at once, the others as work that the running thread owes
 * (kernel/defer.h). Takes over a reference on object, which it drops by `release` at the end. *w
 * must not be in use, and belongs to the work until then. The caller must hold no lock. */
void sync_wake_all(struct sync_waker *w, const void *object, uint64_t off,
                   void (*release)(const void *object));

/* Ends the sleep of t, if it sleeps, for a signal. t must not end meanwhile. */
void sync_interrupt(struct thread *t);

#endif
