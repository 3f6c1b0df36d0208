/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of page/. The caller of a function with an object argument must hold the
 * object's lock; page_is_kernel_only needs no lock.
 *
 * After code removes a leaf, replaces its frame or takes a right from it, the code must complete
 * the shootdown. Only then may it release the lock or free the frame. A new leaf for an absent page
 * needs no shootdown, and neither does an added right.
 */
#ifndef PAGE_INSIDE_H
#define PAGE_INSIDE_H

#include <kernel/page.h>

/* A batch ends when its estimated cost exceeds this number of instructions. */
#define PAGE_BUDGET 16000u

/* Estimated instructions for a page. */
#define COST_VISIT  150u  /* reading a leaf and a page word */
#define COST_WORD   450u  /* a page word that changes */
#define COST_FREE   150u  /* a frame that is freed */
#define COST_ALLOC  900u  /* a frame that is allocated and zeroed */
#define COST_COPY   2000u /* a frame that is copied */
#define COST_STREAM 2000u /* more, if it is copied to the pool */
#define COST_FLUSH  450u  /* the lines of a page */
#define COST_TABLE  7000u /* the first page in a node of the store, and in its page table */

static inline void page_spend(uint32_t *budget, uint32_t cost)
{
    *budget -= cost < *budget ? cost : *budget;
}

#define RANGE_BATCH 64u /* pages handled in one batch, at most */
#define AHEAD_MAX   16u /* pages that one fault adds at most */

/* Flags of a touch. A touch is an access, by user code or the kernel, that gives a page a leaf. */
#define TOUCH_WRITE 1u
#define TOUCH_AHEAD 2u /* pages after the touched page may be added as well */

/* Gives a page a leaf, which is writable if `write` is set. In a persistent object a read of an
 * absent page maps the frame of zeros. Errors: -TWZ_EFAULT at a hole, at an absent
 * page of a DEVICE object, or if the pool is closed; -TWZ_EDENIED if the page is protected;
 * -TWZ_EPOISON, -TWZ_EDAMAGED, -TWZ_ENOMEM, -TWZ_ENOSPC. */
int page_ensure_locked(struct object *obj, uint32_t page, bool write);

/* Returns true for a kernel-only page of a thread object. Such pages are never mapped. */
bool page_is_kernel_only(const struct object *obj, uint32_t page);

/* Maps the record page read-only. Errors: -TWZ_ENOMEM. */
int record_map_locked(struct object *obj);

/* These resolve a touch of a page in a volatile or a persistent object. The caller must have
 * created the top page table. Errors: as page_ensure_locked. */
int volatile_fault_locked(struct object *obj, uint32_t page, unsigned how);
int stored_fault_locked(struct object *obj, uint32_t page, unsigned how);

/* Adds a zeroed frame at a page without a leaf. With TOUCH_AHEAD, it may also add frames at the
 * pages after that page. Returns -TWZ_ENOMEM if not even the first frame could be added. */
int volatile_add_locked(struct object *obj, uint32_t page, unsigned how);

/* Returns how many pages a TOUCH_AHEAD fault may add, counting the touched absent page. stored.c
 * uses it for persistent objects, too. */
uint32_t volatile_count_ahead(const struct object *obj, uint32_t page);

/* Returns how many pages from `page` on, at most `count`, are absent in the store. */
uint32_t stored_count_absent(const struct object *obj, const struct store *store, uint32_t page,
                             uint32_t count);

/* Unmaps pages of a persistent object. `count` must not exceed RANGE_BATCH. Flushes the
 * pages that were writable, because their dirty bits are lost with the leaves. */
void page_unmap_stored_locked(struct object *obj, uint32_t first, uint32_t count);

/* Makes sure that the page table of a page exists, so that mapping a page of it cannot fail.
 * -TWZ_ENOMEM. */
int page_ensure_table_locked(struct object *obj, uint32_t page);

/* Makes pages absent, or holes if `hole` is set. `count` must not exceed RANGE_BATCH, and the pages
 * must lie in one page table. After an error nothing has changed: -TWZ_EDENIED if a protected page
 * were to become absent; -TWZ_ENOMEM. */
int range_drop_locked(struct object *obj, uint32_t first, uint32_t count, bool hole);

/* Returns the first page in [page, end) that may not be absent, or `end`. Stops early after a
 * bounded amount of work. */
uint32_t page_next_locked(struct object *obj, uint32_t page, uint32_t end);

/* Flushes those of the frames that lie in the pool, after a change that failed: the pages stay in
 * the object, but their dirty bits were lost with the leaves. */
void page_flush_frames(const phys_t *list, unsigned n);

/* The frame of zeros (zeropage.c). */
bool zeropage_is(phys_t frame);
int zeropage_map_locked(struct object *obj, uint32_t page);

bool badpage_is_listed(uint32_t frame);
bool badpage_any(void); /* returns true if the list is not empty */

#endif
