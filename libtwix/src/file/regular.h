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

/* Open the object `id` as the object of f, with READ for O_RDONLY, else with READ | WRITE. Errors
 * are those of regular_map. -EFBIG: the file has more than one object. */
int regular_open(struct file *f, objid_t id, uint32_t access);

/* Open an object and map it. The object then exists until twz_object_release, even if its names are
 * removed. -ENOENT: the object is deleted or damaged. -EACCES: the object's default permissions
 * lack `rights`. -ETXTBSY: `rights` has WRITE, and this process executes the object. */
int regular_map(twzobj *obj, objid_t id, uint32_t rights);

/* A fill function for hier_create: sets mode and times, durable on return. `ctx` must point to the
 * mode (uint32_t), type and permission bits. If the pool is full, it returns -TWZ_ENOSPC and does
 * not fault. */
int regular_fill(const twzobj *obj, void *ctx);

/* Fill in the struct stat of an object; `type` is S_IFREG or S_IFDIR. */
void regular_stat(const twzobj *obj, uint32_t type, struct stat *st);

/* As regular_stat, for an open file: an object that was deleted after the open has 0 links. */
void regular_stat_open(const twzobj *obj, uint32_t type, struct stat *st);

/* Set the length, durable on return. Bytes past the old length are zero. Returns 0, or -EFBIG,
 * -ENOSPC or another error. May block on meta.lock. */
int regular_resize(const twzobj *obj, uint64_t len);

/* Set the bytes of [off, off + len) that lie within the length to zero, durable on return. May
 * block on meta.lock. */
int regular_punch(const twzobj *obj, uint64_t off, uint64_t len);

#endif
