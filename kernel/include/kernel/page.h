/* SPDX-License-Identifier: MIT */
/*
 * The pages of an object: faults, access by the kernel, ranges, copies, write-back, and the list of
 * bad pages. Pages are numbered from the start of the object; page 0 is never mapped. The *leaf* of
 * a page is the page-table entry for it in the object's subtree. The *page word* of a page is the
 * store's word for it, if the object is persistent.
 *
 * "Locked": the caller must hold the object's lock (obj->tree.lock). Unless its comment says
 * otherwise, an unmarked function takes that lock itself, so its caller must not hold it. "Long":
 * the function works in batches with preemption points between them, so its caller must hold no
 * lock. No function blocks.
 *
 * Lock order: object -> pool -> kmem -> phys. A caller that locks two objects must first lock the
 * one at the lower address.
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <kernel/object.h>
#include <kernel/pool.h>

struct pool_reservation;

/* Allocates the frame of zeros. Must be called once, before the first object is created. Panics if
 * there is no memory. */
void page_init(void);

/* --- faults ----------------------------------------------------------------------------------- */

/*
 * Resolves a fault on a page, for an access that the slot's rights allow; `write` asks for a
 * writable leaf. Returns 0 if the thread may try the access again. Otherwise returns -TWZ_EFAULT:
 * fault->kind and fault->reason give the reason, and fault->have loses the rights that the page
 * itself refuses; or the thread's retry is set, and the access must come again, because a page of a
 * sealed object is being verified. The store makes a new page of the pool durably part of the
 * object before the kernel maps the page writable.
 */
MUST_CHECK int page_fault(struct object *obj, uint32_t page, bool write, struct twz_fault *fault);

/* --- access by the kernel --------------------------------------------------------------------- */

/*
 * Kernel code that stores directly into a page must call page_write_begin before the store and
 * page_write_end after it. The exception is a page from obj_frame. page_write_begin takes the
 * object's lock, makes the page present and writable, and returns its address. page_write_end
 * releases the lock; the caller must not use the address afterwards. page_write_begin returns NULL,
 * without the lock, if the page cannot be written, or there is no memory or no free frame.
 */
void *page_write_begin(struct object *obj, uint32_t page);
void page_write_end(struct object *obj, uint32_t page);

/* Copies bytes out of an object, and releases the lock between two pages. Absent pages read as
 * zeros. Errors: -TWZ_ERANGE; -TWZ_EFAULT at a hole; -TWZ_EPOISON, -TWZ_EDAMAGED, -TWZ_ENOMEM. */
MUST_CHECK int obj_read(struct object *obj, uint64_t off, void *buf, size_t len);

/* Copies bytes into an object, and releases the lock between two pages. The bytes are durable on
 * return if the object is persistent and does not migrate. Errors: -TWZ_ERANGE; -TWZ_EFAULT if
 * page_write_begin failed on a page. The pages before that page are then written. */
MUST_CHECK int obj_write(struct object *obj, uint64_t off, const void *buf, size_t len);

/* The same for the kernel-only pages of a THREAD object, which obj_read and obj_write refuse. */
MUST_CHECK int obj_read_kernel_only(struct object *obj, uint64_t off, void *buf, size_t len);
MUST_CHECK int obj_write_kernel_only(struct object *obj, uint64_t off, const void *buf, size_t len);

/*
 * Returns the kernel's address of a page, which is valid as long as the object exists. An absent
 * page is allocated first, but not in a DEVICE object. The object must be volatile, and neither
 * DATA nor VIEW, because only those kinds can lose pages. Returns NULL if the page cannot be
 * allocated.
 */
void *obj_frame(struct object *obj, uint32_t page);

/* Maps a frame that is not the object's own (device registers, ring memory) into a DEVICE object,
 * with the leaf flags ARCH_PT_WRITE or ARCH_PT_PROTECT, and ARCH_PT_UNCACHED. Errors: -TWZ_EINVAL
 * for another kind or for page 0, the metadata page or the record page; -TWZ_ENOMEM. */
MUST_CHECK int obj_map_foreign(struct object *obj, uint32_t page, phys_t frame, unsigned flags);

/* --- ranges and copies ------------------------------------------------------------------------ */

/*
 * Does one batch of obj_range (twz/object.h) on pages [*first, end), and advances *first past the
 * batch. Returns 1 if the caller must call again, 0 if all pages are done. Errors: -TWZ_ERANGE;
 * -TWZ_EINVAL if the operation is unknown or the object's kind does not allow it; -TWZ_EBUSY while
 * the object migrates, or if pages of a pinned one were to go; -TWZ_EDENIED if a protected page
 * were to become absent; -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_EPOISON, -TWZ_EDAMAGED; -TWZ_ENOTSUP if the
 * pool is closed. In a persistent object the batch is durable on return.
 */
MUST_CHECK int range_apply(struct object *obj, uint64_t op, uint32_t *first, uint32_t end);

/*
 * Handles one batch of a copy of `count` whole pages. It shares frames copy-on-write where
 * possible. *done must be 0 at the first call; it counts the pages handled so far. *reserved is
 * that of copy_reserve, or empty. Returns 1 if the caller must call again, 0 if the copy is
 * complete. Errors: -TWZ_ERANGE; -TWZ_EINVAL if dst is src, or for a kind that cannot be copied;
 * -TWZ_EBUSY while dst or src migrates or is pinned, or dst is mapped executable; -TWZ_EDENIED if a
 * page of dst is protected; -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_EPOISON, -TWZ_EDAMAGED; -TWZ_ENOTSUP if
 * the pool is closed. After an error no page of the batch has changed. In a persistent dst the
 * batch is durable on return.
 */
MUST_CHECK int copy_apply(struct object *dst, uint32_t dst_first, struct object *src,
                          uint32_t src_first, uint32_t count, uint32_t *done,
                          struct pool_reservation *reserved);

/* Reserves the frames of the pool that the whole copy takes at most, and adds them to *reserved,
 * which an account pays for. After an error it must be given back, too. If the source does not
 * grow, no batch then fails for space. Errors: -TWZ_ENOSPC, and -TWZ_EQUOTA; those of copy_apply
 * for its arguments. */
MUST_CHECK int copy_reserve(struct object *dst, uint32_t dst_first, struct object *src,
                            uint32_t src_first, uint32_t count, struct pool_reservation *reserved);

/* Gives back the reserved frames. *reserved is empty afterwards. */
void copy_unreserve(struct pool_reservation *reserved);

/* Take and release the locks of two objects; a may be b. The caller of obj_unlock_pair must hold
 * both locks. */
void obj_lock_pair(struct object *a, struct object *b);
void obj_unlock_pair(struct object *a, struct object *b);

/* --- sealed objects (sealed.c) -----------------------------------------------------------------
 * */

/* Returns what obj->sealed of a sealed object needs, with the root of its hash tree. NULL: no
 * memory. sealed_destroy drops the reference on the object with the tree; the caller must hold no
 * lock. */
struct sealed *sealed_create(const uint8_t root[32]);
void sealed_destroy(struct sealed *s);
const uint8_t *sealed_root(const struct sealed *s);

/* Sets the object with the hash tree, and takes over the caller's reference on it. Without one no
 * page can be verified. The caller must hold no lock. */
void sealed_set_tree(struct sealed *s, struct object *tree);
bool sealed_has_tree(const struct sealed *s);

/*
 * Verifies a page of a sealed object, in batches: returns 1 if the caller must call again, after
 * the running thread has been open to interrupts; 0 if the page is what the ID promises. The caller
 * must hold no lock. Errors: -TWZ_EDAMAGED if it is not, or the tree is not; -TWZ_EPOISON,
 * -TWZ_ENOMEM, -TWZ_ENOTSUP. sealed_check_now does all batches, with preemption points between
 * them: Long.
 */
MUST_CHECK int sealed_check(struct object *obj, uint32_t page);
MUST_CHECK int sealed_check_now(struct object *obj, uint32_t page);

/* Verifies pages from `first` on, as many as a batch allows, up to `end`. Returns 1 after such a
 * batch. The next call for the same pages returns 0 at once, with the first page that is not
 * verified in *checked, above `first`. Errors: as sealed_check for `first`. */
MUST_CHECK int sealed_check_run(struct object *obj, uint32_t first, uint32_t end,
                                uint32_t *checked);

/* Returns true if the page is verified. */
bool sealed_is_good(const struct object *obj, uint32_t page);

/* Drops what a thread has begun to verify. The caller must hold no lock. */
void sealed_forget(struct thread *t);

/* --- write-back ------------------------------------------------------------------------------- */

/* Locked. Writes back one batch of dirty pool pages from page *from on, and advances *from past the
 * batch. These pages are durable on return. Returns true if the caller must call again for the rest
 * of the object. */
bool page_clean_locked(struct object *obj, uint32_t *from);

/* Writes back all dirty pages of an object if it is persistent. They are durable on return. */
void obj_flush(struct object *obj);

/* --- for kernel/obj --------------------------------------------------------------------------- */

/* Locked. Copies the object's fields to its record page, if that page has a frame. User code sees a
 * changed field only after this call. */
void page_record_update_locked(struct object *obj);

/* Locked. Of the `count` pages from `first` on, unmaps those that map the frame of zeros. */
void page_unmap_zeros_locked(struct object *obj, uint32_t first, uint32_t count);

/* Drops a leaf's reference on a DRAM frame. Before the call, the caller must have removed the leaf
 * and completed the shootdown, unless the object has no reference left. Takes no object's lock. */
void page_frame_put(phys_t frame);

/* Does one batch of the destruction of an object's pages: frees its DRAM frames, page tables and
 * record page; the frames of a DEVICE object are not its own and stay. *at must be 0 at the first
 * call. Returns true if the caller must call again. The object must have no reference left, so this
 * takes no lock; and no dirty page, unless it is deleted. */
MUST_CHECK bool page_drop_some(struct object *obj, uint32_t *at);

/* Locked. A charge for frames of the pool, while an operation takes them (charge.c). */
struct pool_charge {
    uint64_t before;  /* frames of the object */
    uint64_t charged; /* frames */
};

#define CHARGE_NODES 2u /* frames of nodes that pages of one node of the store may need */

/* Locked. Charges the account of a persistent object for `frames` frames of the pool, which must be
 * as many as the operation may take. -TWZ_EQUOTA; -TWZ_ENOTSUP if the pool is closed. */
MUST_CHECK int pool_charge(struct object *obj, uint64_t frames, struct pool_charge *c);

/* Locked. Corrects the charge after the operation, whether it has failed or not. Returns by how
 * many frames an object that an account pays for has grown. */
uint64_t pool_charge_end(struct object *obj, const struct pool_charge *c);

/* --- bad pages (badpages.c) ------------------------------------------------------------------- */

/* Lists a frame of the pool that has an uncorrectable memory error. Takes a lock of its own, last.
 */
void badpage_add(uint32_t frame);

/* Copies bytes of a frame of DRAM or of the pool. The caller must hold the lock of the object whose
 * page it is. -TWZ_EPOISON, with part of them copied, if the memory has an uncorrectable error; a
 * frame of the pool is then listed. */
MUST_CHECK int page_read_frame(void *dst, phys_t frame, size_t off, size_t len);

/* Unmaps the object's pages from *page on that map the frame, and marks their page words POISONED,
 * durably. If the store cannot mark a page word, the function only logs the failure. Takes the
 * instructions that it needs off *budget. Returns true if that is spent, with *page the next one.
 */
MUST_CHECK bool badpage_unmap_some(struct object *obj, phys_t bad, uint32_t *page,
                                   uint32_t *budget);

/* Code that uses the frame of a page for a fault, copy or migration must call this first, or must
 * skip the page if badpage_is_listed returns true. The caller must hold the lock of the object.
 * Returns true if p->state was PRESENT or SHARED and the frame is listed; p->state is
 * then POISONED. The page word then is durably POISONED as well, unless the store fails to change
 * it. */
bool badpage_mark(struct store *store, const struct object *obj, struct store_page *p);

#endif
