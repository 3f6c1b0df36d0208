/* SPDX-License-Identifier: MIT */
/*
 * The platform seam: the functions that differ between a program inside the system
 * (libtwz/src/guest) and a host tool that works on a pool file (utils/twz-obj). All other files of
 * libtwz and objects/ are C without an operating system. A platform must also implement
 * twz/persist.h.
 *
 * Any thread may call these functions. Only plat_wait blocks. The result is >= 0 or -TWZ_E*.
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
 * Map an object. *start: the address of its offset 0, a multiple of 1 GiB; the whole 1 GiB belongs
 * to the object, and pages never written read as zero. The same (id, rights) give the same address,
 * counted: each plat_map needs one plat_unmap. -TWZ_ENOOBJ if there is no such object, -TWZ_EFULL
 * if there is no free slot. The last plat_unmap may free the address for another object. The
 * platform must call twz_ptr_forget(start) before it reuses the address.
 */
int plat_map(objid_t id, uint32_t rights, uint8_t **start);
void plat_unmap(uint8_t *start, objid_t id, uint32_t rights);

/* libtwz/src/ptrcache.c: drop all cached pointers from or to the object at `start`. */
void twz_ptr_forget(const uint8_t *start);

/* The object mapped at `addr`, and the rights of that mapping. -TWZ_ENOOBJ if there is none. */
int plat_id_at(const void *addr, objid_t *id, uint32_t *rights);

/* Must be called before a store to pages that may not exist: afterwards those of [p, p + len) exist
 * and are the object's own. -TWZ_ENOSPC, -TWZ_ENOMEM, -TWZ_EDENIED read-only, -TWZ_EIO. */
int plat_touch(const void *p, uint64_t len);

/* --- the machine ----------------------------------------------------------------------------- */

int plat_random(void *buf, size_t len);
uint64_t plat_time(void); /* nanoseconds since 1970 */

/* The root directory of the namespace; 0: there is none. */
objid_t plat_names_root(void);

/* --- locks and threads ----------------------------------------------------------------------- */

/* The calling thread's owner word (twz/mutex.h): never 0, bit 63 clear. */
uint64_t plat_owner(void);

/* False if the thread of that owner word will never run again. A host tool has the pool to itself:
 * true for its own word only. */
bool plat_owner_is_alive(uint64_t owner);

/* Sleep while *word == value, at most `ns` nanoseconds; may return early. Pairs with plat_wake. */
void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns);

/* Wake up to `count` sleepers. */
void plat_wake(const uint64_t *word, uint64_t count);
void plat_pause(void); /* in a short spin */

/* The calling thread's word for twz_error_last. */
int64_t *plat_error(void);

static inline int set_last_error(int err)
{
    *plat_error() = err;
    return err;
}

/*
 * Report that a persistent pointer does not resolve. at: the address that holds it; reason: a
 * TWZ_REASON_*; caller: the instruction that followed it. Returns only if a handler repaired the
 * cause; the caller must then resolve again. On the host it prints and exits: a tool that must go
 * on has to use the functions named _try.
 */
void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller);

#endif
