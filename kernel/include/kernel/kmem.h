/* SPDX-License-Identifier: MIT */
/*
 * Small kernel allocations: size classes over whole frames, and blocks up to the largest of phys.
 * A frame without an item in use goes back to phys, but for one slab a class.
 * Any core; takes spin locks of its own, last but for that of phys.
 */
#ifndef KERNEL_KMEM_H
#define KERNEL_KMEM_H

#include <kernel/types.h>

/* Zeroed, aligned to 16 bytes (64 from 64 bytes up). NULL: no memory. */
void *kmem_alloc(size_t size);

/* size must be that of the allocation. p may be NULL. */
void kmem_free(void *p, size_t size);

/* Bytes of the frames that allocations have now, free items among them included. */
uint64_t kmem_bytes(void);

/* Bytes of the allocations that live, each rounded up to its size class. */
uint64_t kmem_used(void);

#endif
