/* SPDX-License-Identifier: MIT */
/*
 * Owns the timers, one heap a core and priority, and the hardware timer of each core.
 *
 * Invariants
 *   - A timer with heap != NULL is in the heaps of that core. Only heap->lock guards both, so
 *     timer_cancel sees a timer as queued or as fired, never between the two.
 *   - The hardware timer of a core is armed for no later than its slice and the earliest deadline
 *     of its heaps, or FIRE_PAUSE_NS after a batch that has left some. After a cancel it may go off
 *     without work.
 *   - However many timers are due, one of a higher priority fires before those of lower ones. A
 *     thread's timer has the priority that the thread had when its sleep began.
 *
 * Locks: heap->lock -> runq.lock. `fire` runs under the heap's lock; so once
 * timer_cancel has returned, the timer's memory belongs to its owner again.
 */
#include <kernel/timer.h>

/* Pairs with timer_cancel's load. */
static void set_heap(struct timer *t, struct timer_heap *heap)
{
    __atomic_store_n(&t->heap, heap, __ATOMIC_RELEASE);
}

static void arm_hardware(struct cpu *cpu, uint64_t deadline)
{
    if (deadline >= cpu->armed)
        return;
    cpu->armed = deadline;
    arch_timer_set(deadline);
}

void timer_set(struct timer *t, uint64_t deadline, unsigned priority)
{
    struct cpu *cpu = cpu_this();
    struct timer_heap *timers = &cpu->timers;

    t->node.key = deadline;
    t->priority = priority;
    spin_lock(&timers->lock);
    heap_insert(&timers->heap[priority], &t->node);
    timers->used |= 1u << priority;
    set_heap(t, timers);
    spin_unlock(&timers->lock);
    arm_hardware(cpu, deadline);
}

static void remove_locked(struct timer_heap *timers, struct timer *t)
{
    struct heap *heap = &timers->heap[t->priority];

    heap_remove(heap, &t->node);
    if (!heap->top)
        timers->used &= ~(1u << t->priority);
}

bool timer_cancel(struct timer *t)
{
    struct timer_heap *heap = __atomic_load_n(&t->heap, __ATOMIC_ACQUIRE);
    bool queued;

    if (!heap)
        return false;
    spin_lock(&heap->lock);
    queued = t->heap == heap;
    if (queued) {
        remove_locked(heap, t);
        set_heap(t, NULL);
    }
    spin_unlock(&heap->lock);
    return queued;
}

void timer_slice(uint64_t deadline)
{
    struct cpu *cpu = cpu_this();

    cpu->slice_end = deadline;
    if (deadline != TIMER_NEVER)
        arm_hardware(cpu, deadline);
}

#define FIRE_BATCH    64u    /* timers fired in one interrupt */
#define FIRE_PAUSE_NS 20000u /* until the next batch */

/* Fires timers of one priority that are due. Returns the earliest deadline left, or TIMER_NEVER. */
static uint64_t fire_some(struct timer_heap *timers, unsigned priority, uint64_t now,
                          unsigned *budget)
{
    struct heap_node *top;

    while ((top = timers->heap[priority].top) && top->key <= now && *budget > 0) {
        struct timer *t = CONTAINER_OF(top, struct timer, node);

        remove_locked(timers, t);
        t->fire(t);
        set_heap(t, NULL);
        --*budget;
    }
    return top ? top->key : TIMER_NEVER;
}

/* Fires one batch of the timers that are due, the highest priority first. Returns the time of the
 * next interrupt. If timers are left that are due, that is not at once: the core would take the
 * interrupt in the same window, before it looks for the threads that are ready. */
static uint64_t fire_due(struct timer_heap *timers, uint64_t now)
{
    uint64_t next = TIMER_NEVER;
    unsigned budget = FIRE_BATCH;
    uint32_t used;
    bool more = false;

    spin_lock(&timers->lock);
    for (used = timers->used; used != 0;) {
        unsigned priority = 31u - (unsigned)__builtin_clz(used);
        uint64_t first = fire_some(timers, priority, now, &budget);

        used &= ~(1u << priority);
        if (first <= now)
            more = true;
        else if (first < next)
            next = first;
    }
    spin_unlock(&timers->lock);
    if (more && arch_clock_ns() + FIRE_PAUSE_NS < next)
        next = arch_clock_ns() + FIRE_PAUSE_NS;
    return next;
}

void kernel_timer(void)
{
    struct cpu *cpu = cpu_this();
    uint64_t now = arch_clock_ns();
    uint64_t next;

    cpu->armed = TIMER_NEVER;
    next = fire_due(&cpu->timers, now);
    if (cpu->slice_end <= now) {
        cpu->slice_end = TIMER_NEVER;
        cpu_yield();
    }
    arm_hardware(cpu, next < cpu->slice_end ? next : cpu->slice_end);
}
