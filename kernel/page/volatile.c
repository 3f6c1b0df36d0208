/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages of volatile objects. A page exists only as its leaf in the subtree:
 *
 *   no leaf          absent; the next touch adds a zeroed frame (not in a DEVICE object)
 *   ARCH_PT_HOLE     a hole
 *   ARCH_PT_LOST     its bytes were lost in the pool, before the object migrated to DRAM
 *   ARCH_PT_WRITE    the frame belongs to this leaf alone
 *   ARCH_PT_COW      other leaves may share the frame (phys_ref); a write ends the sharing
 *   ARCH_PT_PROTECT  read-only for all
 *
 * Lock order: object -> phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include <lib/string.h>
#include <store/format.h>
#include "inside.h"

/*
 * A program that writes pages in sequence takes fewer faults if one fault adds several pages. The
 * number returned includes `page`. It is at most a quarter of the run of pages before `page`, at
 * most AHEAD_MAX, and at least 1. The function probes only the pages at distances 1, 2, 4, ...
 * before `page`, so it does not notice all gaps. The pages counted end before the next leaf or
 * hole, and before the end of the last-level page table that contains `page`. If the page after
 * them would be the metadata page or a later one of an object that is not flat, the function
 * returns 1.
 */
uint32_t volatile_count_ahead(const struct object *obj, uint32_t page)
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
    return obj_is_flat(obj) || page + back < TWZ_PAGE_META ? back : 1;
}

static int add_volatile_page(struct object *obj, uint32_t page)
{
    phys_t frame;
    int err = phys_alloc_zeroed_for(obj->payer, &frame);

    if (err < 0)
        return err;
    err = arch_ptree_map(&obj->tree.pt, page, frame, ARCH_PT_WRITE);
    if (err < 0)
        phys_free(frame, 0);
    else
        obj->pages++;
    return err;
}

int volatile_add_locked(struct object *obj, uint32_t page, unsigned how)
{
    uint32_t n = (how & TOUCH_AHEAD) != 0 ? volatile_count_ahead(obj, page) : 1;
    int err = add_volatile_page(obj, page);

    for (uint32_t i = 1; i < n; i++) {
        unsigned flags = 0;

        (void)arch_ptree_lookup(&obj->tree.pt, page + i, &flags);
        if (err < 0 || flags != 0 || add_volatile_page(obj, page + i) < 0)
            break;
    }
    return err;
}

/* Makes a copy-on-write page writable. If no other leaf uses the frame, the page keeps the frame,
 * and pays for it from now on; otherwise it gets a copy. */
static int break_volatile_cow(struct object *obj, uint32_t page, phys_t old)
{
    phys_t frame;
    int err;

    if (phys_refs(old) == 1) {
        phys_set_payer(old, obj->payer);
        return arch_ptree_map(&obj->tree.pt, page, old, ARCH_PT_WRITE);
    }
    err = phys_alloc_for(obj->payer, 0, &frame);
    if (err < 0)
        return err;
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

int volatile_fault_locked(struct object *obj, uint32_t page, unsigned how)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);

    if ((flags & ARCH_PT_HOLE) != 0)
        return -TWZ_EFAULT;
    if ((flags & ARCH_PT_LOST) != 0)
        return -TWZ_EPOISON;
    if (phys_is_none(frame))
        return obj->kind == TWZ_KIND_DEVICE ? -TWZ_EFAULT : volatile_add_locked(obj, page, how);
    if ((how & TOUCH_WRITE) == 0 || (flags & ARCH_PT_WRITE) != 0)
        return 0;
    if ((flags & ARCH_PT_PROTECT) != 0)
        return -TWZ_EDENIED;
    return break_volatile_cow(obj, page, frame);
}
