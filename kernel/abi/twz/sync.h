/* SPDX-License-Identifier: MIT */
/*
 * thread_sync: many sleeps and wakes in one call. Wakes are done first, in order. Then, if no
 * sleep's word already differs from its value, the thread sleeps until one is woken or the
 * deadline passes. Words are keyed by (object, offset): views and addresses do not matter.
 * The call returns the number of sleeps that were ready (woken or already different), or
 * -TWZ_ETIMEDOUT, or -TWZ_EINTR (a signal came); each operation's result says which. With no sleeps
 * it never blocks, and returns how many threads it woke. A wake may be made twice and a sleep may
 * end with its word unchanged: look at the word again.
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
    uint64_t addr;  /* view address of the word, aligned to its width */
    uint64_t value; /* sleep: sleep only while the word equals this; wake: how many at most */
    uint32_t op;    /* TWZ_SYNC_SLEEP or _WAKE, | TWZ_SYNC_64 */
    int32_t result; /* out: sleep: 1 ready, 0 not; wake: how many woken; or -error */
};
_Static_assert(sizeof(struct twz_sync) == 24, "sync size");

#endif
