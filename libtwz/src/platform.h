/* SPDX-License-Identifier: MIT */
/*
 * The platform seam: the functions that differ between a program inside the system
 * (libtwz/src/guest) and a host tool that works on a pool file (utils/twz-obj). All other files of
 * libtwz and objects/ are C without an operating system. A platform must also implement
 * twz/persist.h.
 *
 * Any thread may call these functions. plat_wait sleeps. plat_map, plat_unmap and plat_obj_delete
 * may wait for a mutex of the platform. No other function blocks. An int result is >= 0 or -TWZ_E*.
 */
#ifndef LIBTWZ_PLATFORM_H
#define LIBTWZ_PLATFORM_H

#include <twz/error.h>
#include <twz/object.h>
#include <twz/persist.h>

/* --- objects: as the kernel's calls of the same name (syscall.def, twz/object.h) ------------- */

int plat_obj_create(const struct twz_create *create, objid_t *id);
int plat_obj_delete(objid_t id, uint64_t flags);
int plat_obj_stat(objid_t id, struct twz_stat *stat);
int plat_obj_ctl(objid_t id, uint64_t op, uint64_t arg);

/*
 * Map an object. *start is the address of its offset 0, a multiple of 1 GiB; the whole 1 GiB
 * belongs to the object. A page to which nothing was stored reads as zero. If an object is mapped
 * twice with the same rights, both have the same address. The caller must call plat_unmap once for
 * each plat_map. -TWZ_ENOOBJ if there is no such object, -TWZ_EFULL if there is no free slot.
 *
 * After the last plat_unmap the platform may use the address for another object. It must call
 * twz_ptr_forget(start) before.
 */
int plat_map(objid_t id, uint32_t rights, uint8_t **start);
void plat_unmap(uint8_t *start, objid_t id, uint32_t rights);

/* Drop all cached pointers from or to the object at `start` (libtwz/src/ptrcache.c). */
void twz_ptr_forget(const uint8_t *start);

/* Get the ID of the object mapped at `addr`, and the rights of the mapping. -TWZ_ENOOBJ if nothing
 * is mapped there. */
int plat_id_at(const void *addr, objid_t *id, uint32_t *rights);

/* Give space to all pages of [p, p + len), so that a store to them is not a fault. -TWZ_ENOSPC,
 * -TWZ_ENOMEM, -TWZ_EDENIED if the mapping is read-only, -TWZ_EIO if a page is lost. */
int plat_touch(const void *p, uint64_t len);

/* --- the machine ----------------------------------------------------------------------------- */

int plat_random(void *buf, size_t len);
uint64_t plat_time(void); /* nanoseconds since 1970 */

/* Returns the ID of the root directory of the namespace; 0 if there is none. */
objid_t plat_names_root(void);

/* --- locks and threads ----------------------------------------------------------------------- */

/* Returns the calling thread's owner word (twz/mutex.h). It is never 0, and bit 63 is 0. */
uint64_t plat_owner(void);

/* Returns false only if the thread with this owner word will never run again. A host tool is the
 * only user of its pool, so there only its own word is alive. */
bool plat_owner_is_alive(uint64_t owner);

/* Sleep while *word == value, but not longer than `ns` nanoseconds. It may return early. */
void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns);

/* Wake up to `count` threads that sleep on the word. */
void plat_wake(const uint64_t *word, uint64_t count);
void plat_pause(void); /* in a short spin */

/* Returns the address of the calling thread's innermost guard (libtwz/src/guard.c). A platform also
 * implements twz_catch, twz_catch_end, twz_try and twz_fault_raise (twz/faults.h). */
struct twz_guard;
struct twz_catch;
struct twz_guard **plat_guard(void);

/* Put a catch that twz_catch_end removed on the thread's list again. */
void plat_catch_again(struct twz_catch *c);

/* Returns the address of the calling thread's word for twz_error_last. */
int64_t *plat_error(void);

static inline int set_last_error(int err)
{
    *plat_error() = err;
    return err;
}

/*
 * Report that a persistent pointer does not resolve. `at` is the address that holds it, `reason` a
 * TWZ_REASON_*, `caller` the instruction that resolves it. If the function returns, a handler has
 * repaired the cause, and the caller must resolve the pointer again. On the host the function
 * prints the fault and exits; a tool that must not exit has to use the functions named _try.
 */
void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller);

#endif
