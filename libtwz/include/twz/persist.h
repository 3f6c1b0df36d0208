/* SPDX-License-Identifier: MIT */
/*
 * Making stores durable. The names and their meaning are those of the kernel's own seam.
 *
 *   - Only an aligned 8-byte store is atomic against a power failure.
 *   - Stores to one 64-byte line reach the media in program order: any prefix of them may be there.
 *   - Lines reach the media in any order, at any time after the store, flushed or not.
 *   - Bytes flushed before a fence are on the media when the fence returns.
 *
 * On volatile objects these functions have no effect that matters. Each platform implements them.
 * None is inlined, so that a recording platform can replace them and tell the call sites apart.
 */
#ifndef TWZ_PERSIST_H
#define TWZ_PERSIST_H

#include <twz/types.h>

#define TWZ_PERSIST_LINE 64u

/* Start to write back each line of the range, in no order. It is durable after the next fence. */
void twz_persist_flush(const void *p, size_t len);

/* All lines that this thread flushed are durable on return. */
void twz_persist_fence(void);

/* Flush and fence: the range is durable on return. */
void twz_persist(const void *p, size_t len);

/* Store one aligned word atomically; the caller must flush it. */
void twz_persist_store64(uint64_t *word, uint64_t value);

/* Copy or zero a range; the caller must flush it. Its words have no order among themselves. */
void twz_persist_copy(void *dst, const void *src, size_t len);
void twz_persist_zero(void *dst, size_t len);

/* Store, flush and fence one aligned word, a commit word. All that it publishes must be durable
 * before the call. Durable on return. */
void twz_persist_commit64(uint64_t *word, uint64_t value);

#endif
