/* SPDX-License-Identifier: MIT */
/*
 * Owns obj_range: discard, hole, protect, populate, persist. Each call of range_apply handles one
 * batch, because interrupts are off. While pages are left, the handler in sys/ restarts the
 * thread's call.
 *
 * The shootdown must be complete before an unmapped frame is freed.
 *
 * Lock order: object -> pool -> kmem -> phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include <store/persist.h>
#include "inside.h"

#define PERSIST_BATCH 64u /* pages flushed in one batch */

/* Lists the frames that the pages [first, first + count) map. Returns how many there are. */
static unsigned list_frames(struct object *obj, uint32_t first, uint32_t count, phys_t *list)
{
    uint32_t page = first;
    unsigned flags, n = 0;
    phys_t frame;

    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++)
        if (!phys_is_none(frame))
            list[n++] = frame;
    return n;
}

static int mark_holes(struct object *obj, uint32_t first, uint32_t count)
{
    int err = 0;

    for (uint32_t page = first; page < first + count && err == 0; page++)
        err = arch_ptree_map(&obj->tree.pt, page, PHYS_NONE, ARCH_PT_HOLE);
    return err;
}

static int discard_stored(struct object *obj, uint32_t first, uint32_t count, bool hole)
{
    struct store *store = pool_store();

    if (!store)
        return -TWZ_ENOTSUP;
    return store_page_discard(store, obj->row, first, count, hole ? STORE_HOLE : STORE_ABSENT);
}

/* Flushes the frames after a discard that failed: the pages stay in the object, but their dirty
 * bits were lost with the leaves. */
static void flush_frames(const phys_t *list, unsigned n)
{
    while (n-- > 0)
        if (pool_has(list[n]))
            persist_flush(arch_virt_nvm(list[n]), TWZ_PAGE_SIZE);
    persist_fence(); /* the data must be durable before the call returns its error */
}

int range_drop_locked(struct object *obj, uint32_t first, uint32_t count, bool hole)
{
    phys_t list[RANGE_BATCH];
    unsigned n = 0;
    int err = 0;

    if (!phys_is_none(obj->tree.pt.top)) {
        n = list_frames(obj, first, count, list);
        arch_ptree_unmap(&obj->tree.pt, first, count);
        if (n > 0)
            subtree_shoot_locked(&obj->tree, first, count);
    } else if (hole) {
        err = arch_ptree_init(&obj->tree.pt);
    }
    if (obj_is_persistent(obj)) {
        err = err < 0 ? err : discard_stored(obj, first, count, hole);
        if (err < 0)
            flush_frames(list, n);
        return err;
    }
    for (unsigned i = 0; i < n; i++)
        page_frame_put(list[i]);
    obj->pages -= n;
    if (err == 0 && hole)
        err = mark_holes(obj, first, count);
    return err;
}

/* Makes the pages read-only. An absent page gets a frame first, because only a leaf can be
 * protected. */
static int protect_volatile(struct object *obj, uint32_t first, uint32_t count)
{
    int err;

    for (uint32_t page = first; page < first + count; page++) {
        unsigned flags = 0;
        phys_t frame;

        err = page_ensure_locked(obj, page, false);
        if (err < 0 && err != -TWZ_EFAULT)
            return err;
        frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
        if (phys_is_none(frame))
            continue;
        flags = (flags & ARCH_PT_COW) | ARCH_PT_PROTECT;
        err = arch_ptree_map(&obj->tree.pt, page, frame, flags);
        if (err < 0)
            return err;
    }
    return 0;
}

static int protect_pages(struct object *obj, uint32_t first, uint32_t count)
{
    struct store *store;
    int err = -TWZ_ENOTSUP;

    if (!obj_is_persistent(obj)) {
        err = protect_volatile(obj, first, count);
        subtree_shoot_locked(&obj->tree, first, count);
        return err;
    }
    page_unmap_stored_locked(obj, first, count);
    store = pool_store();
    if (store)
        err = store_page_protect(store, obj->row, first, count, true);
    return err;
}

/* Adds absent pages run by run. The store then fences a few times for each run, and not for each
 * page. */
static int add_absent(struct object *obj, uint32_t first, uint32_t count)
{
    struct store *store = pool_store();
    uint32_t at = first, run;
    int err = store ? 0 : -TWZ_ENOTSUP;

    while (err == 0 && at < first + count) {
        run = stored_count_absent(obj, store, at, first + count - at);
        if (run > 0)
            err = store_page_add_many(store, obj->row, at, run, NULL, NULL);
        at += run > 0 ? run : 1;
    }
    return err;
}

static int populate_pages(struct object *obj, uint32_t first, uint32_t count)
{
    int err = 0;

    if (obj_is_persistent(obj)) {
        page_unmap_zeros_locked(obj, first, count);
        err = add_absent(obj, first, count);
    }
    for (uint32_t page = first; err == 0 && page < first + count; page++) {
        err = page_ensure_locked(obj, page, !obj_is_persistent(obj));
        err = err == -TWZ_EFAULT ? 0 : err; /* a hole stays a hole */
    }
    return err;
}

static int flush_pages(struct object *obj, uint32_t first, uint32_t count)
{
    uint32_t page = first;
    unsigned flags;
    phys_t frame;

    if (!obj_is_persistent(obj) || phys_is_none(obj->tree.pt.top))
        return 0;
    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++)
        if ((flags & ARCH_PT_DIRTY) != 0 && pool_has(frame))
            persist_flush(arch_virt_nvm(frame), TWZ_PAGE_SIZE);
    persist_fence(); /* the pages of this batch must be durable before the call returns */
    return 0;
}

static int apply_range_locked(struct object *obj, uint64_t op, uint32_t first, uint32_t count)
{
    switch (op) {
    case TWZ_RANGE_DISCARD:
    case TWZ_RANGE_HOLE: return range_drop_locked(obj, first, count, op == TWZ_RANGE_HOLE);
    case TWZ_RANGE_PROTECT: return protect_pages(obj, first, count);
    case TWZ_RANGE_POPULATE: return populate_pages(obj, first, count);
    case TWZ_RANGE_PERSIST: return flush_pages(obj, first, count);
    default: return -TWZ_EINVAL;
    }
}

static bool is_allowed_for_kind(const struct object *obj, uint64_t op)
{
    return obj->kind == TWZ_KIND_DATA || obj->kind == TWZ_KIND_VIEW || op == TWZ_RANGE_PERSIST ||
           (op == TWZ_RANGE_POPULATE && obj->kind == TWZ_KIND_SCTX);
}

/* Returns the first page to handle. A page without a leaf needs no DISCARD in a volatile object,
 * and no PERSIST in any object. For these two operations the function skips pages without a leaf:
 * at most SCAN_BATCH, or all if there is no page table. */
static uint32_t skip_unmapped(struct object *obj, uint64_t op, uint32_t first, uint32_t end)
{
    uint32_t page = first;
    unsigned flags;
    phys_t frame;

    if (op != TWZ_RANGE_PERSIST && (op != TWZ_RANGE_DISCARD || obj_is_persistent(obj)))
        return first;
    if (phys_is_none(obj->tree.pt.top))
        return end;
    end = end - first > SCAN_BATCH ? first + SCAN_BATCH : end;
    return arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags) ? page : end;
}

int range_apply(struct object *obj, uint64_t op, uint32_t *first, uint32_t end)
{
    uint32_t count = op == TWZ_RANGE_PERSIST ? PERSIST_BATCH : RANGE_BATCH;
    int err = 0;

    if (*first == 0 || end > TWZ_PAGE_RECORD || *first > end)
        return -TWZ_ERANGE;
    if (op > TWZ_RANGE_PERSIST || !is_allowed_for_kind(obj, op))
        return -TWZ_EINVAL;
    spin_lock(&obj->tree.lock);
    if (obj->migrating != MIGRATE_NONE) {
        spin_unlock(&obj->tree.lock);
        return -TWZ_EBUSY;
    }
    *first = skip_unmapped(obj, op, *first, end);
    if (count > end - *first)
        count = end - *first;
    if (count > 0)
        err = apply_range_locked(obj, op, *first, count);
    spin_unlock(&obj->tree.lock);
    *first += count;
    if (err < 0)
        return err;
    return *first < end ? 1 : 0;
}
