/* SPDX-License-Identifier: MIT */
/*
 * Owns kernel_exit, the one place where a core changes its thread.
 *
 * Invariants
 *   - While cpu->current is a thread, its root is loaded or about to be. An idle core has the
 *     kernel's own root. So a root is loaded on no core soon after its last thread has left.
 *   - A core that blocks its thread has read `woken` under thread->lock before (pairs with
 *     sched_wake).
 *
 * Locks: thread->lock -> runq.lock.
 */
#include <kernel/addrspace.h>
#include <kernel/arch_regs.h>
#include <kernel/defer.h>
#include <kernel/fault.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/upcall.h>
#include "runq.h"

/* A thread that waits for another core, or NULL. */
static struct thread *steal_thread(struct cpu *cpu)
{
    unsigned n = arch_cpu_count();

    for (unsigned i = 1; i < n; i++) {
        struct thread *t = runq_pop(&cpus[(cpu->id + i) % n].runq, cpu->id);

        if (t)
            return t;
    }
    return NULL;
}

/* The next thread of this core. Until there is one the core does idle work or halts. */
static struct thread *wait_for_thread(struct cpu *cpu)
{
    uint64_t bit = 1ull << cpu->id;
    struct thread *t = runq_pop(&cpu->runq, cpu->id);

    if (t)
        return t;
    t = steal_thread(cpu);
    if (t)
        return t;
    arch_root_unload();
    timer_slice(TIMER_NEVER);
    phys_limit(false);
    atomic_fetch_or(&idle_cpus, bit);
    while (!(t = runq_pop(&cpu->runq, cpu->id)) && !(t = steal_thread(cpu))) {
        if (defer_idle() || upcall.idle_work())
            arch_preemption_point();
        else
            arch_idle();
        sched_run_deferred_work();
    }
    atomic_fetch_and(&idle_cpus, ~bit);
    return t;
}

/* The running thread keeps the core: it is woken already, or no other thread is due. */
static bool keep_running(struct cpu *cpu, struct thread *t)
{
    bool stay;

    if (t->parked) {
        spin_lock(&t->lock);
        stay = t->woken;
        if (stay) {
            t->parked = false;
            t->woken = false;
        }
        spin_unlock(&t->lock);
        return stay;
    }
    if (!cpu->yield && (t->cores >> cpu->id & 1) != 0)
        return true;
    cpu->yield = false;
    return (t->cores >> cpu->id & 1) != 0 && (cpu->runq.ready >> t->priority) == 0;
}

/* Takes the running thread off the core: blocked, or behind others on a queue. */
static void switch_out(struct cpu *cpu, struct thread *t, struct arch_frame *frame)
{
    bool ready;

    if (!t->ended)
        thread_save(t, frame);
    cpu->current = NULL;
    spin_lock(&t->lock);
    ready = !t->parked || t->woken;
    t->parked = false;
    t->woken = false;
    t->state = ready ? THREAD_READY : THREAD_BLOCKED;
    spin_unlock(&t->lock);
    if (ready && !runq_push(cpu->id, t))
        sched_enqueue(t);
}

/* Ends the running thread, whose registers cannot be loaded: user code has set a base that it must
 * not have. */
static void end_unloadable(const struct arch_frame *frame)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_EXCEPTION,
                               .addr = arch_regs_bad_address(&frame->regs),
                               .ip = arch_regs_ip(&frame->regs),
                               .code = ARCH_BAD_REGS };

    fault_end(&fault);
}

/* Runs t on this core. False: its registers cannot be loaded, and it has ended. */
static bool switch_in(struct cpu *cpu, struct thread *t, struct arch_frame *frame)
{
    bool others_wait;

    t->state = THREAD_RUNNING;
    t->cpu = cpu->id;
    cpu->current = t;
    cpu->yield = false;
    cpu->switches++;
    if (t->ended)
        arch_root_unload();
    else
        arch_root_load(t->root);
    phys_limit(!t->ended && !t->addrspace->first);
    if (!t->ended && thread_load(t, frame) < 0) {
        end_unloadable(frame);
        return false;
    }
    others_wait = atomic_load_explicit(&cpu->runq.count, memory_order_relaxed) != 0;
    timer_slice(others_wait ? arch_clock_ns() + SCHED_SLICE_NS : TIMER_NEVER);
    return true;
}

/* Finishes the call that the thread slept in, then acts on its pending bits. */
static void prepare_thread(struct thread *t, struct arch_frame *frame)
{
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
    }
}

/* Returns with a thread in cpu->current and its registers in *frame. */
static __attribute__((noinline)) void reschedule(struct cpu *cpu, struct arch_frame *frame)
{
    do {
        struct thread *t = cpu->current;

        atomic_store_explicit(&cpu->need_resched, 0, memory_order_relaxed);
        sched_run_deferred_work();
        if (t && defer_owes(t))
            t->parked = false; /* it works first, then makes its call again */
        if (!t || !keep_running(cpu, t)) {
            if (t)
                switch_out(cpu, t, frame);
            if (!switch_in(cpu, wait_for_thread(cpu), frame))
                continue;
            t = cpu->current;
        }
        if (!t->ended)
            prepare_thread(t, frame);
        if (cpu->current)
            do_owed_work(cpu->current);
    } while (!cpu->current || atomic_load_explicit(&cpu->need_resched, memory_order_relaxed) != 0);
}

void kernel_exit(struct arch_frame *frame)
{
    struct cpu *cpu = cpu_this();

    if (__builtin_expect(atomic_load_explicit(&cpu->need_resched, memory_order_relaxed) != 0, 0))
        reschedule(cpu, frame);
}

NORETURN void kernel_cpu_main(void)
{
    static const struct arch_frame none;
    struct arch_frame frame = none;
    struct cpu *cpu;

    if (!arch_cpu_this())
        cpu_init();
    cpu = cpu_this();
    cpu->xsave = kmem_alloc((arch_xsave_size() + 4095u) & ~(size_t)4095u);
    if (!cpu->xsave)
        panic("no memory for a core's buffers");
    reschedule(cpu, &frame);
    arch_enter_user(&frame);
}
