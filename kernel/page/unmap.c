/* SPDX-License-Identifier: MIT */
/*
 * Removes leaves in two cases:
 *   - the store is about to share, protect or copy pages of a persistent object;
 *   - the kernel frees an object.
 *
 * A dirty bit is lost with its leaf. This file must therefore flush the lines of a page that may be
 * dirty and stays in the pool.
 *
 * Lock order: object -> phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include <store/persist.h>
#include "inside.h"

void page_unmap_stored_locked(struct object *obj, uint32_t first, uint32_t count)
{
    phys_t dirty[RANGE_BATCH];
    uint32_t page = first;
    unsigned flags, n = 0;
    phys_t frame;

    if (phys_is_none(obj->tree.pt.top))
        return;
    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++)
        if ((flags & ARCH_PT_WRITE) != 0 && pool_has(frame))
            dirty[n++] = frame;
    arch_ptree_unmap(&obj->tree.pt, first, count);
    subtree_shoot_locked(&obj->tree, first, count);
    for (unsigned i = 0; i < n; i++)
        persist_flush(arch_virt_nvm(dirty[i]), TWZ_PAGE_SIZE);
    persist_fence(); /* the data must be durable before the caller changes the page words */
}

/* Calls act for each leaf of an object that maps a frame. The object must have no reference left.
 * Long. */
static void visit_leaves(struct object *obj, void (*act)(phys_t frame, unsigned flags))
{
    uint32_t end, page = 0, n = 0;
    unsigned flags;
    phys_t frame;

    for (end = SCAN_BATCH; page < TWZ_PAGE_RECORD; end += SCAN_BATCH) {
        end = end < TWZ_PAGE_RECORD ? end : TWZ_PAGE_RECORD;
        for (; arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++) {
            if (!phys_is_none(frame))
                act(frame, flags);
            if (++n % RANGE_BATCH == 0)
                arch_preemption_point();
        }
        page = end;
        arch_preemption_point();
    }
}

/* Drops the leaf's reference on a DRAM frame. A frame of the pool belongs to the store. */
static void drop_leaf(phys_t frame, unsigned flags)
{
    (void)flags;
    if (!pool_has(frame))
        page_frame_put(frame);
}

static void drop_leaf_flushed(phys_t frame, unsigned flags)
{
    drop_leaf(frame, flags);
    if ((flags & ARCH_PT_DIRTY) != 0 && pool_has(frame))
        persist_flush(arch_virt_nvm(frame), TWZ_PAGE_SIZE);
}

void page_drop_all(struct object *obj)
{
    if (!phys_is_none(obj->record))
        phys_free(obj->record, 0);
    if (phys_is_none(obj->tree.pt.top))
        return;
    if (obj_is_persistent(obj) && !obj_is_deleted(obj)) {
        visit_leaves(obj, drop_leaf_flushed);
        persist_fence(); /* dirty pages must be durable before obj_get can load the object anew */
    } else if (obj->kind != TWZ_KIND_DEVICE) {
        visit_leaves(obj, drop_leaf);
    }
    arch_ptree_destroy(&obj->tree.pt);
}
