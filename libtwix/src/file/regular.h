/* SPDX-License-Identifier: MIT */
/*
 * Regular files. A file is a persistent object: its bytes are the data from the base, its length is
 * meta.size. So a twz program can map what a POSIX program writes, and the other way round.
 */
#ifndef TWIX_REGULAR_H
#define TWIX_REGULAR_H

#include <sys/stat.h>

#include "fd.h"

#define REGULAR_MAX TWZ_OBJ_DATA_MAX /* bytes in one file */

extern const struct file_ops regular_ops;

/* Open the object `id` as the object of f, READ for O_RDONLY, else READ | WRITE. Errors as
 * regular_map, and -EFBIG: the file has more than one object. */
int regular_open(struct file *f, objid_t id, uint32_t access);

/* Open an object and map it, so that it exists until it is released, whatever happens to its names.
 * -ENOENT: deleted or damaged. -EACCES: its default permissions lack `rights`. -ETXTBSY: `rights`
 * has WRITE, and this process executes the object. */
int regular_map(twzobj *obj, objid_t id, uint32_t rights);

/* A fill function for hier_create: sets mode and times, durable at its return. `ctx` must point to
 * the mode (uint32_t), type and permission bits. -TWZ_ENOSPC, not a fault, if the pool is full. */
int regular_fill(const twzobj *obj, void *ctx);

/* The struct stat of an object; `type` is S_IFREG or S_IFDIR. */
void regular_stat(const twzobj *obj, uint32_t type, struct stat *st);

/* The same for an open file: an object that was deleted since it was opened has 0 links. */
void regular_stat_open(const twzobj *obj, uint32_t type, struct stat *st);

/* Set the length, durable on return; bytes past the old length are zero. -EFBIG, -ENOSPC. Blocks on
 * the length's lock. */
int regular_resize(const twzobj *obj, uint64_t len);

/* Set the bytes of [off, off + len) that lie within the length to zero, durable on return. Blocks
 * on the length's lock. */
int regular_punch(const twzobj *obj, uint64_t off, uint64_t len);

#endif
