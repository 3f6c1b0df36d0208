/* SPDX-License-Identifier: MIT */
/* Futexes over thread_sync. The kernel knows a word by object and offset, so a futex works between
 * processes that map the same object. */
#ifndef TWIX_FUTEX_H
#define TWIX_FUTEX_H

#include <stdint.h>

/* Wake at most `count` waiters. Returns how many were woken, or an error. */
int64_t futex_wake(const int *word, uint64_t count);

/* For a thread `tid` that ends: mark each lock of its robust list as left by a dead owner, and wake
 * one waiter of each. `list` may be NULL: there is no list. */
void futex_release_robust(void *list, int tid);

#endif
