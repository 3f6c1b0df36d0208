/* SPDX-License-Identifier: MIT */
/*
 * Owns the timers, one heap a core, and the hardware timer of each core.
 *
 * Invariants
 *   - A timer with heap != NULL is in that heap. Only heap->lock guards both, so timer_cancel sees
 *     a timer as queued or as fired, never between the two.
 *   - The hardware timer of a core is armed for no later than the earliest deadline of its heap and
 *     its slice. After a cancel it may go off without work.
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

void timer_set(struct timer *t, uint64_t deadline)
{
    struct cpu *cpu = cpu_this();

    t->node.key = deadline;
    spin_lock(&cpu->timers.lock);
    heap_insert(&cpu->timers.heap, &t->node);
    set_heap(t, &cpu->timers);
    spin_unlock(&cpu->timers.lock);
    arm_hardware(cpu, deadline);
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
        heap_remove(&heap->heap, &t->node);
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

#define FIRE_BATCH 64u /* timers fired in one interrupt */

/* Fires timers that are due, one batch; returns the earliest deadline left, or TIMER_NEVER. If that
 * is due as well, the hardware timer goes off again at once: what the core runs is heeded
 * between. */
static uint64_t fire_due(struct timer_heap *heap, uint64_t now)
{
    uint64_t next = TIMER_NEVER;
    struct heap_node *top;
    unsigned fired = 0;

    spin_lock(&heap->lock);
    while ((top = heap->heap.top) && top->key <= now && fired++ < FIRE_BATCH) {
        struct timer *t = CONTAINER_OF(top, struct timer, node);

        heap_remove(&heap->heap, top);
        t->fire(t);
        set_heap(t, NULL);
    }
    if (top)
        next = top->key;
    spin_unlock(&heap->lock);
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
