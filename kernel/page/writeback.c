/* SPDX-License-Identifier: MIT */
/*
 * Owns write-back: dirty pages of persistent objects become durable. A batch goes in this order:
 *
 *   1. The leaves lose their dirty bits.
 *   2. A shootdown removes the dirty translations on all cores.
 *   3. The lines of these pages are flushed, with one fence at the end.
 *
 * A store after step 2 sets the dirty bit again, so the next write-back finds the page.
 *
 * Lock order: object only.
 */
#include <kernel/page.h>
#include <store/persist.h>
#include "inside.h"

#define CLEAN_BATCH 32u /* pages flushed in one batch */

bool page_clean_locked(struct object *obj, uint32_t *from)
{
    uint32_t page = *from, n = 0, budget = PAGE_BUDGET;
    phys_t list[CLEAN_BATCH], frame;
    unsigned flags;

    while (n < CLEAN_BATCH &&
           arch_ptree_scan(&obj->tree.pt, &page, TWZ_PAGE_RECORD, &frame, &flags, &budget)) {
        if ((flags & ARCH_PT_DIRTY) != 0 && pool_has(frame) &&
            arch_ptree_map(&obj->tree.pt, page, frame, flags & ~ARCH_PT_DIRTY) == 0) {
            list[n++] = frame;
            page_spend(&budget, COST_FLUSH);
        }
        page++;
    }
    if (n > 0)
        subtree_shoot_locked(&obj->tree, *from, page - *from);
    while (n-- > 0)
        persist_flush(arch_virt_nvm(list[n]), TWZ_PAGE_SIZE);
    persist_fence(); /* these pages must be durable before the caller counts them as written back */
    *from = page;
    return page < TWZ_PAGE_RECORD;
}

void obj_flush(struct object *obj)
{
    uint32_t from = 1;
    bool more;

    do {
        spin_lock(&obj->tree.lock);
        more = obj_is_persistent(obj) && page_clean_locked(obj, &from);
        spin_unlock(&obj->tree.lock);
    } while (more);
}
