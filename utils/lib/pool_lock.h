/* SPDX-License-Identifier: MIT */
/*
 * The lock on a pool file: one QEMU or one twz-obj at a time. It is flock(2) on the file itself, so
 * it needs no file of its own, ends with its holder and never becomes stale. Inheriting the file
 * descriptor hands the lock on. Who holds it is asked of the system, not recorded.
 */
#ifndef POOL_LOCK_H
#define POOL_LOCK_H

#include <stddef.h>

/*
 * Lock the open pool file `fd` for this process (shared: several readers), without waiting.
 * Returns 0; or -1 when another process holds it, with a text like "process 4711 (twz-obj ls)" in
 * `holder`; or -2 when the file system cannot lock (errno is set, `holder` is empty).
 */
int pool_lock(int fd, int shared, char *holder, size_t size) __attribute__((warn_unused_result));

#endif
