/* SPDX-License-Identifier: MIT */
/*
 * Random bytes for IDs, nonces and user space: a generator keyed from the processor's own source,
 * which erases its key after each use, so that what it gave cannot be computed from what it holds.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <kernel/types.h>

void random_init(void); /* once, before the first use, one core */
/* Adds what tells this boot from others. Where the processor's source repeats itself (a machine
 * that is made to), a number that rises with each boot keeps new IDs new. Same lock. */
void random_mix(const void *data, size_t len);
void random_bytes(void *out, size_t len); /* any core; takes a spin lock of its own, last */

#endif
