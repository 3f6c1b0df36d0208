/* SPDX-License-Identifier: MIT */
/*
 * Owns the buckets of waiters and thread->sync_state.
 *
 * Invariants
 *   - A sleep is claimed once: the winner of the compare-exchange of sync_state from SLEEPING ends
 *     it, and must call sched_wake. A waker that meets a claimed waiter tries the next one, so no
 *     wake is spent on a thread that is awake already.
 *   - Wakers claim and call sched_wake under the bucket's lock, the timer under its heap's. So once
 *     sync_cancel has taken these locks, no core touches the thread for this sleep. A signal's
 *     sched_wake may come late; a sleeper that is resumed unclaimed parks again.
 *   - No wake is lost: the sleeper queues, then compares; the waker stores, then looks. The lock of
 *     the bucket orders the two.
 *
 * Locks: bucket -> thread->lock -> runq.lock. One bucket at a time.
 */
#include <kernel/kmem.h>
#include <kernel/sched.h>
#include <kernel/sync.h>

#define BUCKETS 1024u

struct bucket {
    struct spinlock lock;
    struct list waiters;
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of_key(const void *object, uint64_t off)
{
    uint64_t h = ((uint64_t)(uintptr_t)object >> 4) ^ (off * 0x9e3779b97f4a7c15ull >> 17);

    return &buckets[(h ^ (h >> 20)) % BUCKETS];
}

/* True: the caller ends the sleep, and must call sched_wake. */
static bool claim_sleep(struct thread *t, enum sync_state to)
{
    uint32_t from = SYNC_SLEEPING;

    return atomic_compare_exchange_strong(&t->sync_state, &from, (uint32_t)to);
}

static void time_out(struct timer *timer)
{
    struct thread *t = CONTAINER_OF(timer, struct thread, timer);

    if (claim_sleep(t, SYNC_TIMEDOUT))
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
    /* SLEEPING, before the pending bits are read. Pairs with signal_send. */
    atomic_store(&t->sync_state, SYNC_SLEEPING);
    if (atomic_load(&t->pending) != 0)
        cpu_set_need_resched(); /* the thread does not sleep; kernel_exit acts on the bits */
    return 0;
}

void sync_queue(struct thread *t, const void *object, uint64_t off, unsigned index)
{
    struct sync_waiter *w = &t->waiters[t->nwaiters++];
    struct bucket *b = bucket_of_key(object, off);

    w->thread = t;
    w->object = object;
    w->off = off;
    w->index = index;
    spin_lock(&b->lock);
    list_add_last(&b->waiters, &w->bucket_link);
    spin_unlock(&b->lock);
    /* The waiter, before the caller compares the word. Pairs with sync_wake. */
    atomic_thread_fence(memory_order_seq_cst);
}

void sync_deadline(struct thread *t, uint64_t deadline)
{
    t->timer.fire = time_out;
    timer_set(&t->timer, deadline);
}

static void unqueue_waiter(struct sync_waiter *w)
{
    struct bucket *b = bucket_of_key(w->object, w->off);

    spin_lock(&b->lock);
    list_remove(&b->waiters, &w->bucket_link);
    spin_unlock(&b->lock);
}

enum sync_state sync_cancel(struct thread *t, void (*release)(const void *object))
{
    for (unsigned i = 0; i < t->nwaiters; i++) {
        unqueue_waiter(&t->waiters[i]);
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
    struct bucket *b = bucket_of_key(object, off);
    struct list_node *node;
    unsigned woken = 0;

    /* The caller's store of the word, before the bucket is read. Pairs with sync_queue. An empty
     * bucket needs no lock. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!__atomic_load_n(&b->waiters.first, __ATOMIC_RELAXED))
        return 0;
    spin_lock(&b->lock);
    for (node = b->waiters.first; node && woken < count; node = node->next) {
        struct sync_waiter *w = LIST_ITEM(node, struct sync_waiter, bucket_link);

        if (w->object != object || w->off != off || !claim_sleep(w->thread, SYNC_WOKEN))
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
    if (claim_sleep(t, SYNC_INTERRUPTED))
        sched_wake(t);
}

unsigned sync_wake_all_batches(const void *object, uint64_t off, uint64_t count)
{
    unsigned woken = 0, n;

    do {
        uint64_t left = count - woken;

        n = sync_wake(object, off, left < SYNC_WAKE_BATCH ? left : SYNC_WAKE_BATCH);
        woken += n;
        if (n == SYNC_WAKE_BATCH)
            arch_preemption_point();
    } while (n == SYNC_WAKE_BATCH && woken < count);
    return woken;
}
