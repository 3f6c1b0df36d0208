/* SPDX-License-Identifier: MIT */
/* Start and end of threads. The two entries below are those of the entry table (base/entry.h). */
#ifndef TWIX_CLONE_H
#define TWIX_CLONE_H

#include <stdint.h>

#include "base/entry.h"

/* Set up the first thread: its entry, its TLS words, its fault stack. The start must call this
 * before any function that asks for the calling thread. */
void clone_first(const struct twix_table *table);

/* Start fn(arg) in a new thread on `stack`. Its tid, -EAGAIN, or -ENOSYS for flags that do not
 * share memory, files and signal actions. */
int clone_thread(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                 int *ctid);

/* End the calling thread; [base, base + len) is its stack, freed once the kernel has left it. */
_Noreturn void clone_unmapself(void *base, uint64_t len);

#endif
