/* SPDX-License-Identifier: MIT */
/*
 * The pages of an object: faults, access by the kernel, ranges, copies, write-back, and the list of
 * bad pages. A page is named by its number in the object; page 0 is never mapped. Its *leaf* is its
 * page-table entry in the object's subtree. The *page word* of a persistent object's page is its
 * entry in the store.
 *
 * "Locked": the caller must hold the object's lock (obj->tree.lock). All other functions on an
 * object take that lock, so their caller must not hold it. "Long": the function works in batches
 * with preemption points between them, so its caller must hold no lock. No function blocks.
 *
 * Lock order: object -> pool -> kmem -> phys. Of two objects the one at the lower address is first.
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <kernel/object.h>
#include <kernel/pool.h>

/* Allocates the frame of zeros. Must be called once, before the first object. Panics if there is no
 * memory. */
void page_init(void);

/* --- faults ----------------------------------------------------------------------------------- */

/*
 * Maps a page for an access that the slot's rights allow; `write` asks for a writable leaf.
 * 0: the access may be tried again. -TWZ_EFAULT: fault->kind and fault->reason say why not, and
 * fault->have loses the rights that the page itself refuses.
 * A page of a persistent object is durably part of it before it becomes writable.
 */
MUST_CHECK int page_fault(struct object *obj, uint32_t page, bool write, struct twz_fault *fault);

/* --- access by the kernel --------------------------------------------------------------------- */

/*
 * The one way for the kernel to store into an object's page. page_write_begin takes the object's
 * lock, makes the page present and writable, and returns its address. The caller must then call
 * page_write_end, which releases the lock, and must not use the address after it.
 * NULL: the page cannot be written, or there is no memory or no free frame; the lock is not held.
 */
void *page_write_begin(struct object *obj, uint32_t page);
void page_write_end(struct object *obj, uint32_t page);

/* Copies bytes out of an object. The lock is released between two pages. Absent pages read as
 * zeros. -TWZ_ERANGE; -TWZ_EFAULT: a hole; -TWZ_EPOISON, -TWZ_EDAMAGED, -TWZ_ENOMEM. */
MUST_CHECK int obj_read(struct object *obj, uint64_t off, void *buf, size_t len);

/* Copies bytes into an object; in a persistent one they are durable on return. The lock is released
 * between two pages. -TWZ_ERANGE; -TWZ_EFAULT: page_write_begin failed, and the pages before that
 * one are written. */
MUST_CHECK int obj_write(struct object *obj, uint64_t off, const void *buf, size_t len);

/* The kernel's address of a page, which is allocated if absent. It is valid as long as the object
 * exists. The object must be volatile, and of a kind that cannot lose pages: thread, device,
 * system, root, directory. NULL: no memory. */
void *obj_frame(struct object *obj, uint32_t page);

/* Maps a frame that is not the object's own (device registers, ring memory) into a DEVICE object.
 * -TWZ_EINVAL, -TWZ_ENOMEM. */
MUST_CHECK int obj_map_foreign(struct object *obj, uint32_t page, phys_t frame, bool uncached);

/* --- ranges and copies ------------------------------------------------------------------------ */

/*
 * Does one batch of obj_range (twz/object.h) on pages [*first, end) and advances *first past it.
 * 1: the caller must call again; 0: done. -TWZ_ERANGE; -TWZ_EINVAL: not an operation for this kind;
 * -TWZ_EBUSY: the object migrates; -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_EPOISON, -TWZ_EDAMAGED.
 * In a persistent object the batch is durable on return.
 */
MUST_CHECK int range_apply(struct object *obj, uint64_t op, uint32_t *first, uint32_t end);

/*
 * Copies one batch of `count` whole pages, copy-on-write where possible; *done counts the pages
 * copied so far. 1: the caller must call again; 0: done. -TWZ_ERANGE; -TWZ_EINVAL: the same object
 * twice, or a kind that cannot be copied; -TWZ_EBUSY: one of them migrates; -TWZ_ENOMEM,
 * -TWZ_ENOSPC, -TWZ_EPOISON, -TWZ_EDAMAGED. In a persistent dst the batch is durable on return.
 */
MUST_CHECK int copy_apply(struct object *dst, uint32_t dst_first, struct object *src,
                          uint32_t src_first, uint32_t count, uint32_t *done);

/* Takes and releases the locks of two objects; a may be b. */
void obj_lock_pair(struct object *a, struct object *b);
void obj_unlock_pair(struct object *a, struct object *b);

/* --- write-back ------------------------------------------------------------------------------- */

/* Locked; the object must be persistent. Writes back the dirty pages of one batch from *from on,
 * and advances *from past it. Their lines are durable on return. True: there are more pages. */
bool page_clean_locked(struct object *obj, uint32_t *from);

/* Writes back all dirty pages of an object if it is persistent; they are durable on return. */
void obj_flush(struct object *obj);

/* The same, but stops as soon as an address space maps the object. Long. */
void page_flush_unmapped(struct object *obj);

/* --- for kernel/obj --------------------------------------------------------------------------- */

/* Locked. Copies the object's fields to its record page, if that has a frame. User code does not
 * see a change of them before. */
void page_record_update_locked(struct object *obj);

/* Locked. Unmaps those of `count` pages that map the frame of zeros. */
void page_unmap_zeros_locked(struct object *obj, uint32_t first, uint32_t count);

/* Drops a leaf's reference on a frame of DRAM. The caller must have removed the leaf and completed
 * the shootdown before. */
void page_frame_put(phys_t frame);

/* Frees the page tables, record page and DRAM frames of an object that nothing references. Dirty
 * pages of a persistent object become durable, unless it is deleted. Long. */
void page_drop_all(struct object *obj);

/* --- bad pages (badpages.c) ------------------------------------------------------------------- */

/* Adds a frame of the pool with an uncorrectable memory error to the list. Takes no lock. */
void badpage_add(uint32_t frame);

/* Unmaps the object's pages that map the frame, and marks their page words POISONED, durably. */
void badpage_unmap(struct object *obj, phys_t bad);

/* A fault, copy or migration must call this for each page before it uses the frame. True: the frame
 * is listed; p->state and the page word, durably, become POISONED. The caller must hold the pool's
 * lock. */
bool badpage_mark(struct store *store, const struct object *obj, struct store_page *p);

#endif
