/* SPDX-License-Identifier: MIT */
/*
 * Owns automatic write-back: every second for objects of mode PERIODIC, and of all objects at an
 * orderly shutdown. obj_release does the write-back at the last use (mode RELEASE).
 *
 * The periodic walk is deferred work. A timer requests one batch, and a core does this batch on its
 * way out of the kernel or in its idle loop. The timer is not set while no object has mode
 * PERIODIC. The state of the walk belongs to the core that has set `walker`.
 *
 * Lock order: table -> object.
 */
#include <kernel/page.h>
#include <kernel/sched.h>
#include "inside.h"

#define PERIOD_NS    1000000000ull
#define BATCH_NS     1000000ull /* between two batches of one walk */
#define BUCKET_BATCH 256u

static struct timer tick;
static _Atomic uint32_t watching; /* the timer is set, or a batch is being done */
static _Atomic uint32_t calls;    /* number of calls of flush_watch */
static _Atomic uint32_t walker;   /* a core is doing a batch */
static uint32_t bucket;           /* bucket at which the walk continues; 0 if it must begin */
static uint32_t calls_at_start;   /* value of `calls` when this walk began */
static bool found;                /* this walk has met an object of mode PERIODIC */

static void flush_object(struct object *obj, void *ctx)
{
    (void)ctx;
    obj_flush(obj);
}

void obj_flush_all(void)
{
    table_visit_stored(0, UINT32_MAX, flush_object, NULL);
}

static void request_batch(struct timer *t)
{
    (void)t;
    sched_defer_work();
}

static void start_timer(void)
{
    if (atomic_exchange(&watching, 1) != 0)
        return;
    tick.fire = request_batch;
    timer_set(&tick, arch_clock_ns() + PERIOD_NS);
}

void flush_watch(void)
{
    atomic_fetch_add(&calls, 1); /* must precede the test of `watching`; pairs with stop_timer */
    start_timer();
}

static void clean_object(struct object *obj, void *ctx)
{
    bool *more = ctx;

    if (obj->persist != TWZ_PERSIST_PERIODIC || obj_is_deleted(obj))
        return;
    found = true;
    spin_lock(&obj->tree.lock);
    if (page_clean_locked(obj, &obj->flush_at))
        *more = true;
    else
        obj->flush_at = 0;
    spin_unlock(&obj->tree.lock);
}

/* Does one batch: some buckets, and one batch of pages of each object in them. Returns true if the
 * walk is not complete. */
static bool walk_batch(void)
{
    bool more = false;

    if (bucket == 0) {
        calls_at_start = atomic_load(&calls);
        found = false;
    }
    if (!table_visit_stored(bucket, BUCKET_BATCH, clean_object, &more) && !more) {
        bucket = 0;
        return false;
    }
    bucket += more ? 0 : BUCKET_BATCH;
    return true;
}

/* Stops the periodic write-back, unless flush_watch was called after the walk began. */
static void stop_timer(void)
{
    atomic_store(&watching, 0); /* must precede the load of `calls`; pairs with flush_watch */
    if (calls_at_start != atomic_load(&calls))
        start_timer();
}

void flush_periodic(void)
{
    bool more;

    if (atomic_exchange(&walker, 1) != 0)
        return;
    more = walk_batch();
    if (more || found || calls_at_start != atomic_load(&calls))
        timer_set(&tick, arch_clock_ns() + (more ? BATCH_NS : PERIOD_NS));
    else
        stop_timer();
    atomic_store(&walker, 0);
}
