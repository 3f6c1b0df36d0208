/* SPDX-License-Identifier: MIT */
/*
 * Removes leaves in two cases:
 *   - the store is about to share, protect or copy pages of a persistent object;
 *   - the kernel frees an object.
 *
 * A dirty bit is lost with its leaf. This file must therefore flush the lines of a page that may be
 * dirty and stays in the pool. The pages of an object that the kernel frees are clean, or the
 * object is deleted.
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

/* Drops the references of the leaves on DRAM frames, from page *at on. A frame of the pool belongs
 * to the store. Returns true if leaves are left. */
static bool drop_leaves(struct object *obj, uint32_t *at)
{
    uint32_t last = obj_end_page(obj), budget = PAGE_BUDGET;
    unsigned flags;
    phys_t frame;

    while (arch_ptree_scan(&obj->tree.pt, at, last, &frame, &flags, &budget)) {
        if (!phys_is_none(frame) && !pool_has(frame)) {
            page_frame_put(frame);
            page_spend(&budget, COST_FREE);
        }
        ++*at;
    }
    return *at < last;
}

bool page_drop_some(struct object *obj, uint32_t *at)
{
    if (*at < obj_end_page(obj) && obj->kind != TWZ_KIND_DEVICE && obj->pages > 0 &&
        drop_leaves(obj, at))
        return true;
    *at = obj_end_page(obj); /* the tables are next */
    if (arch_ptree_destroy_some(&obj->tree.pt, PAGE_BUDGET))
        return true;
    if (!phys_is_none(obj->record))
        phys_free(obj->record, 0);
    obj->record = PHYS_NONE;
    return false;
}
