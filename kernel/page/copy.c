/* SPDX-License-Identifier: MIT */
/*
 * Owns copies of whole pages between objects. Two volatile objects share DRAM frames (phys_ref) and
 * two persistent ones share pool frames (page word SHARED), both copy-on-write. Between DRAM and
 * pool the bytes are copied. The old pages of the destination are discarded first. Where the source
 * has an absent page or a hole, the destination gets the same.
 *
 * A copy that shares frames makes the source's leaves read-only or removes them, and completes the
 * shootdown. Only then does it release the locks, so no core can write a shared frame.
 *
 * Lock order: object (two: lower address first) -> pool -> kmem -> phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include <lib/string.h>
#include "inside.h"

#define COPY_BATCH 32u /* pages whose bytes are copied in one batch */

/* One batch: page from + i of src goes to page to + i of dst, for each i below count. */
struct span {
    struct object *dst;
    struct object *src;
    uint32_t to;
    uint32_t from;
    uint32_t count;
};

void obj_lock_pair(struct object *a, struct object *b)
{
    struct object *first = a < b ? a : b;
    struct object *second = a < b ? b : a;

    spin_lock(&first->tree.lock);
    if (second != first)
        spin_lock(&second->tree.lock);
}

void obj_unlock_pair(struct object *a, struct object *b)
{
    if (a != b)
        spin_unlock(&b->tree.lock);
    spin_unlock(&a->tree.lock);
}

/* Copies the bytes of the frame `from` to a new DRAM frame, which it maps at an absent page of
 * dst. */
static int copy_frame(const struct span *s, uint32_t page, phys_t from)
{
    phys_t frame = phys_alloc(0);
    const void *data = pool_has(from) ? arch_virt_nvm(from) : arch_virt(from);
    int err;

    if (phys_is_none(frame))
        return -TWZ_ENOMEM;
    memcpy(arch_virt(frame), data, TWZ_PAGE_SIZE);
    err = arch_ptree_map(&s->dst->tree.pt, page, frame, ARCH_PT_WRITE);
    if (err < 0)
        phys_free(frame, 0);
    else
        s->dst->pages++;
    return err;
}

/* Maps a frame of a volatile source at an absent page of dst. Both leaves become read-only; the
 * caller must complete the shootdown of src. */
static int share_frame(const struct span *s, uint32_t page, phys_t frame, unsigned flags)
{
    uint32_t to = page - s->from + s->to;
    int err = arch_ptree_map(&s->dst->tree.pt, to, frame, ARCH_PT_COW);

    if (err < 0)
        return err;
    phys_ref(frame);
    s->dst->pages++;
    if ((flags & ARCH_PT_WRITE) != 0)
        err = arch_ptree_map(&s->src->tree.pt, page, frame, ARCH_PT_COW);
    return err;
}

/* Shares the frames of the source, page by page. */
static int volatile_to_volatile(const struct span *s)
{
    struct arch_ptree *pt = &s->src->tree.pt;
    uint32_t page = s->from;
    bool writable = false;
    unsigned flags;
    phys_t frame;
    int err = 0;

    for (; err == 0 && arch_ptree_next(pt, &page, s->from + s->count, &frame, &flags); page++) {
        if (phys_is_none(frame)) {
            err = arch_ptree_map(&s->dst->tree.pt, page - s->from + s->to, PHYS_NONE, ARCH_PT_HOLE);
            continue;
        }
        writable |= (flags & ARCH_PT_WRITE) != 0;
        err = share_frame(s, page, frame, flags);
    }
    if (writable)
        subtree_shoot_locked(&s->src->tree, s->from, s->count);
    return err;
}

/* Copies the bytes of each page into a new frame of DRAM. */
static int persistent_to_volatile(const struct span *s)
{
    int err;

    for (uint32_t i = 0; i < s->count; i++) {
        struct store_page p = { .page = s->from + i };
        struct store *store = pool_lock();

        err = store ? store_page_get(store, s->src->row, s->from + i, &p) : -TWZ_ENOTSUP;
        if (err == 0)
            badpage_mark(store, s->src, &p);
        pool_unlock();
        if (err < 0)
            return err;
        if (p.state == STORE_PRESENT || p.state == STORE_SHARED)
            err = copy_frame(s, s->to + i, pool_frame_phys(p.frame));
        else if (p.state == STORE_POISONED)
            err = -TWZ_EPOISON;
        else if (p.state == STORE_HOLE)
            err = arch_ptree_map(&s->dst->tree.pt, s->to + i, PHYS_NONE, ARCH_PT_HOLE);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Callback of store_page_add_many: returns the bytes for a page of the destination, or NULL for
 * zeros. */
static const void *bytes_of_source(void *ctx, uint32_t page)
{
    const struct span *s = ctx;
    phys_t frame = arch_ptree_lookup(&s->src->tree.pt, page - s->to + s->from, NULL);

    return phys_is_none(frame) ? NULL : arch_virt(frame);
}

/* Copies `run` present pages of the source from `page` on. With run 0, makes a hole of one
 * page. */
static int copy_run(struct span *s, uint32_t page, uint32_t run)
{
    uint32_t to = page - s->from + s->to;
    struct store *store = pool_lock();
    int err = -TWZ_ENOTSUP;

    if (store)
        err = run > 0 ? store_page_add_many(store, s->dst->row, to, run, bytes_of_source, s)
                      : store_page_discard(store, s->dst->row, to, 1, STORE_HOLE);
    pool_unlock();
    return err;
}

static int volatile_to_persistent(struct span *s)
{
    struct arch_ptree *pt = &s->src->tree.pt;
    uint32_t end = s->from + s->count, page = s->from, run;
    unsigned flags;
    phys_t frame;
    int err = 0;

    while (err == 0 && arch_ptree_next(pt, &page, end, &frame, &flags)) {
        for (run = 0; page + run < end && !phys_is_none(arch_ptree_lookup(pt, page + run, NULL));)
            run++;
        err = copy_run(s, page, run);
        page += run > 0 ? run : 1;
    }
    return err;
}

/* Checks the page words of the source first, because a bad page must not be shared. Marks the first
 * bad page that it finds, and returns -TWZ_EPOISON. */
static int mark_bad_pages(const struct span *s, struct store *store)
{
    int err = 0;

    for (uint32_t i = 0; badpage_any() && err == 0 && i < s->count; i++) {
        struct store_page p = { .page = s->from + i };

        err = store_page_get(store, s->src->row, s->from + i, &p);
        if (err == 0 && badpage_mark(store, s->src, &p))
            err = -TWZ_EPOISON;
    }
    return err;
}

static int persistent_to_persistent(const struct span *s)
{
    struct store *store;
    int err = -TWZ_ENOTSUP;

    page_unmap_stored_locked(s->src, s->from, s->count);
    store = pool_lock();
    if (store)
        err = mark_bad_pages(s, store);
    if (err == 0)
        err = store_page_share(store, s->dst->row, s->to, s->src->row, s->from, s->count);
    pool_unlock();
    return err;
}

static int copy_span(struct span *s)
{
    bool from = obj_is_persistent(s->src), to = obj_is_persistent(s->dst);
    int err = range_drop_locked(s->dst, s->to, s->count, false);

    if (err == 0 && phys_is_none(s->dst->tree.pt.top))
        err = arch_ptree_init(&s->dst->tree.pt);
    if (err < 0)
        return err;
    if (from)
        return to ? persistent_to_persistent(s) : persistent_to_volatile(s);
    if (phys_is_none(s->src->tree.pt.top))
        return 0;
    return to ? volatile_to_persistent(s) : volatile_to_volatile(s);
}

/* Counts pages without a leaf from `first` on; it may stop early. Returns 0 for a persistent
 * object, because a page in the store need not have a leaf. */
static uint32_t count_unmapped(const struct object *obj, uint32_t first, uint32_t count)
{
    uint32_t page = first;
    unsigned flags;
    phys_t frame;

    if (obj_is_persistent(obj))
        return 0;
    if (phys_is_none(obj->tree.pt.top))
        return count;
    count = count < SCAN_BATCH ? count : SCAN_BATCH;
    if (!arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags))
        return count;
    return page - first;
}

static bool is_range_valid(uint32_t first, uint32_t count)
{
    return first > 0 && first <= TWZ_PAGE_RECORD && count <= TWZ_PAGE_RECORD - first;
}

static bool is_copyable(const struct object *obj)
{
    return obj->kind == TWZ_KIND_DATA || obj->kind == TWZ_KIND_VIEW;
}

int copy_apply(struct object *dst, uint32_t dst_first, struct object *src, uint32_t src_first,
               uint32_t count, uint32_t *done)
{
    struct span s = { .dst = dst, .src = src };
    uint32_t batch = obj_is_persistent(dst) == obj_is_persistent(src) ? RANGE_BATCH : COPY_BATCH;
    uint32_t skip, other;
    int err = 0;

    if (dst == src || !is_copyable(dst) || !is_copyable(src))
        return -TWZ_EINVAL;
    if (!is_range_valid(dst_first, count) || !is_range_valid(src_first, count))
        return -TWZ_ERANGE;
    obj_lock_pair(dst, src);
    if (dst->migrating != MIGRATE_NONE || src->migrating != MIGRATE_NONE) {
        obj_unlock_pair(dst, src);
        return -TWZ_EBUSY;
    }
    skip = count_unmapped(dst, dst_first + *done, count - *done);
    other = count_unmapped(src, src_first + *done, count - *done);
    *done += skip < other ? skip : other;
    s.to = dst_first + *done;
    s.from = src_first + *done;
    s.count = count - *done < batch ? count - *done : batch;
    if (s.count > 0)
        err = copy_span(&s);
    obj_unlock_pair(dst, src);
    *done += s.count;
    if (err < 0)
        return err;
    return *done < count ? 1 : 0;
}
