/* SPDX-License-Identifier: MIT */
/* Start and end of threads. clone_thread and clone_unmapself are functions of the entry table
 * (base/entry.h). */
#ifndef TWIX_CLONE_H
#define TWIX_CLONE_H

#include <stdint.h>

#include "base/entry.h"

/* Set up the first thread at the process's start: its entry in `threads`, the words TWIX_USER_* of
 * its thread object (base/entry.h), and its fault stack. The caller must call this before any
 * function that calls thread_self. */
void clone_first(const struct twix_table *table);

/* Start fn(arg) in a new thread on `stack`. Returns the tid or an error. -EAGAIN: there are too
 * many threads, or memory is exhausted. -ENOSYS: `flags` lacks CLONE_VM, CLONE_THREAD, CLONE_FILES
 * or CLONE_SIGHAND. */
int clone_thread(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                 int *ctid);

/* End the calling thread, which runs on the stack [base, base + len). A later clone_thread frees
 * that stack. */
_Noreturn void clone_unmapself(void *base, uint64_t len);

#endif
