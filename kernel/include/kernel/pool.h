/* SPDX-License-Identifier: MIT */
/*
 * The pool: kernel/store over the NVDIMM range. One lock around every store call (store.h); it is
 * taken after object locks and before phys and kmem.
 */
#ifndef KERNEL_POOL_H
#define KERNEL_POOL_H

#include <kernel/lock.h>
#include <kernel/types.h>
#include <store/store.h>

/* Opens and recovers the pool. Anything wrong with it: a line `twz: fatal: ...`, and the end. */
void pool_init(void);

struct store *pool_lock(void); /* NULL: there is none (the lock is held all the same) */
void pool_unlock(void);
bool pool_present(void);
uint64_t pool_size(void); /* bytes */

/* Where a frame of the pool lies. */
phys_t pool_frame_phys(uint32_t frame);
bool pool_has(phys_t frame);                 /* an address in the pool */
uint32_t pool_frame_number(phys_t frame);    /* pool_has(frame) */
const void *pool_frame_read(uint32_t frame); /* the kernel's read-only map */
void *pool_frame_write(uint32_t frame);      /* for persist.h and the kernel's own stores */

/* Idle time: zeroes a few free frames ahead, so that the first write to a page need not. False:
 * enough are ready, or somebody uses the pool. */
bool pool_idle(void);

/* Before power goes: what the store still has to do. */
void pool_shutdown(void);

#endif
