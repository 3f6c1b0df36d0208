/* SPDX-License-Identifier: MIT */
/*
 * The persistence seam. Every store that must survive a power failure goes through these names, in
 * the kernel, in the host tools and in the host crash tests. A backend implements them. The build
 * selects it by its include path ("persist_backend.h"), never by #ifdef:
 *
 *   kernel/store/x86/   inline instructions: clwb, else clflushopt, else clflush, selected at boot;
 *                       in a traced run a load of the same line precedes each flush
 *   kernel/store/host/  calls to persist_host_*() with the call site; twz-obj implements them with
 *                       libpmem, the crash harness with a recorder of every legal power failure
 *
 * The memory model (Px86, the weakest that the hardware promises):
 *   - Only an aligned 8-byte store is atomic.
 *   - Stores to one 64-byte line reach the media in program order, any prefix of them, at any time
 *     after the store, flushed or not. Lines are independent of each other.
 *   - The words of persist_copy and persist_zero have no order among themselves.
 *   - The words of the _nt forms reach the media in any subset.
 *   - A line that was flushed, or stored by an _nt form, before a fence is on the media when the
 *     fence returns.
 *
 * persist_store64(uint64_t *dst, uint64_t value)   one aligned word
 * persist_copy(void *dst, const void *src, size_t) cached; the caller must flush it
 * persist_zero(void *dst, size_t)                  cached; the caller must flush it
 * persist_copy_nt(void *dst, const void *src, size_t)  streaming: no flush, durable at the next
 * persist_zero_nt(void *dst, size_t)                   fence; dst and length multiples of 8
 * persist_flush(const void *addr, size_t len)      write back every line of the range; no order
 * persist_fence(void)                              wait for all of the above of this core
 * persist_commit64(uint64_t *dst, uint64_t value)  store, flush and fence one aligned word that
 *                                                  makes a change take effect; the caller must have
 *                                                  fenced everything that the change depends on
 * persist_publish64(uint64_t *dst, uint64_t value) the same without the fence: for several
 *                                                  independent words; the caller must fence after
 *                                                  the last of them
 */
#ifndef STORE_PERSIST_H
#define STORE_PERSIST_H

#include <stddef.h>
#include <stdint.h>

#define PERSIST_LINE 64u

#include "persist_backend.h"

#endif
