/* SPDX-License-Identifier: MIT */
/*
 * Owns what is behind each page of an object: faults on it, the record page, and how pages go.
 *
 * Volatile: a leaf of the subtree is the page. ARCH_PT_COW: the frame may have other holders
 * (phys_ref). Persistent: the store's page word is the truth and the leaf a copy of it, writable
 * only where the word is PRESENT, durable and not protected. A page that is only read and absent in
 * the store shows a frame of zeros that belongs to nobody.
 *
 * Whoever replaces a frame that may be in a TLB shoots it down before the lock falls.
 *
 * Crash protocol: store_page_add and store_page_break_cow commit the word before the leaf is written.
 *
 * Locks: obj->tree.lock -> pool, phys.
 */
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <lib/string.h>
#include <store/persist.h>
#include <twz/thread.h>
#include "inside.h"

#define AHEAD_MAX    16u
#define AROUND       32u /* pages mapped together where they are present */
#define KERNEL_PAGES 16u /* of a thread object, from TWZ_THREAD_KPAGE on */

/* How a page is touched. */
#define TOUCH_WRITE 1u
#define TOUCH_AHEAD 2u /* pages behind it may be made as well */

static phys_t zero_frame = { UINT64_MAX };

void page_init(void)
{
    zero_frame = phys_alloc_zeroed();
    if (phys_is_none(zero_frame))
        panic("no memory for the frame of zeros");
}

static int refuse(struct twz_fault *fault, uint32_t kind, uint32_t reason, uint32_t have)
{
    fault->kind = kind;
    fault->reason = reason;
    fault->have &= have;
    return -TWZ_EFAULT;
}

static int refuse_error(struct twz_fault *fault, int error)
{
    switch (-error) {
    case TWZ_ENOSPC: return refuse(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOSPC, TWZ_PERMS);
    case TWZ_ENOMEM: return refuse(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOMEM, TWZ_PERMS);
    case TWZ_EPOISON: return refuse(fault, TWZ_FAULT_PAGE, TWZ_REASON_POISON, TWZ_PERMS);
    case TWZ_EDENIED: return refuse(fault, TWZ_FAULT_PERM, TWZ_REASON_NONE, TWZ_PERMS & ~TWZ_WRITE);
    case TWZ_EFAULT: return refuse(fault, TWZ_FAULT_PAGE, TWZ_REASON_HOLE, TWZ_PERMS);
    default: return refuse(fault, TWZ_FAULT_OBJECT, TWZ_REASON_DAMAGED, 0);
    }
}

/* --- the record page ------------------------------------------------------------------------ */

void page_record_update_locked(struct object *obj)
{
    struct twz_record *r;

    if (phys_is_none(obj->record))
        return;
    r = arch_virt(obj->record);
    r->magic = TWZ_RECORD_MAGIC;
    r->kind = obj->kind;
    r->flags = obj->flags;
    r->id = obj->id;
    r->nonce[0] = obj->nonce[0];
    r->nonce[1] = obj->nonce[1];
    r->kuid = obj->kuid;
    r->perms = obj->perms;
    r->persist = obj->persist;
    r->revocation_epoch = obj->revocation_epoch;
    r->account = obj->account;
}

static int record_fill(struct object *obj)
{
    if (phys_is_none(obj->record))
        obj->record = phys_alloc_zeroed();
    if (phys_is_none(obj->record))
        return -TWZ_ENOMEM;
    page_record_update_locked(obj);
    return arch_ptree_map(&obj->tree.pt, TWZ_PAGE_RECORD, obj->record, ARCH_PT_PROTECT);
}

/*
 * Whoever writes one page after the other gets some ahead, so that he faults less often: a
 * quarter of what lies there without a gap (seen at steps that double), at most AHEAD_MAX,
 * within one table of leaves. Returns how many pages from `page` on, itself included.
 */
static uint32_t ahead(const struct object *obj, uint32_t page)
{
    uint32_t back = 1, n;
    unsigned flags = 0;

    while (back <= 4 * AHEAD_MAX && back < page &&
           !phys_is_none(arch_ptree_lookup(&obj->tree.pt, page - back, NULL)))
        back *= 2;
    n = back > 8 ? back / 8 : 1;
    for (back = 1; back < n && (page + back) % STORE_NODE_WORDS != 0; back++)
        if (!phys_is_none(arch_ptree_lookup(&obj->tree.pt, page + back, &flags)) || flags != 0)
            break;
    return page + back < TWZ_PAGE_META ? back : 1;
}

/* --- volatile pages --------------------------------------------------------------------------- */

static int volatile_one(struct object *obj, uint32_t page)
{
    phys_t frame = phys_alloc_zeroed();
    int err;

    if (phys_is_none(frame))
        return -TWZ_ENOMEM;
    err = arch_ptree_map(&obj->tree.pt, page, frame, ARCH_PT_WRITE);
    if (err < 0)
        phys_free(frame, 0);
    else
        obj->pages++;
    return err;
}

static int volatile_new(struct object *obj, uint32_t page, unsigned how)
{
    uint32_t n = (how & TOUCH_AHEAD) != 0 ? ahead(obj, page) : 1, i;
    int err = volatile_one(obj, page);

    for (i = 1; i < n; i++) {
        unsigned flags = 0;

        (void)arch_ptree_lookup(&obj->tree.pt, page + i, &flags);
        if (err < 0 || flags != 0 || volatile_one(obj, page + i) < 0)
            break;
    }
    return err;
}

/* A write to a frame that may be shared: take it over, or copy it. */
static int volatile_own(struct object *obj, uint32_t page, phys_t old)
{
    phys_t frame;
    int err;

    if (phys_refs(old) == 1)
        return arch_ptree_map(&obj->tree.pt, page, old, ARCH_PT_WRITE);
    frame = phys_alloc(0);
    if (phys_is_none(frame))
        return -TWZ_ENOMEM;
    memcpy(arch_virt(frame), arch_virt(old), TWZ_PAGE_SIZE);
    err = arch_ptree_map(&obj->tree.pt, page, frame, ARCH_PT_WRITE);
    if (err < 0) {
        phys_free(frame, 0);
        return err;
    }
    subtree_shoot_locked(&obj->tree, page, 1);
    page_frame_put(old);
    return 0;
}

static int volatile_fault(struct object *obj, uint32_t page, unsigned how)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);

    if ((flags & ARCH_PT_HOLE) != 0)
        return -TWZ_EFAULT;
    if (phys_is_none(frame))
        return obj->kind == TWZ_KIND_DEVICE ? -TWZ_EFAULT : volatile_new(obj, page, how);
    if ((how & TOUCH_WRITE) == 0 || (flags & ARCH_PT_WRITE) != 0)
        return 0;
    if ((flags & ARCH_PT_PROTECT) != 0)
        return -TWZ_EDENIED;
    return volatile_own(obj, page, frame);
}

/* --- persistent pages ------------------------------------------------------------------------- */

static unsigned leaf_flags(const struct store_page *p)
{
    if (p->state == STORE_PRESENT && (p->flags & STORE_FLAG_READONLY) == 0)
        return ARCH_PT_WRITE;
    return 0;
}

static int map_stored(struct object *obj, const struct store_page *p)
{
    return arch_ptree_map(&obj->tree.pt, p->page, pool_frame_phys(p->frame), leaf_flags(p));
}

/* Maps present pages near the one that was touched, so that a walk faults seldom. */
static void map_around(struct object *obj, struct store *store, uint32_t page)
{
    uint32_t at = page & ~(AROUND - 1), end = at + AROUND;

    for (at = at == 0 ? 1 : at; at < end && at < TWZ_PAGE_RECORD; at++) {
        struct store_page p = { .page = at };

        if (at == page || !phys_is_none(arch_ptree_lookup(&obj->tree.pt, at, NULL)))
            continue;
        if (store_page_get(store, obj->row, at, &p) < 0)
            continue;
        if ((p.state != STORE_PRESENT && p.state != STORE_SHARED) || poison_is_listed(p.frame))
            continue;
        if (map_stored(obj, &p) < 0)
            return;
    }
}

/* An absent page that is read: zeros, until somebody writes. */
static int map_zeros(struct object *obj, uint32_t page)
{
    return arch_ptree_map(&obj->tree.pt, page, zero_frame, ARCH_PT_COW);
}

/* How many of n pages are absent in the store. */
static uint32_t absent_run(const struct object *obj, const struct store *store, uint32_t page,
                           uint32_t n)
{
    struct store_page p;
    uint32_t i;

    for (i = 1; i < n; i++)
        if (store_page_get(store, obj->row, page + i, &p) < 0 || p.state != STORE_ABSENT)
            break;
    return i;
}

/* One page, mapped. */
static int stored_one(struct object *obj, struct store *store, uint32_t page)
{
    bool shown = !phys_is_none(arch_ptree_lookup(&obj->tree.pt, page, NULL));
    struct store_page p = { .page = page, .state = STORE_PRESENT };
    int err = store_page_add(store, obj->row, page, &p.frame);

    if (err < 0)
        return err;
    err = map_stored(obj, &p);
    if (shown)
        subtree_shoot_locked(&obj->tree, page, 1);
    return err;
}

static int stored_add(struct object *obj, struct store *store, uint32_t page, unsigned how)
{
    uint32_t n = (how & TOUCH_AHEAD) != 0 ? ahead(obj, page) : 1, i;
    struct store_page p;

    if (n > 1)
        n = absent_run(obj, store, page, n);
    if (n == 1 || store_page_add_many(store, obj->row, page, n, NULL, NULL) < 0)
        return stored_one(obj, store, page);
    page_unmap_zeros_locked(obj, page, 1);
    for (i = 0; i < n; i++) {
        int err = store_page_get(store, obj->row, page + i, &p);

        if (err < 0)
            return err;
        p.page = page + i;
        err = map_stored(obj, &p);
        if (err < 0)
            return err;
    }
    return 0;
}

static int stored_own(struct object *obj, struct store *store, uint32_t page)
{
    struct store_page p = { .page = page, .state = STORE_PRESENT };
    int err;

    page_unmap_stored_locked(obj, page, 1);
    err = store_page_break_cow(store, obj->row, page, &p.frame);
    return err < 0 ? err : map_stored(obj, &p);
}

/* A page that appears during a move out. The ones behind it may be the pool's: only this one. */
static int outward_new(struct object *obj, uint32_t page)
{
    page_unmap_zeros_locked(obj, page, 1);
    return volatile_new(obj, page, 0);
}

static int stored_fault(struct object *obj, struct store *store, uint32_t page, unsigned how)
{
    bool write = (how & TOUCH_WRITE) != 0;
    struct store_page p = { .page = page };
    int err = store_page_get(store, obj->row, page, &p);

    if (err < 0)
        return err;
    p.page = page;
    poison_mark(store, obj, &p);
    switch (p.state) {
    case STORE_ABSENT:
        if (obj->moving == MOVE_TO_DRAM)
            return outward_new(obj, page);
        return write ? stored_add(obj, store, page, how) : map_zeros(obj, page);
    case STORE_PRESENT:
    case STORE_SHARED:
        if (write && (p.flags & STORE_FLAG_READONLY) != 0)
            return -TWZ_EDENIED;
        if (write && p.state == STORE_SHARED)
            return stored_own(obj, store, page);
        err = map_stored(obj, &p);
        if (err == 0)
            map_around(obj, store, page);
        return err;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return -TWZ_EFAULT;
    }
}

/* While an object moves between the two sorts (obj/move.c), some of its leaves are DRAM frames:
 * then they are the truth, as they are for a volatile object. */
static bool leaf_is_dram(phys_t frame, unsigned flags)
{
    if ((flags & ARCH_PT_HOLE) != 0)
        return true;
    return !phys_is_none(frame) && frame.addr != zero_frame.addr && !page_in_nvm(frame);
}

static int persistent_fault(struct object *obj, uint32_t page, unsigned how)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
    struct store *store;
    int err = -TWZ_EFAULT;

    if (!phys_is_none(frame) && ((how & TOUCH_WRITE) == 0 || (flags & ARCH_PT_WRITE) != 0))
        return 0;
    if (obj->moving != MOVE_NONE && leaf_is_dram(frame, flags))
        return volatile_fault(obj, page, how);
    store = pool_lock();
    if (store)
        err = stored_fault(obj, store, page, how);
    pool_unlock();
    return err;
}

/* --- both ------------------------------------------------------------------------------------- */

bool page_kernel_only(const struct object *obj, uint32_t page)
{
    return obj->kind == TWZ_KIND_THREAD && page - TWZ_THREAD_KPAGE < KERNEL_PAGES;
}

static int touch(struct object *obj, uint32_t page, unsigned how)
{
    int err = 0;

    if (phys_is_none(obj->tree.pt.top))
        err = arch_ptree_init(&obj->tree.pt);
    if (err < 0)
        return err;
    if (obj_is_persistent(obj))
        return persistent_fault(obj, page, how);
    return volatile_fault(obj, page, how);
}

int page_ensure_locked(struct object *obj, uint32_t page, bool write)
{
    return touch(obj, page, write ? TOUCH_WRITE : 0);
}

int page_fault(struct object *obj, uint32_t page, bool write, struct twz_fault *fault)
{
    int err;

    if (page == 0)
        return refuse(fault, TWZ_FAULT_NULL, TWZ_REASON_NONE, 0);
    if (page_kernel_only(obj, page))
        return refuse(fault, TWZ_FAULT_PERM, TWZ_REASON_KERNEL, 0);
    if (page == TWZ_PAGE_RECORD && write)
        return refuse(fault, TWZ_FAULT_PERM, TWZ_REASON_KERNEL, TWZ_PERMS & ~TWZ_WRITE);
    spin_lock(&obj->tree.lock);
    if (page == TWZ_PAGE_RECORD)
        err = record_fill(obj);
    else
        err = touch(obj, page, write ? TOUCH_WRITE | TOUCH_AHEAD : 0);
    spin_unlock(&obj->tree.lock);
    return err < 0 ? refuse_error(fault, err) : 0;
}

/* --- pages go --------------------------------------------------------------------------------- */

bool page_in_nvm(phys_t frame)
{
    return pool_has(frame);
}

void page_unmap_stored_locked(struct object *obj, uint32_t first, uint32_t count)
{
    phys_t dirty[RANGE_BATCH];
    uint32_t page = first;
    unsigned flags, n = 0, i;
    phys_t frame;

    if (phys_is_none(obj->tree.pt.top))
        return;
    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++)
        if ((flags & ARCH_PT_WRITE) != 0 && page_in_nvm(frame))
            dirty[n++] = frame;
    arch_ptree_unmap(&obj->tree.pt, first, count);
    subtree_shoot_locked(&obj->tree, first, count);
    for (i = 0; i < n; i++)
        persist_flush(arch_virt_nvm(dirty[i]), TWZ_PAGE_SIZE);
    persist_fence();
}

void page_unmap_zeros_locked(struct object *obj, uint32_t first, uint32_t count)
{
    uint32_t page = first;
    bool any = false;
    unsigned flags;
    phys_t frame;

    if (phys_is_none(obj->tree.pt.top))
        return;
    for (; arch_ptree_next(&obj->tree.pt, &page, first + count, &frame, &flags); page++) {
        if (frame.addr != zero_frame.addr)
            continue;
        arch_ptree_unmap(&obj->tree.pt, page, 1);
        any = true;
    }
    if (any)
        subtree_shoot_locked(&obj->tree, first, count);
}

void page_frame_put(phys_t frame)
{
    if (frame.addr != zero_frame.addr)
        phys_unref(frame);
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
    if (!page_in_nvm(frame))
        page_frame_put(frame);
}

/* The same, and what was written is kept. */
static void put_flushed_page(phys_t frame, unsigned flags)
{
    put_page(frame, flags);
    if ((flags & ARCH_PT_DIRTY) != 0 && page_in_nvm(frame))
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
