/* SPDX-License-Identifier: MIT */
/* One-shot timers of a core, without a periodic tick and without memory of their own. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <kernel/cpu.h>

struct timer {
    struct heap_node node;         /* key: the deadline, ns */
    void (*fire)(struct timer *t); /* called on the core that set it, under the heap's lock */
    struct timer_heap *heap;       /* NULL: not queued */
    unsigned priority;             /* of several that are due, the highest fires first */
};

#define TIMER_KERNEL (PRIORITIES - 1) /* the priority of the kernel's own timers */

/* Queues a timer on this core. It must not be queued. Takes the heap's lock. */
void timer_set(struct timer *t, uint64_t deadline, unsigned priority);

/* Removes the timer from whichever core it is queued on. True: it had not fired. The timer does not
 * fire afterwards. Takes the heap's lock, so the caller must not hold a lock that `fire` takes. */
bool timer_cancel(struct timer *t);

/* The end of the running thread's slice; TIMER_NEVER: it has none. */
void timer_slice(uint64_t deadline);

#endif
