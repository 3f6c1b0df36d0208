/* SPDX-License-Identifier: MIT */
/*
 * Owns the run queues.
 *
 * Invariants
 *   - A thread on a queue has its registers in its save areas, and no core runs it.
 *   - A queued thread may run on the queue's core, and is queued by the cores and the priority that
 *     it has. runq_push is called with t->cpu written, and reads both under the queue's lock;
 *     runq_evict is called with the new value written, and reads t->cpu, then looks at that queue
 *     under its lock. So either the one that queues t sees the new value, or runq_evict finds t.
 *
 * Locks: runq.lock, the last one. Two run queues are never locked together.
 */
#include "runq.h"

static bool may_run_on(const struct thread *t, unsigned core)
{
    return (__atomic_load_n(&t->cores, __ATOMIC_RELAXED) >> core & 1) != 0;
}

bool runq_push(unsigned core, struct thread *t)
{
    struct runq *q = &cpus[core].runq;
    unsigned p;

    spin_lock(&q->lock);
    if (!may_run_on(t, core)) {
        spin_unlock(&q->lock);
        return false;
    }
    p = __atomic_load_n(&t->priority, __ATOMIC_RELAXED);
    t->queue = q;
    t->queue_priority = p;
    t->queue_movable = (t->cores & all_cpus() & ~(1ull << core)) != 0;
    list_add_last(&q->list[p], &t->queue_link);
    q->ready |= 1u << p;
    q->nmovable[p] += t->queue_movable;
    if (t->queue_movable)
        __atomic_store_n(&q->movable, q->movable | 1u << p, __ATOMIC_RELAXED);
    atomic_fetch_add_explicit(&q->count, 1, memory_order_relaxed);
    spin_unlock(&q->lock);
    return true;
}

/* The bits and counts of the queue stay, because one thread replaces another of its kind. */
struct thread *runq_swap(unsigned core, struct thread *t)
{
    struct runq *q = &cpus[core].runq;
    struct thread *first = NULL;
    bool movable;
    unsigned p;

    spin_lock(&q->lock);
    p = __atomic_load_n(&t->priority, __ATOMIC_RELAXED);
    movable = (__atomic_load_n(&t->cores, __ATOMIC_RELAXED) & all_cpus() & ~(1ull << core)) != 0;
    if (runq_level(q->ready) == p + 1)
        first = LIST_FIRST(&q->list[p], struct thread, queue_link);
    if (first &&
        (first->queue_movable != movable || !may_run_on(first, core) || !may_run_on(t, core)))
        first = NULL;
    if (first) {
        first->queue = NULL;
        list_remove(&q->list[p], &first->queue_link);
        t->queue = q;
        t->queue_priority = p;
        t->queue_movable = movable;
        list_add_last(&q->list[p], &t->queue_link);
    }
    spin_unlock(&q->lock);
    return first;
}

static void remove_locked(struct runq *q, struct thread *t)
{
    unsigned p = t->queue_priority;

    t->queue = NULL;
    list_remove(&q->list[p], &t->queue_link);
    if (list_is_empty(&q->list[p]))
        q->ready &= ~(1u << p);
    q->nmovable[p] -= t->queue_movable;
    if (q->nmovable[p] == 0)
        __atomic_store_n(&q->movable, q->movable & ~(1u << p), __ATOMIC_RELAXED);
    atomic_fetch_sub_explicit(&q->count, 1, memory_order_relaxed);
}

#define SCAN 64u /* threads of one priority looked at for another core */

/* The first thread of priority p that may run on `core`, or NULL. On the core's own queue that is
 * the first one. */
static struct thread *find_first_locked(const struct runq *q, unsigned p, unsigned core)
{
    const struct list_node *node = q->list[p].first;

    for (unsigned i = 0; node && i < SCAN; i++, node = node->next) {
        struct thread *t = LIST_ITEM(node, struct thread, queue_link);

        if ((t->cores >> core & 1) != 0)
            return t;
    }
    return NULL;
}

uint64_t runq_wanted(struct runq *q, unsigned *level)
{
    const struct list_node *node;
    uint64_t wanted = 0;

    spin_lock(&q->lock);
    *level = runq_level(q->movable);
    node = *level != 0 ? q->list[*level - 1].first : NULL;
    for (unsigned i = 0; node && i < SCAN; i++, node = node->next) {
        const struct thread *t = LIST_ITEM(node, struct thread, queue_link);

        wanted |= t->queue_movable ? __atomic_load_n(&t->cores, __ATOMIC_RELAXED) : 0;
    }
    spin_unlock(&q->lock);
    return wanted;
}

struct thread *runq_pop(struct runq *q, unsigned core, unsigned level)
{
    struct thread *t = NULL;
    uint32_t ready;

    if (atomic_load_explicit(&q->count, memory_order_relaxed) == 0)
        return NULL;
    spin_lock(&q->lock);
    ready = q == &cpus[core].runq ? q->ready : q->movable;
    while (runq_level(ready) > level && !t) {
        unsigned p = runq_level(ready) - 1;

        ready &= ~(1u << p);
        t = find_first_locked(q, p, core);
        if (t)
            remove_locked(q, t);
    }
    spin_unlock(&q->lock);
    return t;
}

bool runq_evict(struct thread *t)
{
    unsigned core;
    struct runq *q;
    bool evicted;

    /* The new cores or priority, before the core t is queued on. Pairs with runq_push's lock. */
    atomic_thread_fence(memory_order_seq_cst);
    core = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
    q = &cpus[core].runq;
    spin_lock(&q->lock);
    evicted = t->queue == q;
    if (evicted)
        remove_locked(q, t);
    spin_unlock(&q->lock);
    return evicted;
}
