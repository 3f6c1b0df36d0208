/* SPDX-License-Identifier: MIT */
/*
 * Which thread runs where. One run queue a core, by priority, round robin within one; a slice timer
 * only while others wait; an idle core halts, and takes work from others before it does.
 *
 * Lock order: thread->lock -> runq.lock. Two run queues are never locked together.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/thread.h>

/* A created thread may run from now on. */
void sched_start(struct thread *t);

/* The running thread leaves the core at kernel_exit, unless somebody wakes it before. */
void sched_park(void);

/* Ends a park, present or about to begin. Any core, no bucket or queue lock needed. */
void sched_wake(struct thread *t);

/* The running thread goes behind others of its priority. */
void sched_yield(void);

/* The running thread is gone (thread_end). */
void sched_leave(void);

/* After a change of t's pending bits: its sleep ends, and its core looks at it. */
void sched_interrupt(struct thread *t);

/* After a change of t's priority or cores: its core looks at it; a sleep goes on. */
void sched_reevaluate(struct thread *t);

/* After a change of t's cores, which cannot end meanwhile: off the queue of a core it has lost. */
void sched_migrate(struct thread *t);

/* Has upcall.deferred_work called once, soon, with no lock held. From a timer. */
void sched_defer_work(void);

/* Have this core's kernel_exit take the slow path. */
void sched_set_need_resched(void);

#endif
