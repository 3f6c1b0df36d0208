/* SPDX-License-Identifier: MIT */
/*
 * Owns lines of the pool that the machine reported as lost. The frame is noted; whatever maps it
 * now loses the mapping, and its page word says POISONED from then on, durably. A frame that
 * nothing maps is found when somebody comes for it (faults, copies and moves ask first). So the
 * fault is that of the one object that owns the line, and the machine goes on.
 *
 * The note is for this boot, for frames whose owner was not found yet; a machine that reports more
 * than fit in it has lost more than a line.
 *
 * Locks: table -> obj->tree.lock -> pool. The note is only added to.
 */
#include <kernel/log.h>
#include <kernel/page.h>
#include "inside.h"

#define NOTES_MAX 64u

static uint32_t notes[NOTES_MAX];
static _Atomic uint32_t nnotes;

bool badpage_is_listed(uint32_t frame)
{
    uint32_t i, n = atomic_load_explicit(&nnotes, memory_order_acquire);

    for (i = 0; i < n && i < NOTES_MAX; i++)
        if (notes[i] == frame)
            return true;
    return false;
}

bool badpage_mark(struct store *store, const struct object *obj, struct store_page *p)
{
    if ((p->state != STORE_PRESENT && p->state != STORE_SHARED) || !badpage_is_listed(p->frame))
        return false;
    /* In a pool that cannot be written the note alone has to do. */
    (void)!store_page_poison(store, obj->row, p->page);
    p->state = STORE_POISONED;
    return true;
}

bool badpage_any(void)
{
    return atomic_load_explicit(&nnotes, memory_order_acquire) != 0;
}

void badpage_add(uint32_t frame)
{
    uint32_t at;

    if (badpage_is_listed(frame))
        return;
    at = atomic_load(&nnotes);
    if (at < NOTES_MAX) {
        notes[at] = frame;
        atomic_store_explicit(&nnotes, at + 1, memory_order_release);
    }
}

/* The object's page that this frame was; tree.lock held. */
static void strike(struct object *obj, uint32_t page)
{
    struct store *store;

    arch_ptree_unmap(&obj->tree.pt, page, 1);
    subtree_shoot_locked(&obj->tree, page, 1);
    store = pool_lock();
    if (store && store_page_poison(store, obj->row, page) < 0)
        log_printf("object " IDFMT ": page %u could not be marked", IDPR(obj->id), page);
    pool_unlock();
    log_printf("object " IDFMT ": page %u is lost", IDPR(obj->id), page);
}

void badpage_unmap(struct object *obj, phys_t lost)
{
    uint32_t page = 0;
    unsigned flags;
    phys_t frame;

    spin_lock(&obj->tree.lock);
    if (!phys_is_none(obj->tree.pt.top))
        for (; arch_ptree_next(&obj->tree.pt, &page, TWZ_PAGE_RECORD, &frame, &flags); page++)
            if (frame.addr == lost.addr)
                strike(obj, page);
    spin_unlock(&obj->tree.lock);
}
