/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages of persistent objects: the store's page word is the truth and the leaf a copy of
 * it, writable only where the word is PRESENT, durable and not protected. A page that is only read
 * and absent in the store shows a frame of zeros that belongs to nobody.
 *
 * Crash protocol: store_page_add and store_page_break_cow commit the word before the leaf is written.
 *
 * Locks: obj->tree.lock -> pool, phys.
 */
#include <kernel/page.h>
#include "inside.h"

#define AROUND 32u /* pages mapped together where they are present */

static unsigned leaf_flags(const struct store_page *p)
{
    if (p->state == STORE_PRESENT && (p->flags & STORE_FLAG_READONLY) == 0)
        return ARCH_PT_WRITE;
    return 0;
}

static int map_stored_page(struct object *obj, const struct store_page *p)
{
    return arch_ptree_map(&obj->tree.pt, p->page, pool_frame_phys(p->frame), leaf_flags(p));
}

/* Maps present pages near the one that was touched, so that a walk faults seldom. */
static void map_neighbours(struct object *obj, struct store *store, uint32_t page)
{
    uint32_t at = page & ~(AROUND - 1), end = at + AROUND;

    for (at = at == 0 ? 1 : at; at < end && at < TWZ_PAGE_RECORD; at++) {
        struct store_page p = { .page = at };

        if (at == page || !phys_is_none(arch_ptree_lookup(&obj->tree.pt, at, NULL)))
            continue;
        if (store_page_get(store, obj->row, at, &p) < 0)
            continue;
        if ((p.state != STORE_PRESENT && p.state != STORE_SHARED) || badpage_is_listed(p.frame))
            continue;
        if (map_stored_page(obj, &p) < 0)
            return;
    }
}

/* Pages from `first` on that are absent in the store, at most count. */
uint32_t stored_count_absent(const struct object *obj, const struct store *store, uint32_t page,
                             uint32_t count)
{
    struct store_page p;
    uint32_t n = 0;

    while (n < count && store_page_get(store, obj->row, page + n, &p) == 0 &&
           p.state == STORE_ABSENT)
        n++;
    return n;
}

/* One page, mapped. */
static int add_stored_page(struct object *obj, struct store *store, uint32_t page)
{
    bool shown = !phys_is_none(arch_ptree_lookup(&obj->tree.pt, page, NULL));
    struct store_page p = { .page = page, .state = STORE_PRESENT };
    int err = store_page_add(store, obj->row, page, &p.frame);

    if (err < 0)
        return err;
    err = map_stored_page(obj, &p);
    if (shown)
        subtree_shoot_locked(&obj->tree, page, 1);
    return err;
}

static int add_stored_pages(struct object *obj, struct store *store, uint32_t page, unsigned how)
{
    uint32_t n = (how & TOUCH_AHEAD) != 0 ? volatile_count_ahead(obj, page) : 1, i;
    struct store_page p;

    if (n > 1)
        n = 1 + stored_count_absent(obj, store, page + 1, n - 1);
    if (n == 1 || store_page_add_many(store, obj->row, page, n, NULL, NULL) < 0)
        return add_stored_page(obj, store, page);
    page_unmap_zeros_locked(obj, page, 1);
    for (i = 0; i < n; i++) {
        int err = store_page_get(store, obj->row, page + i, &p);

        if (err < 0)
            return err;
        p.page = page + i;
        err = map_stored_page(obj, &p);
        if (err < 0)
            return err;
    }
    return 0;
}

static int break_stored_cow(struct object *obj, struct store *store, uint32_t page)
{
    struct store_page p = { .page = page, .state = STORE_PRESENT };
    int err;

    page_unmap_stored_locked(obj, page, 1);
    err = store_page_break_cow(store, obj->row, page, &p.frame);
    return err < 0 ? err : map_stored_page(obj, &p);
}

/* A page that appears during a move out. The ones behind it may be the pool's: only this one. */
static int add_dram_page(struct object *obj, uint32_t page)
{
    page_unmap_zeros_locked(obj, page, 1);
    return volatile_add(obj, page, 0);
}

static int fault_stored_page(struct object *obj, struct store *store, uint32_t page, unsigned how)
{
    bool write = (how & TOUCH_WRITE) != 0;
    struct store_page p = { .page = page };
    int err = store_page_get(store, obj->row, page, &p);

    if (err < 0)
        return err;
    p.page = page;
    badpage_mark(store, obj, &p);
    switch (p.state) {
    case STORE_ABSENT:
        if (obj->moving == MOVE_TO_DRAM)
            return add_dram_page(obj, page);
        return write ? add_stored_pages(obj, store, page, how) : zeropage_map_locked(obj, page);
    case STORE_PRESENT:
    case STORE_SHARED:
        if (write && (p.flags & STORE_FLAG_READONLY) != 0)
            return -TWZ_EDENIED;
        if (write && p.state == STORE_SHARED)
            return break_stored_cow(obj, store, page);
        err = map_stored_page(obj, &p);
        if (err == 0)
            map_neighbours(obj, store, page);
        return err;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return -TWZ_EFAULT;
    }
}

/* While an object moves between the two sorts (obj/move.c), some of its leaves are DRAM frames:
 * then they are the truth, as they are for a volatile object. */
static bool is_dram_leaf(phys_t frame, unsigned flags)
{
    if ((flags & ARCH_PT_HOLE) != 0)
        return true;
    return !phys_is_none(frame) && !zeropage_is(frame) && !pool_has(frame);
}

int stored_fault(struct object *obj, uint32_t page, unsigned how)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
    struct store *store;
    int err = -TWZ_EFAULT;

    if (!phys_is_none(frame) && ((how & TOUCH_WRITE) == 0 || (flags & ARCH_PT_WRITE) != 0))
        return 0;
    if (obj->moving != MOVE_NONE && is_dram_leaf(frame, flags))
        return volatile_fault(obj, page, how);
    store = pool_lock();
    if (store)
        err = fault_stored_page(obj, store, page, how);
    pool_unlock();
    return err;
}
