/* SPDX-License-Identifier: MIT */
/* One-shot timers of a core: a pairing heap by deadline, no memory needed, no tick. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <kernel/lock.h>

#define TIMER_NEVER UINT64_MAX

struct timer {
    uint64_t deadline;             /* ns; meaningful while queued */
    void (*fire)(struct timer *t); /* on the core that set it, under the heap's lock */
    struct timer *child;
    struct timer *next;      /* sibling */
    struct timer *prev;      /* sibling before, or the parent of a first child */
    struct timer_heap *heap; /* NULL: not queued */
};

struct timer_heap {
    struct spinlock lock;
    struct timer *top;
};

/* Queues an idle timer on this core. */
void timer_set(struct timer *t, uint64_t deadline);

/* Takes it out wherever it is; true: it had not fired. It does not fire afterwards. */
bool timer_cancel(struct timer *t);

/* The core wants a look at its slice at this time (TIMER_NEVER: no longer). */
void timer_slice(uint64_t deadline);

#endif
