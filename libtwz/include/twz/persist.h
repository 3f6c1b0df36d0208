/* SPDX-License-Identifier: MIT */
/*
 * Stores that must be durable. The functions have the names and the meaning of those in the kernel.
 *
 *   - Only an aligned 8-byte store is atomic in a power failure.
 *   - Stores to one 64-byte line reach the media in program order. After a power failure, the media
 *     hold any prefix of them.
 *   - Different lines reach the media in any order. A line may reach the media at any time after
 *     the store, even if it is not flushed.
 *   - If a line is flushed before a fence, it is on the media when the fence returns.
 *
 * For a volatile object these functions do nothing that matters. Any thread may call them; none
 * blocks or fails. Each platform implements them. None is inlined, so a recording platform can
 * replace them and distinguish the call sites.
 */
#ifndef TWZ_PERSIST_H
#define TWZ_PERSIST_H

#include <twz/types.h>

#define TWZ_PERSIST_LINE 64u

/* Flush each line of the range, in any order. The range is durable after the next fence. */
void twz_persist_flush(const void *p, size_t len);

/* On return, all lines that the calling thread flushed before are durable. */
void twz_persist_fence(void);

/* Flush and fence. The range is durable on return. */
void twz_persist(const void *p, size_t len);

/* Store one aligned word atomically. The caller must flush it. */
void twz_persist_store64(uint64_t *word, uint64_t value);

/* Copy to a range, or zero it. The caller must flush the range. Its words may reach the media in
 * any order. */
void twz_persist_copy(void *dst, const void *src, size_t len);
void twz_persist_zero(void *dst, size_t len);

/* Store, flush and fence one aligned word that publishes other data. The caller must make those
 * data durable before. The word is durable on return. */
void twz_persist_commit64(uint64_t *word, uint64_t value);

#endif
