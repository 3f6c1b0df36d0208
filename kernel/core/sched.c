/* SPDX-License-Identifier: MIT */
/*
 * Owns the state of a thread between running and blocked, and the choice of its core.
 *
 * A ready thread waits only where each core that it may use runs its priority or a higher one:
 *   - A thread that becomes ready goes to an idle core, else to its last one, else to the one of
 *     the lowest priority, if that is below its own. The core gets a reschedule IPI.
 *   - A core that looks for a thread takes the highest one of all queues (core/switch.c).
 *   - A core that leaves a thread on its queue for a higher one tells, of the cores that the thread
 *     may use, the one of the lowest priority, which then looks again.
 *
 * Invariants
 *   - The core that runs a thread changes its state, and sched_wake does, from RUNNING to WOKEN and
 *     from BLOCKED to READY. The one that changes it to READY queues the thread.
 *   - No wake is lost: the core blocks the thread by a compare-exchange from RUNNING, which fails
 *     after a wake (core/switch.c).
 *   - A thread that is READY needs no wake: it ends its sleep when it runs.
 *
 * Locks: sched_wake may be called under the lock of a timer heap or of a sync bucket. It takes that
 * of a run queue.
 */
#include <kernel/sched.h>
#include <kernel/upcall.h>
#include "runq.h"

_Atomic uint32_t sched_events;

/* Of the cores in `allowed`, the one that runs the lowest priority; `first` of equal ones. */
static unsigned find_lowest(uint64_t allowed, unsigned first)
{
    unsigned best = first;
    uint32_t lowest = atomic_load_explicit(&cpus[first].level, memory_order_relaxed);

    for (allowed &= ~(1ull << first); allowed != 0; allowed &= allowed - 1) {
        unsigned core = (unsigned)__builtin_ctzll(allowed);
        uint32_t level = atomic_load_explicit(&cpus[core].level, memory_order_relaxed);

        if (level < lowest) {
            lowest = level;
            best = core;
        }
    }
    return best;
}

/* An idle core if there is one, else the core that t ran on last if it runs a lower priority, else
 * the one of the lowest priority if that is below t's, else the last one. */
static unsigned select_cpu(const struct thread *t)
{
    uint64_t allowed = t->cores & all_cpus();
    uint64_t idle = atomic_load_explicit(&idle_cpus, memory_order_relaxed) & allowed;
    unsigned last = (allowed >> t->cpu & 1) != 0 ? t->cpu : (unsigned)__builtin_ctzll(allowed);
    unsigned lowest;

    if (idle != 0)
        return (idle >> last & 1) != 0 ? last : (unsigned)__builtin_ctzll(idle);
    if (atomic_load_explicit(&cpus[last].level, memory_order_relaxed) <= t->priority)
        return last;
    lowest = find_lowest(allowed, last);
    return atomic_load_explicit(&cpus[lowest].level, memory_order_relaxed) <= t->priority ? lowest
                                                                                          : last;
}

static __attribute__((noinline)) void queue_ready(const struct cpu *cpu, struct thread *t)
{
    unsigned core;

    do {
        core = select_cpu(t);
        t->cpu = core;
    } while (!runq_push(core, t));
    if (core == cpu->id)
        kernel_reschedule();
    else
        arch_ipi_reschedule(core);
}

void sched_enqueue(struct thread *t)
{
    struct cpu *cpu = cpu_this();

    if (!cpu->handing || cpu->handover || (t->cores >> cpu->id & 1) == 0) {
        queue_ready(cpu, t);
        return;
    }
    t->cpu = cpu->id;
    cpu->handover = t;
}

void sched_handover_begin(void)
{
    cpu_this()->handing = true;
}

void sched_handover_end(void)
{
    struct cpu *cpu = cpu_this();
    struct thread *t = cpu->handover;

    cpu->handing = false;
    if (!t || cpu->current->parked)
        return;
    cpu->handover = NULL;
    sched_enqueue(t);
}

void sched_offer(struct cpu *cpu)
{
    uint64_t wanted;
    unsigned waiting, lowest;

    if (__atomic_load_n(&cpu->runq.movable, __ATOMIC_RELAXED) == 0)
        return;
    wanted = runq_wanted(&cpu->runq, &waiting) & all_cpus() & ~(1ull << cpu->id);
    if (wanted == 0)
        return;
    lowest = find_lowest(wanted, (unsigned)__builtin_ctzll(wanted));
    if (atomic_load_explicit(&cpus[lowest].level, memory_order_relaxed) < waiting)
        arch_ipi_reschedule(lowest);
}

void sched_start(struct thread *t)
{
    atomic_store(&t->state, THREAD_READY);
    sched_enqueue(t);
}

void sched_park(void)
{
    current()->parked = true;
    cpu_set_need_resched();
}

void sched_wake(struct thread *t)
{
    uint32_t state = THREAD_BLOCKED;

    while (!atomic_compare_exchange_weak(&t->state, &state,
                                         state == THREAD_BLOCKED ? THREAD_READY : THREAD_WOKEN)) {
        if (state == THREAD_READY || state == THREAD_WOKEN)
            return;
    }
    if (state == THREAD_BLOCKED)
        sched_enqueue(t);
}

void sched_reevaluate(struct thread *t)
{
    if (t == current())
        kernel_reschedule();
    else
        arch_ipi_reschedule(t->cpu);
}

void sched_migrate(struct thread *t)
{
    if (runq_evict(t))
        sched_enqueue(t);
}

/* Sets the higher one of t's two priorities, which have changed under its lock, and releases it. */
static void apply_priority(struct thread *t)
{
    unsigned priority = t->wanted > t->floor ? t->wanted : t->floor;
    bool same = priority == t->priority;

    __atomic_store_n(&t->priority, priority, __ATOMIC_RELAXED);
    spin_unlock(&t->lock);
    if (same)
        return;
    if (runq_evict(t))
        sched_enqueue(t);
    else
        sched_reevaluate(t);
}

void sched_set_priority(struct thread *t, unsigned priority)
{
    spin_lock(&t->lock);
    t->wanted = priority;
    apply_priority(t);
}

void sched_set_floor(struct thread *t, unsigned floor)
{
    spin_lock(&t->lock);
    t->floor = floor;
    apply_priority(t);
}

/* A thread was queued on this core, or the running one was changed. A thread of higher priority
 * runs at once (core/switch.c), one of the same priority after a slice. */
void kernel_reschedule(void)
{
    struct cpu *cpu = cpu_this();
    struct thread *t = cpu->current;

    cpu_set_need_resched();
    if (!t)
        return;
    atomic_store_explicit(&cpu->level, t->priority + 1, memory_order_relaxed);
    if (cpu->runq.ready != 0 && cpu->slice_end == TIMER_NEVER)
        timer_slice(arch_clock_ns() + SCHED_SLICE_NS);
}

void sched_defer_work(void)
{
    atomic_fetch_or(&sched_events, SCHED_WORK);
    cpu_set_need_resched();
}

void sched_run_deferred_work(void)
{
    if ((atomic_load_explicit(&sched_events, memory_order_relaxed) & SCHED_WORK) != 0 &&
        (atomic_fetch_and(&sched_events, ~SCHED_WORK) & SCHED_WORK) != 0) {
        cpu_this()->unowned = true;
        upcall.deferred_work();
        cpu_this()->unowned = false;
    }
}

/* --- the end of the machine ------------------------------------------------------------------- */

static _Atomic uint32_t stop_claimed;
static _Atomic uint32_t stopped; /* cores */
static unsigned stop_core;       /* constant from SCHED_STOP on, as is the next one */
static bool stop_reboot;

void sched_stop_machine(bool reboot)
{
    uint32_t none = 0;

    if (atomic_compare_exchange_strong(&stop_claimed, &none, 1)) {
        stop_core = cpu_this()->id;
        stop_reboot = reboot;
        atomic_fetch_or(&sched_events, SCHED_STOP);
        for (unsigned i = 0; i < arch_cpu_count(); i++)
            if (i != stop_core)
                arch_ipi_reschedule(i);
    }
    cpu_set_need_resched();
}

bool sched_is_stopping(void)
{
    return (atomic_load_explicit(&sched_events, memory_order_acquire) & SCHED_STOP) != 0;
}

NORETURN void sched_stop_here(void)
{
    atomic_fetch_add(&stopped, 1);
    if (cpu_this()->id == stop_core) {
        while (atomic_load(&stopped) < arch_cpu_count())
            arch_pause();
        upcall.shutdown(stop_reboot);
    }
    for (;;)
        arch_idle();
}
