/* SPDX-License-Identifier: MIT */
/*
 * Owns the handling of an uncorrectable memory error that the machine reports. The kernel lists the
 * frame as bad, and then unmaps it from the in-core objects that map it. An object that does not
 * map the frame detects the error later (page/badpages.c).
 *
 * Lock order: table -> object -> pool.
 */
#include <kernel/log.h>
#include <kernel/page.h>
#include "inside.h"

static void unmap_bad_page(struct object *obj, void *ctx)
{
    const phys_t *bad = ctx;

    badpage_unmap(obj, *bad);
}

void obj_media_error(phys_t addr)
{
    phys_t bad = { addr.addr & ~(uint64_t)(TWZ_PAGE_SIZE - 1) };

    log_printf("media error at physical address %llx", (unsigned long long)addr.addr);
    if (!pool_has(bad))
        return;
    badpage_add(pool_frame_number(bad));
    (void)table_visit_stored(0, UINT32_MAX, unmap_bad_page, &bad);
}
