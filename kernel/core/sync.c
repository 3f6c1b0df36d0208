/* SPDX-License-Identifier: MIT */
/*
 * Owns the buckets of waiters and thread->sync_state.
 *
 * Invariants
 *   - A bucket's list holds one waiter of each key, the head. The other waiters of the key are in
 *     the head's ring, so a wake meets only waiters of its own key.
 *   - A sleep is claimed once: the winner of the compare-exchange of sync_state from SLEEPING ends
 *     it, and must call sched_wake.
 *   - A waker removes each waiter that it meets, claimed by it or before. So no waiter is met
 *     twice, and N wakes of N waiters are linear.
 *   - Wakers claim and call sched_wake under the bucket's lock, the timer under its heap's. So once
 *     sync_cancel has taken these locks, no core touches the thread for this sleep. A signal's
 *     sched_wake may come late; a sleeper that is resumed unclaimed makes its call again, or
 *     returns as if it was woken.
 *   - No wake is lost: the sleeper queues, then compares; the waker stores, then looks. Each has a
 *     full fence in between. The waker's first look, whether the list is empty, takes no lock, so
 *     the list is never empty while a waiter is queued.
 *
 * The keys of the hash are random, so user code cannot choose words that share a bucket.
 *
 * Locks: bucket -> runq.lock. One bucket at a time.
 */
#include <kernel/account.h>
#include <kernel/defer.h>
#include <kernel/kmem.h>
#include <kernel/random.h>
#include <kernel/sched.h>
#include <kernel/sync.h>

#define BUCKET_BITS 10u

struct bucket {
    _Alignas(64) struct spinlock lock;
    struct list heads;
};

static struct bucket buckets[1u << BUCKET_BITS];
static uint64_t hash_keys[2]; /* odd */

void sync_init(void)
{
    random_bytes(hash_keys, sizeof(hash_keys));
    hash_keys[0] |= 1;
    hash_keys[1] |= 1;
}

static struct bucket *bucket_of_key(const void *object, uint64_t off)
{
    uint64_t h = (uint64_t)(uintptr_t)object * hash_keys[0] + off * hash_keys[1];

    return &buckets[h >> (64 - BUCKET_BITS)];
}

static struct sync_waiter *find_head_locked(const struct bucket *b, const void *object,
                                            uint64_t off)
{
    struct list_node *node;

    for (node = b->heads.first; node; node = node->next) {
        struct sync_waiter *w = LIST_ITEM(node, struct sync_waiter, bucket_link);

        if (w->object == object && w->off == off)
            return w;
    }
    return NULL;
}

static void add_waiter_locked(struct bucket *b, struct sync_waiter *w)
{
    struct sync_waiter *head = find_head_locked(b, w->object, w->off);

    w->queued = true;
    w->head = !head;
    if (!head) {
        w->next = w;
        w->prev = w;
        list_add_last(&b->heads, &w->bucket_link);
        return;
    }
    w->next = head;
    w->prev = head->prev;
    head->prev->next = w;
    head->prev = w;
}

/* The next waiter of the key becomes the head in the place of a head that is removed. It is on the
 * bucket's list before the other leaves: to a waker that looks without the lock, the bucket is
 * never empty while one waits. */
static void remove_waiter_locked(struct bucket *b, struct sync_waiter *w)
{
    w->queued = false;
    w->next->prev = w->prev;
    w->prev->next = w->next;
    if (!w->head)
        return;
    if (w->next != w) {
        w->next->head = true;
        list_add_first(&b->heads, &w->next->bucket_link);
    }
    list_remove(&b->heads, &w->bucket_link);
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

static int alloc_waiters(struct thread *t, unsigned n)
{
    size_t size = n * sizeof(*t->waiters);
    int err = account_charge(t->account, TWZ_ACCOUNT_KERNEL, size);

    if (err < 0)
        return err;
    t->waiters = kmem_alloc(size);
    if (!t->waiters)
        account_uncharge(t->account, TWZ_ACCOUNT_KERNEL, size);
    return t->waiters ? 0 : -TWZ_ENOMEM;
}

int sync_begin(struct thread *t, unsigned n)
{
    int err = 0;

    t->waiters = t->few;
    t->nwaiters = 0;
    if (n > THREAD_WAITERS)
        err = alloc_waiters(t, n);
    if (err < 0)
        return err;
    t->waiters_max = n;
    sched_forget_wake(t); /* of an earlier sleep */
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

    w->bucket = b;
    w->thread = t;
    w->object = object;
    w->off = off;
    w->index = index;
    spin_lock(&b->lock);
    add_waiter_locked(b, w);
    spin_unlock(&b->lock);
    /* The waiter, before the caller compares the word. Pairs with sync_wake. */
    atomic_thread_fence(memory_order_seq_cst);
}

void sync_deadline(struct thread *t, uint64_t deadline)
{
    t->timer.fire = time_out;
    timer_set(&t->timer, deadline, t->priority);
}

static void unqueue_waiter(struct sync_waiter *w)
{
    struct bucket *b = w->bucket;

    spin_lock(&b->lock);
    if (w->queued)
        remove_waiter_locked(b, w);
    spin_unlock(&b->lock);
}

static void free_waiters(struct thread *t)
{
    size_t size = t->waiters_max * sizeof(*t->waiters);

    kmem_free(t->waiters, size);
    account_uncharge(t->account, TWZ_ACCOUNT_KERNEL, size);
}

/* Ends a sleep on many words, or one that was not woken. */
static __attribute__((noinline)) enum sync_state cancel_all(struct thread *t,
                                                            void (*release)(const void *object))
{
    for (unsigned i = 0; i < t->nwaiters; i++) {
        unqueue_waiter(&t->waiters[i]);
        release(t->waiters[i].object);
    }
    timer_cancel(&t->timer);
    if (t->waiters != t->few)
        free_waiters(t);
    t->waiters = t->few;
    t->nwaiters = 0;
    return (enum sync_state)atomic_exchange(&t->sync_state, SYNC_NONE);
}

enum sync_state sync_cancel(struct thread *t, void (*release)(const void *object))
{
    if (atomic_load_explicit(&t->sync_state, memory_order_acquire) != SYNC_WOKEN ||
        t->nwaiters != 1 || t->waiters != t->few || t->timer.heap)
        return cancel_all(t, release);
    unqueue_waiter(&t->few[0]); /* waits until the waker has left the bucket */
    t->nwaiters = 0;
    atomic_store_explicit(&t->sync_state, SYNC_NONE, memory_order_relaxed);
    release(t->few[0].object);
    return SYNC_WOKEN;
}

bool sync_wake(const void *object, uint64_t off, uint64_t count, unsigned *woken)
{
    struct bucket *b = bucket_of_key(object, off);
    struct sync_waiter *w, *next;
    unsigned met = 0, n = 0;

    /* The caller's store of the word, before the bucket is read. Pairs with sync_queue. An empty
     * bucket needs no lock. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!__atomic_load_n(&b->heads.first, __ATOMIC_RELAXED))
        return false;
    spin_lock(&b->lock);
    w = find_head_locked(b, object, off);
    while (w && n < count && met < SYNC_WAKE_BATCH) {
        struct thread *t = w->thread;

        next = w->next != w ? w->next : NULL;
        remove_waiter_locked(b, w);
        met++;
        if (claim_sleep(t, SYNC_WOKEN)) {
            t->sync_index = w->index;
            sched_wake(t);
            n++;
        }
        w = next;
    }
    spin_unlock(&b->lock);
    *woken += n;
    return w && n < count;
}

static bool wake_rest(struct deferred *work)
{
    struct sync_waker *w = CONTAINER_OF(work, struct sync_waker, work);
    unsigned woken = 0;

    if (sync_wake(w->object, w->off, UINT64_MAX, &woken))
        return true;
    w->release(w->object);
    return false;
}

void sync_wake_all(struct sync_waker *w, const void *object, uint64_t off,
                   void (*release)(const void *object))
{
    w->work.step = wake_rest;
    w->object = object;
    w->off = off;
    w->release = release;
    if (wake_rest(&w->work))
        defer(&w->work);
}

void sync_interrupt(struct thread *t)
{
    if (claim_sleep(t, SYNC_INTERRUPTED))
        sched_wake(t);
}
