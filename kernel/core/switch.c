/* SPDX-License-Identifier: MIT */
/*
 * Owns kernel_exit, the one place where a core changes its thread.
 *
 * Invariants
 *   - While cpu->current is a thread, its root is loaded or about to be. An idle core has the
 *     kernel's own root. So a root is loaded on no core soon after its last thread has left.
 *   - A core blocks its thread after it has saved its registers, and by a compare-exchange that
 *     fails after a wake (pairs with sched_wake).
 */
#include <kernel/addrspace.h>
#include <kernel/arch_regs.h>
#include <kernel/defer.h>
#include <kernel/fault.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/upcall.h>
#include "runq.h"

/* The highest level of the threads that wait on queues of other cores and may move; *core is the
 * core of that queue. 0: none. */
static unsigned highest_elsewhere(const struct cpu *cpu, unsigned *core)
{
    uint64_t others = all_cpus() & ~(1ull << cpu->id);
    unsigned best = 0;

    for (; others != 0; others &= others - 1) {
        unsigned other = (unsigned)__builtin_ctzll(others);
        unsigned level = runq_level(__atomic_load_n(&cpus[other].runq.movable, __ATOMIC_RELAXED));

        if (level > best) {
            best = level;
            *core = other;
        }
    }
    return best;
}

/* The ready thread of the highest priority that may run on this core, or NULL. */
static struct thread *pick_thread(struct cpu *cpu)
{
    unsigned own = runq_level(cpu->runq.ready), core = cpu->id;
    struct thread *t = NULL;

    if (highest_elsewhere(cpu, &core) > own)
        t = runq_pop(&cpus[core].runq, cpu->id, own);
    if (!t)
        t = runq_pop(&cpu->runq, cpu->id, 0);
    for (unsigned i = 0; !t && i < arch_cpu_count(); i++)
        t = runq_pop(&cpus[i].runq, cpu->id, 0);
    return t;
}

/* The thread that the last one has woken and parked for, unless a higher one is ready or the slice
 * is over. */
static struct thread *take_handover(struct cpu *cpu)
{
    struct thread *t = cpu->handover;
    unsigned core = 0;

    if (!t)
        return NULL;
    cpu->handover = NULL;
    if (!cpu->yield && (t->cores >> cpu->id & 1) != 0 &&
        runq_level(cpu->runq.ready) <= t->priority + 1 &&
        highest_elsewhere(cpu, &core) <= t->priority + 1)
        return t;
    sched_enqueue(t);
    return NULL;
}

/* The next thread of this core. Until there is one the core does idle work or halts. NULL: the
 * machine ends. */
static struct thread *wait_for_thread(struct cpu *cpu)
{
    uint64_t bit = 1ull << cpu->id;
    struct thread *t = pick_thread(cpu);

    if (t)
        return t;
    arch_root_unload();
    timer_slice(TIMER_NEVER);
    cpu_limit_memory(false);
    atomic_store_explicit(&cpu->level, 0, memory_order_relaxed);
    atomic_fetch_or(&idle_cpus, bit);
    while (!sched_is_stopping() && !(t = pick_thread(cpu))) {
        if (defer_idle() || upcall.idle_work())
            arch_preemption_point();
        else
            arch_idle();
        sched_run_deferred_work();
    }
    atomic_fetch_and(&idle_cpus, ~bit);
    return t;
}

/* The running thread keeps the core: it does not park, or is woken already, and no other thread is
 * due. */
static bool keep_running(struct cpu *cpu, struct thread *t)
{
    unsigned core = 0;
    bool stay;

    if (t->parked) {
        if (atomic_load_explicit(&t->state, memory_order_acquire) != THREAD_WOKEN)
            return false; /* switch_out looks again */
        t->parked = false;
        atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
    }
    if ((t->cores >> cpu->id & 1) == 0 || runq_level(cpu->runq.ready) > t->priority + 1 ||
        highest_elsewhere(cpu, &core) > t->priority + 1)
        return false;
    stay = !cpu->yield || (cpu->runq.ready >> t->priority) == 0;
    cpu->yield = false;
    return stay;
}

/* Takes the running thread off the core: blocked, or behind others on a queue. Returns the thread
 * that gets the core, if that is known already. */
static struct thread *switch_out(struct cpu *cpu, struct thread *t)
{
    uint32_t running = THREAD_RUNNING;
    bool parked = t->parked;
    struct thread *next = NULL;
    unsigned core = 0;

    if (!t->ended)
        thread_save(t);
    cpu->current = NULL;
    t->parked = false;
    if (parked && atomic_compare_exchange_strong(&t->state, &running, THREAD_BLOCKED))
        return NULL;
    atomic_store(&t->state, THREAD_READY);
    if (!cpu->handover && highest_elsewhere(cpu, &core) <= t->priority + 1)
        next = runq_swap(cpu->id, t);
    if (!next && !runq_push(cpu->id, t))
        sched_enqueue(t);
    return next;
}

/* Ends the running thread, whose registers cannot be loaded: user code has set a base that it must
 * not have. */
static void end_unloadable(const struct thread *t)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_EXCEPTION,
                               .addr = arch_regs_bad_address(&t->save->regs),
                               .ip = arch_regs_ip(&t->save->regs),
                               .code = ARCH_BAD_REGS };

    fault_end(&fault);
}

/* Runs t on this core, in a slice of its own or in the rest of the last thread's. False: its
 * registers cannot be loaded, and it has ended. */
static bool switch_in(struct cpu *cpu, struct thread *t, bool same_slice)
{
    t->cpu = cpu->id;
    /* The core, before t's priority and cores are read. Pairs with runq_evict. */
    atomic_store(&t->state, THREAD_RUNNING);
    cpu->current = t;
    atomic_store_explicit(&cpu->level, t->priority + 1, memory_order_relaxed);
    cpu->yield = false;
    cpu->switches++;
    if (t->ended)
        arch_root_unload();
    else
        arch_root_load(t->root);
    cpu_limit_memory(t->limited);
    if ((__atomic_load_n(&t->cores, __ATOMIC_RELAXED) >> cpu->id & 1) == 0 ||
        runq_level(cpu->runq.ready) > t->priority + 1)
        cpu_set_need_resched(); /* changed on its way here */
    if (!t->ended && thread_load(t) < 0) {
        end_unloadable(t);
        return false;
    }
    if (atomic_load_explicit(&cpu->runq.count, memory_order_relaxed) == 0) {
        timer_slice(TIMER_NEVER);
        return true;
    }
    if (!same_slice || cpu->slice_end == TIMER_NEVER)
        timer_slice(arch_clock_ns() + SCHED_SLICE_NS);
    sched_offer(cpu);
    return true;
}

/* Finishes the call that the thread slept in, then acts on its pending bits. */
static void prepare_thread(struct thread *t)
{
    struct arch_frame *frame = thread_frame(t);
    void (*resume)(struct thread * thread, struct arch_frame * f) = t->resume;

    if (resume) {
        t->resume = NULL;
        resume(t, frame);
    }
    if (atomic_load_explicit(&t->pending, memory_order_acquire) != 0)
        signal_deliver(t, frame);
}

/* Does one batch of the work that the thread owes, then opens an interrupt window. A thread that
 * has ended and owes nothing is freed. */
static void do_owed_work(struct thread *t)
{
    if (defer_owes(t)) {
        defer_step(t);
        arch_preemption_point();
        cpu_set_need_resched();
    } else if (t->ended) {
        thread_free(t);
        arch_preemption_point(); /* thousands of killed threads may end one after the other */
    }
}

/* The thread that was to park stays, so the one that it has woken waits like any other. */
static void flush_handover(struct cpu *cpu)
{
    struct thread *t = cpu->handover;

    cpu->handover = NULL;
    sched_enqueue(t);
}

static NORETURN void stop_this_core(struct cpu *cpu, struct thread *t)
{
    if (t)
        (void)switch_out(cpu, t); /* no other thread runs either */
    arch_root_unload();
    sched_stop_here();
}

static void see_to_events(struct cpu *cpu, struct thread *t)
{
    sched_run_deferred_work();
    if (sched_is_stopping())
        stop_this_core(cpu, t);
}

/* Returns with a thread in cpu->current. */
static __attribute__((noinline)) void reschedule(struct cpu *cpu)
{
    do {
        struct thread *t = cpu->current, *next = NULL;
        bool handed;

        atomic_store_explicit(&cpu->need_resched, 0, memory_order_relaxed);
        if (sched_has_events())
            see_to_events(cpu, t);
        if (t && defer_owes(t))
            t->parked = false; /* it works first, then makes its call again */
        if (!t || !keep_running(cpu, t)) {
            if (t)
                next = switch_out(cpu, t);
            t = next ? next : take_handover(cpu);
            handed = !next && t;
            if (!t)
                t = wait_for_thread(cpu);
            if (!t || !switch_in(cpu, t, handed))
                continue;
            t = cpu->current;
        } else {
            if (cpu->handover)
                flush_handover(cpu);
            sched_offer(cpu);
        }
        if (!t->ended)
            prepare_thread(t);
        if (cpu->current)
            do_owed_work(cpu->current);
    } while (!cpu->current || atomic_load_explicit(&cpu->need_resched, memory_order_relaxed) != 0);
}

void kernel_exit(void)
{
    struct cpu *cpu = cpu_this();

    if (__builtin_expect(atomic_load_explicit(&cpu->need_resched, memory_order_relaxed) != 0, 0))
        reschedule(cpu);
}

NORETURN void kernel_cpu_main(void)
{
    struct cpu *cpu;

    if (!arch_cpu_this())
        cpu_init();
    cpu = cpu_this();
    cpu->xsave = kmem_alloc((arch_xsave_size() + 4095u) & ~(size_t)4095u);
    if (!cpu->xsave)
        panic("no memory for a core's buffers");
    reschedule(cpu);
    arch_enter_user();
}
