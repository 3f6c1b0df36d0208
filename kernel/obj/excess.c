/* SPDX-License-Identifier: MIT */
/*
 * Owns the end of rights on one object: the work that unmaps it wherever more than the default
 * permissions is mapped, or what a grant or a capability gave. The next touch makes a new decision.
 *
 * The change that takes the rights comes first, and gives the object a new stamp. A fault compares
 * the stamp of its decision under the object's lock, so it maps nothing by an older one.
 *
 * Lock order: object -> address space.
 */
#include <kernel/defer.h>
#include <kernel/kmem.h>
#include "inside.h"

static _Atomic uint64_t last_stamp;

uint64_t obj_draw_stamp(void)
{
    return atomic_fetch_add_explicit(&last_stamp, 1, memory_order_relaxed) + 1;
}

void obj_renew_stamp(struct object *obj)
{
    __atomic_store_n(&obj->stamp, obj_draw_stamp(), __ATOMIC_RELEASE);
}

struct obj_unmap {
    struct deferred work;
    struct object *obj; /* referenced */
    struct unmap_walk walk;
};

struct obj_unmap *obj_unmap_prepare(void)
{
    return kmem_alloc(sizeof(struct obj_unmap));
}

void obj_unmap_drop(struct obj_unmap *unmap)
{
    kmem_free(unmap, sizeof(*unmap));
}

static bool unmap_step(struct deferred *work)
{
    struct obj_unmap *unmap = CONTAINER_OF(work, struct obj_unmap, work);
    struct object *obj = unmap->obj;
    uint32_t budget = DEFERRED_STEP;
    unsigned keep = __atomic_load_n(&obj->perms, __ATOMIC_RELAXED);

    if (addrspace_unmap_excess(&obj->tree, keep, &unmap->walk, &budget))
        return true;
    obj_put(obj);
    obj_unmap_drop(unmap);
    return false;
}

void obj_unmap_start(struct obj_unmap *unmap, struct object *obj)
{
    obj_ref(obj);
    *unmap = (struct obj_unmap){ .work.step = unmap_step, .obj = obj };
    defer(&unmap->work);
}

int obj_unmap_finish(struct obj_unmap *unmap, struct object *obj, int err)
{
    if (err < 0)
        obj_unmap_drop(unmap);
    else
        obj_unmap_start(unmap, obj);
    return err;
}
