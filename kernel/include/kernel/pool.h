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

/* Opens and recovers the pool. Must be called once, at boot. If the pool cannot be used, the
 * function logs the reason as `twz: fatal: ...` and ends the machine. */
void pool_init(void);

/* Takes the pool's lock. Returns NULL before pool_init and after pool_shutdown. The caller holds
 * the lock even then, so it must always call pool_unlock. */
struct store *pool_lock(void);
void pool_unlock(void);

uint64_t pool_size(void); /* bytes */

/* Convert addresses and frame numbers of the pool. These functions take no lock. */
bool pool_has(phys_t frame); /* returns true if the address lies in the pool */
phys_t pool_frame_phys(uint32_t frame);
uint32_t pool_frame_number(phys_t frame);    /* the address must lie in the pool */
const void *pool_frame_read(uint32_t frame); /* address in the kernel's read-only map */

/* Zeroes a few free frames in advance, for an idle core. Returns false if enough frames are zeroed,
 * there is no pool, or another core holds the lock. */
bool pool_idle(void);

/* Closes the store. Must be the last use of the store; pool_lock returns NULL afterwards. */
void pool_shutdown(void);

#endif
