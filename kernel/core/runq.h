/* SPDX-License-Identifier: MIT */
/* Run queues, one a core: a list for each priority. Each function takes the queue's lock. */
#ifndef CORE_RUNQ_H
#define CORE_RUNQ_H

#include <kernel/thread.h>

/* Queues t, which must be READY and on no queue, behind others of its priority. t->cpu must name
 * `core` already. False: t may not run on that core; t->cores has just changed. */
MUST_CHECK bool runq_push(unsigned core, struct thread *t);

/* Queues t on the queue of its core as runq_push does, and takes the first thread of the same
 * priority, if that is the highest one there. Otherwise does nothing and returns NULL. */
struct thread *runq_swap(unsigned core, struct thread *t);

/* The level of a set of priorities: the highest one + 1; 0: the set is empty. */
static inline unsigned runq_level(uint32_t priorities)
{
    return priorities == 0 ? 0 : 32u - (unsigned)__builtin_clz(priorities);
}

/* Takes the first thread of the highest priority above `level` - 1 that may run on `core`, or
 * NULL. */
struct thread *runq_pop(struct runq *q, unsigned core, unsigned level);

/* The cores that the waiting threads may use, of those of the highest priority that may move;
 * *level: that priority + 1. 0: none. */
uint64_t runq_wanted(struct runq *q, unsigned *level);

/* Takes t off the queue of the core in t->cpu, if it waits there: its cores or its priority have
 * changed. t must not end meanwhile. True: it waited, and the caller must queue it anew. */
bool runq_evict(struct thread *t);

#endif
