/* SPDX-License-Identifier: MIT */
/*
 * Owns the frame of zeros. When a thread reads an absent page of a persistent object, the kernel
 * maps this frame. Reads thus take no frame from the pool. All objects share the frame. It has no
 * reference count, and is never written or freed.
 *
 * Lock order: object -> phys.
 */
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include "inside.h"

static phys_t zero_frame = { UINT64_MAX };

void page_init(void)
{
    zero_frame = phys_alloc_zeroed();
    if (phys_is_none(zero_frame))
        panic("no memory for the frame of zeros");
}

bool zeropage_is(phys_t frame)
{
    return frame.addr == zero_frame.addr;
}

int zeropage_map_locked(struct object *obj, uint32_t page)
{
    return arch_ptree_map(&obj->tree.pt, page, zero_frame, ARCH_PT_COW);
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
        if (!zeropage_is(frame))
            continue;
        arch_ptree_unmap(&obj->tree.pt, page, 1);
        any = true;
    }
    if (any)
        subtree_shoot_locked(&obj->tree, first, count);
}

void page_frame_put(phys_t frame)
{
    if (!zeropage_is(frame))
        phys_unref(frame);
}
