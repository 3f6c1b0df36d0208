/* SPDX-License-Identifier: MIT */
/* Shared by the files of page/ only. */
#ifndef PAGE_INSIDE_H
#define PAGE_INSIDE_H

#include <kernel/page.h>

#define RANGE_BATCH 256u  /* pages handled in one go */
#define SCAN_BATCH  8192u /* pages looked at in one go */

/* How a page is touched. */
#define TOUCH_WRITE 1u
#define TOUCH_AHEAD 2u /* pages behind it may be made as well */

/* Pages of volatile objects, tree.lock held (volatile.c). */
int volatile_fault(struct object *obj, uint32_t page, unsigned how);
int volatile_add(struct object *obj, uint32_t page, unsigned how);
uint32_t volatile_count_ahead(const struct object *obj, uint32_t page);

/* Pages of persistent objects, tree.lock held (stored.c). */
int stored_fault(struct object *obj, uint32_t page, unsigned how);
uint32_t stored_count_absent(const struct object *obj, const struct store *store, uint32_t page,
                             uint32_t count);

/* The frame of zeros (zeropage.c). */
bool zeropage_is(phys_t frame);
int zeropage_map_locked(struct object *obj, uint32_t page);

/* The record page becomes mapped, tree.lock held (record.c). */
int page_record_map_locked(struct object *obj);

/* Pages, tree.lock held. */
int page_ensure_locked(struct object *obj, uint32_t page, bool write);
bool page_kernel_only(const struct object *obj, uint32_t page);

/* Persistent: takes translations of at most RANGE_BATCH pages away everywhere, and flushes what was
 * written through them, because the processor's mark of it goes with them. */
void page_unmap_stored_locked(struct object *obj, uint32_t first, uint32_t count);

/* Takes pages [first, first + count) out of a volatile or persistent object: holes or absent. At
 * most RANGE_BATCH pages. Their translations are gone when it returns. */
int range_drop_locked(struct object *obj, uint32_t first, uint32_t count, bool hole);

#endif
