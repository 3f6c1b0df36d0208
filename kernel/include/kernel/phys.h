/* SPDX-License-Identifier: MIT */
/*
 * DRAM frames of 4 KiB, and physically contiguous blocks of 2^order frames. Any core may call at
 * any time; one spin lock inside, taken last. The caller must zero a frame before user code sees it
 * (phys_alloc_zeroed does).
 */
#ifndef KERNEL_PHYS_H
#define KERNEL_PHYS_H

#include <kernel/types.h>

struct account;

#define PHYS_MAX_ORDER 18u /* 1 GiB */

/* Takes over boot_info.ram; once, first of all. Its cost does not grow with the memory. */
void phys_init(void);

/* A block with one reference, its contents undefined. PHYS_NONE: no block is large enough. */
phys_t phys_alloc(unsigned order);

/* Sets for this core whether allocations must leave the reserve alone: a 64th of the memory, of at
 * least 1 MiB, for the kernel's own work and for the first program. Not limited after boot. */
void phys_limit(bool limited);

/* One frame of zeros, with one reference. */
phys_t phys_alloc_zeroed(void);

/* The same two, charged to an account (kernel/account.h) as DRAM until the block is freed. A shared
 * frame stays charged to the account that it was allocated for. -TWZ_ENOMEM, -TWZ_EQUOTA. */
MUST_CHECK int phys_alloc_for(struct account *payer, unsigned order, phys_t *out);
MUST_CHECK int phys_alloc_zeroed_for(struct account *payer, phys_t *out);

/* Moves the charge of a frame that has one reference, the caller's, to another account, if that
 * account's limits allow it. */
void phys_set_payer(phys_t frame, struct account *payer);

/* Frees a block that has one reference; order must be that of its allocation. */
void phys_free(phys_t frame, unsigned order);

/* Sharing of single frames (order 0); the last phys_unref frees. False: the frame has all the
 * references that it can have. */
MUST_CHECK bool phys_ref(phys_t frame);
void phys_unref(phys_t frame);

/* References now. The number holds only while the caller has one and no other core can add one. */
uint32_t phys_refs(phys_t frame);

uint64_t phys_free_frames(void);
uint64_t phys_total_frames(void);

#endif
