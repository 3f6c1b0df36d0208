/* SPDX-License-Identifier: MIT */
/*
 * Owns the state of a thread between running and blocked, and the choice of its core.
 *
 * Invariants
 *   - thread->state changes under thread->lock; to RUNNING only by the core that took the thread
 *     off a queue.
 *   - No wake is lost: sched_wake either finds the thread BLOCKED and queues it, or sets `woken`,
 *     which the thread's core reads under thread->lock before it blocks the thread (core/switch.c).
 *
 * Locks: thread->lock -> runq.lock. sched_wake may be called under the lock of a timer heap or of a
 * sync bucket.
 */
#include <kernel/sched.h>
#include <kernel/upcall.h>
#include "runq.h"

static _Atomic uint32_t deferred_work;

/* An idle core if there is one, else the core that t ran on last. */
static unsigned select_cpu(const struct thread *t)
{
    uint64_t idle = atomic_load_explicit(&idle_cpus, memory_order_relaxed) & t->cores;
    uint64_t all = arch_cpu_count() >= 64 ? UINT64_MAX : (1ull << arch_cpu_count()) - 1;

    if (idle >> t->cpu & 1 || (idle == 0 && (t->cores >> t->cpu & 1) != 0))
        return t->cpu;
    if (idle != 0)
        return (unsigned)__builtin_ctzll(idle);
    return (unsigned)__builtin_ctzll(t->cores & all);
}

void sched_enqueue(struct thread *t)
{
    unsigned core;

    do {
        core = select_cpu(t);
        t->cpu = core;
    } while (!runq_push(core, t));
    if (core == cpu_this()->id)
        kernel_reschedule();
    else
        arch_ipi_reschedule(core);
}

void sched_start(struct thread *t)
{
    t->state = THREAD_READY;
    sched_enqueue(t);
}

void sched_park(void)
{
    current()->parked = true;
    cpu_set_need_resched();
}

void sched_wake(struct thread *t)
{
    bool blocked;

    spin_lock(&t->lock);
    blocked = t->state == THREAD_BLOCKED;
    if (blocked)
        t->state = THREAD_READY;
    else
        t->woken = true;
    spin_unlock(&t->lock);
    if (blocked)
        sched_enqueue(t);
}

void sched_reevaluate(struct thread *t)
{
    if (t == current())
        cpu_set_need_resched();
    else
        arch_ipi_reschedule(t->cpu);
}

void sched_migrate(struct thread *t)
{
    if (runq_evict(t))
        sched_enqueue(t);
}

/* A thread was queued on this core, or the running one was changed. A thread of higher priority
 * runs at once, one of the same priority after a slice. */
void kernel_reschedule(void)
{
    struct cpu *cpu = cpu_this();
    struct thread *t = cpu->current;

    cpu_set_need_resched();
    if (!t)
        return;
    if ((cpu->runq.ready >> t->priority) > 1)
        cpu->yield = true;
    else if (cpu->runq.ready != 0 && cpu->slice_end == TIMER_NEVER)
        timer_slice(arch_clock_ns() + SCHED_SLICE_NS);
}

void sched_defer_work(void)
{
    atomic_store(&deferred_work, 1);
    cpu_set_need_resched();
}

void sched_run_deferred_work(void)
{
    if (atomic_load_explicit(&deferred_work, memory_order_relaxed) != 0 &&
        atomic_exchange(&deferred_work, 0) != 0)
        upcall.deferred_work();
}
