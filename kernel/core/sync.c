/* SPDX-License-Identifier: MIT */
/*
 * Owns the buckets of waiters and thread->sync_state.
 *
 * Invariants
 *   - A sleep is claimed once: whoever changes sync_state from SLEEPING by compare-exchange owns
 *     its end, and calls sched_wake. A wake that meets a waiter claimed by somebody else goes on to
 *     the next, so no wake is spent on a thread that is awake already.
 *   - Wakers claim and call sched_wake under the bucket's lock, the timer under its heap's; so once
 *     sync_cancel has been through these locks nobody touches the thread for this sleep any more.
 *     A signal's sched_wake may come late; a sleeper that is resumed unclaimed parks again.
 *   - No lost wake: the sleeper queues, then compares; the waker stores, then looks. The bucket's
 *     lock orders the two.
 *
 * Locks: bucket -> thread->lock -> runq.lock. One bucket at a time.
 */
#include <kernel/kmem.h>
#include <kernel/sched.h>
#include <kernel/sync.h>

#define BUCKETS    1024u
#define WAKE_BATCH 64u /* threads woken with interrupts off */

struct bucket {
    struct spinlock lock;
    struct list waiters;
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of(const void *object, uint64_t off)
{
    uint64_t h = ((uint64_t)(uintptr_t)object >> 4) ^ (off * 0x9e3779b97f4a7c15ull >> 17);

    return &buckets[(h ^ (h >> 20)) % BUCKETS];
}

static bool claim(struct thread *t, enum sync_state to)
{
    uint32_t from = SYNC_SLEEPING;

    return atomic_compare_exchange_strong(&t->sync_state, &from, (uint32_t)to);
}

static void timed_out(struct timer *timer)
{
    struct thread *t = CONTAINER_OF(timer, struct thread, timer);

    if (claim(t, SYNC_TIMEDOUT))
        sched_wake(t);
}

int sync_begin(struct thread *t, unsigned n)
{
    t->waiters = t->few;
    t->nwaiters = 0;
    if (n > THREAD_WAITERS) {
        t->waiters = kmem_alloc(n * sizeof(*t->waiters));
        if (!t->waiters)
            return -TWZ_ENOMEM;
    }
    t->waiters_max = n;
    atomic_store(&t->sync_state, SYNC_SLEEPING);
    if (atomic_load(&t->pending) != 0)
        sched_set_need_resched(); /* who finds that does not sleep, and takes its signal on the way out */
    return 0;
}

void sync_queue(struct thread *t, const void *object, uint64_t off, unsigned index)
{
    struct sync_waiter *w = &t->waiters[t->nwaiters++];
    struct bucket *b = bucket_of(object, off);

    w->thread = t;
    w->object = object;
    w->off = off;
    w->index = index;
    spin_lock(&b->lock);
    list_add_last(&b->waiters, &w->bucket_link);
    spin_unlock(&b->lock);
    /* Pairs with sync_wake's: queued before the word is compared. */
    atomic_thread_fence(memory_order_seq_cst);
}

void sync_deadline(struct thread *t, uint64_t deadline)
{
    t->timer.fire = timed_out;
    timer_set(&t->timer, deadline);
}

static void unqueue(struct sync_waiter *w)
{
    struct bucket *b = bucket_of(w->object, w->off);

    spin_lock(&b->lock);
    list_remove(&b->waiters, &w->bucket_link);
    spin_unlock(&b->lock);
}

enum sync_state sync_cancel(struct thread *t, void (*release)(const void *object))
{
    unsigned i;

    for (i = 0; i < t->nwaiters; i++) {
        unqueue(&t->waiters[i]);
        release(t->waiters[i].object);
    }
    timer_cancel(&t->timer);
    if (t->waiters != t->few)
        kmem_free(t->waiters, t->waiters_max * sizeof(*t->waiters));
    t->waiters = t->few;
    t->nwaiters = 0;
    return (enum sync_state)atomic_exchange(&t->sync_state, SYNC_NONE);
}

unsigned sync_wake(const void *object, uint64_t off, uint64_t count)
{
    struct bucket *b = bucket_of(object, off);
    struct list_node *node;
    unsigned woken = 0;

    /* The word was stored before the bucket is looked at; an empty one needs no lock. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!__atomic_load_n(&b->waiters.first, __ATOMIC_RELAXED))
        return 0;
    spin_lock(&b->lock);
    for (node = b->waiters.first; node && woken < count; node = node->next) {
        struct sync_waiter *w = LIST_ITEM(node, struct sync_waiter, bucket_link);

        if (w->object != object || w->off != off || !claim(w->thread, SYNC_WOKEN))
            continue;
        w->thread->sync_index = w->index;
        sched_wake(w->thread);
        woken++;
    }
    spin_unlock(&b->lock);
    return woken;
}

void sync_interrupt(struct thread *t)
{
    if (claim(t, SYNC_INTERRUPTED))
        sched_wake(t);
}

unsigned sync_wake_all_batches(const void *object, uint64_t off, uint64_t count)
{
    unsigned woken = 0, n;

    do {
        uint64_t left = count - woken;

        n = sync_wake(object, off, left < WAKE_BATCH ? left : WAKE_BATCH);
        woken += n;
        if (n == WAKE_BATCH)
            arch_preemption_point();
    } while (n == WAKE_BATCH && woken < count);
    return woken;
}
