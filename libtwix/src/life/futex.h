/* SPDX-License-Identifier: MIT */
/* Futexes over thread_sync. The kernel knows a word by object and offset, so a futex works between
 * processes that map the same object. */
#ifndef TWIX_FUTEX_H
#define TWIX_FUTEX_H

#include <stdint.h>

/* Wake up to `count` waiters: how many were woken, or an error. */
int64_t futex_wake(const int *word, uint64_t count);

/* A thread ends: mark each lock of its robust list (NULL: none) as left by a dead owner, and wake
 * one waiter of each. */
void futex_release_robust(void *list, int tid);

#endif
