/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of page/. The caller of each function that takes an object must hold the
 * object's lock.
 *
 * A function that replaces or removes a leaf must complete the shootdown before it releases that
 * lock and before it frees the leaf's frame. A new leaf for an absent page needs no shootdown.
 */
#ifndef PAGE_INSIDE_H
#define PAGE_INSIDE_H

#include <kernel/page.h>

#define RANGE_BATCH 256u  /* pages handled in one batch */
#define SCAN_BATCH  8192u /* leaves scanned in one batch */

/* How a page is touched. */
#define TOUCH_WRITE 1u
#define TOUCH_AHEAD 2u /* pages after it may be added as well */

/* Makes a page present, and writable if `write` is set. -TWZ_EFAULT: a hole; -TWZ_EDENIED: it is
 * protected; -TWZ_EPOISON, -TWZ_EDAMAGED, -TWZ_ENOMEM, -TWZ_ENOSPC. */
int page_ensure_locked(struct object *obj, uint32_t page, bool write);

/* True: the page number is one of a thread object's kernel-only pages, which are never mapped. */
bool page_is_kernel_only(const struct object *obj, uint32_t page);

/* Maps the record page. -TWZ_ENOMEM. */
int record_map_locked(struct object *obj);

/* The fault handlers of page_ensure_locked, with its errors; the top page table must exist. */
int volatile_fault_locked(struct object *obj, uint32_t page, unsigned how);
int stored_fault_locked(struct object *obj, uint32_t page, unsigned how);

/* Adds a zeroed page where there is no leaf, with more after it if TOUCH_AHEAD is set.
 * -TWZ_ENOMEM: not even the first. */
int volatile_add_locked(struct object *obj, uint32_t page, unsigned how);

/* How many pages to add at once from an absent page on, itself included (TOUCH_AHEAD). */
uint32_t volatile_count_ahead(const struct object *obj, uint32_t page);

/* How many pages from `page` on, at most count, are absent in the store. Pool locked. */
uint32_t stored_count_absent(const struct object *obj, const struct store *store, uint32_t page,
                             uint32_t count);

/* Persistent: unmaps at most RANGE_BATCH pages and flushes those that were writable, because their
 * dirty bits are lost with the leaves. */
void page_unmap_stored_locked(struct object *obj, uint32_t first, uint32_t count);

/* Discards at most RANGE_BATCH pages: they become absent, or holes. */
int range_drop_locked(struct object *obj, uint32_t first, uint32_t count, bool hole);

/* The frame of zeros (zeropage.c). */
bool zeropage_is(phys_t frame);
int zeropage_map_locked(struct object *obj, uint32_t page);

bool badpage_is_listed(uint32_t frame);
bool badpage_any(void); /* the list is not empty */

#endif
