/* SPDX-License-Identifier: MIT */
/*
 * thread_wait, thread_wake and thread_wake_wait sleep on one word and wake one, with all arguments
 * in registers. thread_sync: many sleeps and wakes in one call.
 *   1. The wakes are done, in order.
 *   2. The words of the sleeps are compared. If none differs from its value, the thread sleeps
 *      until one is woken or the deadline passes.
 *   3. The call returns the number of sleeps that were ready (woken, or different already), or
 *      -TWZ_ETIMEDOUT, or -TWZ_EINTR (a signal came). Each operation has its result.
 * Without sleeps the call never blocks, and returns the number of threads woken. Words are keyed by
 * (object, offset), so views and addresses do not matter. A wake may be made twice, and its result
 * then is that of the second time. A sleep may end with its word unchanged; the caller must read
 * the word again.
 */
#ifndef TWZ_SYNC_H
#define TWZ_SYNC_H

#include <twz/types.h>

#define TWZ_SYNC_SLEEP 0u
#define TWZ_SYNC_WAKE  1u
#define TWZ_SYNC_32    0u
#define TWZ_SYNC_64    2u /* flag: the word has 64 bits */

#define TWZ_SYNC_MAX 64u /* operations in one call */

struct twz_sync {
    uint64_t addr;  /* view address of the word, aligned to its width; a wake needs WRITE of it */
    uint64_t value; /* sleep: only while the word equals this; wake: threads at most */
    uint32_t op;    /* TWZ_SYNC_SLEEP or TWZ_SYNC_WAKE, | TWZ_SYNC_64 */
    int32_t result; /* written: sleep: 1 ready, 0 not; wake: threads woken; or a negative error */
};
_Static_assert(sizeof(struct twz_sync) == 24, "sync size");

#endif
