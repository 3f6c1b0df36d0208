/* SPDX-License-Identifier: MIT */
/*
 * Owns the report of uncorrectable memory errors.
 */
#include <kernel/log.h>
#include <kernel/page.h>
#include "inside.h"

static void unmap_bad_page(struct object *obj, void *ctx)
{
    const phys_t *lost = ctx;

    badpage_unmap(obj, *lost);
}

void obj_media_error(phys_t addr)
{
    phys_t lost = { addr.addr & ~(uint64_t)(TWZ_PAGE_SIZE - 1) };

    log_printf("media error at physical address %llx", (unsigned long long)addr.addr);
    if (!pool_has(lost))
        return;
    badpage_add(pool_frame_number(lost));
    (void)table_each_stored(0, UINT32_MAX, unmap_bad_page, &lost);
}
