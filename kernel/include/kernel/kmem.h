/* SPDX-License-Identifier: MIT */
/* Small kernel allocations: typed caches over whole frames, and sizes up to what phys gives. */
#ifndef KERNEL_KMEM_H
#define KERNEL_KMEM_H

#include <kernel/types.h>

void *kmem_alloc(size_t size); /* zeroed, 16-byte aligned (64 from 64 bytes up); NULL: none left */
void kmem_free(void *p, size_t size); /* NULL is fine */

#endif
