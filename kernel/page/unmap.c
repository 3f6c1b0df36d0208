/* SPDX-License-Identifier: MIT */
/*
 * Owns how pages go.
 *
 * Locks: obj->tree.lock -> phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include <store/persist.h>
#include "inside.h"

void page_unmap_stored_locked(struct object *obj, uint32_t first, uint32_t count)
{
    phys_t dirty[RANGE_BATCH];
    uint32_t page = first;
    unsigned flags, n = 0, i;
    phys_t frame;

    if (phys_is_none(obj->tree.pt.top))
        return;
    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++)
        if ((flags & ARCH_PT_WRITE) != 0 && pool_has(frame))
            dirty[n++] = frame;
    arch_ptree_unmap(&obj->tree.pt, first, count);
    subtree_shoot_locked(&obj->tree, first, count);
    for (i = 0; i < n; i++)
        persist_flush(arch_virt_nvm(dirty[i]), TWZ_PAGE_SIZE);
    persist_fence();
}

/* For each page of an object that nobody finds any more, breathing in between. */
static void each_page(struct object *obj, void (*act)(phys_t frame, unsigned flags))
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

/* A frame of DRAM goes; one of the pool is the store's. */
static void put_page(phys_t frame, unsigned flags)
{
    (void)flags;
    if (!pool_has(frame))
        page_frame_put(frame);
}

/* The same, and what was written is kept. */
static void put_flushed_page(phys_t frame, unsigned flags)
{
    put_page(frame, flags);
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
        each_page(obj, put_flushed_page);
        persist_fence();
    } else if (obj->kind != TWZ_KIND_DEVICE) {
        each_page(obj, put_page);
    }
    arch_ptree_destroy(&obj->tree.pt);
}
