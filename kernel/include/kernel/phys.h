/* SPDX-License-Identifier: MIT */
/*
 * DRAM frames, 4 KiB each, and physically contiguous runs of 2^order frames. Any core, any time;
 * one spin lock inside, taken last. Frames handed to user space are zeroed.
 */
#ifndef KERNEL_PHYS_H
#define KERNEL_PHYS_H

#include <kernel/types.h>

#define PHYS_MAX_ORDER 18u /* 1 GiB */

void phys_init(void);              /* from boot_info.ram; its cost does not depend on size */
phys_t phys_alloc(unsigned order); /* contents undefined; PHYS_NONE: none left */
phys_t phys_alloc_zeroed(void);    /* one frame of zeros */
void phys_free(phys_t frame, unsigned order);

/* Sharing of single frames (order 0): phys_alloc gives one reference, the last unref frees. */
void phys_ref(phys_t frame);
void phys_unref(phys_t frame);
uint32_t phys_refs(phys_t frame); /* a snapshot: exact while the caller holds a reference
                                               and nobody else can add one */
uint64_t phys_free_frames(void);
uint64_t phys_total_frames(void);

#endif
