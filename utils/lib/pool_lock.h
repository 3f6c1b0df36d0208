/* SPDX-License-Identifier: MIT */
/*
 * The lock on a pool file: one QEMU or one twz-obj at a time. The lock is flock(2) on the file
 * itself: it needs no file of its own, ends with its holder and never becomes stale. A process that
 * inherits the file descriptor inherits the lock. The holder is found out from the system; the
 * lock does not record it.
 */
#ifndef POOL_LOCK_H
#define POOL_LOCK_H

#include <stdbool.h>
#include <stddef.h>

/* Errors of pool_lock_acquire. */
enum {
    POOL_LOCK_BUSY = -1,  /* another process holds the lock; `holder` says which */
    POOL_LOCK_ERRNO = -2, /* the file system cannot lock; errno is set, `holder` is empty */
};

/*
 * Lock the open pool file `fd` for this process; shared: together with other readers. Does not
 * block. Returns 0 or an error from above; `holder` is a text like "process 4711 (twz-obj ls)". The
 * caller must keep `fd` open while it needs the lock.
 */
int pool_lock_acquire(int fd, bool shared, char *holder, size_t size)
    __attribute__((warn_unused_result));

#endif
