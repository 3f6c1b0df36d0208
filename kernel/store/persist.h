/* SPDX-License-Identifier: MIT */
/*
 * The persistence seam: every store that must survive a power cut goes through these names, in the
 * kernel, in the host tools and in the host crash tests. A backend gives them bodies; the build
 * picks one by its include path ("persist_backend.h"), never by #ifdef:
 *
 *   kernel/store/x86/   inline instructions: clwb, else clflushopt, else clflush, chosen at boot;
 *                       in traced runs each flush is preceded by a load of the same line
 *   kernel/store/host/  calls to persist_host_*() with the call site; twz-obj binds them to
 *                       libpmem, the crash harness to a recorder of every legal power failure
 *
 * The model they keep (Px86, the weakest the hardware promises):
 *   - only an aligned 8-byte store is atomic;
 *   - stores to one 64-byte line reach the media in program order (any prefix of them), lines
 *     independently of each other, at any time from the store on, flushed or not;
 *   - the words of persist_copy and persist_zero have no order among themselves;
 *   - the words of the _nt forms reach the media in any subset;
 *   - what was flushed (or stored by an _nt form) before a fence is on the media when it returns.
 *
 * persist_store64(uint64_t *dst, uint64_t value)   one aligned word
 * persist_copy(void *dst, const void *src, size_t) cached; flush it afterwards
 * persist_zero(void *dst, size_t)                  cached; flush it afterwards
 * persist_copy_nt(void *dst, const void *src, size_t)  streaming: no flush, durable at the next
 * persist_zero_nt(void *dst, size_t)                   fence; dst and length multiples of 8
 * persist_flush(const void *addr, size_t len)      write back every line of the range; no order
 * persist_fence(void)                              waits for all of the above of this core
 * persist_commit64(uint64_t *dst, uint64_t value)  store + flush + fence of one aligned word that
 *                                                  publishes something: everything it depends on
 *                                                  was fenced before
 * persist_publish64(uint64_t *dst, uint64_t value) store + flush of such a word without its fence:
 *                                                  for several independent words, one fence after
 */
#ifndef STORE_PERSIST_H
#define STORE_PERSIST_H

#include <stddef.h>
#include <stdint.h>

#define PERSIST_LINE 64u

#include "persist_backend.h"

#endif
