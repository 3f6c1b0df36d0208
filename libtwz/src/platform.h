/* SPDX-License-Identifier: MIT */
/*
 * The platform seam: all that differs between a program inside the system (libtwz/src/guest) and a
 * host tool that works on a pool file (utils/twz-obj). Everything else in libtwz and objects/ is C
 * without an operating system. A platform also gives the bodies of twz/persist.h.
 *
 * Functions return >= 0 or -TWZ_E*. None blocks but plat_wait. Callable from any thread.
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
 * Make an object visible: *start is the address of its offset 0, a multiple of 1 GiB. The whole
 * 1 GiB belongs to it; pages never written read as zero. The same (id, rights) gives the same
 * address, counted; each plat_map wants a plat_unmap.
 * -TWZ_ENOOBJ where there is none. With the last plat_unmap the address may come to mean another
 * object: before that the platform calls twz_ptr_forget(start).
 */
int plat_map(objid_t id, uint32_t rights, uint8_t **start);
void plat_unmap(uint8_t *start, objid_t id, uint32_t rights);

/* libtwz/src/ptr.c: no cached pointer leads from or to there any more. */
void twz_ptr_forget(const uint8_t *start);

/* What is mapped where addr lies, and with which rights. -TWZ_ENOOBJ: nothing. */
int plat_id_at(const void *addr, objid_t *id, uint32_t *rights);

/* Before a store: pages of [p, p + len) exist and are the object's own. -TWZ_ENOSPC, -TWZ_ENOMEM,
 * -TWZ_EDENIED read-only, -TWZ_EIO. */
int plat_touch(const void *p, uint64_t len);

/* --- the machine ----------------------------------------------------------------------------- */

int plat_random(void *buf, size_t len);
uint64_t plat_time(void); /* nanoseconds since 1970 */

/* The namespace's root directory; 0: there is none. */
objid_t plat_names_root(void);

/* --- locks and threads ----------------------------------------------------------------------- */

/* The calling thread's owner word (twz/mutex.h): never 0, bit 63 clear. */
uint64_t plat_owner(void);

/* 1 if the thread of that owner word lives, or will live again; 0 if it never comes back. A host
 * tool has the pool to itself: 1 for its own word only. */
int plat_owner_alive(uint64_t owner);

/* Sleep while *word == value, no longer than ns; may return early. Wake up to count sleepers. */
void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns);
void plat_wake(const uint64_t *word, uint64_t count);
void plat_pause(void); /* in a short spin */

/* The calling thread's word for twz_error_last. */
int64_t *plat_error(void);

/* A persistent pointer did not resolve: `at` is the address that holds it, reason a TWZ_REASON_*,
 * caller where it was followed. Returns only where a handler mended the cause: then it is tried
 * again.
 *   host: prints and exits; a tool that must not uses the _try forms. */
void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller);

#endif
