/* SPDX-License-Identifier: MIT */
/*
 * Owns obj_range: discard, hole, protect, populate, persist. Each call of range_apply handles one
 * batch, because interrupts are off. A batch is as many pages as its budget of instructions allows,
 * by estimates for each page. While pages are left, the handler in sys/ restarts the thread's call.
 *
 * The shootdown must be complete before an unmapped frame is freed.
 *
 * Lock order: object -> pool -> kmem -> phys.
 */
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <store/format.h>
#include <store/persist.h>
#include "inside.h"

/* Lists the frames that the pages [first, first + count) map, and returns how many there are. A
 * protected page is refused, unless it becomes a hole. */
static int list_frames(struct object *obj, uint32_t first, uint32_t count, bool hole, phys_t *list)
{
    uint32_t page = first;
    unsigned flags;
    phys_t frame;
    int n = 0;

    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++) {
        if ((flags & ARCH_PT_PROTECT) != 0 && !hole)
            return -TWZ_EDENIED;
        if (!phys_is_none(frame))
            list[n++] = frame;
    }
    return n;
}

int page_ensure_table_locked(struct object *obj, uint32_t page)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
    int err;

    if (!phys_is_none(frame) || flags != 0)
        return 0;
    err = arch_ptree_map(&obj->tree.pt, page, PHYS_NONE, ARCH_PT_HOLE);
    if (err == 0)
        arch_ptree_unmap(&obj->tree.pt, page, 1);
    return err;
}

/* The page table exists, so this cannot fail. */
static void mark_holes(struct object *obj, uint32_t first, uint32_t count)
{
    for (uint32_t page = first; page < first + count; page++) {
        int err = arch_ptree_map(&obj->tree.pt, page, PHYS_NONE, ARCH_PT_HOLE);

        kassert(err == 0);
    }
}

static int discard_stored(struct object *obj, uint32_t first, uint32_t count, bool hole)
{
    struct store *store = pool_store();
    struct pool_charge c;
    int err = pool_charge(obj, hole ? CHARGE_NODES : 0, &c);

    if (err < 0)
        return err;
    err = store_page_discard(store, obj->row, first, count, hole ? STORE_HOLE : STORE_ABSENT);
    (void)pool_charge_end(obj, &c);
    return err;
}

void page_flush_frames(const phys_t *list, unsigned n)
{
    while (n-- > 0)
        if (pool_has(list[n]))
            persist_flush(arch_virt_nvm(list[n]), TWZ_PAGE_SIZE);
    persist_fence(); /* the data must be durable before the call returns its error */
}

int range_drop_locked(struct object *obj, uint32_t first, uint32_t count, bool hole)
{
    phys_t list[RANGE_BATCH];
    int n = 0, err = 0;

    if (hole && !obj_is_persistent(obj))
        err = page_ensure_table_locked(obj, first);
    if (err < 0)
        return err;
    if (!phys_is_none(obj->tree.pt.top)) {
        n = list_frames(obj, first, count, hole, list);
        if (n < 0)
            return n;
        arch_ptree_unmap(&obj->tree.pt, first, count);
        if (n > 0)
            subtree_shoot_locked(&obj->tree, first, count);
    }
    if (obj_is_persistent(obj)) {
        err = discard_stored(obj, first, count, hole);
        if (err < 0)
            page_flush_frames(list, (unsigned)n);
        return err;
    }
    for (int i = 0; i < n; i++)
        page_frame_put(list[i]);
    obj->pages -= (unsigned)n;
    if (hole)
        mark_holes(obj, first, count);
    return 0;
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
        if (err < 0 && err != -TWZ_EFAULT && err != -TWZ_EPOISON)
            return err;
        frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
        if (phys_is_none(frame) && (flags & ARCH_PT_LOST) == 0)
            continue;
        flags = (flags & (ARCH_PT_COW | ARCH_PT_LOST)) | ARCH_PT_PROTECT;
        err = arch_ptree_map(&obj->tree.pt, page, frame, flags);
        if (err < 0)
            return err;
    }
    return 0;
}

static int add_run(struct object *obj, struct store *store, uint32_t page, uint32_t count)
{
    struct pool_charge c;
    int err = pool_charge(obj, count + CHARGE_NODES, &c);

    if (err < 0)
        return err;
    err = store_page_add_many(store, obj->row, page, count, NULL, NULL);
    (void)pool_charge_end(obj, &c);
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
            err = add_run(obj, store, at, run);
        at += run > 0 ? run : 1;
    }
    return err;
}

/* Absent pages are added first, so that all pages are protected. */
static int protect_pages(struct object *obj, uint32_t first, uint32_t count)
{
    struct store *store;
    int err;

    if (!obj_is_persistent(obj)) {
        err = protect_volatile(obj, first, count);
        subtree_shoot_locked(&obj->tree, first, count);
        return err;
    }
    page_unmap_stored_locked(obj, first, count);
    err = add_absent(obj, first, count);
    if (err < 0)
        return err;
    store = pool_store();
    return store ? store_page_protect(store, obj->row, first, count, true) : -TWZ_ENOTSUP;
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
        if (err == -TWZ_EFAULT || err == -TWZ_EDENIED)
            err = 0; /* a hole stays a hole; a protected page is there */
    }
    return err;
}

/* Flushes dirty pages from *first on, and advances *first past what its budget allows. */
static void flush_pages(struct object *obj, uint32_t *first, uint32_t end)
{
    uint32_t budget = PAGE_BUDGET;
    unsigned flags;
    phys_t frame;

    while (arch_ptree_scan(&obj->tree.pt, first, end, &frame, &flags, &budget)) {
        if ((flags & ARCH_PT_DIRTY) != 0 && pool_has(frame)) {
            persist_flush(arch_virt_nvm(frame), TWZ_PAGE_SIZE);
            page_spend(&budget, COST_FLUSH);
        }
        ++*first;
    }
    persist_fence(); /* the pages of this batch must be durable before the call returns */
}

static int apply_range_locked(struct object *obj, uint64_t op, uint32_t first, uint32_t count)
{
    switch (op) {
    case TWZ_RANGE_DISCARD:
    case TWZ_RANGE_HOLE: return range_drop_locked(obj, first, count, op == TWZ_RANGE_HOLE);
    case TWZ_RANGE_PROTECT: return protect_pages(obj, first, count);
    case TWZ_RANGE_POPULATE: return populate_pages(obj, first, count);
    default: return -TWZ_EINVAL;
    }
}

static bool is_allowed_for_kind(const struct object *obj, uint64_t op)
{
    return obj->kind == TWZ_KIND_DATA || obj->kind == TWZ_KIND_VIEW || op == TWZ_RANGE_PERSIST ||
           (op == TWZ_RANGE_POPULATE && obj->kind == TWZ_KIND_SCTX);
}

#define NEXT_WINDOW 1024u /* page words scanned at once */

uint32_t page_next_locked(struct object *obj, uint32_t page, uint32_t end)
{
    uint32_t budget = PAGE_BUDGET / 2, stop = end - page > NEXT_WINDOW ? page + NEXT_WINDOW : end;
    struct store_page p = { .page = page };
    struct store *store;
    unsigned flags;
    phys_t frame;
    int err = 0;

    if (!obj_is_persistent(obj)) {
        (void)arch_ptree_scan(&obj->tree.pt, &page, end, &frame, &flags, &budget);
        return page;
    }
    store = pool_store();
    if (store)
        err = store_page_next_before(store, obj->row, stop, &p);
    if (err < 0 && err != -TWZ_ENOOBJ)
        return page;
    return p.page < end ? p.page : end;
}

/* Returns the first page at or after `first` that the operation may change. It stops early after
 * some work. DISCARD skips the pages that are absent. */
static uint32_t skip_absent(struct object *obj, uint64_t op, uint32_t first, uint32_t end)
{
    return op == TWZ_RANGE_DISCARD ? page_next_locked(obj, first, end) : first;
}

/* Estimates the instructions for one page, whose leaf is given. */
static uint32_t cost_of_page(const struct object *obj, uint64_t op, phys_t frame, unsigned flags)
{
    bool stored = obj_is_persistent(obj), mapped = !phys_is_none(frame);

    switch (op) {
    case TWZ_RANGE_PROTECT:
        if (stored)
            return COST_VISIT + COST_WORD +
                   ((flags & ARCH_PT_WRITE) != 0 ? COST_FLUSH : COST_ALLOC + COST_WORD);
        break; /* a page is populated first */
    case TWZ_RANGE_POPULATE: break;
    default: return COST_VISIT + COST_FREE + (stored || op == TWZ_RANGE_HOLE ? COST_WORD : 0);
    }
    if ((flags & ARCH_PT_COW) != 0 && !stored)
        return COST_VISIT + COST_COPY;
    if (mapped && !zeropage_is(frame))
        return stored ? 5 * COST_VISIT : 2 * COST_VISIT;
    return 2 * COST_VISIT + COST_ALLOC + (stored ? COST_WORD : 0);
}

/* Returns how many pages from `first` on make one batch. All lie in one node of the page table and
 * of the store. */
static uint32_t count_batch(const struct object *obj, uint64_t op, uint32_t first, uint32_t end)
{
    uint32_t budget = PAGE_BUDGET, count = 0;

    if (end > (first | (STORE_NODE_WORDS - 1)) + 1)
        end = (first | (STORE_NODE_WORDS - 1)) + 1;
    if (first % STORE_NODE_WORDS == 0 || obj->tree.pt.tables == 0)
        page_spend(&budget, COST_TABLE);
    for (; first + count < end && count < RANGE_BATCH && budget > 0; count++) {
        unsigned flags = 0;
        phys_t frame = arch_ptree_lookup(&obj->tree.pt, first + count, &flags);

        page_spend(&budget, cost_of_page(obj, op, frame, flags));
    }
    return count;
}

/* Handles one batch, and advances *first past it. */
static int apply_batch_locked(struct object *obj, uint64_t op, uint32_t *first, uint32_t end)
{
    uint32_t count;
    int err;

    if (op == TWZ_RANGE_PERSIST) {
        if (obj_is_persistent(obj))
            flush_pages(obj, first, end);
        else
            *first = end;
        return 0;
    }
    if (obj->pins > 0 && op != TWZ_RANGE_POPULATE && op != TWZ_RANGE_PROTECT)
        return -TWZ_EBUSY; /* the frames of a pinned object stay its pages */
    *first = skip_absent(obj, op, *first, end);
    if (*first >= end)
        return 0;
    count = count_batch(obj, op, *first, end);
    err = apply_range_locked(obj, op, *first, count);
    *first += count;
    return err;
}

int range_apply(struct object *obj, uint64_t op, uint32_t *first, uint32_t end)
{
    int err = -TWZ_EBUSY;

    if (*first < obj_first_page(obj) || end > obj_end_page(obj) || *first > end)
        return -TWZ_ERANGE;
    if (op > TWZ_RANGE_PERSIST || !is_allowed_for_kind(obj, op))
        return -TWZ_EINVAL;
    spin_lock(&obj->tree.lock);
    if (obj->migrating == MIGRATE_NONE)
        err = apply_batch_locked(obj, op, first, end);
    spin_unlock(&obj->tree.lock);
    if (err < 0)
        return err;
    return *first < end ? 1 : 0;
}
