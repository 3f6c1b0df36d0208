/* SPDX-License-Identifier: MIT */
/*
 * Random bytes for IDs, nonces and user space. The generator is keyed from the processor's random
 * source and erases its key after each use: its state does not reveal the bytes it gave out.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <kernel/types.h>

/* Must be called once, on one core, before any other function here. */
void random_init(void);

/* Adds what distinguishes this boot from others. It need not be secret: where the processor's
 * source is missing or repeats itself (a deterministic machine), it keeps IDs unique. Any core;
 * takes a spin lock of its own, last. */
void random_mix(const void *data, size_t len);

/* Any core; takes a spin lock of its own, last. */
void random_bytes(void *out, size_t len);

#endif
