/* SPDX-License-Identifier: MIT */
/*
 * Small kernel allocations: size classes over whole frames, and blocks up to the largest of phys.
 * Any core; takes spin locks of its own, last but for that of phys.
 */
#ifndef KERNEL_KMEM_H
#define KERNEL_KMEM_H

#include <kernel/types.h>

/* Zeroed, aligned to 16 bytes (64 from 64 bytes up). NULL: no memory. */
void *kmem_alloc(size_t size);

/* size must be that of the allocation. p may be NULL. */
void kmem_free(void *p, size_t size);

#endif
