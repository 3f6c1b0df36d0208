/* SPDX-License-Identifier: MIT */
/* The pages of an object: faults on them, the kernel's own access, ranges, copies. */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <kernel/object.h>
#include <kernel/pool.h>

/* Allocates the frame of zeros; once, before the first object. Panics without memory. */
void page_init(void);

/*
 * Makes `page` of obj usable for an access that the slot's rights allow: afterwards the subtree
 * maps it (writable where write is set). 0, or an error with fault->kind, reason, need and have set
 * (have: the rights without what the page itself refuses). Takes the object's lock.
 */
MUST_CHECK int page_fault(struct object *obj, uint32_t page, bool write, struct twz_fault *fault);

/*
 * The kernel's own access to object memory. The one door for kernel stores into object pages:
 * page_write_begin locks obj and gives the page, made present and writable; page_write_end unlocks.
 * NULL: it cannot be (hole, no memory, no room); then nothing is locked.
 */
void *page_write_begin(struct object *obj, uint32_t page);
void page_write_end(struct object *obj, uint32_t page);

/* Copies bytes out of / into an object, page by page, under its lock. Absent pages read as zero.
 * -TWZ_EFAULT at a hole or bad page, -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_ERANGE. */
MUST_CHECK int obj_read(struct object *obj, uint64_t off, void *buf, size_t len);
MUST_CHECK int obj_write(struct object *obj, uint64_t off, const void *buf, size_t len);

/*
 * Kernel address of a page that stays where it is as long as obj lives: only of kinds whose pages
 * nobody can take out (thread, device, system, root, directory). NULL: no memory. Volatile only.
 */
void *obj_frame(struct object *obj, uint32_t page);

/* A page of a DEVICE object that is not ours (registers, ring memory); uncached where asked. */
MUST_CHECK int obj_map_foreign(struct object *obj, uint32_t page, phys_t frame, bool uncached);

/* obj_range (twz/object.h): at most a bounded piece of [*first, end); *first is moved on.
 * Returns 1 while there is more to do, 0 when done, or an error. */
MUST_CHECK int range_apply(struct object *obj, uint64_t op, uint32_t *first, uint32_t end);

/* Copies whole pages, copy-on-write where it can: a bounded piece, *done pages so far.
 * Returns 1 while there is more to do, 0 when done, or an error. */
MUST_CHECK int copy_apply(struct object *dst, uint32_t dst_first, struct object *src,
                          uint32_t src_first, uint32_t count, uint32_t *done);

/* Frees all pages and tables of a volatile object that hangs nowhere; tables of a persistent
 * one. */
void page_drop_all(struct object *obj);

/* Writes the record page anew after a change. Locked. */
void page_record_update_locked(struct object *obj);

/* Two objects' locks, lower address first; a may be b. */
void obj_lock_pair(struct object *a, struct object *b);
void obj_unlock_pair(struct object *a, struct object *b);

/* Dirty leaves from *from on become clean, and their lines go to the media. True: more to do. */
bool page_clean_locked(struct object *obj, uint32_t *from);
/* Flushes what was written through mappings of a persistent object. */
void obj_flush(struct object *obj);
/* The same, as long as nothing maps it. No lock held. */
void page_flush_unmapped(struct object *obj);

/* A volatile object lets go of a frame that no processor can reach through it any more. */
void page_frame_put(phys_t frame);
/* Persistent: takes translations of pages that only show zeros away everywhere. Locked. */
void page_unmap_zeros_locked(struct object *obj, uint32_t first, uint32_t count);

/* The machine lost a line of the pool. badpage_is_listed: a frame with such a line;
 * badpage_any: there is one. */
void badpage_add(uint32_t frame);
bool badpage_is_listed(uint32_t frame);
bool badpage_any(void);
void badpage_unmap(struct object *obj, phys_t lost);
/* The word of a page whose frame has such a line says so from now on. True: it has. Pool locked. */
bool badpage_mark(struct store *store, const struct object *obj, struct store_page *p);

#endif
