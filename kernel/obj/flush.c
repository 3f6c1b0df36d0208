/* SPDX-License-Identifier: MIT */
/*
 * Owns when changed lines of persistent objects are written back unasked: at the last use
 * (RELEASE), every second (PERIODIC), at an orderly shutdown (all). What was changed is known
 * from the dirty bits of the leaves. A flush takes the bits away first, everywhere, then writes
 * the lines back; so what is stored meanwhile is dirty again.
 *
 * The periodic walk is a chore: a timer asks for a piece of it, that core's kernel_exit or idle
 * loop does it. There is no timer while no object wants it.
 *
 * Locks: table -> obj->tree.lock. The walk's place belongs to whoever has `walker`.
 */
#include <kernel/page.h>
#include <kernel/sched.h>
#include "inside.h"

#define PERIOD_NS    1000000000ull
#define PIECE_NS     1000000ull /* between pieces of one walk */
#define BUCKET_BATCH 256u

static struct timer tick;
static _Atomic uint32_t watching; /* the timer is set, or a piece under way */
static _Atomic uint32_t calls;    /* of flush_watch */
static _Atomic uint32_t walker;
static uint32_t bucket; /* the walk's place; 0: it begins */
static uint32_t seen;   /* calls when it began */
static bool wanted;     /* it has met an object that wants it */

static void flush_one(struct object *obj, void *ctx)
{
    (void)ctx;
    obj_flush(obj);
}

void obj_flush_all(void)
{
    table_each_stored(0, UINT32_MAX, flush_one, NULL);
}

/* --- every second ----------------------------------------------------------------------------- */

static void ring(struct timer *t)
{
    (void)t;
    sched_defer_work();
}

static void watch(void)
{
    if (atomic_exchange(&watching, 1) != 0)
        return;
    tick.fire = ring;
    timer_set(&tick, arch_clock_ns() + PERIOD_NS);
}

/* Any lock may be held but a timer heap's. */
void flush_watch(void)
{
    atomic_fetch_add(&calls, 1);
    watch();
}

static void walk_one(struct object *obj, void *ctx)
{
    bool *more = ctx;

    if (obj->persist != TWZ_PERSIST_PERIODIC || obj_is_deleted(obj))
        return;
    wanted = true;
    spin_lock(&obj->tree.lock);
    if (page_clean_locked(obj, &obj->flush_at))
        *more = true;
    else
        obj->flush_at = 0;
    spin_unlock(&obj->tree.lock);
}

/* A piece of the walk; true: there is more. */
static bool walk_piece(void)
{
    bool more = false;

    if (bucket == 0) {
        seen = atomic_load(&calls);
        wanted = false;
    }
    if (!table_each_stored(bucket, BUCKET_BATCH, walk_one, &more) && !more) {
        bucket = 0;
        return false;
    }
    bucket += more ? 0 : BUCKET_BATCH;
    return true;
}

/* Nobody wants it any more, unless somebody came between the last look and this. */
static void end_watch(void)
{
    atomic_store(&watching, 0);
    if (seen != atomic_load(&calls))
        watch();
}

void flush_periodic(void)
{
    bool more;

    if (atomic_exchange(&walker, 1) != 0)
        return;
    more = walk_piece();
    if (more || wanted || seen != atomic_load(&calls))
        timer_set(&tick, arch_clock_ns() + (more ? PIECE_NS : PERIOD_NS));
    else
        end_watch();
    atomic_store(&walker, 0);
}
