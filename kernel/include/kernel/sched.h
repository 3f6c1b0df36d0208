/* SPDX-License-Identifier: MIT */
/*
 * When and where threads run. One run queue a core, by priority, round robin within one. A slice
 * timer runs only while other threads wait. An idle core takes work from other cores, or halts.
 *
 * Two run queues are never locked together.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/thread.h>

#define SCHED_SLICE_NS 10000000ull

/* Makes a created thread ready to run. */
void sched_start(struct thread *t);

/* The running thread leaves the core at kernel_exit, unless sched_wake comes before. */
void sched_park(void);

/* Ends a park of t, present or about to begin. Any core. The caller may hold the lock of a sync
 * bucket or of a timer heap. */
void sched_wake(struct thread *t);

/* The running thread's next park lasts until a sched_wake that comes after this. */
static inline void sched_forget_wake(struct thread *t)
{
    atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
}

/* Queues t, which must be READY and on no queue, on an idle core or its last one, and interrupts
 * that core. */
void sched_enqueue(struct thread *t);

/* Change the priority of t, which must not end meanwhile: the one that it was given, or the least
 * one that its gate calls give it. The higher one counts. Take the thread's lock, then that of a
 * run queue. */
void sched_set_priority(struct thread *t, unsigned priority);
void sched_set_floor(struct thread *t, unsigned floor);

/* Between the two calls, the first thread that the running one wakes gets this core at once if the
 * running one has parked (core/switch.c): past the run queue and the choice of a core. Both must be
 * in one call of the kernel, the second one behind sched_park. */
void sched_handover_begin(void);
void sched_handover_end(void);

/* If a thread on this core's queue may run elsewhere, and another core runs a lower priority, that
 * core looks for the thread. */
void sched_offer(struct cpu *cpu);

/* Must be called after a change of t's cores or pending bits: its core looks at t again.
 * A sleep goes on. */
void sched_reevaluate(struct thread *t);

/* Must be called after a change of t's cores: t leaves the queue of a core that it has lost. t must
 * not end meanwhile. */
void sched_migrate(struct thread *t);

/* The machine ends: each core leaves its thread at kernel_exit, with its registers in its record,
 * and takes no other. Then the caller's core calls upcall.shutdown. */
void sched_stop_machine(bool reboot);
bool sched_is_stopping(void);
NORETURN void sched_stop_here(void); /* this core has left its thread */

/* Has upcall.deferred_work called once, soon, on this core or another. Any lock may be held. */
void sched_defer_work(void);

/* A core that looks for a thread must see to these first. */
#define SCHED_WORK 1u /* deferred work */
#define SCHED_STOP 2u /* the end of the machine */
extern _Atomic uint32_t sched_events;

static inline bool sched_has_events(void)
{
    return atomic_load_explicit(&sched_events, memory_order_acquire) != 0;
}

/* Does the deferred work, if there is any. The caller must hold no lock. */
void sched_run_deferred_work(void);

#endif
