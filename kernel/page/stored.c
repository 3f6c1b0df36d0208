/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages of persistent objects. The store's page word is the truth about a page, and a leaf
 * is a copy of this word. A leaf is writable only if the word is PRESENT, durable and not
 * protected. A read of an absent page maps the frame of zeros, except during a migration to DRAM.
 *
 * While an object migrates (obj/migrate.c), some of its leaves map DRAM frames, are holes or are
 * lost. Such a leaf is the truth about its page, as in a volatile object.
 *
 * Crash protocol: the store commits the page word before this file writes the leaf. Programs can
 * therefore store only into frames that are durably part of the object.
 *
 * Lock order: object -> frames of the pool -> kmem -> phys.
 */
#include <kernel/page.h>
#include "inside.h"

/* The size of an aligned group of pages. A fault on a page that is present in the store also maps
 * the other present pages of the group, unless the fault breaks copy-on-write. */
#define AROUND 32u

static unsigned leaf_flags_of(const struct store_page *p)
{
    if (p->state == STORE_PRESENT && (p->flags & STORE_FLAG_READONLY) == 0)
        return ARCH_PT_WRITE;
    return 0;
}

static int map_stored_page(struct object *obj, const struct store_page *p)
{
    unsigned flags = obj->sealed ? 0 : leaf_flags_of(p);

    return arch_ptree_map(&obj->tree.pt, p->page, pool_frame_phys(p->frame), flags);
}

/* Maps the present pages around the touched page, so that a program that visits them takes fewer
 * faults. */
static void map_neighbours(struct object *obj, struct store *store, uint32_t page)
{
    uint32_t at = page & ~(AROUND - 1), end = at + AROUND;

    for (at = at == 0 ? 1 : at; at < end && at < TWZ_PAGE_RECORD; at++) {
        struct store_page p = { .page = at };
        unsigned flags = 0;

        if (at == page || !phys_is_none(arch_ptree_lookup(&obj->tree.pt, at, &flags)) || flags != 0)
            continue;
        if (obj->sealed && !sealed_is_good(obj, at))
            continue;
        if (store_page_get(store, obj->row, at, &p) < 0)
            continue;
        if ((p.state != STORE_PRESENT && p.state != STORE_SHARED) || badpage_is_listed(p.frame))
            continue;
        if (map_stored_page(obj, &p) < 0)
            return;
    }
}

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

/* Adds at most n pages to the store; one alone, if the account cannot pay for all. Returns their
 * number. */
static int add_run(struct object *obj, struct store *store, uint32_t page, uint32_t n,
                   uint32_t *frame)
{
    struct pool_charge c;
    int ret = pool_charge(obj, n + CHARGE_NODES, &c);

    if (ret < 0 && n > 1) {
        n = 1;
        ret = pool_charge(obj, n + CHARGE_NODES, &c);
    }
    if (ret < 0)
        return ret;
    ret = store_page_add_run(store, obj->row, page, n, frame);
    (void)pool_charge_end(obj, &c);
    return ret;
}

/* Adds a page where the store has none, whose leaf may map the frame of zeros. With TOUCH_AHEAD it
 * also adds absent pages after that page, while the pool has space. */
static int add_stored_pages(struct object *obj, struct store *store, uint32_t page, unsigned how)
{
    uint32_t n = (how & TOUCH_AHEAD) != 0 ? volatile_count_ahead(obj, page) : 1;
    bool mapped = !phys_is_none(arch_ptree_lookup(&obj->tree.pt, page, NULL));
    uint32_t frame[AHEAD_MAX];
    int added = add_run(obj, store, page, n, frame), err = 0;

    for (int i = 0; i < added && err == 0; i++)
        err = arch_ptree_map(&obj->tree.pt, page + (uint32_t)i, pool_frame_phys(frame[i]),
                             ARCH_PT_WRITE);
    if (added > 0 && mapped)
        subtree_shoot_locked(&obj->tree, page, 1);
    return added < 0 ? added : err;
}

static int break_stored_cow(struct object *obj, struct store *store, uint32_t page)
{
    struct store_page p = { .page = page, .state = STORE_PRESENT };
    int err;

    page_unmap_stored_locked(obj, page, 1);
    err = store_page_break_cow(store, obj->row, page, &p.frame);
    return err < 0 ? err : map_stored_page(obj, &p);
}

/* During a migration to DRAM, adds a DRAM frame at an absent page. It adds only this page, because
 * later pages may still be in the pool. */
static int add_dram_page(struct object *obj, uint32_t page)
{
    page_unmap_zeros_locked(obj, page, 1);
    return volatile_add_locked(obj, page, 0);
}

/* Resolves a fault according to the page word. */
static int fault_by_word(struct object *obj, struct store *store, uint32_t page, unsigned how)
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
        if (obj->migrating == MIGRATE_TO_DRAM)
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

/* Returns true if, during a migration, the leaf and not the page word is the truth about the
 * page. */
static bool is_dram_leaf(phys_t frame, unsigned flags)
{
    if ((flags & (ARCH_PT_HOLE | ARCH_PT_LOST)) != 0)
        return true;
    return !phys_is_none(frame) && !zeropage_is(frame) && !pool_has(frame);
}

int stored_fault_locked(struct object *obj, uint32_t page, unsigned how)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
    struct store *store;

    if (!phys_is_none(frame) && ((how & TOUCH_WRITE) == 0 || (flags & ARCH_PT_WRITE) != 0))
        return 0;
    if (obj->migrating != MIGRATE_NONE && is_dram_leaf(frame, flags))
        return volatile_fault_locked(obj, page, how);
    store = pool_store();
    return store ? fault_by_word(obj, store, page, how) : -TWZ_EFAULT;
}
