/* SPDX-License-Identifier: MIT */
/*
 * Owns copies of whole pages between objects. What can be shared is shared copy-on-write: DRAM
 * frames through their references (phys_ref), pool frames through the store's SHARED words. What
 * cannot is copied. Pages of the destination that were there are gone; what is absent or a hole in
 * the source is so in the destination afterwards.
 *
 * Before a frame is shared no processor can write it any more through the source: the source's
 * leaves lose their writable bit and are shot down while both locks are held.
 *
 * Locks: both objects' tree.lock, lower address first -> pool, phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include <lib/string.h>
#include "inside.h"

#define COPY_BATCH 32u /* pages that are really copied, in one go */

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

/* One present page of a volatile source becomes shared. */
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

static int volatile_to_volatile(const struct span *s)
{
    struct arch_ptree *pt = &s->src->tree.pt;
    uint32_t page = s->from;
    bool taken = false;
    unsigned flags;
    phys_t frame;
    int err = 0;

    for (; err == 0 && arch_ptree_next(pt, &page, s->from + s->count, &frame, &flags); page++) {
        if (phys_is_none(frame)) {
            err = arch_ptree_map(&s->dst->tree.pt, page - s->from + s->to, PHYS_NONE, ARCH_PT_HOLE);
            continue;
        }
        taken |= (flags & ARCH_PT_WRITE) != 0;
        err = share_frame(s, page, frame, flags);
    }
    if (taken)
        subtree_shoot_locked(&s->src->tree, s->from, s->count);
    return err;
}

static int persistent_to_volatile(const struct span *s)
{
    uint32_t i;
    int err;

    for (i = 0; i < s->count; i++) {
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

/* store_page_add_many asks for the contents of destination page `page`. */
static const void *source_page(void *ctx, uint32_t page)
{
    const struct span *s = ctx;
    phys_t frame = arch_ptree_lookup(&s->src->tree.pt, page - s->to + s->from, NULL);

    return phys_is_none(frame) ? NULL : arch_virt(frame);
}

/* `run` pages of the source from `page` on that are there; 0: one that is a hole. */
static int store_run(struct span *s, uint32_t page, uint32_t run)
{
    uint32_t to = page - s->from + s->to;
    struct store *store = pool_lock();
    int err = -TWZ_ENOTSUP;

    if (store)
        err = run > 0 ? store_page_add_many(store, s->dst->row, to, run, source_page, s)
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
        err = store_run(s, page, run);
        page += run > 0 ? run : 1;
    }
    return err;
}

/* Pages of the source that the machine has lost say so before they could be shared. */
static int mark_bad_pages(const struct span *s, struct store *store)
{
    uint32_t i;
    int err = 0;

    for (i = 0; badpage_any() && err == 0 && i < s->count; i++) {
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

/* Pages at the front of the span that a volatile object has not; it may say less than there are. */
static uint32_t nothing_there(const struct object *obj, uint32_t first, uint32_t count)
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

static bool fits(uint32_t first, uint32_t count)
{
    return first > 0 && first <= TWZ_PAGE_RECORD && count <= TWZ_PAGE_RECORD - first;
}

static bool copyable(const struct object *obj)
{
    return obj->kind == TWZ_KIND_DATA || obj->kind == TWZ_KIND_VIEW;
}

int copy_apply(struct object *dst, uint32_t dst_first, struct object *src, uint32_t src_first,
               uint32_t count, uint32_t *done)
{
    struct span s = { .dst = dst, .src = src };
    uint32_t piece = obj_is_persistent(dst) == obj_is_persistent(src) ? RANGE_BATCH : COPY_BATCH;
    uint32_t skip, other;
    int err = 0;

    if (dst == src || !copyable(dst) || !copyable(src))
        return -TWZ_EINVAL;
    if (!fits(dst_first, count) || !fits(src_first, count))
        return -TWZ_ERANGE;
    obj_lock_pair(dst, src);
    if (dst->moving != MOVE_NONE || src->moving != MOVE_NONE) {
        obj_unlock_pair(dst, src);
        return -TWZ_EBUSY;
    }
    skip = nothing_there(dst, dst_first + *done, count - *done);
    other = nothing_there(src, src_first + *done, count - *done);
    *done += skip < other ? skip : other;
    s.to = dst_first + *done;
    s.from = src_first + *done;
    s.count = count - *done < piece ? count - *done : piece;
    if (s.count > 0)
        err = copy_span(&s);
    obj_unlock_pair(dst, src);
    *done += s.count;
    if (err < 0)
        return err;
    return *done < count ? 1 : 0;
}
