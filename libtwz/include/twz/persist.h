/* SPDX-License-Identifier: MIT */
/*
 * Making stores durable. The names and their meaning are those of the kernel's own seam:
 *
 *   - only an aligned 8-byte store is atomic against a power cut;
 *   - stores to one 64-byte line reach the media in program order (any prefix of them); lines do so
 *     independently of each other, at any time from the store on, flushed or not;
 *   - what was flushed before a fence is on the media when the fence returns.
 *
 * On volatile objects all of this is harmless and does nothing that matters. Each platform gives
 * these functions their bodies; none is inlined across the seam, so that a recording platform can
 * put its own in their place and tell the call sites apart.
 */
#ifndef TWZ_PERSIST_H
#define TWZ_PERSIST_H

#include <twz/types.h>

#define TWZ_PERSIST_LINE 64u

/* Write back every line of the range; no order, nothing durable until the next fence. */
void twz_persist_flush(const void *p, size_t len);

/* Everything flushed before by this thread is durable on return. */
void twz_persist_fence(void);

/* flush + fence: the range is durable on return. */
void twz_persist(const void *p, size_t len);

/* One aligned word, stored atomically; flush it afterwards. */
void twz_persist_store64(uint64_t *word, uint64_t value);

/* Copy or zero; flush it afterwards. The words have no order among themselves. */
void twz_persist_copy(void *dst, const void *src, size_t len);
void twz_persist_zero(void *dst, size_t len);

/* Store + flush + fence of one aligned word that publishes something. Everything that it depends on
 * was fenced before. Durable on return. */
void twz_persist_commit64(uint64_t *word, uint64_t value);

#endif
