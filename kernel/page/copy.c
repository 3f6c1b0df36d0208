/* SPDX-License-Identifier: MIT */
/*
 * Owns copies of whole pages between objects. Two volatile objects share DRAM frames (phys_ref) and
 * two persistent ones share pool frames (page word SHARED), both copy-on-write. Between DRAM and
 * pool the bytes are copied, and so is a DRAM frame that has all the sharers it can have. Where the
 * source has an absent page or a hole, the destination gets the same.
 *
 * A batch finds every error, and gets all memory, before it changes a page of the destination. The
 * store replaces each page word by one store, so a page is as before or complete, also after a
 * power failure. The frames of the pool that a whole range takes are reserved before its first
 * batch (copy_reserve).
 *
 * A copy that shares frames makes the source's leaves read-only or removes them, and completes the
 * shootdown. Only then does it release the locks, so no core can write a shared frame.
 *
 * Lock order: object (two: lower address first) -> pool -> kmem -> phys.
 */
#include <kernel/account.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <kernel/thread.h>
#include <lib/string.h>
#include <store/format.h>
#include "inside.h"

#define COPIED_MAX 8u /* frames copied in a batch that should share them */

/* One batch: page from + i of src goes to page to + i of dst, for each i below count. */
struct span {
    struct object *dst;
    struct object *src;
    uint32_t to;
    uint32_t from;
    uint32_t count;
    struct pool_reservation *reserved; /* of the whole copy */
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

/* The page table exists, so this cannot fail. */
static void map_page(struct object *obj, uint32_t page, phys_t frame, unsigned flags)
{
    int err = arch_ptree_map(&obj->tree.pt, page, frame, flags);

    kassert(err == 0);
}

/* Returns -TWZ_EPOISON if a page of a volatile source is lost. */
static int check_lost(const struct span *s)
{
    uint32_t page = s->from;
    unsigned flags;
    phys_t frame;

    if (!s->src->has_lost)
        return 0;
    for (; arch_ptree_next(&s->src->tree.pt, &page, s->from + s->count, &frame, &flags); page++)
        if ((flags & ARCH_PT_LOST) != 0)
            return -TWZ_EPOISON;
    return 0;
}

/* Reads the page word of a page of the source. */
static int read_source(const struct span *s, uint32_t i, struct store_page *p)
{
    struct store *store = pool_store();
    int err = -TWZ_ENOTSUP;

    *p = (struct store_page){ .page = s->from + i };
    if (store)
        err = store_page_get(store, s->src->row, s->from + i, p);
    if (err == 0)
        badpage_mark(store, s->src, p);
    return err == 0 && p->state == STORE_POISONED ? -TWZ_EPOISON : err;
}

/* New leaves of a volatile destination. */
struct leaves {
    uint32_t n;      /* pages done */
    uint32_t copied; /* of these, pages of a volatile source that are not shared */
    phys_t frame[RANGE_BATCH];
    unsigned flags[RANGE_BATCH];
};

/* Copies the next page of a persistent source into a new DRAM frame. */
static int copy_stored(const struct span *s, struct leaves *l)
{
    struct store_page p;
    phys_t frame = PHYS_NONE;
    int err = read_source(s, l->n, &p);

    if (err < 0)
        return err;
    if (p.state == STORE_PRESENT || p.state == STORE_SHARED) {
        err = phys_alloc_for(s->dst->payer, 0, &frame);
        if (err < 0)
            return err;
        err = page_read_frame(arch_virt(frame), pool_frame_phys(p.frame), 0, TWZ_PAGE_SIZE);
        if (err < 0) {
            phys_free(frame, 0);
            return err;
        }
    }
    l->flags[l->n] = p.state == STORE_HOLE ? ARCH_PT_HOLE : ARCH_PT_WRITE;
    l->frame[l->n++] = frame;
    return 0;
}

/* Shares the frame of the next page of a volatile source; copies it if it is shared too often. */
static int share_frame(const struct span *s, struct leaves *l)
{
    unsigned flags = 0, kept = ARCH_PT_COW;
    phys_t frame = arch_ptree_lookup(&s->src->tree.pt, s->from + l->n, &flags);

    if (phys_is_none(frame)) {
        kept = flags & ARCH_PT_HOLE;
    } else if (!phys_ref(frame)) {
        phys_t own;
        int err = phys_alloc_for(s->dst->payer, 0, &own);

        if (err < 0)
            return err;
        memcpy(arch_virt(own), arch_virt(frame), TWZ_PAGE_SIZE);
        frame = own;
        kept = ARCH_PT_WRITE;
        l->copied++;
    }
    l->flags[l->n] = kept;
    l->frame[l->n++] = frame;
    return 0;
}

/* Makes the leaves of the source read-only that share a frame now. */
static void protect_source(const struct span *s, const struct leaves *l)
{
    bool changed = false;

    for (uint32_t i = 0; i < l->n; i++) {
        unsigned flags = 0;

        if (phys_is_none(l->frame[i]) || l->flags[i] != ARCH_PT_COW)
            continue;
        (void)arch_ptree_lookup(&s->src->tree.pt, s->from + i, &flags);
        if ((flags & ARCH_PT_WRITE) != 0)
            map_page(s->src, s->from + i, l->frame[i], ARCH_PT_COW);
        changed |= (flags & ARCH_PT_WRITE) != 0;
    }
    if (changed)
        subtree_shoot_locked(&s->src->tree, s->from, s->count);
}

/* Gets a frame for each page, then replaces the old pages. May end the batch early. */
static int to_volatile(struct span *s)
{
    bool stored = obj_is_persistent(s->src);
    struct leaves l = { .n = 0 };
    int err = page_ensure_table_locked(s->dst, s->to);

    while (err == 0 && l.n < s->count && l.copied < COPIED_MAX)
        err = stored ? copy_stored(s, &l) : share_frame(s, &l);
    if (err == 0) {
        s->count = l.n;
        err = range_drop_locked(s->dst, s->to, s->count, false);
    }
    for (uint32_t i = 0; i < l.n; i++) {
        bool there = !phys_is_none(l.frame[i]);

        if (err < 0 && there)
            phys_unref(l.frame[i]);
        if (err < 0 || (!there && (l.flags[i] & ARCH_PT_HOLE) == 0))
            continue;
        map_page(s->dst, s->to + i, l.frame[i], l.flags[i]);
        s->dst->pages += there;
    }
    if (err == 0 && !stored)
        protect_source(s, &l);
    return err;
}

/* Callback of store_page_replace: the content of a page of the destination. */
static uint32_t content_of_source(void *ctx, uint32_t page, const void **bytes)
{
    const struct span *s = ctx;
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&s->src->tree.pt, page - s->to + s->from, &flags);

    if ((flags & ARCH_PT_HOLE) != 0)
        return STORE_HOLE;
    if (phys_is_none(frame))
        return STORE_ABSENT;
    *bytes = arch_virt(frame);
    return STORE_PRESENT;
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

/* Unmaps the pages of a persistent destination. Lists the writable frames that they had. */
static unsigned unmap_destination(const struct span *s, phys_t *list)
{
    uint32_t page = s->to;
    unsigned flags, n = 0;
    phys_t frame;

    for (; arch_ptree_next(&s->dst->tree.pt, &page, s->to + s->count, &frame, &flags); page++)
        if ((flags & ARCH_PT_WRITE) != 0)
            list[n++] = frame;
    arch_ptree_unmap(&s->dst->tree.pt, s->to, s->count);
    subtree_shoot_locked(&s->dst->tree, s->to, s->count);
    return n;
}

/* Shares the pages of a persistent source. */
static int share_words(struct span *s)
{
    struct store *store = pool_lock();
    int err = store ? mark_bad_pages(s, store) : -TWZ_ENOTSUP;

    if (err == 0)
        err = store_page_share_reserved(store, s->dst->row, s->to, s->src->row, s->from, s->count,
                                        &s->reserved->frames);
    pool_unlock();
    return err;
}

static int replace_words(struct span *s)
{
    struct store *store = pool_store();

    if (!store)
        return -TWZ_ENOTSUP;
    return store_page_replace(store, s->dst->row, s->to, s->count, content_of_source, s,
                              &s->reserved->frames);
}

/* Replaces the page words of a persistent destination. */
static int to_persistent(struct span *s)
{
    phys_t list[RANGE_BATCH];
    unsigned n;
    int err;

    if (obj_is_persistent(s->src))
        page_unmap_stored_locked(s->src, s->from, s->count);
    n = unmap_destination(s, list);
    err = obj_is_persistent(s->src) ? share_words(s) : replace_words(s);
    if (err < 0)
        page_flush_frames(list, n);
    return err;
}

/* The same, with the charges: a part of the reservation becomes a charge of the destination. */
static int charge_to_persistent(struct span *s)
{
    struct pool_reservation *r = s->reserved;
    uint64_t most = s->count + CHARGE_NODES;
    uint64_t part = r->charged < most ? r->charged : most, grown = 0;
    struct account *payer = r->charged > 0 ? r->payer : NULL;
    struct pool_charge c;
    int err;

    account_uncharge(payer, TWZ_ACCOUNT_POOL, part << TWZ_PAGE_SHIFT);
    err = pool_charge(s->dst, most, &c);
    if (err == 0) {
        err = to_persistent(s);
        grown = pool_charge_end(s->dst, &c);
    }
    grown = grown < part ? grown : part;
    account_charge_always(payer, TWZ_ACCOUNT_POOL, (part - grown) << TWZ_PAGE_SHIFT);
    r->charged -= grown;
    return err;
}

static int copy_span(struct span *s)
{
    int err = obj_is_persistent(s->src) ? 0 : check_lost(s);

    if (err < 0)
        return err;
    if (obj_is_persistent(s->dst))
        return charge_to_persistent(s);
    return to_volatile(s);
}

/* Estimates the instructions for one page. */
static uint32_t cost_of_copy(const struct span *s)
{
    bool from = obj_is_persistent(s->src), to = obj_is_persistent(s->dst);

    if (from != to)
        return 2 * COST_VISIT + COST_FREE + COST_COPY + (to ? COST_STREAM : 0);
    return 2 * COST_VISIT + COST_FREE + (to ? 2 * COST_WORD + COST_FLUSH : COST_WORD);
}

static uint32_t pages_to_boundary(uint32_t page)
{
    return STORE_NODE_WORDS - page % STORE_NODE_WORDS;
}

/* Skips pages that are absent in both objects, then sets how many pages make one batch. They lie in
 * one node of each page table and of the store. */
static void plan_batch(struct span *s, uint32_t left)
{
    uint32_t to = page_next_locked(s->dst, s->to, s->to + left) - s->to;
    uint32_t from = page_next_locked(s->src, s->from, s->from + left) - s->from;
    uint32_t skip = to < from ? to : from, budget = PAGE_BUDGET;

    s->to += skip;
    s->from += skip;
    s->count = left - skip;
    if (s->count > pages_to_boundary(s->to))
        s->count = pages_to_boundary(s->to);
    if (s->count > pages_to_boundary(s->from))
        s->count = pages_to_boundary(s->from);
    if (s->to % STORE_NODE_WORDS == 0 || s->dst->tree.pt.tables == 0)
        page_spend(&budget, COST_TABLE);
    budget = budget / cost_of_copy(s) + 1;
    budget = budget < RANGE_BATCH ? budget : RANGE_BATCH;
    if (s->count > budget)
        s->count = budget;
}

static bool is_range_valid(const struct object *obj, uint32_t first, uint32_t count)
{
    uint32_t end = obj_end_page(obj);

    return first >= obj_first_page(obj) && first <= end && count <= end - first;
}

static bool is_copyable(const struct object *obj)
{
    return obj->kind == TWZ_KIND_DATA || obj->kind == TWZ_KIND_VIEW;
}

static int check_copy(const struct object *dst, uint32_t dst_first, const struct object *src,
                      uint32_t src_first, uint32_t count)
{
    if (dst == src || !is_copyable(dst) || !is_copyable(src))
        return -TWZ_EINVAL;
    if (!is_range_valid(dst, dst_first, count) || !is_range_valid(src, src_first, count))
        return -TWZ_ERANGE;
    return 0;
}

/* The caller must hold both locks. */
static int check_busy(const struct object *dst, const struct object *src)
{
    bool shares = obj_is_persistent(dst) == obj_is_persistent(src);

    if (dst->migrating != MIGRATE_NONE || src->migrating != MIGRATE_NONE)
        return -TWZ_EBUSY;
    if (dst->tree.nexec > 0)
        return -TWZ_EBUSY; /* a copy must not write what runs */
    /* A pinned object keeps its frames. A store to a shared frame would replace it. */
    return dst->pins > 0 || (shares && src->pins > 0) ? -TWZ_EBUSY : 0;
}

int copy_apply(struct object *dst, uint32_t dst_first, struct object *src, uint32_t src_first,
               uint32_t count, uint32_t *done, struct pool_reservation *reserved)
{
    struct span s = { .dst = dst,
                      .src = src,
                      .to = dst_first + *done,
                      .from = src_first + *done,
                      .reserved = reserved };
    int err = check_copy(dst, dst_first, src, src_first, count);
    uint32_t end = src_first + count;

    if (err == 0 && src->sealed && *done < count)
        err = sealed_check_run(src, s.from, end, &end);
    if (err != 0)
        return err;
    obj_lock_pair(dst, src);
    err = check_busy(dst, src);
    if (err == 0) {
        plan_batch(&s, end - s.from);
        if (s.count > 0)
            err = copy_span(&s);
        *done = s.to + s.count - dst_first;
    }
    obj_unlock_pair(dst, src);
    if (err < 0)
        return err;
    return *done < count ? 1 : 0;
}

/* Returns the bound for the frames that the copy takes, or an error; in *pages, the source's. */
static int64_t bound_of_copy(const struct object *src, uint32_t count, uint64_t *pages)
{
    struct store_stat stat = { .pages = 0 };
    struct store *store;
    int err = -TWZ_ENOTSUP;

    *pages = src->pages;
    if (!obj_is_persistent(src))
        return (int64_t)store_replace_bound(count, src->pages);
    store = pool_lock();
    if (store)
        err = store_obj_info(store, src->row, &stat);
    pool_unlock();
    *pages = stat.pages;
    return err < 0 ? err : (int64_t)store_share_bound(store, count, stat.pages);
}

/* The account of the first destination pays for all that a call reserves: as for the pages later, a
 * right to write the object is a right to charge its account. The caller must hold dst's lock. */
static int charge_reservation(struct object *dst, uint64_t frames,
                              struct pool_reservation *reserved)
{
    int err;

    if (reserved->charged == 0)
        reserved->payer = dst->payer;
    err = account_charge(reserved->payer, TWZ_ACCOUNT_POOL, frames << TWZ_PAGE_SHIFT);
    if (err == 0 && reserved->payer)
        reserved->charged += frames;
    return err;
}

int copy_reserve(struct object *dst, uint32_t dst_first, struct object *src, uint32_t src_first,
                 uint32_t count, struct pool_reservation *reserved)
{
    struct store *store = pool_store();
    int err = check_copy(dst, dst_first, src, src_first, count);
    uint64_t pages = 0;
    int64_t bound = 0;

    if (err < 0 || !store || !obj_is_persistent(dst))
        return err;
    obj_lock_pair(dst, src);
    if (obj_is_persistent(dst))
        bound = bound_of_copy(src, count, &pages);
    if (bound > 0)
        err = charge_reservation(dst, store_replace_bound(count, pages), reserved);
    obj_unlock_pair(dst, src);
    if (bound < 0)
        return (int)bound;
    if (err < 0)
        return err;
    err = store_reserve(store, (uint64_t)bound);
    if (err == 0)
        reserved->frames += (uint64_t)bound;
    return err;
}

void copy_unreserve(struct pool_reservation *reserved)
{
    struct store *store = pool_store();

    if (reserved->frames > 0 && store)
        store_unreserve(store, reserved->frames);
    reserved->frames = 0;
    if (reserved->charged > 0)
        account_uncharge(reserved->payer, TWZ_ACCOUNT_POOL, reserved->charged << TWZ_PAGE_SHIFT);
    reserved->charged = 0;
}
