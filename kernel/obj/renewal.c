/* SPDX-License-Identifier: MIT */
/*
 * Owns the end of rights on many objects: the work visits every object in core, or those of one
 * owner, gives them new stamps, and unmaps them where a grant or a capability gave rights. Objects
 * that are loaded meanwhile are decided on anew.
 *
 * Lock order: shard of the table alone; object -> address space.
 */
#include <kernel/defer.h>
#include <kernel/kmem.h>
#include "inside.h"

struct obj_renewal *obj_renewal_prepare(void)
{
    return kmem_alloc(sizeof(struct obj_renewal));
}

void obj_renewal_drop(struct obj_renewal *renewal)
{
    kmem_free(renewal, sizeof(*renewal));
}

/* Unmaps the object that the renewal has reached. Returns true if that is not complete. */
static bool unmap_some(struct obj_renewal *s, uint32_t *budget)
{
    unsigned keep;

    if (!s->obj || (!objid_is_none(s->kuid) && !objid_equal(s->obj->kuid, s->kuid)))
        return false;
    if (!s->walk.begun)
        obj_renew_stamp(s->obj);
    keep = __atomic_load_n(&s->obj->perms, __ATOMIC_RELAXED);
    return addrspace_unmap_excess(&s->obj->tree, keep, &s->walk, budget);
}

bool obj_renewal_some(struct obj_renewal *s)
{
    uint32_t budget = DEFERRED_STEP;

    do {
        struct object *before = s->obj;

        if (unmap_some(s, &budget) || budget == 0)
            return true;
        s->obj = table_next(&s->chain, before, &budget);
        s->walk.begun = false;
        if (before)
            obj_put(before);
    } while (s->obj);
    if (s->chain < TABLE_CHAINS)
        return true;
    return false;
}

static bool work_step(struct deferred *work)
{
    struct obj_renewal *s = CONTAINER_OF(work, struct obj_renewal, work);

    if (obj_renewal_some(s))
        return true;
    obj_renewal_drop(s);
    return false;
}

void obj_renewal_start(struct obj_renewal *renewal, objid_t kuid)
{
    *renewal = (struct obj_renewal){ .work.step = work_step, .kuid = kuid };
    defer(&renewal->work);
}
