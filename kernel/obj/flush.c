/* SPDX-License-Identifier: MIT */
/*
 * Owns automatic write-back: once a second for the objects of mode PERIODIC that are in use, and of
 * all objects at an orderly shutdown. The write-back at the last use is in incore.c.
 *
 * An object that an address space maps with WRITE is watched until its last reference is dropped.
 * Each second a round begins: all objects that are watched then are due. A timer requests a batch
 * for one of them, and a core does it on its way out of the kernel or in its idle loop. The timer
 * is not set while no object is watched. In the list, the objects that are due come first.
 *
 * Lock order: shard of the table -> object -> the lock of this file -> timer heap.
 */
#include <kernel/page.h>
#include <kernel/sched.h>
#include "inside.h"

#define PERIOD_NS 1000000000ull
#define BATCH_NS  1000000ull /* between two batches */

static SHARED_LOCK struct spinlock lock; /* guards the next three, and the links of the objects */
static struct list watched;
static uint32_t round; /* an object is due unless it was last written back in this round */
static bool armed;     /* the timer is set, or a batch is requested */
static struct timer tick;
static _Atomic uint32_t requested;
static _Atomic uint32_t busy;  /* a core is doing a batch */
static _Atomic uint32_t again; /* a batch was requested meanwhile */

static void flush_object(struct object *obj, void *ctx)
{
    (void)ctx;
    obj_flush(obj);
}

void obj_flush_all(void)
{
    table_visit_stored(flush_object, NULL);
}

static void request_batch(struct timer *t)
{
    (void)t;
    atomic_store(&requested, 1);
    sched_defer_work();
}

static void arm_locked(uint64_t wait)
{
    if (armed)
        return;
    armed = true;
    tick.fire = request_batch;
    timer_set(&tick, arch_clock_ns() + wait, TIMER_KERNEL);
}

static void watch_locked(struct object *obj)
{
    obj->watched = true;
    obj->flush_round = round;
    list_add_last(&watched, &obj->watch_link);
}

static void unwatch_locked(struct object *obj)
{
    if (obj->watched)
        list_remove(&watched, &obj->watch_link);
    obj->watched = false;
}

void obj_written_locked(struct object *obj)
{
    obj->written = true;
    if (obj->persist != TWZ_PERSIST_PERIODIC || !obj_is_persistent(obj))
        return;
    spin_lock(&lock);
    if (!obj->watched)
        watch_locked(obj);
    arm_locked(PERIOD_NS);
    spin_unlock(&lock);
}

void flush_unwatch(struct object *obj)
{
    if (!obj->watched)
        return;
    spin_lock(&lock);
    unwatch_locked(obj);
    spin_unlock(&lock);
}

static struct object *first_due_locked(void)
{
    struct object *obj = LIST_FIRST(&watched, struct object, watch_link);

    return obj && obj->flush_round != round ? obj : NULL;
}

/* Adds a reference, unless the last one has been dropped. */
static bool get_reference(struct object *obj)
{
    uint32_t refs = atomic_load_explicit(&obj->tree.refs, memory_order_relaxed);

    while (refs > 0)
        if (atomic_compare_exchange_weak(&obj->tree.refs, &refs, refs + 1))
            return true;
    return false;
}

/* The next object that is due, referenced. NULL: there is none, or its last reference has just been
 * dropped. If no object is due, a round begins. */
static struct object *next_due(void)
{
    struct object *obj;

    spin_lock(&lock);
    armed = false;
    if (!first_due_locked())
        round++;
    obj = first_due_locked();
    if (obj && !get_reference(obj)) {
        unwatch_locked(obj);
        obj = NULL;
    }
    spin_unlock(&lock);
    return obj;
}

/* Does one batch for an object. Returns true if it must stay due. */
static bool clean_batch(struct object *obj)
{
    bool more = false;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj) && !obj_is_deleted(obj))
        more = page_clean_locked(obj, &obj->flush_at);
    if (!more)
        obj->flush_at = 0;
    spin_unlock(&obj->tree.lock);
    return more;
}

/* After a batch: the object stays watched if its mode has stayed. Requests the next batch. */
static void finish_batch(struct object *obj, bool more)
{
    spin_lock(&lock);
    if (obj && !more) {
        unwatch_locked(obj);
        if (obj->persist == TWZ_PERSIST_PERIODIC)
            watch_locked(obj);
    }
    if (!list_is_empty(&watched))
        arm_locked(first_due_locked() ? BATCH_NS : PERIOD_NS);
    spin_unlock(&lock);
}

bool flush_periodic(void)
{
    struct object *obj;

    if (atomic_exchange(&requested, 0) == 0)
        return false;
    if (atomic_exchange(&busy, 1) != 0) {
        atomic_store(&again, 1); /* before the second look; pairs with the end of the batch */
        if (atomic_load(&busy) == 0)
            request_batch(NULL);
        return false;
    }
    obj = next_due();
    finish_batch(obj, obj && clean_batch(obj));
    atomic_store(&busy, 0);
    if (atomic_exchange(&again, 0) != 0)
        request_batch(NULL);
    if (obj)
        obj_put(obj);
    return true;
}
