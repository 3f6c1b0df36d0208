/* SPDX-License-Identifier: MIT */
/*
 * Sleeping on words and waking. Keys are (object, offset): the address of the object's record, kept
 * alive by a reference of the sleeper. Buckets of waiters, one lock each.
 *
 * A sleeper: sync_begin, sync_queue for each word, then compares the words once more, then either
 * sync_cancel or sched_park. A waker changes the word first, then calls sync_wake. So either the
 * sleeper sees the new word or the waker sees the waiter.
 */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include <kernel/thread.h>

enum sync_state {
    SYNC_NONE,
    SYNC_SLEEPING, /* may be claimed once: by a waker, the timer or a signal */
    SYNC_WOKEN,    /* sync_index says which operation */
    SYNC_TIMEDOUT,
    SYNC_INTERRUPTED
};

/* Room for n waiters of the running thread; state SLEEPING. -TWZ_ENOMEM. */
MUST_CHECK int sync_begin(struct thread *t, unsigned n);
/* Queues the next waiter; takes over the caller's reference on object. */
void sync_queue(struct thread *t, const void *object, uint64_t off, unsigned index);
/* Sets the deadline, once all are queued. */
void sync_deadline(struct thread *t, uint64_t deadline);
/* Takes everything back; returns what had become of it (SLEEPING: nobody claimed it).
 * release is called for each key's object. */
enum sync_state sync_cancel(struct thread *t, void (*release)(const void *object));

/* Wakes at most count sleepers of the key; returns how many. No lock may be held but an
 * object's. */
unsigned sync_wake(const void *object, uint64_t off, uint64_t count);

/* The same, letting interrupts in between pieces: no lock may be held, and not from an
 * interrupt. */
unsigned sync_wake_all_batches(const void *object, uint64_t off, uint64_t count);

/* Ends the sleep of a thread for a signal. */
void sync_interrupt(struct thread *t);

#endif
