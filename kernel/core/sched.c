/* SPDX-License-Identifier: MIT */
/*
 * Owns the run queues and kernel_exit, the one place where a core changes its thread.
 *
 * Invariants
 *   - A thread on a run queue has its registers in its save slots, and no core runs it.
 *   - thread->state changes under thread->lock, to RUNNING by the core that took it off a queue.
 *   - While cpu->current is a thread, its root is the one loaded or about to be; an idle core has
 *     the kernel's own root. So a root is loaded nowhere soon after its last thread has left.
 *   - A wake is never lost: sched_wake either finds the thread BLOCKED and queues it, or sets
 *     `woken`, which the thread's core reads under thread->lock when it takes it off.
 *
 * Locks: thread->lock -> runq.lock. sched_wake may be called under the lock of a timer heap or of a
 * sync bucket.
 */
#include <kernel/log.h>
#include <kernel/kmem.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include <kernel/upcall.h>

#define SLICE_NS 10000000ull

static _Atomic uint64_t idle_cores; /* bit set */
static _Atomic uint32_t deferred_work;

/* False: t may not run on that core; its cores have changed just now. */
static bool runq_push(unsigned core, struct thread *t)
{
    struct runq *q = &cpus[core].runq;
    unsigned p = t->priority;

    spin_lock(&q->lock);
    if ((__atomic_load_n(&t->cores, __ATOMIC_RELAXED) >> core & 1) == 0) {
        spin_unlock(&q->lock);
        return false;
    }
    t->queue = q;
    t->queue_priority = p;
    list_add_last(&q->list[p], &t->queue_link);
    q->ready |= 1u << p;
    atomic_fetch_add_explicit(&q->count, 1, memory_order_relaxed);
    spin_unlock(&q->lock);
    return true;
}

static void runq_take_out(struct runq *q, struct thread *t)
{
    unsigned p = t->queue_priority;

    t->queue = NULL;
    list_remove(&q->list[p], &t->queue_link);
    if (list_is_empty(&q->list[p]))
        q->ready &= ~(1u << p);
    atomic_fetch_sub_explicit(&q->count, 1, memory_order_relaxed);
}

/* The first thread of priority p that may run on `core`, or NULL. */
static struct thread *first_for(const struct runq *q, unsigned p, unsigned core)
{
    const struct list_node *node;

    for (node = q->list[p].first; node; node = node->next) {
        struct thread *t = LIST_ITEM(node, struct thread, queue_link);

        if ((t->cores >> core & 1) != 0)
            return t;
    }
    return NULL;
}

/* The first thread of the highest priority that may run on `core`. */
static struct thread *runq_pop(struct runq *q, unsigned core)
{
    struct thread *t = NULL;
    uint32_t ready;

    if (atomic_load_explicit(&q->count, memory_order_relaxed) == 0)
        return NULL;
    spin_lock(&q->lock);
    ready = q->ready;
    while (ready != 0 && !t) {
        unsigned p = 31u - (unsigned)__builtin_clz(ready);

        ready &= ~(1u << p);
        t = first_for(q, p, core);
        if (t)
            runq_take_out(q, t);
    }
    spin_unlock(&q->lock);
    return t;
}

static struct thread *steal(struct cpu *cpu)
{
    unsigned n = arch_cpu_count(), i;

    for (i = 1; i < n; i++) {
        struct thread *t = runq_pop(&cpus[(cpu->id + i) % n].runq, cpu->id);

        if (t)
            return t;
    }
    return NULL;
}

/* An idle core where there is one, its last core else. */
static unsigned place(const struct thread *t)
{
    uint64_t idle = atomic_load_explicit(&idle_cores, memory_order_relaxed) & t->cores;
    uint64_t all = arch_cpu_count() >= 64 ? UINT64_MAX : (1ull << arch_cpu_count()) - 1;

    if (idle >> t->cpu & 1 || (idle == 0 && (t->cores >> t->cpu & 1) != 0))
        return t->cpu;
    if (idle != 0)
        return (unsigned)__builtin_ctzll(idle);
    return (unsigned)__builtin_ctzll(t->cores & all);
}

void sched_set_need_resched(void)
{
    atomic_store_explicit(&cpu_this()->need_resched, 1, memory_order_relaxed);
}

/* t is READY: onto a queue, and that core told. */
static void enqueue(struct thread *t)
{
    unsigned core;

    do {
        core = place(t);
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
    enqueue(t);
}

void sched_park(void)
{
    current()->parked = true;
    sched_set_need_resched();
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
        enqueue(t);
}

void sched_yield(void)
{
    cpu_this()->yield = true;
    sched_set_need_resched();
}

void sched_leave(void)
{
    cpu_this()->current = NULL;
    sched_set_need_resched();
}

void sched_interrupt(struct thread *t)
{
    sync_interrupt(t);
    sched_reevaluate(t);
}

void sched_reevaluate(struct thread *t)
{
    if (t == current())
        sched_set_need_resched();
    else
        arch_ipi_reschedule(t->cpu);
}

/* Whoever queues t names the core in t->cpu first, then looks at t->cores under the queue's
 * lock; so either he sees the new cores or the thread is found here. */
void sched_migrate(struct thread *t)
{
    unsigned core;
    struct runq *q;
    bool moved;

    atomic_thread_fence(memory_order_seq_cst);
    core = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
    q = &cpus[core].runq;
    spin_lock(&q->lock);
    moved = t->queue == q && (t->cores >> core & 1) == 0;
    if (moved)
        runq_take_out(q, t);
    spin_unlock(&q->lock);
    if (moved)
        enqueue(t);
}

/* Somebody queued a thread here, or wants the running one looked at. */
void kernel_reschedule(void)
{
    struct cpu *cpu = cpu_this();
    struct thread *t = cpu->current;

    sched_set_need_resched();
    if (!t)
        return;
    if ((cpu->runq.ready >> t->priority) > 1)
        cpu->yield = true;
    else if (cpu->runq.ready != 0 && cpu->slice_end == TIMER_NEVER)
        timer_slice(arch_clock_ns() + SLICE_NS);
}

/* Takes the running thread off the core: to sleep, or behind the others. */
static void switch_out(struct cpu *cpu, struct thread *t, struct arch_frame *frame)
{
    bool ready;

    thread_save(t, frame);
    cpu->current = NULL;
    spin_lock(&t->lock);
    ready = !t->parked || t->woken;
    t->parked = false;
    t->woken = false;
    t->state = ready ? THREAD_READY : THREAD_BLOCKED;
    spin_unlock(&t->lock);
    if (ready && !runq_push(cpu->id, t))
        enqueue(t);
}

/* Runs t here. False: it could not be loaded, and has ended. */
static bool switch_in(struct cpu *cpu, struct thread *t, struct arch_frame *frame)
{
    t->state = THREAD_RUNNING;
    t->cpu = cpu->id;
    cpu->current = t;
    cpu->yield = false;
    cpu->switches++;
    arch_root_load(t->root);
    if (thread_load(t, frame) < 0) {
        log_printf("thread " IDFMT ": its saved registers cannot be loaded, it ends", IDPR(t->id));
        thread_end(TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL), NULL);
        return false;
    }
    timer_slice(atomic_load_explicit(&cpu->runq.count, memory_order_relaxed) != 0
                    ? arch_clock_ns() + SLICE_NS
                    : TIMER_NEVER);
    return true;
}

void sched_defer_work(void)
{
    atomic_store(&deferred_work, 1);
    sched_set_need_resched();
}

static void run_deferred_work(void)
{
    if (atomic_load_explicit(&deferred_work, memory_order_relaxed) != 0 &&
        atomic_exchange(&deferred_work, 0) != 0)
        upcall.deferred_work();
}

static struct thread *next_thread(struct cpu *cpu)
{
    uint64_t bit = 1ull << cpu->id;
    struct thread *t = runq_pop(&cpu->runq, cpu->id);

    if (t)
        return t;
    t = steal(cpu);
    if (t)
        return t;
    arch_root_unload();
    timer_slice(TIMER_NEVER);
    atomic_fetch_or(&idle_cores, bit);
    while (!(t = runq_pop(&cpu->runq, cpu->id)) && !(t = steal(cpu))) {
        if (upcall.idle_work())
            arch_preemption_point();
        else
            arch_idle();
        run_deferred_work();
    }
    atomic_fetch_and(&idle_cores, ~bit);
    return t;
}

/* True: the running thread stays. */
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

/* What the thread asked to be done first, and what others want of it. */
static void prepare(struct thread *t, struct arch_frame *frame)
{
    void (*resume)(struct thread * thread, struct arch_frame * f) = t->resume;

    if (resume) {
        t->resume = NULL;
        resume(t, frame);
    }
    if (atomic_load_explicit(&t->pending, memory_order_acquire) != 0)
        thread_pending(t, frame);
}

static __attribute__((noinline)) void exit_slow(struct cpu *cpu, struct arch_frame *frame)
{
    do {
        struct thread *t = cpu->current;

        atomic_store_explicit(&cpu->need_resched, 0, memory_order_relaxed);
        run_deferred_work();
        if (!t || !keep_running(cpu, t)) {
            if (t)
                switch_out(cpu, t, frame);
            if (!switch_in(cpu, next_thread(cpu), frame))
                continue;
            t = cpu->current;
        }
        prepare(t, frame);
    } while (!cpu->current || atomic_load_explicit(&cpu->need_resched, memory_order_relaxed) != 0);
}

void kernel_exit(struct arch_frame *frame)
{
    struct cpu *cpu = cpu_this();

    if (__builtin_expect(atomic_load_explicit(&cpu->need_resched, memory_order_relaxed) != 0, 0))
        exit_slow(cpu, frame);
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
    exit_slow(cpu, &frame);
    arch_enter_user(&frame);
}
