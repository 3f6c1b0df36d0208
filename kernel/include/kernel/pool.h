/* SPDX-License-Identifier: MIT */
/*
 * The pool: kernel/store over the NVDIMM range. store.h says which lock each of its functions
 * needs: the pool's lock is its TABLE, and the lock of an object is that of its in-core object. No
 * function blocks.
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

/* Returns the store, for functions of it that do not need the pool's lock. Returns NULL before
 * pool_init and after pool_shutdown. Takes no lock. */
struct store *pool_store(void);

/* Takes the pool's lock. Returns NULL before pool_init and after pool_shutdown. The caller holds
 * the lock even then, so it must always call pool_unlock. */
struct store *pool_lock(void);
void pool_unlock(void);

uint64_t pool_size(void); /* bytes */

/* Convert addresses and frame numbers of the pool. These functions take no lock. */
bool pool_has(phys_t frame); /* returns true if the address lies in the pool */
phys_t pool_frame_phys(uint32_t frame);
uint32_t pool_frame_number(phys_t frame); /* the address must lie in the pool */

/* Zeroes a few free frames in advance for the calling core, which is idle. Returns false if enough
 * are zeroed or there is no pool. Takes no lock. */
bool pool_idle(void);

/* Closes the pool: pool_store and pool_lock return NULL afterwards. Another core may still be in a
 * call of the store, so the store's memory is not freed. */
void pool_shutdown(void);

#endif
