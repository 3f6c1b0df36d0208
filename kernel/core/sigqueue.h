/* SPDX-License-Identifier: MIT */
/* The signals that wait for a thread, and its mask. Each function takes the thread's lock. */
#ifndef CORE_SIGQUEUE_H
#define CORE_SIGQUEUE_H

#include <kernel/thread.h>

/* Queues a signal, and sets the pending bit unless the signal is masked. Returns 1 if the thread
 * must be interrupted for it, 0 if it waits for the mask. -TWZ_EAGAIN: the queue is full. */
MUST_CHECK int sigqueue_add(struct thread *t, uint64_t signal, uint64_t value);

/* Takes the eldest signal that is not masked; signal 0: there is none. With the last one the
 * pending bit is cleared. */
struct twz_queued_signal sigqueue_take(struct thread *t);

/* Sets the mask of t, without KILL, and the pending bit for it. In a gate call all others stay
 * masked. Returns true if a signal may be
 * delivered now. */
bool sigqueue_set_mask(struct thread *t, uint64_t mask);

#endif
