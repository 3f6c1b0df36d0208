/* SPDX-License-Identifier: MIT */
/*
 * Owns the end of rights by time. Before an object is mapped by a right that ends, it is watched.
 * At the end a timer queues work that gives the object a new stamp and unmaps it where more than
 * default permissions is mapped. The next touch makes a new decision, and may watch again.
 *
 * An object is in the tree once, with the earliest end. A watch whose timer has fired is no longer
 * there: a mapping that is made from then on has a watch of its own.
 *
 * Lock order: watches -> timer heap -> work that no thread owes.
 */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/defer.h>
#include <kernel/kmem.h>

struct watch {
    struct id_node node; /* of the object; in the tree until the timer's work begins */
    uint64_t end;        /* seconds of security time */
    struct timer timer;
    struct deferred work;
    bool replaced;      /* another watch has its place in the tree */
    struct object *obj; /* referenced, while the work unmaps it */
    struct unmap_walk walk;
};

static SHARED_LOCK struct spinlock watches_lock; /* guards the tree, and `replaced` */
static struct id_tree watches;

/* The timer has fired: takes the watch out of the tree, and finds its object. */
static bool begin_work(struct watch *w)
{
    (void)timer_cancel(&w->timer); /* waits until the core that fired it has left it */
    spin_lock(&watches_lock);
    if (!w->replaced)
        id_tree_remove(&watches, &w->node);
    spin_unlock(&watches_lock);
    if (obj_get(w->node.id, &w->obj) < 0)
        return false;
    obj_renew_stamp(w->obj);
    return true;
}

static bool expiry_step(struct deferred *work)
{
    struct watch *w = CONTAINER_OF(work, struct watch, work);
    uint32_t budget = DEFERRED_STEP;
    unsigned keep;

    if (!w->obj && !begin_work(w)) {
        kmem_free(w, sizeof(*w));
        return false;
    }
    keep = __atomic_load_n(&w->obj->perms, __ATOMIC_RELAXED);
    if (addrspace_unmap_excess(&w->obj->tree, keep, &w->walk, &budget))
        return true;
    obj_put(w->obj);
    kmem_free(w, sizeof(*w));
    return false;
}

static void fire(struct timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, timer);

    w->work.step = expiry_step;
    defer_from_timer(&w->work);
}

/* Adds a watch, or has the one that is there end earlier. *fresh is set to NULL if it is used. */
static void watch_locked(struct watch **fresh)
{
    struct id_node *node = id_tree_add(&watches, &(*fresh)->node);
    struct watch *old = node ? ID_TREE_ITEM(node, struct watch, node) : NULL;
    struct watch *w = old;

    if (old && old->end <= (*fresh)->end && old->timer.heap)
        return;
    if (!old || !timer_cancel(&old->timer)) {
        w = *fresh;
        *fresh = NULL;
        if (old) {
            id_tree_replace(&watches, &old->node, &w->node);
            old->replaced = true;
        }
    } else {
        w->end = (*fresh)->end < w->end ? (*fresh)->end : w->end;
    }
    timer_set(&w->timer, clock_at_security(w->end), TIMER_KERNEL);
}

int expiry_watch(const struct object *obj, uint64_t end)
{
    struct watch *w = kmem_alloc(sizeof(*w));

    if (!w)
        return -TWZ_ENOMEM;
    w->node.id = obj->id;
    w->end = end;
    w->timer.fire = fire;
    spin_lock(&watches_lock);
    watch_locked(&w);
    spin_unlock(&watches_lock);
    kmem_free(w, sizeof(*w));
    return 0;
}
