/* SPDX-License-Identifier: MIT */
/*
 * The pool: kernel/store over the NVDIMM range. The caller must hold the pool's lock around each
 * call of store.h. No function blocks.
 *
 * Lock order: object -> pool -> kmem -> phys.
 */
#ifndef KERNEL_POOL_H
#define KERNEL_POOL_H

#include <kernel/lock.h>
#include <kernel/types.h>
#include <store/store.h>

/* Opens and recovers the pool. Must be called once, at boot. If the pool cannot be used, it logs
 * the reason as `twz: fatal: ...` and ends the machine. */
void pool_init(void);

/* Takes the lock. NULL: there is no pool, before pool_init and after pool_shutdown; the lock is
 * held nevertheless, so the caller must call pool_unlock in both cases. */
struct store *pool_lock(void);
void pool_unlock(void);

uint64_t pool_size(void); /* bytes */

/* Addresses and frame numbers of the pool; these take no lock. */
bool pool_has(phys_t frame); /* the address lies in the pool */
phys_t pool_frame_phys(uint32_t frame);
uint32_t pool_frame_number(phys_t frame);    /* the address must lie in the pool */
const void *pool_frame_read(uint32_t frame); /* in the kernel's read-only map */

/* Zeroes a few free frames ahead of need, for an idle core. False: enough frames are zeroed, or
 * another core holds the lock. */
bool pool_idle(void);

/* Closes the store. Must be called last: no call of the store can follow. */
void pool_shutdown(void);

#endif
