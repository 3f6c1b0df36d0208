/* SPDX-License-Identifier: MIT */
/*
 * Owns the timer heaps, one a core. A pairing heap: top is the earliest deadline; each node knows
 * its first child, its next sibling, and through prev its elder sibling or its parent.
 *
 * Invariants: a timer with heap != NULL is in that heap; only heap->lock guards both, so a timer
 * that moves between "queued" and "fired" is seen as one or the other by timer_cancel. The hardware
 * timer of a core is armed for no later than the earliest of its heap and its slice (it may go off
 * for nothing after a cancel).
 *
 * Locks: heap->lock -> thread->lock -> runq.lock: fire runs under the heap's lock, so that once
 * timer_cancel has returned the timer's memory is its owner's again.
 */
#include <kernel/cpu.h>
#include <kernel/sched.h>

static struct timer *meld(struct timer *a, struct timer *b)
{
    struct timer *t;

    if (!a)
        return b;
    if (!b)
        return a;
    if (b->deadline < a->deadline) {
        t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = NULL;
    a->prev = NULL;
    return a;
}

/* The usual two passes: pairs from the left, then all into one from the right. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL, *all = NULL, *rest, *pair;

    while (first) {
        struct timer *second = first->next;

        rest = second ? second->next : NULL;
        first->next = NULL;
        if (second)
            second->next = NULL;
        pair = meld(first, second);
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    while (pairs) {
        rest = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = rest;
    }
    if (all)
        all->prev = NULL;
    return all;
}

static void take_out(struct timer_heap *heap, struct timer *t)
{
    struct timer *below = meld_siblings(t->child);

    if (t == heap->top) {
        heap->top = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        heap->top = meld(heap->top, below);
    }
    t->child = NULL;
    t->next = NULL;
    t->prev = NULL;
}

static void set_heap(struct timer *t, struct timer_heap *heap)
{
    __atomic_store_n(&t->heap, heap, __ATOMIC_RELEASE);
}

static void arm(struct cpu *cpu, uint64_t deadline)
{
    if (deadline >= cpu->armed)
        return;
    cpu->armed = deadline;
    arch_timer_set(deadline);
}

void timer_set(struct timer *t, uint64_t deadline)
{
    struct cpu *cpu = cpu_this();

    t->deadline = deadline;
    t->child = NULL;
    t->next = NULL;
    t->prev = NULL;
    spin_lock(&cpu->timers.lock);
    cpu->timers.top = meld(cpu->timers.top, t);
    set_heap(t, &cpu->timers);
    spin_unlock(&cpu->timers.lock);
    arm(cpu, deadline);
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
        take_out(heap, t);
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
        arm(cpu, deadline);
}

/* Fires all that is due; returns the earliest deadline that is left. */
static uint64_t fire_due(struct timer_heap *heap, uint64_t now)
{
    uint64_t next;
    struct timer *t;

    spin_lock(&heap->lock);
    while ((t = heap->top) && t->deadline <= now) {
        take_out(heap, t);
        t->fire(t);
        set_heap(t, NULL);
    }
    next = t ? t->deadline : TIMER_NEVER;
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
        sched_yield();
    }
    arm(cpu, next < cpu->slice_end ? next : cpu->slice_end);
}
