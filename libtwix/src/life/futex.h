/* SPDX-License-Identifier: MIT */
/* Futexes over thread_sync, which keys a word by object and offset, whoever maps it where. */
#ifndef TWIX_FUTEX_H
#define TWIX_FUTEX_H

#include <stdint.h>

int64_t futex_wake(const int *word, uint64_t count);

/* The robust list of a thread that ends: its locks are marked and their waiters woken. */
void futex_release_robust(void *head, int tid);

#endif
